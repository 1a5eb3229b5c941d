//! The Secret of the secrets operator's login: read, written, and the operator started anew with it.

use super::operator_login::{Given, OPERATOR, OperatorLogin};
use super::snapshot::Snapshot;
use super::workload;
use crate::client::kubernetes::{Cluster, FIELD_MANAGER, KubernetesError, Patchable};
use crate::engine::Deadline;
use crate::error::{Failure, Kind};
use crate::secret_value::SecretValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// On the Secret: the handle of the credential in it.
pub(super) const ACCESSOR: &str = "rsp-install.lsst.io/credential-accessor";

/// Writes the Secret, and its namespace where that is not there yet.
pub(super) async fn install(
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

/// Whether the Secret has a value for every key.
pub(super) fn is_complete(secret: &DynamicObject, login: &OperatorLogin) -> bool {
    login.keys.keys().all(|key| value_of(secret, key).is_some())
}

/// The value of a key, if there is one.
pub(super) fn value_of(secret: &DynamicObject, key: &str) -> Option<SecretValue> {
    let bytes = STANDARD.decode(secret.data.pointer("/data")?.get(key)?.as_str()?).ok()?;
    String::from_utf8(bytes).ok().map(SecretValue::new).filter(|value| !value.is_empty())
}

/// Whether the Secret has exactly these values among its own.
pub(super) fn holds(secret: &DynamicObject, data: &BTreeMap<String, String>) -> bool {
    data.iter().all(|(key, value)| value_of(secret, key).is_some_and(|found| found.expose() == value))
}

/// Whether the operator runs with what was in the Secret before we wrote it: it reads its login only when it starts, and
/// whoever wrote the Secret last was stopped before starting it anew. Both times are the API server's own.
pub(super) async fn started_before(snapshot: &Snapshot, secret: &DynamicObject) -> Result<bool, KubernetesError> {
    let Some(written) = written_by_us(secret) else { return Ok(false) };
    let (deployment, pods) =
        tokio::try_join!(snapshot.cluster().get("apps/v1", "Deployment", Some(OPERATOR), OPERATOR), snapshot.pods())?;
    let labels = deployment.as_ref().and_then(|found| found.data.pointer("/spec/selector/matchLabels")?.as_object());
    let Some(labels) = labels.filter(|labels| !labels.is_empty()) else { return Ok(false) };
    let runs = |pod: &&DynamicObject| {
        let has = |(name, value): (&String, &Value)| pod.labels().get(name).map(String::as_str) == value.as_str();
        let there = pod.namespace().as_deref() == Some(OPERATOR) && pod.metadata.deletion_timestamp.is_none();
        there && labels.iter().all(has)
    };
    Ok(pods.iter().filter(runs).any(|pod| pod.creation_timestamp().is_some_and(|created| created.0 < written)))
}

/// When we last wrote the Secret, to the second; nothing when its content is somebody else's.
fn written_by_us(secret: &DynamicObject) -> Option<jiff::Timestamp> {
    let ours = secret.managed_fields().iter().filter(|entry| {
        let data = entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:data").is_some());
        data && entry.manager.as_deref() == Some(FIELD_MANAGER)
    });
    ours.filter_map(|entry| entry.time.as_ref().map(|time| time.0)).max()
}

/// Starts the operator anew, if it is there.
pub(super) async fn restart_if_running(cluster: &Cluster, deadline: Deadline) -> Result<(), Failure> {
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
