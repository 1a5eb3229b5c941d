//! Magnum clusters on real Keystone, Magnum, Neutron, Nova and Glance: from nothing to their end, and through faults.
//!
//! The servers are started once, by `servers`; the tests take turns.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail like tests")]

mod cloud;
mod clusters;
mod credentials;
mod faults;
mod hands;
mod installation;
mod leftovers;
mod life;
mod logins;
#[path = "../program/mod.rs"]
mod program;
#[path = "../sandbox_common/mod.rs"]
mod sandbox_common;
mod tls;
