//! The shapes of the real gaps, as small generated repositories: what is told, and what to do.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod drift_common;

use drift_common::phalanx::{CATALOGUE, Phalanx, ROE, evidence};
use rsp_install::drift::Facts;
use rsp_install::drift::mode::{Mode, decide};
use rsp_install::drift::{Level, render, since};

#[test]
fn a_fork_that_is_up_to_date_has_no_signals_and_nothing_to_merge() {
    let Some(phalanx) = Phalanx::new() else { return };
    let report = phalanx.report();
    assert_eq!((report.ahead, report.behind), (0, 0));
    assert!(report.signals.is_empty(), "{:#?}", report.signals);
    let names: Vec<&str> = report.applications.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["gafaelfawr", "nublado2", "tap"]);
    assert_eq!(decide(&report, &Facts::default()).mode, Mode::Upgrade);
}

#[test]
fn an_enabled_application_that_upstream_removed_stops_the_merge_though_it_is_clean() {
    let Some(phalanx) = Phalanx::new() else { return };
    let without = CATALOGUE.replace("  nublado2: false\n", "");
    phalanx.upstream(
        "Remove nublado2",
        &[
            ("environments/values.yaml", &without),
            ("applications/nublado2/Chart.yaml", ""),
            ("applications/nublado2/values-roe.yaml", ""),
        ],
    );
    let report = phalanx.report();
    assert!(report.conflicts.is_empty());
    assert_eq!(evidence(&report, "app-removed").len(), 1);
    assert!(report.applications.iter().any(|one| one.name == "nublado2" && one.removed_upstream));
    assert_eq!(decide(&report, &Facts::default()).mode, Mode::NotMergeable);
}

#[test]
fn only_commits_that_touch_what_the_environment_uses_are_relevant() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.upstream("docs", &[("README.md", "more\n")]);
    phalanx.upstream("another environment", &[("applications/tap/values-idfdev.yaml", "a: 1\n")]);
    phalanx.upstream("not enabled here", &[("applications/mobu/values.yaml", "a: 1\n")]);
    phalanx.upstream("a chart beside tap", &[("charts/cadc-tap/values.yaml", "image:\n  tag: 1.3.0\n")]);
    phalanx.upstream("its notes", &[("charts/cadc-tap/README.md", "notes\n")]);
    phalanx.upstream("the application's notes", &[("applications/tap/README.md", "notes\n")]);
    phalanx.upstream("our values", &[("applications/tap/values-roe.yaml", "a: 1\n")]);
    phalanx.upstream("a new project", &[("environments/templates/applications/other/x.yaml", "kind: x\n")]);
    phalanx.upstream("a new application", &[("environments/values.yaml", &format!("{CATALOGUE}  new: false\n"))]);
    let report = phalanx.report();
    assert_eq!((report.behind, report.relevant_commits, report.relevant_files), (9, 3, 3));
    assert_eq!(report.own_files_commits, 1, "our own values are counted apart");
    let tap = report.applications.iter().find(|one| one.name == "tap").unwrap();
    assert_eq!((tap.relevant_commits, tap.files_changed, tap.shared_files_changed), (2, 3, 2));
    assert_eq!(tap.image_tags[0].name, "cadc-tap.image.tag");
    assert_eq!(report.weeks.iter().map(|week| week.commits).sum::<usize>(), 9);
}

#[test]
fn a_setting_whose_key_vanished_is_stale_and_an_open_map_is_not() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.upstream(
        "Remove obsolete setting",
        &[("applications/gafaelfawr/values.yaml", "config:\n  open: {}\n  logLevel: info\n")],
    );
    let report = phalanx.report();
    let gafaelfawr = report.applications.iter().find(|one| one.name == "gafaelfawr").unwrap();
    let paths: Vec<(&str, u64)> = gafaelfawr.stale_overrides.iter().map(|one| (one.path.as_str(), one.line)).collect();
    assert_eq!(paths, [("config.cadcBaseUuid", 2)]);
    assert_eq!(evidence(&report, "stale-override").len(), 1);
    let advice = decide(&report, &Facts::default());
    assert_eq!(advice.mode, Mode::UpgradeWithSteps);
    assert!(advice.steps.iter().any(|step| step.signal.as_deref() == Some("stale-override")));
}

