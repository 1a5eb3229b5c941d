//! Upgrade in place or rebuild: the rules in their order, with reasons and evidence.
//!
//! Promises: never decides from counts, age or the number of conflicts; no signal of Git separates upgrades from
//! rebuilds, facts of the cluster do. What is not known is said to be not known, and does not ask for a rebuild.

mod rules;

pub use rules::decide;

use super::facts::Facts;
use super::model::{Signal, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to do with the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Something must be settled in Git first.
    NotMergeable,
    /// Build a new cluster beside the old one.
    Rebuild,
    /// In place, with a procedure.
    UpgradeWithSteps,
    /// In place.
    Upgrade,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotMergeable => "not mergeable yet",
            Self::Rebuild => "rebuild",
            Self::UpgradeWithSteps => "upgrade in place, with steps",
            Self::Upgrade => "upgrade in place",
        })
    }
}

/// The advice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "rsp-install mode")]
pub struct Advice {
    /// The environment.
    pub environment: String,
    /// What to do.
    pub mode: Mode,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
    /// What is known of the cluster.
    pub facts: Facts,
    /// What is not known and would matter.
    pub unknown: Vec<String>,
    /// What was found.
    pub signals: Vec<Signal>,
    /// What to do, in order; for a rebuild what it needs first.
    pub steps: Vec<Step>,
}
