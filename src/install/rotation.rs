//! `access rotate` and `access audit`: the secrets operator's login, renewed without a moment in which none works.
//!
//! Make before break: a new SecretID (or token) is issued for this cluster, tried, installed, the operator started anew, a
//! VaultSecret made that it must turn into a Secret, and only then are this cluster's older ones destroyed. Those of
//! other clusters, and those that carry no mark, are never touched. Stopped anywhere, both logins work; run again, it ends.

use super::operator_access::{AccessKind, Credential, OperatorAccess};
use super::operator_login::{OPERATOR, OperatorLogin};
use super::operator_secret::{ACCESSOR, restart, started_before};
use super::readiness::VAULT_SECRET_API;
use super::site::Site;
use super::vault_credentials::given;
use super::vault_place::VaultPlace;
use crate::client::kubernetes::{Cluster, Difference, Verdict, resource};
use crate::client::vault::VaultError;
use crate::engine::Deadline;
use crate::error::{Failure, Kind};
use crate::secrets::{Class, Generator, Policy, SecretName, required};
use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The VaultSecret that proves a login.
const PROOF: &str = "rsp-install-proof";
/// The operator looks every minute; it is given three.
const PROOF_TIME: Duration = Duration::from_mins(3);
/// What ends sooner is told: upstream's own audit warns as early.
const SOON: Duration = Duration::from_hours(7 * 24);

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotated {
    /// Of what kind the operator's login is.
    pub kind: AccessKind,
    /// The name of the AppRole, or of the token.
    pub role: String,
    /// The handle of the new SecretID or token.
    pub issued: String,
    /// The handles of the destroyed ones.
    pub destroyed: Vec<String>,
}

/// Something wrong with the access to Vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Of what: `AppRole roe`, `policy phalanx/roe/read` ...
    pub object: String,
    /// What is wrong.
    pub message: String,
}

/// The operator's login in this environment, or why there is none to be managed.
async fn access(site: &Site) -> Result<(Arc<OperatorAccess>, Cluster, VaultPlace), Failure> {
    let source = site.source().await?;
    let usage = |message: String| Failure::new(Kind::Usage, message);
    if source.environment.application(OPERATOR).is_none() {
        return Err(usage(format!("{OPERATOR} is not enabled in environment {}", source.environment.name)));
    }
    let login = OperatorLogin::read(&source.checkout, &source.environment.name)?
        .ok_or_else(|| usage(format!("the values of {OPERATOR} read no Secret: there is no login to manage")))?;
    if given(&site.process)?.is_some() {
        return Err(usage("the operator's credentials are given in the environment; those are never rotated".into())
            .help(
                "unset VAULT_ROLE_ID and VAULT_SECRET_ID (and VAULT_OPERATOR_TOKEN), or rotate where they come from",
            ));
    }
    let down = || Failure::new(Kind::Unreachable, "the cluster is not up");
    let contact = site.contact().await?.ok_or_else(down)?;
    let place = VaultPlace::find(site).await?.ok_or_else(down)?;
    let vault = place.connect(&site.process, None, &site.run.outlet)?;
    let access = OperatorAccess::of(site, &place, vault, login, &contact.identity).await?;
    Ok((access, contact.cluster, place))
}

/// Rotates the operator's SecretID.
pub async fn rotate(site: &Site) -> Result<Rotated, Failure> {
    let (access, cluster, place) = access(site).await?;
    if access.kind == AccessKind::AppRole && access.vault.role(&access.name).await?.is_none() {
        return Err(Failure::new(Kind::Failed, format!("Vault has no AppRole {}", access.name))
            .help("`rsp-install --env E --only vaultCredentials` makes it"));
    }
    let live = cluster.get("v1", "Secret", Some(OPERATOR), &access.login.secret).await?;
    if live.is_some_and(|live| !live.annotations().contains_key(ACCESSOR)) {
        let message =
            format!("Secret {OPERATOR}/{} was installed by somebody else, and is not rotated", access.login.secret);
        return Err(Failure::new(Kind::Usage, message).help("delete the Secret and install again, and it is ours"));
    }
    let old = ours(&access).await?;
    let issued = access.issue_and_install(&cluster).await?;
    restart(&cluster, site.run.deadline).await?;
    prove(site, &cluster, &place, site.run.deadline).await?;
    let destroyed = destroy(&access, old).await?;
    Ok(Rotated { kind: access.kind, role: access.name.clone(), issued, destroyed })
}

