//! What people give: static secrets, OpenID Connect clients, registries.

use super::error::SecretsError;
use super::name::SecretName;
use super::required::{Class, RequiredSecret};
use crate::secret_value::SecretValue;
use futures::future::BoxFuture;
use std::collections::BTreeMap;

/// Everything that was given. Empty values are left out: for phalanx they count as missing.
#[derive(Debug, Clone, Default)]
pub struct StaticSecrets {
    /// The values.
    pub values: BTreeMap<SecretName, SecretValue>,
    /// The clients of our OpenID Connect server by label.
    pub oidc_clients: BTreeMap<String, OidcClient>,
    /// Image registries that want a password, in the order of the source.
    pub registries: Vec<(String, Registry)>,
    /// A token that may write this environment's secrets.
    pub vault_write_token: Option<SecretValue>,
}

/// A client of our OpenID Connect server.
#[derive(Debug, Clone)]
pub struct OidcClient {
    /// Its id.
    pub id: SecretValue,
    /// Its secret.
    pub secret: SecretValue,
    /// Where it wants users sent back to.
    pub return_uri: SecretValue,
}

/// The password of an image registry.
#[derive(Debug, Clone)]
pub struct Registry {
    /// The user.
    pub username: SecretValue,
    /// The password.
    pub password: SecretValue,
}

/// Where static secrets come from: a file; later 1Password Connect.
pub trait StaticSource: Send + Sync {
    /// For people: the file, or the server.
    fn place(&self) -> String;

    /// Gets everything; `required` are the environment's secrets, for sources that are asked one by one.
    fn load<'a>(&'a self, required: &'a [RequiredSecret]) -> BoxFuture<'a, Result<StaticSecrets, SecretsError>>;
}

impl StaticSecrets {
    /// Values for secrets that this environment does not want from us: a typing mistake, or another environment's file.
    pub fn unused(&self, required: &[RequiredSecret]) -> Vec<&SecretName> {
        let wanted = |name: &SecretName| required.iter().any(|one| one.name == *name && one.class == Class::Static);
        self.values.keys().filter(|name| !wanted(name)).collect()
    }
}
