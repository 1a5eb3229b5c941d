//! What the cluster says, read once for all steps: one list per kind, however many steps look at it.
//!
//! A snapshot is good until we write or wait; then the next look reads again.

use super::record::InstallationRecord;
use crate::client::helm::Target;
use crate::client::kubernetes::{Cluster, KubernetesError};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Argo CD's API.
pub(super) const ARGOCD_API: &str = "argoproj.io/v1alpha1";
/// Its namespace, and the only one in which Applications can be.
pub(super) const ARGOCD: &str = "argocd";

/// Objects by name.
pub(super) type ByName = BTreeMap<String, DynamicObject>;

/// One look at the cluster.
pub struct Snapshot {
    cluster: Cluster,
    applications: OnceCell<ByName>,
    projects: OnceCell<ByName>,
    pods: OnceCell<Vec<DynamicObject>>,
    claims: OnceCell<Vec<DynamicObject>>,
    record: OnceCell<Option<InstallationRecord>>,
    target: Arc<OnceCell<Target>>,
}

impl Snapshot {
    pub(super) fn new(cluster: Cluster, target: Arc<OnceCell<Target>>) -> Self {
        let (applications, projects, record) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let (pods, claims) = (OnceCell::new(), OnceCell::new());
        Self { cluster, applications, projects, pods, claims, record, target }
    }

    /// The connected cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Argo CD's Applications.
    pub async fn applications(&self) -> Result<&ByName, KubernetesError> {
        self.applications.get_or_try_init(|| self.list("Application")).await
    }

    /// Argo CD's projects.
    pub async fn projects(&self) -> Result<&ByName, KubernetesError> {
        self.projects.get_or_try_init(|| self.list("AppProject")).await
    }

    /// The pods of all namespaces.
    pub async fn pods(&self) -> Result<&Vec<DynamicObject>, KubernetesError> {
        self.pods.get_or_try_init(|| self.cluster.list("v1", "Pod", None)).await
    }

    /// The claims of all namespaces.
    pub async fn claims(&self) -> Result<&Vec<DynamicObject>, KubernetesError> {
        self.claims.get_or_try_init(|| self.cluster.list("v1", "PersistentVolumeClaim", None)).await
    }

    async fn list(&self, kind: &str) -> Result<ByName, KubernetesError> {
        let objects = self.cluster.list(ARGOCD_API, kind, Some(ARGOCD)).await?;
        Ok(objects.into_iter().map(|object| (object.name_any(), object)).collect())
    }

    /// The record of the installation; nothing before the first one was handed over.
    pub async fn record(&self) -> Result<Option<&InstallationRecord>, KubernetesError> {
        let record = self.record.get_or_try_init(|| InstallationRecord::read(&self.cluster)).await?;
        Ok(record.as_ref())
    }

    /// For which cluster charts are rendered. The kinds that others define while we install are left out on purpose: with
    /// them the first render would differ from the second.
    pub async fn target(&self) -> Result<&Target, KubernetesError> {
        let ask = async || {
            let kubernetes = self.cluster.version().await?.git_version;
            Ok(Target { kubernetes, api_versions: Vec::new() })
        };
        self.target.get_or_try_init(ask).await
    }
}
