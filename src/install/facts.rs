//! What the cluster says that `drift` and `mode` want to know. Reads only, and asks for no secret.
//!
//! Promises: what cannot be found out is left out; whoever asks goes on without a cluster.

use super::site::{Options, Site};
use super::snapshot::Snapshot;
use crate::client::kubernetes::{Cluster, KubernetesError};
use crate::drift::Facts;
use crate::engine::Run;
use crate::environment::{Cluster as Declared, Loaded};
use crate::error::Failure;
use crate::process::Process;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Nobody waits longer for facts that a report can do without.
const PATIENCE: Duration = Duration::from_secs(20);
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
/// Where phalanx puts what receives users' requests, and what reads Vault.
const INGRESS: &str = "ingress-nginx";
const SECRETS_OPERATOR: &str = "vault-secrets-operator";

/// Facts of the declared cluster; nothing, with a warning, when none is declared or it cannot be reached.
pub async fn facts(loaded: &Loaded, process: &Process, run: &Run) -> Option<Facts> {
    loaded.environment.cluster.as_ref()?;
    let (events, name) = (run.outlet.events(), &loaded.environment.name);
    let without = "the report is made without facts of the cluster";
    match tokio::time::timeout(PATIENCE, Box::pin(gather(loaded, process, run))).await {
        Ok(Ok(Some(facts))) => Some(facts),
        Ok(Ok(None)) => {
            events.warn(format!("the cluster of {name} is not there: {without}"));
            None
        }
        Ok(Err(failure)) => {
            events.warn(format!("{}: {without}", failure.message));
            None
        }
        Err(_) => {
            events.warn(format!("the cluster did not answer in {} seconds: {without}", PATIENCE.as_secs()));
            None
        }
    }
}

async fn gather(loaded: &Loaded, process: &Process, run: &Run) -> Result<Option<Facts>, Failure> {
    let site = Site::open(loaded.clone(), process.clone(), run.clone(), Options::default()).await?;
    let Some(snapshot) = site.snapshot().await? else { return Ok(None) };
    let cluster = snapshot.cluster();
    let (vault_url, vault_path_prefix) = vault(cluster).await?;
    // Where our own file or a sandbox decides, phalanx's values say nothing of the Vault in use.
    let declared = &site.loaded.environment.vault;
    let in_sandbox = matches!(site.loaded.environment.cluster, Some(Declared::Sandbox(_)));
    Ok(Some(Facts {
        kubernetes: Some(cluster.version().await?.git_version.trim_start_matches('v').to_owned()),
        revisions: revisions(&snapshot).await?,
        storage_class: default_class(cluster).await?,
        load_balancer: load_balancer(cluster).await?,
        vault_url: vault_url.filter(|_| declared.address.is_none() && !in_sandbox),
        vault_path_prefix: vault_path_prefix.filter(|_| declared.path_prefix.is_none()),
        ..Facts::default()
    }))
}

/// The commit that each Application runs.
async fn revisions(snapshot: &Snapshot) -> Result<BTreeMap<String, String>, KubernetesError> {
    let applications = snapshot.applications().await?;
    Ok(applications.iter().filter_map(|(name, object)| Some((name.clone(), revision(&object.data)?))).collect())
}

/// What was synced last; what Argo CD compares with says nothing while it is out of sync.
fn revision(application: &Value) -> Option<String> {
    let status = &application["status"];
    let last = status["history"].as_array().and_then(|history| history.last()).map(|last| &last["revision"]);
    let operation = &status["operationState"];
    let synced = (operation["phase"] == "Succeeded").then_some(&operation["syncResult"]["revision"]);
    let compared = (status["sync"]["status"] == "Synced").then_some(&status["sync"]["revision"]);
    [last, synced, compared].into_iter().flatten().find_map(|text| text.as_str().map(str::to_owned))
}

async fn default_class(cluster: &Cluster) -> Result<Option<String>, KubernetesError> {
    let classes = cluster.list("storage.k8s.io/v1", "StorageClass", None).await?;
    let is_default = |class: &&DynamicObject| class.annotations().get(DEFAULT_CLASS).is_some_and(|text| text == "true");
    Ok(classes.iter().find(is_default).map(ResourceExt::name_any))
}

/// The address that the ingress controller got.
async fn load_balancer(cluster: &Cluster) -> Result<Option<String>, KubernetesError> {
    let services = cluster.list("v1", "Service", Some(INGRESS)).await?;
    let balanced = services.iter().filter(|service| service.data["spec"]["type"] == "LoadBalancer");
    let addresses = balanced.filter_map(|service| {
        let entry = &service.data["status"]["loadBalancer"]["ingress"][0];
        let given = [&entry["ip"], &entry["hostname"], &service.data["spec"]["loadBalancerIP"]];
        given.into_iter().find_map(|text| text.as_str().map(str::to_owned))
    });
    Ok(addresses.min())
}

/// The server that the secrets operator was told of, and the path under which most of its objects read.
async fn vault(cluster: &Cluster) -> Result<(Option<String>, Option<String>), KubernetesError> {
    let deployments = cluster.list("apps/v1", "Deployment", Some(SECRETS_OPERATOR)).await?;
    let containers = deployments.iter().flat_map(|one| list(&one.data["spec"]["template"]["spec"]["containers"]));
    let mut variables = containers.flat_map(|container| list(&container["env"]));
    let address = variables.find(|variable| variable["name"] == "VAULT_ADDRESS");
    let address = address.and_then(|variable| variable["value"].as_str().map(str::to_owned));
    let mut prefixes: BTreeMap<String, usize> = BTreeMap::new();
    for object in cluster.list("ricoberger.de/v1alpha1", "VaultSecret", None).await? {
        if let Some((prefix, _)) = object.data["spec"]["path"].as_str().and_then(|path| path.rsplit_once('/')) {
            *prefixes.entry(prefix.to_owned()).or_default() += 1;
        }
    }
    Ok((address, prefixes.into_iter().max_by_key(|(_, count)| *count).map(|(prefix, _)| prefix)))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_runs_is_what_was_synced_last_and_not_what_is_compared_with() {
        let mut application = json!({"status": {
            "sync": {"status": "OutOfSync", "revision": "new"},
            "operationState": {"phase": "Succeeded", "syncResult": {"revision": "synced"}},
            "history": [{"revision": "first"}, {"revision": "last"}],
        }});
        assert_eq!(revision(&application).as_deref(), Some("last"));
        application["status"]["history"] = json!([]);
        assert_eq!(revision(&application).as_deref(), Some("synced"));
        application["status"]["operationState"]["phase"] = json!("Failed");
        assert_eq!(revision(&application), None);
        application["status"]["sync"]["status"] = json!("Synced");
        assert_eq!(revision(&application).as_deref(), Some("new"));
    }
}
