//! When workloads are there: Deployments, `StatefulSet`s and `DaemonSet`s rolled out, Jobs completed.

use crate::client::kubernetes::{Cluster, KubernetesError, Verdict, resource};
use crate::engine::Deadline;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

const KINDS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// A condition of an object's status.
pub(super) fn condition<'a>(object: &'a DynamicObject, kind: &str) -> Option<&'a Value> {
    object.data.pointer("/status/conditions")?.as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Waits until those of the objects that are workloads have rolled out.
pub(super) async fn wait_for_rollouts<'a>(
    cluster: &Cluster,
    objects: impl Iterator<Item = &'a DynamicObject>,
    deadline: Deadline,
) -> Result<(), KubernetesError> {
    for object in objects {
        let kind = object.types.as_ref().map_or("", |types| types.kind.as_str());
        if let (Some(kind), Some(namespace)) = (KINDS.iter().find(|known| **known == kind), object.namespace()) {
            wait_for_rollout(cluster, kind, &namespace, &object.name_any(), deadline).await?;
        }
    }
    Ok(())
}

/// Waits until one workload has rolled out.
pub(super) async fn wait_for_rollout(
    cluster: &Cluster,
    kind: &str,
    namespace: &str,
    name: &str,
    deadline: Deadline,
) -> Result<(), KubernetesError> {
    let place = (Some(namespace), name);
    let wait = cluster.wait_for_one(resource("apps/v1", kind), place, "rolled out", deadline, |live| {
        live.map_or_else(|| Verdict::NotYet("it is not there yet".into()), |object| rolled_out(kind, object))
    });
    wait.await
}

/// Waits until a Job has completed; a failed one fails the wait.
pub(super) async fn wait_for_job(
    cluster: &Cluster,
    job: &DynamicObject,
    deadline: Deadline,
) -> Result<(), KubernetesError> {
    let (namespace, name) = (job.namespace().unwrap_or_default(), job.name_any());
    let place = (Some(namespace.as_str()), name.as_str());
    let mut was_there = false;
    let wait = cluster.wait_for_one(resource("batch/v1", "Job"), place, "complete", deadline, |live| {
        let Some(job) = live else {
            // One with a time to live goes by itself once it has ended.
            return if was_there { Verdict::Done } else { Verdict::NotYet("it is not there yet".into()) };
        };
        was_there = true;
        let holds = |kind: &str| condition(job, kind).filter(|condition| condition["status"] == "True");
        match (holds("Complete"), holds("Failed")) {
            (Some(_), _) => Verdict::Done,
            (None, Some(failed)) => Verdict::Never(text(&failed["message"])),
            (None, None) => Verdict::NotYet(format!("{} of its pods run", number(job, "/status/active"))),
        }
    });
    wait.await
}

/// Whether a workload's newest revision is available everywhere.
fn rolled_out(kind: &str, object: &DynamicObject) -> Verdict {
    // A pod that the API server refuses (pod security, quota) never appears: its message is all there is to see.
    if let Some(failure) = condition(object, "ReplicaFailure").filter(|condition| condition["status"] == "True") {
        return Verdict::Never(text(&failure["message"]));
    }
    if let Some(progress) =
        condition(object, "Progressing").filter(|found| found["reason"] == "ProgressDeadlineExceeded")
    {
        return Verdict::Never(text(&progress["message"]));
    }
    if number(object, "/status/observedGeneration") < object.metadata.generation.unwrap_or(0) {
        return Verdict::NotYet("its controller has not seen it yet".into());
    }
    let (wanted, updated, ready) = if kind == "DaemonSet" {
        let wanted = number(object, "/status/desiredNumberScheduled");
        (wanted, number(object, "/status/updatedNumberScheduled"), number(object, "/status/numberAvailable"))
    } else {
        let wanted = object.data.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
        (wanted, number(object, "/status/updatedReplicas"), number(object, "/status/availableReplicas"))
    };
    // A Deployment starts new pods before it ends old ones: as long as those are there, all may be available without one
    // of the new ones being so.
    let old = number(object, "/status/replicas") - updated;
    if kind == "Deployment" && old > 0 {
        return Verdict::NotYet(format!("{old} of its pods are of an old revision"));
    }
    if updated >= wanted && ready >= wanted {
        Verdict::Done
    } else {
        Verdict::NotYet(format!("{ready} of {wanted} replicas are available, {updated} are of the new revision"))
    }
}

fn number(object: &DynamicObject, pointer: &str) -> i64 {
    object.data.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(status: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "n", "generation": 2},
            "spec": {"replicas": 2}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_deployment_is_there_when_its_newest_revision_is_available() {
        let stale = json!({"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 2});
        assert!(matches!(rolled_out("Deployment", &deployment(&stale)), Verdict::NotYet(_)));
        let old = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2});
        assert!(
            matches!(rolled_out("Deployment", &deployment(&old)), Verdict::NotYet(_)),
            "one available pod is an old one"
        );
        let partial = json!({"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 2});
        assert!(matches!(rolled_out("Deployment", &deployment(&partial)), Verdict::NotYet(_)));
        let whole = json!({"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 2});
        assert_eq!(rolled_out("Deployment", &deployment(&whole)), Verdict::Done);
    }

    #[test]
    fn a_refused_pod_ends_the_wait_with_its_message() {
        let refused =
            json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}]});
        assert_eq!(rolled_out("Deployment", &deployment(&refused)), Verdict::Never("violates PodSecurity".into()));
    }
}
