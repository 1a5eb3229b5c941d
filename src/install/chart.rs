//! Steps `secrets_operator` and `argocd`: the two applications that must be there before Argo CD can manage anything.
//!
//! Their charts are rendered from the checkout exactly as Argo CD will render them, and applied server-side. There is no
//! Helm release. As soon as Argo CD has synced such an application itself, it is Argo CD's: this step leaves it alone.

use super::site::Site;
use super::snapshot::{ARGOCD, Snapshot};
use super::workload;
use crate::client::helm::{Hook, HookEvent, Manifests};
use crate::client::kubernetes::{Cluster, Difference, Verdict, object_name, resource};
use crate::engine::{Deadline, Describe, Described, Observation, Run, Step};
use crate::error::{Failure, Kind};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// How many objects are read at once.
const IN_FLIGHT: usize = 8;

/// One of the two steps.
pub(super) struct ChartStep {
    site: Arc<Site>,
    step: &'static str,
    application: &'static str,
    /// Rendered once for all looks of a run; definitions are large.
    manifests: OnceCell<Manifests>,
}

impl ChartStep {
    /// The vault-secrets-operator.
    pub(super) fn secrets_operator(site: Arc<Site>) -> Self {
        Self::new(site, "secretsOperator", "vault-secrets-operator")
    }

    /// Argo CD.
    pub(super) fn argocd(site: Arc<Site>) -> Self {
        Self::new(site, "argocd", "argocd")
    }

    fn new(site: Arc<Site>, step: &'static str, application: &'static str) -> Self {
        Self { site, step, application, manifests: OnceCell::new() }
    }
}

/// One change of a chart's objects.
pub(super) enum ChartChange {
    /// A hook runs before or after the objects.
    Hook(Box<Hook>),
    /// An object is applied.
    Apply {
        /// What it should be. Definitions are large: they are never copied.
        object: Arc<DynamicObject>,
        /// How it differs.
        difference: Difference,
    },
}

impl Describe for ChartChange {
    fn describe(&self) -> Described {
        match self {
            Self::Hook(hook) => Described::new("run", format!("hook {}", object_name(&hook.object))),
            Self::Apply { object, difference: Difference::Missing } => Described::new("create", object_name(object)),
            Self::Apply { object, .. } => Described::new("update", object_name(object)),
        }
    }
}

/// What differs.
pub(super) struct ChartState {
    definitions: Vec<(Arc<DynamicObject>, Difference)>,
    objects: Vec<(Arc<DynamicObject>, Difference)>,
    hooks: Vec<Hook>,
}

impl ChartState {
    fn nothing() -> Self {
        Self { definitions: Vec::new(), objects: Vec::new(), hooks: Vec::new() }
    }
}

impl Step for ChartStep {
    type Observed = ChartState;
    type Change = ChartChange;

    fn name(&self) -> &'static str {
        self.step
    }

    async fn observe(&self, _run: &Run) -> Result<Observation<ChartState>, Failure> {
        let source = self.site.source().await?;
        if source.environment.application(self.application).is_none() {
            return Ok(Observation::Skipped { because: format!("{} is not enabled", self.application) });
        }
        let Some(snapshot) = self.site.snapshot().await? else {
            return Ok(Observation::Unknown { until: "the cluster is up".into() });
        };
        if snapshot.record().await?.is_some() || self.manages_itself(&snapshot).await? {
            return Ok(Observation::Known(ChartState::nothing()));
        }
        let cluster = snapshot.cluster();
        let manifests = self.manifests.get_or_try_init(|| self.render(&snapshot)).await?;
        let definitions = differences(cluster, &manifests.definitions).await?;
        let objects = differences(cluster, &manifests.objects).await?;
        let incomplete = objects.iter().any(|(_, difference)| *difference == Difference::Missing);
        let hooks = if incomplete { manifests.hooks.clone() } else { Vec::new() };
        Ok(Observation::Known(ChartState { definitions, objects, hooks }))
    }

    fn plan(&self, observed: &ChartState) -> Result<Vec<ChartChange>, Failure> {
        let apply = |list: &[(Arc<DynamicObject>, Difference)]| -> Vec<ChartChange> {
            let changes = list.iter().map(|(object, difference)| (Arc::clone(object), *difference));
            changes.map(|(object, difference)| ChartChange::Apply { object, difference }).collect()
        };
        let hooks = |event: HookEvent| {
            observed
                .hooks
                .iter()
                .filter(move |hook| hook.event == event)
                .map(|hook| ChartChange::Hook(Box::new(hook.clone())))
        };
        let mut changes = apply(&observed.definitions);
        let (namespaces, others): (Vec<_>, Vec<_>) =
            observed.objects.iter().cloned().partition(|(object, _)| kind_of(object) == "Namespace");
        changes.extend(apply(&namespaces));
        changes.extend(hooks(HookEvent::PreInstall));
        changes.extend(apply(&others));
        changes.extend(hooks(HookEvent::PostInstall));
        Ok(changes)
    }

    async fn apply(&self, change: &ChartChange, run: &Run) -> Result<(), Failure> {
        let Some(snapshot) = self.site.snapshot().await? else { return Ok(()) };
        let cluster = snapshot.cluster();
        match change {
            ChartChange::Hook(hook) => run_hook(cluster, hook, run.deadline).await,
            ChartChange::Apply { object, difference } => {
                cluster.apply(object, *difference).await?;
                if kind_of(object) == "CustomResourceDefinition" {
                    established(cluster, object, run.deadline).await?;
                    cluster.forget_kinds().await;
                }
                Ok(())
            }
        }
    }

    async fn apply_all(&self, changes: &[ChartChange], run: &Run) -> Result<(), Failure> {
        for change in changes {
            self.apply(change, run).await?;
        }
        let Some(snapshot) = self.site.snapshot().await? else { return Ok(()) };
        let applied = changes.iter().filter_map(|change| match change {
            ChartChange::Apply { object, .. } => Some(object.as_ref()),
            ChartChange::Hook(_) => None,
        });
        workload::wait_for_rollouts(snapshot.cluster(), applied, run.deadline).await?;
        self.site.look_again().await;
        Ok(())
    }
}

