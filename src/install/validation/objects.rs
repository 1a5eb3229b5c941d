//! Are the objects there that should be, and well?

use super::super::readiness::{VAULT_SECRET_API, secret_names};
use super::super::snapshot::Snapshot;
use super::super::source::Source;
use super::super::workload;
use super::Check;
use crate::client::kubernetes::{KubernetesError, place};
use crate::error::Failure;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;
use std::collections::BTreeSet;

/// What was found.
pub(super) struct Found {
    /// The checks.
    pub checks: Vec<Check>,
    /// The Ingresses, which others look at, too.
    pub ingresses: Vec<DynamicObject>,
}

/// Looks at every object, one list for each kind.
pub(super) async fn checks(source: &Source, snapshot: &Snapshot) -> Result<Found, Failure> {
    let cluster = snapshot.cluster();
    let children = source.children(snapshot.target().await?).await?;
    let wanted: BTreeSet<String> = children.applications.iter().map(kube::ResourceExt::name_any).collect();
    let (live, pods, claims, ingresses, services, vault_secrets, secrets) = tokio::try_join!(
        snapshot.applications(),
        snapshot.pods(),
        snapshot.claims(),
        cluster.list("networking.k8s.io/v1", "Ingress", None),
        cluster.list("v1", "Service", None),
        cluster.list(VAULT_SECRET_API, "VaultSecret", None),
        secret_names(cluster),
    )
    .map_err(|error: KubernetesError| Failure::from(error))?;
    let missing = wanted.iter().filter(|name| !live.contains_key(*name)).map(|name| format!("{name} is missing"));
    let stray = live.keys().filter(|name| !wanted.contains(*name) && *name != source.parent());
    let unhealthy = live.iter().filter(|(name, _)| wanted.contains(*name)).filter_map(|(name, object)| {
        let status = object.data["status"]["health"]["status"].as_str().unwrap_or("Unknown");
        (status != "Healthy").then(|| format!("{name} is {status}"))
    });
    let without_secret = vault_secrets.iter().filter_map(|object| {
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        (!secrets.contains(&key)).then(|| format!("{}/{}", key.0, key.1))
    });
    let balancers: Vec<DynamicObject> =
        services.into_iter().filter(|service| service.data["spec"]["type"] == "LoadBalancer").collect();
    let hint = "look at it with kubectl describe";
    let checks = vec![
        Check::new(
            "applications",
            true,
            missing,
            format!("{} Applications", wanted.len()),
            "sync the parent Application",
        ),
        Check::new(
            "strayApplications",
            false,
            stray.map(|name| format!("{name} is not of this environment")),
            "none".into(),
            "disabled on the branch? Remove it in Argo CD when it is no longer needed",
        ),
        Check::new("health", true, unhealthy, "all Applications are Healthy".into(), "`rsp-install status` shows them"),
        Check::new("pods", true, pods.iter().filter_map(not_running), format!("{} pods", pods.len()), hint),
        Check::new(
            "secrets",
            true,
            without_secret,
            format!("{} VaultSecrets have their Secrets", vault_secrets.len()),
            "the conditions of the VaultSecret say why",
        ),
        Check::new(
            "storage",
            true,
            claims.iter().filter_map(not_bound),
            format!("{} claims are Bound", claims.len()),
            "is there a storage class for it?",
        ),
        Check::new(
            "loadBalancers",
            true,
            balancers.iter().filter_map(without_address),
            format!("{} have addresses", balancers.len()),
            hint,
        ),
        Check::new(
            "ingresses",
            false,
            ingresses.iter().filter_map(without_address),
            format!("{} have addresses", ingresses.len()),
            hint,
        ),
    ];
    Ok(Found { checks, ingresses })
}

/// Pods that neither run ready nor have ended well. One that is being replaced is somebody's intention.
fn not_running(pod: &DynamicObject) -> Option<String> {
    let phase = pod.data["status"]["phase"].as_str().unwrap_or("Unknown");
    let ready = workload::condition(pod, "Ready").is_some_and(|condition| condition["status"] == "True");
    let fine = phase == "Succeeded" || (phase == "Running" && ready) || pod.metadata.deletion_timestamp.is_some();
    (!fine).then(|| format!("{} is {phase}{}", place(pod), if phase == "Running" { " and not ready" } else { "" }))
}

fn not_bound(claim: &DynamicObject) -> Option<String> {
    let phase = claim.data["status"]["phase"].as_str().unwrap_or("Unknown");
    (phase != "Bound").then(|| format!("{} is {phase}", place(claim)))
}

fn without_address(object: &DynamicObject) -> Option<String> {
    let addresses = object.data.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
    addresses.is_none_or(Vec::is_empty).then(|| format!("{} has no address", place(object)))
}
