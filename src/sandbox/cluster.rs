//! What a new cluster gets before anybody uses it: nodes.

use super::SandboxError;
use super::folder::Folder;
use super::kubeconfig;
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::json;
use std::time::Duration;

/// The field manager and user agent of everything that the sandbox itself writes.
pub(super) const MANAGER: &str = "rsp-install-sandbox";
const NODES: [&str; 2] = ["sandbox-0", "sandbox-1"];
const PROBE: Duration = Duration::from_millis(50);

/// A client with the stand-ins' own certificate.
pub(super) async fn client(folder: &Folder) -> Result<Client, SandboxError> {
    let path = folder.path(&kubeconfig::file("stand-ins"));
    let damaged =
        |source: kube::config::KubeconfigError| SandboxError::Damaged { path: path.clone(), source: source.into() };
    let kubeconfig = Kubeconfig::read_from(&path).map_err(damaged)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(damaged)?;
    config.proxy_url = None;
    config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(MANAGER)));
    Client::try_from(config).map_err(SandboxError::kubernetes("making a client"))
}

/// Waits until the API server says that it is ready.
pub(super) async fn await_api_server(client: &Client) {
    loop {
        let request = http::Request::get("/readyz").body(Vec::new());
        if let Ok(request) = request
            && client.request_text(request).await.is_ok()
        {
            return;
        }
        tokio::time::sleep(PROBE).await;
    }
}

/// Registers the nodes, as their kubelets would.
pub(super) async fn register_nodes(client: &Client) -> Result<(), SandboxError> {
    let nodes: Api<Node> = Api::all(client.clone());
    for name in NODES {
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "type": "kwok",
            }},
        });
        let action = || format!("registering node {name}");
        nodes
            .patch(name, &PatchParams::apply(MANAGER), &Patch::Apply(&node))
            .await
            .map_err(SandboxError::kubernetes(action()))?;
        let room = json!({"cpu": "64", "memory": "512Gi", "pods": "1000", "ephemeral-storage": "1Ti"});
        let status = json!({"status": {"capacity": room, "allocatable": room}});
        nodes
            .patch_status(name, &PatchParams::default(), &Patch::Merge(&status))
            .await
            .map_err(SandboxError::kubernetes(action()))?;
    }
    Ok(())
}

/// Waits until pods can be created and scheduled: nodes ready and without taints, and the first service account there.
pub(super) async fn await_nodes(client: &Client) -> Result<(), SandboxError> {
    let nodes: Api<Node> = Api::all(client.clone());
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    loop {
        let listed = nodes.list(&kube::api::ListParams::default()).await;
        let listed = listed.map_err(SandboxError::kubernetes("listing the nodes"))?;
        let ready = NODES.iter().all(|name| listed.iter().any(|node| node.name_any() == *name && is_ready(node)));
        let account =
            accounts.get_opt("default").await.map_err(SandboxError::kubernetes("reading the service account"))?;
        if ready && account.is_some() {
            return Ok(());
        }
        tokio::time::sleep(PROBE).await;
    }
}

fn is_ready(node: &Node) -> bool {
    let untainted = node.spec.as_ref().and_then(|spec| spec.taints.as_ref()).is_none_or(Vec::is_empty);
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    untainted
        && conditions.is_some_and(|conditions| {
            conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        })
}
