//! Step `sync`: every Application is Synced at the branch's commit and Healthy, in phalanx's order.
//!
//! Stages run one after the other, the Applications of a stage together. A stage has ended when its syncs have, its
//! VaultSecrets have become Secrets, and what later ones need answers (CRDs, cert-manager's webhook). Health is waited for at
//! the end: an application of an early stage may need one of a late one to become healthy.

use super::operation::{self, Operation, Pin};
use super::order::{self, Stage};
use super::readiness;
use super::site::Site;
use super::snapshot::ARGOCD;
use crate::engine::{Describe, Described, Observation, Run, Step};
use crate::error::Failure;
use futures::StreamExt as _;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many Applications are synced at once: Argo CD's repo server renders that many charts.
const IN_FLIGHT: usize = 8;

/// The step.
pub(super) struct SyncStep(pub Arc<Site>);

/// One Application that is not where it should be.
#[derive(Debug, Clone)]
pub(super) struct SyncChange {
    application: String,
    kind: ChangeKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ChangeKind {
    /// An operation is written.
    Sync(Pin),
    /// It is synced; its health is waited for.
    Await,
}

impl Describe for SyncChange {
    fn describe(&self) -> Described {
        let action = if self.kind == ChangeKind::Await { "await" } else { "sync" };
        Described::new(action, format!("Application {ARGOCD}/{}", self.application))
    }
}

/// The children as they should be and as they are.
pub(super) struct Children {
    wanted: Vec<(String, Pin)>,
    live: BTreeMap<String, DynamicObject>,
    handed_over: bool,
}

impl Step for SyncStep {
    type Observed = Children;
    type Change = SyncChange;

    fn name(&self) -> &'static str {
        "sync"
    }

    async fn observe(&self, _run: &Run) -> Result<Observation<Children>, Failure> {
        let source = self.0.source().await?;
        let Some(snapshot) = self.0.snapshot().await? else {
            return Ok(Observation::Unknown { until: "the cluster is up".into() });
        };
        let children = source.children(snapshot.target().await?).await?;
        let live = snapshot.applications().await?.clone();
        if !live.contains_key(source.parent()) {
            return Ok(Observation::Unknown { until: format!("Application {ARGOCD}/{} is synced", source.parent()) });
        }
        let pin = |child: &DynamicObject| {
            let revision = child.data["spec"]["source"]["targetRevision"].as_str().unwrap_or_default();
            if revision == source.declared.branch {
                Pin::Commit(source.commit.clone())
            } else {
                Pin::Own(revision.to_owned())
            }
        };
        let wanted = children.applications.iter().map(|child| (child.name_any(), pin(child))).collect();
        let handed_over = snapshot.record().await?.is_some();
        Ok(Observation::Known(Children { wanted, live, handed_over }))
    }

    fn plan(&self, observed: &Children) -> Result<Vec<SyncChange>, Failure> {
        Ok(if observed.handed_over { Vec::new() } else { changes_of(observed) })
    }

    fn left_alone(&self, observed: &Children) -> Vec<Described> {
        let waiting = if observed.handed_over { changes_of(observed) } else { Vec::new() };
        waiting.iter().filter(|change| change.kind != ChangeKind::Await).map(Describe::describe).collect()
    }

    async fn apply(&self, change: &SyncChange, run: &Run) -> Result<(), Failure> {
        self.apply_all(std::slice::from_ref(change), run).await
    }

    async fn apply_all(&self, changes: &[SyncChange], run: &Run) -> Result<(), Failure> {
        for stage in order::stages(changes.iter().map(|change| change.application.as_str())) {
            self.run_stage(&stage, changes, run).await?;
        }
        let Some(snapshot) = self.0.snapshot().await? else { return Ok(()) };
        let names: Vec<&str> = changes.iter().map(|change| change.application.as_str()).collect();
        readiness::wait_for_health(snapshot.cluster(), &names, run.deadline).await?;
        self.0.look_again().await;
        Ok(())
    }
}

/// Those that are not Synced where they should be, then those that are not Healthy.
fn changes_of(observed: &Children) -> Vec<SyncChange> {
    let change = |(name, pin): &(String, Pin)| {
        let live = observed.live.get(name);
        let synced = live.is_some_and(|live| operation::is_synced_at(live, pin) && !operation::is_running(live));
        let healthy = live.is_some_and(|live| live.data["status"]["health"]["status"] == "Healthy");
        let kind = match (synced, healthy) {
            (false, _) => ChangeKind::Sync(pin.clone()),
            (true, false) => ChangeKind::Await,
            (true, true) => return None,
        };
        Some(SyncChange { application: name.clone(), kind })
    };
    observed.wanted.iter().filter_map(change).collect()
}

impl SyncStep {
    async fn run_stage(&self, stage: &Stage<'_>, changes: &[SyncChange], run: &Run) -> Result<(), Failure> {
        let Some(snapshot) = self.0.snapshot().await? else { return Ok(()) };
        let (cluster, live) = (snapshot.cluster(), snapshot.applications().await?);
        let of_stage = changes.iter().filter(|change| stage.applications.contains(&change.application.as_str()));
        let operations: Vec<Operation> = of_stage
            .filter_map(|change| match &change.kind {
                ChangeKind::Sync(pin) => {
                    Some(Operation::of(&change.application, live.get(&change.application), pin.clone()))
                }
                ChangeKind::Await => None,
            })
            .collect();
        if operations.is_empty() {
            return Ok(());
        }
        let deadline = run.deadline;
        let synced = futures::stream::iter(operations).map(|operation| {
            let cluster = cluster.clone();
            async move { operation::sync(&cluster, &operation, deadline).await }
        });
        let ended: Vec<Result<(), Failure>> = synced.buffer_unordered(IN_FLIGHT).collect().await;
        // One that fails must not hide what the others did: all are waited for, then the first failure counts.
        ended.into_iter().collect::<Result<(), Failure>>()?;
        let source = self.0.source().await?;
        let namespaces: Vec<&str> = stage
            .applications
            .iter()
            .filter_map(|name| source.environment.application(name).map(|application| application.namespace.as_str()))
            .collect();
        readiness::wait_for_secrets(cluster, &namespaces, run.deadline).await?;
        for ready in stage.ready {
            readiness::wait_until(cluster, ready, run.deadline).await?;
        }
        self.0.look_again().await;
        Ok(())
    }
}
