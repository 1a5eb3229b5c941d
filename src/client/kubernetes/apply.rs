//! The writes: server-side apply, patches, deletes. Whoever applies has compared first ([`super::Difference`]): nothing is
//! sent that would change nothing.

use super::FIELD_MANAGER;
use super::cluster::Cluster;
use super::conflict::apply_error;
use super::difference::Difference;
use super::error::KubernetesError;
use super::kinds::object_name;
use crate::engine::{Action, Intent, System};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::discovery::Scope;
use serde_json::Value;
use std::borrow::Cow;

/// An object of which only some fields are ours: patched where it lies, found by kind, namespace and name.
#[derive(Debug, Clone)]
pub struct Patchable {
    /// For example `argoproj.io/v1alpha1`.
    pub group_version: &'static str,
    /// For example `Application`.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Cluster {
    /// Applies an object server-side, without force. Its kind and metadata come back, not its content.
    pub async fn apply(
        &self,
        wanted: &DynamicObject,
        difference: Difference,
    ) -> Result<DynamicObject, KubernetesError> {
        let (api, wanted) = &self.place_known(wanted).await?;
        let action = match difference {
            Difference::Missing => Action::Create,
            Difference::Differs => Action::Update,
        };
        let intent = Intent::new(System::Kubernetes, action, object_name(wanted));
        self.outlet()
            .write(intent, async {
                let parameters = PatchParams::apply(FIELD_MANAGER);
                let applied = api.patch_metadata(&wanted.name_any(), &parameters, &Patch::Apply(wanted)).await;
                let metadata = applied.map_err(|error| apply_error(wanted, error))?.metadata;
                Ok(DynamicObject { types: wanted.types.clone(), metadata, data: Value::Null })
            })
            .await
    }

    /// Applies a few fields of an object that somebody else made, taking them over: the one place where we force.
    pub async fn apply_over(&self, wanted: &DynamicObject) -> Result<(), KubernetesError> {
        let (api, wanted) = &self.place_known(wanted).await?;
        let intent = Intent::new(System::Kubernetes, Action::Update, object_name(wanted));
        self.outlet()
            .write(intent, async {
                let parameters = PatchParams::apply(FIELD_MANAGER).force();
                let applied = api.patch_metadata(&wanted.name_any(), &parameters, &Patch::Apply(wanted)).await;
                applied.map(drop).map_err(|error| apply_error(wanted, error))
            })
            .await
    }

    /// Merges a patch into an object. With a `resourceVersion` in it, a change by somebody else makes it fail.
    pub async fn merge(&self, target: &Patchable, patch: &Value) -> Result<DynamicObject, KubernetesError> {
        let Patchable { group_version, kind, namespace, name } = target;
        let api = self.api(&super::resource(group_version, kind), Some(namespace));
        let object = format!("{kind} {namespace}/{name}");
        let intent = Intent::new(System::Kubernetes, Action::Update, object.clone());
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        self.outlet()
            .write(intent, async {
                let merged = api.patch(name, &parameters, &Patch::Merge(patch)).await;
                merged.map_err(|error| KubernetesError::from_client(format!("change {object}"), error))
            })
            .await
    }

    /// Deletes an object that we saw; one that was replaced in the meantime stays.
    pub async fn delete(&self, seen: &DynamicObject) -> Result<(), KubernetesError> {
        let Some((api, seen)) = &self.place(seen).await? else { return Ok(()) };
        let intent = Intent::new(System::Kubernetes, Action::Delete, object_name(seen));
        let preconditions = Preconditions { uid: seen.uid(), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        self.outlet()
            .write(intent, async {
                match api.delete(&seen.name_any(), &parameters).await {
                    Ok(_) => Ok(()),
                    Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                    Err(error) => Err(KubernetesError::from_client(format!("delete {}", object_name(seen)), error)),
                }
            })
            .await
    }

    /// The object with a namespace exactly if its kind has one, as far as the server knows the kind.
    pub async fn placed(&self, object: &DynamicObject) -> Result<DynamicObject, KubernetesError> {
        Ok(self.place(object).await?.map_or_else(|| object.clone(), |(_, placed)| placed.into_owned()))
    }

    /// The API of an object's kind, and the object with a namespace exactly if its kind has one; nothing when the server
    /// does not know the kind. Charts leave the namespace out where Helm would fill it in.
    pub(super) async fn place<'a>(
        &self,
        object: &'a DynamicObject,
    ) -> Result<Option<(Api<DynamicObject>, Cow<'a, DynamicObject>)>, KubernetesError> {
        let Some((resource, scope)) = self.kinds().await?.of(object) else { return Ok(None) };
        let namespace = match scope {
            Scope::Namespaced => Some(object.namespace().unwrap_or_else(|| "default".to_owned())),
            Scope::Cluster => None,
        };
        let api = self.api(&resource, namespace.as_deref());
        let placed = if object.metadata.namespace == namespace {
            Cow::Borrowed(object)
        } else {
            let mut placed = object.clone();
            placed.metadata.namespace = namespace;
            Cow::Owned(placed)
        };
        Ok(Some((api, placed)))
    }

    /// The same, for a write: an unknown kind is an error.
    async fn place_known<'a>(
        &self,
        object: &'a DynamicObject,
    ) -> Result<(Api<DynamicObject>, Cow<'a, DynamicObject>), KubernetesError> {
        let types = object.types.clone().unwrap_or_default();
        let unknown = KubernetesError::UnknownKind { kind: types.kind, group_version: types.api_version };
        self.place(object).await?.ok_or(unknown)
    }
}
