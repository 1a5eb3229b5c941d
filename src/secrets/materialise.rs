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
    // What comes from another key of the same application comes last.
    let mut ordered: Vec<&Change> = changes.iter().collect();
    ordered.sort_by_key(|change| order(change));
    for change in ordered {
        let value = match &change.kind {
            ChangeKind::Delete => None,
            ChangeKind::Set(Wanted::Value(value)) => Some(value.clone()),
            ChangeKind::Set(Wanted::CopyOf(source)) => match known(source, &made, contents) {
                Some(value) => Some(value.clone()),
                // Its source was not written, so that there is nothing to copy: the next run does it.
                None => continue,
            },
            ChangeKind::Set(Wanted::Generate(generator)) => {
                let source = generator.source().map(|key| SecretName::new(&change.name.application, key));
                Some(generator.generate(source.and_then(|source| known(&source, &made, contents)), now)?)
            }
        };
        made.insert(change.name.clone(), value);
    }
    Ok(made)
}

fn order(change: &Change) -> u8 {
    match &change.kind {
        ChangeKind::Set(Wanted::CopyOf(_)) => 1,
        ChangeKind::Set(Wanted::Generate(generator)) if generator.source().is_some() => 2,
        ChangeKind::Set(Wanted::Generate(_) | Wanted::Value(_)) | ChangeKind::Delete => 0,
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
