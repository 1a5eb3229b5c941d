//! Magnum: templates, clusters, node groups, certificates.
//!
//! Names are not unique there; everything here works with UUIDs. The row of a new cluster may be missing for a moment.

use super::call::Call;
use super::error::OpenstackError;
use super::service::Service;
use super::session::{Openstack, typed};
use crate::engine::Action;
use osauth::ApiVersion;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A cluster template.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClusterTemplate {
    /// Its identity.
    pub uuid: String,
    /// Its name, not unique.
    pub name: Option<String>,
    /// `kubernetes`, or something that we do not want.
    pub coe: String,
    /// Name or id of the image.
    pub image_id: String,
    /// Flavor of the workers.
    pub flavor_id: Option<String>,
    /// Flavor of the control plane.
    pub master_flavor_id: Option<String>,
    /// Name or id of the network with the floating IPs.
    pub external_network_id: Option<String>,
    /// `calico`, `flannel` ...
    pub network_driver: Option<String>,
    /// Each node's volume, GiB.
    pub docker_volume_size: Option<u32>,
    /// Labels.
    #[serde(default, deserialize_with = "labels")]
    pub labels: BTreeMap<String, String>,
    /// Whether nodes get floating IPs.
    #[serde(default)]
    pub floating_ip_enabled: Option<bool>,
    /// Whether the API server gets a load balancer.
    #[serde(default)]
    pub master_lb_enabled: Option<bool>,
}

/// A cluster, from a list or alone; what lists leave out is optional.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Cluster {
    /// Its identity.
    pub uuid: String,
    /// Its name, not unique.
    pub name: String,
    /// The template's UUID.
    pub cluster_template_id: String,
    /// The key pair.
    pub keypair: Option<String>,
    /// Workers.
    pub node_count: u32,
    /// Control plane nodes.
    pub master_count: u32,
    /// Each node's volume, GiB.
    pub docker_volume_size: Option<u32>,
    /// Labels, merged.
    #[serde(default, deserialize_with = "labels")]
    pub labels: BTreeMap<String, String>,
    /// Where it stands.
    pub status: Status,
    /// Why, when it failed.
    pub status_reason: Option<String>,
    /// What Magnum thinks of its health.
    pub health_status: Option<String>,
    /// Where the API server is.
    pub api_address: Option<String>,
    /// The Kubernetes version.
    pub coe_version: Option<String>,
    /// Addresses of the workers, floating where they have such.
    #[serde(default)]
    pub node_addresses: Option<Vec<String>>,
    /// Addresses of the control plane.
    #[serde(default)]
    pub master_addresses: Option<Vec<String>>,
    /// The real reasons of a failure, by resource; only there in `*_FAILED`.
    #[serde(default)]
    pub faults: Option<BTreeMap<String, Value>>,
    /// When it was made.
    pub created_at: Option<String>,
    /// When it last changed.
    pub updated_at: Option<String>,
}

/// A cluster's or node group's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Status(pub String);

impl Status {
    /// Whether Magnum is working on it.
    pub fn in_progress(&self) -> bool {
        self.0.ends_with("_IN_PROGRESS")
    }

    /// Whether the last operation failed.
    pub fn failed(&self) -> bool {
        self.0.ends_with("_FAILED")
    }

    /// Whether the last operation came to its end.
    pub fn complete(&self) -> bool {
        self.0.ends_with("_COMPLETE")
    }

