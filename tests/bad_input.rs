//! What a person is told when the input is wrong: the object, the reason, what to do next, and the contract's exit code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper is a failing test")]

mod git_common;
mod program;

use git_common::{Fixture, git_here};
use program::{Program, fits};

/// A cluster that nobody answers for: nothing listens on the discard port of this machine.
const KUBECONFIG: &str = "apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]
users: [{name: u, user: {token: none}}]
contexts: [{name: here, context: {cluster: c, user: u}}]
current-context: here
";

/// The smallest phalanx that an environment can name.
const CHECKOUT: &[(&str, &str)] = &[
    ("environments/Chart.yaml", "apiVersion: v2\nname: science-platform\nversion: 1.0.0\n"),
    ("environments/templates/applications/rsp/tap.yaml", "spec:\n  destination:\n    namespace: \"tap\"\n"),
    (
        "environments/values.yaml",
        "appOfAppsName: a\nvaultUrl: http://127.0.0.1:9\nrepoUrl: https://git.example.org\ntargetRevision: main\napplications: {}\n",
    ),
    (
        "environments/values-x.yaml",
        "name: x\nfqdn: x.example.org\nvaultPathPrefix: secret/phalanx/x\napplications: {tap: true}\n",
    ),
    ("applications/tap/Chart.yaml", "apiVersion: v2\nname: tap\nversion: 1.0.0\n"),
    ("applications/tap/values.yaml", "a: 1\n"),
    ("applications/tap/values-x.yaml", "a: 2\n"),
];

/// An environment file that names this repository, with these replacements.
fn file(repository: &str, changes: &[(&str, &str)]) -> String {
    let whole = format!(
        "name: x\npolicy: {{deployment: science, level: dev}}\ncluster: {{existing: {{kubeconfig: kubeconfig, context: here, server: 'https://127.0.0.1:9'}}}}\n\
         phalanx: {{repository: {repository}, branch: main, environment: x}}\n"
    );
    changes.iter().fold(whole, |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    })
}

/// A checkout, and the program with an environment file that names it.
fn case(checkout_changes: &[(&str, &str)], file_changes: &[(&str, &str)]) -> Option<(Fixture, Program)> {
    if !git_here() {
        return None;
    }
    let checkout = Fixture::new();
    checkout.write(CHECKOUT);
    checkout.write(checkout_changes);
    checkout.git(&["add", "--all"]);
    checkout.git(&["commit", "-q", "-m", "all"]);
    let program = Program::new(&[("x", file(checkout.path().to_str().unwrap(), file_changes))]);
    program.write("environments/kubeconfig", KUBECONFIG);
    Some((checkout, program))
}

/// Calls `validate` and `--env x`: the first lists the problem, the second ends with `code`; both name `words`.
fn refused(program: &Program, code: i32, words: &[&str]) {
    let said = program.call(&["--env", "x", "--output", "json", "--yes", "--timeout", "20s"]).expect(code);
    let document = said.json();
    fits(if document.get("steps").is_some() { "install" } else { "failure" }, &document);
    for word in words {
        assert!(said.stderr.contains(word), "{word} is not in: {}", said.stderr);
    }
    assert!(said.stderr.contains("error: "), "{}", said.stderr);
}

/// The same, and `validate` finds it too.
fn invalid(program: &Program, words: &[&str]) {
    refused(program, 6, words);
    let said = program.call(&["validate", "--env", "x", "--output", "json"]).expect(6);
    let document = said.json();
    fits("validate", &document);
    for word in words {
        assert!(said.stdout.contains(word), "{word} is not in: {}", said.stdout);
    }
}

#[test]
fn a_missing_environment_file_lists_those_that_are_there() {
    let program = Program::new(&[("roe", "name: roe\n".into())]);
    let said = program.call(&["--env", "reo"]).expect(6);
    assert!(said.stderr.contains("no environment \"reo\"") && said.stderr.contains("roe"), "{}", said.stderr);
    let said = program.call(&["plan"]).expect(2);
    assert!(said.stderr.contains("--env NAME"), "{}", said.stderr);
}

#[test]
fn a_malformed_file_is_named_with_line_and_column() {
    let Some((_checkout, program)) = case(&[], &[("policy:", "polcy:")]) else { return };
    invalid(&program, &["polcy"]);
    let problem = &program.call(&["validate", "--env", "x", "--output", "json"]).json()["problems"][0].clone();
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(2), Some(1)), "{problem}");
    assert!(problem["file"].as_str().unwrap().ends_with("environments/x.yaml"), "{problem}");
    program.write("environments/x.yaml", "name: x\npolicy: {deployment: science\n");
    invalid(&program, &["x.yaml"]);
}

#[test]
fn an_unknown_environment_of_phalanx_names_those_that_come_near() {
    let Some((_checkout, program)) = case(&[], &[("environment: x}", "environment: xx}")]) else { return };
    invalid(&program, &["xx"]);
}

#[test]
fn an_unknown_branch_and_repository_are_named() {
    let Some((_checkout, program)) = case(&[], &[("branch: main", "branch: mian")]) else { return };
    invalid(&program, &["mian", "main"]);
    program.write("environments/x.yaml", &file("/nowhere/at/all", &[]));
    invalid(&program, &["/nowhere/at/all"]);
}

#[test]
fn a_repository_that_is_not_phalanx_is_refused() {
    let nothing: Vec<(&str, &str)> = CHECKOUT.iter().map(|(path, _)| (*path, "")).collect();
    let Some((_checkout, program)) = case(&[&nothing[..], &[("README.md", "another project\n")]].concat(), &[]) else {
        return;
    };
    refused(&program, 6, &["phalanx"]);
}

#[test]
fn a_missing_values_file_of_an_enabled_application_is_named() {
    let Some((_checkout, program)) = case(&[("applications/tap/values-x.yaml", "")], &[]) else { return };
    let said = program.call(&["validate", "--env", "x"]).expect(6);
    assert!(said.stdout.contains("applications/tap/values-x.yaml"), "{}", said.stdout);
}

#[test]
fn an_unknown_context_lists_those_that_are_there() {
    let Some((_checkout, program)) = case(&[], &[("context: here", "context: there")]) else { return };
    refused(&program, 6, &["there", "here"]);
}

#[test]
fn another_server_than_declared_is_refused_before_anything_is_asked() {
    let Some((_checkout, program)) =
        case(&[], &[("server: 'https://127.0.0.1:9'", "server: 'https://prod.example.org'")])
    else {
        return;
    };
    refused(&program, 6, &["https://127.0.0.1:9", "https://prod.example.org"]);
}

#[test]
fn an_api_server_that_does_not_answer_is_exit_7() {
    let Some((_checkout, program)) = case(&[], &[]) else { return };
    refused(&program, 7, &["cannot reach", "help: "]);
}

#[test]
fn an_unknown_step_lists_the_steps() {
    let Some((_checkout, program)) = case(&[], &[]) else { return };
    let said = program.call(&["--env", "x", "--only", "everything"]).expect(2);
    assert!(said.stderr.contains("secrets"), "{}", said.stderr);
}

#[test]
fn the_copy_inside_the_program_does_not_install() {
    let program = Program::new(&[]);
    let said = program.call(&["--env", "sandbox"]).expect(6);
    assert!(said.stderr.contains("inside the program"), "{}", said.stderr);
}

#[test]
fn wrong_usage_is_exit_2() {
    let program = Program::new(&[]);
    program.call(&["--timeout", "soon", "plan"]).expect(2);
    program.call(&["frobnicate"]).expect(2);
}
