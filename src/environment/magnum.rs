//! A Magnum cluster as the environment file declares it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Labels of a cluster, as Magnum takes them: text to text.
pub type Labels = BTreeMap<String, String>;

/// What `openstack coe cluster create` would be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MagnumCluster {
    /// The entry of `clouds.yaml`; `OS_CLOUD` or `OS_*` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
    /// The cluster's name.
    pub name: String,
    /// Name or UUID of the cluster template.
    pub template: String,
    /// The Nova key pair.
    pub keypair: String,
    /// Control plane nodes.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub masters: u32,
    /// Worker nodes; ignored while labels turn autoscaling on.
    #[schemars(range(min = 1))]
    pub nodes: u32,
    /// Size of each node's volume for images, GiB; the template's when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_volume_size: Option<u32>,
    /// Whether the labels are merged over the template's (`--merge-labels`) or replace them.
    #[serde(default)]
    pub merge_labels: bool,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Labels,
    /// TCP ports to open on this cluster's nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_ports: Vec<OpenPort>,
    /// Where the kubeconfig is kept (mode 0600), relative to the environment file; in memory when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
}

fn one() -> u32 {
    1
}

/// A port, open to the world or to a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OpenPort {
    /// Open to the world.
    World(u16),
    /// With its range and nodes said.
    Rule(PortRule),
}

/// A port with a source range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortRule {
    /// The TCP port.
    pub port: u16,
    /// The range that may reach it, CIDR; the world when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Also on the control plane's nodes.
    #[serde(default)]
    pub masters: bool,
}