    /// Whether it is on its way out. One whose deletion failed is still there.
    pub fn deleting(&self) -> bool {
        self.0.starts_with("DELETE_") && !self.failed()
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A node group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeGroup {
    /// Its identity.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// `master`, `worker` or one of the site's own.
    pub role: String,
    /// How many there should be.
    pub node_count: u32,
    /// The least that the autoscaler leaves.
    pub min_node_count: Option<u32>,
    /// The most that the autoscaler makes.
    pub max_node_count: Option<u32>,
    /// Whether it came with the cluster.
    pub is_default: bool,
    /// Where it stands.
    pub status: Status,
}

/// What a create call says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewCluster {
    /// The name.
    pub name: String,
    /// The template's UUID.
    pub cluster_template_id: String,
    /// The key pair.
    pub keypair: String,
    /// Control plane nodes.
    pub master_count: u32,
    /// Workers.
    pub node_count: u32,
    /// Each node's volume, GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_volume_size: Option<u32>,
    /// Labels, ours among them.
    pub labels: BTreeMap<String, String>,
    /// Whether they are merged over the template's.
    pub merge_labels: bool,
    /// After how many minutes Magnum gives up.
    pub create_timeout: u32,
}

/// Clouds return labels as text, some as numbers or booleans; null means none.
fn labels<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let raw = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(raw
        .into_iter()
        .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect())
}

const MAGNUM: Service = Service::ContainerInfra;

impl Openstack {
    /// All templates that the project sees.
    pub async fn cluster_templates(&self) -> Result<Vec<ClusterTemplate>, OpenstackError> {
        self.fetch(&Call::get(MAGNUM, &["clustertemplates"]), "clustertemplates").await
    }

    /// All clusters of the project, without their reasons and addresses.
    pub async fn clusters(&self) -> Result<Vec<Cluster>, OpenstackError> {
        self.fetch(&Call::get(MAGNUM, &["clusters"]), "clusters").await
    }

    /// Whether Magnum makes a trust for each cluster that it creates, which a restricted application credential cannot;
    /// none where it does not tell its version. Trusts went after release 2026.1, a week before microversion 1.13 came.
    pub async fn makes_trusts(&self) -> Result<Option<bool>, OpenstackError> {
        let reply = self.read(&Call::get(MAGNUM, &["clusters"]).query("limit", "1")).await?;
        Ok(reply.newest.map(|newest| newest < ApiVersion(1, 13)))
    }

    /// One cluster; none when its row is not there (not yet, or no more).
    pub async fn cluster(&self, uuid: &str) -> Result<Option<Cluster>, OpenstackError> {
        // While a deletion ends, Magnum once answered 400: its row went while it was being read.
        let call = Call::get(MAGNUM, &["clusters", uuid]).accept(404).accept(400);
        let reply = self.read(&call).await?;
        if reply.status == 200 { typed(&call, &reply.body, "").map(Some) } else { Ok(None) }
    }

    /// One node group. Only here are the autoscaler's limits true: a list shows 0 and none for all of them.
    pub async fn node_group(&self, uuid: &str, group: &str) -> Result<NodeGroup, OpenstackError> {
        self.fetch(&Call::get(MAGNUM, &["clusters", uuid, "nodegroups", group]), "").await
    }

    /// The node groups of a cluster.
    pub async fn node_groups(&self, uuid: &str) -> Result<Vec<NodeGroup>, OpenstackError> {
        self.fetch(&Call::get(MAGNUM, &["clusters", uuid, "nodegroups"]), "nodegroups").await
    }

    /// Asks for a cluster and returns its UUID. May not be repeated blindly: look for our mark first.
    pub async fn create_cluster(&self, new: &NewCluster) -> Result<String, OpenstackError> {
        let call = Call::post(MAGNUM, &["clusters"], json!(new));
        let reply = self.write(&call, Action::Create, &format!("cluster {}", new.name)).await?;
        typed(&call, &reply.body, "uuid")
    }

    /// Sets the number of workers of the default group, or of the named one.
    pub async fn resize(&self, uuid: &str, nodes: u32, group: Option<&str>) -> Result<(), OpenstackError> {
        let mut body = json!({ "node_count": nodes });
        if let Some(group) = group {
            body["nodegroup"] = group.into();
        }
        let call = Call::post(MAGNUM, &["clusters", uuid, "actions", "resize"], body).repeatable();
        self.write(&call, Action::Update, &format!("cluster {uuid}: {nodes} nodes")).await.map(drop)
    }

