//! What must be true between stages: Secrets made from VaultSecrets, kinds served, webhooks answering, health.

use super::argocd_wait::wait_for_applications;
use super::order::Ready;
use super::workload;
use crate::client::kubernetes::{Cluster, KubernetesError, Patchable, Verdict, resource};
use crate::engine::{Deadline, Event};
use crate::error::Failure;
use backon::{ExponentialBuilder, Retryable as _};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// VaultSecret objects of the vault-secrets-operator.
pub(super) const VAULT_SECRET_API: &str = "ricoberger.de/v1alpha1";

/// The secrets operator looks at everything once a minute: what has not become a Secret by then lacks something in Vault, and
/// its words about that must not wait for the end of the run.
const SECRETS_TIME: Duration = Duration::from_mins(4);

/// Waits for one thing.
pub(super) async fn wait_until(cluster: &Cluster, ready: &Ready, deadline: Deadline) -> Result<(), Failure> {
    match ready {
        Ready::Rollout(kind, namespace, name) => {
            Ok(workload::wait_for_rollout(cluster, kind, namespace, name, deadline).await?)
        }
        Ready::Definitions => {
            cluster.forget_kinds().await;
            Ok(wait_for_definitions(cluster, deadline).await?)
        }
        Ready::CertManagerWebhook => Ok(wait_for_cert_manager(cluster, deadline).await?),
        Ready::GafaelfawrRestart => restart_gafaelfawr(cluster, deadline).await,
    }
}

/// Waits until every VaultSecret of these namespaces has become a Secret.
pub(super) async fn wait_for_secrets(
    cluster: &Cluster,
    namespaces: &[&str],
    deadline: Deadline,
) -> Result<(), Failure> {
    for namespace in namespaces.iter().collect::<BTreeSet<_>>() {
        let wanted = cluster.list(VAULT_SECRET_API, "VaultSecret", Some(namespace)).await?;
        if wanted.is_empty() {
            continue;
        }
        let names: Vec<String> = wanted.iter().map(kube::ResourceExt::name_any).collect();
        let what = format!("Secrets of namespace {namespace}");
        let wait = cluster.wait_for(
            resource("v1", "Secret"),
            Some(namespace),
            (&what, "made from VaultSecrets"),
            deadline.within(SECRETS_TIME),
            |seen| {
                let present = |name: &&String| !seen.contains_key(&((*namespace).to_string(), (*name).clone()));
                let missing: Vec<&str> = names.iter().filter(present).map(String::as_str).collect();
                if missing.is_empty() {
                    Verdict::Done
                } else {
                    Verdict::NotYet(format!("missing: {}", missing.join(", ")))
                }
            },
        );
        if let Err(error) = wait.await {
            // The operator's own words are on the VaultSecret.
            return Err(explain(cluster, namespace, error.into()).await);
        }
    }
    Ok(())
}

/// Adds what the secrets operator says about its objects.
async fn explain(cluster: &Cluster, namespace: &str, mut failure: Failure) -> Failure {
    for object in cluster.list(VAULT_SECRET_API, "VaultSecret", Some(namespace)).await.unwrap_or_default() {
        let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
        let failed = conditions.into_iter().flatten().find(|condition| condition["status"] == "False");
        if let Some(message) = failed.and_then(|condition| condition["message"].as_str()) {
            failure = failure.help(format!("VaultSecret {namespace}/{}: {message}", object.name_any()));
        }
    }
    failure
}

async fn wait_for_definitions(cluster: &Cluster, deadline: Deadline) -> Result<(), KubernetesError> {
    let kind = resource("apiextensions.k8s.io/v1", "CustomResourceDefinition");
    let wait = cluster.wait_for(kind, None, ("CustomResourceDefinitions", "Established"), deadline, |seen| {
        let established = |definition: &&DynamicObject| {
            workload::condition(definition, "Established").is_none_or(|condition| condition["status"] != "True")
        };
        let missing: Vec<String> = seen.values().filter(established).map(kube::ResourceExt::name_any).collect();
        if missing.is_empty() { Verdict::Done } else { Verdict::NotYet(missing.join(", ")) }
    });
    wait.await
}

