//! Every signal, on a small generated repository: once where it holds and once where it does not; and on the commits of
//! the real repositories that show it, when they are at hand.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod drift_common;

use drift_common::phalanx::{CATALOGUE, Phalanx, ROE, evidence};
use rsp_install::drift::Facts;
use rsp_install::drift::{Level, Report};

const GAFAELFAWR: &str = "applications/gafaelfawr/Chart.yaml";
const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: tap\nspec:\n  replicas: 1\n  selector:\n    \
                          matchLabels:\n      app: tap\n";
const JOB: &str = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: load\nspec:\n  template:\n    image: a\n";
const SECRET: &str = "apiVersion: x\nkind: VaultSecret\nmetadata:\n  name: tap-secret\nspec:\n  path: p\n";

/// A phalanx in which fork and upstream have these files more.
fn with(files: &[(&str, &str)]) -> Option<Phalanx> {
    let phalanx = Phalanx::new()?;
    phalanx.upstream("More", files);
    phalanx.0.git(&["branch", "-f", "fork", "main"]);
    Some(phalanx)
}

fn level(report: &Report, id: &str) -> Option<Level> {
    report.signals.iter().find(|signal| signal.id == id).map(|signal| signal.level)
}

/// The level of a signal after upstream made a change.
fn after(phalanx: &Phalanx, id: &str, message: &str, files: &[(&str, &str)]) -> (Option<Level>, Vec<String>) {
    phalanx.upstream(message, files);
    let report = phalanx.report();
    (level(&report, id), evidence(&report, id))
}

#[test]
fn an_application_that_is_off_here_may_be_removed_upstream() {
    let Some(phalanx) = Phalanx::new() else { return };
    let without = CATALOGUE.replace("  mobu: false\n", "");
    let files = [("environments/values.yaml", without.as_str()), ("applications/mobu/Chart.yaml", "")];
    assert_eq!(after(&phalanx, "app-removed", "Remove mobu", &files).0, None);
}

#[test]
fn an_application_turned_on_with_a_values_file_is_not_missing_one() {
    let Some(phalanx) = Phalanx::new() else { return };
    let on = CATALOGUE.replace("mobu: false", "mobu: true");
    let files = [("environments/values.yaml", on.as_str()), ("applications/mobu/values-roe.yaml", "{}\n")];
    let (level, _) = after(&phalanx, "missing-env-file", "mobu by default", &files);
    assert_eq!(level, None);
    assert_eq!(phalanx.report().newly_default, ["mobu"]);
}

#[test]
fn an_environment_of_another_host_is_no_rename() {
    let Some(phalanx) = Phalanx::new() else { return };
    let other = ROE.replace("name: roe", "name: other").replace("rsp.example.ac.uk", "other.example.ac.uk");
    let files = [("environments/values-other.yaml", other.as_str())];
    assert_eq!(after(&phalanx, "env-renamed", "Another environment", &files).0, None);
    let gone = [("environments/values-roe.yaml", "")];
    let (level, told) = after(&phalanx, "env-renamed", "Delete roe", &gone);
    assert_eq!(level, Some(Level::Stop));
    assert_eq!(told, ["upstream deleted the environment roe"]);
}

#[test]
fn a_former_value_that_the_fork_has_itself_is_no_regression_and_a_new_address_is_one() {
    let text = "controller:\n  service:\n    loadBalancerIP: 192.0.2.1\n";
    let file = "applications/tap/values-roe.yaml";
    let Some(phalanx) = with(&[(file, text)]) else { return };
    let moved = text.replace("192.0.2.1", "192.0.2.9");
    let (level, told) = after(&phalanx, "env-regression", "Move them", &[(file, &moved)]);
    assert_eq!(level, Some(Level::Stop));
    assert!(told.len() == 1 && told[0].contains("192.0.2.9"), "{told:?}");
    phalanx.fork("We moved", &[(file, &moved)]);
    assert_eq!(evidence(&phalanx.report(), "env-regression"), [""; 0], "the fork has it already");
}

