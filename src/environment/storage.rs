//! Storage classes as the environment file declares them: of several, exactly one is the default.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A storage class to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StorageClass {
    /// Its name.
    pub class: String,
    /// Who provisions it, for example `cinder.csi.openstack.org`.
    pub provisioner: String,
    /// Whether claims without a class get this one.
    #[serde(default)]
    pub default: bool,
    /// The provisioner's parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// What no single class can know: the number of the class that does not go with those before it, and why.
pub(super) fn disagreement(classes: &[StorageClass]) -> Option<(usize, String)> {
    for (number, class) in classes.iter().enumerate() {
        let before = &classes[..number];
        if before.iter().any(|other| other.class == class.class) {
            return Some((number, format!("storage class {} is declared twice", class.class)));
        }
        if let Some(other) = before.iter().find(|other| class.default && other.default) {
            let both = format!("{} and {}", other.class, class.class);
            return Some((number, format!("{both} are both the default storage class; exactly one must be")));
        }
    }
    let none = !classes.is_empty() && !classes.iter().any(|class| class.default);
    none.then(|| (0, "no storage class is the default; set `default: true` on one of them".to_owned()))
}

/// Line and column of a class in the file's text, from 1.
pub(super) fn place(text: &str, number: usize) -> Option<(u64, u64)> {
    #[derive(Deserialize)]
    struct File {
        storage: Vec<serde_saphyr::Spanned<StorageClass>>,
    }
    let file: File = serde_saphyr::from_str(text).ok()?;
    file.storage.get(number).map(|class| (class.referenced.line(), class.referenced.column()))
}
