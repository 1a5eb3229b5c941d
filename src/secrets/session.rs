//! One look at an environment's secrets: observe, then audit, or plan and apply.

use super::audit::{Audit, audit};
use super::error::SecretsError;
use super::generator::{Generator, hash_matches};
use super::name::SecretName;
use super::plan::{Plan, Write, plan};
use super::required::{Class, RequiredSecret, required};
use super::resolution::{Contents, Request, Resolution, resolve};
use super::statics::{Registry, StaticSecrets};
use super::store::{Applied, Store};
use super::verified::VerifiedHashes;
use super::{PULL_SECRET, check_certificate};
use crate::client::vault::Vault;
use crate::phalanx::{Checkout, PhalanxEnvironment, VaultPrefix};
use crate::secret_value::SecretValue;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Generated secrets are made anew.
    pub regenerate: bool,
    /// What nothing requires is deleted.
    pub delete: bool,
    /// Every hash is checked, not only those that changed.
    pub deep: bool,
    /// Applications, or the pull secret, that are left out.
    pub exclude: BTreeSet<String>,
}

/// What an environment requires, what was given, and what Vault holds.
pub struct Session {
    environment: String,
    required: Vec<RequiredSecret>,
    statics: Option<StaticSecrets>,
    options: Options,
    store: Store,
    stale: BTreeSet<SecretName>,
    verified: Mutex<VerifiedHashes>,
    now: fn() -> Timestamp,
}

/// What a session needs besides the environment.
pub struct Means {
    /// Where the secrets are.
    pub vault: Vault,
    /// Below which path.
    pub prefix: VaultPrefix,
    /// Hashes that need no check.
    pub verified: VerifiedHashes,
    /// The clock.
    pub now: fn() -> Timestamp,
}

impl Session {
    /// Works out what is required, checks what was given, and reads Vault.
    pub async fn open(
        checkout: &Checkout,
        environment: &PhalanxEnvironment,
        statics: Option<StaticSecrets>,
        options: Options,
        means: Means,
    ) -> Result<Self, SecretsError> {
        let required = required(checkout, environment, &options.exclude)?;
        if let Some(statics) = &statics {
            check_certificate(statics, &environment.fqdn, (means.now)())?;
            for name in statics.unused(&required) {
                means.vault.outlet().events().note(format!("the static secret {name} is not used in this environment"));
            }
        }
        let applications = required.iter().map(|secret| secret.name.application.clone());
        let applications = applications.chain([PULL_SECRET.to_owned()]).collect();
        let Means { vault, prefix, verified, now } = means;
        let store = Store::observe(vault, prefix, &applications, &options.exclude).await?;
        let (environment, verified) = (environment.name.clone(), Mutex::new(verified));
        let stale = BTreeSet::new();
        let mut session = Self { environment, required, statics, options, store, stale, verified, now };
        session.stale = session.stale_hashes().await;
        Ok(session)
    }

    /// The secrets that the environment requires.
    pub fn required(&self) -> &[RequiredSecret] {
        &self.required
    }

    /// Gives a static secret, as after a question.
    pub fn give(&mut self, name: SecretName, value: SecretValue) {
        self.statics.get_or_insert_default().values.insert(name, value);
    }

    /// Whether Vault has no pull secret, and none was given.
    pub fn lacks_pull_secret(&self) -> bool {
        let given = self.statics.as_ref().is_some_and(|statics| !statics.registries.is_empty());
        !given && self.store.contents().get(PULL_SECRET).is_none_or(std::collections::BTreeMap::is_empty)
    }

    /// Gives the password of an image registry.
    pub fn give_registry(&mut self, host: &str, registry: Registry) {
        self.statics.get_or_insert_default().registries.push((host.to_owned(), registry));
    }

    /// What Vault should hold.
    pub fn resolution(&self) -> Resolution {
        self.resolved(&self.store.contents())
    }

