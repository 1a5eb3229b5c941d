//! What the secrets operator logs in to Vault with, when we make it: an AppRole's SecretID, or a token where the values
//! of the operator want one.
//!
//! Each is issued for this cluster, once: its metadata names the cluster, and its handle, which is no secret, stays on
//! the Secret as the mark by which the next run finds it good.

use super::operator_login::{Given, OPERATOR, OperatorLogin, Variable};
use super::operator_secret::{self, ACCESSOR, is_complete, value_of};
use super::site::Site;
use super::vault_place::VaultPlace;
use crate::client::kubernetes::{Cluster, Identity};
use crate::client::vault::{SecretIdInfo, TokenRecord, Vault, VaultError};
use crate::error::{Failure, Kind};
use crate::secret_value::SecretValue;
use crate::secrets::Policy;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// In a credential's metadata: for which cluster it was issued.
const CLUSTER: &str = "cluster";
/// A token lives for a year between renewals, as phalanx's documentation has the operator renew it.
const PERIOD: u64 = 31_536_000;

/// What is needed to give the operator a login.
pub(super) struct OperatorAccess {
    /// The server.
    pub vault: Vault,
    /// Of what kind.
    pub kind: AccessKind,
    /// The AppRole's name, or the token's.
    pub name: String,
    /// The policy of its tokens.
    pub policy: String,
    /// The Secret.
    pub login: OperatorLogin,
    /// What a credential's metadata says.
    metadata: BTreeMap<String, String>,
}

/// How the operator logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AccessKind {
    /// With a SecretID of an AppRole.
    AppRole,
    /// With a token.
    Token,
}

/// A credential that Vault knows.
pub(super) struct Credential {
    /// Its handle.
    pub accessor: String,
    /// Whether it was issued for this cluster.
    pub ours: bool,
    /// When it ends, as Vault says it; it writes the year 1 for what never ends.
    pub ends: String,
}

impl OperatorAccess {
    /// What phalanx names and allows.
    pub(super) async fn of(
        site: &Site,
        place: &VaultPlace,
        vault: Vault,
        login: OperatorLogin,
        identity: &Identity,
    ) -> Result<Arc<Self>, Failure> {
        let policy = Policy::read(&site.source().await?.checkout, &place.prefix)?.name;
        let metadata = BTreeMap::from([
            (CLUSTER.to_owned(), identity.ca_sha256.clone().unwrap_or_else(|| identity.server.clone())),
            ("server".to_owned(), identity.server.clone()),
            ("environment".to_owned(), site.name().to_owned()),
        ]);
        let last = place.prefix.last();
        let (kind, name) = if login.wants_token() {
            // Not the last part alone: phalanx's `vault create-write-token` revokes all tokens of that name.
            (AccessKind::Token, format!("{OPERATOR}-{last}"))
        } else {
            (AccessKind::AppRole, last.to_owned())
        };
        Ok(Arc::new(Self { vault, kind, name, policy, login, metadata }))
    }

    /// For people: what a credential of it is.
    pub(super) fn credential(&self) -> String {
        match self.kind {
            AccessKind::AppRole => format!("SecretID of AppRole {}", self.name),
            AccessKind::Token => format!("token {}", self.name),
        }
    }

    /// Whether the Secret has every key, and Vault still knows its credential. One that somebody else installed is taken
    /// as it is: it is not ours to replace.
    pub(super) async fn is_good(&self, live: Option<&DynamicObject>) -> Result<bool, VaultError> {
        let Some(live) = live.filter(|live| is_complete(live, &self.login)) else { return Ok(false) };
        let Some(accessor) = live.annotations().get(ACCESSOR) else { return Ok(true) };
        match self.kind {
            AccessKind::AppRole => {
                let id = self.login.keys.iter().find(|(_, variable)| **variable == Variable::RoleId);
                let installed = id.and_then(|(key, _)| value_of(live, key));
                let (accessors, role_id) =
                    tokio::try_join!(self.vault.secret_id_accessors(&self.name), self.vault.role_id(&self.name))?;
                Ok(accessors.contains(accessor) && role_id.as_deref() == installed.as_ref().map(SecretValue::expose))
            }
            AccessKind::Token => {
                let found = self.vault.token(accessor).await?;
                Ok(found.is_some_and(|token| token.policies.contains(&self.policy)))
            }
        }
    }

