//! Policies and AppRoles.

use super::answer::{Envelope, Keys};
use super::http::Request;
use super::{Vault, VaultError};
use crate::engine::{Action, System};
use crate::secret_value::SecretValue;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// What an AppRole's tokens may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Role {
    /// Policies of its tokens.
    #[serde(default)]
    pub token_policies: Vec<String>,
}

/// A new SecretID.
pub struct SecretId {
    /// The id itself.
    pub id: SecretValue,
    /// Its handle: no secret.
    pub accessor: String,
}

/// What is known of a SecretID.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SecretIdInfo {
    /// Its handle.
    #[serde(rename = "secret_id_accessor")]
    pub accessor: String,
    /// What was written to it when it was made.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
    /// When it was made.
    #[serde(default)]
    pub creation_time: String,
    /// When it ends; the year 1 when never.
    #[serde(default)]
    pub expiration_time: String,
}

#[derive(Deserialize)]
struct Policy {
    rules: String,
}

#[derive(Deserialize)]
struct RoleId {
    role_id: String,
}

#[derive(Deserialize)]
struct NewSecretId {
    secret_id: SecretValue,
    secret_id_accessor: String,
}

#[derive(Deserialize)]
struct LoginAnswer {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: SecretValue,
}

impl Vault {
    /// The text of a policy.
    pub async fn policy(&self, name: &str) -> Result<Option<String>, VaultError> {
        let reply = self.send(Request::get(vec!["sys", "policy", name])).await?;
        Ok(reply.read::<Envelope<Policy>>("GET sys/policy")?.map(|envelope| envelope.data.rules))
    }

    /// Writes a policy.
    pub async fn write_policy(&self, action: Action, name: &str, text: &str) -> Result<(), VaultError> {
        let body = json!({ "policy": text });
        let call = async { self.send(Request::post(vec!["sys", "policy", name], &body)).await.map(drop) };
        self.written(action, format!("policy {name}"), call).await
    }

    /// An AppRole.
    pub async fn role(&self, name: &str) -> Result<Option<Role>, VaultError> {
        let reply = self.send(Request::get(vec!["auth", "approle", "role", name])).await?;
        Ok(reply.read::<Envelope<Role>>("GET auth/approle/role")?.map(|envelope| envelope.data))
    }

    /// Writes an AppRole whose service tokens have these policies; what else it has stays.
    pub async fn write_role(&self, action: Action, name: &str, policies: &[String]) -> Result<(), VaultError> {
        let body = json!({ "token_policies": policies.join(","), "token_type": "service" });
        let call = async { self.send(Request::post(vec!["auth", "approle", "role", name], &body)).await.map(drop) };
        self.written(action, format!("AppRole {name}"), call).await
    }

    /// The id of an AppRole: no secret by itself.
    pub async fn role_id(&self, name: &str) -> Result<Option<String>, VaultError> {
        let reply = self.send(Request::get(vec!["auth", "approle", "role", name, "role-id"])).await?;
        Ok(reply.read::<Envelope<RoleId>>("GET role-id")?.map(|envelope| envelope.data.role_id))
    }

    /// One SecretID of an AppRole by its handle; nothing when it ended or was destroyed.
    async fn secret_id(&self, role: &str, accessor: &str) -> Result<Option<SecretIdInfo>, VaultError> {
        self.0.outlet.counters().read(System::Vault);
        let body = json!({ "secret_id_accessor": accessor });
        let path = vec!["auth", "approle", "role", role, "secret-id-accessor", "lookup"];
        match self.send(Request::post(path, &body)).await {
            Ok(reply) => Ok(reply.read::<Envelope<SecretIdInfo>>("POST lookup")?.map(|envelope| envelope.data)),
            // Older servers answer so for a handle that they do not know.
            Err(VaultError::Refused { status: 500, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The handles of all SecretIDs of an AppRole.
    pub async fn secret_id_accessors(&self, role: &str) -> Result<Vec<String>, VaultError> {
        let reply = self.send(Request::list(vec!["auth", "approle", "role", role, "secret-id"])).await?;
        // A role without any answers "not found".
        Ok(reply.read::<Envelope<Keys>>("LIST secret-id")?.map(|envelope| envelope.data.keys).unwrap_or_default())
    }

    /// All SecretIDs of an AppRole; one that ends meanwhile is left out.
    pub async fn secret_ids(&self, role: &str) -> Result<Vec<SecretIdInfo>, VaultError> {
        let mut infos = Vec::new();
        for accessor in self.secret_id_accessors(role).await? {
            infos.extend(self.secret_id(role, &accessor).await?);
        }
        Ok(infos)
    }

    /// Issues a SecretID, once: whoever calls looks for a mark in `metadata` first.
    pub async fn new_secret_id(&self, role: &str, metadata: &BTreeMap<String, String>) -> Result<SecretId, VaultError> {
        let body = json!({ "metadata": serde_json::to_string(metadata).unwrap_or_default() });
        let request = Request::post(vec!["auth", "approle", "role", role, "secret-id"], &body);
        let call = async {
            let new = self.once(&request).await?.read::<Envelope<NewSecretId>>("POST secret-id")?;
            new.map(|envelope| envelope.data).ok_or_else(|| VaultError::BadAnswer {
                call: "POST secret-id".into(),
                message: format!("there is no AppRole {role}"),
            })
        };
        let new = self.written(Action::Create, format!("SecretID of AppRole {role}"), call).await?;
        Ok(SecretId { id: new.secret_id, accessor: new.secret_id_accessor })
    }

    /// Destroys a SecretID.
    pub async fn destroy_secret_id(&self, role: &str, accessor: &str) -> Result<(), VaultError> {
        let body = json!({ "secret_id_accessor": accessor });
        let path = vec!["auth", "approle", "role", role, "secret-id-accessor", "destroy"];
        let call = async { self.send(Request::post(path, &body)).await.map(drop) };
        self.written(Action::Delete, format!("SecretID {accessor} of AppRole {role}"), call).await
    }

    /// Whether this AppRole credential works; the token that it gives is given back at once.
    pub async fn try_login(&self, role_id: &str, secret_id: &SecretValue) -> Result<bool, VaultError> {
        self.0.outlet.counters().read(System::Vault);
        let body = json!({ "role_id": role_id, "secret_id": secret_id.expose() });
        let reply = match self.send(Request::post(vec!["auth", "approle", "login"], &body)).await {
            Err(VaultError::Refused { status: 400, .. } | VaultError::Denied { .. }) => return Ok(false),
            other => other?,
        };
        let Some(login) = reply.read::<LoginAnswer>("POST auth/approle/login")? else { return Ok(false) };
        let own = self.with(login.auth.client_token);
        self.0.outlet.counters().read(System::Vault);
        let _ = own.send(Request::post(vec!["auth", "token", "revoke-self"], &json!({}))).await;
        Ok(true)
    }
}
