//! Magnum clusters on real Keystone, Magnum, Neutron, Nova and Glance: from nothing to their end, and through faults.
//!
//! The servers are started once, by `servers`; the tests take turns.

mod cloud;
mod clusters;
mod faults;
mod life;