/// Destroys the credentials that were issued for this cluster, because it goes. Others' are never touched.
pub async fn revoke(site: &Site) -> Result<Vec<String>, Failure> {
    let (access, _, _) = access(site).await?;
    destroy(&access, ours(&access).await?).await
}

/// The credentials that were issued for this cluster.
async fn ours(access: &OperatorAccess) -> Result<Vec<Credential>, VaultError> {
    Ok(access.credentials().await?.into_iter().filter(|credential| credential.ours).collect())
}

/// Destroys credentials; tells their handles.
async fn destroy(access: &OperatorAccess, credentials: Vec<Credential>) -> Result<Vec<String>, Failure> {
    let mut destroyed = Vec::new();
    for credential in credentials {
        access.destroy(&credential.accessor).await?;
        destroyed.push(credential.accessor);
    }
    Ok(destroyed)
}

/// Has the operator make a Secret that was not there: it can only do so with its new login. The Secret holds a date.
async fn prove(site: &Site, cluster: &Cluster, place: &VaultPlace, deadline: Deadline) -> Result<(), Failure> {
    let Some(harmless) = harmless(site).await? else {
        site.run.outlet.events().warn("no harmless secret is there to prove the new login with; the rollout must do");
        return Ok(());
    };
    let proof: DynamicObject = serde_json::from_value(json!({
        "apiVersion": VAULT_SECRET_API, "kind": "VaultSecret", "metadata": {"name": PROOF, "namespace": OPERATOR},
        "spec": {"path": format!("{}/{}", place.prefix, harmless.application), "type": "Opaque", "keys": [harmless.key]},
    }))
    .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
    // One that a killed run left would prove nothing.
    remove_proof(cluster, deadline).await?;
    cluster.apply(&proof, Difference::Missing).await?;
    let key = (OPERATOR.to_owned(), PROOF.to_owned());
    let what = format!("Secret {OPERATOR}/{PROOF}");
    let kind = resource("v1", "Secret");
    let wait =
        cluster.wait_for(kind, Some(OPERATOR), (&what, "made by the operator"), deadline.within(PROOF_TIME), |seen| {
            if seen.contains_key(&key) {
                Verdict::Done
            } else {
                Verdict::NotYet("the operator has not made it yet".into())
            }
        });
    let proved = wait.await;
    remove_proof(cluster, deadline).await?;
    proved.map_err(|error| Failure::from(error).help("the earlier login still works: nothing was destroyed"))
}

/// Removes the proof and the Secret made from it.
async fn remove_proof(cluster: &Cluster, deadline: Deadline) -> Result<(), Failure> {
    for (group_version, kind) in [(VAULT_SECRET_API, "VaultSecret"), ("v1", "Secret")] {
        let Some(found) = cluster.get(group_version, kind, Some(OPERATOR), PROOF).await? else { continue };
        // The Secret may go with its VaultSecret: only what is still there is deleted.
        cluster.delete(&found).await?;
        let key = (OPERATOR.to_owned(), PROOF.to_owned());
        let what = format!("{kind} {OPERATOR}/{PROOF}");
        let gone = cluster.wait_for(resource(group_version, kind), Some(OPERATOR), (&what, "gone"), deadline, |seen| {
            if seen.contains_key(&key) { Verdict::NotYet("it is still there".into()) } else { Verdict::Done }
        });
        gone.await?;
    }
    Ok(())
}

/// A key of the environment that is no secret: when a password was set.
async fn harmless(site: &Site) -> Result<Option<SecretName>, Failure> {
    let source = site.source().await?;
    let all = required(&source.checkout, &source.environment, &BTreeSet::new())?;
    let harmless = all
        .into_iter()
        .find(|secret| matches!(secret.class, Class::Fixed(_) | Class::Generated(Generator::Mtime { .. })));
    Ok(harmless.map(|secret| secret.name))
}

