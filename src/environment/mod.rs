//! The environment file: one YAML document that declares everything about one environment.
//!
//! Promises: a file is read strictly (an unknown key is an error with line and column), found by name or alias, and
//! described by a published JSON schema. Asks nobody else: whether the references in it are right is checked by the
//! rooms that follow them.

mod cluster;
mod error;
mod library;
mod magnum;
mod model;
mod name;
mod storage;

pub use cluster::{Cluster, ExistingCluster, SandboxCluster};
pub use error::EnvironmentError;
pub use library::{BuiltIn, Library, Loaded};
pub use magnum::{Labels, MagnumCluster, OpenPort, PortRule};
pub use model::{Deployment, Environment, Level, PhalanxSource, Policy, Stage, UpgradeRules, Upstream, VaultLocation};
pub use name::EnvironmentName;
pub use storage::StorageClass;

/// The JSON schema of an environment file (draft 2020-12).
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Environment)
}
