//! From definitions, what Vault holds and what was given to what Vault should hold.
//!
//! Decides, and makes nothing: a value that must be generated stays a [`Wanted::Generate`] until it is written, so that a
//! plan costs no randomness and no hashing, and what is planned is what is made.

use super::error::Unresolvable;
use super::generator::Generator;
use super::name::SecretName;
use super::required::{Class, RequiredSecret};
use super::statics::StaticSecrets;
use super::{DOCKER_CONFIG, PULL_SECRET, texts};
use crate::secret_value::SecretValue;
use std::collections::{BTreeMap, BTreeSet};

/// What Vault holds under the prefix: application to key to value.
pub type Contents = BTreeMap<String, BTreeMap<String, SecretValue>>;

/// What goes into a resolution.
pub struct Request<'a> {
    /// The secrets that the environment requires.
    pub required: &'a [RequiredSecret],
    /// What Vault holds.
    pub contents: &'a Contents,
    /// What was given; nothing when there is no source of static secrets at all.
    pub statics: Option<&'a StaticSecrets>,
    /// Generated secrets are made anew even where there are some.
    pub regenerate: bool,
    /// Hashes that were found not to fit their source.
    pub stale: &'a BTreeSet<SecretName>,
    /// Applications, or the pull secret, that are left out.
    pub exclude: &'a BTreeSet<String>,
}

/// The value that a secret should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// This one.
    Value(SecretValue),
    /// A new one, made when it is written.
    Generate(Generator),
    /// That of another secret which is itself not made yet.
    CopyOf(SecretName),
}

/// What Vault should hold.
#[derive(Debug, Default)]
pub struct Resolution {
    /// Every secret that could be resolved.
    pub wanted: BTreeMap<SecretName, Wanted>,
    /// Those that could not, as phalanx's audit lists them.
    pub unresolved: Vec<SecretName>,
    /// Those among them that no static secret can help.
    pub unresolvable: Vec<Unresolvable>,
    /// Those among them that somebody must give.
    pub missing_static: Vec<SecretName>,
    /// Secrets that we keep although the given ones would empty them.
    pub protected: Vec<SecretName>,
}

/// Resolves all required secrets.
pub fn resolve(request: &Request<'_>) -> Resolution {
    let by_name = request.required.iter().map(|secret| (&secret.name, &secret.class)).collect();
    let mut resolver = Resolver { request, by_name, done: BTreeMap::new(), protected: Vec::new() };
    let mut resolution = Resolution::default();
    for secret in request.required {
        match resolver.secret(&secret.name, &mut Vec::new()) {
            Ok(wanted) => drop(resolution.wanted.insert(secret.name.clone(), wanted)),
            Err(why) => {
                resolution.unresolved.push(secret.name.clone());
                match why {
                    Why::NoValue if secret.class == Class::Static => {
                        resolution.missing_static.push(secret.name.clone());
                    }
                    Why::NoValue => {}
                    Why::Never(because) => {
                        resolution.unresolvable.push(Unresolvable { name: secret.name.clone(), because });
                    }
                }
            }
        }
    }
    if let Some(statics) = request.statics.filter(|statics| !statics.registries.is_empty())
        && !request.exclude.contains(PULL_SECRET)
    {
        let value = texts::docker_config(&statics.registries);
        resolution.wanted.insert(SecretName::new(PULL_SECRET, DOCKER_CONFIG), Wanted::Value(value));
    }
    resolution.protected = resolver.protected;
    resolution
}

/// Why a secret has no value.
#[derive(Clone)]
enum Why {
    /// Nobody gave it, or that from which it comes.
    NoValue,
    /// The definitions allow none in this environment.
    Never(String),
}

struct Resolver<'a> {
    request: &'a Request<'a>,
    by_name: BTreeMap<&'a SecretName, &'a Class>,
    done: BTreeMap<SecretName, Result<Wanted, Why>>,
    protected: Vec<SecretName>,
}

