//! What merging upstream into a fork means for one environment, and whether to upgrade in place or to rebuild.
//!
//! Promises: every figure is defined (and checked against the histories of real forks); nothing is written to either
//! repository; renames are never followed, environments are matched by name, alias and `fqdn`; what would be deployed is
//! read from the merged tree; a file that cannot be read is reported, not fatal. Decides nothing from counts or age.
//!
//! Leaves to others: Git itself ([`crate::client::git`]), what a checkout means ([`crate::phalanx`]).

mod comparison;
mod environment_files;
mod error;

pub use comparison::{Comparison, Side};
pub use environment_files::belongs_to;
pub use error::DriftError;
