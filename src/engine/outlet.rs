//! The one way out: every external write goes through [`Outlet::write`].
//!
//! It tells the intent, counts, calls, and tells the result. Before the call, after it was answered and after the
//! result was recorded lie checkpoints, numbered in the order of the writes, so that the kill points of the tests
//! enumerate themselves (`RSP_INSTALL_KILL_AT=3.answered`). What may be repeated needs no journal; a call that may not
//! (creating a cluster, issuing a `SecretID`) looks for its own mark before it comes here.

use super::{Counters, Event, Events};
use schemars::JsonSchema;
use serde::Serialize;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whose stored state is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum System {
    /// The API server.
    Kubernetes,
    /// Vault.
    Vault,
    /// The cloud.
    Openstack,
}

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Something new.
    Create,
    /// A change of something that is there.
    Update,
    /// Something goes.
    Delete,
}

/// A write that is about to happen. Never holds a secret: `object` is a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Where.
    pub system: System,
    /// What.
    pub action: Action,
    /// To which object, for example `Secret vault-secrets-operator/vault-credentials`.
    pub object: String,
}

impl Intent {
    /// An intent.
    pub fn new(system: System, action: Action, object: impl Into<String>) -> Self {
        Self { system, action, object: object.into() }
    }
}

/// Which moment of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The intent is told, nothing was sent.
    Before,
    /// The server did it and its answer came, but nobody was told.
    Answered,
    /// The result was told.
    After,
}

/// A place where the tests kill the process: the number of the write, from 1, and the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which write.
    pub write: u64,
    /// Which moment of it.
    pub moment: Moment,
}

impl FromStr for Checkpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (write, moment) = text.split_once('.')?;
            let moment = match moment {
                "before" => Moment::Before,
                "answered" => Moment::Answered,
                "after" => Moment::After,
                _ => return None,
            };
            Some(Self { write: write.parse().ok()?, moment })
        };
        parse().ok_or_else(|| format!("{text:?} is no checkpoint; write it as 3.before, 3.answered or 3.after"))
    }
}

/// The way out; cheap to clone, all clones number and count together.
#[derive(Clone, Default)]
pub struct Outlet {
    events: Events,
    counters: Counters,
    writes: Arc<AtomicU64>,
    kill_at: Option<Checkpoint>,
}

impl Outlet {
    /// An outlet that tells and counts here, and dies at `kill_at`.
    pub fn new(events: Events, counters: Counters, kill_at: Option<Checkpoint>) -> Self {
        Self { events, counters, writes: Arc::default(), kill_at }
    }

    /// Does one external write.
    pub async fn write<T, E: std::fmt::Display>(
        &self,
        intent: Intent,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let number = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        self.events.tell(Event::WriteIntended(intent.clone()));
        self.checkpoint(number, Moment::Before);
        self.counters.write(intent.system);
        let answer = call.await;
        self.checkpoint(number, Moment::Answered);
        self.events.tell(match &answer {
            Ok(_) => Event::WriteDone(intent),
            Err(error) => Event::WriteFailed { intent, message: error.to_string() },
        });
        self.checkpoint(number, Moment::After);
        answer
    }

    /// A write that only says that we are alive. It comes when the clock says so: numbering it would make the
    /// checkpoints of the other writes wander.
    pub async fn heartbeat<T>(&self, system: System, call: impl Future<Output = T>) -> T {
        self.counters.write(system);
        call.await
    }

    /// The stream, for what is told beside writes.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The counts, for the reads.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many writes were begun.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Dies like under `kill -9`: no destructor, no buffer is flushed, no server is told.
    fn checkpoint(&self, write: u64, moment: Moment) {
        if self.kill_at == Some(Checkpoint { write, moment }) {
            let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    struct Recorder(Arc<Mutex<Vec<Event>>>);
    impl super::super::Sink for Recorder {
        fn take(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    #[tokio::test]
    async fn a_write_is_told_before_and_after_and_counted() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let events = Events::new(vec![Box::new(Recorder(Arc::clone(&told)))]);
        let outlet = Outlet::new(events, Counters::default(), None);
        let intent = Intent::new(System::Vault, Action::Create, "secret/phalanx/x/argocd");
        outlet.write(intent.clone(), async { Ok::<_, String>(()) }).await.unwrap();
        outlet.write(intent.clone(), async { Err::<(), _>("sealed") }).await.unwrap_err();
        assert_eq!(outlet.counters().requests().vault.writes, 2);
        let told = told.lock().unwrap();
        assert_eq!(told[0], Event::WriteIntended(intent.clone()));
        assert_eq!(told[1], Event::WriteDone(intent.clone()));
        assert_eq!(told[3], Event::WriteFailed { intent, message: "sealed".into() });
    }

    #[test]
    fn checkpoints_are_written_as_number_and_moment() {
        assert_eq!("3.answered".parse(), Ok(Checkpoint { write: 3, moment: Moment::Answered }));
        assert!("3".parse::<Checkpoint>().is_err());
        assert!("x.before".parse::<Checkpoint>().is_err());
    }
}
