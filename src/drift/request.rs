//! What a report is about: the environment's names, the fork, what it follows, and what is known of the cluster.

use super::comparison::Side;
use super::facts::Facts;

/// What to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The environment's name in phalanx.
    pub environment: String,
    /// Other names it goes by.
    pub aliases: Vec<String>,
    /// Names it had in phalanx before.
    pub former_names: Vec<String>,
    /// The fork.
    pub fork: Side,
    /// What it follows.
    pub upstream: Side,
    /// What is known of the cluster, if anything.
    pub facts: Option<Facts>,
}
