//! The API server: connect, read, compare, apply server-side, wait.
//!
//! Promises: every write goes through the outlet, carries our field manager and is never forced; waits are watches that
//! say why; requests are counted. Knows no object of ours.

mod apply;
mod cluster;
mod compare;
mod conflict;
mod connect;
mod difference;
mod error;
mod kinds;
mod lease;
mod ownership;
mod wait;

pub use apply::Patchable;
pub use cluster::Cluster;
pub use compare::covers;
pub use connect::{Access, Identity};
pub use difference::Difference;
pub use error::KubernetesError;
pub use kinds::{Kinds, object_name, place, resource};
pub use lease::{HeldLease, Holder, LeaseError};
pub use wait::Verdict;

/// The name under which the API server records which fields are ours.
pub const FIELD_MANAGER: &str = "rsp-install";
