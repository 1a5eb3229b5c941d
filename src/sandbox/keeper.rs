//! Keeps one server alive: starts it, waits until it answers, starts it again when it ends, stops it when told.

use super::child;
use super::folder::Folder;
use super::mark::ProcessMark;
use super::record::{Fault, Recorder};
use super::{SandboxError, ServerState};
use futures::future::BoxFuture;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How often a port is tried; a server tells nobody when it begins to listen.
const PROBE: Duration = Duration::from_millis(40);
/// An orderly end is waited for this long.
const GRACE: Duration = Duration::from_secs(5);
/// So many ends within [`SPAN`] are too many.
const TOO_MANY: usize = 5;
const SPAN: Duration = Duration::from_mins(1);

/// What is done each time a server answers, before it counts as ready.
pub(super) type Prepare = Arc<dyn Fn() -> BoxFuture<'static, Result<(), SandboxError>> + Send + Sync>;

/// A server: what to run and how to know that it is there.
#[derive(Clone)]
pub(super) struct Server {
    /// Names its log, too.
    pub name: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments; never a secret.
    pub arguments: Vec<String>,
    /// Its environment, beside what the daemon gives to all.
    pub environment: Vec<(&'static str, String)>,
    /// The port that says that it is there.
    pub port: u16,
    /// What makes it ready.
    pub prepare: Option<Prepare>,
    /// Whether it must end by itself: it keeps data. The others are killed, which is quicker.
    pub orderly: bool,
    /// Whether the sandbox is lost when it cannot be kept alive.
    pub essential: bool,
}

/// What all keepers share.
#[derive(Clone)]
pub(super) struct Keepers {
    pub folder: Folder,
    pub recorder: Recorder,
    /// Where a keeper that gives up says so.
    pub faults: mpsc::UnboundedSender<Fault>,
}

/// A kept server.
pub(super) struct Kept {
    stop: CancellationToken,
    ready: watch::Receiver<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Kept {
    /// Waits until it is ready. Never returns when it never is: then the fault is told.
    pub(super) async fn ready(&mut self) {
        if self.ready.wait_for(|ready| *ready).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Stops it and waits for its end.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        // A keeper that panicked has dropped its child, which kills it.
        let _ = self.task.await;
    }
}

impl Keepers {
    /// Starts a server and keeps it alive.
    pub(super) fn keep(&self, server: Server) -> Kept {
        let (stop, (told, ready)) = (CancellationToken::new(), watch::channel(false));
        let keeper = Keeper { shared: self.clone(), server, stop: stop.clone(), told };
        Kept { stop, ready, task: tokio::spawn(keeper.run()) }
    }
}

struct Keeper {
    shared: Keepers,
    server: Server,
    stop: CancellationToken,
    told: watch::Sender<bool>,
}

/// How a server's life ended.
enum End {
    Stopped,
    Exited(String),
}

impl Keeper {
    async fn run(self) {
        let mut ends: Vec<Instant> = Vec::new();
        loop {
            let end = match self.live().await {
                Ok(End::Stopped) => return self.tell(ServerState::Stopped, None),
                Ok(End::Exited(reason)) => reason,
                Err(error) => format!("cannot be made ready: {}", crate::error::Failure::from(error).message),
            };
            self.tell(ServerState::Exited, None);
            eprintln!("{} {end}", self.server.name);
            ends.push(Instant::now());
            ends.retain(|end| end.elapsed() < SPAN);
            if self.server.essential && ends.len() >= TOO_MANY {
                let _ = self.shared.faults.send(Fault { server: self.server.name.into(), reason: end });
                return self.stop.cancelled().await;
            }
            let pause = Duration::from_millis(100 << ends.len().min(6));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return self.tell(ServerState::Stopped, None),
            }
        }
    }

    /// One life of the server, from its start to its end.
    async fn live(&self) -> Result<End, SandboxError> {
        let mut child = self.spawn()?;
        let process = child.id().and_then(|pid| ProcessMark::of(i32::try_from(pid).ok()?));
        self.tell(ServerState::Starting, process.clone());
        let end = tokio::select! {
            status = child.wait() => return Ok(exited(status)),
            end = self.become_ready(process) => end,
        };
        tokio::select! {
            status = child.wait() => return Ok(exited(status)),
            () = self.stop.cancelled() => {}
            // Kept on: an answering server that could not be prepared is ended and started again.
            () = async { if end.is_ok() { std::future::pending::<()>().await } } => {}
        }
        self.end(&mut child).await;
        end.map(|()| End::Stopped)
    }

    async fn become_ready(&self, process: Option<ProcessMark>) -> Result<(), SandboxError> {
        let come = async {
            while TcpStream::connect(("127.0.0.1", self.server.port)).await.is_err() {
                tokio::time::sleep(PROBE).await;
            }
            match &self.server.prepare {
                Some(prepare) => prepare().await,
                None => Ok(()),
            }
        };
        tokio::select! {
            prepared = come => prepared?,
            () = self.stop.cancelled() => return Ok(()),
        }
        self.tell(ServerState::Ready, process);
        Ok(())
    }

    fn spawn(&self) -> Result<Child, SandboxError> {
        let folder = &self.shared.folder;
        let log = || folder.open_log(self.server.name);
        // Not the path of our program, which may have been replaced since.
        Command::new("/proc/self/exe")
            .args(child::ARGUMENTS)
            .arg(std::process::id().to_string())
            .arg(&self.server.program)
            .args(&self.server.arguments)
            .envs(self.server.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(folder.root())
            .stdin(Stdio::null())
            .stdout(log()?)
            .stderr(log()?)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| SandboxError::Start { program: self.server.program.clone(), source })
    }

    async fn end(&self, child: &mut Child) {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.server.orderly) {
            let _ = kill(pid, Signal::SIGTERM);
            if tokio::time::timeout(GRACE, child.wait()).await.is_ok() {
                return;
            }
        }
        let _ = child.kill().await;
    }

    fn tell(&self, state: ServerState, process: Option<ProcessMark>) {
        self.shared.recorder.server(&self.server, state, process);
        self.told.send_replace(state == ServerState::Ready);
    }
}

fn exited(status: std::io::Result<std::process::ExitStatus>) -> End {
    End::Exited(match status {
        Ok(status) => format!("ended ({status})"),
        Err(error) => format!("cannot be watched: {error}"),
    })
}
