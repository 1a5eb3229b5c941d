//! Our mark on a cluster: the namespace `rsp-install`, whose annotations say which environment this is.
//!
//! A kubeconfig's context is only a name; the mark is what tells two clusters apart before anything is written.

use crate::client::kubernetes::{Cluster, KubernetesError};
use crate::error::Failure;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::json;

/// The namespace that holds mark, lease and record.
pub(super) const NAMESPACE: &str = "rsp-install";

const ENVIRONMENT: &str = "rsp-install.lsst.io/environment";
const FQDN: &str = "rsp-install.lsst.io/fqdn";
const GENERATION: &str = "rsp-install.lsst.io/generation";
const STANDING: &str = "rsp-install.lsst.io/standing";

/// What a cluster is to its environment. There is one active cluster; only a rebuild makes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its users are here.
    Active,
    /// Made by a rebuild, beside the active one.
    Successor,
    /// Another one has taken its place.
    Replaced,
}

impl Standing {
    fn text(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Successor => "successor",
            Self::Replaced => "replaced",
        }
    }

    /// A mark that does not say it is an active cluster's.
    fn of(text: &str) -> Self {
        let other = [Self::Successor, Self::Replaced].into_iter().find(|standing| standing.text() == text);
        other.unwrap_or(Self::Active)
    }
}

/// What the mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The environment's name.
    pub environment: String,
    /// Its host.
    pub fqdn: String,
    /// Counts the clusters that the environment has had, from 1.
    pub generation: u32,
    /// What this cluster is to it.
    pub standing: Standing,
}

impl Marker {
    /// Reads the mark; nothing on a cluster that we never touched.
    pub async fn read(cluster: &Cluster) -> Result<Option<Self>, KubernetesError> {
        let Some(namespace) = cluster.get("v1", "Namespace", None, NAMESPACE).await? else { return Ok(None) };
        let annotation = |name: &str| namespace.annotations().get(name).cloned().unwrap_or_default();
        let generation = annotation(GENERATION).parse().unwrap_or(1);
        let standing = Standing::of(&annotation(STANDING));
        Ok(Some(Self { environment: annotation(ENVIRONMENT), fqdn: annotation(FQDN), generation, standing }))
    }

    /// Writes the mark.
    pub async fn write(&self, cluster: &Cluster) -> Result<(), Failure> {
        let namespace: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "annotations": {
                ENVIRONMENT: self.environment, FQDN: self.fqdn, GENERATION: self.generation.to_string(),
                STANDING: self.standing.text(),
            }},
        }))
        .map_err(|error| Failure::new(crate::error::Kind::Failed, error.to_string()))?;
        if let Some(difference) = cluster.difference(&namespace).await? {
            cluster.apply(&namespace, difference).await?;
        }
        Ok(())
    }
}
