//! What kwok's pods do not do is done by the stand-ins, and Argo CD really syncs.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that panics has failed")]

mod sandbox_common;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt as _};
use reqwest::Method;
use rsp_install::sandbox::{SandboxInfo, SandboxState, ServerState};
use sandbox_common::*;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_stand_ins_do_what_no_pod_does_and_argo_cd_syncs() {
    let Some(tools) = tools() else { return };
    let trial = Trial::new("stand-ins");
    let info = trial.sandbox.up().await.unwrap();
    let client = client(&info).await;
    namespace(&client, "demo").await;
    a_claim_gets_a_volume_when_its_class_says_so(&client).await;
    addresses_are_given(&client).await;
    certificates_become_ready(&client).await;
    a_vault_secret_becomes_a_secret_with_the_operators_own_login(&client, &info).await;
    argo_cd_syncs_a_local_repository(&client, &tools, trial.place.path()).await;
    argo_cds_processes_follow_its_pods(&client, &trial).await;
}

async fn a_claim_gets_a_volume_when_its_class_says_so(client: &Client) {
    for (class, mode) in [("at-once", "Immediate"), ("when-used", "WaitForFirstConsumer")] {
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": class},
            "provisioner": "cinder.csi.openstack.org", "volumeBindingMode": mode,
        });
        apply(client, None, class).await;
    }
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), "demo");
    let phase = |name: &'static str| {
        let claims = claims.clone();
        async move { claims.get(name).await.unwrap().status.and_then(|status| status.phase).unwrap_or_default() }
    };
    for (name, class) in [("first", "at-once"), ("second", "when-used")] {
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
            "spec": {"storageClassName": class, "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        apply(client, Some("demo"), claim).await;
    }
    eventually("the first claim is bound", || async { phase("first").await == "Bound" }).await;
    assert_eq!(phase("second").await, "Pending", "it waits for its first consumer");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "consumer"},
        "spec": {
            "containers": [{"name": "c", "image": "none", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "second"}}],
        },
    });
    apply(client, Some("demo"), pod).await;
    eventually("the second claim is bound", || async { phase("second").await == "Bound" }).await;

    claims.delete("first", &DeleteParams::default()).await.unwrap();
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    eventually("the released volume is gone", || async {
        volumes.list(&ListParams::default()).await.unwrap().items.len() == 1
    })
    .await;
}

async fn addresses_are_given(client: &Client) {
    namespace(client, "ingress-nginx").await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "ingress-nginx-controller"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 443}]},
    });
    apply(client, Some("ingress-nginx"), service).await;
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    });
    apply(client, Some("demo"), ingress).await;
    let services: Api<Service> = Api::namespaced(client.clone(), "ingress-nginx");
    let ingresses: Api<Ingress> = Api::namespaced(client.clone(), "demo");
    eventually("service and ingress have the same address", || async {
        let service = address(&serde_json::to_value(services.get("ingress-nginx-controller").await.unwrap()).unwrap());
        let ingress = address(&serde_json::to_value(ingresses.get("web").await.unwrap()).unwrap());
        service.is_string() && service == ingress && service.as_str().unwrap().starts_with("198.18.")
    })
    .await;
}

fn address(object: &Value) -> Value {
    object["status"]["loadBalancer"]["ingress"][0]["ip"].clone()
}

async fn certificates_become_ready(client: &Client) {
    definition(client, "cert-manager.io", "v1", "ClusterIssuer", "Cluster").await;
    definition(client, "cert-manager.io", "v1", "Certificate", "Namespaced").await;
    let certificate = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "web"},
        "spec": {"secretName": "web-tls", "dnsNames": ["web.example.org"], "issuerRef": {"kind": "ClusterIssuer", "name": "letsencrypt-dns"}},
    });
    apply(client, Some("demo"), certificate).await;
    let ready = || ready_of(client, "Certificate", Some("demo"), "web");
    eventually("the certificate misses its issuer", || async { ready().await["reason"] == "IssuerNotFound" }).await;
    let issuer = json!({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "letsencrypt-dns"}, "spec": {}});
    apply(client, None, issuer).await;
    eventually("the certificate is ready", || async { ready().await["status"] == "True" }).await;
    eventually("the issuer is ready", || async {
        ready_of(client, "ClusterIssuer", None, "letsencrypt-dns").await["status"] == "True"
    })
    .await;
    let secret = Api::<Secret>::namespaced(client.clone(), "demo").get("web-tls").await.unwrap();
    let pem = secret.data.unwrap()["tls.crt"].0.clone();
    let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
    let names = pem.parse_x509().unwrap().subject_alternative_name().unwrap().unwrap().value.clone();
    assert!(format!("{names:?}").contains("web.example.org"));
}

async fn ready_of(client: &Client, kind: &str, namespace: Option<&str>, name: &str) -> Value {
    let object = dynamic(client, "cert-manager.io", "v1", kind, namespace).get(name).await.unwrap();
    object.data["status"]["conditions"][0].clone()
}

