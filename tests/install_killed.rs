//! Killed again and again, at one checkpoint after the other, the installation still comes to the same end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper is a failing test")]

mod program;
mod sandbox_common;

use program::{Program, mini_phalanx, said};
use rsp_install::sandbox::SandboxInfo;
use sandbox_common::vault;
use serde_json::Value;
use std::path::Path;

/// Where each run dies: at one of its first writes, at each moment of them in turn. An installation has more than a
/// hundred writes, so this goes through all of it in short steps.
fn checkpoint(run: usize) -> String {
    format!("{}.{}", 2 + run % 10, ["before", "answered", "after"][run % 3])
}

/// Runs that are killed; the one after them is left alive.
const KILLED: usize = 30;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_one_checkpoint_after_the_other_it_comes_to_the_same_end() {
    let Some(repository) = mini_phalanx() else { return };
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("environments/sandbox.yaml")).unwrap();
    let program = Program::new(&[("sandbox", text.replace("../target/phalanx", repository.to_str().unwrap()))]);
    if program.tools().is_none() {
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    program.call(&["sandbox", "up"]).expect(0);
    let outcome = tokio::task::block_in_place(|| kill_until_done(&program));
    let info: SandboxInfo =
        serde_json::from_value(program.call(&["sandbox", "status", "--output", "json"]).expect(0).json()).unwrap();
    let again = program.call(&["--env", "sandbox", "--output", "json"]);
    let versions = versions(&info).await;
    program.call(&["sandbox", "down"]).expect(0);
    let kills = outcome.unwrap_or_else(|said| panic!("{said}"));
    assert!(kills > 8, "only {kills} runs were killed");
    assert_eq!(again.expect(0).json()["changes"], Value::Array(Vec::new()));
    assert!(versions.len() > 8, "{versions:?}");
    for (application, version) in versions {
        assert_eq!(version, 1, "every secret of {application} had one value");
    }
}

/// Runs until one ends by itself: how many were killed, or what the first one that failed said.
fn kill_until_done(program: &Program) -> Result<usize, String> {
    let mut kills = 0;
    for run in 0..=KILLED {
        let mut command = program.command(&["--env", "sandbox", "--timeout", "5m"]);
        if run < KILLED {
            command.env("RSP_INSTALL_KILL_AT", checkpoint(run));
        }
        let said = said(&command.output().unwrap());
        match said.code {
            Some(0) => return Ok(kills),
            None => kills += 1,
            Some(_) => return Err(format!("run {run}, {}:\n{}", checkpoint(run), said.stderr)),
        }
    }
    Err(format!("not done after {KILLED} killed runs and one more"))
}

/// How many values each application's secret has had.
async fn versions(info: &SandboxInfo) -> Vec<(String, u64)> {
    let list = vault(info, reqwest::Method::GET, "secret/metadata/phalanx/sandbox?list=true", Value::Null).await;
    let mut versions = Vec::new();
    for application in list["data"]["keys"].as_array().unwrap() {
        let application = application.as_str().unwrap();
        let path = format!("secret/metadata/phalanx/sandbox/{application}");
        let metadata = vault(info, reqwest::Method::GET, &path, Value::Null).await;
        versions.push((application.to_owned(), metadata["data"]["current_version"].as_u64().unwrap()));
    }
    versions
}
