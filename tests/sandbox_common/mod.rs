//! A sandbox of its own for a test, taken down when the test ends, however it ends.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a failing helper is a failing test")]

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rsp_install::engine::{Deadline, Events};
use rsp_install::process::Process;
use rsp_install::sandbox::{Sandbox, SandboxInfo, Settings};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Nothing that is waited for here takes longer on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// The folder of the tools; says so when there is none, and the test is skipped.
pub(crate) fn tools() -> Option<PathBuf> {
    let process = Process::from_system();
    let folder =
        process.variable("RSP_INSTALL_TOOLS").map_or_else(|| process.cache().join("tools/current"), PathBuf::from);
    if folder.join("kube-apiserver").exists() {
        return Some(folder);
    }
    eprintln!("SKIPPED: the sandbox's tools are not built (scripts/build-tools)");
    None
}

/// A sandbox in a temporary folder.
pub(crate) struct Trial {
    pub place: tempfile::TempDir,
    pub sandbox: Sandbox,
}

impl Trial {
    pub(crate) fn new(name: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let place = tempfile::tempdir().unwrap();
        let process = Process::from_system();
        let mut settings = Settings::new(name, &process).unwrap();
        settings.state = place.path().join("state");
        settings.program = env!("CARGO_BIN_EXE_rsp-install").into();
        let sandbox = Sandbox::new(settings, process, Events::default(), Deadline::after(PATIENCE));
        Self { place, sandbox }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    /// The record that the daemon keeps.
    pub(crate) fn record(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.state().join("state.json")).unwrap()).unwrap()
    }

    pub(crate) fn daemon(&self) -> i32 {
        pid(&self.record()["daemon"]["pid"])
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let mut down = Command::new(env!("CARGO_BIN_EXE_rsp-install"));
        let ended = down.args(["sandbox", "down", "--state"]).arg(self.state()).output().unwrap();
        if !ended.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&ended.stderr));
        }
    }
}

pub(crate) fn pid(value: &Value) -> i32 {
    i32::try_from(value.as_i64().unwrap()).unwrap()
}

/// Every process that was started by, or for, the sandbox in this folder: it works there, or its command line or
/// environment names it (redis writes over both).
pub(crate) fn processes_of(state: &Path) -> Vec<i32> {
    let needle = state.to_str().unwrap().as_bytes();
    let names = |content: &[u8]| content.windows(needle.len()).any(|window| window == needle);
    let belongs = |pid: &i32| {
        let directory = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        let of = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        names(directory.as_os_str().as_encoded_bytes()) || names(&of("cmdline")) || names(&of("environ"))
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|pid| *pid != i32::try_from(std::process::id()).unwrap()).filter(belongs).collect()
}

/// Tries until it is true; fails with what it is about after [`PATIENCE`].
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let begun = Instant::now();
    while !check().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) async fn client(info: &SandboxInfo) -> Client {
    let kubeconfig = Kubeconfig::read_from(&info.kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.headers.push((http::header::USER_AGENT, "a-test".parse().unwrap()));
    Client::try_from(config).unwrap()
}

/// One request to the sandbox's Vault as root.
pub(crate) async fn vault(info: &SandboxInfo, method: reqwest::Method, path: &str, body: Value) -> Value {
    let token = std::fs::read_to_string(&info.vault_token_file).unwrap();
    let http = reqwest::Client::builder().no_proxy().user_agent("a-test").build().unwrap();
    let request = http.request(method, format!("{}/v1/{path}", info.vault_address)).header("X-Vault-Token", token);
    let answer = request.json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null)
}

/// The lines of an audit log.
pub(crate) fn audit(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes of ours in the API server's audit log: not those of the sandbox's own parts.
pub(crate) fn kubernetes_writes(info: &SandboxInfo) -> Vec<String> {
    let ours = |event: &&Value| event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("rsp-install/"));
    let reads = ["get", "list", "watch"];
    let written = |event: &&Value| {
        let dry = event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun=All"));
        !dry && !reads.contains(&event["verb"].as_str().unwrap_or_default())
    };
    let name = |event: &Value| format!("{} {}", event["verb"], event["requestURI"]);
    let events = audit(&info.kubernetes_audit_log);
    events.iter().filter(|event| event["stage"] == "ResponseComplete").filter(ours).filter(written).map(name).collect()
}

/// Writes in Vault's audit log: everything but reads and logins, of whoever.
pub(crate) fn vault_writes(info: &SandboxInfo) -> Vec<String> {
    let events = audit(&info.vault_audit_log);
    let requests = events.iter().filter(|event| event["type"] == "request").map(|event| &event["request"]);
    let written = |request: &&Value| {
        let path = request["path"].as_str().unwrap_or_default();
        let login = path == "auth/approle/login"
            || path.starts_with("auth/token/renew")
            || path.starts_with("auth/token/lookup");
        !login && !["read", "list"].contains(&request["operation"].as_str().unwrap_or_default())
    };
    requests.filter(written).map(|request| format!("{} {}", request["operation"], request["path"])).collect()
}
