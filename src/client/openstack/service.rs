//! The services that we ask, and where their APIs begin.

use http::{HeaderName, HeaderValue};
use openstack::session::ServiceType;
use osauth::ApiVersion;
use osauth::services::VersionedService;

/// A service of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Keystone.
    Identity,
    /// Magnum.
    ContainerInfra,
    /// Neutron.
    Network,
    /// Nova.
    Compute,
    /// Glance.
    Image,
    /// Cinder.
    BlockStorage,
}

/// Magnum's microversion: node groups came with 1.9, a 404 for an unknown template with 1.10. It is not negotiated: a
/// cloud without it is too old for what we promise, and says so in its 406.
pub(super) const MAGNUM: ApiVersion = ApiVersion(1, 10);

impl Service {
    /// All of them.
    pub(super) const ALL: [Self; 6] =
        [Self::Identity, Self::ContainerInfra, Self::Network, Self::Compute, Self::Image, Self::BlockStorage];

    /// The catalogue's types for it, the usual one first.
    pub fn catalog_types(self) -> &'static [&'static str] {
        match self {
            Self::Identity => &["identity"],
            Self::ContainerInfra => &["container-infra", "container-infrastructure-management", "container"],
            Self::Network => &["network"],
            Self::Compute => &["compute"],
            Self::Image => &["image"],
            Self::BlockStorage => &["block-storage", "volumev3", "block-store"],
        }
    }

    /// What is appended to a catalogue URL that carries no version. Discovery would cost a request a service, and
    /// Magnum's answer to it is not what clients expect.
    fn version(self) -> &'static str {
        match self {
            Self::Identity | Self::BlockStorage => "v3",
            Self::ContainerInfra => "v1",
            Self::Network => "v2.0",
            Self::Compute => "v2.1",
            Self::Image => "v2",
        }
    }

    /// The URL under which its API begins.
    pub(super) fn base(self, catalogued: &str) -> String {
        let url = catalogued.trim_end_matches('/');
        let versioned = url.split('/').skip(3).any(|part| {
            part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        });
        if versioned { url.to_owned() } else { format!("{url}/{}", self.version()) }
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.catalog_types()[0])
    }
}

impl ServiceType for Service {
    fn catalog_type(&self) -> &'static str {
        self.catalog_types()[0]
    }

    fn version_discovery_supported(&self) -> bool {
        false
    }
}

impl VersionedService for Service {
    fn get_version_header(&self, version: ApiVersion) -> (HeaderName, HeaderValue) {
        let value = format!("{} {version}", self.catalog_types()[0]);
        let value = HeaderValue::from_str(&value).unwrap_or_else(|_| HeaderValue::from_static("latest"));
        (HeaderName::from_static("openstack-api-version"), value)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Status and body of a recorded exchange.
    pub(in super::super) fn sample(name: &str) -> (u16, String) {
        let path = format!("{}/tests/openstack/samples/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let answer = text.split_once("\n=> ").unwrap().1;
        let status = answer[..3].parse().unwrap();
        (status, answer.split_once("\n\n").map_or("", |(_, body)| body).to_owned())
    }

    #[test]
    fn a_version_is_added_only_where_the_catalogue_has_none() {
        assert_eq!(Service::Network.base("http://10.0.0.1:9696"), "http://10.0.0.1:9696/v2.0");
        assert_eq!(Service::Network.base("https://cloud/network/v2.0/"), "https://cloud/network/v2.0");
        assert_eq!(Service::Compute.base("https://cloud/v2.1/abc"), "https://cloud/v2.1/abc");
        assert_eq!(Service::Image.base("https://v2cloud.org/image"), "https://v2cloud.org/image/v2");
    }
}
