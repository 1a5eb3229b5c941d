//! Bad input, faults on the way, and deaths of our own: what the contract's exit codes say, and never a second cluster.

use crate::cloud::turn;
use crate::clusters::{Scene, actions, converge_once};
use crate::hands::{connected, limit_rules};
use rsp_install::error::Kind;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_the_file_is_said_before_anything_is_written() {
    let Some((cloud, _turn)) = turn().await else { return };
    let before = cloud.writes();
    let cases = [
        ("template: no-such", Kind::Invalid, "no cluster template \"no-such\""),
        ("template: twice", Kind::Invalid, "cluster template \"twice\" is ambiguous"),
        ("keypair: no-such", Kind::Invalid, "cloud.keypair"),
        ("openPorts: [{port: 80, from: somewhere}]", Kind::Invalid, "cloud.openPorts.80"),
        ("cloud: no-such", Kind::Invalid, "no cloud \"no-such\""),
    ];
    for (more, kind, words) in cases {
        let failure = Scene::new(cloud, "wrong", more).converge().await.0.failure.unwrap();
        assert_eq!(failure.kind, kind, "{more}: {failure}");
        assert!(failure.message.contains(words) && !failure.help.is_empty(), "{more}: {failure}");
    }
    assert_eq!(cloud.writes(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_says_so_in_keystones_words() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "nobody", "cloud: demo");
    let clouds = std::fs::read_to_string(cloud.state.join("clouds.yaml")).unwrap();
    let wrong = scene.folder().join("clouds.yaml");
    std::fs::write(&wrong, clouds.replace("password: secret", "password: canary-wrong")).unwrap();
    let mut process = cloud.process("demo");
    process.variables.insert("OS_CLIENT_CONFIG_FILE".into(), wrong.to_str().unwrap().into());
    let (outcome, recorder) = scene.converge_as(&process).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.kind, Kind::Unreachable);
    assert!(failure.message.contains("requires authentication"), "{failure}");
    assert!(!format!("{failure} {}", recorder.text()).contains("canary"));

    // Nobody listens there.
    std::fs::write(&wrong, clouds.replace(&cloud.keystone(), "http://127.0.0.1:9/v3")).unwrap();
    process.variables.insert("OS_CLIENT_CONFIG_FILE".into(), wrong.to_str().unwrap().into());
    let failure = scene.converge_as(&process).await.0.failure.unwrap();
    assert_eq!(failure.kind, Kind::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_faults_are_retried_and_told() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "stormy", "openPorts: [443]");
    cloud.fault("magnum", "GET", "^/v1/clusters$", "503");
    cloud.fault("magnum", "GET", "^/v1/clustertemplates$", "reset");
    cloud.fault("magnum", "POST", "^/v1/clusters$", "429:1");
    cloud.fault("magnum", "GET", "^/v1/clusters/[0-9a-f-]+$", "401");
    cloud.fault("magnum", "GET", "/nodegroups$", "500");
    cloud.fault("neutron", "POST", "security-group-rules", "lost");
    let (outcome, run, recorder) = scene.converge().await;
    assert_eq!(outcome.failure, None);
    assert!(cloud.faults_are_used_up());
    assert!(recorder.retries() >= 6, "{}", recorder.text());
    assert!(recorder.text().contains("logging in again"));
    assert_eq!(scene.clusters().await.len(), 1);
    assert!(run.outlet.counters().requests().openstack.writes >= 4, "repeated writes are counted");
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_the_create_call_makes_no_second_cluster() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "lost", "openPorts: []");
    cloud.fault("magnum", "POST", "^/v1/clusters$", "lost");
    let (outcome, _, recorder) = scene.converge().await;
    assert_eq!(outcome.failure, None);
    assert!(recorder.text().contains("looking for the cluster by its mark"));
    assert_eq!(scene.clusters().await.len(), 1);
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_call_that_broke_off_is_looked_up_and_made_once_by_the_next_run() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "broken-off", "openPorts: []");
    cloud.fault("magnum", "POST", "^/v1/clusters$", "reset");
    let failure = scene.converge().await.0.failure.unwrap();
    assert_eq!(failure.kind, Kind::Unreachable, "{failure}");
    assert!(failure.message.contains("was lost") && failure.help[0].contains("run again"), "{failure}");
    assert!(scene.clusters().await.is_empty(), "it never arrived");
    scene.converged().await;
    assert_eq!(scene.clusters().await.len(), 1);
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stays_away_is_given_up_in_its_own_words() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "away", "openPorts: []");
    let before = cloud.writes();
    // Five more tries, each after the second that the service asks for.
    (0..6).for_each(|_| cloud.fault("magnum", "GET", "^/v1/clusters$", "503:1"));
    let begun = Instant::now();
    let (outcome, _, recorder) = scene.converge().await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.kind, Kind::Unreachable);
    assert!(failure.message.contains("A fault by order of the test (HTTP 503"), "{failure}");
    assert!(cloud.faults_are_used_up() && recorder.retries() == 5, "{}", recorder.text());
    assert!(begun.elapsed() > Duration::from_secs(5), "it was asked to wait");

    // A token that is refused although it is new is not tried a third time.
    (0..2).for_each(|_| cloud.fault("magnum", "GET", "^/v1/clustertemplates$", "401"));
    let failure = scene.converge().await.0.failure.unwrap();
    assert_eq!(failure.kind, Kind::Unreachable);
    assert!(failure.message.contains("HTTP 401") && failure.help[0].contains("safe to run again"), "{failure}");
    assert!(cloud.faults_are_used_up());
    assert_eq!(cloud.writes(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_and_a_quota_in_the_middle_are_told_and_the_next_run_goes_on() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "tight", "openPorts: []");
    scene.converged().await;
    let project = connected(cloud, "appcred").await.scope().await.unwrap().project_id;
    let wider = scene.but("openPorts: [443]");
    limit_rules(cloud, &project, Some(1)).await;
    let failure = wider.converge().await.0.failure.unwrap();
    limit_rules(cloud, &project, None).await;
    assert_eq!(failure.kind, Kind::Unreachable, "the cloud refuses: {failure}");
    assert!(failure.message.contains("Quota exceeded for resources: ['security_group_rule']"), "{failure}");
    assert_eq!(actions(&wider.converged().await), ["create"]);

    let larger = scene.but("nodes: 3, openPorts: [443]");
    cloud.fault("magnum", "POST", "/actions/resize$", "409");
    let failure = larger.converge().await.0.failure.unwrap();
    assert_eq!(failure.kind, Kind::Failed, "{failure}");
    assert!(failure.message.contains("A fault by order of the test (HTTP 409"), "{failure}");
    assert_eq!(actions(&larger.converged().await), ["update"]);
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_credential_makes_clusters_only_where_magnum_makes_no_trusts() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "restricted", "openPorts: []");
    let before = cloud.writes();
    // This Magnum speaks 1.14 and makes no trusts; release 2026.1 spoke 1.12 and made them.
    cloud.fault("magnum", "GET", "^/v1/clusters.limit=1$", "newest:1.12");
    let (outcome, recorder) = scene.converge_as(&cloud.process("restricted")).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.kind, Kind::Unreachable, "{failure}");
    assert!(failure.message.contains("cloud.credential: application credential restricted is restricted"), "{failure}");
    assert!(failure.help.join(" ").contains("application credential create --unrestricted"), "{failure}");
    assert!(recorder.text().contains("cloud.credential") && cloud.faults_are_used_up());
    assert_eq!(cloud.writes(), before);

    let (outcome, recorder) = scene.converge_as(&cloud.process("restricted")).await;
    assert_eq!(outcome.failure, None);
    assert!(recorder.text().contains("is restricted, and Magnum makes no trusts here"));
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runs_that_create_at_once_the_later_one_leaves() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "raced", "openPorts: []");
    let (one, two) = tokio::join!(scene.converge(), scene.converge());
    let failures: Vec<_> = [one, two].into_iter().filter_map(|(outcome, ..)| outcome.failure).collect();
    assert_eq!(scene.clusters().await.len(), 1);
    // One may have come late enough to see the other's cluster: then it waits for it, and nobody fails.
    assert!(failures.iter().all(|failure| failure.kind == Kind::Held), "{failures:?}");
    assert!(failures.len() <= 1);
    scene.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_too_small_refuses_with_a_letter_for_the_administrators() {
    let Some((cloud, _turn)) = turn().await else { return };
    let scene = Scene::new(cloud, "hungry", "nodes: 400");
    let failure = scene.converge().await.0.failure.unwrap();
    assert_eq!(failure.kind, Kind::Unreachable, "{failure}");
    let letter = failure.help.iter().find(|line| line.starts_with("Please raise the quota of project demo")).unwrap();
    assert!(letter.contains("more cores") && letter.contains("servers"), "{letter}");
    assert!(scene.clusters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_checkpoint_the_next_run_ends_with_one_cluster() {
    let Some((cloud, _turn)) = turn().await else { return };
    // Write 1 is the create call, write 2 the rule.
    for point in ["1.before", "1.answered", "1.after", "2.before", "2.answered", "2.after"] {
        let scene = Scene::new(cloud, "killed", "openPorts: [443]");
        scene.killed_at(point).await;
        scene.converged().await;
        assert_eq!(scene.clusters().await.len(), 1, "killed at {point}");
        let before = cloud.writes();
        scene.converged().await;
        assert_eq!(cloud.writes(), before, "killed at {point}");
        scene.clear().await;
    }
}

/// The child of [`killed_at_every_checkpoint_the_next_run_ends_with_one_cluster`]: converges one scene and dies on the way.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is started by another test"]
async fn the_run_that_is_killed() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (run, _) = crate::cloud::run();
    let (step, _folder) = crate::clusters::step_of_the_child();
    converge_once(step, &run).await;
}
