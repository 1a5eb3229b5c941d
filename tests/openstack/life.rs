//! A cluster from nothing to its end.

use crate::cloud::{run, turn};
use crate::clusters::{Scene, actions, converge_once};
use rsp_install::error::Kind;
use rsp_install::install::cluster::magnum::MagnumStep;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

const PORTS: &str = "openPorts: [80, 443, {port: 6379, from: 192.168.0.0/16}], kubeconfig: kube/config";

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_a_cluster_and_the_second_run_writes_nothing() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "first", PORTS);
    let outcome = scene.converged().await;
    assert_eq!(
        actions(&outcome),
        ["create", "update", "create", "create", "create"],
        "cluster, kubeconfig, three rules"
    );
    let kubeconfig = scene.folder().join("kube/config");
    assert_eq!(std::fs::metadata(&kubeconfig).unwrap().permissions().mode() & 0o777, 0o600);

    let before = cloud.writes();
    let (outcome, run, recorder) = scene.converge().await;
    assert_eq!((outcome.failure, outcome.changes.len(), outcome.left_alone.len()), (None, 0, 0));
    assert_eq!(cloud.writes(), before, "the servers' own logs");
    let requests = run.outlet.counters().requests();
    println!("a run without changes: {requests:?}");
    assert_eq!(requests.openstack.writes, 0);
    assert!(requests.openstack.reads <= 8, "{requests:?}");

    // A kubeconfig that no longer fits is made anew; nothing else changes.
    std::fs::write(&kubeconfig, "broken").unwrap();
    assert_eq!(actions(&scene.converged().await), ["update"]);
    assert_eq!(std::fs::metadata(&kubeconfig).unwrap().permissions().mode() & 0o777, 0o600);

    // No secret in anything that was told.
    let key = key_in(&std::fs::read_to_string(&kubeconfig).unwrap());
    assert!(!recorder.text().contains(&key) && !recorder.text().contains("app-secret"));
    scene.clear().await;
}

