//! Syncing an Application without an argocd session: `operation` is written onto the object, and watched.
//!
//! An operation that is already running is never written over: a second one beside it resumes the first.

use super::argocd_wait::{patchable, wait_for_applications};
use super::error::InstallError;
use crate::client::kubernetes::{Cluster, Verdict};
use crate::engine::Deadline;
use crate::error::Failure;
use kube::api::DynamicObject;
use serde_json::{Value, json};

/// How often Argo CD itself tries an operation again before it gives up.
const RETRIES: u32 = 2;
/// How often we write the operation again. Argo CD's first sync of an application may say that its project does not exist
/// although it does (seen since 2.10.5 by phalanx's own installer, which tries twice).
const TRIES: usize = 2;

/// An operation to be written.
pub(super) struct Operation {
    application: String,
    id: String,
    options: Vec<String>,
    revision: Pin,
}

/// What an Application should be synced to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pin {
    /// This commit: the tip of the branch that is installed.
    Commit(String),
    /// A branch, tag or commit of its own, as Argo CD resolves it.
    Own(String),
}

impl Operation {
    /// A sync of an Application, with the options that its own policy names: only Argo CD's API server copies them.
    pub(super) fn of(name: &str, live: Option<&DynamicObject>, revision: Pin) -> Self {
        let options = live.and_then(|live| live.data.pointer("/spec/syncPolicy/syncOptions")).and_then(Value::as_array);
        let options = options.into_iter().flatten().filter_map(|option| option.as_str().map(str::to_owned)).collect();
        let id = hex::encode(rand::random::<[u8; 8]>());
        Self { application: name.to_owned(), id, options, revision }
    }

    fn to_patch(&self) -> Value {
        let (Pin::Commit(revision) | Pin::Own(revision)) = &self.revision;
        json!({"operation": {
            "initiatedBy": {"username": "rsp-install"},
            "info": [{"name": "rsp-install", "value": self.id}],
            "retry": {"limit": RETRIES},
            "sync": {"revision": revision, "syncOptions": self.options, "syncStrategy": {"hook": {}}},
        }})
    }
}

/// Whether the Application is Synced, at this commit if it is pinned to one.
pub(super) fn is_synced_at(application: &DynamicObject, pin: &Pin) -> bool {
    let sync = &application.data["status"]["sync"];
    let there = match pin {
        Pin::Commit(commit) => sync["revision"] == commit.as_str(),
        Pin::Own(_) => true,
    };
    sync["status"] == "Synced" && there
}

/// Whether an operation is waiting or running.
pub(super) fn is_running(application: &DynamicObject) -> bool {
    !application.data["operation"].is_null() || application.data["status"]["operationState"]["phase"] == "Running"
}

/// Writes the operation, waits until it has ended well and the Application is Synced.
pub(super) async fn sync(cluster: &Cluster, operation: &Operation, deadline: Deadline) -> Result<(), Failure> {
    for attempt in 1..=TRIES {
        wait_until_idle(cluster, &operation.application, deadline).await?;
        cluster.merge(&patchable(&operation.application), &operation.to_patch()).await?;
        match wait_for_end(cluster, operation, deadline).await? {
            None => return wait_until_synced(cluster, operation, deadline).await,
            Some(message) if attempt == TRIES => {
                let application = operation.application.clone();
                return Err(InstallError::SyncFailed { application, message }.into());
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Waits for an operation that somebody (or a killed run) has started.
pub(super) async fn wait_until_idle(cluster: &Cluster, application: &str, deadline: Deadline) -> Result<(), Failure> {
    wait_for_applications(cluster, &[application], "free of other operations", deadline, |live| {
        if is_running(live) { Verdict::NotYet(running_message(live)) } else { Verdict::Done }
    })
    .await
}

/// Waits for the end of our operation; its message when it failed.
async fn wait_for_end(cluster: &Cluster, operation: &Operation, deadline: Deadline) -> Result<Option<String>, Failure> {
    let mut failed = None;
    wait_for_applications(cluster, &[&operation.application], "synced", deadline, |live| {
        let state = &live.data["status"]["operationState"];
        let ours = state["operation"]["info"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|info| info["value"] == operation.id.as_str());
        match state["phase"].as_str() {
            Some("Succeeded") if ours => Verdict::Done,
            Some("Failed" | "Error") if ours => {
                failed = Some(failure_message(state));
                Verdict::Done
            }
            _ if ours => Verdict::NotYet(running_message(live)),
            _ => Verdict::NotYet("Argo CD has not taken up the operation yet".into()),
        }
    })
    .await?;
    Ok(failed)
}

/// An operation that succeeded shows a moment later in the comparison.
async fn wait_until_synced(cluster: &Cluster, operation: &Operation, deadline: Deadline) -> Result<(), Failure> {
    wait_for_applications(cluster, &[&operation.application], "Synced", deadline, |live| {
        if is_synced_at(live, &operation.revision) {
            return Verdict::Done;
        }
        let status = live.data["status"]["sync"]["status"].as_str().unwrap_or("not compared yet");
        Verdict::NotYet(format!("it is {status} {}", out_of_sync(live)))
    })
    .await
}

fn running_message(live: &DynamicObject) -> String {
    live.data["status"]["operationState"]["message"].as_str().unwrap_or("an operation is running").to_owned()
}

/// Argo CD's message with those of the objects that failed.
fn failure_message(state: &Value) -> String {
    let mut message = state["message"].as_str().unwrap_or("no message").to_owned();
    let resources = state["syncResult"]["resources"].as_array();
    let failed = resources.into_iter().flatten().filter(|resource| resource["status"] == "SyncFailed");
    for resource in failed.take(5) {
        let text = |key: &str| resource[key].as_str().unwrap_or_default();
        message = format!("{message}; {} {}/{}: {}", text("kind"), text("namespace"), text("name"), text("message"));
    }
    message
}

/// The objects that differ, for people.
fn out_of_sync(live: &DynamicObject) -> String {
    let resources = live.data["status"]["resources"].as_array();
    let differing: Vec<String> = resources
        .into_iter()
        .flatten()
        .filter(|resource| resource["status"] == "OutOfSync")
        .take(3)
        .map(|resource| {
            format!(
                "{} {}",
                resource["kind"].as_str().unwrap_or_default(),
                resource["name"].as_str().unwrap_or_default()
            )
        })
        .collect();
    if differing.is_empty() { String::new() } else { format!("({})", differing.join(", ")) }
}
