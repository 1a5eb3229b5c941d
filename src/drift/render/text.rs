//! For a terminal.

use super::{changes, figures, headline, level, short};
use crate::drift::model::{Evidence, Report};
use std::fmt::Write as _;

/// How many pieces of evidence a terminal shows of one signal.
const EVIDENCE: usize = 8;

/// The report as text.
pub fn text(report: &Report) -> String {
    let mut out = format!("{}: {}\n\n", report.environment.name, headline(report));
    for signal in &report.signals {
        let _ = writeln!(out, "[{}] {} ({})", level(signal.level), signal.title, signal.id);
        for one in signal.evidence.iter().take(EVIDENCE) {
            let _ = writeln!(out, "    {}", evidence(one));
        }
        if signal.evidence.len() > EVIDENCE {
            let _ = writeln!(out, "    and {} more", signal.evidence.len() - EVIDENCE);
        }
    }
    if !report.conflicts.is_empty() {
        let _ = writeln!(out, "\nconflicts:");
        for conflict in &report.conflicts {
            let _ = writeln!(out, "    {} ({})", conflict.path, conflict.kind);
        }
    }
    let _ = writeln!(out, "\nsteps:");
    for (at, step) in report.steps.iter().enumerate() {
        let _ = writeln!(out, "  {}. {}", at + 1, step.text);
    }
    let _ = writeln!(out, "\nfigures:");
    for line in figures(report) {
        let _ = writeln!(out, "  {line}");
    }
    let _ = writeln!(out, "\napplications:");
    let mut quiet = Vec::new();
    for application in &report.applications {
        match changes(application).as_slice() {
            [] => quiet.push(application.name.as_str()),
            lines => {
                let _ = writeln!(out, "  {}: {}", application.name, lines.join("; "));
            }
        }
    }
    if !quiet.is_empty() {
        let _ = writeln!(out, "  nothing of note: {}", quiet.join(", "));
    }
    rest(&mut out, report);
    out
}

fn rest(out: &mut String, report: &Report) {
    for (title, secrets) in [("new secrets", &report.secrets.added), ("superfluous secrets", &report.secrets.removed)] {
        if !secrets.is_empty() {
            let one = |secret: &crate::drift::model::SecretChange| {
                let kind = if secret.is_static { " (static)" } else { "" };
                format!("{}/{}{kind}", secret.application, secret.key)
            };
            let _ = writeln!(out, "\n{title}: {}", secrets.iter().map(one).collect::<Vec<_>>().join(", "));
        }
    }
    if !report.local_patches.is_empty() {
        let worth = report.local_patches.iter().filter(|patch| patch.worth_sending).count();
        let _ = writeln!(
            out,
            "\n{} shared files differ on the fork, {worth} worth sending upstream:",
            report.local_patches.len()
        );
        for patch in report.local_patches.iter().take(20) {
            let _ = writeln!(out, "  {}{}", patch.path, if patch.worth_sending { " (send)" } else { "" });
        }
    }
    for file in &report.unreadable {
        let _ = writeln!(out, "\nnot readable on the side of {}: {}: {}", file.side, file.file, file.reason);
    }
    if let Some(since) = &report.since {
        let _ = writeln!(out, "\nsince {} ({} more commits):", short(&since.upstream), since.behind);
        for line in since.new_signals.iter().chain(&since.new_conflicts).chain(&since.new_secrets) {
            let _ = writeln!(out, "  new: {line}");
        }
        for line in &since.gone_signals {
            let _ = writeln!(out, "  gone: {line}");
        }
    }
}

fn evidence(one: &Evidence) -> String {
    let mut line = one.text.clone();
    if let Some(file) = one.file.as_ref().filter(|file| !one.text.contains(file.as_str())) {
        let _ = write!(line, " [{file}]");
    }
    if let Some(commit) = &one.commit {
        let _ = write!(line, " [{}]", short(commit));
    }
    line
}