async fn a_vault_secret_becomes_a_secret_with_the_operators_own_login(client: &Client, info: &SandboxInfo) {
    let policy = json!({"policy": "path \"secret/data/phalanx/x/*\" {capabilities = [\"read\"]}"});
    vault(info, Method::PUT, "sys/policy/phalanx/x/read", policy).await;
    let role = json!({"token_policies": "phalanx/x/read", "token_type": "service"});
    vault(info, Method::POST, "auth/approle/role/x", role).await;
    vault(info, Method::POST, "secret/data/phalanx/x/app", json!({"data": {"password": "one", "other": "two"}})).await;
    definition(client, "ricoberger.de", "v1alpha1", "VaultSecret", "Namespaced").await;
    namespace(client, "vault-secrets-operator").await;
    let object = json!({
        "apiVersion": "ricoberger.de/v1alpha1", "kind": "VaultSecret",
        "metadata": {"name": "app", "labels": {"app": "x"}},
        "spec": {"path": "secret/phalanx/x/app", "type": "Opaque", "templates": {"url": "pg://u:{% .Secrets.password %}@db"}},
    });
    apply(client, Some("demo"), object).await;

    let (first, first_accessor) = credentials(client, info).await;
    operator_pod(client, "operator-0").await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "demo");
    let url = || async {
        let secret = secrets.get_opt("app").await.unwrap();
        secret.and_then(|secret| Some(String::from_utf8(secret.data?.remove("url")?.0).unwrap()))
    };
    eventually("the Secret is made", || async { url().await.as_deref() == Some("pg://u:one@db") }).await;
    let secret = secrets.get("app").await.unwrap();
    assert_eq!(secret.labels()["app"], "x");
    assert_eq!(secret.owner_references()[0].kind, "VaultSecret");
    eventually("the condition says so", || async { condition(client).await["status"] == "True" }).await;
    let logins = |info: &SandboxInfo| {
        audit(&info.vault_audit_log).iter().filter(|event| event["request"]["path"] == "auth/approle/login").count()
    };
    assert!(logins(info) > 0, "the operator logged in with the AppRole");

    secrets.delete("app", &DeleteParams::default()).await.unwrap();
    eventually("a deleted Secret comes back", || async { url().await.is_some() }).await;

    // New credentials in the Secret, the old ones revoked: the running pod does not notice, a new one reads them.
    let before = logins(info);
    let (second, _) = credentials(client, info).await;
    assert_ne!(first, second);
    let accessor = json!({"secret_id_accessor": first_accessor});
    vault(info, Method::POST, "auth/approle/role/x/secret-id-accessor/destroy", accessor).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(logins(info), before, "nothing is read again while the pod runs");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "vault-secrets-operator");
    pods.delete("operator-0", &DeleteParams::default()).await.unwrap();
    operator_pod(client, "operator-1").await;
    eventually("the new pod logs in", || async { logins(info) > before }).await;
    vault(info, Method::POST, "secret/data/phalanx/x/app", json!({"data": {"password": "three"}})).await;
    let touch =
        json!({"apiVersion": "ricoberger.de/v1alpha1", "kind": "VaultSecret", "metadata": {"labels": {"app": "y"}}});
    dynamic(client, "ricoberger.de", "v1alpha1", "VaultSecret", Some("demo"))
        .patch("app", &PatchParams::default(), &Patch::Merge(&touch))
        .await
        .unwrap();
    eventually("the new value arrives", || async { url().await.as_deref() == Some("pg://u:three@db") }).await;
}

/// A new SecretID in the operator's Secret: the id and its accessor.
async fn credentials(client: &Client, info: &SandboxInfo) -> (String, String) {
    let role = vault(info, Method::GET, "auth/approle/role/x/role-id", Value::Null).await;
    let issued = vault(info, Method::POST, "auth/approle/role/x/secret-id", json!({})).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vault-credentials"},
        "stringData": {"VAULT_ROLE_ID": role["data"]["role_id"], "VAULT_SECRET_ID": issued["data"]["secret_id"]},
    });
    apply(client, Some("vault-secrets-operator"), secret).await;
    (text(&issued["data"]["secret_id"]), text(&issued["data"]["secret_id_accessor"]))
}

async fn operator_pod(client: &Client, name: &str) {
    let from =
        |key: &str| json!({"name": key, "valueFrom": {"secretKeyRef": {"name": "vault-credentials", "key": key}}});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "vault-secrets-operator"}},
        "spec": {"containers": [{"name": "operator", "image": "none", "env": [
            {"name": "VAULT_AUTH_METHOD", "value": "approle"},
            {"name": "VAULT_ADDRESS", "value": "https://vault.example.org"},
            from("VAULT_ROLE_ID"), from("VAULT_SECRET_ID"),
        ]}]},
    });
    apply(client, Some("vault-secrets-operator"), pod).await;
}

async fn condition(client: &Client) -> Value {
    let object = dynamic(client, "ricoberger.de", "v1alpha1", "VaultSecret", Some("demo")).get("app").await.unwrap();
    object.data["status"]["conditions"][0].clone()
}

