//! Opens the sandbox's Vault as its operator would: initialises it once, unseals it after every start, and gives it
//! what our users' Vaults have: KV version 2 at `secret`, `AppRole` login, an audit file.

use super::SandboxError;
use super::folder::Folder;
use crate::secret_value::SecretValue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The file of the root token.
pub(super) const TOKEN_FILE: &str = "vault-token";
const UNSEAL_FILE: &str = "vault-unseal-key";

/// A client of the sandbox's own Vault.
#[derive(Clone)]
pub(super) struct Vault {
    http: reqwest::Client,
    address: String,
}

impl Vault {
    /// A client of the Vault at this port.
    pub(super) fn at(port: u16) -> Result<Self, SandboxError> {
        // A proxy that somebody needs for the outside must never see this.
        let http = reqwest::Client::builder().no_proxy().user_agent("rsp-install-sandbox").build();
        let http = http.map_err(|error| SandboxError::Vault { message: error.to_string() })?;
        Ok(Self { http, address: format!("http://127.0.0.1:{port}") })
    }

    /// One request; `Ok(None)` for "not found". Neither requests nor answers are put into errors, only Vault's own
    /// list of errors.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&SecretValue>,
        body: Option<Value>,
    ) -> Result<Option<Value>, SandboxError> {
        let said = |what: &dyn std::fmt::Display| SandboxError::Vault { message: format!("{method} {path}: {what}") };
        let mut request = self.http.request(method.clone(), format!("{}/v1/{path}", self.address));
        if let Some(token) = token {
            request = request.header("X-Vault-Token", token.expose());
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|error| said(&error.without_url()))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| said(&error.without_url()))?;
        let value: Value =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::Null) };
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(value)),
            status => Err(said(&format!("{status}: {}", value["errors"]))),
        }
    }

    /// Initialises, unseals and furnishes: whatever of that is still to do.
    pub(super) async fn open(&self, folder: &Folder) -> Result<(), SandboxError> {
        let initialised = self.call(Method::GET, "sys/init", None, None).await?;
        if initialised.is_none_or(|answer| answer["initialized"] != json!(true)) {
            let request = json!({"secret_shares": 1, "secret_threshold": 1});
            let keys = self.call(Method::PUT, "sys/init", None, Some(request)).await?.unwrap_or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            folder.write(UNSEAL_FILE, text(&keys["keys_base64"][0]).as_bytes())?;
            folder.write(TOKEN_FILE, text(&keys["root_token"]).as_bytes())?;
        }
        let key = folder.read(UNSEAL_FILE)?.unwrap_or_default();
        self.call(Method::PUT, "sys/unseal", None, Some(json!({"key": key}))).await?;
        let token = SecretValue::new(folder.read(TOKEN_FILE)?.unwrap_or_default());
        self.await_active(&token).await?;
        self.furnish(folder, &token).await
    }

    /// After unsealing, Vault takes a moment to become active and answers 503 until then.
    async fn await_active(&self, token: &SecretValue) -> Result<(), SandboxError> {
        for _ in 0..250 {
            if self.call(Method::GET, "sys/mounts", Some(token), None).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(40)).await;
        }
        self.call(Method::GET, "sys/mounts", Some(token), None).await.map(drop)
    }

    async fn furnish(&self, folder: &Folder, token: &SecretValue) -> Result<(), SandboxError> {
        let audit_log = folder.path("audit/vault.log").display().to_string();
        let furniture = [
            ("sys/mounts", "secret", json!({"type": "kv", "options": {"version": "2"}})),
            ("sys/auth", "approle", json!({"type": "approle"})),
            ("sys/audit", "file", json!({"type": "file", "options": {"file_path": audit_log}})),
        ];
        for (list, name, wanted) in furniture {
            let present = self.call(Method::GET, list, Some(token), None).await?.unwrap_or_default();
            if present["data"].get(format!("{name}/")).is_none() {
                self.call(Method::PUT, &format!("{list}/{name}"), Some(token), Some(wanted)).await?;
            }
        }
        // Shown in clear, so that the audit file tells our program's requests from the stand-ins'.
        let header = json!({"hmac": false});
        self.call(Method::PUT, "sys/config/auditing/request-headers/user-agent", Some(token), Some(header)).await?;
        Ok(())
    }
}
