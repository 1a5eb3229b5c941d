//! What `drift` and `mode` learn from a cluster that is at hand, on a real API server; and that they need none.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod drift_common;
mod program;
mod sandbox_common;

use drift_common::phalanx::Phalanx;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use program::Program;
use rsp_install::client::kubernetes::resource;
use rsp_install::sandbox::SandboxInfo;
use sandbox_common::{Trial, client, eventually, tools};
use serde_json::{Value, json};

const CHART: &str = "applications/gafaelfawr/Chart.yaml";

/// Applies an object, and its status where it has one.
async fn apply(client: &Client, api_version: &str, kind: &str, namespace: Option<&str>, object: Value) {
    let kind: ApiResource = resource(api_version, kind);
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
        None => Api::all_with(client.clone(), &kind),
    };
    let mut object = object;
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind.kind);
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    api.patch(&name, &PatchParams::apply("a-test").force(), &Patch::Apply(&object)).await.unwrap();
}

/// Defines a kind that keeps whatever it is given.
async fn define(client: &Client, group: &str, kind: &str, version: &str) {
    let plural = format!("{}s", kind.to_lowercase());
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let name = format!("{plural}.{group}");
    let definition = json!({
        "metadata": {"name": name},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
            "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    });
    apply(client, "apiextensions.k8s.io/v1", "CustomResourceDefinition", None, definition).await;
    let kind = resource(&format!("{group}/{version}"), kind);
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    eventually("the kind is served", || async { api.list(&kube::api::ListParams::default()).await.is_ok() }).await;
}

/// What an installation would have left: nothing more is read.
async fn furnish(client: &Client, deployed: &str) {
    for name in ["argocd", "ingress-nginx", "vault-secrets-operator"] {
        apply(client, "v1", "Namespace", None, json!({"metadata": {"name": name}})).await;
    }
    define(client, "argoproj.io", "Application", "v1alpha1").await;
    define(client, "ricoberger.de", "VaultSecret", "v1alpha1").await;
    let status =
        json!({"sync": {"status": "OutOfSync", "revision": "f".repeat(40)}, "history": [{"revision": deployed}]});
    let application = json!({"metadata": {"name": "gafaelfawr"}, "spec": {"project": "x"}, "status": status});
    apply(client, "argoproj.io/v1alpha1", "Application", Some("argocd"), application).await;
    let unknown = json!({"sync": {"status": "Synced", "revision": "e".repeat(40)}});
    let application = json!({"metadata": {"name": "tap"}, "spec": {"project": "x"}, "status": unknown});
    apply(client, "argoproj.io/v1alpha1", "Application", Some("argocd"), application).await;
    for name in ["gafaelfawr", "tap"] {
        let secret = json!({"metadata": {"name": name}, "spec": {"path": format!("secret/phalanx/old/{name}")}});
        apply(client, "ricoberger.de/v1alpha1", "VaultSecret", Some("argocd"), secret).await;
    }
    let default = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    let class = json!({"metadata": {"name": "fast", "annotations": default}, "provisioner": "x.example.org/x"});
    apply(client, "storage.k8s.io/v1", "StorageClass", None, class).await;
    let service = json!({
        "metadata": {"name": "ingress-nginx-controller"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 443}]},
    });
    apply(client, "v1", "Service", Some("ingress-nginx"), service).await;
    let labels = json!({"app": "x"});
    let container =
        json!({"name": "x", "image": "x", "env": [{"name": "VAULT_ADDRESS", "value": "https://old.example.org"}]});
    let operator = json!({
        "metadata": {"name": "vault-secrets-operator"},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    });
    apply(client, "apps/v1", "Deployment", Some("vault-secrets-operator"), operator).await;
}

