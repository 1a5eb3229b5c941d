//! The last moment before a write: generated values are made, copies are taken.

use super::generator::GeneratorError;
use super::name::SecretName;
use super::plan::{Change, ChangeKind};
use super::resolution::{Contents, Wanted};
use crate::secret_value::SecretValue;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The values of an application's changes; nothing for a key that goes. `contents` is what Vault is known to hold now,
/// with everything that was written before.
pub fn materialise(
    changes: &[Change],
    contents: &Contents,
    now: Timestamp,
) -> Result<BTreeMap<SecretName, Option<SecretValue>>, GeneratorError> {
    let mut made: BTreeMap<SecretName, Option<SecretValue>> = BTreeMap::new();
    let mut left: Vec<&Change> = changes.iter().collect();
    while let Some(change) = next(&mut left) {
        let value = match &change.kind {
            ChangeKind::Delete => None,
            ChangeKind::Set(Wanted::Value(value)) => Some(value.clone()),
            ChangeKind::Set(Wanted::CopyOf(source)) => match known(source, &made, contents) {
                Some(value) => Some(value.clone()),
                // Its source was not written, so that there is nothing to copy: the next run does it.
                None => continue,
            },
            ChangeKind::Set(Wanted::Generate(generator)) => {
                let source = source_of(change);
                Some(generator.generate(source.and_then(|source| known(&source, &made, contents)), now)?)
            }
        };
        made.insert(change.name.clone(), value);
    }
    Ok(made)
}

/// Takes the first change out that comes from none of those that are left: a copy may come from a hash, a hash from a copy.
/// Definitions that wait for each other are refused long before; if some came here, the first of them would go on.
fn next<'a>(left: &mut Vec<&'a Change>) -> Option<&'a Change> {
    let waits = |change: &Change| source_of(change).is_some_and(|source| left.iter().any(|other| other.name == source));
    let free = left.iter().position(|change| !waits(change)).unwrap_or(0);
    (!left.is_empty()).then(|| left.remove(free))
}

/// The secret from which a change is made.
fn source_of(change: &Change) -> Option<SecretName> {
    match &change.kind {
        ChangeKind::Set(Wanted::CopyOf(source)) => Some(source.clone()),
        ChangeKind::Set(Wanted::Generate(generator)) => {
            generator.source().map(|key| SecretName::new(&change.name.application, key))
        }
        ChangeKind::Set(Wanted::Value(_)) | ChangeKind::Delete => None,
    }
}

fn known<'a>(
    name: &SecretName,
    made: &'a BTreeMap<SecretName, Option<SecretValue>>,
    contents: &'a Contents,
) -> Option<&'a SecretValue> {
    match made.get(name) {
        Some(value) => value.as_ref(),
        None => contents.get(&name.application)?.get(&name.key),
    }
}

#[cfg(test)]
mod tests {
    use super::super::generator::Generator;
    use super::*;

    fn change(key: &str, wanted: Wanted) -> Change {
        Change { name: SecretName::new("argocd", key), kind: ChangeKind::Set(wanted), before: None }
    }

    #[test]
    fn a_copy_may_come_from_what_is_derived_and_the_other_way_round() {
        let mtime = |source: &str| Wanted::Generate(Generator::Mtime { source: source.to_owned() });
        let copy = |source: &str| Wanted::CopyOf(SecretName::new("argocd", source));
        let changes = [
            change("a", copy("b")),
            change("b", mtime("c")),
            change("c", copy("d")),
            change("d", Wanted::Generate(Generator::Password)),
        ];
        let made = materialise(&changes, &Contents::new(), Timestamp::UNIX_EPOCH).unwrap();
        let value = |key: &str| made[&SecretName::new("argocd", key)].as_ref().map(SecretValue::expose).unwrap();
        assert_eq!(value("a"), value("b"));
        assert_eq!(value("c"), value("d"));
        assert_eq!(made.len(), 4);
    }
}
