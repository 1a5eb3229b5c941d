//! Observe, compare, change, prove: the generic part.
//!
//! Promises: what `plan` prints is what `apply` executes; every external write goes through [`Outlet::write`]; what
//! happens is told in one typed stream of [`Event`]s. Knows nothing of OpenStack, Vault or Argo CD.

mod converge;
mod counters;
mod deadline;
mod event;
mod outlet;
mod step;

pub use converge::{Guard, Outcome, PlannedChange, StepReport, Survey, UnknownStep, converge, survey};
pub use counters::{Counters, Requests, SystemRequests};
pub use deadline::Deadline;
pub use event::{Event, Events, Sink, StepStatus};
pub use outlet::{Action, Checkpoint, Intent, Moment, Outlet, System};
pub use step::{AnyStep, Describe, Described, Finding, Observation, Run, Step};