    /// Issues a credential for this cluster, tries it, and puts it into the Secret; tells its handle.
    pub(super) async fn issue_and_install(&self, cluster: &Cluster) -> Result<String, Failure> {
        let (given, accessor, works) = match self.kind {
            AccessKind::AppRole => self.secret_id().await?,
            AccessKind::Token => self.token().await?,
        };
        if !works {
            let message = format!("Vault does not accept the {} that it has just issued", self.credential());
            return Err(Failure::new(Kind::Failed, message));
        }
        operator_secret::install(cluster, &self.login, &given, Some(&accessor)).await?;
        Ok(accessor)
    }

    async fn secret_id(&self) -> Result<(Given, String, bool), Failure> {
        let lost = || Failure::new(Kind::Failed, format!("AppRole {} has no id", self.name));
        let role_id = self.vault.role_id(&self.name).await?.ok_or_else(lost)?;
        let new = self.vault.new_secret_id(&self.name, &self.metadata).await?;
        let works = self.vault.try_login(&role_id, &new.id).await?;
        Ok((Given::AppRole { role_id: SecretValue::new(role_id), secret_id: new.id }, new.accessor, works))
    }

    async fn token(&self) -> Result<(Given, String, bool), Failure> {
        let new = self.vault.new_token(&self.name, &self.policy, &self.metadata, PERIOD).await;
        let new = new.map_err(|error| match error {
            VaultError::Denied { .. } | VaultError::Refused { status: 400, .. } => Failure::from(error)
                .help("making a token that outlives ours needs sudo on auth/token/create-orphan")
                .help("or give the operator's own token in VAULT_OPERATOR_TOKEN"),
            other => other.into(),
        })?;
        if new.seconds < PERIOD {
            let days = new.seconds / (24 * 3600);
            self.vault.outlet().events().warn(format!(
                "Vault lets the {} live for {days} days without renewal: VAULT_TOKEN_LEASE_DURATION of the operator must not be more",
                self.credential()
            ));
        }
        let works = self.vault.try_token(&new.token).await?;
        Ok((Given::Token(new.token), new.accessor, works))
    }

    /// All credentials that Vault knows.
    pub(super) async fn credentials(&self) -> Result<Vec<Credential>, VaultError> {
        let ours = |metadata: &Option<BTreeMap<String, String>>| {
            let mark = metadata.as_ref().and_then(|metadata| metadata.get(CLUSTER));
            mark.is_some() && mark == self.metadata.get(CLUSTER)
        };
        let of_id = |SecretIdInfo { accessor, metadata, expiration_time: ends, .. }| Credential {
            accessor,
            ours: ours(&metadata),
            ends,
        };
        let of_token = |TokenRecord { accessor, meta, expire_time, .. }| Credential {
            accessor,
            ours: ours(&meta),
            ends: expire_time.unwrap_or_default(),
        };
        Ok(match self.kind {
            AccessKind::AppRole => self.vault.secret_ids(&self.name).await?.into_iter().map(of_id).collect(),
            AccessKind::Token => self.vault.tokens_named(&self.name).await?.into_iter().map(of_token).collect(),
        })
    }

    /// Destroys one of them.
    pub(super) async fn destroy(&self, accessor: &str) -> Result<(), VaultError> {
        match self.kind {
            AccessKind::AppRole => self.vault.destroy_secret_id(&self.name, accessor).await,
            AccessKind::Token => self.vault.revoke_token(accessor).await,
        }
    }
}