#[test]
fn a_setting_that_the_merge_takes_out_itself_is_told_and_is_no_signal() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.upstream(
        "Remove obsolete setting everywhere",
        &[
            ("applications/gafaelfawr/values.yaml", "config:\n  open: {}\n  logLevel: info\n"),
            ("applications/gafaelfawr/values-roe.yaml", "config:\n  open:\n    anything: 1\n"),
        ],
    );
    let report = phalanx.report();
    let stale: Vec<bool> =
        report.applications.iter().flat_map(|one| &one.stale_overrides).map(|one| one.resolved_by_merge).collect();
    assert_eq!(stale, [true]);
    assert!(evidence(&report, "stale-override").is_empty());
}

#[test]
fn an_application_turned_on_without_a_values_file_stops_the_merge() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx
        .upstream("mobu by default", &[("environments/values.yaml", &CATALOGUE.replace("mobu: false", "mobu: true"))]);
    let report = phalanx.report();
    assert_eq!(report.newly_default, ["mobu"]);
    assert_eq!(report.missing_values_files, ["applications/mobu/values-roe.yaml"]);
    assert_eq!(report.signals[0].id, "missing-env-file");
}

#[test]
fn a_renamed_environment_is_found_by_its_host_and_files_are_not_paired_by_likeness() {
    let Some(phalanx) = Phalanx::new() else { return };
    let renamed =
        ROE.replace("name: roe", "name: ukidacprod").replace("secret/phalanx/roe", "secret/phalanx/ukidacprod");
    let test = renamed.replace("rsp.example.ac.uk", "dev.example.ac.uk").replace("ukidacprod", "ukidacdev");
    phalanx.upstream(
        "Rename roe",
        &[
            ("environments/values-roe.yaml", ""),
            ("environments/values-ukidacdev.yaml", &test),
            ("environments/values-ukidacprod.yaml", &renamed),
            ("applications/tap/values-roe.yaml", ""),
            ("applications/tap/values-ukidacdev.yaml", "{}\n"),
            ("applications/tap/values-ukidacprod.yaml", "{}\n"),
        ],
    );
    phalanx.fork("change", &[("applications/tap/values-roe.yaml", "cadc-tap: {}\n")]);
    let report = phalanx.report();
    assert_eq!(report.environment.renamed_to.as_deref(), Some("ukidacprod"));
    assert_eq!(report.environment.renamed_by.as_deref(), Some("fqdn"));
    assert!(evidence(&report, "env-renamed")[0].contains("ukidacprod"));
    assert_eq!(evidence(&report, "vault-move").len(), 1, "{:#?}", report.signals);
    let paths: Vec<&str> = report.conflicts.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["applications/tap/values-roe.yaml"], "changed here, deleted there");
}

#[test]
fn new_static_secrets_are_evaluated_on_the_merged_values() {
    let Some(phalanx) = Phalanx::new() else { return };
    let secrets = phalanx.read("applications/gafaelfawr/secrets.yaml")
        + "sentry-dsn:\n  description: x\n  if: config.open.anything\ncilogon:\n  description: x\n  if: config.logLevel2\n\
           token:\n  description: x\n  generate:\n    type: password\n";
    phalanx.upstream("secrets", &[("applications/gafaelfawr/secrets.yaml", &secrets)]);
    let report = phalanx.report();
    let added: Vec<(&str, bool)> = report.secrets.added.iter().map(|one| (one.key.as_str(), one.is_static)).collect();
    assert_eq!(added, [("sentry-dsn", true), ("token", false)]);
    assert_eq!(evidence(&report, "new-secret"), ["gafaelfawr/sentry-dsn must be supplied"]);
}

#[test]
fn versions_below_a_floor_and_versions_that_go_back_stop() {
    let Some(phalanx) = Phalanx::new() else { return };
    let chart = phalanx.read("applications/gafaelfawr/Chart.yaml");
    phalanx.upstream(
        "Update Gafaelfawr",
        &[("applications/gafaelfawr/Chart.yaml", &chart.replace("9.6.1", "12.2.0").replace("1.0.13", "1.0.12"))],
    );
    let report = phalanx.report();
    assert_eq!(evidence(&report, "floor-version").len(), 1);
    assert_eq!(evidence(&report, "downgrade"), ["gafaelfawr: redis 1.0.13 becomes 1.0.12"]);
    assert_eq!(evidence(&report, "schema").len(), 1);
    assert!(report.signals[0].level == Level::Stop);
}

