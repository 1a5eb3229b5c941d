//! Nova: flavors, key pairs, limits.

use super::call::Call;
use super::error::OpenstackError;
use super::service::Service;
use super::session::{Openstack, typed};
use serde::Deserialize;
use serde_json::Value;

/// A flavor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Flavor {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Cores.
    pub vcpus: i64,
    /// MiB.
    pub ram: i64,
}

/// Limits and use of the project; a negative limit means none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Cores.
    pub max_total_cores: i64,
    /// In use.
    pub total_cores_used: i64,
    /// MiB.
    #[serde(rename = "maxTotalRAMSize")]
    pub max_total_ram: i64,
    /// In use.
    #[serde(rename = "totalRAMUsed")]
    pub total_ram_used: i64,
    /// Servers.
    pub max_total_instances: i64,
    /// In use.
    pub total_instances_used: i64,
}

impl Openstack {
    /// All flavors that the project sees.
    pub async fn flavors(&self) -> Result<Vec<Flavor>, OpenstackError> {
        self.fetch(&Call::get(Service::Compute, &["flavors", "detail"]), "flavors").await
    }

    /// Whether there is a key pair of that name. Key pairs belong to the user, not to the project.
    pub async fn has_keypair(&self, name: &str) -> Result<bool, OpenstackError> {
        let reply = self.read(&Call::get(Service::Compute, &["os-keypairs", name]).accept(404)).await?;
        Ok(reply.status == 200)
    }

    /// Limits and use.
    pub async fn limits(&self) -> Result<Limits, OpenstackError> {
        let call = Call::get(Service::Compute, &["limits"]);
        let limits: Value = self.fetch(&call, "limits").await?;
        typed(&call, &limits, "absolute")
    }
}
