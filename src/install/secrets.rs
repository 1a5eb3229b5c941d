//! Step `secrets`: Vault holds every secret that the checkout's definitions require.
//!
//! Creates what is missing and corrects what differs; deletes nothing and makes nothing anew. A login that may only read
//! is enough as long as nothing is missing.

use super::site::Site;
use super::vault_place::VaultPlace;
use crate::client::vault::VaultError;
use crate::engine::{Describe, Described, Observation, Run, Step};
use crate::error::{Failure, Kind};
use crate::secrets::{Options, Plan, SecretsError, Session, Write};
use std::sync::Arc;

/// The step.
pub(super) struct SecretsStep(pub Arc<Site>);

/// The write of one application's secret.
pub(super) struct SecretWrite {
    session: Arc<Session>,
    wave: usize,
    write: Write,
}

impl Describe for SecretWrite {
    fn describe(&self) -> Described {
        let created = self.write.changes.iter().all(|change| change.before.is_none());
        // Names only: a fingerprint would make two plans of the same changes look different.
        let keys: Vec<&str> = self.write.changes.iter().map(|change| change.name.key.as_str()).collect();
        let object = format!("Vault secret {}: {}", self.write.application, keys.join(", "));
        Described::new(if created { "create" } else { "update" }, object)
    }
}

impl Step for SecretsStep {
    type Observed = Arc<Session>;
    type Change = SecretWrite;

    fn name(&self) -> &'static str {
        "secrets"
    }

    async fn observe(&self, _run: &Run) -> Result<Observation<Arc<Session>>, Failure> {
        let Some(place) = VaultPlace::find(&self.0).await? else {
            return Ok(Observation::Unknown { until: "the sandbox is up".into() });
        };
        let session = place.session(&self.0, Options::default()).await?;
        Ok(Observation::Known(Arc::new(session)))
    }

    fn plan(&self, session: &Arc<Session>) -> Result<Vec<SecretWrite>, Failure> {
        let Plan { waves } = session.plan()?;
        let numbered = waves.into_iter().enumerate();
        let change = |wave, write| SecretWrite { session: Arc::clone(session), wave, write };
        let changes = numbered.flat_map(|(wave, writes)| writes.into_iter().map(move |write| change(wave, write)));
        Ok(changes.filter(|change| !self.belongs_to_the_active_cluster(change)).collect())
    }

    fn left_alone(&self, session: &Arc<Session>) -> Vec<Described> {
        let Ok(Plan { waves }) = session.plan() else { return Vec::new() };
        let writes =
            waves.into_iter().flatten().map(|write| SecretWrite { session: Arc::clone(session), wave: 0, write });
        writes.filter(|change| self.belongs_to_the_active_cluster(change)).map(|change| change.describe()).collect()
    }

    async fn apply(&self, change: &SecretWrite, _run: &Run) -> Result<(), Failure> {
        change.session.apply_write(&change.write).await.map(drop).map_err(Failure::from)
    }

    async fn apply_all(&self, changes: &[SecretWrite], run: &Run) -> Result<(), Failure> {
        let Some(first) = changes.first() else { return Ok(()) };
        let mut plan = Plan::default();
        for change in changes {
            plan.waves.resize(plan.waves.len().max(change.wave + 1), Vec::new());
            plan.waves[change.wave].push(change.write.clone());
        }
        match first.session.apply(&plan).await {
            Ok(_) => Ok(()),
            Err(SecretsError::Vault(VaultError::Denied { .. })) => read_only(&plan, run),
            Err(error) => Err(error.into()),
        }
    }
}

impl SecretsStep {
    /// A cluster that is made beside the active one adds what is missing; what is there is the active one's to change.
    fn belongs_to_the_active_cluster(&self, change: &SecretWrite) -> bool {
        self.0.is_successor && change.write.changes.iter().any(|change| change.before.is_some())
    }
}

/// What a login that may only read leaves: with everything there, others can go on; with something missing, nobody can.
fn read_only(plan: &Plan, run: &Run) -> Result<(), Failure> {
    let missing: Vec<String> =
        plan.changes().filter(|change| change.before.is_none()).map(|change| change.name.to_string()).collect();
    if missing.is_empty() {
        let differing: Vec<String> = plan.changes().map(|change| change.name.to_string()).collect();
        let differing = differing.join(", ");
        run.outlet
            .events()
            .warn(format!("our login may not write secrets; these differ and are left alone: {differing}"));
        return Ok(());
    }
    let message = format!("our login may not write secrets, and Vault lacks {}", missing.join(", "));
    Err(Failure::new(Kind::Unreachable, message)
        .help("give a token that may write in VAULT_TOKEN, or ask who has one for `rsp-install secrets sync`"))
}
