//! The local control plane: every system that the installer drives, on one machine, without a container engine.
//!
//! Real: etcd, the API server, the controller manager, the scheduler, Vault's core, redis, Argo CD's application
//! controller and repository server. kwok makes nodes and pods look alive without running them. What nothing of that
//! gives comes from small [`stand_ins`] of ours.
//!
//! Promises: loopback only, free ports, one state folder of its owner; `up` may be called again at any time and after
//! any crash; `down` leaves no process and no data; a daemon that is killed takes its servers with it.
//!
//! Leaves to others: what is installed on it. The sandbox is the outside world of a rehearsal: its writes are the
//! world's, so they do not go through [`crate::engine::Outlet`].

mod certificates;
mod child;
mod cluster;
mod daemon;
mod error;
mod folder;
mod info;
mod keeper;
mod kubeconfig;
mod mark;
mod ports;
mod record;
mod servers;
mod settings;
mod stand_ins;
mod tools;
mod up;
mod vault;

pub use child::become_child;
pub use daemon::serve;
pub use error::SandboxError;
pub use info::{SandboxInfo, SandboxRemoved, SandboxState, ServerState, ServerStatus};
pub use settings::Settings;

use crate::engine::{Deadline, Events};
use crate::process::Process;
use folder::Folder;
use record::{Phase, Record};

/// One sandbox, whether it runs or not.
#[derive(Clone)]
pub struct Sandbox {
    settings: Settings,
    process: Process,
    events: Events,
    deadline: Deadline,
}

impl Sandbox {
    /// The sandbox that `settings` name. `process` says where programs are and how to reach the outside.
    pub fn new(settings: Settings, process: Process, events: Events, deadline: Deadline) -> Self {
        Self { settings, process, events, deadline }
    }

    /// Brings it up and returns when everything is ready; at once when it already is.
    pub async fn up(&self) -> Result<SandboxInfo, SandboxError> {
        let record = up::up(&self.settings, &self.events, self.deadline, &self.process).await?;
        self.info(Some(&record))
    }

    /// How it is now.
    pub fn status(&self) -> Result<SandboxInfo, SandboxError> {
        self.info(Record::read(&self.folder())?.as_ref())
    }

    /// Ends all its processes, and deletes its data unless they are to be kept.
    pub async fn down(&self, keep: bool) -> Result<SandboxRemoved, SandboxError> {
        let folder = self.folder();
        let mut removed = SandboxRemoved { name: self.settings.name.clone(), ended: 0, deleted: false };
        if !folder.is_ours() {
            return Ok(removed);
        }
        let Some(_lock) = up::lock(&folder, self.deadline).await? else { return Ok(removed) };
        if let Some(record) = Record::read(&folder)? {
            removed.ended = up::end_all(&folder, &record, self.deadline).await?;
        }
        if !keep {
            folder.remove()?;
            removed.deleted = true;
        }
        Ok(removed)
    }

    fn folder(&self) -> Folder {
        Folder::new(&self.settings.state)
    }

    fn info(&self, record: Option<&Record>) -> Result<SandboxInfo, SandboxError> {
        let folder = self.folder();
        let (api_server, vault) = match folder.read_json::<ports::Ports>(ports::FILE)? {
            Some(ports) => {
                (format!("https://127.0.0.1:{}", ports.api_server), format!("http://127.0.0.1:{}", ports.vault))
            }
            None => Default::default(),
        };
        Ok(SandboxInfo {
            name: self.settings.name.clone(),
            state: state(&folder, record),
            kubeconfig: folder.path(&kubeconfig::file("admin")),
            context: kubeconfig::context(&self.settings.name),
            server: api_server,
            ca_file: folder.path("certificates/ca.crt"),
            vault_address: vault,
            vault_token_file: folder.path(vault::TOKEN_FILE),
            kubernetes_audit_log: folder.path("audit/kubernetes.log"),
            vault_audit_log: folder.path("audit/vault.log"),
            servers: record.map(servers_now).unwrap_or_default(),
            folder: folder.root().to_owned(),
        })
    }
}

fn state(folder: &Folder, record: Option<&Record>) -> SandboxState {
    match record {
        _ if !folder.is_ours() => SandboxState::Absent,
        Some(record) if record.phase == Phase::Failed => SandboxState::Failed,
        Some(record) if !record.daemon.is_alive() => SandboxState::Stopped,
        Some(record) if record.phase == Phase::Stopping => SandboxState::Stopping,
        Some(record) if record.is_ready() => SandboxState::Ready,
        Some(_) => SandboxState::Starting,
        None => SandboxState::Stopped,
    }
}

/// The servers as they are: those of a daemon that was killed went with it, and nobody was left to write that down.
fn servers_now(record: &Record) -> Vec<ServerStatus> {
    let now = |entry: &record::Entry| {
        let mut status = entry.status.clone();
        if !entry.process.as_ref().is_some_and(mark::ProcessMark::is_alive) && status.state == ServerState::Ready {
            (status.state, status.pid) = (ServerState::Exited, None);
        }
        status
    };
    record.servers.iter().map(now).collect()
}