    /// Sets the autoscaler's limits of a node group.
    pub async fn limit_nodes(
        &self,
        uuid: &str,
        group: &str,
        least: u32,
        most: Option<u32>,
    ) -> Result<(), OpenstackError> {
        let mut patch = vec![json!({ "op": "replace", "path": "/min_node_count", "value": least })];
        if let Some(most) = most {
            patch.push(json!({ "op": "replace", "path": "/max_node_count", "value": most }));
        }
        let call = Call::patch(MAGNUM, &["clusters", uuid, "nodegroups", group], Value::Array(patch));
        self.write(&call, Action::Update, &format!("cluster {uuid}: limits of node group {group}")).await.map(drop)
    }

    /// Asks for a cluster's end. That it is gone already is success.
    pub async fn delete_cluster(&self, uuid: &str) -> Result<(), OpenstackError> {
        let call = Call::delete(MAGNUM, &["clusters", uuid]).accept(404);
        self.write(&call, Action::Delete, &format!("cluster {uuid}")).await.map(drop)
    }

    /// The cluster's CA certificate, PEM.
    pub async fn ca_certificate(&self, uuid: &str) -> Result<String, OpenstackError> {
        self.fetch(&Call::get(MAGNUM, &["certificates", uuid]), "pem").await
    }

    /// Has a signing request signed by the cluster's CA; the certificate, PEM. Magnum stores nothing of it, so it counts
    /// as a read, but it is told.
    pub async fn sign(&self, uuid: &str, request: &str) -> Result<String, OpenstackError> {
        self.events().note(format!("asking Magnum for a client certificate of cluster {uuid}"));
        let body = json!({ "cluster_uuid": uuid, "csr": request });
        self.fetch(&Call::post(MAGNUM, &["certificates"], body).repeatable(), "pem").await
    }

    /// How many clusters the project may have; none where Magnum does not say.
    pub async fn cluster_quota(&self) -> Result<Option<u32>, OpenstackError> {
        let project = self.scope().await?.project_id;
        let reply = self.read(&Call::get(MAGNUM, &["quotas", &project, "Cluster"]).accept(404).accept(403)).await?;
        Ok(reply.body.get("hard_limit").and_then(Value::as_u64).and_then(|limit| u32::try_from(limit).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::service::tests::sample;
    use super::*;

    fn cluster(name: &str) -> Cluster {
        serde_json::from_str(&sample(name).1).unwrap()
    }

    #[test]
    fn recorded_clusters_are_read_at_every_stage() {
        let begun = cluster("29-cluster-show-in-progress");
        assert!(begun.status.in_progress() && begun.api_address.is_none());
        let done = cluster("30-cluster-show-complete");
        assert_eq!(done.api_address.as_deref(), Some("https://127.0.0.1:6443"));
        assert_eq!(done.labels["kube_tag"], "v1.29.1");
        let failed = cluster("41-cluster-show-failed");
        assert!(failed.status.failed());
        assert!(failed.faults.unwrap()["default-master"].as_str().unwrap().contains("No valid host was found"));
    }

    #[test]
    fn recorded_lists_are_read() {
        let list: Value = serde_json::from_str(&sample("33-cluster-list").1).unwrap();
        let clusters: Vec<Cluster> = serde_json::from_value(list["clusters"].clone()).unwrap();
        assert_eq!(clusters[0].name, "app");
        let list: Value = serde_json::from_str(&sample("21-template-list").1).unwrap();
        let templates: Vec<ClusterTemplate> = serde_json::from_value(list["clustertemplates"].clone()).unwrap();
        assert_eq!(templates[0].docker_volume_size, Some(10));
        let list: Value = serde_json::from_str(&sample("34-nodegroups").1).unwrap();
        let groups: Vec<NodeGroup> = serde_json::from_value(list["nodegroups"].clone()).unwrap();
        assert_eq!((groups[1].role.as_str(), groups[1].node_count), ("worker", 2));
    }
}
