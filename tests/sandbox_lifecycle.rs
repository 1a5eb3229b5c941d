//! The sandbox comes up, stays up, comes back, and goes away without a trace.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that panics has failed")]

mod sandbox_common;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use rsp_install::sandbox::{SandboxInfo, SandboxState, ServerState};
use sandbox_common::*;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_survives_crashes_and_restarts_and_leaves_nothing_behind() {
    if tools().is_none() {
        return;
    }
    let trial = Trial::new("lifecycle");
    assert_eq!(trial.sandbox.status().unwrap().state, SandboxState::Absent);

    let begun = Instant::now();
    let first = trial.sandbox.up().await.unwrap();
    eprintln!("MEASURED: first start {:.1} s", begun.elapsed().as_secs_f64());
    everything_is_ready_and_private(&first);
    put_something_into(&first).await;
    requests_are_written_down(&first);

    up_again_is_quick_and_changes_nothing(&trial, &first).await;
    a_server_that_dies_is_started_again(&trial, &first).await;
    a_killed_daemon_takes_its_servers_with_it(&trial).await;

    let begun = Instant::now();
    let second = trial.sandbox.up().await.unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!("MEASURED: start after a crash {seconds:.1} s");
    assert_eq!((&second.server, &second.vault_address), (&first.server, &first.vault_address), "addresses stay");
    what_was_put_in_is_there(&second).await;

    let kept = trial.sandbox.down(true).await.unwrap();
    assert!(kept.ended >= 8 && !kept.deleted);
    assert_eq!(processes_of(&trial.state()), Vec::<i32>::new());
    assert_eq!(trial.sandbox.status().unwrap().state, SandboxState::Stopped);
    let third = trial.sandbox.up().await.unwrap();
    what_was_put_in_is_there(&third).await;

    let removed = trial.sandbox.down(false).await.unwrap();
    assert!(removed.deleted);
    assert_eq!(processes_of(&trial.state()), Vec::<i32>::new());
    assert!(!trial.state().exists());
    assert_eq!(trial.sandbox.status().unwrap().state, SandboxState::Absent);
    assert_eq!(trial.sandbox.down(false).await.unwrap().ended, 0, "down twice is no fault");
}

fn everything_is_ready_and_private(info: &SandboxInfo) {
    assert_eq!(info.state, SandboxState::Ready);
    assert!(info.servers.iter().all(|server| server.state == ServerState::Ready), "{:?}", info.servers);
    assert!(info.server.starts_with("https://127.0.0.1:") && info.vault_address.starts_with("http://127.0.0.1:"));
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&info.folder), 0o700);
    for file in [&info.kubeconfig, &info.vault_token_file] {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    let document = serde_json::to_value(info).unwrap();
    assert!(document["kubeconfig"].is_string() && document["vaultAddress"].is_string(), "{document}");
    only_loopback(info);
}

/// What the servers listen on, as the kernel says.
fn only_loopback(info: &SandboxInfo) {
    let pids: Vec<String> = info.servers.iter().filter_map(|server| Some(server.pid?.to_string())).collect();
    let mut sockets = Vec::new();
    for pid in &pids {
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
            let target = std::fs::read_link(entry.path()).unwrap_or_default().display().to_string();
            sockets.extend(target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')).map(String::from));
        }
    }
    let mut listening = 0;
    for (table, loopback) in [("tcp", "0100007F:"), ("tcp6", "0000000000000000FFFF00000100007F:")] {
        for line in std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == "0A" && sockets.iter().any(|socket| socket == fields[9]) {
                listening += 1;
                assert!(fields[1].starts_with(loopback), "a server listens at {}", fields[1]);
            }
        }
    }
    assert!(listening >= 8, "found only {listening} listening sockets");
}

async fn put_something_into(info: &SandboxInfo) {
    let maps: Api<ConfigMap> = Api::namespaced(client(info).await, "default");
    let map = serde_json::from_value(json!({"metadata": {"name": "kept"}, "data": {"a": "1"}})).unwrap();
    maps.create(&PostParams::default(), &map).await.unwrap();
    maps.create(
        &PostParams { dry_run: true, ..PostParams::default() },
        &ConfigMap {
            metadata: kube::api::ObjectMeta { name: Some("tried".into()), ..Default::default() },
            ..ConfigMap::default()
        },
    )
    .await
    .unwrap();
    vault(info, Method::POST, "secret/data/phalanx/x/app", json!({"options": {"cas": 0}, "data": {"a": "1"}})).await;
}

async fn what_was_put_in_is_there(info: &SandboxInfo) {
    let maps: Api<ConfigMap> = Api::namespaced(client(info).await, "default");
    assert_eq!(maps.get("kept").await.unwrap().data.unwrap()["a"], "1");
    let held = vault(info, Method::GET, "secret/data/phalanx/x/app", Value::Null).await;
    assert_eq!(held["data"]["data"]["a"], "1");
}

