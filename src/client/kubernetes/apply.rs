//! Server-side apply, after reading and comparing: nothing is sent that would change nothing.

use super::FIELD_MANAGER;
use super::cluster::Cluster;
use super::compare::covers;
use super::conflict::conflict_in;
use super::error::KubernetesError;
use super::kinds::object_name;
use super::ownership::left_over;
use crate::engine::{Action, Intent, System};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::discovery::Scope;
use serde_json::Value;

/// What applying an object would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// It is not there.
    Missing,
    /// It is there and differs.
    Differs,
}

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
    /// Whether an object must be applied: nothing when it is as wanted. A kind or namespace that is not there yet
    /// counts as missing.
    pub async fn difference(&self, wanted: &DynamicObject) -> Result<Option<Difference>, KubernetesError> {
        let Some((api, wanted)) = &self.place(wanted).await? else { return Ok(Some(Difference::Missing)) };
        let read = format!("read {}", object_name(wanted));
        let live = api.get_opt(&wanted.name_any()).await.map_err(|error| KubernetesError::from_client(read, error))?;
        match live {
            None => Ok(Some(Difference::Missing)),
            Some(live) => self.difference_to(wanted, &live).await,
        }
    }

    /// The same for an object that was read already. Asks the server only when the two look different.
    pub async fn difference_to(
        &self,
        wanted: &DynamicObject,
        live: &DynamicObject,
    ) -> Result<Option<Difference>, KubernetesError> {
        let (wanted_value, live_value) = (value_of(wanted), value_of(live));
        if covers(&live_value, &without_namespace(&wanted_value, live))
            && left_over(&live_value, &wanted_value, FIELD_MANAGER).is_empty()
        {
            return Ok(None);
        }
        let Some((api, wanted)) = &self.place(wanted).await? else { return Ok(Some(Difference::Missing)) };
        // Quantities, defaults and webhooks make equal things look different: the server knows.
        let result =
            api.patch(&live.name_any(), &PatchParams::apply(FIELD_MANAGER).dry_run(), &Patch::Apply(wanted)).await;
        let result = result.map_err(|error| apply_error(wanted, error))?;
        let same = without_bookkeeping(value_of(&result)) == without_bookkeeping(live_value);
        Ok(if same { None } else { Some(Difference::Differs) })
    }

    /// Applies an object server-side, without force.
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
                let applied =
                    api.patch(&wanted.name_any(), &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(wanted)).await;
                applied.map_err(|error| apply_error(wanted, error))
            })
            .await
    }

    /// Applies a few fields of an object that somebody else made, taking them over: the one place where we force.
    pub async fn apply_over(&self, wanted: &DynamicObject) -> Result<DynamicObject, KubernetesError> {
        let (api, wanted) = &self.place_known(wanted).await?;
        let intent = Intent::new(System::Kubernetes, Action::Update, object_name(wanted));
        self.outlet()
            .write(intent, async {
                let parameters = PatchParams::apply(FIELD_MANAGER).force();
                let applied = api.patch(&wanted.name_any(), &parameters, &Patch::Apply(wanted)).await;
                applied.map_err(|error| apply_error(wanted, error))
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
        Ok(self.place(object).await?.map_or_else(|| object.clone(), |(_, placed)| placed))
    }

    /// The API of an object's kind, and the object with a namespace exactly if its kind has one; nothing when the server
    /// does not know the kind. Charts leave the namespace out where Helm would fill it in.
    async fn place(
        &self,
        object: &DynamicObject,
    ) -> Result<Option<(Api<DynamicObject>, DynamicObject)>, KubernetesError> {
        let Some((resource, scope)) = self.kinds().await?.of(object) else { return Ok(None) };
        let mut placed = object.clone();
        placed.metadata.namespace = match scope {
            Scope::Namespaced => Some(object.namespace().unwrap_or_else(|| "default".to_owned())),
            Scope::Cluster => None,
        };
        Ok(Some((self.api(&resource, placed.metadata.namespace.as_deref()), placed)))
    }

    /// The same, for a write: an unknown kind is an error.
    async fn place_known(
        &self,
        object: &DynamicObject,
    ) -> Result<(Api<DynamicObject>, DynamicObject), KubernetesError> {
        let types = object.types.clone().unwrap_or_default();
        let unknown = KubernetesError::UnknownKind { kind: types.kind, group_version: types.api_version };
        self.place(object).await?.ok_or(unknown)
    }
}

/// A chart may put a namespace on a kind that has none.
fn without_namespace(wanted: &Value, live: &DynamicObject) -> Value {
    let mut wanted = wanted.clone();
    if let (None, Some(metadata)) =
        (&live.metadata.namespace, wanted.pointer_mut("/metadata").and_then(Value::as_object_mut))
    {
        metadata.remove("namespace");
    }
    wanted
}

/// A refusal, as a conflict if it is one.
fn apply_error(wanted: &DynamicObject, error: kube::Error) -> KubernetesError {
    let object = object_name(wanted);
    if let kube::Error::Api(status) = &error
        && let Some(conflict) = conflict_in(status, &object)
    {
        return conflict;
    }
    KubernetesError::from_client(object, error)
}

fn value_of(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// Without what the server counts and stamps on every answer.
fn without_bookkeeping(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(key);
        }
    }
    object
}
