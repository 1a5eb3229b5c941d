//! Tells how far a fetch is, as events.

use crate::engine::{Event, Events};
use gix::progress::{Count, Id, MessageLevel, NestedProgress, Progress, Step, StepShared, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often a task is told of.
const EVERY: Duration = Duration::from_millis(250);

/// One task of a fetch; gix counts in it from several threads.
pub(super) struct Told {
    events: Events,
    task: String,
    total: Option<Step>,
    done: StepShared,
    last: std::sync::Mutex<std::time::Instant>,
}

impl Told {
    /// A task of that name that tells these events.
    pub(super) fn new(events: &Events, task: impl Into<String>) -> Self {
        Self {
            events: events.clone(),
            task: task.into(),
            total: None,
            done: Arc::new(AtomicUsize::new(0)),
            last: std::sync::Mutex::new(std::time::Instant::now()),
        }
    }

    /// Tells, unless it did so a moment ago. A lock that another thread holds means that it is just being told.
    fn tell(&self) {
        let Ok(mut last) = self.last.try_lock() else { return };
        if last.elapsed() >= EVERY {
            *last = std::time::Instant::now();
            self.events.tell(Event::Progress {
                task: self.task.clone(),
                done: self.done.load(Ordering::Relaxed) as u64,
                total: self.total.unwrap_or_default() as u64,
            });
        }
    }
}

impl Count for Told {
    fn set(&self, step: Step) {
        self.done.store(step, Ordering::Relaxed);
        self.tell();
    }

    fn step(&self) -> Step {
        self.done.load(Ordering::Relaxed)
    }

    fn inc_by(&self, step: Step) {
        self.done.fetch_add(step, Ordering::Relaxed);
        self.tell();
    }

    fn counter(&self) -> StepShared {
        Arc::clone(&self.done)
    }
}

impl Progress for Told {
    fn init(&mut self, max: Option<Step>, _unit: Option<Unit>) {
        self.total = max;
    }

    fn set_name(&mut self, _name: String) {}

    fn name(&self) -> Option<String> {
        Some(self.task.clone())
    }

    fn id(&self) -> Id {
        gix::progress::UNKNOWN
    }

    fn message(&self, _level: MessageLevel, _message: String) {}
}

impl NestedProgress for Told {
    type SubProgress = Self;

    fn add_child(&mut self, name: impl Into<String>) -> Self {
        let root = self.task.split(':').next().unwrap_or_default();
        Self::new(&self.events, format!("{root}: {}", name.into()))
    }

    fn add_child_with_id(&mut self, name: impl Into<String>, _id: Id) -> Self {
        self.add_child(name)
    }
}
