//! Where the environment's cluster comes from.

pub mod magnum;
