//! client

pub mod git;
