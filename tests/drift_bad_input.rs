//! What is wrong with the input of `drift`: each with its exit code, the object and what to do; and what is wrong on one
//! side of history only, which is told in a report that goes on.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod drift_common;
mod program;

use drift_common::git_common::git_in;
use drift_common::phalanx::{CATALOGUE, Phalanx, ROE, evidence};
use program::{Program, Said};
use rsp_install::drift::Report;

/// The program with an environment file for the phalanx.
fn program(phalanx: &Phalanx) -> Program {
    let repository = phalanx.0.path().display().to_string();
    let file = format!(
        "name: roe\nphalanx: {{repository: {repository}, branch: fork, environment: roe}}\n\
         upstream: {{repository: {repository}, branch: main}}\n"
    );
    Program::new(&[("roe", file)])
}

fn drift(phalanx: &Phalanx, arguments: &[&str]) -> Said {
    program(phalanx).call(&[&["drift", "--env", "roe"], arguments].concat())
}

fn unreadable(report: &Report, side: &str) -> Vec<String> {
    report.unreadable.iter().filter(|one| one.side == side).map(|one| one.file.clone()).collect()
}

/// Everything that the message must say.
fn says(said: &Said, words: &[&str]) {
    for word in words {
        assert!(said.stderr.contains(word), "{word} is missing in: {}", said.stderr);
    }
}

#[test]
fn a_server_that_cannot_be_reached_ends_with_7() {
    let Some(phalanx) = Phalanx::new() else { return };
    let said = drift(&phalanx, &["--upstream", "http://127.0.0.1:1/phalanx.git@main"]).expect(7);
    says(&said, &["cannot fetch http://127.0.0.1:1/phalanx.git", "check network and proxy"]);
}

#[test]
fn a_shallow_clone_that_ends_before_the_merge_base_is_refused_and_a_deeper_one_is_read() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.fork("ours", &[("ours", "x\n")]);
    phalanx.fork("more of ours", &[("ours", "y\n")]);
    phalanx.upstream("theirs", &[("theirs", "x\n")]);
    let url = format!("file://{}", phalanx.0.path().display());
    let clone = |depth: &str, name: &str| {
        let place = phalanx.0.other(name).display().to_string();
        git_in(&phalanx.0.path(), 0, &["clone", "-q", "--bare", "--depth", depth, "--branch", "fork", &url, &place]);
        place
    };
    let shallow = clone("1", "shallow");
    let said = drift(&phalanx, &["--fork", &format!("{shallow}@fork")]).expect(6);
    says(&said, &["shallow", "git fetch --unshallow"]);
    let deeper = clone("3", "deeper");
    let said = drift(&phalanx, &["--fork", &format!("{deeper}@fork"), "--output", "json"]).expect(0);
    assert_eq!((&said.json()["ahead"], &said.json()["behind"]), (&2.into(), &1.into()));
}

#[test]
fn an_unknown_branch_or_commit_ends_with_6_and_names_what_is_near() {
    let Some(phalanx) = Phalanx::new() else { return };
    let repository = phalanx.0.path().display().to_string();
    let said = drift(&phalanx, &["--upstream", &format!("{repository}@mian")]).expect(6);
    says(&said, &[&repository, "no branch, tag or commit `mian`", "near that name: main"]);
    let commit = "0123456789".repeat(4);
    let said = drift(&phalanx, &["--upstream", &format!("{repository}@{commit}")]).expect(6);
    says(&said, &[&commit, &repository]);
}

#[test]
fn a_checkout_that_is_no_phalanx_ends_with_6_on_either_side() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.0.git(&["checkout", "-q", "--orphan", "stranger"]);
    phalanx.0.git(&["rm", "-rfq", "."]);
    phalanx.0.commit(&[("README.md", "x\n")]);
    let stranger = format!("{}@stranger", phalanx.0.path().display());
    for side in ["--fork", "--upstream"] {
        let said = drift(&phalanx, &[side, &stranger]).expect(6);
        says(&said, &["not a phalanx checkout"]);
    }
}

