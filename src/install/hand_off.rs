//! Step `handOff`: automatic sync where policy allows it, and the record that the installation is done.
//!
//! SQR-056 allows automatic syncs only on bleed. There every child is automated except `argocd` and
//! `vault-secrets-operator`, which everything else needs; the parent too, without prune and self-heal, because pruning it
//! would delete namespaces. From the record on, what phalanx deploys changes only by an upgrade.

use super::argocd_wait::patchable;
use super::record::InstallationRecord;
use super::site::Site;
use super::snapshot::ARGOCD;
use crate::client::kubernetes::{Difference, covers};
use crate::engine::{Describe, Described, Observation, Run, Step};
use crate::environment::Level;
use crate::error::{Failure, Kind};
use serde_json::{Value, json};
use std::sync::Arc;

/// Never automated, whatever the level.
const NEVER_AUTOMATED: [&str; 2] = ["argocd", "vault-secrets-operator"];

/// The step.
pub(super) struct HandOffStep(pub Arc<Site>);

/// One change of the hand-off.
pub(super) enum HandOffChange {
    /// An Application syncs by itself from now on.
    Automate {
        /// Its name.
        name: String,
    },
    /// The record is written.
    Record(Box<InstallationRecord>),
}

impl Describe for HandOffChange {
    fn describe(&self) -> Described {
        match self {
            Self::Automate { name } => Described::new("automate", format!("Application {ARGOCD}/{name}")),
            Self::Record(_) => Described::new("create", "record of the installation"),
        }
    }
}

/// What is not handed over yet.
pub(super) struct HandOff {
    not_automated: Vec<String>,
    record: Option<InstallationRecord>,
}

impl Step for HandOffStep {
    type Observed = HandOff;
    type Change = HandOffChange;

    fn name(&self) -> &'static str {
        "handOff"
    }

    async fn observe(&self, _run: &Run) -> Result<Observation<HandOff>, Failure> {
        let source = self.0.source().await?;
        let Some(snapshot) = self.0.snapshot().await? else {
            return Ok(Observation::Unknown { until: "the cluster is up".into() });
        };
        let live = snapshot.applications().await?;
        if !live.contains_key(source.parent()) {
            return Ok(Observation::Unknown { until: "the Applications are synced".into() });
        }
        let bleed = self.0.loaded.environment.policy()?.level == Level::Bleed;
        let children = source.children(snapshot.target().await?).await?;
        let mut not_automated = Vec::new();
        if bleed {
            let names =
                children.applications.iter().map(kube::ResourceExt::name_any).chain([source.parent().to_owned()]);
            for name in names.filter(|name| !NEVER_AUTOMATED.contains(&name.as_str())) {
                if live.get(&name).is_some_and(|live| !covers(&live.data, &automated())) {
                    not_automated.push(name);
                }
            }
        }
        let record = match snapshot.record().await? {
            Some(_) => None,
            None => Some(self.record().await?),
        };
        Ok(Observation::Known(HandOff { not_automated, record }))
    }

    fn plan(&self, observed: &HandOff) -> Result<Vec<HandOffChange>, Failure> {
        let automate = observed.not_automated.iter().map(|name| HandOffChange::Automate { name: name.clone() });
        let record = observed.record.iter().map(|record| HandOffChange::Record(Box::new(record.clone())));
        Ok(automate.chain(record).collect())
    }

    async fn apply(&self, change: &HandOffChange, _run: &Run) -> Result<(), Failure> {
        let Some(snapshot) = self.0.snapshot().await? else { return Ok(()) };
        let cluster = snapshot.cluster();
        match change {
            HandOffChange::Automate { name } => {
                cluster.merge(&patchable(name), &automated()).await?;
            }
            HandOffChange::Record(record) => {
                let object = record.to_object().map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
                cluster.apply(&object, Difference::Missing).await?;
            }
        }
        Ok(())
    }
}

impl HandOffStep {
    async fn record(&self) -> Result<InstallationRecord, Failure> {
        let source = self.0.source().await?;
        Ok(InstallationRecord {
            environment: self.0.name().to_owned(),
            phalanx_environment: source.environment.name.clone(),
            repository: source.url.clone(),
            branch: source.declared.branch.clone(),
            revision: source.commit.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            handed_over_at: (self.0.process.now)(),
        })
    }
}

/// The one field of an Application that is ours: it survives a sync of the parent, whose manifest does not have it. It is
/// merged, not applied: an apply of this alone would take back what we applied of the parent.
fn automated() -> Value {
    json!({"spec": {"syncPolicy": {"automated": {"prune": false, "selfHeal": false}}}})
}