impl ChartStep {
    /// Whether Argo CD has ever synced the application.
    async fn manages_itself(&self, snapshot: &Snapshot) -> Result<bool, Failure> {
        let applications = snapshot.applications().await?;
        let history = applications.get(self.application).and_then(|found| found.data.pointer("/status/history"));
        Ok(history.and_then(Value::as_array).is_some_and(|history| !history.is_empty()))
    }

    /// The chart's objects and the namespace, which no chart of phalanx makes for itself.
    async fn render(&self, snapshot: &Snapshot) -> Result<Manifests, Failure> {
        let (source, target) = (self.site.source().await?, snapshot.target().await?);
        let children = source.children(target).await?;
        let child = children.applications.iter().find(|child| child.name_any() == self.application);
        let parameters = child.map(parameters_of).unwrap_or_default();
        let mut manifests = source.application(self.application, &parameters, target).await?;
        let namespace = source.environment.application(self.application).map_or(ARGOCD, |found| &found.namespace);
        manifests.objects.insert(0, namespace_object(namespace)?);
        Ok(manifests)
    }
}

/// The parameters that Argo CD injects when it renders an application.
fn parameters_of(application: &DynamicObject) -> Vec<(String, String)> {
    let list = application.data.pointer("/spec/source/helm/parameters").and_then(Value::as_array);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    list.into_iter().flatten().map(|parameter| (text(&parameter["name"]), text(&parameter["value"]))).collect()
}

fn namespace_object(name: &str) -> Result<DynamicObject, Failure> {
    serde_json::from_value(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .map_err(|error| Failure::new(Kind::Failed, error.to_string()))
}

fn kind_of(object: &DynamicObject) -> &str {
    object.types.as_ref().map_or("", |types| types.kind.as_str())
}

/// Those of the objects that must be applied.
async fn differences(
    cluster: &Cluster,
    objects: &[DynamicObject],
) -> Result<Vec<(Arc<DynamicObject>, Difference)>, Failure> {
    let compared: Vec<_> = objects.iter().map(|object| compared(cluster, object)).collect();
    let compared = futures::stream::iter(compared).buffered(IN_FLIGHT);
    compared.try_filter_map(|found| async move { Ok(found) }).try_collect().await
}

async fn compared(
    cluster: &Cluster,
    object: &DynamicObject,
) -> Result<Option<(Arc<DynamicObject>, Difference)>, Failure> {
    let Some(difference) = cluster.difference(object).await? else { return Ok(None) };
    Ok(Some((Arc::new(cluster.placed(object).await?), difference)))
}

/// Applies a hook's object; a Job is waited for, and removed when its chart says so.
async fn run_hook(cluster: &Cluster, hook: &Hook, deadline: Deadline) -> Result<(), Failure> {
    if let Some(difference) = cluster.difference(&hook.object).await? {
        cluster.apply(&hook.object, difference).await?;
    }
    if kind_of(&hook.object) == "Job" {
        workload::wait_for_job(cluster, &hook.object, deadline).await?;
        if hook.delete_when_done {
            cluster.delete(&hook.object).await?;
        }
    }
    Ok(())
}

/// Waits until the server serves a new kind.
async fn established(cluster: &Cluster, definition: &DynamicObject, deadline: Deadline) -> Result<(), Failure> {
    let name = definition.name_any();
    let kind = resource("apiextensions.k8s.io/v1", "CustomResourceDefinition");
    let wait = cluster.wait_for_one(kind, (None, &name), "Established", deadline, |live| {
        let Some(found) = live else {
            return Verdict::NotYet("it is not there yet".into());
        };
        let status =
            |kind: &str| workload::condition(found, kind).is_some_and(|condition| condition["status"] == "True");
        match (status("Established"), workload::condition(found, "NamesAccepted")) {
            (true, _) => Verdict::Done,
            (false, Some(names)) if names["status"] == "False" => Verdict::Never(names["message"].to_string()),
            _ => Verdict::NotYet("the server has not accepted it yet".into()),
        }
    });
    Ok(wait.await?)
}
