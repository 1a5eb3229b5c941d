//! Step `vaultCredentials`: policies, AppRole, and the Secret from which the secrets operator takes its login.
//!
//! Credentials that were given (`VAULT_ROLE_ID` and `VAULT_SECRET_ID`, or `VAULT_OPERATOR_TOKEN`) are installed as they
//! are. Otherwise one is issued for this cluster, once. An operator that still runs with an earlier login is started anew.
//! Rotation is another command: `access rotate`.

use super::operator_access::{AccessKind, OperatorAccess};
use super::operator_login::{Given, OPERATOR, OperatorLogin};
use super::operator_secret::{holds, install, is_complete, restart_if_running, started_before};
use super::site::Site;
use super::vault_place::VaultPlace;
use crate::client::vault::{Vault, VaultError};
use crate::engine::{Action, Describe, Described, Observation, Run, Step};
use crate::error::{Failure, Kind};
use crate::process::Process;
use crate::secrets::Policy;
use kube::api::DynamicObject;
use std::sync::Arc;

/// The step.
pub(super) struct VaultCredentialsStep(pub Arc<Site>);

/// One change.
pub(super) enum CredentialChange {
    /// A policy gets phalanx's text.
    Policy { action: Action, policy: Policy, vault: Vault },
    /// The AppRole gets its policy.
    Role { action: Action, access: Arc<OperatorAccess> },
    /// A credential is issued and installed.
    Issue { action: Action, access: Arc<OperatorAccess> },
    /// The given credentials are installed.
    Install { action: Action, login: OperatorLogin, given: Arc<Given> },
    /// The operator is started anew.
    Restart,
}

impl Describe for Arc<CredentialChange> {
    fn describe(&self) -> Described {
        let word = |action: &Action| if *action == Action::Create { "create" } else { "update" };
        let secret = |login: &OperatorLogin| format!("Secret {OPERATOR}/{}", login.secret);
        match self.as_ref() {
            CredentialChange::Policy { action, policy, .. } => {
                Described::new(word(action), format!("Vault policy {}", policy.name))
            }
            CredentialChange::Role { action, access } => {
                Described::new(word(action), format!("Vault AppRole {}", access.name))
            }
            CredentialChange::Issue { action, access } => {
                Described::new(word(action), format!("{} with a new {}", secret(&access.login), access.credential()))
            }
            CredentialChange::Install { action, login, .. } => {
                Described::new(word(action), format!("{} with the given credentials", secret(login)))
            }
            CredentialChange::Restart => Described::new("restart", format!("Deployment {OPERATOR}/{OPERATOR}")),
        }
    }
}

impl Step for VaultCredentialsStep {
    type Observed = Vec<Arc<CredentialChange>>;
    type Change = Arc<CredentialChange>;

    fn name(&self) -> &'static str {
        "vaultCredentials"
    }

    async fn observe(&self, run: &Run) -> Result<Observation<Self::Observed>, Failure> {
        let source = self.0.source().await?;
        if source.environment.application(OPERATOR).is_none() {
            return Ok(Observation::Skipped { because: format!("{OPERATOR} is not enabled") });
        }
        let Some(login) = OperatorLogin::read(&source.checkout, &source.environment.name)? else {
            return Ok(Observation::Skipped { because: format!("the values of {OPERATOR} read no Secret") });
        };
        let (Some(contact), Some(place)) = (self.0.contact().await?, VaultPlace::find(&self.0).await?) else {
            return Ok(Observation::Unknown { until: "the cluster is up".into() });
        };
        let live = contact.cluster.get("v1", "Secret", Some(OPERATOR), &login.secret).await?;
        let action = if live.is_some() { Action::Update } else { Action::Create };
        let mut changes = if let Some(given) = given(&self.0.process)? {
            let right = live.as_ref().is_some_and(|live| holds(live, &login.data(&given).unwrap_or_default()));
            let change = CredentialChange::Install { action, login, given: Arc::new(given) };
            if right { Vec::new() } else { vec![change] }
        } else {
            let vault = place.connect(&self.0.process, None, &run.outlet)?;
            let access = OperatorAccess::of(&self.0, &place, vault, login, &contact.identity).await?;
            match changes(&access, &self.0, &place, live.as_ref()).await {
                Err(VaultError::Denied { call }) => without_rights(run, &call, live.as_ref(), &access.login)?,
                other => other?,
            }
        };
        if let Some(live) = live.filter(|_| !changes.iter().any(CredentialChange::restarts))
            && let Some(snapshot) = self.0.snapshot().await?
            && started_before(&snapshot, &live).await?
        {
            changes.push(CredentialChange::Restart);
        }
        Ok(Observation::Known(changes.into_iter().map(Arc::new).collect()))
    }

    fn plan(&self, observed: &Self::Observed) -> Result<Vec<Self::Change>, Failure> {
        Ok(observed.clone())
    }

    async fn apply(&self, change: &Self::Change, run: &Run) -> Result<(), Failure> {
        match change.as_ref() {
            CredentialChange::Policy { action, policy, vault } => {
                Ok(vault.write_policy(*action, &policy.name, &policy.text).await?)
            }
            CredentialChange::Role { action, access } => {
                Ok(access.vault.write_role(*action, &access.name, std::slice::from_ref(&access.policy)).await?)
            }
            CredentialChange::Issue { access, .. } => {
                let Some(contact) = self.0.contact().await? else { return Ok(()) };
                access.issue_and_install(&contact.cluster).await?;
                restart_if_running(&contact.cluster, run.deadline).await
            }
            CredentialChange::Install { login, given, .. } => {
                let Some(contact) = self.0.contact().await? else { return Ok(()) };
                install(&contact.cluster, login, given, None).await?;
                restart_if_running(&contact.cluster, run.deadline).await
            }
            CredentialChange::Restart => {
                let Some(contact) = self.0.contact().await? else { return Ok(()) };
                restart_if_running(&contact.cluster, run.deadline).await
            }
        }
    }
}

