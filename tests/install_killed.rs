//! Killed again and again, at one checkpoint after the other, the installation still comes to the same end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper is a failing test")]

mod program;
mod sandbox_common;

use program::{Down, Program, in_sandbox, said};
use rsp_install::sandbox::SandboxInfo;
use sandbox_common::vault;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Where each run dies: at one of its first writes, at each moment of them in turn. An installation has more than a
/// hundred writes, so this goes through all of it in short steps.
fn checkpoint(run: usize) -> String {
    format!("{}.{}", 2 + run % 10, ["before", "answered", "after"][run % 3])
}

/// Runs that are killed; the one after them is left alive.
const KILLED: usize = 30;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_one_checkpoint_after_the_other_it_comes_to_the_same_end() {
    let Some(program) = in_sandbox() else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _down = Down(&program);
    program.call(&["sandbox", "up"]).expect(0);
    let outcome = tokio::task::block_in_place(|| kill_until_done(&program));
    let again = program.call(&["--env", "sandbox", "--output", "json"]);
    let values = values_of_generated_secrets(&program.info()).await;
    let kills = outcome.unwrap_or_else(|said| panic!("{said}"));
    assert!(kills > 8, "only {kills} runs were killed");
    assert_eq!(again.expect(0).json()["changes"], Value::Array(Vec::new()));
    assert!(values.len() > 12, "{:?}", values.keys());
    for (secret, values) in values {
        assert_eq!(values.len(), 1, "{secret} has had more than one value");
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

/// Every value that each key of each application's secret has had. Applications that copy from each other are written key by
/// key, so a secret may well have had more than one version.
async fn values_of_generated_secrets(info: &SandboxInfo) -> BTreeMap<String, BTreeSet<String>> {
    let list = vault(info, reqwest::Method::GET, "secret/metadata/phalanx/sandbox?list=true", Value::Null).await;
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for application in list["data"]["keys"].as_array().unwrap() {
        let application = application.as_str().unwrap();
        let metadata = format!("secret/metadata/phalanx/sandbox/{application}");
        let metadata = vault(info, reqwest::Method::GET, &metadata, Value::Null).await;
        for version in 1..=metadata["data"]["current_version"].as_u64().unwrap() {
            let path = format!("secret/data/phalanx/sandbox/{application}?version={version}");
            let secret = vault(info, reqwest::Method::GET, &path, Value::Null).await;
            for (key, value) in secret["data"]["data"].as_object().unwrap() {
                values.entry(format!("{application}/{key}")).or_default().insert(value.to_string());
            }
        }
    }
    values
}