    /// What is wrong in Vault.
    pub fn audit(&self) -> Audit {
        let contents = self.store.contents();
        audit(&self.resolved(&contents), &contents, self.statics.is_some())
    }

    /// The writes that make it right; an error when a secret has no value.
    pub fn plan(&self) -> Result<Plan, SecretsError> {
        let contents = self.store.contents();
        let resolution = self.resolved(&contents);
        let environment = self.environment.clone();
        if !resolution.unresolvable.is_empty() {
            return Err(SecretsError::Unresolvable { environment, unresolvable: resolution.unresolvable });
        }
        if !resolution.unresolved.is_empty() {
            return Err(SecretsError::MissingStatic { environment, missing: resolution.missing_static });
        }
        Ok(plan(&resolution, &contents, self.options.delete))
    }

    /// Secrets that are kept although the given ones would empty them.
    pub fn protected(&self) -> Vec<SecretName> {
        self.resolution().protected
    }

    /// What was changed so far: what a failure leaves.
    pub fn applied_so_far(&self) -> Applied {
        self.store.applied_so_far()
    }

    /// Applications of a plan of this session whose secrets our login may not write.
    pub async fn refused(&self, plan: &Plan) -> Result<BTreeSet<String>, SecretsError> {
        Ok(self.store.refused(plan).await?)
    }

    /// Carries out a plan of this session.
    pub async fn apply(&self, plan: &Plan) -> Result<Applied, SecretsError> {
        let applied = self.store.apply(plan, self.now).await?;
        self.remember(&applied);
        Ok(applied)
    }

    /// Carries out one write of a plan of this session.
    pub async fn apply_write(&self, write: &Write) -> Result<Applied, SecretsError> {
        let applied = self.store.apply_write(write, self.now).await?;
        self.remember(&applied);
        Ok(applied)
    }

    fn resolved(&self, contents: &Contents) -> Resolution {
        resolve(&Request {
            required: &self.required,
            contents,
            statics: self.statics.as_ref(),
            regenerate: self.options.regenerate,
            stale: &self.stale,
            exclude: &self.options.exclude,
        })
    }

    /// Hashes in Vault that do not fit the password beside them, among those that were not found to fit before.
    async fn stale_hashes(&self) -> BTreeSet<SecretName> {
        let contents = self.store.contents();
        let mut stale = BTreeSet::new();
        for (name, source) in self.hashes() {
            let value =
                |key: &str| contents.get(&name.application)?.get(key).filter(|value| !value.is_empty()).cloned();
            let (Some(hash), Some(plain)) = (value(&name.key), value(source)) else { continue };
            let (place, mark) = self.place_and_mark(name);
            if !self.options.deep && self.verified().contains(&place, &mark) {
                continue;
            }
            if tokio::task::spawn_blocking(move || hash_matches(&plain, &hash)).await.unwrap_or(false) {
                self.verified().record(place, mark);
            } else {
                stale.insert(name.clone());
            }
        }
        stale
    }

    /// The hashes that we wrote fit their passwords: nobody needs to check them.
    fn remember(&self, applied: &Applied) {
        let made = |name: &SecretName| applied.created.contains(name) || applied.updated.contains(name);
        for (name, _) in self.hashes().filter(|(name, _)| made(name)) {
            let (place, mark) = self.place_and_mark(name);
            self.verified().record(place, mark);
        }
    }

    /// The required hashes with the keys of their passwords.
    fn hashes(&self) -> impl Iterator<Item = (&SecretName, &str)> {
        self.required.iter().filter_map(|secret| match &secret.class {
            Class::Generated(Generator::BcryptPasswordHash { source }) => Some((&secret.name, source.as_str())),
            _ => None,
        })
    }

    fn place_and_mark(&self, name: &SecretName) -> (String, String) {
        let place = format!("{} {}", self.store.place(&name.application), name.key);
        (place, self.store.mark(&name.application).unwrap_or_default())
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, VerifiedHashes> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
