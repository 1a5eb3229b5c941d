//! An environment's secrets in Vault: read them, write a plan.
//!
//! One read and one write for each application, at most eight at once. A write names the version that was read; when
//! somebody was faster, the application is read again and its changes are thought over: a value that somebody else made
//! meanwhile is kept, so that two runs at once agree on one.

use super::error::SecretsError;
use super::materialise::materialise;
use super::name::SecretName;
use super::plan::{Change, ChangeKind, Plan, Write};
use super::resolution::{Contents, Wanted};
use crate::client::vault::{Stored, Vault, VaultError};
use crate::phalanx::VaultPrefix;
use crate::secret_value::SecretValue;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Requests at once.
const IN_FLIGHT: usize = 8;
/// How often a write is thought over before we give up: each time somebody else has written.
const ATTEMPTS: u32 = 8;

/// The secrets below one prefix, as far as they are known.
pub struct Store {
    vault: Vault,
    prefix: VaultPrefix,
    held: Mutex<BTreeMap<String, Stored>>,
    log: Mutex<Applied>,
}

/// What was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Secrets that were not there.
    pub created: Vec<SecretName>,
    /// Secrets that had another value.
    pub updated: Vec<SecretName>,
    /// Secrets that are gone.
    pub deleted: Vec<SecretName>,
}

impl Applied {
    /// Takes over what another write changed.
    pub fn add(&mut self, other: Self) {
        self.created.extend(other.created);
        self.updated.extend(other.updated);
        self.deleted.extend(other.deleted);
    }
}

impl Store {
    /// Reads everything below the prefix that is not excluded. Where listing is not allowed, `applications` are read one
    /// by one, and nothing unknown can be found.
    pub async fn observe(
        vault: Vault,
        prefix: VaultPrefix,
        applications: &BTreeSet<String>,
        exclude: &BTreeSet<String>,
    ) -> Result<Self, VaultError> {
        let names = match vault.list(&prefix.mount, &prefix.path).await {
            Ok(names) => names.into_iter().filter(|name| !name.ends_with('/')).collect(),
            Err(VaultError::Denied { call }) => {
                vault.outlet().events().warn(format!("Vault refuses {call}: unknown secrets cannot be found"));
                applications.clone()
            }
            Err(error) => return Err(error),
        };
        let store = Self { vault, prefix, held: Mutex::default(), log: Mutex::default() };
        let reads = names.into_iter().filter(|name| !exclude.contains(name)).map(|name| async {
            let stored = store.vault.read(&store.prefix.mount, &store.path(&name)).await?;
            Ok::<_, VaultError>((name, stored))
        });
        let held: BTreeMap<_, _> = stream::iter(reads).buffer_unordered(IN_FLIGHT).try_collect().await?;
        *store.held() = held;
        Ok(store)
    }

    /// What Vault holds, as texts; a value of another type counts as an empty one.
    pub fn contents(&self) -> Contents {
        let held = self.held();
        let there = held.iter().filter_map(|(application, stored)| Some((application, stored.data.as_ref()?)));
        there
            .map(|(application, data)| {
                let others = data.other_keys().map(|key| (key.clone(), SecretValue::new("")));
                (application.clone(), data.texts.clone().into_iter().chain(others).collect())
            })
            .collect()
    }

    /// A text that changes whenever an application's secret is written.
    pub fn mark(&self, application: &str) -> Option<String> {
        self.held().get(application).map(|stored| format!("{} of {}", stored.version, stored.created))
    }

    /// The full path of an application's secret, with the server.
    pub fn place(&self, application: &str) -> String {
        format!("{} {}/{application}", self.vault.address(), self.prefix)
    }

