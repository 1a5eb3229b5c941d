//! A real Vault core for a test: started on a free port, initialised, unsealed, with KV v2 and AppRole.

#![allow(unreachable_pub, dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod gateway;
pub mod place;

use rsp_install::client::vault::{Login, Vault};
use rsp_install::engine::{Counters, Event, Events, Outlet, Sink};
use rsp_install::secret_value::SecretValue;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A running server; it ends with the value.
pub struct Server {
    child: Child,
    storage: tempfile::TempDir,
    pub address: String,
    pub root: String,
    pub unseal_key: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn binary() -> Option<PathBuf> {
    let cache = std::env::var_os("RSP_INSTALL_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/rsp-install")))?;
    let binary = cache.join("tools/current/vault");
    if !binary.is_file() {
        eprintln!("skipped: no Vault at hand; scripts/build-tools builds it");
        return None;
    }
    Some(binary)
}

impl Server {
    /// A server with the KV v2 engine at `mount`; nothing (said on standard error) where there is no binary.
    pub async fn start(mount: &str) -> Option<Self> {
        let binary = binary()?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let storage = tempfile::tempdir().unwrap();
        let child = Command::new(binary)
            .arg(format!("-addr=127.0.0.1:{port}"))
            .arg("-storage")
            .arg(storage.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address = format!("http://127.0.0.1:{port}");
        let mut server = Self { child, storage, address, root: String::new(), unseal_key: String::new() };
        let begun = Instant::now();
        let init = loop {
            match server.call("PUT", "sys/init", Some(json!({"secret_shares": 1, "secret_threshold": 1}))).await {
                Some(answer) => break answer,
                None if begun.elapsed() > Duration::from_secs(30) => panic!("Vault does not start"),
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        server.root = init["root_token"].as_str().unwrap().to_owned();
        server.unseal_key = init["keys"][0].as_str().unwrap().to_owned();
        server.call("PUT", "sys/unseal", Some(json!({"key": server.unseal_key}))).await.unwrap();
        server.until(&format!("sys/mounts/{mount}"), json!({"type": "kv", "options": {"version": "2"}})).await;
        server.until("sys/auth/approle", json!({"type": "approle"})).await;
        // The engine converts itself to version 2 in the background.
        let begun = Instant::now();
        let probe = json!({"data": {"a": "b"}});
        while server.call("POST", &format!("{mount}/data/probe"), Some(probe.clone())).await.is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "KV v2 does not get ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(server)
    }

    async fn until(&self, path: &str, body: Value) {
        let begun = Instant::now();
        while self.call("POST", path, Some(body.clone())).await.is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{path}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A request as root, past our own client; nothing when it was refused.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Option<Value> {
        let client = reqwest::Client::builder().tls_certs_only(Vec::new()).build().unwrap();
        let mut request = client
            .request(method.parse().unwrap(), format!("{}/v1/{path}", self.address))
            .header("X-Vault-Token", &self.root);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let text = answer.text().await.ok()?;
        Some(if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    /// Our client, as root, writing through `outlet`.
    pub fn client(&self, outlet: &Outlet) -> Vault {
        self.client_with(&self.root, outlet)
    }

    /// Our client with this token.
    pub fn client_with(&self, token: &str, outlet: &Outlet) -> Vault {
        Vault::connect(Login::with_token(&self.address, SecretValue::new(token)).unwrap(), outlet.clone()).unwrap()
    }

    /// A token with this policy text.
    pub async fn token(&self, policy: &str) -> String {
        self.call("PUT", "sys/policy/test", Some(json!({"policy": policy}))).await.unwrap();
        let made = self.call("POST", "auth/token/create", Some(json!({"policies": ["test"]}))).await.unwrap();
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }
}

/// Every event as text: for looking for what must not be there.
#[derive(Clone, Default)]
pub struct Recorder(pub Arc<Mutex<Vec<String>>>);

impl Sink for Recorder {
    fn take(&self, event: &Event) {
        self.0.lock().unwrap().push(serde_json::to_string(event).unwrap());
    }
}

/// An outlet with its recorder.
pub fn outlet() -> (Outlet, Recorder) {
    let recorder = Recorder::default();
    (Outlet::new(Events::new(vec![Box::new(recorder.clone())]), Counters::default(), None), recorder)
}
