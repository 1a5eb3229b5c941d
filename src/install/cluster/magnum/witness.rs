//! The second witness: what the API server and the nodes say themselves.

use super::error::MagnumError;
use super::patience::ApiServer;
use super::ports::Role;
use crate::client::kubernetes::{Access, Cluster};
use crate::engine::Outlet;
use crate::secret_value::SecretValue;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;

/// A node that has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFact {
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Whether it is ready.
    pub ready: bool,
    /// The Nova server behind it, where a cloud provider has said so.
    pub server: Option<String>,
    /// Its address inside.
    pub address: Option<String>,
}

/// Labels that say "control plane", by age.
const MASTER_LABELS: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

impl NodeFact {
    fn of(node: &Node) -> Self {
        let labels = node.metadata.labels.clone().unwrap_or_default();
        let master = MASTER_LABELS.iter().any(|label| labels.contains_key(*label))
            || labels.get("magnum.openstack.org/role").is_some_and(|role| role == "master");
        let status = node.status.clone().unwrap_or_default();
        let provider = node.spec.as_ref().and_then(|spec| spec.provider_id.as_deref());
        Self {
            name: node.metadata.name.clone().unwrap_or_default(),
            role: if master { Role::Master } else { Role::Worker },
            ready: status.conditions.iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True"),
            // `openstack:///UUID`, or `openstack://REGION/UUID`
            server: provider
                .filter(|id| id.starts_with("openstack://"))
                .and_then(|id| id.rsplit('/').next())
                .map(str::to_owned),
            address: status
                .addresses
                .iter()
                .flatten()
                .find(|one| one.type_ == "InternalIP")
                .map(|one| one.address.clone()),
        }
    }
}

/// A client for the cluster; asks nothing yet.
pub async fn connect(kubeconfig: &SecretValue, outlet: &Outlet) -> Result<Cluster, crate::error::Failure> {
    Ok(Access::Text(kubeconfig.expose().to_owned()).connect(outlet).await?.0)
}

/// The nodes.
pub async fn nodes(cluster: &Cluster, name: &str, address: &str) -> Result<Vec<NodeFact>, MagnumError> {
    let list = Api::<Node>::all(cluster.client()).list(&ListParams::default()).await;
    let list = list.map_err(|source| MagnumError::ApiServer {
        name: name.to_owned(),
        address: address.to_owned(),
        source: Box::new(source),
    })?;
    Ok(list.items.iter().map(NodeFact::of).collect())
}

/// Asks whether it is ready, and for its workers.
pub async fn ask(cluster: &Cluster) -> ApiServer {
    let request = match http::Request::get("/readyz?verbose").body(Vec::new()) {
        Ok(request) => request,
        Err(error) => return ApiServer::Silent { why: error.to_string() },
    };
    match cluster.client().request_text(request).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) => return ApiServer::NotReady { why: failing_checks(&status.message) },
        Err(error) => return ApiServer::Silent { why: chain(&error) },
    }
    match Api::<Node>::all(cluster.client()).list(&ListParams::default()).await {
        Ok(list) => {
            let workers: Vec<_> =
                list.items.iter().map(NodeFact::of).filter(|node| node.role == Role::Worker).collect();
            let count = |ready: bool| {
                u32::try_from(workers.iter().filter(|node| node.ready || !ready).count()).unwrap_or(u32::MAX)
            };
            ApiServer::Ready { workers: count(false), ready: count(true) }
        }
        Err(error) => ApiServer::NotReady { why: chain(&error) },
    }
}

/// `[-]etcd failed: reason withheld` and the like out of the verbose answer.
fn failing_checks(text: &str) -> String {
    let failing: Vec<&str> = text.lines().filter(|line| line.starts_with("[-]")).map(|line| &line[3..]).collect();
    if failing.is_empty() { text.lines().next().unwrap_or("no reason").to_owned() } else { failing.join(", ") }
}

fn chain(error: &dyn std::error::Error) -> String {
    // The innermost cause is the one that helps: "connection refused", "certificate expired".
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_tells_its_role_server_and_address() {
        let node: Node = serde_json::from_value(json!({
            "metadata": {"name": "stv-master-0", "labels": {"node-role.kubernetes.io/master": ""}},
            "spec": {"providerID": "openstack:///2f1c"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}],
                       "addresses": [{"type": "Hostname", "address": "h"}, {"type": "InternalIP", "address": "10.0.0.5"}]},
        }))
        .unwrap();
        let fact = NodeFact::of(&node);
        assert_eq!((fact.role, fact.ready), (Role::Master, true));
        assert_eq!((fact.server.as_deref(), fact.address.as_deref()), (Some("2f1c"), Some("10.0.0.5")));
    }

    #[test]
    fn only_the_failing_checks_are_told() {
        assert_eq!(
            failing_checks("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed"),
            "etcd failed: reason withheld"
        );
    }
}
