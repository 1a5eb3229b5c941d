//! A Magnum cluster from nothing, on real Keystone, Magnum, Neutron, Nova and Glance.

#[path = "openstack/cloud.rs"]
mod cloud;
#[path = "openstack/clusters.rs"]
mod clusters;

use cloud::turn;
use clusters::Scene;
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_a_cluster_and_the_second_run_writes_nothing() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "first", "openPorts: [80, 443, {port: 6379, from: 192.168.0.0/16}], kubeconfig: kube/config");
    let outcome = scene.converged().await;
    let objects: Vec<_> = outcome.changes.iter().map(|change| change.action.as_str()).collect();
    assert_eq!(objects, ["create", "update", "create", "create", "create"], "cluster, kubeconfig, three rules: {outcome:?}");
    let kubeconfig = scene.folder().join("kube/config");
    assert_eq!(std::fs::metadata(&kubeconfig).unwrap().permissions().mode() & 0o777, 0o600);

    let before = cloud.writes();
    let (outcome, second, _) = scene.converge().await;
    assert_eq!((outcome.failure, outcome.changes.len()), (None, 0));
    assert_eq!(cloud.writes(), before, "the servers' own logs");
    let requests = second.outlet.counters().requests();
    println!("no-op: {requests:?}");
    assert_eq!(requests.openstack.writes, 0);
    assert!(requests.openstack.reads <= 8, "{requests:?}");
    scene.clear().await;
}