/// The key's text in a kubeconfig.
fn key_in(kubeconfig: &str) -> String {
    let line = kubeconfig.lines().find(|line| line.contains("client-key-data")).unwrap();
    line.split_once(": ").unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_the_kubeconfig_stays_in_memory_and_costs_no_write() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "memory", "openPorts: [443]");
    scene.converged().await;
    let before = cloud.writes();
    let (outcome, run, _) = scene.converge().await;
    assert_eq!((outcome.failure, outcome.changes.len()), (None, 0));
    assert_eq!(cloud.writes(), before);
    let requests = run.outlet.counters().requests();
    assert!(requests.openstack.reads <= 8 && requests.openstack.writes == 0, "{requests:?}");
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_and_shrinks_as_the_file_says() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "sized", "nodes: 2, openPorts: [443]");
    scene.converged().await;
    for nodes in [3, 1] {
        let other = scene.but(&format!("nodes: {nodes}, openPorts: [443]"));
        assert_eq!(actions(&other.converged().await), ["update"]);
        assert_eq!(scene.clusters().await[0].node_count, nodes);
        assert_eq!(actions(&other.converged().await), [""; 0], "the second run has nothing to do");
    }
    // What Magnum cannot change is named and left alone.
    let other = scene.but("nodes: 1, masters: 3, labels: {kube_tag: v9}, openPorts: [443]");
    let outcome = other.converged().await;
    let told: Vec<_> = outcome.left_alone.iter().map(|one| one.object.clone()).collect();
    assert_eq!(
        told,
        ["cluster sized: masters: 1 instead of 3", "cluster sized: labels.kube_tag: v1.28.9-rancher1 instead of v9",]
    );
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_whose_names_begin_alike_never_touch_each_others_groups() {
    let Some((cloud, _turn)) = turn().await else { return };
    // Heat cuts names to thirty characters: the groups of both begin alike. Their nodes have the same addresses.
    let long = "a-name-of-more-than-thirty-letters";
    let (one, two) =
        (Scene::new(cloud, long, "openPorts: [443]"), Scene::new(cloud, &format!("{long}-2"), "openPorts: [8443]"));
    let made = [one.converged().await, two.converged().await];
    let rules: Vec<Vec<&str>> = made
        .iter()
        .map(|outcome| {
            outcome
                .changes
                .iter()
                .filter(|change| change.object.starts_with("rule"))
                .map(|change| change.object.as_str())
                .collect()
        })
        .collect();
    assert_eq!((rules[0].len(), rules[1].len()), (1, 1), "{rules:?}");
    let groups = one.own_groups().await;
    assert_eq!(groups.len(), 2);
    for group in two.own_groups().await {
        assert!(!groups.iter().any(|other| other.id == group.id));
        assert!(!group.security_group_rules.iter().any(|rule| rule.port_range_min == Some(443)));
    }
    for group in groups.iter().filter(|group| group.name.contains("master")) {
        assert!(!group.security_group_rules.iter().any(|rule| rule.port_range_min == Some(443)), "masters stay closed");
    }
    one.clear().await;
    two.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_cluster_shows_its_faults_and_is_left_as_evidence() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(
        cloud,
        "doomed",
        "mergeLabels: true, labels: {local_fail: create, local_api: \"https://127.0.0.1:1\"}",
    );
    for _ in 0..2 {
        let failure = scene.converge().await.0.failure.unwrap();
        assert_eq!(failure.kind, Kind::Failed);
        assert!(
            failure.message.contains("CREATE_FAILED") && failure.message.contains("No valid host was found"),
            "{failure}"
        );
        assert_eq!(scene.clusters().await.len(), 1, "neither torn down nor made twice");
    }
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_move_is_given_up_with_what_both_witnesses_said() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(
        cloud,
        "stuck",
        "mergeLabels: true, labels: {local_delay: \"3600\", local_api: \"https://127.0.0.1:1\"}",
    );
    let failure = scene.impatient(Duration::from_secs(4)).await.failure.unwrap();
    assert_eq!(failure.kind, Kind::Failed);
    let told = &failure.message;
    assert!(told.contains("has not moved") && told.contains("default-worker CREATE_IN_PROGRESS"), "{told}");
    assert!(told.contains("no address"), "{told}");
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_wait_outlives_the_token() {
    let Some((cloud, _turn)) = turn().await else { return };
    // Tokens live for 60 seconds here.
    let scene = Scene::new(cloud, "patient", "mergeLabels: true, labels: {local_delay: \"75\"}");
    let begun = Instant::now();
    let (outcome, _, recorder) = scene.converge().await;
    assert_eq!(outcome.failure, None);
    assert!(begun.elapsed() > Duration::from_secs(75));
    assert_eq!(recorder.retries(), 0, "renewed before it expired, not after a 401: {}", recorder.text());
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retiring_gives_back_what_the_cluster_holds_and_then_deletes_it() {
    let Some((cloud, _turn)) = turn().await else { return };
    let (scene, other) =
        (Scene::new(cloud, "old", "kubeconfig: kube/config"), Scene::new(cloud, "old-2", "openPorts: []"));
    scene.converged().await;
    other.converged().await;
    scene.hold_a_load_balancer_and_a_claim().await;

    let (planned, told) = scene.retire().await;
    assert_eq!(planned.load_balancers, ["default/ingress"]);
    assert_eq!(planned.claims, ["default/home"]);
    assert!(planned.untouched.iter().any(|one| one.starts_with("cluster old-2 ")), "{:?}", planned.untouched);
    let deleted: Vec<&str> = told.iter().map(|intent| intent.object.as_str()).collect();
    assert!(deleted[0].contains("ingress") && deleted[1].contains("home"), "{deleted:?}");
    assert!(deleted.last().unwrap().starts_with("cluster "), "{deleted:?}");
    assert!(scene.clusters().await.is_empty());
    assert!(!scene.folder().join("kube/config").exists());
    assert_eq!(other.clusters().await.len(), 1, "the neighbour is untouched");

    // Again: there is nothing to do.
    let before = cloud.writes();
    assert_eq!(scene.retire().await.0.cluster, None);
    assert_eq!(cloud.writes(), before);
    other.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_autoscaling_only_the_limits_of_the_workers_are_ours() {
    let Some((cloud, _turn)) = turn().await else { return };
    let labels = |max: u32| {
        let limits = format!("auto_scaling_enabled: \"true\", min_node_count: \"1\", max_node_count: \"{max}\"");
        format!("nodes: 1, mergeLabels: true, labels: {{{limits}}}")
    };
    let scene = Scene::new(cloud, "elastic", &labels(4));
    scene.converged().await;
    let other = scene.but(&labels(5).replace("nodes: 1", "nodes: 3"));
    let outcome = other.converged().await;
    assert_eq!(actions(&outcome), ["update"]);
    assert!(
        outcome.changes[0].object.ends_with("node group default-worker from 1 to 5 nodes instead of 1 to 4"),
        "{outcome:?}"
    );
    assert_eq!(scene.clusters().await[0].node_count, 1, "the count is the autoscaler's");
    assert_eq!(actions(&other.converged().await), [""; 0]);
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clusters_of_two_generations_are_told_apart_and_the_old_one_goes_alone() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "twice", "kubeconfig: kube/config");
    scene.converged().await;
    let (run, _) = run();
    let outcome = converge_once(MagnumStep(scene.of_generation(2)), &run).await;
    assert_eq!(
        (outcome.failure.as_ref(), actions(&outcome)),
        (None, vec!["create", "update"]),
        "cluster and kubeconfig"
    );
    assert_eq!(scene.of_generation(1).generations(&run).await.unwrap(), [1, 2]);
    assert_eq!(actions(&scene.converged().await), [""; 0], "the first one is still its own");
    let names: Vec<String> = scene.clusters().await.into_iter().map(|cluster| cluster.name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&"twice-2".to_owned()), "{names:?}");
    assert!(scene.folder().join("kube/config").exists() && scene.folder().join("kube/config-2").exists());

    let (planned, _) = scene.retire().await;
    assert_eq!(planned.cluster.unwrap().0, "twice");
    assert_eq!(scene.of_generation(1).generations(&run).await.unwrap(), [2]);
    assert!(!scene.folder().join("kube/config").exists() && scene.folder().join("kube/config-2").exists());
    let again = converge_once(MagnumStep(scene.of_generation(2)), &run).await;
    assert_eq!((again.failure.as_ref(), actions(&again)), (None, vec![]));
    scene.clear().await;
}
