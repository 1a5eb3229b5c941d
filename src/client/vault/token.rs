//! Our token: what it is, what it may do, and how it is kept alive in a long run.

use super::answer::Envelope;
use super::http::Request;
use super::{Vault, VaultError};
use crate::engine::System;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What a token is.
#[derive(Debug, Clone, Deserialize)]
pub struct TokenInfo {
    /// Its name for people.
    #[serde(default)]
    pub display_name: String,
    /// What it may do.
    #[serde(default)]
    pub policies: Vec<String>,
    /// Seconds that it still lives; 0 for ever.
    #[serde(default)]
    pub ttl: u64,
    /// When it ends.
    #[serde(default)]
    pub expire_time: Option<String>,
}

/// How long a run must last before its token is renewed for the first time: short ones spare the request, and a token
/// with less left than that would not have served anyway.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// After how long a renewal that failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Renewed {
    auth: Lease,
}

#[derive(Deserialize)]
struct Lease {
    lease_duration: u64,
}

impl Vault {
    /// What our own token is.
    pub async fn own_token(&self) -> Result<TokenInfo, VaultError> {
        let reply = self.send(Request::get(vec!["auth", "token", "lookup-self"])).await?;
        reply.read::<Envelope<TokenInfo>>("GET auth/token/lookup-self")?.map(|envelope| envelope.data).ok_or_else(
            || VaultError::BadAnswer { call: "GET auth/token/lookup-self".into(), message: "nothing there".into() },
        )
    }

    /// What our token may do at each of these paths: `read`, `create`, `update`, `root`, `deny` ... It changes nothing
    /// that is stored: it counts as a read.
    pub async fn capabilities(&self, paths: &[String]) -> Result<BTreeMap<String, Vec<String>>, VaultError> {
        self.0.outlet.counters().read(System::Vault);
        let body = serde_json::json!({ "paths": paths });
        let reply = self.send(Request::post(vec!["sys", "capabilities-self"], &body)).await?;
        let answer = reply.read::<Envelope<BTreeMap<String, Vec<String>>>>("POST sys/capabilities-self")?;
        Ok(answer.map(|envelope| envelope.data).unwrap_or_default())
    }

    /// Renews our token now; tells how many seconds it lives from now on, 0 for ever. It changes nothing that is stored:
    /// it counts as a read.
    pub async fn renew_token(&self) -> Result<u64, VaultError> {
        self.0.outlet.counters().read(System::Vault);
        let reply = self.send(Request::post(vec!["auth", "token", "renew-self"], &serde_json::json!({}))).await?;
        Ok(reply.read::<Renewed>("POST auth/token/renew-self")?.map_or(0, |renewed| renewed.auth.lease_duration))
    }

    /// Keeps the token alive for as long as the connection is used; the task ends with it.
    pub fn keep_token_alive(&self) {
        let connection = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            let mut pause = FIRST_LOOK;
            loop {
                tokio::time::sleep(pause).await;
                let Some(next) = Self::look_after(&connection).await else { return };
                pause = next;
            }
        });
    }

    /// One look; nothing when there is nothing more to look after.
    async fn look_after(connection: &Weak<super::Connection>) -> Option<Duration> {
        let vault = Self(connection.upgrade()?);
        match vault.renew_token().await {
            // One that lives for ever, or does not live any more.
            Ok(0) | Err(VaultError::TokenExpired { .. }) => None,
            Ok(left) => Some(Duration::from_secs((left / 2).max(1))),
            // One that cannot be renewed.
            Err(VaultError::Refused { status: 400, .. } | VaultError::Denied { .. }) => {
                let left = vault.own_token().await.ok()?.ttl;
                if left > 0 {
                    vault.outlet().events().warn(format!("the Vault token ends in {left} s and cannot be renewed"));
                }
                None
            }
            Err(error) => {
                vault.outlet().events().warn(format!("the Vault token could not be renewed: {error}"));
                Some(AGAIN)
            }
        }
    }
}
