//! Plain lines on standard error: for logs, CI and pipes.

use crate::engine::{Event, Sink, StepStatus};

/// Writes a line for each event that a reader wants; `verbose` also those about single writes.
pub struct Lines {
    verbose: bool,
}

impl Lines {
    /// Lines; with `verbose`, writes and retries too.
    pub fn new(verbose: bool) -> Self {
        Self { verbose }
    }
}

impl Sink for Lines {
    fn take(&self, event: &Event) {
        if let Some(line) = line(event, self.verbose) {
            eprintln!("{line}");
        }
    }
}

/// One word for a status.
pub(super) fn word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Converged => "as it should be",
        StepStatus::Pending => "pending",
        StepStatus::Changed => "changed and proved",
        StepStatus::Unknown => "not known yet",
        StepStatus::Skipped => "does not apply",
        StepStatus::Failed => "failed",
    }
}

/// The line of an event, or nothing for those that only interest programs.
pub(super) fn line(event: &Event, verbose: bool) -> Option<String> {
    Some(match event {
        Event::RunStarted { environment, command } => format!("{command}: environment {environment}"),
        Event::StepStarted { step } => format!("{step} ..."),
        Event::StepFinished { step, status, seconds } => format!("{step}: {} ({seconds:.1} s)", word(*status)),
        Event::WriteDone(intent) => format!("  {} {}", past(intent.action), intent.object),
        Event::WriteFailed { intent, message } => format!("  refused: {}: {message}", intent.object),
        Event::Waiting { object, condition, message } if message.is_empty() => {
            format!("  waiting: {object}: {condition}")
        }
        Event::Waiting { object, condition, message } => format!("  waiting: {object}: {condition}; {message}"),
        Event::Retry { call, message, after_seconds } => {
            format!("  trying again in {after_seconds:.1} s: {call}: {message}")
        }
        Event::Check { id, passed: false, found, hint } => format!("  check {id} failed: {found}; {hint}"),
        Event::Check { id, found, .. } if verbose => format!("  check {id}: {found}"),
        Event::WriteIntended(intent) if verbose => format!("  writing {}", intent.object),
        Event::Progress { task, done, total } if verbose && *total > 0 => format!("  {task}: {done} of {total}"),
        Event::Note { message } => format!("  {message}"),
        Event::Warning { message } => format!("warning: {message}"),
        _ => return None,
    })
}

fn past(action: crate::engine::Action) -> &'static str {
    match action {
        crate::engine::Action::Create => "created",
        crate::engine::Action::Update => "updated",
        crate::engine::Action::Delete => "deleted",
    }
}
