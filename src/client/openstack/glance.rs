//! Glance: the image that a template names.

use super::call::Call;
use super::error::OpenstackError;
use super::service::Service;
use super::session::{Openstack, typed};
use serde::Deserialize;

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Image {
    /// Its identity.
    pub id: String,
    /// Its name, not unique.
    pub name: Option<String>,
    /// `active` when it can be used.
    pub status: String,
    /// Magnum chooses its driver by it.
    pub os_distro: Option<String>,
}

impl Openstack {
    /// The images with this id or name.
    pub async fn images(&self, id_or_name: &str) -> Result<Vec<Image>, OpenstackError> {
        let call = Call::get(Service::Image, &["images", id_or_name]).accept(404).accept(400);
        let reply = self.read(&call).await?;
        if reply.status == 200 {
            return typed(&call, &reply.body, "").map(|image| vec![image]);
        }
        self.fetch(&Call::get(Service::Image, &["images"]).query("name", id_or_name), "images").await
    }
}
