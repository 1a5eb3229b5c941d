//! A connected cluster and the plain reads on it.

use super::error::KubernetesError;
use super::kinds::{Kinds, resource};
use crate::engine::Outlet;
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::api::{ApiResource, DynamicObject, ListParams, TypeMeta};
use kube::{Api, Client};
use std::sync::Arc;
use tokio::sync::Mutex;

/// A cluster that we talk to; cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    outlet: Outlet,
    kinds: Arc<Mutex<Option<Arc<Kinds>>>>,
}

impl Cluster {
    pub(super) fn new(client: Client, outlet: Outlet) -> Self {
        Self { client, outlet, kinds: Arc::default() }
    }

    /// The client itself, for typed reads and watches.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The stream of events.
    pub fn events(&self) -> &crate::engine::Events {
        self.outlet.events()
    }

    pub(super) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// The server's version; also proves that it answers and accepts us.
    pub async fn version(&self) -> Result<Info, KubernetesError> {
        let version = self.client.apiserver_version().await;
        version.map_err(|error| KubernetesError::from_client("tell its version", error))
    }

    /// The kinds that the server serves; asked once, and again after [`Self::forget_kinds`].
    pub async fn kinds(&self) -> Result<Arc<Kinds>, KubernetesError> {
        let mut kept = self.kinds.lock().await;
        if let Some(kinds) = &*kept {
            return Ok(Arc::clone(kinds));
        }
        let kinds = Arc::new(Kinds::discover(&self.client).await?);
        *kept = Some(Arc::clone(&kinds));
        Ok(kinds)
    }

    /// New kinds were defined: discover again when next asked.
    pub async fn forget_kinds(&self) {
        *self.kinds.lock().await = None;
    }

    /// An API of a kind, in a namespace or over all of them.
    pub fn api(&self, kind: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client(), namespace, kind),
            None => Api::all_with(self.client(), kind),
        }
    }

    /// One object, or nothing; a kind that the server does not know has no objects.
    pub async fn get(
        &self,
        group_version: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<DynamicObject>, KubernetesError> {
        let found = self.api(&resource(group_version, kind), namespace).get_opt(name).await;
        found.map_err(|error| KubernetesError::from_client(format!("read {kind} {name}"), error))
    }

    /// All objects of a kind, in a namespace or everywhere; a kind that the server does not know has none.
    pub async fn list(
        &self,
        group_version: &str,
        kind: &str,
        namespace: Option<&str>,
    ) -> Result<Vec<DynamicObject>, KubernetesError> {
        let api = self.api(&resource(group_version, kind), namespace);
        // The server names the kind once for the whole list; an object that is compared must know its own.
        let kind_of_all = TypeMeta { api_version: group_version.to_owned(), kind: kind.to_owned() };
        let named = |object| DynamicObject { types: Some(kind_of_all.clone()), ..object };
        match api.list(&ListParams::default()).await {
            Ok(list) => Ok(list.items.into_iter().map(named).collect()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
            Err(error) => Err(KubernetesError::from_client(format!("list objects of kind {kind}"), error)),
        }
    }
}
