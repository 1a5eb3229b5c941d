//! Vault: KV v2, policies, AppRoles, tokens.
//!
//! Speaks HTTP itself. A client library was tried and refused: it hides the version of a soft-deleted secret and the
//! time that a busy server asks for, keeps the token in plain memory, logs every expected refusal as an error, and does
//! not take client certificates with our TLS provider.
//!
//! Every write goes through the [`Outlet`]; every request is counted; what may be tried again is tried again, and told.

mod access;
mod answer;
mod error;
mod http;
mod kv;
mod login;
mod token;
mod tokens;

pub use access::{Role, SecretId, SecretIdInfo};
pub use error::VaultError;
pub use kv::{KvData, Stored};
pub use login::{Login, LoginError};
pub use token::TokenInfo;
pub use tokens::{NewToken, TokenRecord};

use crate::engine::{Action, Intent, Outlet, System};
use crate::secret_value::SecretValue;
use reqwest::Url;
use std::sync::Arc;

/// A connection to one Vault server with one token; cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Connection>);

struct Connection {
    http: reqwest::Client,
    address: Url,
    namespace: Option<String>,
    token: SecretValue,
    outlet: Outlet,
}

impl Vault {
    /// A connection; asks nothing yet.
    pub fn connect(login: Login, outlet: Outlet) -> Result<Self, VaultError> {
        let http = login.client()?;
        let Login { address, namespace, token, .. } = login;
        Ok(Self(Arc::new(Connection { http, address, namespace, token, outlet })))
    }

    /// The server, for people.
    pub fn address(&self) -> String {
        self.0.address.to_string()
    }

    /// The way out that this connection writes through.
    pub fn outlet(&self) -> &Outlet {
        &self.0.outlet
    }

    /// The same connection with another token.
    fn with(&self, token: SecretValue) -> Self {
        let Connection { http, address, namespace, outlet, .. } = &*self.0;
        let (http, address) = (http.clone(), address.clone());
        Self(Arc::new(Connection { http, address, namespace: namespace.clone(), token, outlet: outlet.clone() }))
    }

    async fn written<T>(
        &self,
        action: Action,
        object: impl Into<String>,
        call: impl Future<Output = Result<T, VaultError>>,
    ) -> Result<T, VaultError> {
        self.0.outlet.write(Intent::new(System::Vault, action, object), call).await
    }
}
