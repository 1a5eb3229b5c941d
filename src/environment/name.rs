//! Names of environments: they become Kubernetes names, Vault paths and file names, so they are DNS labels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A lower-case DNS label of at most 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"))]
pub struct EnvironmentName(String);

impl EnvironmentName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EnvironmentName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let label = !text.is_empty()
            && text.len() <= 63
            && text.chars().all(legal)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if label {
            Ok(Self(text))
        } else {
            Err(format!(
                "{text:?} is no name for an environment: use lower-case letters, digits and inner hyphens, at most 63"
            ))
        }
    }
}

impl From<EnvironmentName> for String {
    fn from(name: EnvironmentName) -> Self {
        name.0
    }
}

impl std::fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
