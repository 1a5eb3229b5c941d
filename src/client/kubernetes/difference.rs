//! What applying an object would change, found by reading and comparing. Definitions are megabytes: nothing is copied
//! that can be looked at where it lies.

use super::FIELD_MANAGER;
use super::cluster::Cluster;
use super::compare::covers;
use super::conflict::apply_error;
use super::error::KubernetesError;
use super::kinds::object_name;
use super::ownership::left_over;
use kube::ResourceExt as _;
use kube::api::{DynamicObject, GetParams, Patch, PatchParams};
use kube::core::Request;
use serde_json::Value;

/// What applying an object would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// It is not there.
    Missing,
    /// It is there and differs.
    Differs,
}

impl Cluster {
    /// Whether an object must be applied: nothing when it is as wanted. A kind or namespace that is not there yet
    /// counts as missing.
    pub async fn difference(&self, wanted: &DynamicObject) -> Result<Option<Difference>, KubernetesError> {
        let Some((api, wanted)) = &self.place(wanted).await? else { return Ok(Some(Difference::Missing)) };
        let request = Request::new(api.resource_url()).get(&wanted.name_any(), &GetParams::default());
        match self.answer(request).await {
            Ok(live) => self.difference_between(wanted, live).await,
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Some(Difference::Missing)),
            Err(error) => Err(KubernetesError::from_client(format!("read {}", object_name(wanted)), error)),
        }
    }

    /// The same for an object that was read already. Asks the server only when the two look different.
    pub async fn difference_to(
        &self,
        wanted: &DynamicObject,
        live: &DynamicObject,
    ) -> Result<Option<Difference>, KubernetesError> {
        self.difference_between(wanted, serde_json::to_value(live).unwrap_or_default()).await
    }

    async fn difference_between(
        &self,
        wanted: &DynamicObject,
        live: Value,
    ) -> Result<Option<Difference>, KubernetesError> {
        let mut metadata = serde_json::to_value(&wanted.metadata).unwrap_or_default();
        if let (Value::Null, Some(metadata)) = (&live["metadata"]["namespace"], metadata.as_object_mut()) {
            metadata.remove("namespace"); // a chart may put one on a kind that has none
        }
        if covers(&live["metadata"], &metadata)
            && (wanted.data.is_null() || covers(&live, &wanted.data))
            && left_over(&live, (&metadata, &wanted.data), FIELD_MANAGER).is_empty()
        {
            return Ok(None);
        }
        let Some((api, wanted)) = &self.place(wanted).await? else { return Ok(Some(Difference::Missing)) };
        // Quantities, defaults and webhooks make equal things look different: the server knows.
        let parameters = PatchParams::apply(FIELD_MANAGER).dry_run();
        let request = Request::new(api.resource_url()).patch(&wanted.name_any(), &parameters, &Patch::Apply(wanted));
        let result = self.answer(request).await.map_err(|error| apply_error(wanted, error))?;
        let same = without_bookkeeping(result) == without_bookkeeping(live);
        Ok(if same { None } else { Some(Difference::Differs) })
    }

    /// The answer as it came: as a typed object it would be in memory twice while it is read.
    async fn answer(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Value, kube::Error> {
        self.client().request(request.map_err(kube::Error::BuildRequest)?).await
    }
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
