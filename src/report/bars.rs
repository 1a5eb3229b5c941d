//! Progress on a terminal: one spinner for the running step with its latest news, finished steps above it.

use super::lines::{line, word};
use crate::engine::{Event, Sink, StepStatus};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The bars.
pub struct Bars {
    spinner: Mutex<Option<ProgressBar>>,
    verbose: bool,
}

impl Bars {
    /// Bars on standard error; with `verbose`, single writes stay visible above them.
    pub fn new(verbose: bool) -> Self {
        Self { spinner: Mutex::default(), verbose }
    }

    fn start(step: &str) -> ProgressBar {
        let bar = ProgressBar::new_spinner();
        // A template that does not parse only loses its looks.
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {prefix:.bold} {elapsed:>4} {wide_msg:.dim}") {
            bar.set_style(style.tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]));
        }
        bar.set_prefix(format!("{step:<22}"));
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

impl Sink for Bars {
    fn take(&self, event: &Event) {
        let mut spinner = self.spinner.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::StepStarted { step } => *spinner = Some(Self::start(step)),
            Event::StepFinished { step, status, seconds } => {
                if let Some(bar) = spinner.take() {
                    bar.finish_and_clear();
                }
                let mark = match status {
                    StepStatus::Failed => "✗",
                    StepStatus::Pending | StepStatus::Unknown => "•",
                    _ => "✓",
                };
                eprintln!("{mark} {step:<22} {:>6.1} s  {}", seconds, word(*status));
            }
            other => {
                let lasting =
                    self.verbose || matches!(other, Event::Warning { .. } | Event::Check { passed: false, .. });
                let Some(text) = line(other, self.verbose) else { return };
                match (&*spinner, lasting) {
                    (Some(bar), false) => bar.set_message(text.trim().to_owned()),
                    (Some(bar), true) => bar.suspend(|| eprintln!("{text}")),
                    (None, _) => eprintln!("{text}"),
                }
            }
        }
    }
}
