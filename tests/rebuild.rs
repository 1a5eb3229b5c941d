//! A rebuild on two sandboxes: refused while something would be lost, then installed beside, switched, and the old one
//! retired.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper is a failing test")]

mod program;
mod sandbox_common;

use kube::Api;
use kube::api::DynamicObject;
use program::{Down, Program, fits, in_sandbox, said};
use rsp_install::client::kubernetes::resource;
use rsp_install::sandbox::SandboxInfo;
use sandbox_common::{client, vault};
use serde_json::Value;
use std::collections::BTreeMap;

const ACCEPTED: [&str; 4] = ["--accept-loss", "volumes", "--accept-loss", "addresses"];

/// What the cluster's mark says.
async fn mark(info: &SandboxInfo) -> BTreeMap<String, String> {
    let namespaces: Api<DynamicObject> = Api::all_with(client(info).await, &resource("v1", "Namespace"));
    namespaces.get("rsp-install").await.unwrap().metadata.annotations.unwrap()
}

async fn says(info: &SandboxInfo, generation: &str, standing: &str) {
    let mark = mark(info).await;
    let of = |key: &str| mark[&format!("rsp-install.lsst.io/{key}")].as_str();
    assert_eq!((of("generation"), of("standing")), (generation, standing));
}

/// The values of all secrets in a sandbox's Vault.
async fn secrets(info: &SandboxInfo) -> BTreeMap<String, Value> {
    let list = vault(info, reqwest::Method::GET, "secret/metadata/phalanx/sandbox?list=true", Value::Null).await;
    let mut secrets = BTreeMap::new();
    for application in list["data"]["keys"].as_array().unwrap() {
        let application = application.as_str().unwrap();
        let path = format!("secret/data/phalanx/sandbox/{application}");
        let secret = vault(info, reqwest::Method::GET, &path, Value::Null).await;
        secrets.insert(application.to_owned(), secret["data"]["data"].clone());
    }
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_puts_a_second_cluster_in_the_place_of_the_first_and_loses_no_secret() {
    let Some(program) = &in_sandbox() else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _down = Down(program);
    let nothing = program.call(&["--env", "sandbox", "--mode", "rebuild", "--yes"]).expect(6);
    assert!(nothing.stderr.contains("it has no cluster"), "{}", nothing.stderr);
    program.call(&["--env", "sandbox"]).expect(0);
    let old = program.info();
    says(&old, "1", "active").await;
    let before = secrets(&old).await;

    what_would_be_lost_stops_it(program);
    let rebuild: Vec<&str> =
        ["--env", "sandbox", "--mode", "rebuild", "--output", "json"].into_iter().chain(ACCEPTED).collect();
    let unanswered = program.call(&rebuild).expect(2);
    assert!(unanswered.stderr.contains("Rebuild sandbox"), "{}", unanswered.stderr);

    // Killed on the way, it goes on with the cluster that it has begun.
    let with_yes: Vec<&str> = rebuild.iter().copied().chain(["--yes"]).collect();
    let killed = said(&program.command(&with_yes).env("RSP_INSTALL_KILL_AT", "30.answered").output().unwrap());
    assert_eq!(killed.code, None, "{}", killed.stderr);
    // Without an answer the new cluster is finished, and waits.
    let waiting = program.call(&rebuild).expect(3).json();
    fits("install", &waiting);
    assert_eq!((&waiting["result"], &waiting["switch"]["done"]), (&"pending".into(), &false.into()));
    assert!(waiting["switch"]["checklist"].as_array().unwrap().len() >= 3, "{waiting:#}");
    let new = program.info();
    assert_ne!(new.folder, old.folder);
    says(&old, "1", "active").await;
    says(&new, "2", "successor").await;
    assert_eq!(secrets(&new).await, before, "every secret was brought over, none was made anew");
    let refused = program.call(&["retire", "--env", "sandbox", "--yes"]).expect(6);
    assert!(refused.stderr.contains("not in the place of the present one yet"), "{}", refused.stderr);

    let done = program.call(&with_yes).expect(0).json();
    assert_eq!((&done["result"], &done["switch"]["done"]), (&"converged".into(), &true.into()));
    says(&old, "1", "replaced").await;
    says(&new, "2", "active").await;
    assert_eq!(secrets(&old).await, before, "the old cluster's are untouched");

    let again = program.call(&["--env", "sandbox", "--output", "json"]).expect(0).json();
    assert_eq!(again["changes"], Value::Array(Vec::new()), "the environment is the new cluster now");
    the_old_cluster_is_refused(program, &old);

    let retired = program.call(&["retire", "--env", "sandbox", "--yes", "--output", "json"]).expect(0).json();
    assert_eq!(retired["cluster"], old.folder.to_str().unwrap());
    assert!(!old.folder.exists() && new.folder.exists());
    let status = program.call(&["status", "--env", "sandbox", "--output", "json"]).expect(0).json();
    assert!(status["applications"].as_array().unwrap().len() > 10);
}

fn what_would_be_lost_stops_it(program: &Program) {
    let refused = program.call(&["--env", "sandbox", "--mode", "rebuild", "--yes"]).expect(1);
    for expected in ["the data of claim", "address ", "--accept-loss volumes", "--accept-loss addresses"] {
        assert!(refused.stderr.contains(expected), "{expected} is not in {}", refused.stderr);
    }
    assert!(!refused.stderr.contains("--accept-loss unsynced"), "{}", refused.stderr);
}

/// Somebody still has a kubeconfig of the old one.
fn the_old_cluster_is_refused(program: &Program, old: &SandboxInfo) {
    program.write("existing/sandbox.yaml", &program.as_existing(old));
    let mut command = program.command(&["--environments", "existing", "--env", "sandbox", "--yes"]);
    command.env("VAULT_TOKEN_FILE", &old.vault_token_file);
    let refused = said(&command.output().unwrap()).expect(6);
    assert!(refused.stderr.contains("another one has taken its place"), "{}", refused.stderr);
}
