//! A secret's name: application and key.

use schemars::JsonSchema;
use serde::Serialize;

/// Which secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretName {
    /// The application, or `pull-secret`.
    pub application: String,
    /// The key in the application's secret.
    pub key: String,
}

impl SecretName {
    /// A name.
    pub fn new(application: impl Into<String>, key: impl Into<String>) -> Self {
        Self { application: application.into(), key: key.into() }
    }
}

impl std::fmt::Display for SecretName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.application, self.key)
    }
}