/// A rolled-out webhook may still refuse connections: only a request through it tells.
async fn wait_for_cert_manager(cluster: &Cluster, deadline: Deadline) -> Result<(), KubernetesError> {
    const NAMESPACE: &str = "cert-manager";
    let configuration = cluster
        .get("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", None, "cert-manager-webhook")
        .await?;
    if configuration.is_none() {
        return Ok(());
    }
    workload::wait_for_rollout(cluster, "Deployment", NAMESPACE, "cert-manager-webhook", deadline).await?;
    let api = cluster.api(&resource("cert-manager.io/v1", "Certificate"), Some(NAMESPACE));
    let probe = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "rsp-install-probe", "namespace": NAMESPACE},
        "spec": {"secretName": "rsp-install-probe", "dnsNames": ["probe.invalid"], "issuerRef": {"name": "none"}},
    });
    let request = || async {
        let parameters = PatchParams::apply(crate::client::kubernetes::FIELD_MANAGER).dry_run();
        api.patch("rsp-install-probe", &parameters, &Patch::Apply(&probe)).await.map(|_: DynamicObject| ())
    };
    let policy = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(5))
        .with_total_delay(Some(deadline.left()))
        .without_max_times();
    let told = |error: &kube::Error, after: Duration| {
        cluster.events().tell(Event::Retry {
            call: "a dry-run Certificate through cert-manager's webhook".into(),
            message: error.to_string(),
            after_seconds: after.as_secs_f64(),
        });
    };
    let answered = request.retry(policy).when(|error| error.to_string().contains("webhook")).notify(told).await;
    answered.map_err(|error| KubernetesError::from_client("pass a Certificate through cert-manager's webhook", error))
}

/// Restarts Gafaelfawr's Deployments as `kubectl rollout restart` does.
async fn restart_gafaelfawr(cluster: &Cluster, deadline: Deadline) -> Result<(), Failure> {
    const NAMESPACE: &str = "gafaelfawr";
    for name in ["gafaelfawr", "gafaelfawr-operator"] {
        if cluster.get("apps/v1", "Deployment", Some(NAMESPACE), name).await?.is_none() {
            continue;
        }
        let target =
            Patchable { group_version: "apps/v1", kind: "Deployment", namespace: NAMESPACE.into(), name: name.into() };
        let now = jiff::Timestamp::now().to_string();
        let annotation = json!({"kubectl.kubernetes.io/restartedAt": now});
        cluster.merge(&target, &json!({"spec": {"template": {"metadata": {"annotations": annotation}}}})).await?;
        workload::wait_for_rollout(cluster, "Deployment", NAMESPACE, name, deadline).await?;
    }
    Ok(())
}

/// Waits until these Applications are Healthy.
pub(super) async fn wait_for_health(cluster: &Cluster, names: &[&str], deadline: Deadline) -> Result<(), Failure> {
    wait_for_applications(cluster, names, "Healthy", deadline, |live| {
        let health = &live.data["status"]["health"];
        let status = health["status"].as_str().unwrap_or("Unknown");
        let message = health["message"].as_str().map(|message| format!(": {message}")).unwrap_or_default();
        if status == "Healthy" { Verdict::Done } else { Verdict::NotYet(format!("is {status}{message}")) }
    })
    .await
}

/// The names of all Secrets, by namespace: only their metadata is asked for, so no value is ever in our memory.
pub(super) async fn secret_names(cluster: &Cluster) -> Result<BTreeSet<(String, String)>, KubernetesError> {
    let api: Api<Secret> = Api::all(cluster.client());
    let listed = api.list_metadata(&ListParams::default()).await;
    let listed = listed.map_err(|error| KubernetesError::from_client("list Secrets", error))?;
    Ok(listed.items.iter().map(|secret| (secret.namespace().unwrap_or_default(), secret.name_any())).collect())
}
