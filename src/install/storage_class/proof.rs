//! The proof that a class works: a claim of it binds, and is given back.

use super::super::marker::NAMESPACE;
use super::super::snapshot::Snapshot;
use crate::client::kubernetes::{Cluster, Difference, KubernetesError, Verdict, resource};
use crate::engine::Deadline;
use crate::error::{Failure, Kind};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::json;
use std::time::Duration;

/// How the names of our claims begin.
const PREFIX: &str = "proof-of-";

/// A volume is there in seconds, or something is wrong that waiting does not mend.
const TIME: Duration = Duration::from_mins(5);

/// Claims that a killed run left behind.
pub(super) async fn left_behind(snapshot: &Snapshot) -> Result<Vec<DynamicObject>, KubernetesError> {
    let ours = |claim: &&DynamicObject| {
        claim.namespace().as_deref() == Some(NAMESPACE) && claim.name_any().starts_with(PREFIX)
    };
    Ok(snapshot.claims().await?.iter().filter(ours).cloned().collect())
}

/// Claims a volume of the class, waits until it is bound, and gives it back.
pub(super) async fn prove(cluster: &Cluster, class: &str, deadline: Deadline) -> Result<(), Failure> {
    let name = format!("{PREFIX}{class}");
    let claim: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }))
    .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
    let made = cluster.apply(&claim, Difference::Missing).await?;
    let kind = resource("v1", "PersistentVolumeClaim");
    let deadline = deadline.within(TIME);
    let bound = cluster.wait_for_one(kind, (Some(NAMESPACE), &name), "Bound", deadline, |live| {
        match live.and_then(|claim| claim.data.pointer("/status/phase")).and_then(serde_json::Value::as_str) {
            Some("Bound") => Verdict::Done,
            Some("Lost") => Verdict::Never("its volume is lost".into()),
            Some(phase) => Verdict::NotYet(format!("it is {phase}")),
            None => Verdict::NotYet("it is not there yet".into()),
        }
    });
    bound.await?;
    give_back(cluster, &made, deadline).await
}

/// Deletes a claim and waits until it is gone: its finalizer keeps it for a moment, in which the next look would find it
/// and a claim of the same name could not be made.
pub(super) async fn give_back(cluster: &Cluster, claim: &DynamicObject, deadline: Deadline) -> Result<(), Failure> {
    cluster.delete(claim).await?;
    let kind = resource("v1", "PersistentVolumeClaim");
    let (place, deadline) = ((Some(NAMESPACE), &*claim.name_any()), deadline.within(TIME));
    let gone = cluster.wait_for_one(kind, place, "gone", deadline, |live| match live {
        None => Verdict::Done,
        Some(_) => Verdict::NotYet("it is being deleted".into()),
    });
    Ok(gone.await?)
}
