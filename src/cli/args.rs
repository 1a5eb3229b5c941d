//! The commands and their arguments, as clap reads them.

use super::access::AccessCommand;
use super::drift::DriftArgs;
use super::flags::{CheckoutArgs, GlobalArgs};
use super::mode::ModeArgs;
use super::sandbox::SandboxCommand;
use super::secrets::SecretsCommand;
use crate::install::{LossKind, Options};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Builds a Rubin Science Platform environment from one declarative file.
///
/// Without a command it installs the environment or brings it back to what its file declares. Run twice, the second
/// run writes nothing; killed half-way, the next one goes on.
#[derive(Parser)]
#[command(name = "rsp-install", version, args_conflicts_with_subcommands = false, subcommand_negates_reqs = true)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// Flags of an installation, when no command is named.
    #[command(flatten)]
    pub install: InstallArgs,
    /// What to do; an installation when none is named.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What can be done.
#[derive(Subcommand)]
pub enum Command {
    /// Install, or bring back to what the file declares (the default).
    #[command(hide = true)]
    Install,
    /// Show what an installation would change; writes nothing.
    Plan(CheckoutArgs),
    /// Show where each step and Application stands.
    Status(CheckoutArgs),
    /// Check the environment file and everything it names.
    Validate(CheckoutArgs),
    /// The secrets operator's login to Vault: rotate, audit.
    #[command(subcommand)]
    Access(AccessCommand),
    /// The secrets in Vault: audit, sync, template, copy.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// What merging upstream into the fork would mean for this environment; needs no cluster.
    Drift(DriftArgs),
    /// Upgrade in place or rebuild, with reasons; starts nothing.
    Mode(ModeArgs),
    /// Print the JSON schema of an environment file.
    Schema,
    /// Delete the environment's Magnum cluster, and first what it holds in the cloud.
    Retire(RetireArgs),
    /// The local control plane: real servers on this machine.
    #[command(subcommand)]
    Sandbox(SandboxCommand),
}

/// Flags of an installation.
#[derive(Args)]
pub struct InstallArgs {
    /// Show the differences and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Look at this step only, and change nothing else.
    #[arg(long, value_name = "STEP")]
    pub only: Option<String>,
    /// Upgrade what is there, rebuild it beside the present cluster, or be advised.
    #[arg(long, value_enum, default_value_t = InstallMode::Upgrade)]
    pub mode: InstallMode,
    /// In a rebuild: what may be lost with the old cluster, `volumes`, `addresses` or `unsynced` (may be repeated).
    #[arg(long, value_name = "KIND")]
    pub accept_loss: Vec<LossKind>,
    /// Delete this storage class and make it anew if it differs in what cannot be changed; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub replace_class: Vec<String>,
    /// Which checkout.
    #[command(flatten)]
    pub checkout: CheckoutArgs,
}

impl InstallArgs {
    /// What they add to the environment file.
    pub fn options(&self) -> Options {
        Options { replace_classes: self.replace_class.clone(), ..self.checkout.options() }
    }
}

/// How an environment is brought to what its file declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InstallMode {
    /// In place.
    Upgrade,
    /// On a second cluster, which then takes the place of the first.
    Rebuild,
    /// As `mode` advises; a rebuild is only advised, never started.
    Auto,
}

/// Flags of `retire`.
#[derive(Args)]
pub struct RetireArgs {
    /// The environment's name, instead of typing it when asked.
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Show what would go and what would stay.
    #[arg(long)]
    pub dry_run: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use std::time::Duration;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_the_flags_of_an_installation_are_read() {
        let cli = Cli::parse_from(["rsp-install", "--env", "roe", "--only", "secrets", "--timeout", "90s"]);
        assert!(cli.command.is_none());
        assert_eq!((cli.global.env.as_deref(), cli.install.only.as_deref()), (Some("roe"), Some("secrets")));
        assert_eq!(cli.global.timeout, Duration::from_secs(90));
    }

    #[test]
    fn flags_of_every_command_may_stand_before_or_after_it() {
        let after = Cli::parse_from(["rsp-install", "plan", "--env", "roe", "--branch", "x", "--output", "json"]);
        let before = Cli::parse_from(["rsp-install", "--env", "roe", "--output", "json", "plan", "--branch", "x"]);
        assert_eq!((after.global.env, after.global.output), (before.global.env, before.global.output));
    }
}
