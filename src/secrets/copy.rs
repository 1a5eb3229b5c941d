//! Secrets of an earlier prefix, or of another Vault server, taken over to the present one.
//!
//! What is there already and differs is told and stays, unless it is to be overwritten. Names that phalanx has changed
//! since are proposed; only a rename that was asked for is made.

use super::name::SecretName;
use super::plan::{Change, ChangeKind, Plan, Write};
use super::resolution::{Contents, Wanted};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::str::FromStr;

/// One name for another: of a key (`installer/x=argocd/y`) or of a whole application (`nublado2=nublado`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rename {
    /// As it was.
    pub from: String,
    /// As it is to be.
    pub to: String,
}

/// What a copy would do.
#[derive(Debug, Default)]
pub struct CopyPlan {
    /// The writes.
    pub plan: Plan,
    /// Secrets that are there already with another value, and are left alone.
    pub differing: Vec<SecretName>,
    /// Renames that phalanx's history suggests and that were not asked for.
    pub proposed: Vec<Rename>,
}

/// What phalanx called otherwise before 2023-09.
const RENAMED: [(&str, &str); 2] =
    [("installer/argocd.admin.plaintext_password", "argocd/admin.plaintext_password"), ("nublado2", "nublado")];

impl FromStr for Rename {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').filter(|(from, to)| {
            let same_kind = from.contains('/') == to.contains('/');
            same_kind && !from.is_empty() && !to.is_empty()
        });
        let (from, to) = parts.ok_or_else(|| {
            format!("{text:?} is no rename; write it as OLD=NEW, of two applications or of two application/key")
        })?;
        Ok(Self { from: from.to_owned(), to: to.to_owned() })
    }
}

impl Rename {
    /// The new name of a secret that this is about.
    fn applied(&self, name: &SecretName) -> Option<SecretName> {
        if *name.application == self.from {
            return Some(SecretName::new(&self.to, &name.key));
        }
        let (application, key) = self.to.split_once('/')?;
        (name.to_string() == self.from).then(|| SecretName::new(application, key))
    }
}

/// Plans to take everything over.
pub fn copy(from: &Contents, to: &Contents, renames: &[Rename], overwrite: bool) -> CopyPlan {
    let mut result = CopyPlan::default();
    let mut writes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for (application, keys) in from {
        for (key, value) in keys {
            let old = SecretName::new(application, key);
            let name = renames.iter().find_map(|rename| rename.applied(&old)).unwrap_or(old);
            let before = to.get(&name.application).and_then(|keys| keys.get(&name.key)).cloned();
            match &before {
                Some(before) if before == value => {}
                // An empty value is none.
                Some(before) if !before.is_empty() && !overwrite => result.differing.push(name),
                _ => {
                    let kind = ChangeKind::Set(Wanted::Value(value.clone()));
                    writes.entry(name.application.clone()).or_default().push(Change { name, kind, before });
                }
            }
        }
    }
    result.proposed = proposed(from, to, renames);
    if !writes.is_empty() {
        let wave = writes.into_iter().map(|(application, changes)| Write { application, changes }).collect();
        result.plan.waves.push(wave);
    }
    result
}

/// Old names that are there, not yet renamed, whose new names are not.
fn proposed(from: &Contents, to: &Contents, renames: &[Rename]) -> Vec<Rename> {
    let has = |contents: &Contents, name: &str| match name.split_once('/') {
        Some((application, key)) => contents.get(application).is_some_and(|keys| keys.contains_key(key)),
        None => contents.contains_key(name),
    };
    let open = RENAMED.iter().filter(|(old, new)| {
        has(from, old) && !has(from, new) && !has(to, new) && renames.iter().all(|rename| rename.from != *old)
    });
    open.map(|(old, new)| Rename { from: (*old).to_owned(), to: (*new).to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret_value::SecretValue;

    fn held(entries: &[(&str, &str, &str)]) -> Contents {
        let mut contents = Contents::new();
        for (application, key, value) in entries {
            contents.entry((*application).to_owned()).or_default().insert((*key).to_owned(), SecretValue::new(*value));
        }
        contents
    }

    fn names(plan: &Plan) -> Vec<String> {
        plan.changes().map(|change| change.name.to_string()).collect()
    }

    #[test]
    fn what_is_missing_is_copied_and_what_differs_is_left_and_told() {
        let (from, to) =
            (held(&[("a", "x", "1"), ("a", "y", "2"), ("a", "z", "3")]), held(&[("a", "y", "9"), ("a", "z", "3")]));
        let careful = copy(&from, &to, &[], false);
        assert_eq!(
            (names(&careful.plan), careful.differing),
            (vec!["a/x".to_owned()], vec![SecretName::new("a", "y")])
        );
        assert_eq!(names(&copy(&from, &to, &[], true).plan), ["a/x", "a/y"]);
    }

    #[test]
    fn old_names_are_proposed_and_renamed_only_when_asked() {
        let from = held(&[("installer", "argocd.admin.plaintext_password", "p"), ("nublado2", "crypto_key", "c")]);
        let proposal = copy(&from, &Contents::new(), &[], false);
        assert_eq!(names(&proposal.plan), ["installer/argocd.admin.plaintext_password", "nublado2/crypto_key"]);
        assert_eq!(proposal.proposed.len(), 2);
        let asked = copy(&from, &Contents::new(), &proposal.proposed, false);
        assert_eq!(names(&asked.plan), ["argocd/admin.plaintext_password", "nublado/crypto_key"]);
        assert!(asked.proposed.is_empty());
    }

    #[test]
    fn a_rename_is_of_two_applications_or_two_secrets() {
        assert!("a=b".parse::<Rename>().is_ok() && "a/x=b/y".parse::<Rename>().is_ok());
        assert!(
            "a".parse::<Rename>().is_err() && "a/x=b".parse::<Rename>().is_err() && "=b".parse::<Rename>().is_err()
        );
    }
}