fn program(phalanx: &Phalanx, info: &SandboxInfo) -> Program {
    let repository = phalanx.0.path().display().to_string();
    let environment = format!(
        "name: roe\ncluster:\n  existing:\n    kubeconfig: {}\n    context: {}\n    server: {}\n\
         phalanx: {{repository: {repository}, branch: fork, environment: roe}}\n\
         upstream: {{repository: {repository}, branch: main}}\n",
        info.kubeconfig.display(),
        info.context,
        info.server,
    );
    Program::new(&[("roe", environment)])
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_compared_with_what_is_deployed_and_places_with_what_the_cluster_has() {
    if tools().is_none() {
        return;
    }
    let Some(phalanx) = Phalanx::new() else { return };
    let chart = phalanx.read(CHART);
    let version = |version: &str| chart.replace("9.6.1", version);
    // The fork is ahead of its cluster: what runs is 9.6.1, what lies in Git is 10.1.0.
    let deployed = phalanx.fork("Ours", &[("ours", "x\n")]);
    phalanx.upstream("Update to 10", &[(CHART, &version("10.1.0"))]);
    phalanx.0.git(&["checkout", "-q", "fork"]);
    phalanx.0.git(&["merge", "-q", "--no-edit", "main"]);
    let kubernetes = "The oldest version of Kubernetes known to work is 1.99.\n";
    phalanx.upstream("Update to 12", &[(CHART, &version("12.2.0")), ("docs/admin/requirements.rst", kubernetes)]);

    let trial = Trial::new("drift-facts");
    let info = trial.sandbox.up().await.unwrap();
    let client = client(&info).await;
    furnish(&client, &deployed).await;
    let services: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "ingress-nginx", &resource("v1", "Service"));
    eventually("the service has an address", || async {
        let service = services.get("ingress-nginx-controller").await.unwrap();
        service.data["status"]["loadBalancer"]["ingress"][0]["ip"].is_string()
    })
    .await;

    let program = program(&phalanx, &info);
    let said = program.call(&["drift", "--env", "roe", "--output", "json"]).expect(3);
    let report = said.json();
    program::fits("drift", &report);
    let facts = &report["cluster"];
    let served = client.apiserver_version().await.unwrap().git_version;
    assert_eq!(facts["kubernetes"], served.trim_start_matches('v'));
    assert_eq!(facts["storageClass"], "fast");
    assert!(facts["loadBalancer"].is_string(), "{facts}");
    assert_eq!(
        (&facts["vaultUrl"], &facts["vaultPathPrefix"]),
        (&json!("https://old.example.org"), &json!("secret/phalanx/old"))
    );
    let applications = report["applications"].as_array().unwrap();
    let gafaelfawr = applications.iter().find(|one| one["name"] == "gafaelfawr").unwrap();
    assert_eq!(gafaelfawr["appVersion"]["from"], "9.6.1", "what is deployed, not the merge base");
    let signals: Vec<&str> =
        report["signals"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert!(signals.contains(&"floor-version"), "12 is not reached from 9.6.1: {signals:?}");
    assert!(signals.contains(&"kubernetes-min"), "{signals:?}");
    let unreadable = report["unreadable"].to_string();
    assert!(unreadable.contains("applications/tap") && unreadable.contains("in neither repository"), "{unreadable}");

    let advice = program.call(&["mode", "--env", "roe", "--output", "json"]).expect(0).json();
    program::fits("mode", &advice);
    assert_eq!(advice["mode"], "rebuild", "{advice:#}");
    let reasons = advice["reasons"].to_string();
    assert!(reasons.contains("the cluster reads https://old.example.org"), "{reasons}");
    assert_eq!(advice["facts"], *facts);
    program.write("facts.yaml", "kubernetes: 1.99.0\n");
    let advice = program.call(&["mode", "--env", "roe", "--facts", "facts.yaml", "--output", "json"]).expect(0).json();
    assert_eq!(advice["mode"], "upgradeWithSteps", "the file's facts stand for the cluster's: {advice:#}");

    // Nothing was written to the cluster by us.
    let audit = sandbox_common::audit(&info.kubernetes_audit_log);
    let ours =
        audit.iter().filter(|line| line["userAgent"].as_str().is_some_and(|agent| agent.starts_with("rsp-install/")));
    let verbs: std::collections::BTreeSet<&str> = ours
        .filter(|line| {
            line["requestURI"].as_str().is_some_and(|uri| uri.contains("argoproj") || uri.contains("storage.k8s"))
        })
        .filter_map(|line| line["verb"].as_str())
        .collect();
    assert_eq!(verbs, ["list"].into(), "it only reads");

    // A cluster that cannot be reached is told once, and the report is the one from Git.
    trial.sandbox.down(true).await.unwrap();
    let said = program.call(&["drift", "--env", "roe", "--output", "json"]).expect(0);
    assert_eq!(said.stderr.matches("without facts of the cluster").count(), 1, "{}", said.stderr);
    let report = said.json();
    assert!(report.get("cluster").is_none());
    let applications = report["applications"].as_array().unwrap();
    let gafaelfawr = applications.iter().find(|one| one["name"] == "gafaelfawr").unwrap();
    assert_eq!(gafaelfawr["appVersion"]["from"], "10.1.0", "the merge base");
}
