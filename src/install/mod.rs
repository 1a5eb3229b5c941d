//! The main job: an ordered list of steps, one file each, and what they share.
//!
//! Promises: from nothing to a running environment; run again, nothing is written; killed at any instant, the next run
//! goes on. Once an environment was handed over, what phalanx deploys is no longer this room's to change: it repairs its
//! own objects and tells what is waiting.

mod app_of_apps;
mod applications;
mod argocd_wait;
mod chart;
pub mod cluster;
mod error;
mod facts;
mod generation;
mod guard;
mod hand_off;
mod marker;
mod operation;
mod operator_access;
mod operator_login;
mod operator_secret;
mod order;
mod preflight;
mod readiness;
mod rebuild;
mod record;
mod reference;
mod rotation;
mod secrets;
mod site;
mod snapshot;
mod source;
mod storage_class;
mod sync;
mod throw_away;
mod validation;
mod vault_credentials;
mod vault_place;
mod workload;

pub use applications::{ApplicationStatus, applications};
pub use error::InstallError;
pub use facts::facts;
pub use generation::retiring;
pub use guard::{Answers, ClusterGuard};
pub use operator_access::AccessKind;
pub use rebuild::{LossKind, Rebuilt, Switch, rebuild};
pub use record::InstallationRecord;
pub use reference::{FileProblem, problem_of, problems};
pub use rotation::{
    Finding as AccessFinding, Rotated, audit as audit_access, revoke as revoke_access, rotate as rotate_access,
};
pub use site::{Options, Site};
pub use source::Source;
pub use vault_place::VaultPlace;

use crate::engine::{AnyStep, Outcome, converge, survey};
use crate::error::Failure;
use preflight::preflight;
use std::sync::Arc;

/// Checks, looks, and makes the steps so behind the guard.
pub async fn carry_out(site: &Site, steps: &[Box<dyn AnyStep>], guard: &ClusterGuard) -> Result<Outcome, Failure> {
    // Both only read: together they take the time of the slower one. A check that fails ends both.
    let look = async { Ok(survey(steps, &site.run).await) };
    let ((), before) = tokio::try_join!(preflight(site), look)?;
    let mut outcome = converge(before, steps, guard, &site.run).await;
    if let Err(failure) = guard.close().await {
        outcome.failure = outcome.failure.or(Some(failure));
    }
    Ok(outcome)
}

/// The one step that is named, or all of them.
pub fn chosen(site: &Arc<Site>, only: Option<&str>) -> Result<Vec<Box<dyn AnyStep>>, InstallError> {
    let mut steps = steps(site);
    let Some(name) = only else { return Ok(steps) };
    let known: Vec<_> = steps.iter().map(|step| step.name()).collect();
    steps.retain(|step| step.name() == name);
    if steps.is_empty() { Err(InstallError::NoStep { name: name.to_owned(), known }) } else { Ok(steps) }
}

/// The steps of an installation, in order.
pub fn steps(site: &Arc<Site>) -> Vec<Box<dyn AnyStep>> {
    let magnum = site.magnum().map(|magnum| Box::new(cluster::magnum::MagnumStep(magnum)) as Box<dyn AnyStep>);
    let site = || Arc::clone(site);
    vec![
        magnum.unwrap_or_else(|| Box::new(cluster::ClusterStep(site()))),
        Box::new(storage_class::StorageClassStep(site())),
        Box::new(secrets::SecretsStep(site())),
        Box::new(vault_credentials::VaultCredentialsStep(site())),
        Box::new(chart::ChartStep::secrets_operator(site())),
        Box::new(chart::ChartStep::argocd(site())),
        Box::new(app_of_apps::AppOfAppsStep(site())),
        Box::new(sync::SyncStep(site())),
        Box::new(hand_off::HandOffStep(site())),
        Box::new(validation::ValidationStep(site())),
    ]
}
