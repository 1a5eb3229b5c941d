//! The commands `drift` and `mode` as they are called: exit codes, formats, JSON keys.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failing helper is a failing test")]

mod git_common;

use assert_cmd::Command;
use git_common::{Fixture, git_here};
use serde_json::Value;

const VALUES: &str = "name: roe\nfqdn: a.example.org\nappOfAppsName: x\nvaultUrl: https://vault.example.org\nvaultPathPrefix: secret/roe\n\
repoUrl: x\ntargetRevision: main\napplications:\n  tap: true\n  old: true\n";

/// A fork that is one commit behind; upstream removed an application that is on here.
fn environment() -> Option<Fixture> {
    if !git_here() {
        return None;
    }
    let fixture = Fixture::new();
    fixture.commit(&[
        ("environments/values.yaml", "applications:\n  tap: false\n  old: false\n"),
        ("environments/values-roe.yaml", VALUES),
        ("applications/tap/Chart.yaml", "name: tap\nversion: 1.0.0\nappVersion: 1.0.0\n"),
        ("applications/tap/values-roe.yaml", "{}\n"),
        ("applications/old/Chart.yaml", "name: old\nversion: 1.0.0\n"),
        ("applications/old/values-roe.yaml", "{}\n"),
    ]);
    fixture.git(&["branch", "fork"]);
    fixture.commit_saying(
        "Remove old",
        &[
            ("environments/values.yaml", "applications:\n  tap: false\n"),
            ("applications/old/Chart.yaml", ""),
            ("applications/old/values-roe.yaml", ""),
        ],
    );
    std::fs::create_dir(fixture.other("environments")).unwrap();
    let file = "name: roe\nphalanx: {repository: ../repository, branch: fork, environment: roe}\n\
                upstream: {repository: ../repository, branch: main}\n";
    std::fs::write(fixture.other("environments/roe.yaml"), file).unwrap();
    Some(fixture)
}

fn run(fixture: &Fixture, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("rsp-install")
        .unwrap()
        .args(arguments)
        .args(["--env", "roe"])
        .current_dir(fixture.other(""))
        .env("RSP_INSTALL_CACHE", fixture.other("cache"))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn stop_signals_end_with_3_and_nothing_to_worry_about_with_0() {
    let Some(fixture) = environment() else { return };
    let (code, text, _) = run(&fixture, &["drift"]);
    assert_eq!(code, 3);
    assert!(text.starts_with("roe: Do not merge yet") && text.contains("app-removed"), "{text}");
    let (code, text, _) = run(&fixture, &["drift", "--upstream", "repository@fork"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Nothing to merge"));
}

#[test]
fn the_json_has_the_keys_of_the_contract() {
    let Some(fixture) = environment() else { return };
    let (code, text, _) = run(&fixture, &["drift", "--output", "json"]);
    assert_eq!(code, 3);
    let report: Value = serde_json::from_str(&text).unwrap();
    for key in [
        "fork",
        "upstream",
        "mergeBase",
        "ahead",
        "behind",
        "filesChangedFork",
        "filesChangedUpstream",
        "filesChangedBoth",
        "conflicts",
        "environmentFiles",
        "localPatches",
        "relevantCommits",
        "applications",
        "newlyDefault",
        "secrets",
        "missingValuesFiles",
        "environment",
        "signals",
    ] {
        assert!(report.get(key).is_some(), "{key}");
    }
    assert_eq!(report["fork"]["ref"], "fork");
    assert_eq!(report["signals"][0]["id"], "app-removed");
    assert_eq!(report["signals"][0]["level"], "stop");
    for key in [
        "name",
        "chart",
        "appVersion",
        "dependencies",
        "removedUpstream",
        "staleOverrides",
        "filesChanged",
        "relevantCommits",
    ] {
        assert!(report["applications"][0].get(key).is_some(), "{key}");
    }
}

#[test]
fn each_format_is_printed_and_an_earlier_report_is_compared() {
    let Some(fixture) = environment() else { return };
    assert!(run(&fixture, &["drift", "--format", "markdown"]).1.starts_with("## roe: "));
    assert!(run(&fixture, &["drift", "--format", "html"]).1.starts_with("<!doctype html>"));
    let (_, before, _) = run(&fixture, &["drift", "--output", "json", "--upstream", "repository@fork"]);
    std::fs::write(fixture.other("before.json"), before).unwrap();
    let (_, text, _) = run(&fixture, &["drift", "--since", "before.json"]);
    assert!(text.contains("new: app-removed"), "{text}");
    let (code, _, error) = run(&fixture, &["drift", "--since", "nowhere.json"]);
    assert!(code == 2 && error.contains("nowhere.json"), "{code} {error}");
}

#[test]
fn mode_gives_reasons_and_reads_facts() {
    let Some(fixture) = environment() else { return };
    let (code, text, _) = run(&fixture, &["mode", "--output", "json"]);
    assert_eq!(code, 0);
    let advice: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(advice["mode"], "notMergeable");
    assert!(advice["steps"].as_array().is_some_and(|steps| !steps.is_empty()));
    std::fs::write(fixture.other("facts.yaml"), "vaultUrl: https://old.example.org\n").unwrap();
    let arguments = ["mode", "--facts", "facts.yaml", "--upstream", "repository@fork"];
    assert!(run(&fixture, &arguments).1.starts_with("roe: rebuild"), "the cluster reads another Vault");
    std::fs::write(fixture.other("facts.yaml"), "vault: x\n").unwrap();
    let (code, _, error) = run(&fixture, &arguments);
    assert!(code == 2 && error.contains("facts.yaml"), "{code} {error}");
}

#[test]
fn a_repository_that_is_not_there_ends_with_6() {
    let Some(fixture) = environment() else { return };
    let (code, _, error) = run(&fixture, &["drift", "--upstream", "nowhere@main"]);
    assert!(code == 6 && error.contains("no Git repository"), "{code} {error}");
    let (code, _, error) = run(&fixture, &["drift", "--upstream", "repository@mian"]);
    assert!(code == 6 && error.contains("near that name: main"), "{code} {error}");
}
