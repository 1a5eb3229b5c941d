//! Step `vaultCredentials`: policies, AppRole, and the Secret from which the secrets operator takes its login.
//!
//! Credentials that were given (`VAULT_ROLE_ID` and `VAULT_SECRET_ID`, or `VAULT_OPERATOR_TOKEN`) are installed as they
//! are. Otherwise a SecretID is issued for this cluster, once; its handle, which is no secret, stays on the Secret as the
//! mark by which the next run finds it good. Rotation is another command: `access rotate`.

use super::operator_login::{Given, OPERATOR, OperatorLogin, Variable};
use super::site::Site;
use super::vault_place::VaultPlace;
use super::workload;
use crate::client::kubernetes::{Cluster, Identity, Patchable};
use crate::client::vault::{Vault, VaultError};
use crate::engine::{Action, Deadline, Describe, Described, Observation, Run, Step};
use crate::error::{Failure, Kind};
use crate::process::Process;
use crate::secret_value::SecretValue;
use crate::secrets::Policy;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// On the Secret: the handle of the SecretID in it.
pub(super) const ACCESSOR: &str = "rsp-install.lsst.io/secret-id-accessor";
/// In a SecretID's metadata: for which cluster it was issued.
pub(super) const CLUSTER: &str = "cluster";

/// The step.
pub(super) struct VaultCredentialsStep(pub Arc<Site>);

/// One change.
pub(super) enum CredentialChange {
    /// A policy gets phalanx's text.
    Policy { action: Action, policy: Policy, vault: Vault },
    /// The AppRole gets its policy.
    Role { action: Action, access: Arc<RoleAccess> },
    /// A SecretID is issued and installed.
    Issue { action: Action, access: Arc<RoleAccess> },
    /// The given credentials are installed.
    Install { action: Action, login: OperatorLogin, given: Arc<Given> },
}

/// What is needed to give the operator an AppRole.
pub(super) struct RoleAccess {
    /// The server.
    pub vault: Vault,
    /// The role's name.
    pub role: String,
    /// The policy of its tokens.
    pub policy: String,
    /// The Secret.
    pub login: OperatorLogin,
    /// What a SecretID's metadata says.
    pub metadata: BTreeMap<String, String>,
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
                Described::new(word(action), format!("Vault AppRole {}", access.role))
            }
            CredentialChange::Issue { action, access } => Described::new(
                word(action),
                format!("{} with a new SecretID of AppRole {}", secret(&access.login), access.role),
            ),
            CredentialChange::Install { action, login, .. } => {
                Described::new(word(action), format!("{} with the given credentials", secret(login)))
            }
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
        if let Some(given) = given(&self.0.process)? {
            let right = live.is_some_and(|live| holds(&live, &login.data(&given).unwrap_or_default()));
            let change = CredentialChange::Install { action, login, given: Arc::new(given) };
            return Ok(Observation::Known(if right { Vec::new() } else { vec![Arc::new(change)] }));
        }
        let vault = place.connect(&self.0.process, None, &run.outlet)?;
        let access = RoleAccess::of(&self.0, &place, vault, login, &contact.identity).await?;
        let changes = match access.changes(&self.0, &place, live.as_ref()).await {
            Err(VaultError::Denied { call }) => return without_rights(run, &call, live.as_ref(), &access.login),
            other => other?,
        };
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
                Ok(access.vault.write_role(*action, &access.role, std::slice::from_ref(&access.policy)).await?)
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
        }
    }
}

impl RoleAccess {
    /// What phalanx names and allows.
    pub(super) async fn of(
        site: &Site,
        place: &VaultPlace,
        vault: Vault,
        login: OperatorLogin,
        identity: &Identity,
    ) -> Result<Arc<Self>, Failure> {
        if login.wants_token() {
            let message = format!("the values of {OPERATOR} want a token, and none is given");
            return Err(
                Failure::new(Kind::Usage, message).help("set VAULT_OPERATOR_TOKEN or VAULT_OPERATOR_TOKEN_FILE")
            );
        }
        let policy = Policy::read(&site.source().await?.checkout, &place.prefix)?.name;
        let metadata = BTreeMap::from([
            (CLUSTER.to_owned(), identity.ca_sha256.clone().unwrap_or_else(|| identity.server.clone())),
            ("server".to_owned(), identity.server.clone()),
            ("environment".to_owned(), site.name().to_owned()),
        ]);
        Ok(Arc::new(Self { vault, role: place.prefix.last().to_owned(), policy, login, metadata }))
    }

    async fn changes(
        self: &Arc<Self>,
        site: &Site,
        place: &VaultPlace,
        live: Option<&DynamicObject>,
    ) -> Result<Vec<CredentialChange>, VaultError> {
        let Ok(source) = site.source().await else { return Ok(Vec::new()) };
        let texts = (Policy::read(&source.checkout, &place.prefix), Policy::write(&source.checkout, &place.prefix));
        let wanted: Vec<Policy> = [texts.0, texts.1].into_iter().flatten().collect();
        let policies = wanted.into_iter().map(|policy| async {
            let found = self.vault.policy(&policy.name).await?;
            Ok::<_, VaultError>((found, policy))
        });
        let (policies, role, good) =
            tokio::try_join!(futures::future::try_join_all(policies), self.vault.role(&self.role), self.is_good(live))?;
        let action = |there: bool| if there { Action::Update } else { Action::Create };
        let mut changes = Vec::new();
        for (found, policy) in policies {
            if found.as_ref() != Some(&policy.text) {
                let vault = self.vault.clone();
                changes.push(CredentialChange::Policy { action: action(found.is_some()), policy, vault });
            }
        }
        if role.as_ref().is_none_or(|role| role.token_policies != [self.policy.clone()]) {
            changes.push(CredentialChange::Role { action: action(role.is_some()), access: Arc::clone(self) });
        }
        if !good {
            changes.push(CredentialChange::Issue { action: action(live.is_some()), access: Arc::clone(self) });
        }
        Ok(changes)
    }

