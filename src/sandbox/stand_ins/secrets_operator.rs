//! Stands in for vault-secrets-operator: every `VaultSecret` becomes a Secret, read with the login that the operator's
//! running pod has. Without such a pod, or without a login, nothing happens, as on a real cluster.
//!
//! Simpler: KV version 2 only, no PKI, no namespaces of Vault, always the strategy `Replace`, no finalizer.

use super::operator_session::{self, Session};
use super::{Context, StandInError, drive, served, vault_secret};
use crate::sandbox::cluster::MANAGER;
use futures::stream;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::Controller;
use kube::runtime::controller::Action;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

struct Operator {
    context: Arc<Context>,
    session: watch::Receiver<Option<Session>>,
}

/// Runs the operator for as long as the sandbox runs.
pub(super) async fn run(context: Arc<Context>) {
    let (sender, session) = watch::channel(None);
    let work = async {
        served(&context.client, "vaultsecrets.ricoberger.de").await;
        let objects: Api<DynamicObject> = Api::all_with(context.client.clone(), &vault_secret::resource());
        let secrets: Api<Secret> = Api::all(context.client.clone());
        let logins = stream::unfold(session.clone(), |mut session| async {
            session.changed().await.ok()?;
            Some(((), session))
        });
        let operator = Arc::new(Operator { context: Arc::clone(&context), session });
        let controller = Controller::new_with(objects, watcher::Config::default(), vault_secret::resource())
            .owns(secrets, watcher::Config::default())
            .reconcile_all_on(logins);
        drive(controller.run(reconcile, again, operator)).await;
    };
    tokio::join!(operator_session::follow(Arc::clone(&context), sender), work);
}

fn again<K>(_: Arc<K>, error: &StandInError, _: Arc<Operator>) -> Action {
    eprintln!("stand-in: the secrets operator: {error}");
    Action::requeue(Duration::from_secs(2))
}

async fn reconcile(object: Arc<DynamicObject>, operator: Arc<Operator>) -> Result<Action, StandInError> {
    let Some(session) = operator.session.borrow().clone() else { return Ok(Action::await_change()) };
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let outcome = operator.answer(&object, &session).await;
    let (reason, message) = match &outcome {
        Ok(None) => return Ok(Action::requeue(session.interval)),
        Ok(Some(done)) => {
            (*done, if *done == "Created" { "Secret was created" } else { "Secret was updated" }.to_owned())
        }
        Err((reason, message)) => (*reason, message.clone()),
    };
    operator.tell(&object, outcome.is_ok(), reason, &message).await?;
    match outcome {
        Ok(_) => Ok(Action::requeue(session.interval)),
        Err((_, message)) => Err(StandInError::Object(format!("{}: {message}", object.name_any()))),
    }
}

impl Operator {
    /// Brings the Secret to what Vault holds: what was done, nothing when it was right, or why it cannot be.
    async fn answer(
        &self,
        object: &DynamicObject,
        session: &Session,
    ) -> Result<Option<&'static str>, (&'static str, String)> {
        let spec = vault_secret::spec_of(object).map_err(|error| ("InvalidResource", error))?;
        let path = vault_secret::data_path(&spec).map_err(|error| ("FetchFailed", error))?;
        let held = self.context.vault.call(Method::GET, &path, Some(&session.token), None).await;
        let held = held.map_err(|error| ("FetchFailed", error.to_string()))?;
        let held = held.ok_or_else(|| ("FetchFailed", format!("secret is nil: {}", spec.path)))?;
        let wanted = vault_secret::secret_for(object, &spec, &held["data"]["data"]);
        let mut wanted = wanted.map_err(|error| ("CreateFailed", error))?;
        let secrets: Api<Secret> =
            Api::namespaced(self.context.client.clone(), &object.namespace().unwrap_or_default());
        let found = secrets.get_opt(&object.name_any()).await.map_err(|error| ("CreateFailed", error.to_string()))?;
        let parameters = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        match found {
            None => {
                let created = secrets.create(&parameters, &wanted).await;
                created.map(|_| Some("Created")).map_err(|error| ("CreateFailed", error.to_string()))
            }
            Some(found) if vault_secret::is_same(&wanted, &found) && is_content(object) => Ok(None),
            Some(found) => {
                wanted.metadata.resource_version = found.metadata.resource_version;
                let replaced = secrets.replace(&object.name_any(), &parameters, &wanted).await;
                replaced.map(|_| Some("Updated")).map_err(|error| ("UpdateFailed", error.to_string()))
            }
        }
    }

    /// Writes the condition, unless it says the same already: a failure is not news every two seconds.
    async fn tell(&self, object: &DynamicObject, good: bool, reason: &str, message: &str) -> Result<(), StandInError> {
        let now = &object.data["status"]["conditions"][0];
        let status = if good { "True" } else { "False" };
        if !good && now["reason"] == reason && now["message"] == message {
            return Ok(());
        }
        let condition = json!({
            "type": "SecretCreated", "status": status, "reason": reason, "message": message,
            "observedGeneration": object.metadata.generation,
            "lastTransitionTime": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        let (client, resource) = (self.context.client.clone(), vault_secret::resource());
        let objects: Api<DynamicObject> =
            Api::namespaced_with(client, &object.namespace().unwrap_or_default(), &resource);
        let patch = json!({"status": {"conditions": [condition]}});
        objects.patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }
}

/// Whether the status says that the Secret is right.
fn is_content(object: &DynamicObject) -> bool {
    object.data["status"]["conditions"][0]["status"] == "True"
}