#[test]
fn a_pull_request_of_the_forks_own_may_be_reverted_and_a_revert_may_be_taken_back() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.fork("ours", &[("ours", "x\n")]);
    phalanx.0.git(&["checkout", "-q", "-b", "topic"]);
    phalanx.0.commit_saying("topic", &[("topic", "x\n")]);
    phalanx.fork("more of ours", &[("ours", "y\n")]);
    phalanx.0.git(&["merge", "-q", "--no-ff", "-m", "Merge pull request #1 from us/topic", "topic"]);
    phalanx.0.git(&["revert", "-m", "1", "--no-edit", "HEAD"]);
    phalanx.upstream("theirs", &[("theirs", "x\n")]);
    assert_eq!(level(&phalanx.report(), "merge-reverted"), None, "nothing of upstream was taken back");

    phalanx.0.git(&["checkout", "-q", "fork"]);
    phalanx.0.git(&["merge", "-q", "--no-edit", "main"]);
    phalanx.0.git(&["revert", "-m", "1", "--no-edit", "HEAD"]);
    phalanx.upstream("more of theirs", &[("theirs", "y\n")]);
    assert_eq!(level(&phalanx.report(), "merge-reverted"), Some(Level::Stop));

    phalanx.0.git(&["checkout", "-q", "fork"]);
    phalanx.0.git(&["revert", "--no-edit", "HEAD"]);
    assert_eq!(level(&phalanx.report(), "merge-reverted"), None, "the revert was reverted");
}

#[test]
fn a_version_above_the_floor_is_reached_directly_and_commits_may_name_a_floor() {
    let Some(phalanx) = Phalanx::new() else { return };
    let chart = phalanx.read(GAFAELFAWR);
    let to = |version: &str| chart.replace("9.6.1", version);
    assert_eq!(after(&phalanx, "floor-version", "Update Gafaelfawr to 11", &[(GAFAELFAWR, &to("11.0.0"))]).0, None);
    let message =
        "Update Gafaelfawr to 11.5.0\n\nThis no longer supports direct upgrades\nfrom versions prior to 11.0.0.";
    let (level, told) = after(&phalanx, "floor-version", message, &[(GAFAELFAWR, &to("11.5.0"))]);
    assert_eq!(level, Some(Level::Stop));
    assert!(told.len() == 1 && told[0].contains("from 9.6.1"), "{told:?}");
}

#[test]
fn a_higher_version_is_no_downgrade() {
    let Some(phalanx) = Phalanx::new() else { return };
    let chart = phalanx.read(GAFAELFAWR).replace("1.0.13", "1.0.14");
    assert_eq!(after(&phalanx, "downgrade", "Update redis", &[(GAFAELFAWR, &chart)]).0, None);
    let back = phalanx.read(GAFAELFAWR).replace("9.6.1", "9.5.0");
    let (level, told) = after(&phalanx, "downgrade", "Back", &[(GAFAELFAWR, &back)]);
    assert_eq!((level, told), (Some(Level::Stop), vec!["gafaelfawr: appVersion 9.6.1 becomes 9.5.0".to_owned()]));
}

#[test]
fn the_same_lowest_kubernetes_is_nothing_to_stop_for() {
    let text = |version: &str| format!("The oldest version of Kubernetes known to work is {version}.\n");
    let file = "docs/admin/requirements.rst";
    let Some(phalanx) = with(&[(file, &text("1.23"))]) else { return };
    let other = text("1.23") + "More words.\n";
    assert_eq!(after(&phalanx, "kubernetes-min", "Words", &[(file, &other)]).0, None);
    let (level, told) = after(&phalanx, "kubernetes-min", "Raise it", &[(file, &text("1.30"))]);
    assert_eq!((level, told), (Some(Level::Stop), vec!["lowest Kubernetes: 1.23 becomes 1.30".to_owned()]));
}

#[test]
fn a_vault_that_only_loses_its_slash_has_not_moved() {
    let Some(phalanx) = Phalanx::new() else { return };
    let file = "environments/values-roe.yaml";
    phalanx.fork("A slash less", &[(file, &ROE.replace("example.org/", "example.org"))]);
    assert_eq!(level(&phalanx.report(), "vault-move"), None);
    phalanx.fork("Another path", &[(file, &ROE.replace("phalanx/roe", "rsp/roe"))]);
    assert_eq!(level(&phalanx.report(), "vault-move"), Some(Level::Rebuild));
}

