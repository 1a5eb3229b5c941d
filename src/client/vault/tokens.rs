//! Tokens that we make for others: created once, found and revoked by their handles.

use super::answer::{Envelope, Keys};
use super::http::Request;
use super::{Vault, VaultError};
use crate::engine::{Action, System};
use crate::secret_value::SecretValue;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// A new token.
pub struct NewToken {
    /// The token itself.
    pub token: SecretValue,
    /// Its handle: no secret.
    pub accessor: String,
    /// How many seconds it lives unless it is renewed.
    pub seconds: u64,
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TokenRecord {
    /// Its handle: no secret.
    pub accessor: String,
    /// Its name for people, to which Vault has added `token-`.
    #[serde(default)]
    pub display_name: String,
    /// What it may do.
    #[serde(default)]
    pub policies: Vec<String>,
    /// What was written to it when it was made.
    #[serde(default)]
    pub meta: Option<BTreeMap<String, String>>,
    /// When it ends; nothing when never.
    #[serde(default)]
    pub expire_time: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: SecretValue,
    accessor: String,
    lease_duration: u64,
}

impl Vault {
    /// Makes a token that does not end with ours, and lives for ever as long as it is renewed within `period` seconds. It
    /// needs `sudo` on its path.
    pub async fn new_token(
        &self,
        name: &str,
        policy: &str,
        metadata: &BTreeMap<String, String>,
        period: u64,
    ) -> Result<NewToken, VaultError> {
        let body =
            json!({ "display_name": name, "policies": [policy], "meta": metadata, "period": format!("{period}s") });
        let request = Request::post(vec!["auth", "token", "create-orphan"], &body);
        let call = async {
            self.once(&request).await?.read::<Created>("POST create-orphan")?.map(|created| created.auth).ok_or_else(
                || VaultError::BadAnswer { call: "POST create-orphan".into(), message: "nothing there".into() },
            )
        };
        let Auth { client_token: token, accessor, lease_duration: seconds } =
            self.written(Action::Create, format!("token {name}"), call).await?;
        Ok(NewToken { token, accessor, seconds })
    }

    /// A token by its handle; nothing when it ended or was revoked.
    pub async fn token(&self, accessor: &str) -> Result<Option<TokenRecord>, VaultError> {
        self.0.outlet.counters().read(System::Vault);
        let body = json!({ "accessor": accessor });
        match self.send(Request::post(vec!["auth", "token", "lookup-accessor"], &body)).await {
            Ok(reply) => Ok(reply.read::<Envelope<TokenRecord>>("POST lookup-accessor")?.map(|answer| answer.data)),
            // Servers differ in the status; the words are the same.
            Err(VaultError::Refused { errors, .. })
                if errors.iter().any(|error| error.contains("invalid accessor")) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// All tokens of this name; it needs `sudo` on its path. Tokens that end meanwhile are left out.
    pub async fn tokens_named(&self, name: &str) -> Result<Vec<TokenRecord>, VaultError> {
        let reply = self.send(Request::list(vec!["auth", "token", "accessors"])).await?;
        let keys = reply.read::<Envelope<Keys>>("LIST auth/token/accessors")?.map(|envelope| envelope.data.keys);
        let mut found = Vec::new();
        for accessor in keys.unwrap_or_default() {
            found.extend(self.token(&accessor).await?.filter(|token| token.display_name == format!("token-{name}")));
        }
        Ok(found)
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, accessor: &str) -> Result<(), VaultError> {
        let body = json!({ "accessor": accessor });
        let call = async { self.send(Request::post(vec!["auth", "token", "revoke-accessor"], &body)).await.map(drop) };
        self.written(Action::Delete, format!("token {accessor}"), call).await
    }

    /// Whether this token works.
    pub async fn try_token(&self, token: &SecretValue) -> Result<bool, VaultError> {
        match self.with(token.clone()).own_token().await {
            Ok(_) => Ok(true),
            Err(VaultError::TokenExpired { .. } | VaultError::Denied { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
