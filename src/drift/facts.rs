//! Facts of the cluster: from a file, or from whoever looked at the cluster. Nothing is contacted here.

use super::error::DriftError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known of the cluster. Everything may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Facts for rsp-install mode")]
pub struct Facts {
    /// Its Kubernetes version, such as `1.28.4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// Whether its Kubernetes can be upgraded in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_can_be_upgraded: Option<bool>,
    /// Application to the appVersion that is deployed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deployed: BTreeMap<String, String>,
    /// Application to the commit of the fork that is deployed, from Argo CD: its charts there are the versions in use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revisions: BTreeMap<String, String>,
    /// Its default storage class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The address of its load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<String>,
    /// The Vault server its secrets operator reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_url: Option<String>,
    /// The path it reads there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_path_prefix: Option<String>,
    /// Whether what is in its databases may be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_is_disposable: Option<bool>,
}

/// Reads a facts file, strictly.
pub fn read(file: &str, text: &str) -> Result<Facts, DriftError> {
    if text.trim().is_empty() {
        return Ok(Facts::default());
    }
    serde_saphyr::from_str(text).map_err(|error| DriftError::Input { file: file.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_facts_are_errors_and_missing_ones_are_not() {
        let facts = read("f", "kubernetes: \"1.23.8\"\ndeployed: {gafaelfawr: 9.6.1}\n").unwrap();
        assert_eq!(facts.kubernetes.as_deref(), Some("1.23.8"));
        assert_eq!(facts.deployed["gafaelfawr"], "9.6.1");
        assert!(read("f", "kubernets: \"1.23\"\n").unwrap_err().to_string().contains("kubernets"));
        assert_eq!(read("f", "").unwrap(), Facts::default());
    }
}