#[test]
fn an_address_a_storage_class_or_a_file_server_that_the_fork_changes_is_placement() {
    let file = "applications/tap/values-roe.yaml";
    let values = "service:\n  loadBalancerIP: 192.0.2.1\npostgresStorageClass: fast\nvolumes:\n- name: home\n  source:\n    server: a\nport: 1\n";
    let Some(phalanx) = with(&[(file, values)]) else { return };
    phalanx.fork("A port", &[(file, &values.replace("port: 1", "port: 2"))]);
    assert_eq!(level(&phalanx.report(), "placement"), None);
    let moved = values.replace("192.0.2.1", "192.0.2.2").replace("fast", "slow").replace("server: a", "server: b");
    phalanx.fork("Elsewhere", &[(file, &moved)]);
    let report = phalanx.report();
    assert_eq!(level(&report, "placement"), Some(Level::Rebuild));
    let told = evidence(&report, "placement");
    assert!(told.len() == 3 && told.iter().all(|text| text.contains("changed on the fork")), "{told:?}");
}

#[test]
fn a_stale_override_is_a_step_before_the_sync_and_an_unknown_one_of_old_is_not() {
    let file = "applications/gafaelfawr/values-roe.yaml";
    let Some(phalanx) = with(&[(file, "config:\n  cadcBaseUuid: abc\n  neverKnown: 1\n")]) else { return };
    let values = "config:\n  open: {}\n  logLevel: info\n";
    let (level, told) =
        after(&phalanx, "stale-override", "Remove it", &[("applications/gafaelfawr/values.yaml", values)]);
    assert_eq!(level, Some(Level::Procedure), "it is fixed before the sync");
    assert!(told.len() == 1 && told[0].contains("config.cadcBaseUuid (line 2)"), "{told:?}");
}

#[test]
fn generated_and_switched_off_secrets_ask_for_nothing() {
    let Some(phalanx) = Phalanx::new() else { return };
    let file = "applications/gafaelfawr/secrets.yaml";
    let secrets = phalanx.read(file)
        + "token:\n  description: x\n  generate:\n    type: password\noff:\n  description: x\n  if: config.nothing\n";
    assert_eq!(after(&phalanx, "new-secret", "Secrets", &[(file, &secrets)]).0, None);
    let more = secrets + "needed:\n  description: x\n";
    let (level, told) = after(&phalanx, "new-secret", "One more", &[(file, &more)]);
    assert_eq!((level, told), (Some(Level::Procedure), vec!["gafaelfawr/needed must be supplied".to_owned()]));
}

#[test]
fn a_schema_update_that_was_turned_on_for_a_while_elsewhere_is_told() {
    let Some(phalanx) = Phalanx::new() else { return };
    let file = "applications/gafaelfawr/values-idfint.yaml";
    assert_eq!(after(&phalanx, "schema", "Add it", &[(file, "config:\n  updateSchema: false\n")]).0, None);
    let on = phalanx.upstream("On", &[(file, "config:\n  updateSchema: true\n")]);
    phalanx.upstream("Off", &[(file, "config:\n  updateSchema: false\n")]);
    let report = phalanx.report();
    let signal = report.signals.iter().find(|signal| signal.id == "schema").unwrap();
    assert_eq!(signal.level, Level::Procedure);
    assert_eq!(signal.evidence.len(), 1);
    assert_eq!(signal.evidence[0].commit.as_deref(), Some(on.as_str()));
}

#[test]
fn a_new_version_of_an_application_without_a_database_changes_no_schema() {
    let Some(phalanx) = Phalanx::new() else { return };
    let chart = "applications/nublado2/Chart.yaml";
    let newer = phalanx.read(chart).replace("2.6.1", "2.7.0");
    assert_eq!(after(&phalanx, "schema", "Update", &[(chart, &newer)]).0, None);
}

#[test]
fn argo_cd_of_another_major_version_is_told_twice_and_a_minor_one_is_not() {
    let chart = |version: &str| {
        let dependency = format!("- {{name: argo-cd, version: {version}, repository: \"https://example.org/\"}}");
        format!("name: argocd\nversion: 1.0.0\ndependencies:\n{dependency}\n")
    };
    let catalogue = CATALOGUE.to_owned() + "  argocd: true\n";
    let file = "applications/argocd/Chart.yaml";
    let files = [
        ("environments/values.yaml", catalogue.as_str()),
        (file, &chart("7.6.1")),
        ("applications/argocd/values-roe.yaml", "{}\n"),
    ];
    let Some(phalanx) = with(&files) else { return };
    assert_eq!(after(&phalanx, "argocd-major", "Minor", &[(file, &chart("7.7.0"))]).0, None);
    assert_eq!(level(&phalanx.report(), "crd"), None);
    let (level_of, told) = after(&phalanx, "argocd-major", "Major", &[(file, &chart("8.0.0"))]);
    assert_eq!((level_of, told), (Some(Level::Procedure), vec!["argocd: argo-cd 7.6.1 becomes 8.0.0".to_owned()]));
    let report = phalanx.report();
    assert_eq!(level(&report, "crd"), Some(Level::Procedure), "it ships definitions of its own");
    let last = report.steps.last().unwrap();
    assert_eq!(last.signal.as_deref(), Some("argocd-major"), "Argo CD comes last: {:?}", report.steps);
}

