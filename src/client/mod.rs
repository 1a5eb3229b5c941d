//! Thin adapters to the systems we drive, with their retries, deadlines and counters.
//!
//! An adapter knows its system's words and faults, and nothing of what we want from it.

pub mod git;
pub mod helm;
pub mod kubernetes;
pub mod openstack;
mod tls;
pub mod vault;
