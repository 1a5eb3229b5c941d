//! Step `validation`: is what was installed really there and working? Reads only.
//!
//! Checks are data: an id, what was found, a hint. A fatal one that does not hold makes the run fail; the others warn.

pub(super) mod address;
mod admin_password;
mod objects;

use super::error::InstallError;
use super::site::Site;
use crate::engine::{Describe, Described, Event, Observation, Run, Step};
use crate::error::Failure;
use std::sync::Arc;

/// The step.
pub(super) struct ValidationStep(pub Arc<Site>);

/// There is nothing that validation changes.
pub(super) enum Nothing {}

impl Describe for Nothing {
    fn describe(&self) -> Described {
        match *self {}
    }
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    id: &'static str,
    fatal: bool,
    /// What is wrong; empty when the check holds.
    wrong: Vec<String>,
    found: String,
    hint: &'static str,
}

impl Step for ValidationStep {
    type Observed = Vec<Check>;
    type Change = Nothing;

    fn name(&self) -> &'static str {
        "validation"
    }

    async fn observe(&self, run: &Run) -> Result<Observation<Vec<Check>>, Failure> {
        let source = self.0.source().await?;
        let Some(snapshot) = self.0.snapshot().await? else {
            return Ok(Observation::Unknown { until: "the cluster is up".into() });
        };
        if snapshot.record().await?.is_none() {
            return Ok(Observation::Unknown { until: "the environment is handed over".into() });
        }
        let (objects, password) =
            tokio::join!(objects::checks(source, &snapshot), admin_password::check(&self.0, snapshot.cluster()));
        let objects = objects?;
        let mut checks = objects.checks;
        checks.extend(password?);
        checks.extend(address::check(&self.0, &source.environment.fqdn, &objects.ingresses).await);
        for check in &checks {
            let passed = check.wrong.is_empty();
            run.outlet.events().tell(Event::Check {
                id: check.id.to_owned(),
                passed,
                found: if passed { check.found.clone() } else { check.wrong.join(", ") },
                hint: if passed { String::new() } else { check.hint.to_owned() },
            });
        }
        Ok(Observation::Known(checks))
    }

    fn plan(&self, _observed: &Vec<Check>) -> Result<Vec<Nothing>, Failure> {
        Ok(Vec::new())
    }

    async fn apply(&self, change: &Nothing, _run: &Run) -> Result<(), Failure> {
        match *change {}
    }

    fn verdict(&self, observed: &Vec<Check>) -> Option<Failure> {
        let failed: Vec<String> = observed
            .iter()
            .filter(|check| check.fatal && !check.wrong.is_empty())
            .map(|check| format!("{}: {}", check.id, check.wrong.join(", ")))
            .collect();
        (!failed.is_empty()).then(|| InstallError::Unhealthy { failed, total: observed.len() }.into())
    }
}

impl Check {
    fn new(
        id: &'static str,
        fatal: bool,
        wrong: impl Iterator<Item = String>,
        found: String,
        hint: &'static str,
    ) -> Self {
        let mut wrong: Vec<String> = wrong.collect();
        if wrong.len() > 10 {
            let more = wrong.len() - 10;
            wrong.truncate(10);
            wrong.push(format!("and {more} more"));
        }
        Self { id, fatal, wrong, found, hint }
    }
}
