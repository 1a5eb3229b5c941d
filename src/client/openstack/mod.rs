//! OpenStack: one authenticated session, one call function, typed answers.
//!
//! Promises: every request goes through [`Openstack::read`] or [`Openstack::write`], is counted, has a time limit and is
//! repeated only after a fault that is known to pass; the token is renewed before it expires and once after a 401; what
//! the service said reaches the reader in the service's own words. Requests ride on the `openstack` crate's session, but never on its
//! own checks: those lose the status. Leaves to others: what should be there ([`crate::install`]).

mod call;
mod cinder;
mod clouds;
mod credential;
mod entry;
mod error;
mod fault;
mod glance;
mod identity;
mod magnum;
mod neutron;
mod nova;
mod service;
mod session;
mod transport;

pub use call::{Call, Reply};
pub use cinder::VolumeLimits;
pub use clouds::Cloud;
pub use error::OpenstackError;
pub use glance::Image;
pub use identity::{ApplicationCredential, Scope};
pub use magnum::{Cluster, ClusterTemplate, NewCluster, NodeGroup, Status};
pub use neutron::{FloatingIp, Network, NeutronQuota, Port, QuotaDetail, SecurityGroup, SecurityGroupRule};
pub use nova::{Flavor, Limits};
pub use service::Service;
pub use session::Openstack;
