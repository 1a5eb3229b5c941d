//! The file's shape. Sections are optional here: a command asks for those that it needs.

use super::cluster::Cluster;
use super::error::EnvironmentError;
use super::name::EnvironmentName;
use super::storage::StorageClass;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "An environment of rsp-install")]
pub struct Environment {
    /// Its name; equal to the file's.
    pub name: EnvironmentName,
    /// Other names that `--env` takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<EnvironmentName>,
    /// Which upgrade rules of SQR-056 hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Where the cluster comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
    /// Storage classes; exactly one is the default where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<StorageClass>,
    /// The fork that is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phalanx: Option<PhalanxSource>,
    /// The repository that the fork follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// Where Vault is, if not where the phalanx environment says.
    #[serde(default)]
    pub vault: VaultLocation,
    /// How upgrades run.
    #[serde(default)]
    pub upgrade: UpgradeRules,
}

/// The row and column of SQR-056's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// What kind of service it is.
    pub deployment: Deployment,
    /// How formal it is.
    pub level: Level,
}

/// Kinds of services in SQR-056.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Deployment {
    /// The science platform at data centres.
    Science,
    /// The platform at summit, base and test stand.
    Telescope,
    /// The engineering and facilities database.
    Efd,
    /// Services that hold no data.
    Roundtable,
    /// The community forum.
    Community,
}

/// Levels in rising formality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// Follows its branch by itself.
    Bleed,
    /// For developers.
    Dev,
    /// Integration.
    Int,
    /// Production.
    Prod,
}

/// The repository, branch and environment of phalanx that are installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhalanxSource {
    /// A URL, or the path of a local repository, relative to the environment file.
    pub repository: String,
    /// The branch (or tag) that is installed.
    pub branch: String,
    /// The environment's name in phalanx.
    pub environment: String,
    /// Names it had there before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<String>,
}

/// The repository that a fork follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstream {
    /// A URL, or the path of a local repository, relative to the environment file.
    pub repository: String,
    /// Its branch.
    pub branch: String,
}

/// Where Vault is, if not where the phalanx environment says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VaultLocation {
    /// The server's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The path prefix with its mount, for example `secret/phalanx/roe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
}

/// How upgrades run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpgradeRules {
    /// The staged runbook.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
}

/// One stage of an upgrade. This version installs and does not upgrade: no stage can be declared yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Stage {}

impl Environment {
    /// The section `cluster`.
    pub fn cluster(&self) -> Result<&Cluster, EnvironmentError> {
        self.cluster.as_ref().ok_or_else(|| self.lacks("cluster"))
    }

    /// The section `phalanx`.
    pub fn phalanx(&self) -> Result<&PhalanxSource, EnvironmentError> {
        self.phalanx.as_ref().ok_or_else(|| self.lacks("phalanx"))
    }

    /// The section `upstream`.
    pub fn upstream(&self) -> Result<&Upstream, EnvironmentError> {
        self.upstream.as_ref().ok_or_else(|| self.lacks("upstream"))
    }

    /// The section `policy`.
    pub fn policy(&self) -> Result<Policy, EnvironmentError> {
        self.policy.ok_or_else(|| self.lacks("policy"))
    }

    fn lacks(&self, section: &'static str) -> EnvironmentError {
        EnvironmentError::MissingSection { name: self.name.to_string(), section }
    }
}
