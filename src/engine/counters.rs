//! Counts what we ask of others: the figures that promise "zero writes" and "few requests" are the program's own.

use super::outlet::System;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests to one system. Logins, token renewals, `SelfSubject*Review`s and dry runs change nothing that is stored:
/// they count as reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SystemRequests {
    /// Requests that leave the stored state alone.
    pub reads: u64,
    /// Requests that change it.
    pub writes: u64,
}

/// Requests of a whole run, system by system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Requests {
    /// The API server.
    pub kubernetes: SystemRequests,
    /// Vault.
    pub vault: SystemRequests,
    /// Keystone, Magnum, Neutron, Nova, Glance and Cinder together.
    pub openstack: SystemRequests,
}

/// The running counts; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<[[AtomicU64; 2]; 3]>);

impl Counters {
    /// Counts a request that changes nothing.
    pub fn read(&self, system: System) {
        self.0[system as usize][0].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that changes something.
    pub fn write(&self, system: System) {
        self.0[system as usize][1].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn requests(&self) -> Requests {
        let of = |system: System| {
            let [reads, writes] = &self.0[system as usize];
            SystemRequests { reads: reads.load(Ordering::Relaxed), writes: writes.load(Ordering::Relaxed) }
        };
        Requests { kubernetes: of(System::Kubernetes), vault: of(System::Vault), openstack: of(System::Openstack) }
    }
}