#[test]
fn a_custom_resource_definition_counts_where_the_application_is_on() {
    let Some(phalanx) = Phalanx::new() else { return };
    let file = |name: &str| format!("applications/{name}/crds/ingress.yaml");
    assert_eq!(after(&phalanx, "crd", "One that is off", &[(&file("mobu"), "kind: x\n")]).0, None);
    let (level, _) = after(&phalanx, "crd", "One that is on", &[(&file("gafaelfawr"), "kind: x\n")]);
    assert_eq!(level, Some(Level::Procedure));
    let report = phalanx.report();
    let signal = report.signals.iter().find(|signal| signal.id == "crd").unwrap();
    assert_eq!(signal.evidence[0].file.as_deref(), Some(file("gafaelfawr").as_str()));
}

#[test]
fn a_workload_of_another_kind_or_with_another_selector_is_told_and_more_replicas_are_not() {
    let file = "applications/tap/templates/deployment.yaml";
    let Some(phalanx) = with(&[(file, DEPLOYMENT)]) else { return };
    let more = DEPLOYMENT.replace("replicas: 1", "replicas: 2");
    assert_eq!(after(&phalanx, "kind-switch", "More", &[(file, &more)]).0, None);
    let other = DEPLOYMENT.replace("app: tap", "app: other");
    let (level, told) = after(&phalanx, "kind-switch", "Selector", &[(file, &other)]);
    assert!(level == Some(Level::Procedure) && told[0].contains("selector"), "{told:?}");
    let stateful = DEPLOYMENT.replace("Deployment", "StatefulSet");
    let (_, told) = after(&phalanx, "kind-switch", "Stateful", &[(file, &stateful)]);
    assert_eq!(told, ["tap: Deployment tap becomes StatefulSet tap"]);
}

#[test]
fn a_job_that_changes_must_be_deleted_and_a_hook_need_not() {
    let file = "applications/tap/templates/job.yaml";
    let hook = JOB.replace("  name: load\n", "  name: load\n  annotations:\n    argocd.argoproj.io/hook: PreSync\n");
    let Some(phalanx) = with(&[(file, &hook)]) else { return };
    let changed = hook.replace("image: a", "image: b");
    assert_eq!(after(&phalanx, "job-immutable", "A hook", &[(file, &changed)]).0, None);
    let Some(phalanx) = with(&[(file, JOB)]) else { return };
    let changed = JOB.replace("image: a", "image: b");
    assert_eq!(after(&phalanx, "job-immutable", "A job", &[(file, &changed)]).0, Some(Level::Procedure));
}

#[test]
fn a_job_whose_labels_change_is_left_alone() {
    let file = "applications/tap/templates/job.yaml";
    let Some(phalanx) = with(&[(file, JOB)]) else { return };
    let labelled = JOB.replace("  name: load\n", "  name: load\n  labels:\n    a: b\n");
    assert_eq!(
        after(&phalanx, "job-immutable", "A label", &[(file, &labelled)]).0,
        None,
        "only its pods cannot change"
    );
}

#[test]
fn a_secret_of_another_name_is_told_and_one_with_another_path_is_not() {
    let file = "applications/tap/templates/vault-secrets.yaml";
    let Some(phalanx) = with(&[(file, SECRET)]) else { return };
    assert_eq!(after(&phalanx, "resource-rename", "Path", &[(file, &SECRET.replace("path: p", "path: q"))]).0, None);
    let (level, told) = after(&phalanx, "resource-rename", "Name", &[(file, &SECRET.replace("tap-secret", "tap"))]);
    let want = "tap: VaultSecret tap-secret becomes VaultSecret tap".to_owned();
    assert_eq!((level, told), (Some(Level::Procedure), vec![want]));
}