#[test]
fn a_floor_asks_for_a_rebuild_only_when_the_database_may_be_lost() {
    let Some(phalanx) = Phalanx::new() else { return };
    let chart = phalanx.read("applications/gafaelfawr/Chart.yaml");
    phalanx.upstream("Update Gafaelfawr", &[("applications/gafaelfawr/Chart.yaml", &chart.replace("9.6.1", "12.2.0"))]);
    let report = phalanx.report();
    assert_eq!(decide(&report, &Facts::default()).mode, Mode::UpgradeWithSteps);
    let disposable = Facts { database_is_disposable: Some(true), ..Facts::default() };
    assert_eq!(decide(&report, &disposable).mode, Mode::Rebuild);
    let deployed = Facts { deployed: [("gafaelfawr".to_owned(), "11.1.1".to_owned())].into(), ..disposable };
    assert_eq!(decide(&report, &deployed).mode, Mode::UpgradeWithSteps, "what is deployed is above the floor");
}

#[test]
fn a_cluster_below_the_minimum_is_rebuilt_when_it_cannot_be_upgraded() {
    let Some(phalanx) = Phalanx::new() else { return };
    let text = "  The oldest version of Kubernetes known to work is 1.30.\n";
    phalanx.upstream("Kubernetes 1.30", &[("docs/admin/requirements.rst", text)]);
    let report = phalanx.report();
    assert_eq!(report.lowest_kubernetes.as_deref(), Some("1.30"));
    let with = |version: &str, can: Option<bool>| {
        let facts = Facts { kubernetes: Some(version.into()), kubernetes_can_be_upgraded: can, ..Facts::default() };
        decide(&report, &facts)
    };
    assert_eq!(with("1.23.8", Some(false)).mode, Mode::Rebuild);
    assert_eq!(with("1.31.0", Some(false)).mode, Mode::Upgrade);
    let undecided = with("1.23.8", None);
    assert_ne!(undecided.mode, Mode::Rebuild, "what is not known does not ask for a rebuild");
    assert_eq!(undecided.unknown.len(), 1);
}

#[test]
fn another_vault_than_the_cluster_reads_asks_for_a_rebuild() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx
        .fork("new Vault", &[("environments/values-roe.yaml", &ROE.replace("vault.example.org", "new.example.org"))]);
    let report = phalanx.report();
    assert_eq!(evidence(&report, "vault-move").len(), 1);
    let reads = |url: &str| decide(&report, &Facts { vault_url: Some(url.into()), ..Facts::default() }).mode;
    assert_eq!(reads("https://vault.example.org"), Mode::Rebuild);
    assert_eq!(reads("https://new.example.org"), Mode::Upgrade, "the cluster is there already");
}

#[test]
fn values_of_ours_that_upstream_sets_back_stop_the_merge() {
    let Some(phalanx) = Phalanx::new() else { return };
    let newer = ROE.replace("vault.example.org", "new.example.org");
    phalanx.upstream("move", &[("environments/values-roe.yaml", &newer)]);
    phalanx.0.git(&["checkout", "-q", "fork"]);
    phalanx.0.git(&["merge", "-q", "--ff-only", "main"]);
    phalanx.upstream("an unrelated merge", &[("environments/values-roe.yaml", ROE)]);
    let told = evidence(&phalanx.report(), "env-regression");
    assert!(told.len() == 1 && told[0].contains("back to a former value"), "{told:?}");
}

#[test]
fn a_reverted_merge_is_found() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.upstream("change", &[("README.md", "changed\n")]);
    phalanx.fork("ours", &[("ours", "x\n")]);
    phalanx.0.git(&["merge", "-q", "--no-edit", "main"]);
    phalanx.0.git(&["revert", "-m", "1", "--no-edit", "HEAD"]);
    phalanx.upstream("more", &[("a", "x\n")]);
    let report = phalanx.report();
    assert_eq!(evidence(&report, "merge-reverted").len(), 1);
    assert_eq!(decide(&report, &Facts::default()).mode, Mode::NotMergeable);
}

#[test]
fn a_sweep_over_other_environments_is_told() {
    let Some(phalanx) = Phalanx::new() else { return };
    let files: Vec<String> = (0..5).map(|at| format!("applications/tap/values-env{at}.yaml")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|file| (file.as_str(), "a: 1\n")).collect();
    phalanx.upstream("All environments", &files);
    let told = evidence(&phalanx.report(), "sweep");
    assert!(told.len() == 1 && told[0].contains("edited in 5 other environments"), "{told:?}");
}