#[test]
fn unrelated_histories_are_compared_from_nothing() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.0.git(&["checkout", "-q", "--orphan", "alone"]);
    phalanx.0.commit_saying("all at once", &[("README.md", "ours\n")]);
    let fork = format!("{}@alone", phalanx.0.path().display());
    let said = drift(&phalanx, &["--fork", &fork]).expect(0);
    assert!(
        said.stdout.contains("no common ancestor") && said.stdout.contains("README.md (add/add)"),
        "{}",
        said.stdout
    );
    let said = drift(&phalanx, &["--fork", &fork, "--output", "json"]).expect(0);
    assert_eq!(said.json()["mergeBase"], serde_json::Value::Null);
}

#[test]
fn an_environment_of_one_side_is_reported_and_one_of_neither_ends_with_6() {
    let Some(phalanx) = Phalanx::new() else { return };
    let other = |name: &str| ROE.replace("name: roe", &format!("name: {name}")).replace("rsp.example", name);
    phalanx.upstream("theirs", &[("environments/values-theirs.yaml", &other("theirs"))]);
    let report = phalanx.try_report_of("fork", "main", "theirs").unwrap();
    assert!(!report.environment.in_fork && report.environment.in_upstream);
    phalanx.fork("ours", &[("environments/values-ours.yaml", &other("ours"))]);
    let report = phalanx.try_report_of("fork", "main", "ours").unwrap();
    assert!(report.environment.in_fork && !report.environment.in_upstream);
    assert_eq!(evidence(&report, "env-renamed"), [""; 0]);
    let program = program(&phalanx);
    program.write(
        "environments/nowhere.yaml",
        &std::fs::read_to_string(program.path().join("environments/roe.yaml"))
            .unwrap()
            .replace("name: roe", "name: nowhere")
            .replace("environment: roe", "environment: nowhere"),
    );
    let said = program.call(&["drift", "--env", "nowhere"]).expect(6);
    says(&said, &["environment nowhere is neither in", "environments of the fork: ours, roe"]);
}

#[test]
fn a_broken_catalogue_upstream_is_told_and_nothing_counts_as_removed() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.upstream("break", &[("environments/values.yaml", &format!("{CATALOGUE} : [\n"))]);
    let report = phalanx.report();
    assert_eq!(unreadable(&report, "upstream"), ["environments/values.yaml"]);
    assert_eq!(evidence(&report, "app-removed"), [""; 0]);
    assert!(report.applications_removed.is_empty());
    assert_eq!(report.applications.iter().filter(|one| one.enabled).count(), 3);
}

#[test]
fn a_broken_environment_on_the_fork_is_told_and_what_was_on_before_stands_for_it() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.fork("break", &[("environments/values-roe.yaml", "applications: {\n")]);
    phalanx.upstream("change", &[("applications/gafaelfawr/values.yaml", "config:\n  open: {}\n  logLevel: info\n")]);
    let report = phalanx.report();
    assert_eq!(unreadable(&report, "fork"), ["environments/values-roe.yaml"]);
    assert_eq!(report.relevant_commits, 1, "gafaelfawr was on before the file broke");
    assert_eq!(evidence(&report, "stale-override").len(), 1);
}

#[test]
fn broken_values_of_our_own_are_told_with_their_line() {
    let Some(phalanx) = Phalanx::new() else { return };
    phalanx.fork("break", &[("applications/gafaelfawr/values-roe.yaml", "config:\n  a: 1\n  - b\n")]);
    phalanx.upstream("change", &[("applications/gafaelfawr/values.yaml", "config: {}\n")]);
    let said = drift(&phalanx, &[]).expect(0);
    assert!(
        said.stdout.contains("not readable on the side of fork: applications/gafaelfawr/values-roe.yaml"),
        "{}",
        said.stdout
    );
}
