//! Builds a Rubin Science Platform environment from one declarative file, and keeps its upgrades inside the agreed rules.
//!
//! The rooms, from the door inward; a room uses those below it, never those above:
//!
//! | room | what is in it |
//! |---|---|
//! | [`cli`] | one file per command: arguments in, one call, rendering out |
//! | [`report`] | events and results as bars, lines, JSON |
//! | [`install`] | the main job: the ordered steps, one file each |
//! | [`drift`] | fork against upstream: figures, relevance, signals, upgrade or rebuild |
//! | [`secrets`] | what phalanx wants in Vault: definitions, conditions, generators, resolution, audit |
//! | [`engine`] | observe, compare, change, prove; the one write path; the lease; events |
//! | [`environment`] | the environment file |
//! | [`phalanx`] | a checkout read as data |
//! | [`client`] | thin adapters: Kubernetes, Vault, OpenStack, Helm, Git |
//! | [`sandbox`] | the local control plane |
//!
//! [`error`], [`process`] and [`secret_value`] are the floor that every room stands on.

pub mod cli;
pub mod client;
pub mod drift;
pub mod engine;
pub mod environment;
pub mod error;
pub mod install;
pub mod phalanx;
pub mod process;
pub mod report;
pub mod sandbox;
pub mod secret_value;
pub mod secrets;
mod templates;
