//! Does Argo CD's administrator log in with the password that Vault holds?
//!
//! Vault holds the hash, the secrets operator copies it into Argo CD's Secret. Whether the hash fits the password beside it
//! is for the secrets step to say.

use super::super::site::Site;
use super::super::snapshot::ARGOCD;
use super::super::vault_place::VaultPlace;
use super::Check;
use crate::client::kubernetes::Cluster;
use crate::client::vault::VaultError;
use crate::error::Failure;
use crate::secret_value::SecretValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Argo CD's own Secret, and its key with the hash: the same name as in phalanx's `applications/argocd/secrets.yaml`.
const SECRET: &str = "argocd-secret";
const KEY: &str = "admin.password";

/// The check; nothing where Vault has no such hash, or does not let us look.
pub(super) async fn check(site: &Site, cluster: &Cluster) -> Result<Option<Check>, Failure> {
    let Some(place) = VaultPlace::find(site).await? else { return Ok(None) };
    let vault = place.connect(&site.process, None, &site.run.outlet)?;
    let path = format!("{}/{ARGOCD}", place.prefix.path);
    let read = vault.read(&place.prefix.mount, &path);
    let (stored, secret) = tokio::join!(read, cluster.get("v1", "Secret", Some(ARGOCD), SECRET));
    let stored = match stored {
        Err(VaultError::Denied { call }) => {
            site.run.outlet.events().note(format!("the administrator's password is not checked: {call} was denied"));
            return Ok(None);
        }
        other => other?,
    };
    let Some(wanted) = stored.data.and_then(|data| data.texts.get(KEY).cloned()) else { return Ok(None) };
    let found = secret?.and_then(|secret| {
        let bytes = STANDARD.decode(secret.data.pointer("/data")?.get(KEY)?.as_str()?).ok()?;
        String::from_utf8(bytes).ok().map(SecretValue::new)
    });
    let wrong = match found {
        Some(found) if found == wanted => None,
        Some(_) => Some(format!("{KEY} of Secret {ARGOCD}/{SECRET} is not what Vault holds at {path}")),
        None => Some(format!("Secret {ARGOCD}/{SECRET} has no {KEY}")),
    };
    Ok(Some(Check::new(
        "adminPassword",
        true,
        wrong.into_iter(),
        "the administrator's hash is the one in Vault".into(),
        "the secrets operator copies it within a minute: run again, then look at the VaultSecret's conditions",
    )))
}
