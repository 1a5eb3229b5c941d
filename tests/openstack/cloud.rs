//! The cloud of the tests: starts the servers once for a test program, and ends them with it.

use rsp_install::engine::{Counters, Deadline, Event, Events, Outlet, Run, Sink};
use rsp_install::process::Process;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::sync::{Mutex as Turns, MutexGuard};

/// Running servers.
pub(crate) struct TestCloud {
    /// Their state, logs and clouds.yaml.
    pub(crate) state: PathBuf,
    /// The first of their five ports.
    pub(crate) port: u16,
    turns: Turns<()>,
}

static CLOUD: LazyLock<Option<TestCloud>> = LazyLock::new(start);

/// The cloud, and the turn to use it alone; nothing, told loudly, where it cannot be had.
pub(crate) async fn turn() -> Option<(&'static TestCloud, MutexGuard<'static, ()>)> {
    let cloud = tokio::task::spawn_blocking(|| CLOUD.as_ref()).await.unwrap()?;
    Some((cloud, cloud.turns.lock().await))
}

fn start() -> Option<TestCloud> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    if Command::new("python3").arg("--version").output().map_or(true, |output| !output.status.success()) {
        eprintln!("SKIPPED, NOT PASSED: there is no python3, so there are no OpenStack servers to test against");
        return None;
    }
    if !tools().join("kube-apiserver").exists() {
        eprintln!("SKIPPED, NOT PASSED: there is no kube-apiserver in {}; run scripts/test", tools().display());
        return None;
    }
    let port = free_ports();
    let state = std::env::temp_dir().join(format!("rsp-install-openstack-{}", std::process::id()));
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openstack/servers"))
        .envs([("OSL_STATE", state.to_str().unwrap()), ("TOKEN_TTL", "60"), ("CLUSTER_DELAY", "1")])
        .env("OSL_PORT", port.to_string())
        .env("OSL_OWNER", std::process::id().to_string())
        .env("RSP_INSTALL_PROGRAM", env!("CARGO_BIN_EXE_rsp-install"))
        .output()
        .unwrap();
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(std::env::var_os("CI").is_none(), "the OpenStack servers did not start: {told}");
        eprintln!("SKIPPED, NOT PASSED: the OpenStack servers cannot be had: {told}");
        return None;
    }
    Some(TestCloud { state, port, turns: Turns::new(()) })
}

/// Where `scripts/build-tools` puts what it builds; `api_server.py` looks there too.
fn tools() -> PathBuf {
    let built = Process::from_system().cache().join("tools/current");
    std::env::var_os("RSP_INSTALL_TOOLS").map_or(built, PathBuf::from)
}

/// The first of five free ports in a row, as far as one can know.
fn free_ports() -> u16 {
    (0..200)
        .map(|round| 20000 + u16::try_from(std::process::id() % 2000).unwrap() * 5 + round * 5)
        .find(|first| (0..5).all(|next| std::net::TcpListener::bind(("127.0.0.1", first + next)).is_ok()))
        .unwrap()
}

impl TestCloud {
    /// A process with this entry of clouds.yaml.
    pub(crate) fn process(&self, entry: &str) -> Process {
        let clouds = self.state.join("clouds.yaml");
        let variables = [("OS_CLIENT_CONFIG_FILE", clouds.to_str().unwrap()), ("OS_CLOUD", entry)];
        Process {
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            directory: self.state.clone(),
            now: jiff::Timestamp::now,
            interactive: false,
        }
    }

    /// Spoils the next such request: see `faults.py`.
    pub(crate) fn fault(&self, service: &str, method: &str, path: &str, action: &str) {
        let name = format!("{:020}", jiff::Timestamp::now().as_nanosecond());
        let folder = self.state.join("faults");
        std::fs::write(folder.join("next"), "").unwrap();
        std::fs::write(folder.join(name), format!("{service} {method} {path} {action}")).unwrap();
    }

    /// Whether all faults that were ordered have happened.
    pub(crate) fn faults_are_used_up(&self) -> bool {
        let left = std::fs::read_dir(self.state.join("faults")).unwrap().map(|entry| entry.unwrap().file_name());
        left.filter(|name| name != "next").count() == 0
    }

    /// What the servers themselves logged that changes stored state. Logins and signing requests store nothing; what
    /// services do among each other comes from other processes and is a read.
    pub(crate) fn writes(&self) -> Vec<String> {
        let logs =
            ["magnum", "neutron", "nova", "glance", "keystone"].map(|name| self.state.join(format!("log/{name}.log")));
        let text: String = logs.iter().map(|log| std::fs::read_to_string(log).unwrap()).collect();
        let writes = text.lines().filter(|line| {
            ["\"POST ", "\"PUT ", "\"PATCH ", "\"DELETE "].iter().any(|verb| line.contains(verb))
                && !line.contains("/auth/tokens")
                && !line.contains("/v1/certificates ")
        });
        writes.map(str::to_owned).collect()
    }

    /// The first port: Keystone's.
    pub(crate) fn keystone(&self) -> String {
        format!("http://127.0.0.1:{}/v3", self.port)
    }
}

/// Keeps all events.
#[derive(Clone, Default)]
pub(crate) struct Recorder(pub(crate) Arc<Mutex<Vec<Event>>>);

impl Sink for Recorder {
    fn take(&self, event: &Event) {
        if std::env::var_os("RSP_TEST_EVENTS").is_some() {
            eprintln!("{event:?}");
        }
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Recorder {
    /// How many retries were told.
    pub(crate) fn retries(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|event| matches!(event, Event::Retry { .. })).count()
    }

    /// All of it as text.
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect()
    }
}

/// A run of its own, with what it tells.
pub(crate) fn run() -> (Run, Recorder) {
    let recorder = Recorder::default();
    let outlet = Outlet::new(Events::new(vec![Box::new(recorder.clone())]), Counters::default(), kill_point());
    (Run { outlet, deadline: Deadline::after(Duration::from_mins(3)) }, recorder)
}

fn kill_point() -> Option<rsp_install::engine::Checkpoint> {
    std::env::var("RSP_INSTALL_KILL_AT").ok().map(|text| text.parse().unwrap())
}
