//! The record of an installation: what was handed over, as a `ConfigMap` that people can read.
//!
//! It is written last. As long as it is missing, the installation is not finished and may sync ungated.

use super::marker::NAMESPACE;
use crate::client::kubernetes::{Cluster, KubernetesError};
use jiff::Timestamp;
use kube::api::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// Its name in our namespace.
pub(super) const NAME: &str = "installation";

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstallationRecord {
    /// The environment of the file.
    pub environment: String,
    /// The environment of phalanx.
    pub phalanx_environment: String,
    /// The repository.
    pub repository: String,
    /// The branch.
    pub branch: String,
    /// The commit at its tip.
    pub revision: String,
    /// The version of this program.
    pub version: String,
    /// When it was handed over, RFC 3339.
    pub handed_over_at: Timestamp,
}

impl InstallationRecord {
    /// Reads it; nothing when there is none or it is not ours to understand.
    pub async fn read(cluster: &Cluster) -> Result<Option<Self>, KubernetesError> {
        let Some(object) = cluster.get("v1", "ConfigMap", Some(NAMESPACE), NAME).await? else { return Ok(None) };
        Ok(object.data.get("data").and_then(|data| serde_json::from_value(data.clone()).ok()))
    }

    /// As an object.
    pub fn to_object(&self) -> Result<DynamicObject, serde_json::Error> {
        let data: BTreeMap<String, String> = serde_json::from_value(serde_json::to_value(self)?)?;
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": NAMESPACE}, "data": data,
        }))
    }
}
