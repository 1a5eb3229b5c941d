//! One deadline for a whole run, handed down to every wait.

use std::time::{Duration, Instant};

/// When the run must have ended.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// This long from now.
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// What is left, zero when it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The earlier of this one and one this long from now: for a part of the run with a limit of its own.
    #[must_use]
    pub fn within(self, duration: Duration) -> Self {
        Self(self.0.min(Instant::now() + duration))
    }

    /// Whether it has passed.
    pub fn passed(self) -> bool {
        self.left().is_zero()
    }
}