/// What is wrong with policies, AppRole and credentials. Changes nothing.
pub async fn audit(site: &Site) -> Result<Vec<Finding>, Failure> {
    let (access, cluster, place) = access(site).await?;
    let vault = &access.vault;
    let checkout = &site.source().await?.checkout;
    let mut findings = Vec::new();
    let mut tell = |object: String, message: String| findings.push(Finding { object, message });
    for policy in [Policy::read(checkout, &place.prefix)?, Policy::write(checkout, &place.prefix)?] {
        match vault.policy(&policy.name).await? {
            None => tell(format!("policy {}", policy.name), "it is missing".into()),
            Some(text) if text != policy.text => {
                tell(format!("policy {}", policy.name), "its text is not phalanx's".into());
            }
            Some(_) => {}
        }
    }
    if access.kind == AccessKind::AppRole {
        role(&access, &mut tell).await?;
    }
    let live = cluster.get("v1", "Secret", Some(OPERATOR), &access.login.secret).await?;
    match &live {
        None => tell(format!("Secret {OPERATOR}/{}", access.login.secret), "it is missing".into()),
        Some(live) => {
            if let Some(snapshot) = site.snapshot().await?
                && started_before(&snapshot, live).await?
            {
                tell(
                    format!("Deployment {OPERATOR}/{OPERATOR}"),
                    "it started before its login was installed; an installation starts it anew".into(),
                );
            }
        }
    }
    let installed = live.as_ref().and_then(|live| live.annotations().get(ACCESSOR)).cloned();
    credentials(&access, installed.as_deref(), &access.credentials().await?, site, &mut tell);
    own_token(vault.own_token().await, site, &mut tell);
    Ok(findings)
}

async fn role(access: &OperatorAccess, tell: &mut impl FnMut(String, String)) -> Result<(), Failure> {
    let object = format!("AppRole {}", access.name);
    let Some(found) = access.vault.role(&access.name).await? else {
        tell(object, "it is missing".into());
        return Ok(());
    };
    let others = found.token_policies.iter().filter(|policy| **policy != access.policy && *policy != "default");
    others.for_each(|policy| tell(object.clone(), format!("it has the unexpected policy {policy}")));
    if !found.token_policies.contains(&access.policy) {
        tell(object, format!("it lacks the policy {}", access.policy));
    }
    Ok(())
}

fn credentials(
    access: &OperatorAccess,
    installed: Option<&str>,
    known: &[Credential],
    site: &Site,
    tell: &mut impl FnMut(String, String),
) {
    let object = |accessor: &str| format!("{} ({accessor})", access.credential());
    if let Some(installed) = installed.filter(|installed| known.iter().all(|one| one.accessor != **installed)) {
        tell(object(installed), "it is installed in the cluster, and Vault does not know it any more".into());
    }
    for Credential { accessor, ends, .. } in known.iter().filter(|credential| credential.ours) {
        if installed != Some(accessor.as_str()) {
            let message = "it was issued for this cluster and is not in use; `access rotate` destroys it";
            tell(object(accessor), message.into());
        }
        ends_soon(ends, site, |when| tell(object(accessor), format!("it ends at {when}")));
    }
}

fn own_token(
    token: Result<crate::client::vault::TokenInfo, VaultError>,
    site: &Site,
    tell: &mut impl FnMut(String, String),
) {
    let Ok(token) = token else { return };
    if let Some(ends) = token.expire_time {
        ends_soon(&ends, site, |when| tell(format!("our token {}", token.display_name), format!("it ends at {when}")));
    }
}

/// Vault writes the year 1 for what never ends.
fn ends_soon(time: &str, site: &Site, mut tell: impl FnMut(Timestamp)) {
    let Ok(ends) = time.parse::<Timestamp>() else { return };
    let limit = (site.process.now)().saturating_add(SOON).unwrap_or(Timestamp::MAX);
    if ends > Timestamp::UNIX_EPOCH && ends < limit {
        tell(ends);
    }
}
