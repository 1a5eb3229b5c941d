//! The three historical gaps on clones of the real repositories: what was measured, and the signals that would have told.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a failing helper is a failing test")]

mod drift_common;

use drift_common::{Clones, cases, text};
use rsp_install::drift::Facts;
use rsp_install::drift::mode::{Mode, decide};
use rsp_install::drift::{ApplicationReport, Bump, Level, NamedVersionChange, Report, Request, VersionChange, report};
use serde_json::{Value, json};

fn report_of(clones: &Clones, gap: &Value) -> Report {
    let (fork, upstream) = clones.sides(&text(&gap["fork"]), &text(&gap["upstream"]));
    let environment = text(&gap["env"]);
    let request = Request { environment, aliases: Vec::new(), former_names: Vec::new(), fork, upstream, facts: None };
    let begun = std::time::Instant::now();
    let report = report(&clones.git, &request).unwrap();
    eprintln!("whole report: {:?}", begun.elapsed());
    report
}

#[test]
fn what_changes_for_each_application_is_exact() {
    let (Some(clones), Some(cases)) = (Clones::find(), cases()) else { return };
    for (id, gap) in cases["gaps"].as_object().unwrap() {
        let report = report_of(&clones, gap);
        let enabled: Vec<&str> =
            report.applications.iter().filter(|one| one.enabled).map(|one| one.name.as_str()).collect();
        assert_eq!(json!(enabled), gap["enabled"], "{id}");
        assert_eq!(json!(report.applications_added), gap["catalog_added"], "{id}");
        assert_eq!(json!(report.applications_removed), gap["catalog_removed"], "{id}");
        assert_eq!(report.behind, gap["upstream_commits"].as_u64().unwrap() as usize, "{id}");
        assert_eq!(report.behind_without_merges, gap["relevance"]["no_merge_total"].as_u64().unwrap() as usize, "{id}");
        let measured = |name: &str| gap["relevance"][name].as_u64().unwrap() as usize;
        assert_eq!(report.relevant_commits, measured("no_merge_relevant"), "{id}: relevant commits");
        assert_eq!(report.relevant_files, measured("files_relevant"), "{id}: relevant files");
        assert_eq!(report.own_files_commits, measured("own_env_file_commits"), "{id}: commits to our own files");
        assert_eq!(report.weeks.iter().map(|week| week.relevant).sum::<usize>(), report.relevant_commits, "{id}");
        let sweeps: Vec<(String, String)> = report
            .signals
            .iter()
            .filter(|signal| signal.id == "sweep")
            .flat_map(|signal| &signal.evidence)
            .map(|one| (one.commit.clone().unwrap(), one.text.split(':').next().unwrap().to_owned()))
            .collect();
        let mut measured: Vec<(String, String)> = Vec::new();
        for sweep in gap["sweeps_without_own_env"].as_array().unwrap() {
            measured.insert(0, (text(&sweep["merge"]), text(&sweep["app"])));
        }
        assert_eq!(sweeps, measured, "{id}: sweeps, newest first");
        let conflicts: Vec<&str> = report.conflicts.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(json!(conflicts), gap["merged"]["conflict_files"], "{id}: conflicts");
        for (name, want) in gap["apps"].as_object().unwrap() {
            let found = report.applications.iter().find(|one| one.name == *name).unwrap();
            check_application(&format!("{id}, {name}"), found, want);
        }
        let stale: usize = report.applications.iter().map(|one| one.stale_overrides.len()).sum();
        assert_eq!(stale as u64, gap["stale_override_count"].as_u64().unwrap(), "{id}");
        let removed: Vec<String> =
            report.secrets.removed.iter().map(|one| format!("{}/{}", one.application, one.key)).collect();
        assert_eq!(json!(removed), gap["removed_secrets"], "{id}");
        let added: Vec<String> =
            report.secrets.added.iter().filter(|one| one.is_static).map(|one| one.key.clone()).collect();
        assert_eq!(json!(added), gap["new_static_secrets"], "{id}");
        let missing: Vec<String> =
            report.missing_values_files.iter().map(|file| file.split('/').nth(1).unwrap().to_owned()).collect();
        assert_eq!(json!(missing), gap["merged"]["enabled_after_without_env_file"], "{id}");
    }
}

