//! What a retired cluster leaves in the cloud: only what carries its own UUID goes.

use crate::cloud::turn;
use crate::clusters::Scene;
use crate::hands::{connected, make, remove};
use rsp_install::client::openstack::Service;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn only_the_floating_ips_of_the_retired_cluster_go() {
    let Some((cloud, _turn)) = turn().await else { return };
    let (scene, other) = (Scene::new(cloud, "leaving", "openPorts: []"), Scene::new(cloud, "staying", "openPorts: []"));
    scene.converged().await;
    other.converged().await;
    let (admin, user) = (connected(cloud, "admin").await, connected(cloud, "demo").await);
    let public = user.external_networks().await.unwrap()[0].id.clone();
    let subnet = json!({ "network_id": public, "ip_version": 4, "cidr": "192.0.2.0/24", "enable_dhcp": false });
    let subnet = make(&admin, Service::Network, &["subnets"], "subnet", subnet).await;
    let mut addresses = Vec::new();
    // As the cloud provider describes them; the third one is somebody's.
    let of = |uuid: &str| format!("Floating IP for Kubernetes external service default/ingress from cluster {uuid}");
    let (ours, theirs) = (scene.clusters().await[0].uuid.clone(), other.clusters().await[0].uuid.clone());
    for description in [of(&ours), of(&theirs), "the telescope's".to_owned()] {
        let ip = json!({ "floating_network_id": public, "description": description });
        let ip = make(&user, Service::Network, &["floatingips"], "floatingip", ip).await;
        addresses.push(ip["floating_ip_address"].as_str().unwrap().to_owned());
    }

    let (planned, told) = scene.retire().await;
    assert_eq!(planned.floating_ips, addresses[..1]);
    let stays = |text: &str| planned.untouched.iter().any(|one| one.contains(text));
    assert!(stays(&format!("floating IP {} (the telescope's)", addresses[2])), "{:?}", planned.untouched);
    assert!(stays(&format!("floating IP {}", addresses[1])) && !stays(&addresses[0]), "{:?}", planned.untouched);
    let deleted: Vec<&str> = told.iter().map(|intent| intent.object.as_str()).collect();
    assert_eq!(deleted, [format!("floating IP {}", addresses[0]), format!("cluster {ours}")]);
    let left = user.floating_ips().await.unwrap();
    let mut kept: Vec<_> = left.iter().map(|ip| ip.floating_ip_address.clone()).collect();
    kept.sort();
    let mut expected = addresses[1..].to_vec();
    expected.sort();
    assert_eq!(kept, expected);

    for ip in &left {
        user.delete_floating_ip(ip).await.unwrap();
    }
    remove(&admin, Service::Network, &["subnets", subnet["id"].as_str().unwrap()]).await;
    other.clear().await;
}