#[test]
fn an_application_that_moves_to_another_project_or_namespace_is_told() {
    let (old, new) =
        ("environments/templates/applications/rsp/tap.yaml", "environments/templates/applications/support/tap.yaml");
    let Some(phalanx) = Phalanx::new() else { return };
    let text = phalanx.read(old);
    assert_eq!(after(&phalanx, "project-move", "Words", &[(old, &format!("# tap\n{text}"))]).0, None);
    let (level, told) = after(&phalanx, "project-move", "Another project", &[(old, ""), (new, &text)]);
    assert_eq!((level, told), (Some(Level::Procedure), vec!["tap: project rsp becomes support".to_owned()]));
    let (_, told) = after(&phalanx, "project-move", "And namespace", &[(new, &text.replace("\"tap\"", "\"tap2\""))]);
    assert_eq!(told, ["tap: namespace tap becomes tap2", "tap: project rsp becomes support"]);
}

#[test]
fn a_sweep_that_edits_us_too_or_few_others_is_none() {
    let Some(phalanx) = Phalanx::new() else { return };
    let files = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("applications/tap/values-{name}.yaml")).collect()
    };
    let edit = |names: &[&str], message: &str| {
        let files = files(names);
        let files: Vec<(&str, &str)> = files.iter().map(|file| (file.as_str(), message)).collect();
        after(&phalanx, "sweep", message, &files).0
    };
    assert_eq!(edit(&["a", "b", "c", "d"], "x: 1\n"), None);
    assert_eq!(edit(&["a", "b", "c", "d", "roe"], "x: 2\n"), None);
    assert_eq!(edit(&["a", "b", "c", "d", "e"], "x: 3\n"), Some(Level::Warn));
}

#[test]
fn user_images_that_stop_working_are_announced_by_their_version_or_by_a_message() {
    let chart = |version: &str| format!("name: nublado\nversion: 1.0.0\nappVersion: {version}\n");
    let catalogue = CATALOGUE.to_owned() + "  nublado: true\n";
    let file = "applications/nublado/Chart.yaml";
    let files = [
        ("environments/values.yaml", catalogue.as_str()),
        (file, &chart("11.1.0")),
        ("applications/nublado/values-roe.yaml", "{}\n"),
    ];
    let Some(phalanx) = with(&files) else { return };
    assert_eq!(after(&phalanx, "labs-incompatible", "Update Nublado", &[(file, &chart("11.2.0"))]).0, None);
    let (level, told) = after(&phalanx, "labs-incompatible", "Update Nublado", &[(file, &chart("12.0.0"))]);
    assert!(level == Some(Level::Warn) && told.len() == 1, "{told:?}");

    let Some(phalanx) = with(&[files[0], (file, &chart("12.0.0")), files[2]]) else { return };
    let message = "Update Nublado to 13.0.0\n\nIncompatible with labs built after\n12.0.0 unless they are rebuilt.";
    let (level, told) = after(&phalanx, "labs-incompatible", message, &[(file, &chart("13.0.0"))]);
    assert!(level == Some(Level::Warn) && told.len() == 1, "{told:?}");
}

#[test]
fn a_cluster_that_is_known_decides_about_its_kubernetes_and_from_which_version_it_comes() {
    let file = "docs/admin/requirements.rst";
    let Some(phalanx) = with(&[(file, "The oldest version of Kubernetes known to work is 1.23.\n")]) else { return };
    let chart = phalanx.read(GAFAELFAWR).replace("9.6.1", "12.2.0");
    phalanx.upstream(
        "Newer",
        &[(file, "The oldest version of Kubernetes known to work is 1.30.\n"), (GAFAELFAWR, &chart)],
    );
    let knowing = |kubernetes: &str, deployed: &str| {
        let deployed = [("gafaelfawr".to_owned(), deployed.to_owned())].into();
        phalanx.report_knowing(Facts { kubernetes: Some(kubernetes.into()), deployed, ..Facts::default() })
    };
    let report = knowing("1.30.1", "11.0.0");
    assert_eq!((level(&report, "kubernetes-min"), level(&report, "floor-version")), (None, None));
    let report = knowing("1.29.9", "9.6.1");
    assert_eq!(evidence(&report, "kubernetes-min"), ["lowest Kubernetes: 1.30; the cluster has 1.29"]);
    assert_eq!(level(&report, "floor-version"), Some(Level::Stop));
}
