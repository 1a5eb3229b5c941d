//! Observe, compare, change, prove: the generic part.
//!
//! Promises: what `plan` prints is what `apply` executes; every external write goes through [`Outlet::write`]; what
//! happens is told in one typed stream of [`Event`]s. Knows nothing of OpenStack, Vault or Argo CD.

mod counters;
mod deadline;
mod event;
mod outlet;

pub use counters::{Counters, Requests, SystemRequests};
pub use deadline::Deadline;
pub use event::{Event, Events, Sink, StepStatus};
pub use outlet::{Action, Checkpoint, Intent, Moment, Outlet, System};
