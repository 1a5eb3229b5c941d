//! What the daemon tells: a file that it rewrites whenever something changes, and that everybody else only reads.

use super::folder::Folder;
use super::keeper::Server;
use super::mark::ProcessMark;
use super::{SandboxError, ServerState, ServerStatus};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};

const FILE: &str = "state.json";

/// Where the daemon stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Phase {
    /// It brings the servers up.
    Starting,
    /// Everything is there.
    Ready,
    /// It gave up.
    Failed,
    /// It takes the servers down.
    Stopping,
}

/// Why the daemon gave up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fault {
    /// The server, or `daemon`: the name of its log.
    pub server: String,
    /// How it ended, or what could not be done.
    pub reason: String,
}

/// One server, as the record keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// For people.
    pub status: ServerStatus,
    /// Whether the sandbox is not ready without it.
    pub essential: bool,
    /// Its process, while it runs.
    pub process: Option<ProcessMark>,
}

/// The file's content.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// The daemon's process.
    pub daemon: ProcessMark,
    /// Where it stands.
    pub phase: Phase,
    /// Why it gave up.
    pub fault: Option<Fault>,
    /// The servers, in the order of their first start.
    pub servers: Vec<Entry>,
}

impl Record {
    /// Reads the record of the folder; nothing when no daemon ever ran there.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, SandboxError> {
        folder.read_json(FILE)
    }

    /// Removes the record of an earlier daemon, so that nobody takes its words for the new one's.
    pub(super) fn forget(folder: &Folder) -> Result<(), SandboxError> {
        let path = folder.path(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(SandboxError::file("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Whether everything is there that a user of the sandbox counts on.
    pub(super) fn is_ready(&self) -> bool {
        let ready = |entry: &Entry| {
            entry.status.state == ServerState::Ready && entry.process.as_ref().is_some_and(ProcessMark::is_alive)
        };
        self.phase == Phase::Ready && self.servers.iter().filter(|entry| entry.essential).all(ready)
    }

    /// Every process that the sandbox started and that still runs, the daemon first.
    pub(super) fn alive(&self) -> Vec<(String, ProcessMark)> {
        let servers = self.servers.iter().filter_map(|entry| Some((entry.status.name.clone(), entry.process.clone()?)));
        let all = std::iter::once(("daemon".to_owned(), self.daemon.clone())).chain(servers);
        all.filter(|(_, mark)| mark.is_alive()).collect()
    }
}

/// The daemon's hand on the file.
#[derive(Clone)]
pub(super) struct Recorder {
    folder: Folder,
    record: Arc<Mutex<Record>>,
}

impl Recorder {
    /// Begins a new record.
    pub(super) fn begin(folder: &Folder, daemon: ProcessMark) -> Result<Self, SandboxError> {
        let record = Record { daemon, phase: Phase::Starting, fault: None, servers: Vec::new() };
        folder.write_json(FILE, &record)?;
        Ok(Self { folder: folder.clone(), record: Arc::new(Mutex::new(record)) })
    }

    /// The daemon enters a phase.
    pub(super) fn phase(&self, phase: Phase, fault: Option<Fault>) {
        self.change(|record| {
            record.phase = phase;
            record.fault = fault;
        });
    }

    /// A server changed.
    pub(super) fn server(&self, server: &Server, state: ServerState, process: Option<ProcessMark>) {
        let name = server.name;
        self.change(|record| {
            let known = record.servers.iter().position(|entry| entry.status.name == name);
            let index = known.unwrap_or_else(|| {
                let status = ServerStatus {
                    name: name.to_owned(),
                    state,
                    pid: None,
                    address: format!("127.0.0.1:{}", server.port),
                    log: self.folder.log(name),
                    starts: 0,
                };
                record.servers.push(Entry { status, essential: server.essential, process: None });
                record.servers.len() - 1
            });
            let entry = &mut record.servers[index];
            if state == ServerState::Starting {
                entry.status.starts += 1;
            }
            entry.status.state = state;
            entry.status.pid = process.as_ref().map(|mark| mark.pid);
            entry.process = process;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Record)) {
        let Ok(mut record) = self.record.lock() else { return };
        change(&mut record);
        if let Err(error) = self.folder.write_json(FILE, &*record) {
            eprintln!("{error}");
        }
    }
}