#[test]
fn local_patches_come_as_patches_and_those_of_other_own_environments_do_not_count() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.fork(
        "patch",
        &[
            ("charts/cadc-tap/values.yaml", "image:\n  tag: 1.2.4\n"),
            ("environments/values-rsptest.yaml", &ROE.replace("roe", "rsptest").replace("rsp.ex", "test.ex")),
            ("applications/tap/values-rsptest.yaml", "{}\n"),
            ("applications/tap/values-roe.yaml", "cadc-tap: {}\n"),
        ],
    );
    let report = phalanx.report();
    assert_eq!(report.environment_files, ["applications/tap/values-roe.yaml"]);
    let paths: Vec<(&str, bool)> =
        report.local_patches.iter().map(|one| (one.path.as_str(), one.worth_sending)).collect();
    assert_eq!(paths, [("charts/cadc-tap/values.yaml", true)]);
    let patch = report.local_patches[0].patch.as_deref().unwrap();
    let file = phalanx.0.other("x.patch");
    std::fs::write(&file, patch).unwrap();
    phalanx.0.git(&["checkout", "-q", "main"]);
    phalanx.0.git(&["apply", "--check", file.to_str().unwrap()]);
}

#[test]
fn a_broken_values_file_on_one_side_is_reported_and_the_report_goes_on() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.upstream("break", &[("applications/gafaelfawr/values.yaml", "config: [\n")]);
    let report = phalanx.report();
    assert!(
        report.unreadable.iter().any(|one| one.file == "applications/gafaelfawr/values.yaml" && one.side == "upstream"),
        "{:?}",
        report.unreadable
    );
    assert_eq!(report.behind, 1);
}

#[test]
fn nothing_is_written_to_the_repositories() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.upstream("a", &[("applications/gafaelfawr/values-roe.yaml", "config:\n  cadcBaseUuid: theirs\n")]);
    phalanx.fork("b", &[("applications/gafaelfawr/values-roe.yaml", "config:\n  cadcBaseUuid: ours\n")]);
    let state = || {
        let mut files = Vec::new();
        let mut folders = vec![phalanx.0.path()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push((path.clone(), path.metadata().unwrap().modified().unwrap()));
                }
            }
        }
        files.sort();
        files
    };
    let before = state();
    let report = phalanx.report();
    assert_eq!(report.conflicts.len(), 1);
    assert_eq!(before, state());
}

#[test]
fn a_later_report_tells_what_is_new() {
    let Some(phalanx) = Phalanx::new() else { return };
    let earlier = phalanx.report();
    let json = serde_json::to_vec(&earlier).unwrap();
    phalanx.upstream(
        "Remove setting",
        &[("applications/gafaelfawr/values.yaml", "config:\n  open: {}\n  logLevel: info\n")],
    );
    let earlier = rsp_install::drift::read_report("report.json", &json).unwrap();
    let new = since(&earlier, &phalanx.report());
    assert_eq!(new.behind, 1);
    assert!(new.new_signals.len() == 1 && new.new_signals[0].starts_with("stale-override"), "{:?}", new.new_signals);
    assert!(rsp_install::drift::read_report("x", b"{}").is_err());
}

#[test]
fn text_of_commits_cannot_break_out_of_the_page() {
    let Some(phalanx) = Phalanx::new() else { return };
    let files: Vec<String> = (0..5).map(|at| format!("applications/tap/values-env{at}.yaml")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|file| (file.as_str(), "a: 1\n")).collect();
    phalanx.upstream("<script>alert(1)</script>", &files);
    let report = phalanx.report();
    let page = render::html(&report).unwrap();
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    assert!(
        !page.contains("http-equiv") && !page.contains("src=") && !page.contains("@import"),
        "it needs no other file"
    );
    assert!(render::markdown(&report).contains("&lt;script&gt;"));
    assert!(render::text(&report).contains("sweep"));
}

#[test]
fn the_report_fits_its_schema() {
    let Some(phalanx) = Phalanx::new() else { return };
    let schema = rsp_install::drift::schema();
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    let document = serde_json::to_value(phalanx.report()).unwrap();
    let problems: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
}
