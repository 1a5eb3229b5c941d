//! Which kinds the server serves, and names of objects for people.

use super::error::KubernetesError;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::discovery::{ApiCapabilities, Discovery, Scope};
use kube::{Client, ResourceExt as _};

/// The server's kinds, from aggregated discovery: two requests whatever the number of groups.
pub struct Kinds(Discovery);

impl Kinds {
    /// Asks the server; one that is too old for aggregated discovery is asked group by group.
    pub async fn discover(client: &Client) -> Result<Self, KubernetesError> {
        let wrong = |error| KubernetesError::from_client("tell which kinds it serves", error);
        match Discovery::new(client.clone()).run_aggregated().await {
            Ok(discovery) => Ok(Self(discovery)),
            Err(_) => Discovery::new(client.clone()).run().await.map(Self).map_err(wrong),
        }
    }

    /// How objects of this object's kind are reached.
    pub fn of(&self, object: &DynamicObject) -> Option<(ApiResource, Scope)> {
        let types = object.types.as_ref()?;
        let kind = GroupVersionKind::try_from(types).ok()?;
        self.0.resolve_gvk(&kind).map(|(resource, ApiCapabilities { scope, .. })| (resource, scope))
    }

    /// Every `group/version` and `group/version/Kind`, as Helm's `--api-versions` takes them.
    pub fn api_versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = self
            .0
            .groups()
            .flat_map(kube::discovery::ApiGroup::resources_by_stability)
            .flat_map(|(resource, _)| {
                [resource.api_version.clone(), format!("{}/{}", resource.api_version, resource.kind)]
            })
            .collect();
        versions.sort();
        versions.dedup();
        versions
    }
}

/// A kind that is known without asking; its plural is the regular one.
pub fn resource(group_version: &str, kind: &str) -> ApiResource {
    let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// `Kind namespace/name`, as people read it.
pub fn object_name(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map_or("object", |types| types.kind.as_str());
    format!("{kind} {}", place(object))
}

/// `namespace/name`, or the name alone.
pub fn place(object: &DynamicObject) -> String {
    match object.namespace() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}
