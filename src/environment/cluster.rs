//! Where the environment's cluster comes from.

use super::magnum::MagnumCluster;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Exactly one of the ways to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Cluster {
    /// An OpenStack Magnum cluster, created when it is not there.
    Magnum(MagnumCluster),
    /// A cluster that somebody else made.
    Existing(ExistingCluster),
    /// A local control plane for trials and tests.
    Sandbox(SandboxCluster),
}

/// A cluster that is there already. Server and CA say which one is meant: a kubeconfig's context may point anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExistingCluster {
    /// The kubeconfig; `KUBECONFIG` or `~/.kube/config` when not given. Relative to the environment file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in it.
    pub context: String,
    /// The API server's URL that the context must lead to.
    pub server: String,
    /// SHA-256 of the API server's CA certificate (DER), in hex; colons are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_sha256: Option<String>,
}

/// The local control plane. It has no settings of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SandboxCluster {}
