//! Groups of flags that several commands share.

use crate::install::Options;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Flags of every command.
#[derive(Args)]
pub struct GlobalArgs {
    /// The environment: the file environments/NAME.yaml, or one with that alias.
    #[arg(long, global = true, value_name = "NAME")]
    pub env: Option<String>,
    /// The folder of environment files.
    #[arg(long, global = true, value_name = "DIR", default_value = "environments")]
    pub environments: PathBuf,
    /// How the result is printed.
    #[arg(long, global = true, value_enum, default_value_t = Output::Human)]
    pub output: Output,
    /// Write every event as a line of JSON to this file, or to standard error with `-`.
    #[arg(long, global = true, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Answer every question with yes.
    #[arg(long, global = true)]
    pub yes: bool,
    /// How long the whole command may take, for example 90s, 45m, 2h.
    #[arg(long, global = true, value_name = "DURATION", default_value = "1h", value_parser = duration)]
    pub timeout: Duration,
    /// Tell single writes, too.
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for people.
    Human,
    /// One JSON document.
    Json,
}

/// Which checkout of phalanx is meant, if not the one of the file.
#[derive(Args, Default)]
pub struct CheckoutArgs {
    /// Another phalanx repository than the file's: a URL or a path.
    #[arg(long, value_name = "REPO")]
    pub repository: Option<String>,
    /// Another branch than the file's.
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Another environment of phalanx than the file's.
    #[arg(long, value_name = "NAME")]
    pub phalanx_environment: Option<String>,
    /// Static secrets, in phalanx's format.
    #[arg(long = "static", value_name = "FILE")]
    pub static_secrets: Option<PathBuf>,
}

impl CheckoutArgs {
    /// What they add to the environment file.
    pub fn options(&self) -> Options {
        Options { static_secrets: self.static_secrets.clone(), ..Options::default() }
    }
}

/// Reads a duration such as `90s`, `45m` or `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is no duration; write it as 90s, 45m or 2h"))?;
    span.try_into().map_err(|_| String::from("a timeout cannot be negative"))
}
