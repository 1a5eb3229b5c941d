//! Step `carryOver`: the new cluster's Vault holds the old one's secrets, before anything could make new values.
//!
//! Usually both use the same Vault and there is nothing to do. A sandbox brings its own. What is there already and differs
//! is left alone.

use super::super::secrets::object_of;
use super::super::site::Site;
use super::super::vault_place::VaultPlace;
use crate::engine::{Describe, Described, Observation, Run, Step};
use crate::error::Failure;
use crate::secrets::{Store, Write, copy};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The step.
pub(super) struct CarryOverStep {
    pub from: Arc<Site>,
    pub to: Arc<Site>,
}

/// One application's secret.
#[derive(Clone)]
pub(super) struct Carried {
    store: Arc<Store>,
    write: Write,
}

impl Describe for Carried {
    fn describe(&self) -> Described {
        Described::new("copy", object_of(&self.write))
    }
}

impl Step for CarryOverStep {
    type Observed = Vec<Carried>;
    type Change = Carried;

    fn name(&self) -> &'static str {
        "carryOver"
    }

    async fn observe(&self, run: &Run) -> Result<Observation<Vec<Carried>>, Failure> {
        let (Some(old), Some(new)) = (VaultPlace::find(&self.from).await?, VaultPlace::find(&self.to).await?) else {
            return Ok(Observation::Unknown { until: "the new cluster is up".into() });
        };
        if (&old.address, &old.prefix) == (&new.address, &new.prefix) {
            return Ok(Observation::Skipped { because: "both clusters use the same Vault".into() });
        }
        let none = BTreeSet::new();
        let store = async |place: &VaultPlace| {
            let vault = place.connect(&self.to.process, None, &run.outlet)?;
            Ok::<_, Failure>(Store::observe(vault, place.prefix.clone(), &none, &none).await?)
        };
        let (old, new) = tokio::try_join!(store(&old), store(&new))?;
        let plan = copy(&old.contents(), &new.contents(), &[], false).plan;
        let store = Arc::new(new);
        let carried = plan.writes().map(|write| Carried { store: Arc::clone(&store), write: write.clone() });
        Ok(Observation::Known(carried.collect()))
    }

    fn plan(&self, observed: &Vec<Carried>) -> Result<Vec<Carried>, Failure> {
        Ok(observed.clone())
    }

    async fn apply(&self, change: &Carried, _run: &Run) -> Result<(), Failure> {
        Ok(change.store.apply_write(&change.write, self.to.process.now).await.map(drop)?)
    }
}