    /// Everything that was changed so far: what a failure leaves.
    pub fn applied_so_far(&self) -> Applied {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Applications of a plan whose secrets our login may not write. A login that may not even ask is taken at its word
    /// when it writes.
    pub async fn refused(&self, plan: &Plan) -> Result<BTreeSet<String>, VaultError> {
        let place = |write: &Write| format!("{}/data/{}", self.prefix.mount, self.path(&write.application));
        let places: Vec<String> = plan.writes().map(place).collect::<BTreeSet<_>>().into_iter().collect();
        if places.is_empty() {
            return Ok(BTreeSet::new());
        }
        let allowed = match self.vault.capabilities(&places).await {
            Ok(allowed) => allowed,
            Err(VaultError::Denied { .. }) => return Ok(BTreeSet::new()),
            Err(error) => return Err(error),
        };
        let held = self.held();
        let may_not = |write: &&Write| {
            // Vault tells the first write of a secret from later ones.
            let exists = held.get(&write.application).is_some_and(|stored| stored.version > 0);
            let needed = if exists { "update" } else { "create" };
            let found = allowed.get(&place(write)).map(Vec::as_slice).unwrap_or_default();
            !found.iter().any(|one| one == needed || one == "root")
        };
        Ok(plan.writes().filter(may_not).map(|write| write.application.clone()).collect())
    }

    /// Carries out a plan.
    pub async fn apply(&self, plan: &Plan, now: fn() -> Timestamp) -> Result<Applied, SecretsError> {
        let mut applied = Applied::default();
        for wave in &plan.waves {
            let mut writes: Vec<BoxFuture<'_, _>> = Vec::new();
            for write in wave {
                writes.push(Box::pin(self.apply_write(write, now)));
            }
            // All writes of a wave end, even if one of them fails: what was written is told, and nothing is cut off.
            let results: Vec<_> = stream::iter(writes).buffered(IN_FLIGHT).collect().await;
            for result in results {
                applied.add(result?);
            }
        }
        Ok(applied)
    }

    /// Carries out one write of a plan.
    pub async fn apply_write(&self, write: &Write, now: fn() -> Timestamp) -> Result<Applied, SecretsError> {
        let path = self.path(&write.application);
        let mut changes = write.changes.clone();
        for _ in 0..ATTEMPTS {
            let made = self.materialised(changes.clone(), now()).await?;
            let before = self.held().get(&write.application).cloned().unwrap_or_default();
            let mut data = before.data.clone().unwrap_or_default();
            for (name, value) in made {
                match value {
                    Some(value) => data.set(&name.key, value),
                    None => data.remove(&name.key),
                }
            }
            if before.data.as_ref() == Some(&data) || (before.data.is_none() && data.is_empty()) {
                return Ok(Applied::default());
            }
            let written = if data.is_empty() {
                let gone = Stored { data: None, ..before.clone() };
                self.vault.delete_version(&self.prefix.mount, &path, before.version).await.map(|()| gone)
            } else {
                self.vault.write(&self.prefix.mount, &path, &data, before.version).await
            };
            match written {
                Ok(stored) => {
                    let applied = differences(&write.application, &before, &stored);
                    self.held().insert(write.application.clone(), stored);
                    self.log.lock().unwrap_or_else(PoisonError::into_inner).add(applied.clone());
                    return Ok(applied);
                }
                Err(VaultError::Conflict { path: whole }) => {
                    self.vault
                        .outlet()
                        .events()
                        .note(format!("{whole} was changed by somebody else: it is read again"));
                    let stored = self.vault.read(&self.prefix.mount, &path).await?;
                    changes.retain(|change| still_wanted(change, &stored));
                    self.held().insert(write.application.clone(), stored);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(SecretsError::Contended { application: write.application.clone(), attempts: ATTEMPTS })
    }

    /// Makes the values where hashing and keys do not hold up other requests.
    async fn materialised(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<BTreeMap<SecretName, Option<SecretValue>>, SecretsError> {
        let contents = self.contents();
        let made = tokio::task::spawn_blocking(move || materialise(&changes, &contents, now)).await;
        made.map_or_else(|died| std::panic::resume_unwind(died.into_panic()), |made| Ok(made?))
    }

    fn path(&self, application: &str) -> String {
        format!("{}/{application}", self.prefix.path)
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a change is still to be made now that somebody else has written.
fn still_wanted(change: &Change, stored: &Stored) -> bool {
    let now = stored.data.as_ref().and_then(|data| data.texts.get(&change.name.key)).filter(|value| !value.is_empty());
    let changed = now != change.before.as_ref();
    match &change.kind {
        // Somebody made a value (perhaps we did, and the answer was lost): it is as good as ours, and already in use.
        ChangeKind::Set(Wanted::Generate(_)) => now.is_none() || !changed,
        ChangeKind::Set(Wanted::Value(_) | Wanted::CopyOf(_)) => true,
        // Somebody uses what nothing required.
        ChangeKind::Delete => !changed,
    }
}

fn differences(application: &str, before: &Stored, after: &Stored) -> Applied {
    let keys = |stored: &Stored| stored.data.as_ref().map(|data| data.texts.clone()).unwrap_or_default();
    let (before, after) = (keys(before), keys(after));
    let mut applied = Applied::default();
    for (key, value) in &after {
        match before.get(key) {
            None => applied.created.push(SecretName::new(application, key)),
            Some(old) if old != value => applied.updated.push(SecretName::new(application, key)),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    applied.deleted.extend(gone.map(|key| SecretName::new(application, key)));
    applied
}
