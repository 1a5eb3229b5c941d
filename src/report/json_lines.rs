//! Every event as one line of JSON, with the time it was told: what `--events` writes.

use crate::engine::{Event, Sink};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// One line.
#[derive(Serialize, JsonSchema)]
pub(super) struct TimedEvent<'a> {
    /// When, RFC 3339.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

/// Writes JSON lines somewhere.
pub struct JsonLines {
    out: Mutex<Box<dyn Write + Send>>,
    now: fn() -> Timestamp,
}

impl JsonLines {
    /// Lines into `out`, timed by `now`.
    pub fn new(out: Box<dyn Write + Send>, now: fn() -> Timestamp) -> Self {
        Self { out: Mutex::new(out), now }
    }
}

impl Sink for JsonLines {
    fn take(&self, event: &Event) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(line) = serde_json::to_string(&TimedEvent { at: (self.now)(), event }) {
            // A reader that went away must not end an installation.
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }
}