    /// Whether the Secret has every key, and its SecretID still is one of the role. One that somebody else installed is
    /// taken as it is: it is not ours to replace.
    async fn is_good(&self, live: Option<&DynamicObject>) -> Result<bool, VaultError> {
        let Some(live) = live.filter(|live| is_complete(live, &self.login)) else { return Ok(false) };
        let Some(accessor) = live.annotations().get(ACCESSOR) else { return Ok(true) };
        let id = self.login.keys.iter().find(|(_, variable)| **variable == Variable::RoleId);
        let installed = id.and_then(|(key, _)| value_of(live, key));
        let (accessors, role_id) =
            tokio::try_join!(self.vault.secret_id_accessors(&self.role), self.vault.role_id(&self.role))?;
        Ok(accessors.contains(accessor) && role_id.as_deref() == installed.as_ref().map(SecretValue::expose))
    }

    /// Issues a SecretID for this cluster and puts it into the Secret; tells its handle.
    pub(super) async fn issue_and_install(&self, cluster: &Cluster) -> Result<String, Failure> {
        let lost = || Failure::new(Kind::Failed, format!("AppRole {} has no id", self.role));
        let role_id = self.vault.role_id(&self.role).await?.ok_or_else(lost)?;
        let new = self.vault.new_secret_id(&self.role, &self.metadata).await?;
        if !self.vault.try_login(&role_id, &new.id).await? {
            let message =
                format!("Vault does not accept the SecretID that it has just issued for AppRole {}", self.role);
            return Err(Failure::new(Kind::Failed, message));
        }
        let given = Given::AppRole { role_id: SecretValue::new(role_id), secret_id: new.id };
        install(cluster, &self.login, &given, Some(&new.accessor)).await?;
        Ok(new.accessor)
    }
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

/// Writes the Secret, and its namespace where that is not there yet.
async fn install(
    cluster: &Cluster,
    login: &OperatorLogin,
    given: &Given,
    accessor: Option<&str>,
) -> Result<(), Failure> {
    let object = |value| {
        serde_json::from_value::<DynamicObject>(value).map_err(|error| Failure::new(Kind::Failed, error.to_string()))
    };
    let namespace = object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR}}))?;
    if let Some(difference) = cluster.difference(&namespace).await? {
        cluster.apply(&namespace, difference).await?;
    }
    let encoded = |(key, value): (String, String)| (key, STANDARD.encode(value));
    let data: BTreeMap<String, String> = login.data(given)?.into_iter().map(encoded).collect();
    let annotations: BTreeMap<&str, &str> = accessor.map(|accessor| (ACCESSOR, accessor)).into_iter().collect();
    let secret = object(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": {"name": login.secret, "namespace": OPERATOR, "annotations": annotations},
    }))?;
    if let Some(difference) = cluster.difference(&secret).await? {
        cluster.apply(&secret, difference).await?;
    }
    Ok(())
}

/// The operator reads its login only when it starts.
async fn restart_if_running(cluster: &Cluster, deadline: Deadline) -> Result<(), Failure> {
    if cluster.get("apps/v1", "Deployment", Some(OPERATOR), OPERATOR).await?.is_some() {
        restart(cluster, deadline).await?;
    }
    Ok(())
}

/// Starts the operator anew and waits until only new pods are there.
pub(super) async fn restart(cluster: &Cluster, deadline: Deadline) -> Result<(), Failure> {
    let target =
        Patchable { group_version: "apps/v1", kind: "Deployment", namespace: OPERATOR.into(), name: OPERATOR.into() };
    let annotation = json!({"kubectl.kubernetes.io/restartedAt": jiff::Timestamp::now().to_string()});
    cluster.merge(&target, &json!({"spec": {"template": {"metadata": {"annotations": annotation}}}})).await?;
    Ok(workload::wait_for_rollout(cluster, "Deployment", OPERATOR, OPERATOR, deadline).await?)
}

/// A login that may not look at policies and roles goes on with what is there, and cannot make what is not.
fn without_rights(
    run: &Run,
    call: &str,
    live: Option<&DynamicObject>,
    login: &OperatorLogin,
) -> Result<Observation<Vec<Arc<CredentialChange>>>, Failure> {
    if live.is_some_and(|live| is_complete(live, login)) {
        let message = format!(
            "our login may not look at policies and AppRoles ({call}): Secret {} is taken as it is",
            login.secret
        );
        run.outlet.events().note(message);
        return Ok(Observation::Known(Vec::new()));
    }
    let message = format!(
        "Secret {OPERATOR}/{} is missing, and our login to Vault may not issue credentials ({call})",
        login.secret
    );
    Err(Failure::new(Kind::Unreachable, message)
        .help("give the operator's own credentials in VAULT_ROLE_ID and VAULT_SECRET_ID, or a token with rights on policies and AppRoles in VAULT_TOKEN"))
}

fn is_complete(secret: &DynamicObject, login: &OperatorLogin) -> bool {
    login.keys.keys().all(|key| value_of(secret, key).is_some())
}

fn value_of(secret: &DynamicObject, key: &str) -> Option<SecretValue> {
    let bytes = STANDARD.decode(secret.data.pointer("/data")?.get(key)?.as_str()?).ok()?;
    String::from_utf8(bytes).ok().map(SecretValue::new).filter(|value| !value.is_empty())
}

fn holds(secret: &DynamicObject, data: &BTreeMap<String, String>) -> bool {
    data.iter().all(|(key, value)| value_of(secret, key).is_some_and(|found| found.expose() == value))
}
