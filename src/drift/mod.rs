//! What merging upstream into a fork means for one environment, and whether to upgrade in place or to rebuild.
//!
//! Promises: every figure is defined (and checked against the histories of real forks); nothing is written to either
//! repository; renames are never followed, environments are matched by name, alias and `fqdn`; what would be deployed is
//! read from the merged tree; a file that cannot be read is reported, not fatal. Decides nothing from counts or age.
//!
//! Leaves to others: Git itself ([`crate::client::git`]), what a checkout means ([`crate::phalanx`]).

mod applications;
mod comparison;
mod deployed;
mod edits;
mod environment;
mod environment_files;
mod error;
mod facts;
mod known;
pub mod mode;
mod model;
mod objects;
mod overrides;
mod patches;
mod relevance;
pub mod render;
mod report;
mod request;
mod reverts;
mod secrets;
mod signals;
mod since;
mod snapshot;
mod steps;
mod values;
mod version;
mod view;

pub use comparison::{Comparison, Side};
pub use environment_files::belongs_to;
pub use error::DriftError;
pub use facts::{Facts, read as read_facts};
pub use model::*;
pub use report::{report, report_on};
pub use request::Request;
pub use since::{read as read_report, since};

/// The JSON schema of a report (draft 2020-12).
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Report)
}

/// The JSON schema of an advice.
pub fn mode_schema() -> schemars::Schema {
    schemars::schema_for!(mode::Advice)
}

/// The JSON schema of a facts file.
pub fn facts_schema() -> schemars::Schema {
    schemars::schema_for!(Facts)
}
