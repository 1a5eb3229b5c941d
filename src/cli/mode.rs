//! `rsp-install mode`: upgrade in place or rebuild, with reasons.

use super::drift::{read, report};
use super::{Answer, Door};
use crate::drift::mode::{Advice, decide};
use crate::drift::read_facts;
use crate::error::Failure;
use clap::Args;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What is compared, and what is known.
#[derive(Args, Default)]
pub struct ModeArgs {
    /// Another fork than the file's: a URL or path, and a branch, tag or commit.
    #[arg(long, value_name = "REPO@REF")]
    pub fork: Option<String>,
    /// Another upstream than the file's.
    #[arg(long, value_name = "REPO@REF")]
    pub upstream: Option<String>,
    /// Facts of the cluster (YAML) instead of the cluster's own: it is not contacted.
    #[arg(long, value_name = "FILE")]
    pub facts: Option<PathBuf>,
}

/// Advises; starts nothing.
pub(super) async fn run(door: &Door, args: ModeArgs) -> Result<Answer, Failure> {
    let advice = advise(door, &args).await?;
    Answer::done(&advice, text(&advice))
}

/// The advice.
pub(super) async fn advise(door: &Door, args: &ModeArgs) -> Result<Advice, Failure> {
    let facts = match &args.facts {
        Some(file) => Some(read_facts(&file.display().to_string(), &String::from_utf8_lossy(&read(door, file)?))?),
        None => None,
    };
    let report = report(door, args.fork.as_deref(), args.upstream.as_deref(), facts).await?;
    Ok(decide(&report, &report.cluster.clone().unwrap_or_default()))
}

/// The advice for people.
pub(super) fn text(advice: &Advice) -> String {
    let mut out = format!("{}: {}\n", advice.environment, advice.mode);
    for reason in &advice.reasons {
        let _ = writeln!(out, "  because {reason}");
    }
    for unknown in &advice.unknown {
        let _ = writeln!(out, "  not known: {unknown}");
    }
    let _ = writeln!(out, "steps:");
    for (at, step) in advice.steps.iter().enumerate() {
        let _ = writeln!(out, "  {}. {}", at + 1, step.text);
    }
    out
}
