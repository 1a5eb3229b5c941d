//! What is wrong in Vault, as phalanx's own audit tells it.

use super::name::SecretName;
use super::resolution::{Contents, Resolution, Wanted};
use super::{DOCKER_CONFIG, PULL_SECRET};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

/// The findings; all lists are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Secrets that have no value and nowhere to get one from; as long as there are any, the other lists stay empty.
    pub unresolved: Vec<SecretName>,
    /// Secrets that Vault does not have.
    pub missing: Vec<SecretName>,
    /// Secrets whose value in Vault is not the expected one.
    pub mismatched: Vec<SecretName>,
    /// Secrets in Vault that nothing requires.
    pub unknown: Vec<SecretName>,
}

impl Audit {
    /// Whether there is nothing to tell.
    pub fn is_clean(&self) -> bool {
        [&self.unresolved, &self.missing, &self.mismatched, &self.unknown].iter().all(|list| list.is_empty())
    }
}

/// Compares. `has_statics` says whether there was a source of static secrets: without one, nobody complains of a pull
/// secret. What is excluded must be left out of `contents`.
pub fn audit(resolution: &Resolution, contents: &Contents, has_statics: bool) -> Audit {
    let mut audit = Audit::default();
    if !resolution.unresolved.is_empty() {
        audit.unresolved.clone_from(&resolution.unresolved);
        audit.unresolved.sort();
        return audit;
    }
    for (name, wanted) in &resolution.wanted {
        match contents.get(&name.application).and_then(|keys| keys.get(&name.key)) {
            None => audit.missing.push(name.clone()),
            Some(current) if *wanted != Wanted::Value(current.clone()) || resolution.protected.contains(name) => {
                audit.mismatched.push(name.clone());
            }
            Some(_) => {}
        }
    }
    audit.unknown = unknown(resolution, contents).into_iter().collect();
    audit.unknown.retain(|name| name.application != PULL_SECRET);
    pull_secret(resolution, contents, has_statics, &mut audit);
    audit
}

/// Everything in Vault that nothing requires.
pub(super) fn unknown(resolution: &Resolution, contents: &Contents) -> BTreeSet<SecretName> {
    let all =
        contents.iter().flat_map(|(application, keys)| keys.keys().map(move |key| SecretName::new(application, key)));
    all.filter(|name| !resolution.wanted.contains_key(name)).collect()
}

/// The pull secret is compared as a whole: another key beside the expected one is a difference.
fn pull_secret(resolution: &Resolution, contents: &Contents, has_statics: bool, audit: &mut Audit) {
    let name = SecretName::new(PULL_SECRET, DOCKER_CONFIG);
    let Some(keys) = contents.get(PULL_SECRET) else { return };
    if !resolution.wanted.contains_key(&name) {
        if has_statics {
            audit.unknown.push(name);
            audit.unknown.sort();
        }
    } else if keys.len() > 1 && keys.contains_key(DOCKER_CONFIG) && !audit.mismatched.contains(&name) {
        audit.mismatched.push(name);
        audit.mismatched.sort();
    }
}
