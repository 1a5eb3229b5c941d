//! The typed stream of everything that happens; bars, lines and JSON are renderings of it.

use super::outlet::Intent;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StepStatus {
    /// Everything is as it should be.
    Converged,
    /// Something differs and has not been changed (a dry run, or an environment that was handed over).
    Pending,
    /// It was changed and proved.
    Changed,
    /// It cannot be said yet.
    Unknown,
    /// It does not apply to this environment.
    Skipped,
    /// It failed.
    Failed,
}

/// One thing that happened. Times are added by the renderings that need them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// A command begins on an environment.
    RunStarted {
        /// The environment's name.
        environment: String,
        /// The command.
        command: String,
    },
    /// A step begins.
    StepStarted {
        /// The step.
        step: String,
    },
    /// A step ended.
    StepFinished {
        /// The step.
        step: String,
        /// How.
        status: StepStatus,
        /// Wall time, seconds.
        seconds: f64,
    },
    /// A difference was found.
    ChangePlanned {
        /// The step that found it.
        step: String,
        /// What would be done: `create`, `update`, `delete`, `sync` ...
        action: String,
        /// To what.
        object: String,
    },
    /// A write is about to be sent.
    WriteIntended(Intent),
    /// A write was answered.
    WriteDone(Intent),
    /// A write was refused or its answer lost.
    WriteFailed {
        /// What was to be written.
        intent: Intent,
        /// The service's own words.
        message: String,
    },
    /// Waiting for something, with the reason why it is not there yet.
    Waiting {
        /// What is waited for.
        object: String,
        /// The condition.
        condition: String,
        /// Why it does not hold yet.
        message: String,
    },
    /// A transient fault is tried again.
    Retry {
        /// The call.
        call: String,
        /// The fault.
        message: String,
        /// How long until the next try, seconds.
        after_seconds: f64,
    },
    /// A preflight or validation check has its result.
    Check {
        /// The check's stable id.
        id: String,
        /// Whether it passed.
        passed: bool,
        /// What was found.
        found: String,
        /// What to do, empty when it passed.
        hint: String,
    },
    /// How far a long piece of work is.
    Progress {
        /// The work.
        task: String,
        /// Done so far.
        done: u64,
        /// Of how many; 0 when not known.
        total: u64,
    },
    /// Something the reader should know.
    Note {
        /// In a sentence.
        message: String,
    },
    /// Something the reader should worry about.
    Warning {
        /// In a sentence.
        message: String,
    },
    /// The command ended.
    RunFinished {
        /// `converged`, `pending` or `failed`.
        result: String,
        /// Wall time, seconds.
        elapsed_seconds: f64,
    },
}

/// Somebody who is told of events. Called synchronously, so that nothing is lost when the process dies.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn take(&self, event: &Event);
}

/// The stream: cheap to clone, handed down to whoever has something to tell.
#[derive(Clone, Default)]
pub struct Events(Arc<Vec<Box<dyn Sink>>>);

impl Events {
    /// A stream into these sinks.
    pub fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self(Arc::new(sinks))
    }

    /// Tells all sinks.
    #[allow(clippy::needless_pass_by_value, reason = "an event is made to be told: callers have no other use for it")]
    pub fn tell(&self, event: Event) {
        let event = &event;
        self.0.iter().for_each(|sink| sink.take(event));
    }

    /// Tells a sentence.
    pub fn note(&self, message: impl Into<String>) {
        self.tell(Event::Note { message: message.into() });
    }

    /// Tells a worry.
    pub fn warn(&self, message: impl Into<String>) {
        self.tell(Event::Warning { message: message.into() });
    }
}
