//! A step: a pure function from what is wanted and what was observed to typed changes, and how to make one change.
//!
//! A step never writes while it observes or plans. It knows what is wanted from its own fields.

use super::{Deadline, Outlet};
use crate::error::Failure;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run hands to every step.
#[derive(Clone)]
pub struct Run {
    /// The one way out, with the events and counters.
    pub outlet: Outlet,
    /// When the run must have ended.
    pub deadline: Deadline,
}

/// What observing gave.
#[derive(Debug)]
pub enum Observation<T> {
    /// What is there.
    Known(T),
    /// It cannot be observed until something that an earlier step makes; for people: "the cluster is up".
    Unknown {
        /// Until what.
        until: String,
    },
    /// The step does not apply here.
    Skipped {
        /// Why.
        because: String,
    },
}

/// A change as people and JSON see it. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Described {
    /// `create`, `update`, `delete`, `sync` ...
    pub action: String,
    /// To what.
    pub object: String,
}

impl Described {
    /// A description.
    pub fn new(action: impl Into<String>, object: impl Into<String>) -> Self {
        Self { action: action.into(), object: object.into() }
    }
}

/// Something that can say what it would do.
pub trait Describe {
    /// In the words of `plan`.
    fn describe(&self) -> Described;
}

/// One step of the main job.
pub trait Step: Send + Sync {
    /// What the systems say.
    type Observed: Send + Sync;
    /// One difference, with all that is needed to remove it.
    type Change: Describe + Send + Sync;

    /// Its stable name, as `--only` and the JSON have it.
    fn name(&self) -> &'static str;

    /// Asks the systems. Reads only.
    fn observe(&self, run: &Run) -> impl Future<Output = Result<Observation<Self::Observed>, Failure>> + Send;

    /// The differences between what is wanted and what was observed, in the order in which they must be made. Pure.
    fn plan(&self, observed: &Self::Observed) -> Result<Vec<Self::Change>, Failure>;

    /// Makes one change and waits until it shows.
    fn apply(&self, change: &Self::Change, run: &Run) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Makes all changes of a plan; one after the other unless the step knows better.
    fn apply_all(&self, changes: &[Self::Change], run: &Run) -> impl Future<Output = Result<(), Failure>> + Send {
        async move {
            for change in changes {
                self.apply(change, run).await?;
            }
            Ok(())
        }
    }

    /// What differs but is not this run's to change: the run ends as `pending` and says so.
    fn left_alone(&self, _observed: &Self::Observed) -> Vec<Described> {
        Vec::new()
    }

    /// What is wrong although nothing is left to change: the run ends as failed and says so.
    fn verdict(&self, _observed: &Self::Observed) -> Option<Failure> {
        None
    }
}

/// What a step found out, before anything was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The differences, and what differs but is left alone.
    Differences {
        /// To be changed.
        changes: Vec<Described>,
        /// To be told.
        left_alone: Vec<Described>,
        /// What is wrong beside them.
        verdict: Option<Failure>,
    },
    /// Not known until something happens.
    Unknown {
        /// Until what.
        until: String,
    },
    /// Does not apply.
    Skipped {
        /// Why.
        because: String,
    },
}

/// A [`Step`] whose types are hidden, so that steps can stand in one list.
pub trait AnyStep: Send + Sync {
    /// Its stable name.
    fn name(&self) -> &'static str;

    /// Observes and plans.
    fn find<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Finding, Failure>>;

    /// Observes and plans again, and makes the changes; tells those that were made.
    fn change<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Vec<Described>, Failure>>;
}

impl<S: Step> AnyStep for S {
    fn name(&self) -> &'static str {
        Step::name(self)
    }

    fn find<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Finding, Failure>> {
        Box::pin(async move {
            Ok(match self.observe(run).await? {
                Observation::Known(observed) => Finding::Differences {
                    changes: self.plan(&observed)?.iter().map(Describe::describe).collect(),
                    left_alone: self.left_alone(&observed),
                    verdict: self.verdict(&observed),
                },
                Observation::Unknown { until } => Finding::Unknown { until },
                Observation::Skipped { because } => Finding::Skipped { because },
            })
        })
    }

    fn change<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Vec<Described>, Failure>> {
        Box::pin(async move {
            let Observation::Known(observed) = self.observe(run).await? else { return Ok(Vec::new()) };
            let changes = self.plan(&observed)?;
            self.apply_all(&changes, run).await?;
            Ok(changes.iter().map(Describe::describe).collect())
        })
    }
}
