//! Brings the sandbox up: finds it running, or starts its daemon and follows what that tells.

use super::folder::Folder;
use super::record::{Phase, Record};
use super::settings::{Settings, Stored};
use super::tools::Tools;
use super::{SandboxError, ServerState};
use crate::engine::{Deadline, Event, Events};
use crate::process::Process;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often the record is read; the daemon and its callers share nothing but this file.
pub(super) const LOOK: Duration = Duration::from_millis(40);
/// What the servers may know of the caller's environment: how to reach the outside.
const PASSED_ON: [&str; 10] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TZ",
    "LANG",
];
/// The servers that `up` waits for, for the progress.
const STEPS: u64 = 7;

/// Brings it up, or finds that it is.
pub(super) async fn up(
    settings: &Settings,
    events: &Events,
    deadline: Deadline,
    process: &Process,
) -> Result<Record, SandboxError> {
    let folder = Folder::new(&settings.state);
    let _lock = loop {
        folder.create()?;
        if let Some(lock) = lock(&folder, deadline).await? {
            break lock;
        }
    };
    let told = BTreeSet::new();
    let mut follow = Follow { folder: &folder, events, deadline, begun: Instant::now(), told, daemon: None };
    if let Some(record) = Record::read(&folder)? {
        if record.daemon.is_alive() && matches!(record.phase, Phase::Starting | Phase::Ready) {
            return follow.until_ready().await;
        }
        end_all(&folder, &record, deadline).await?;
    }
    let tools = Tools::find(&settings.tools, process)?;
    Stored { name: settings.name.clone(), tools }.write(&folder)?;
    folder.forget_logs()?;
    Record::forget(&folder)?;
    follow.daemon = Some(start_daemon(settings, &folder, process)?);
    follow.until_ready().await
}

/// Holds off another `up` or `down` of the same sandbox; nothing when such a `down` has removed the folder.
pub(super) async fn lock(folder: &Folder, deadline: Deadline) -> Result<Option<File>, SandboxError> {
    let path = folder.path("lock");
    let file = File::create(&path).map_err(SandboxError::file("lock", &path))?;
    while file.try_lock().is_err() {
        pause(folder, deadline, || "another `sandbox up` or `sandbox down`".into()).await?;
    }
    let same = |held: Metadata| std::fs::metadata(&path).is_ok_and(|named| named.ino() == held.ino());
    Ok(file.metadata().is_ok_and(same).then_some(file))
}

/// Waits until no process of an earlier daemon is left; the daemon itself is asked to end, orphans are killed.
pub(super) async fn end_all(folder: &Folder, record: &Record, deadline: Deadline) -> Result<usize, SandboxError> {
    let count = record.alive().len();
    let grace = deadline.within(Duration::from_secs(20));
    // Its word for it: the daemon stops its servers in order. One that was told already is not told twice.
    if record.daemon.is_alive() {
        let _ = record.daemon.signal(Signal::SIGTERM);
    }
    while record.daemon.is_alive() && !grace.passed() {
        tokio::time::sleep(LOOK).await;
    }
    // What it started since this record was read is in the newer one.
    let record = Record::read(folder)?.unwrap_or_else(|| record.clone());
    for (_, mark) in record.alive() {
        let _ = mark.signal(Signal::SIGKILL);
    }
    let last = Deadline::after(Duration::from_secs(10));
    while let Some((server, mark)) = record.alive().into_iter().next() {
        if last.passed() {
            return Err(SandboxError::Remains { pid: mark.pid, server });
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(count)
}

fn start_daemon(settings: &Settings, folder: &Folder, process: &Process) -> Result<Child, SandboxError> {
    let scratch = folder.path("data/argocd");
    let passed_on = PASSED_ON.iter().filter_map(|name| Some((*name, process.variable(name)?)));
    Command::new(&settings.program)
        .args(["sandbox", "serve", "--state"])
        .arg(folder.root())
        .env_clear()
        .envs(passed_on)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", &scratch)
        .env("TMPDIR", &scratch)
        .current_dir(folder.root())
        .stdin(Stdio::null())
        .stdout(folder.open_log("daemon")?)
        .stderr(folder.open_log("daemon")?)
        .spawn()
        .map_err(|source| SandboxError::Start { program: settings.program.clone(), source })
}

async fn pause(folder: &Folder, deadline: Deadline, waiting: impl FnOnce() -> String) -> Result<(), SandboxError> {
    if deadline.passed() {
        return Err(SandboxError::Deadline { waiting: waiting(), logs: folder.path("logs") });
    }
    tokio::time::sleep(LOOK).await;
    Ok(())
}

/// Reads the record again and again, and tells what is new in it.
struct Follow<'a> {
    folder: &'a Folder,
    events: &'a Events,
    deadline: Deadline,
    begun: Instant,
    told: BTreeSet<String>,
    /// The daemon, if it was started here.
    daemon: Option<Child>,
}

impl Follow<'_> {
    async fn until_ready(&mut self) -> Result<Record, SandboxError> {
        loop {
            let record = Record::read(self.folder)?.filter(|record| record.daemon.is_alive() || record.fault.is_some());
            match record {
                Some(record) => {
                    self.tell(&record);
                    if let Some(fault) = &record.fault {
                        return Err(self.died(&fault.server, fault.reason.clone()));
                    }
                    if record.is_ready() {
                        return Ok(record);
                    }
                }
                None => self.check_daemon()?,
            }
            pause(self.folder, self.deadline, || self.waiting()).await?;
        }
    }

    /// The daemon writes its record first thing; what kept it from that is in its log.
    fn check_daemon(&mut self) -> Result<(), SandboxError> {
        let end = match &mut self.daemon {
            Some(daemon) => daemon.try_wait().ok().flatten().map(|status| format!("ended ({status})")),
            None => Some("ended".to_owned()),
        };
        end.map_or(Ok(()), |reason| Err(self.died("daemon", reason)))
    }

    fn tell(&mut self, record: &Record) {
        for entry in &record.servers {
            let (name, ready) = (&entry.status.name, entry.status.state == ServerState::Ready);
            if ready && self.told.insert(name.clone()) && record.phase == Phase::Starting {
                let seconds = self.begun.elapsed().as_secs_f64();
                self.events.note(format!("sandbox: {name} is ready ({seconds:.1} s)"));
                let done = self.told.len() as u64;
                self.events.tell(Event::Progress { task: "sandbox".into(), done, total: STEPS });
            }
        }
    }

    fn waiting(&self) -> String {
        let record = Record::read(self.folder).ok().flatten();
        let servers = record.map(|record| record.servers).unwrap_or_default();
        let late = servers.into_iter().filter(|entry| entry.status.state != ServerState::Ready);
        let late: Vec<String> = late.map(|entry| entry.status.name).collect();
        if late.is_empty() { "its nodes".into() } else { late.join(", ") }
    }

    fn died(&self, server: &str, reason: String) -> SandboxError {
        let log = self.folder.log(server);
        SandboxError::Died { server: server.to_owned(), reason, log, lines: self.folder.log_end(server) }
    }
}