impl CredentialChange {
    /// Whether the operator is started anew after it.
    fn restarts(&self) -> bool {
        matches!(self, Self::Issue { .. } | Self::Install { .. })
    }
}

/// What policies, AppRole and Secret lack.
async fn changes(
    access: &Arc<OperatorAccess>,
    site: &Site,
    place: &VaultPlace,
    live: Option<&DynamicObject>,
) -> Result<Vec<CredentialChange>, VaultError> {
    let Ok(source) = site.source().await else { return Ok(Vec::new()) };
    let texts = (Policy::read(&source.checkout, &place.prefix), Policy::write(&source.checkout, &place.prefix));
    let wanted: Vec<Policy> = [texts.0, texts.1].into_iter().flatten().collect();
    let policies = wanted.into_iter().map(|policy| async {
        let found = access.vault.policy(&policy.name).await?;
        Ok::<_, VaultError>((found, policy))
    });
    let (policies, wrong_role, good) =
        tokio::try_join!(futures::future::try_join_all(policies), role(access), access.is_good(live))?;
    let action = |there: bool| if there { Action::Update } else { Action::Create };
    let mut changes = Vec::new();
    for (found, policy) in policies {
        if found.as_ref() != Some(&policy.text) {
            let vault = access.vault.clone();
            changes.push(CredentialChange::Policy { action: action(found.is_some()), policy, vault });
        }
    }
    if let Some(there) = wrong_role {
        changes.push(CredentialChange::Role { action: action(there), access: Arc::clone(access) });
    }
    if !good {
        changes.push(CredentialChange::Issue { action: action(live.is_some()), access: Arc::clone(access) });
    }
    Ok(changes)
}

/// Whether the AppRole is there although it must be written; nothing when it is as it should be, or none is needed.
async fn role(access: &OperatorAccess) -> Result<Option<bool>, VaultError> {
    if access.kind == AccessKind::Token {
        return Ok(None);
    }
    let role = access.vault.role(&access.name).await?;
    let good = role.as_ref().is_some_and(|role| role.token_policies == [access.policy.clone()]);
    Ok((!good).then_some(role.is_some()))
}

/// Credentials that were given to us for the operator.
pub(super) fn given(process: &Process) -> Result<Option<Given>, Failure> {
    let of = |name: &str| process.credential(name);
    match (of("VAULT_ROLE_ID")?, of("VAULT_SECRET_ID")?, of("VAULT_OPERATOR_TOKEN")?) {
        (Some(role_id), Some(secret_id), _) => Ok(Some(Given::AppRole { role_id, secret_id })),
        (None, None, Some(token)) => Ok(Some(Given::Token(token))),
        (None, None, None) => Ok(None),
        _ => Err(Failure::new(Kind::Usage, "only one of VAULT_ROLE_ID and VAULT_SECRET_ID is set")
            .help("set both, or neither")),
    }
}

/// A login that may not look at policies and roles goes on with what is there, and cannot make what is not.
fn without_rights(
    run: &Run,
    call: &str,
    live: Option<&DynamicObject>,
    login: &OperatorLogin,
) -> Result<Vec<CredentialChange>, Failure> {
    if live.is_some_and(|live| is_complete(live, login)) {
        let message = format!(
            "our login may not look at policies and AppRoles ({call}): Secret {} is taken as it is",
            login.secret
        );
        run.outlet.events().note(message);
        return Ok(Vec::new());
    }
    let message = format!(
        "Secret {OPERATOR}/{} is missing, and our login to Vault may not issue credentials ({call})",
        login.secret
    );
    Err(Failure::new(Kind::Unreachable, message)
        .help("give the operator's own credentials in VAULT_ROLE_ID and VAULT_SECRET_ID, or a token with rights on policies and AppRoles in VAULT_TOKEN"))
}
