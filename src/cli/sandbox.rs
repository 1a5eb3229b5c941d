//! `sandbox up|down|status`: the local control plane; and the two hidden commands with which it runs itself.

use super::{Answer, Door};
use crate::error::{Failure, Kind};
use crate::sandbox::{self, Sandbox, SandboxInfo, SandboxState, ServerState, Settings};
use clap::{Args, Subcommand};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// What can be done with the sandbox.
#[derive(Subcommand)]
pub enum SandboxCommand {
    /// Start it, or find it running; prints how to reach it.
    Up(Which),
    /// End all its processes and delete its data.
    Down {
        /// Which one.
        #[command(flatten)]
        which: Which,
        /// Keep the data: the next `up` finds everything as it was.
        #[arg(long)]
        keep: bool,
    },
    /// Show how it is.
    Status(Which),
    /// Own the servers; `up` starts this.
    #[command(hide = true)]
    Serve {
        /// The state folder.
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
    },
    /// Become a server that dies with its parent; `serve` starts this.
    #[command(hide = true)]
    Child {
        /// The parent's process id.
        parent: i32,
        /// The server's program.
        program: PathBuf,
        /// The server's arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// Which sandbox: the one of the environment that `--env` names.
#[derive(Args)]
pub struct Which {
    /// Its state folder, if not the one under the cache folder.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// The environment whose sandbox is meant when none is named.
const USUAL: &str = "sandbox";

/// Runs one of the hidden commands. They come before everything else: they need to be the only thread.
pub(super) fn run_hidden(command: &SandboxCommand) -> Option<ExitCode> {
    let outcome = match command {
        SandboxCommand::Serve { state } => sandbox::serve(state),
        SandboxCommand::Child { parent, program, arguments } => Err(sandbox::become_child(*parent, program, arguments)),
        _ => return None,
    };
    Some(outcome.map_or_else(
        |error| {
            eprintln!("{}", Failure::from(error));
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    ))
}

/// Runs one of the others.
pub(super) async fn run(door: &Door, command: &SandboxCommand) -> Result<Answer, Failure> {
    match command {
        SandboxCommand::Up(which) => {
            let info = sandbox(door, which)?.up().await?;
            Answer::done(&info, up_text(&info, door.elapsed()))
        }
        SandboxCommand::Down { which, keep } => {
            let mut removed = sandbox(door, which)?.down(*keep).await?;
            // An environment that was rebuilt has more than one.
            for other in others(door, which)? {
                let also = other.down(*keep).await?;
                removed.ended += also.ended;
                removed.deleted |= also.deleted;
            }
            let data = if removed.deleted { "its data deleted" } else { "nothing deleted" };
            let text = format!("the sandbox of {}: {} processes ended, {data}\n", removed.name, removed.ended);
            Answer::done(&removed, text)
        }
        SandboxCommand::Status(which) => {
            let info = sandbox(door, which)?.status()?;
            Answer::done(&info, status_text(&info))
        }
        SandboxCommand::Serve { .. } | SandboxCommand::Child { .. } => {
            Err(Failure::new(Kind::Usage, "the sandbox runs this command itself"))
        }
    }
}

/// The sandbox that is meant: of several generations the newest.
fn sandbox(door: &Door, which: &Which) -> Result<Sandbox, Failure> {
    let mut settings = settings(door)?;
    if let Some(state) = &which.state {
        settings.state = door.process.directory.join(state);
    } else if let Some(newest) = settings.generations().last() {
        settings = settings.of_generation(*newest);
    }
    Ok(of(door, settings))
}

/// The environment's sandboxes of earlier generations.
fn others(door: &Door, which: &Which) -> Result<Vec<Sandbox>, Failure> {
    let settings = settings(door)?;
    let mut generations = if which.state.is_none() { settings.generations() } else { Vec::new() };
    generations.pop();
    Ok(generations.into_iter().map(|generation| of(door, settings.clone().of_generation(generation))).collect())
}

fn settings(door: &Door) -> Result<Settings, Failure> {
    Ok(Settings::new(door.global.env.as_deref().unwrap_or(USUAL), &door.process)?)
}

fn of(door: &Door, settings: Settings) -> Sandbox {
    let run = &door.run;
    Sandbox::new(settings, door.process.clone(), run.outlet.events().clone(), run.deadline)
}

fn up_text(info: &SandboxInfo, seconds: f64) -> String {
    let SandboxInfo { name, kubeconfig, vault_address, vault_token_file, .. } = info;
    let mut text = format!("the sandbox of {name} is ready ({seconds:.1} s)\n");
    let _ = writeln!(text, "  export KUBECONFIG={}", kubeconfig.display());
    let _ = writeln!(text, "  export VAULT_ADDR={vault_address} VAULT_TOKEN=$(cat {})", vault_token_file.display());
    let _ = writeln!(text, "next: rsp-install --env {name}, or rsp-install sandbox down --env {name}");
    text
}

fn status_text(info: &SandboxInfo) -> String {
    let state = match info.state {
        SandboxState::Absent => "absent",
        SandboxState::Stopped => "stopped",
        SandboxState::Starting => "starting",
        SandboxState::Ready => "ready",
        SandboxState::Stopping => "stopping",
        SandboxState::Failed => "failed",
    };
    let mut text = format!("the sandbox of {} is {state}\n", info.name);
    for server in &info.servers {
        let state = match server.state {
            ServerState::Starting => "starting",
            ServerState::Ready => "ready",
            ServerState::Exited => "exited",
            ServerState::Stopped => "stopped",
        };
        let pid = server.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let _ = writeln!(text, "  {:<30} {state:<9} {pid:>8}  {}", server.name, server.address);
    }
    match info.state {
        SandboxState::Absent | SandboxState::Stopped | SandboxState::Failed => {
            let _ = writeln!(text, "next: rsp-install sandbox up --env {}", info.name);
        }
        _ => {
            let _ = writeln!(text, "  kubeconfig {}", info.kubeconfig.display());
        }
    }
    text
}