async fn argo_cd_syncs_a_local_repository(client: &Client, tools: &Path, place: &Path) {
    namespace(client, "argocd").await;
    let manifests = std::fs::read_to_string(tools.join("argocd-install.yaml")).unwrap();
    for document in serde_yaml::Deserializer::from_str(&manifests) {
        let object: Value = serde::Deserialize::deserialize(document).unwrap();
        apply(client, Some("argocd"), object).await;
    }
    let projects = dynamic(client, "argoproj.io", "v1alpha1", "AppProject", Some("argocd"));
    eventually("Argo CD's API server made its project", || async {
        projects.get_opt("default").await.unwrap().is_some()
    })
    .await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "argocd");
    eventually("redis has its password", || async { secrets.get_opt("argocd-redis").await.unwrap().is_some() }).await;

    let (repository, revision) = repository(place);
    let application = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "hello"},
        "spec": {
            "project": "default",
            "source": {"repoURL": repository, "path": "hello", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "hello"},
        },
        "operation": {"sync": {"revision": revision, "syncOptions": ["CreateNamespace=true"]}},
    });
    apply(client, Some("argocd"), application).await;
    let applications = dynamic(client, "argoproj.io", "v1alpha1", "Application", Some("argocd"));
    let begun = std::time::Instant::now();
    eventually("the Application is Synced and Healthy", || async {
        let status = applications.get("hello").await.unwrap().data["status"].clone();
        status["sync"]["status"] == "Synced"
            && status["health"]["status"] == "Healthy"
            && status["sync"]["revision"] == *revision
    })
    .await;
    eprintln!("MEASURED: Argo CD synced in {:.1} s", begun.elapsed().as_secs_f64());
    let services: Api<Service> = Api::namespaced(client.clone(), "hello");
    assert_eq!(services.get("hello").await.unwrap().name_any(), "hello");
}

async fn argo_cds_processes_follow_its_pods(client: &Client, trial: &Trial) {
    let server = |name: &str| {
        let servers = trial.sandbox.status().unwrap().servers;
        servers.into_iter().find(|server| server.name == name).unwrap()
    };
    let before = server("argocd-application-controller").pid.unwrap();
    let pods: Api<Pod> = Api::namespaced(client.clone(), "argocd");
    pods.delete("argocd-application-controller-0", &DeleteParams::default()).await.unwrap();
    eventually("a new pod is a new process", || async {
        let now = server("argocd-application-controller");
        now.state == ServerState::Ready && now.pid != Some(before)
    })
    .await;
    let none = json!({"spec": {"replicas": 0}});
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "argocd");
    deployments.patch("argocd-repo-server", &PatchParams::default(), &Patch::Merge(&none)).await.unwrap();
    eventually("without a pod there is no process", || async {
        server("argocd-repo-server").state == ServerState::Stopped
    })
    .await;
    let state = trial.sandbox.up().await.unwrap().state;
    assert_eq!(state, SandboxState::Ready, "the sandbox does not need Argo CD");
}

/// A repository with a kustomization, whose program the repository server must find.
fn repository(place: &Path) -> (String, String) {
    let root = place.join("repository");
    std::fs::create_dir_all(root.join("hello")).unwrap();
    std::fs::write(root.join("hello/kustomization.yaml"), "resources: [service.yaml]\n").unwrap();
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: hello}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n";
    std::fs::write(root.join("hello/service.yaml"), service).unwrap();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
        let ran = Command::new("git").current_dir(&root).args(identity).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "hello"]);
    (format!("file://{}", root.display()), git(&["rev-parse", "HEAD"]))
}

async fn namespace(client: &Client, name: &str) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let wanted = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    namespaces.create(&PostParams::default(), &wanted).await.unwrap();
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(client.clone(), name);
    eventually("the service account is there", || async { accounts.get_opt("default").await.unwrap().is_some() }).await;
}

/// A custom resource that takes everything, and waits until it is served.
async fn definition(client: &Client, group: &str, version: &str, kind: &str, scope: &str) {
    let plural = format!("{}s", kind.to_lowercase());
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}"), "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
        "spec": {
            "group": group, "scope": scope, "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{
                "name": version, "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    apply(client, None, definition).await;
    let objects = dynamic(client, group, version, kind, None);
    eventually("the kind is served", || async { objects.list(&ListParams::default()).await.is_ok() }).await;
}

fn dynamic(client: &Client, group: &str, version: &str, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

async fn apply(client: &Client, namespace: Option<&str>, object: Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (version, kind, name) = (text(&object["apiVersion"]), text(&object["kind"]), text(&object["metadata"]["name"]));
    let (group, version) = version.split_once('/').map_or(("", version.as_str()), |(group, version)| (group, version));
    let cluster_wide = ["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"].contains(&kind.as_str());
    let objects = dynamic(client, group, version, &kind, namespace.filter(|_| !cluster_wide));
    objects.patch(&name, &PatchParams::apply("a-test").force(), &Patch::Apply(&object)).await.unwrap();
}
