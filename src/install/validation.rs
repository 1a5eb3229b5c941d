//! Step `validation`: is what was installed really there and working? Reads only.
//!
//! Checks are data: an id, what was found, a hint. A fatal one that does not hold makes the run fail; the others warn.

use super::error::InstallError;
use super::readiness::{VAULT_SECRET_API, secret_names};
use super::site::Site;
use super::snapshot::Snapshot;
use super::source::Source;
use crate::client::kubernetes::KubernetesError;
use crate::engine::{Describe, Described, Event, Observation, Run, Step};
use crate::error::Failure;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The step.
pub(super) struct ValidationStep(pub Arc<Site>);

/// There is nothing that validation changes.
pub(super) enum Nothing {}

impl Describe for Nothing {
    fn describe(&self) -> Described {
        match *self {}
    }
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    id: &'static str,
    fatal: bool,
    /// What is wrong; empty when the check holds.
    wrong: Vec<String>,
    found: String,
    hint: &'static str,
}

impl Step for ValidationStep {
    type Observed = Vec<Check>;
    type Change = Nothing;

    fn name(&self) -> &'static str {
        "validation"
    }

    async fn observe(&self, run: &Run) -> Result<Observation<Vec<Check>>, Failure> {
        let source = self.0.source().await?;
        let Some(snapshot) = self.0.snapshot().await? else {
            return Ok(Observation::Unknown { until: "the cluster is up".into() });
        };
        if snapshot.record().await?.is_none() {
            return Ok(Observation::Unknown { until: "the environment is handed over".into() });
        }
        let checks = checks(source, &snapshot).await?;
        for check in &checks {
            let passed = check.wrong.is_empty();
            run.outlet.events().tell(Event::Check {
                id: check.id.to_owned(),
                passed,
                found: if passed { check.found.clone() } else { check.wrong.join(", ") },
                hint: if passed { String::new() } else { check.hint.to_owned() },
            });
        }
        Ok(Observation::Known(checks))
    }

    fn plan(&self, _observed: &Vec<Check>) -> Result<Vec<Nothing>, Failure> {
        Ok(Vec::new())
    }

    async fn apply(&self, change: &Nothing, _run: &Run) -> Result<(), Failure> {
        match *change {}
    }

    fn verdict(&self, observed: &Vec<Check>) -> Option<Failure> {
        let failed: Vec<String> = observed
            .iter()
            .filter(|check| check.fatal && !check.wrong.is_empty())
            .map(|check| format!("{}: {}", check.id, check.wrong.join(", ")))
            .collect();
        (!failed.is_empty()).then(|| InstallError::Unhealthy { failed, total: observed.len() }.into())
    }
}

async fn checks(source: &Source, snapshot: &Snapshot) -> Result<Vec<Check>, Failure> {
    let cluster = snapshot.cluster();
    let children = source.children(snapshot.target().await?).await?;
    let wanted: BTreeSet<String> = children.applications.iter().map(kube::ResourceExt::name_any).collect();
    let live = snapshot.applications().await?;
    let (pods, claims, ingresses, services, vault_secrets, secrets) = tokio::try_join!(
        cluster.list("v1", "Pod", None),
        cluster.list("v1", "PersistentVolumeClaim", None),
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
    Ok(vec![
        check("applications", true, missing, format!("{} Applications", wanted.len()), "sync the parent Application"),
        check(
            "strayApplications",
            false,
            stray.map(|name| format!("{name} is not of this environment")),
            "none".into(),
            "disabled on the branch? Remove it in Argo CD when it is no longer needed",
        ),
        check("health", true, unhealthy, "all Applications are Healthy".into(), "`rsp-install status` shows them"),
        check("pods", true, pods.iter().filter_map(not_running), format!("{} pods", pods.len()), hint),
        check(
            "secrets",
            true,
            without_secret,
            format!("{} VaultSecrets have their Secrets", vault_secrets.len()),
            "the conditions of the VaultSecret say why",
        ),
        check(
            "storage",
            true,
            claims.iter().filter_map(not_bound),
            format!("{} claims are Bound", claims.len()),
            "is there a storage class for it?",
        ),
        check(
            "loadBalancers",
            true,
            balancers.iter().filter_map(without_address),
            format!("{} have addresses", balancers.len()),
            hint,
        ),
        check(
            "ingresses",
            false,
            ingresses.iter().filter_map(without_address),
            format!("{} have addresses", ingresses.len()),
            hint,
        ),
    ])
}

fn check(
    id: &'static str,
    fatal: bool,
    wrong: impl Iterator<Item = String>,
    found: String,
    hint: &'static str,
) -> Check {
    let mut wrong: Vec<String> = wrong.collect();
    if wrong.len() > 10 {
        let more = wrong.len() - 10;
        wrong.truncate(10);
        wrong.push(format!("and {more} more"));
    }
    Check { id, fatal, wrong, found, hint }
}

fn place(object: &DynamicObject) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

/// Pods that neither run ready nor have ended well. One that is being replaced is somebody's intention.
fn not_running(pod: &DynamicObject) -> Option<String> {
    let phase = pod.data["status"]["phase"].as_str().unwrap_or("Unknown");
    let ready = super::workload::condition(pod, "Ready").is_some_and(|condition| condition["status"] == "True");
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
