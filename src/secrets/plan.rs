//! From what Vault should hold to the writes that make it so.
//!
//! One write for each application, and sources before their copies: were a copy written first and the process killed, the
//! next run would make its source another value. Writes of one wave do not depend on each other.

use super::audit::unknown;
use super::name::SecretName;
use super::resolution::{Contents, Resolution, Wanted};
use super::{DOCKER_CONFIG, PULL_SECRET};
use crate::secret_value::SecretValue;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to one key. Its values show as fingerprints only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which secret.
    pub name: SecretName,
    /// What.
    pub kind: ChangeKind,
    /// What Vault held when this was planned.
    pub before: Option<SecretValue>,
}

/// What happens to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// It gets this value.
    Set(Wanted),
    /// It goes.
    Delete,
}

/// The changes of one application, to be made by one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The application.
    pub application: String,
    /// Its changes, sorted by key.
    pub changes: Vec<Change>,
}

/// All writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Waves of writes: a wave may begin when the one before it has ended.
    pub waves: Vec<Vec<Write>>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.waves.is_empty()
    }

    /// All writes in order.
    pub fn writes(&self) -> impl Iterator<Item = &Write> {
        self.waves.iter().flatten()
    }

    /// All changes in the order of the writes.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.writes().flat_map(|write| &write.changes)
    }
}

impl Change {
    /// For people: where the value comes from, or which it replaces.
    pub fn reason(&self) -> String {
        let before = self.before.as_ref().map(SecretValue::fingerprint);
        match (&self.kind, before) {
            (ChangeKind::Delete, _) => "nothing requires it".into(),
            (ChangeKind::Set(Wanted::Generate(_)), None) => "generated".into(),
            (ChangeKind::Set(Wanted::Generate(_)), Some(before)) => format!("{before} -> generated"),
            (ChangeKind::Set(Wanted::CopyOf(source)), _) => format!("copy of {source}"),
            (ChangeKind::Set(Wanted::Value(value)), None) => value.fingerprint(),
            (ChangeKind::Set(Wanted::Value(value)), Some(before)) => format!("{before} -> {}", value.fingerprint()),
        }
    }
}

/// The writes that are needed; with `delete` also those that remove what nothing requires, except the pull secret.
pub fn plan(resolution: &Resolution, contents: &Contents, delete: bool) -> Plan {
    let current = |name: &SecretName| contents.get(&name.application).and_then(|keys| keys.get(&name.key)).cloned();
    let mut changes: BTreeMap<&str, Vec<Change>> = BTreeMap::new();
    for (name, wanted) in &resolution.wanted {
        let before = current(name);
        if !matches!((wanted, &before), (Wanted::Value(value), Some(before)) if value == before) {
            let change = Change { name: name.clone(), kind: ChangeKind::Set(wanted.clone()), before };
            changes.entry(&name.application).or_default().push(change);
        }
    }
    let gone = if delete { unknown(resolution, contents) } else { BTreeSet::new() };
    for name in gone.iter().filter(|name| name.application != PULL_SECRET || replaced(resolution, name)) {
        let change = Change { name: name.clone(), kind: ChangeKind::Delete, before: current(name) };
        changes.entry(&name.application).or_default().push(change);
    }
    for list in changes.values_mut() {
        list.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Plan { waves: waves(changes) }
}

/// Whether this stands in a pull secret that we were given anew, beside the key that belongs there.
fn replaced(resolution: &Resolution, name: &SecretName) -> bool {
    name.key != DOCKER_CONFIG && resolution.wanted.contains_key(&SecretName::new(PULL_SECRET, DOCKER_CONFIG))
}

/// Orders the writes. Applications that copy from each other are written key by key.
fn waves(changes: BTreeMap<&str, Vec<Change>>) -> Vec<Vec<Write>> {
    let mut left: BTreeMap<String, Vec<Change>> =
        changes.into_iter().map(|(application, list)| (application.to_owned(), list)).collect();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let pending: BTreeSet<SecretName> = left.values().flatten().map(|change| change.name.clone()).collect();
        let waits = |change: &Change, own: &str| match &change.kind {
            ChangeKind::Set(Wanted::CopyOf(source)) => source.application != own && pending.contains(source),
            _ => false,
        };
        let ready = |application: &String, list: &Vec<Change>| !list.iter().any(|change| waits(change, application));
        let whole: Vec<String> =
            left.iter().filter(|(name, list)| ready(name, list)).map(|(name, _)| name.clone()).collect();
        let wave: Vec<Write> = if whole.is_empty() {
            split(&mut left, &waits)
        } else {
            whole
                .into_iter()
                .filter_map(|name| left.remove_entry(&name))
                .map(|(application, changes)| Write { application, changes })
                .collect()
        };
        if wave.is_empty() {
            // A cycle of copies is unresolved and never gets here; without this line a mistake would not end.
            break;
        }
        waves.push(wave);
    }
    waves
}

/// The keys that wait for no other application, of applications that wait for each other.
fn split(left: &mut BTreeMap<String, Vec<Change>>, waits: &dyn Fn(&Change, &str) -> bool) -> Vec<Write> {
    let mut wave = Vec::new();
    for (application, list) in left.iter_mut() {
        let (later, now): (Vec<_>, Vec<_>) = list.drain(..).partition(|change| waits(change, application));
        *list = later;
        if !now.is_empty() {
            wave.push(Write { application: application.clone(), changes: now });
        }
    }
    left.retain(|_, list| !list.is_empty());
    wave
}