fn check_application(id: &str, found: &ApplicationReport, want: &Value) {
    let versions: Vec<Value> = found.dependencies.iter().map(named).collect();
    assert_eq!(json!(versions), or_empty(&want["dependencies"]), "{id}: dependencies");
    let app_version: Vec<Value> = found.app_version.iter().map(|change| triple("appVersion", change)).collect();
    assert_eq!(json!(app_version), or_empty(&want["appVersion"]), "{id}: appVersion");
    let tags: Vec<Value> = found.image_tags.iter().map(named).collect();
    assert_eq!(json!(tags), or_empty(&want["image_tags"]), "{id}: image tags");
    let stale: Vec<&str> = found.stale_overrides.iter().map(|stale| stale.path.as_str()).collect();
    let wanted: Vec<&Value> = want["stale_overrides"].as_array().into_iter().flatten().map(|one| &one[0]).collect();
    assert_eq!(json!(stale), json!(wanted), "{id}: stale overrides");
    let count = |name: &str| usize::try_from(want[name].as_u64().unwrap_or_default()).unwrap();
    assert_eq!(found.files_changed, count("files_changed"), "{id}: files");
    assert_eq!(
        found.values_removed.len(),
        count("values_keys_removed"),
        "{id}: keys removed {:?}",
        found.values_removed
    );
    assert_eq!(found.values_added.len(), count("values_keys_added"), "{id}: keys added {:?}", found.values_added);
    let shared: u64 = want["shared_chart_files_changed"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, count)| count.as_u64().unwrap())
        .sum();
    assert_eq!(found.shared_files_changed as u64, shared, "{id}: files of charts beside it");
    let project = found.project.as_ref().map(|change| json!([change.from, change.to])).unwrap_or_default();
    if !found.removed_upstream {
        assert_eq!(found.templates_changed, count("templates_changed"), "{id}: templates");
        assert_eq!(project, want["argocd_project"], "{id}: project");
        assert_eq!(
            found.uncheckable_overrides,
            count("overrides_of_external_subchart_not_checkable"),
            "{id}: elsewhere"
        );
    }
    let crds: Vec<&Value> = want["crds_changed"].as_array().into_iter().flatten().map(|one| &one[0]).collect();
    assert_eq!(json!(found.crds_changed), json!(crds), "{id}: CRDs");
}

fn or_empty(value: &Value) -> Value {
    if value.is_null() { json!([]) } else { value.clone() }
}

fn named(change: &NamedVersionChange) -> Value {
    triple(&change.name, &change.change)
}

fn triple(name: &str, change: &VersionChange) -> Value {
    let bump = serde_json::to_value(change.bump).unwrap();
    if change.bump == Bump::Removed {
        return json!([name, change.from, Value::Null, bump]);
    }
    json!([name, change.from, change.to, bump])
}

#[test]
fn the_signals_that_would_have_told_are_there() {
    let (Some(clones), Some(cases)) = (Clones::find(), cases()) else { return };
    let gaps = cases["gaps"].as_object().unwrap();
    let find = |start: &str| gaps.iter().find(|(id, _)| id.starts_with(start)).unwrap().1;
    let evidence = |report: &Report, id: &str| -> Vec<String> {
        let found = report.signals.iter().filter(|signal| signal.id == id);
        found.flat_map(|signal| &signal.evidence).map(|one| one.text.clone()).collect()
    };

    let january = report_of(&clones, find("H0"));
    eprintln!("{:#?}", january.signals);
    let removed = evidence(&january, "app-removed");
    for (name, text) in ["cachemachine", "moneypenny", "nublado2"].iter().zip(&removed) {
        assert!(text.starts_with(name), "{removed:?}");
    }
    assert_eq!(removed.len(), 3);
    assert!(january.conflicts.is_empty(), "it merged without one conflict");
    assert!(january.signals.iter().any(|signal| signal.level == Level::Stop));

    let october = report_of(&clones, find("H1"));
    eprintln!("{:#?}", october.signals);
    assert_eq!(october.missing_values_files, ["applications/ssotap/values-roe.yaml"]);

    let december = report_of(&clones, find("H2"));
    eprintln!("{:#?}", december.signals);
    let stale = evidence(&december, "stale-override");
    assert!(stale.iter().any(|text| text.contains("config.cadcBaseUuid")), "{stale:?}");
    let sweeps = evidence(&december, "sweep");
    assert!(sweeps.len() == 1 && sweeps[0].contains("mobu: edited in 6 other"), "{sweeps:?}");
}

#[test]
fn the_mode_of_each_gap_is_argued() {
    let (Some(clones), Some(cases)) = (Clones::find(), cases()) else { return };
    let gaps = cases["gaps"].as_object().unwrap();
    let find = |start: &str| report_of(&clones, gaps.iter().find(|(id, _)| id.starts_with(start)).unwrap().1);

    // Three applications were on that upstream had removed: the merge was taken back after 99 minutes.
    let january = decide(&find("H0"), &Facts::default());
    assert_eq!(january.mode, Mode::NotMergeable, "{january:#?}");
    assert!(january.reasons[0].contains("app-removed"), "{:?}", january.reasons);

    // ssotap was on without a values file: Argo CD could not have rendered it.
    let october = decide(&find("H1"), &Facts::default());
    assert_eq!(october.mode, Mode::NotMergeable, "{october:#?}");
    assert!(october.reasons[0].contains("missing-env-file"), "{:?}", october.reasons);

    // One stale override and new major versions with schemas: nothing of the cluster changes, so it is no rebuild.
    let december = find("H2");
    let advice = decide(&december, &Facts::default());
    assert_eq!(advice.mode, Mode::UpgradeWithSteps, "{advice:#?}");
    assert!(advice.reasons.iter().any(|reason| reason.contains("stale-override")), "{:?}", advice.reasons);
    let facts =
        Facts { kubernetes: Some("1.22.9".into()), kubernetes_can_be_upgraded: Some(false), ..Facts::default() };
    assert_eq!(decide(&december, &facts).mode, Mode::Rebuild, "1.23 is the minimum there");
}
