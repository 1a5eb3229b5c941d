//! Step `secrets`: Vault holds every secret that the checkout's definitions require.
//!
//! Creates what is missing and corrects what differs; deletes nothing and makes nothing anew. A login that may only read
//! is enough as long as nothing is missing: what differs is told and left alone.

use super::site::Site;
use super::vault_place::VaultPlace;
use crate::engine::{Describe, Described, Observation, Run, Step};
use crate::error::{Failure, Kind};
use crate::secrets::{Options, Plan, Session, Write};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The step.
pub(super) struct SecretsStep(pub Arc<Site>);

/// What Vault holds, and what our login may not write of that which differs.
pub(super) struct Observed {
    session: Arc<Session>,
    plan: Plan,
    /// Applications.
    refused: BTreeSet<String>,
}

/// The write of one application's secret.
pub(super) struct SecretWrite {
    session: Arc<Session>,
    wave: usize,
    write: Write,
}

impl Describe for SecretWrite {
    fn describe(&self) -> Described {
        described(&self.write)
    }
}

fn described(write: &Write) -> Described {
    let created = write.changes.iter().all(|change| change.before.is_none());
    Described::new(if created { "create" } else { "update" }, object_of(write))
}

/// The secret and its keys. Names only: a fingerprint would make two plans of the same changes look different.
pub(super) fn object_of(write: &Write) -> String {
    let keys: Vec<&str> = write.changes.iter().map(|change| change.name.key.as_str()).collect();
    format!("Vault secret {}: {}", write.application, keys.join(", "))
}

impl Step for SecretsStep {
    type Observed = Observed;
    type Change = SecretWrite;

    fn name(&self) -> &'static str {
        "secrets"
    }

    async fn observe(&self, _run: &Run) -> Result<Observation<Observed>, Failure> {
        let Some(place) = VaultPlace::find(&self.0).await? else {
            return Ok(Observation::Unknown { until: "the sandbox is up".into() });
        };
        let session = Arc::new(place.session(&self.0, Options::default()).await?);
        let plan = session.plan()?;
        let refused = session.refused(&plan).await?;
        Ok(Observation::Known(Observed { session, plan, refused }))
    }

    fn plan(&self, observed: &Observed) -> Result<Vec<SecretWrite>, Failure> {
        if !observed.lacking().is_empty() {
            // The rest may be copied from what we cannot make: the verdict tells, and nothing is half done.
            return Ok(Vec::new());
        }
        let numbered = observed.plan.waves.iter().enumerate();
        let writes = numbered.flat_map(|(wave, writes)| writes.iter().map(move |write| (wave, write)));
        let ours = writes.filter(|(_, write)| !self.is_left_alone(observed, write));
        let change = |(wave, write): (usize, &Write)| SecretWrite {
            session: Arc::clone(&observed.session),
            wave,
            write: write.clone(),
        };
        Ok(ours.map(change).collect())
    }

    async fn apply(&self, change: &SecretWrite, _run: &Run) -> Result<(), Failure> {
        change.session.apply_write(&change.write).await.map(drop).map_err(Failure::from)
    }

    async fn apply_all(&self, changes: &[SecretWrite], _run: &Run) -> Result<(), Failure> {
        let Some(first) = changes.first() else { return Ok(()) };
        let mut plan = Plan::default();
        for change in changes {
            plan.waves.resize(plan.waves.len().max(change.wave + 1), Vec::new());
            plan.waves[change.wave].push(change.write.clone());
        }
        first.session.apply(&plan).await.map(drop).map_err(Failure::from)
    }

    fn left_alone(&self, observed: &Observed) -> Vec<Described> {
        observed.plan.writes().filter(|write| self.is_left_alone(observed, write)).map(described).collect()
    }

    fn verdict(&self, observed: &Observed) -> Option<Failure> {
        let lacking = observed.lacking();
        (!lacking.is_empty()).then(|| {
            let message = format!("our login may not write secrets, and Vault lacks {}", lacking.join(", "));
            Failure::new(Kind::Unreachable, message)
                .help("give a token that may write in VAULT_TOKEN, or ask who has one for `rsp-install secrets sync`")
        })
    }
}

impl SecretsStep {
    /// What our login may not write; and a cluster that is made beside the active one adds what is missing: what is there
    /// is the active one's to change.
    fn is_left_alone(&self, observed: &Observed, write: &Write) -> bool {
        let replaces = write.changes.iter().any(|change| change.before.is_some());
        observed.refused.contains(&write.application) || (self.0.is_successor && replaces)
    }
}

impl Observed {
    /// Secrets that are missing and that our login may not make: without them the applications do not start.
    fn lacking(&self) -> Vec<String> {
        let missing = self.plan.changes().filter(|change| change.before.is_none());
        let refused = missing.filter(|change| self.refused.contains(&change.name.application));
        refused.map(|change| change.name.to_string()).collect()
    }
}
