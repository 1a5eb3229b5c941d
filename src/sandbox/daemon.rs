//! The daemon: owns every server as its child, in the order in which they need each other, and the stand-ins.
//!
//! Promises: when it ends, however it ends, no child is left ([`super::child`]); everything it does is in its record.

use super::certificates::Authority;
use super::folder::Folder;
use super::keeper::{Keepers, Kept, Prepare, Server};
use super::mark::ProcessMark;
use super::ports::Ports;
use super::record::{Fault, Phase, Recorder};
use super::servers::Servers;
use super::settings::Stored;
use super::stand_ins::{self, StandIns};
use super::vault::Vault;
use super::{SandboxError, cluster, kubeconfig};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

const AUDIT_POLICY: &str = include_str!("audit-policy.yaml");

/// Runs the daemon until it is told to stop or a server is lost.
pub fn serve(state: &Path) -> Result<(), SandboxError> {
    // Away from the terminal and the process group of whoever called `up`; fails only where that is already so.
    let _ = nix::unistd::setsid();
    let _ = rustls::crypto::ring::default_provider().install_default();
    // One thread: a child's request to die with its parent is tied to the thread that started it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| SandboxError::Start { program: "/proc/self/exe".into(), source })?;
    runtime.block_on(run(&Folder::new(state)))
}

async fn run(folder: &Folder) -> Result<(), SandboxError> {
    let unreadable = || SandboxError::file("read", "/proc/self/stat")(std::io::ErrorKind::NotFound.into());
    let recorder = Recorder::begin(folder, ProcessMark::own().ok_or_else(unreadable)?)?;
    let (sender, mut faults) = mpsc::unbounded_channel();
    let keepers = Keepers { folder: folder.clone(), recorder, faults: sender };
    let mut daemon = Daemon { keepers, kept: Vec::new(), stand_ins: None };
    let (mut told, mut interrupted) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let fault = tokio::select! {
        Err(fault) = daemon.work() => Some(fault),
        Some(fault) = faults.recv() => Some(fault),
        _ = told.recv() => None,
        _ = interrupted.recv() => None,
        else => None,
    };
    daemon.stop(fault).await;
    Ok(())
}

fn on(kind: SignalKind) -> Result<Signal, SandboxError> {
    signal(kind).map_err(|source| SandboxError::Start { program: "/proc/self/exe".into(), source })
}

struct Daemon {
    keepers: Keepers,
    /// In the order of their start.
    kept: Vec<Kept>,
    stand_ins: Option<StandIns>,
}

impl Daemon {
    /// Brings everything up and stays.
    async fn work(&mut self) -> Result<Infallible, Fault> {
        let context = self.start().await.map_err(|error| {
            let reason = format!("could not go on: {}", crate::error::Failure::from(error).message);
            Fault { server: "daemon".into(), reason }
        })?;
        self.stand_ins = Some(StandIns::start(context));
        self.keepers.recorder.phase(Phase::Ready, None);
        std::future::pending().await
    }

    async fn start(&mut self) -> Result<stand_ins::Context, SandboxError> {
        let folder = self.keepers.folder.clone();
        let stored = Stored::read(&folder)?;
        let authority = Authority::of(&folder)?;
        let ports = Ports::choose(&folder)?;
        kubeconfig::write_all(&folder, &stored.name, &format!("https://127.0.0.1:{}", ports.api_server))?;
        folder.write("audit/policy.yaml", AUDIT_POLICY.as_bytes())?;
        let client = cluster::client(&folder).await?;
        let vault = Vault::at(ports.vault)?;
        let servers = Servers { folder: folder.clone(), ports, tools: stored.tools };

        let etcd = self.keep(servers.etcd());
        let opened = self.keep(servers.vault(open_vault(vault.clone(), folder)));
        let redis = self.keep(servers.redis());
        self.kept[etcd].ready().await;
        let api_server = self.keep(servers.api_server(await_api_server(client.clone())));
        self.kept[api_server].ready().await;
        for server in [servers.controller_manager(), servers.scheduler(), servers.kwok()] {
            self.keep(server);
        }
        cluster::register_nodes(&client).await?;
        for kept in &mut self.kept[api_server..] {
            kept.ready().await;
        }
        cluster::await_nodes(&client).await?;
        self.kept[opened].ready().await;
        self.kept[redis].ready().await;
        Ok(stand_ins::Context { client, vault, authority: Arc::new(authority), servers, keepers: self.keepers.clone() })
    }

    fn keep(&mut self, server: Server) -> usize {
        self.kept.push(self.keepers.keep(server));
        self.kept.len() - 1
    }

    /// Takes everything down, those first that need the others.
    async fn stop(self, fault: Option<Fault>) {
        let phase = if fault.is_some() { Phase::Failed } else { Phase::Stopping };
        self.keepers.recorder.phase(phase, fault);
        if let Some(stand_ins) = self.stand_ins {
            stand_ins.stop().await;
        }
        for kept in self.kept.into_iter().rev() {
            kept.stop().await;
        }
    }
}

fn await_api_server(client: kube::Client) -> Prepare {
    Arc::new(move || {
        let client = client.clone();
        Box::pin(async move {
            cluster::await_api_server(&client).await;
            Ok(())
        })
    })
}

fn open_vault(vault: Vault, folder: Folder) -> Prepare {
    Arc::new(move || {
        let (vault, folder) = (vault.clone(), folder.clone());
        Box::pin(async move { vault.open(&folder).await })
    })
}
