//! The command line: arguments in, one call, rendering out. No logic.
//!
//! One file per command. A command gets the [`Door`] and gives an [`Answer`]; everything that can go wrong is a
//! [`Failure`], whose kind alone decides the exit code.

mod access;
mod args;
mod door;
mod drift;
mod flags;
mod install;
mod mode;
mod plan;
mod rebuild;
mod retire;
mod sandbox;
mod schema;
mod secrets;
mod status;
mod validate;

pub use args::Cli;
pub use door::{Answer, Door};

use crate::error::{Failure, Kind};
use crate::process::Process;
use crate::report::documents::FailureDocument;
use args::Command;
use clap::Parser as _;
use flags::Output;
use std::process::ExitCode;

/// The whole program: reads arguments and environment, runs one command, prints its answer.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Command::Sandbox(command)) = &cli.command
        && let Some(exit) = sandbox::run_hidden(command)
    {
        return exit;
    }
    crate::process::keep_memory_to_ourselves();
    // The one TLS provider; the second call of a process would fail, which does no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let output = cli.global.output;
    match run(cli) {
        Ok(answer) => {
            match output {
                Output::Human => print!("{}", answer.text),
                Output::Json => println!("{:#}", answer.document),
            }
            if let (Output::Human, Some(failure)) = (output, &answer.failure) {
                eprintln!("{failure}");
            }
            ExitCode::from(answer.exit)
        }
        Err(failure) => {
            eprintln!("{failure}");
            if output == Output::Json {
                let document = FailureDocument { error: (&failure).into() };
                println!("{:#}", serde_json::to_value(document).unwrap_or_default());
            }
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Kind::Failed, format!("cannot start the runtime: {error}")))?;
    let answer = runtime.block_on(async {
        let door = Door::open(Process::from_system(), cli.global)?;
        tokio::select! {
            answer = dispatch(&door, cli.command.unwrap_or(Command::Install), cli.install) => answer,
            signal = interrupted() => Err(signal),
        }
    });
    // A blocked thread (bcrypt, a pack being read) must not keep a finished command alive.
    runtime.shutdown_background();
    answer
}

async fn dispatch(door: &Door, command: Command, install: args::InstallArgs) -> Result<Answer, Failure> {
    match command {
        Command::Install => install::run(door, &install).await,
        Command::Plan(args) => plan::run(door, &args, args.options(), None).await,
        Command::Status(args) => status::run(door, &args).await,
        Command::Validate(args) => validate::run(door, &args).await,
        Command::Access(command) => access::run(door, &command).await,
        Command::Secrets(command) => secrets::run(door, &command).await,
        Command::Drift(args) => drift::run(door, args).await,
        Command::Mode(args) => mode::run(door, args).await,
        Command::Schema => schema::run(),
        Command::Retire(args) => retire::run(door, &args).await,
        Command::Sandbox(command) => sandbox::run(door, &command).await,
    }
}

/// Ends when somebody wants us to stop.
async fn interrupted() -> Failure {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    Failure::new(Kind::Interrupted, "interrupted").help("nothing is lost: run the same command again")
}