/// Counts can be taken from the audit logs as soon as the answer is there.
fn requests_are_written_down(info: &SandboxInfo) {
    let requests = audit(&info.kubernetes_audit_log);
    let ours = |name: &str| {
        let found: Vec<&Value> = requests
            .iter()
            .filter(|event| event["verb"] == "create" && event["objectRef"]["resource"] == "configmaps")
            .filter(|event| event["user"]["username"] == "admin")
            .filter(|event| {
                event["objectRef"]["name"] == name || event["requestURI"].as_str().unwrap().contains("dryRun")
            })
            .collect();
        found.into_iter().cloned().collect::<Vec<_>>()
    };
    let kept = ours("kept");
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.iter().all(|event| event["userAgent"] == "a-test" && event["stage"] == "ResponseComplete"));
    assert_eq!(kept.iter().filter(|event| event["requestURI"].as_str().unwrap().contains("dryRun=All")).count(), 1);

    let requests = audit(&info.vault_audit_log);
    let write = requests.iter().find(|event| event["request"]["path"] == "secret/data/phalanx/x/app").unwrap();
    assert_eq!(write["request"]["operation"], "create");
    assert_eq!(write["request"]["headers"]["user-agent"][0], "a-test");
}

async fn up_again_is_quick_and_changes_nothing(trial: &Trial, first: &SandboxInfo) {
    let begun = Instant::now();
    let again = trial.sandbox.up().await.unwrap();
    eprintln!("MEASURED: up on a running sandbox {:.3} s", begun.elapsed().as_secs_f64());
    assert!(begun.elapsed().as_secs_f64() < 1.0);
    assert_eq!(&again, first);
}

async fn a_server_that_dies_is_started_again(trial: &Trial, first: &SandboxInfo) {
    for name in ["vault", "kube-scheduler"] {
        let server = first.servers.iter().find(|server| server.name == name).unwrap();
        kill(Pid::from_raw(server.pid.unwrap()), Signal::SIGKILL).unwrap();
        eventually("the death is noticed", || async {
            let now = trial.sandbox.status().unwrap();
            now.servers.iter().any(|now| now.name == name && now.pid.is_some() && now.pid != server.pid)
        })
        .await;
    }
    let healed = trial.sandbox.up().await.unwrap();
    assert_eq!(healed.state, SandboxState::Ready);
    what_was_put_in_is_there(&healed).await;
}

async fn a_killed_daemon_takes_its_servers_with_it(trial: &Trial) {
    assert!(processes_of(&trial.state()).len() >= 8);
    kill(Pid::from_raw(trial.daemon()), Signal::SIGKILL).unwrap();
    let alive = || processes_of(&trial.state());
    eventually("no process is left", || async { alive().is_empty() }).await;
    assert_eq!(trial.sandbox.status().unwrap().state, SandboxState::Stopped);
}

#[tokio::test]
async fn a_folder_that_is_not_ours_is_refused_and_left_alone() {
    if tools().is_none() {
        return;
    }
    let trial = Trial::new("foreign");
    std::fs::create_dir(trial.state()).unwrap();
    std::fs::write(trial.state().join("thesis.tex"), "x").unwrap();
    let error = trial.sandbox.up().await.unwrap_err();
    assert!(error.to_string().contains("was not made by the sandbox"), "{error}");
    assert!(!trial.sandbox.down(false).await.unwrap().deleted);
    assert!(trial.state().join("thesis.tex").exists());
}

#[tokio::test]
async fn a_server_that_cannot_live_is_named_with_the_end_of_its_log() {
    let Some(real) = tools() else { return };
    let trial = Trial::new("broken");
    let tools = trial.place.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    for entry in std::fs::read_dir(real).unwrap().flatten() {
        std::os::unix::fs::symlink(std::fs::canonicalize(entry.path()).unwrap(), tools.join(entry.file_name()))
            .unwrap();
    }
    std::fs::remove_file(tools.join("vault")).unwrap();
    std::fs::write(tools.join("vault"), "#!/bin/sh\necho the disk is on fire >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(tools.join("vault"), std::fs::Permissions::from_mode(0o755)).unwrap();

    let up = std::process::Command::new(env!("CARGO_BIN_EXE_rsp-install"))
        .args(["sandbox", "up", "--state"])
        .arg(trial.state())
        .env("RSP_INSTALL_TOOLS", &tools)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&up.stderr);
    assert_eq!(up.status.code(), Some(1), "{said}");
    assert!(
        said.contains("vault") && said.contains("the disk is on fire") && said.contains("logs/vault.log"),
        "{said}"
    );
    eventually("no process is left", || async { processes_of(&trial.state()).is_empty() }).await;
    assert_eq!(trial.sandbox.status().unwrap().state, SandboxState::Failed);
    assert_eq!(trial.sandbox.up().await.unwrap().state, SandboxState::Ready, "the fault is not remembered");
}

#[test]
fn missing_tools_are_a_wrong_call_and_the_help_names_the_script() {
    let empty = tempfile::tempdir().unwrap();
    let up = std::process::Command::new(env!("CARGO_BIN_EXE_rsp-install"))
        .args(["sandbox", "up", "--output", "json", "--state"])
        .arg(empty.path().join("state"))
        .env("RSP_INSTALL_TOOLS", empty.path())
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(up.status.code(), Some(2));
    let document: Value = serde_json::from_slice(&up.stdout).unwrap();
    let text = document["error"].to_string();
    assert!(text.contains("kube-apiserver") && text.contains("scripts/build-tools"), "{text}");
}