impl Resolver<'_> {
    /// Resolves one secret; `path` are those that wait for it.
    fn secret(&mut self, name: &SecretName, path: &mut Vec<SecretName>) -> Result<Wanted, Why> {
        if let Some(done) = self.done.get(name) {
            return done.clone();
        }
        let Some(class) = self.by_name.get(name).copied() else {
            return Err(Why::Never(format!("comes from {name}, which this environment does not have")));
        };
        if path.contains(name) {
            return Err(Why::Never(format!("comes from itself through {}", path.last().unwrap_or(name))));
        }
        path.push(name.clone());
        let result = match class {
            Class::Fixed(value) => Ok(Wanted::Value(SecretValue::new(value.as_str()))),
            Class::Copy(source) => self.copy(source, path),
            Class::Generated(generator) => self.generated(name, generator, path),
            Class::Static => self.given(name),
        };
        path.pop();
        self.done.insert(name.clone(), result.clone());
        result
    }

    fn copy(&mut self, source: &SecretName, path: &mut Vec<SecretName>) -> Result<Wanted, Why> {
        Ok(match self.secret(source, path)? {
            Wanted::Generate(_) => Wanted::CopyOf(source.clone()),
            resolved => resolved,
        })
    }

    fn given(&self, name: &SecretName) -> Result<Wanted, Why> {
        let given = self.request.statics.and_then(|statics| statics.values.get(name)).filter(|value| !value.is_empty());
        given.or_else(|| self.current(name)).map(|value| Wanted::Value(value.clone())).ok_or(Why::NoValue)
    }

    fn generated(
        &mut self,
        name: &SecretName,
        generator: &Generator,
        path: &mut Vec<SecretName>,
    ) -> Result<Wanted, Why> {
        if *generator == Generator::OidcClients {
            return Ok(Wanted::Value(self.oidc_clients(name)));
        }
        let current = self.current(name).cloned();
        let Some(source) = generator.source().map(|key| SecretName::new(&name.application, key)) else {
            return Ok(match current {
                Some(current) if !self.request.regenerate => Wanted::Value(current),
                _ => Wanted::Generate(generator.clone()),
            });
        };
        let from = self.secret(&source, path);
        match (current, from) {
            (Some(current), Err(_)) if !self.request.regenerate => Ok(Wanted::Value(current)),
            (Some(current), Ok(from)) if !self.request.regenerate && !self.renewed(name, &source, &from) => {
                Ok(Wanted::Value(current))
            }
            (_, Ok(_)) => Ok(Wanted::Generate(generator.clone())),
            (_, Err(why)) => Err(why),
        }
    }

    /// Whether what comes from this source must be made anew: the source changes, or a hash of it is missing or does not
    /// fit (then its mtime goes with it, or Argo CD does not notice the new hash).
    fn renewed(&self, name: &SecretName, source: &SecretName, from: &Wanted) -> bool {
        let changes = !matches!(from, Wanted::Value(value) if self.current(source) == Some(value));
        let hash_is_made = self.by_name.iter().any(|(other, class)| {
            let is_hash =
                matches!(class, Class::Generated(Generator::BcryptPasswordHash { source: key }) if *key == source.key);
            let beside = other.application == name.application && is_hash;
            beside && (self.current(other).is_none() || self.request.stale.contains(*other))
        });
        changes || hash_is_made
    }

    /// The clients that were given. Where none were, what Vault has is kept: phalanx's own tool would write `[]` over it.
    fn oidc_clients(&mut self, name: &SecretName) -> SecretValue {
        let none = SecretValue::new("[]");
        match (self.request.statics, self.current(name).cloned()) {
            (Some(statics), _) if !statics.oidc_clients.is_empty() => texts::oidc_clients(&statics.oidc_clients),
            (statics, Some(current)) => {
                if statics.is_some() && current != none {
                    self.protected.push(name.clone());
                }
                current
            }
            (_, None) => none,
        }
    }

    /// What Vault holds; an empty text counts as nothing.
    fn current(&self, name: &SecretName) -> Option<&SecretValue> {
        self.request.contents.get(&name.application)?.get(&name.key).filter(|value| !value.is_empty())
    }
}
