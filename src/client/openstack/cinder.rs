//! Cinder: limits of volumes.

use super::call::Call;
use super::error::OpenstackError;
use super::service::Service;
use super::session::{Openstack, typed};
use serde::Deserialize;
use serde_json::Value;

/// Limits and use of the project; a negative limit means none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeLimits {
    /// Volumes.
    pub max_total_volumes: i64,
    /// In use.
    pub total_volumes_used: i64,
    /// GiB.
    #[serde(rename = "maxTotalVolumeGigabytes")]
    pub max_total_gigabytes: i64,
    /// In use.
    pub total_gigabytes_used: i64,
}

impl Openstack {
    /// Limits and use; none where the cloud has no volumes.
    pub async fn volume_limits(&self) -> Result<Option<VolumeLimits>, OpenstackError> {
        if !self.offers(Service::BlockStorage).await? {
            return Ok(None);
        }
        let call = Call::get(Service::BlockStorage, &["limits"]);
        let limits: Value = self.fetch(&call, "limits").await?;
        typed(&call, &limits, "absolute").map(Some)
    }
}
