//! Step `appOfApps`: the parent Application, at both pins, and its first sync, which makes projects and children.
//!
//! The parent has no finalizer: deleting it must not delete the environment. Its project exists only after its own first
//! sync, so it is moved there in a second round, as phalanx's own installer does.

use super::operation::{self, Operation, Pin};
use super::site::Site;
use super::snapshot::{ARGOCD, ARGOCD_API};
use crate::client::kubernetes::Difference;
use crate::engine::{Describe, Described, Observation, Run, Step};
use crate::error::{Failure, Kind};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use std::sync::Arc;

/// The project of the parent.
const PROJECT: &str = "infrastructure";

/// The step.
pub(super) struct AppOfAppsStep(pub Arc<Site>);

/// One change of the parent.
pub(super) enum ParentChange {
    /// The Application is created or brought back.
    Apply {
        /// What it should be.
        object: Box<DynamicObject>,
        /// How it differs.
        difference: Difference,
    },
    /// It is synced.
    Sync {
        /// Its name.
        name: String,
    },
}

impl Describe for ParentChange {
    fn describe(&self) -> Described {
        match self {
            Self::Apply { object, difference } => {
                let action = if *difference == Difference::Missing { "create" } else { "update" };
                Described::new(action, format!("Application {ARGOCD}/{}", object.name_any()))
            }
            Self::Sync { name } => Described::new("sync", format!("Application {ARGOCD}/{name}")),
        }
    }
}

/// How the parent stands.
pub(super) struct Parent {
    wanted: DynamicObject,
    difference: Option<Difference>,
    needs_sync: bool,
    handed_over: bool,
}

impl Step for AppOfAppsStep {
    type Observed = Parent;
    type Change = ParentChange;

    fn name(&self) -> &'static str {
        "appOfApps"
    }

    async fn observe(&self, _run: &Run) -> Result<Observation<Parent>, Failure> {
        let source = self.0.source().await?;
        let Some(snapshot) = self.0.snapshot().await? else {
            return Ok(Observation::Unknown { until: "the cluster is up".into() });
        };
        let cluster = snapshot.cluster();
        let (live, projects) = tokio::try_join!(snapshot.applications(), snapshot.projects())?;
        let has_project = projects.contains_key(PROJECT);
        let wanted = self.wanted(if has_project { PROJECT } else { "default" }).await?;
        let parent = live.get(source.parent());
        let difference = match parent {
            Some(parent) => cluster.difference_to(&wanted, parent).await?,
            None => Some(Difference::Missing),
        };
        let children = source.children(snapshot.target().await?).await?;
        let complete = children.applications.iter().all(|child| live.contains_key(&child.name_any()));
        let synced = parent.is_some_and(|parent| operation::is_synced_at(parent, &Pin::Commit(source.commit.clone())));
        let handed_over = snapshot.record().await?.is_some();
        Ok(Observation::Known(Parent { wanted, difference, needs_sync: !complete || !synced, handed_over }))
    }

    fn plan(&self, observed: &Parent) -> Result<Vec<ParentChange>, Failure> {
        if observed.handed_over {
            return Ok(Vec::new());
        }
        Ok(changes_of(observed))
    }

    fn left_alone(&self, observed: &Parent) -> Vec<Described> {
        if !observed.handed_over {
            return Vec::new();
        }
        changes_of(observed).iter().map(Describe::describe).collect()
    }

    async fn apply(&self, change: &ParentChange, run: &Run) -> Result<(), Failure> {
        let Some(snapshot) = self.0.snapshot().await? else { return Ok(()) };
        let cluster = snapshot.cluster();
        match change {
            ParentChange::Apply { object, difference } => drop(cluster.apply(object, *difference).await?),
            ParentChange::Sync { name } => {
                let parent = snapshot.applications().await?.get(name).cloned();
                let operation =
                    Operation::of(name, parent.as_ref(), Pin::Commit(self.0.source().await?.commit.clone()));
                operation::sync(cluster, &operation, run.deadline).await?;
                self.0.look_again().await;
            }
        }
        Ok(())
    }
}

fn changes_of(observed: &Parent) -> Vec<ParentChange> {
    let apply = observed
        .difference
        .map(|difference| ParentChange::Apply { object: Box::new(observed.wanted.clone()), difference });
    let sync = observed.needs_sync.then(|| ParentChange::Sync { name: observed.wanted.name_any() });
    apply.into_iter().chain(sync).collect()
}

impl AppOfAppsStep {
    /// The parent as phalanx's own installer makes it.
    async fn wanted(&self, project: &str) -> Result<DynamicObject, Failure> {
        let source = self.0.source().await?;
        let parameters: Vec<Value> =
            source.parent_parameters().iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        serde_json::from_value(json!({
            "apiVersion": ARGOCD_API,
            "kind": "Application",
            "metadata": {"name": source.parent(), "namespace": ARGOCD},
            "spec": {
                "project": project,
                "destination": {"server": "https://kubernetes.default.svc", "namespace": ARGOCD},
                "source": {
                    "repoURL": source.url,
                    "path": "environments",
                    "targetRevision": source.declared.branch,
                    "helm": {"valueFiles": source.values_files(), "parameters": parameters},
                },
            },
        }))
        .map_err(|error| Failure::new(Kind::Failed, error.to_string()))
    }
}
