//! A rebuild: a second cluster beside the active one, installed, validated, and then put in its place.
//!
//! Everything is found again on every run, so that a rebuild that was stopped goes on: the next generation's cluster is
//! there or not, installed or not, active or not. Until the switch the old cluster is active and untouched; after it, its
//! mark says that it was replaced, and `retire` ends it. What would be lost with the old cluster stops the rebuild before
//! anything is made.

mod carry_over;
mod losses;
mod switch;

pub use losses::LossKind;
pub use switch::Switch;

use super::error::InstallError;
use super::guard::{Answers, ClusterGuard};
use super::marker::{Marker, Standing};
use super::site::Site;
use super::{carry_out, generation, steps};
use crate::engine::{Guard as _, Outcome};
use crate::environment::Cluster as Declared;
use crate::error::{Failure, Kind};
use kube::api::DynamicObject;
use std::sync::Arc;

/// What a rebuild did.
pub struct Rebuilt {
    /// The steps on the new cluster.
    pub outcome: Outcome,
    /// The generation of the new cluster.
    pub generation: u32,
    /// The way from the old one to the new one; nothing while the new one is not as declared.
    pub switch: Option<Switch>,
}

/// Rebuilds the environment, or goes on with it.
pub async fn rebuild(active: &Arc<Site>, answers: Answers, accepted: &[LossKind]) -> Result<Rebuilt, Failure> {
    check_declared(active)?;
    let there = generation::there(active).await?;
    if there.iter().any(|found| *found < active.generation) {
        return finish(active, &there).await;
    }
    check_installed(active).await?;
    losses::refuse(active, accepted).await?;
    let next = there.iter().copied().find(|found| *found > active.generation);
    let generation = next.unwrap_or(active.generation + 1);
    if next.is_none() {
        let name = active.name();
        answers.ask(format!("Rebuild {name}: make its cluster number {generation} beside the present one?")).await?;
    }
    let successor = active.beside(generation).await;
    let outcome = install(active, &successor, answers).await?;
    if outcome.failure.is_some() || !outcome.left_alone.is_empty() {
        return Ok(Rebuilt { outcome, generation, switch: None });
    }
    let mut switch = switch::prepare(active, &successor).await?;
    if switch::may(&successor, &switch, answers).await? {
        hand_over(active, &successor).await?;
        switch.done = true;
    }
    Ok(Rebuilt { outcome, generation, switch: Some(switch) })
}

/// All steps on the new cluster, with the secrets brought over before anything could make new ones.
async fn install(active: &Arc<Site>, successor: &Arc<Site>, answers: Answers) -> Result<Outcome, Failure> {
    let mut steps = steps(successor);
    let carry_over = carry_over::CarryOverStep { from: Arc::clone(active), to: Arc::clone(successor) };
    steps.insert(1, Box::new(carry_over));
    carry_out(successor, &steps, &ClusterGuard::of_successor(Arc::clone(successor), answers)).await
}

/// The new one is marked first: of two active ones the newer counts, so no moment has none.
async fn hand_over(old: &Arc<Site>, new: &Arc<Site>) -> Result<(), Failure> {
    for (site, standing) in [(new, Standing::Active), (old, Standing::Replaced)] {
        mark(site, standing).await?;
    }
    Ok(())
}

async fn mark(site: &Arc<Site>, standing: Standing) -> Result<(), Failure> {
    // Whoever else works on this cluster ends first.
    let guard = ClusterGuard::new(Arc::clone(site), Answers::Nobody);
    guard.admit(&[], &site.run).await?;
    let marked = async {
        let Some(contact) = site.contact().await? else { return Ok(()) };
        let Some(marker) = contact.marker else { return Ok(()) };
        Marker { standing, ..marker }.write(&contact.cluster).await
    };
    let (marked, closed) = (marked.await, guard.close().await);
    site.forget_contact().await;
    marked.and(closed)
}

/// The switch was made, perhaps by a run that was killed in it: what is left is to mark the old one.
async fn finish(active: &Arc<Site>, there: &[u32]) -> Result<Rebuilt, Failure> {
    for old in there.iter().filter(|found| **found < active.generation) {
        let old = active.at_generation(*old).await;
        let marker = old.contact().await?.and_then(|contact| contact.marker);
        if marker.is_some_and(|marker| marker.standing == Standing::Active) {
            mark(&old, Standing::Replaced).await?;
        }
    }
    let switch = Switch { done: true, ..Switch::default() };
    Ok(Rebuilt { outcome: Outcome::default(), generation: active.generation, switch: Some(switch) })
}

/// The address of a load balancer.
fn address_of(service: &DynamicObject) -> Option<&str> {
    service.data.pointer("/status/loadBalancer/ingress/0/ip")?.as_str()
}

/// A second cluster can only be made where we make clusters.
fn check_declared(site: &Site) -> Result<(), Failure> {
    if !matches!(site.loaded.environment.cluster()?, Declared::Existing(_)) {
        return Ok(());
    }
    let message =
        format!("the cluster of environment {} is made by others: we cannot make another beside it", site.name());
    Err(Failure::new(Kind::Invalid, message)
        .help("name the new cluster's context and server in the environment file, and install: `rsp-install --env` and its name"))
}

async fn check_installed(site: &Site) -> Result<(), Failure> {
    let nothing = |because| InstallError::NothingToRebuild { environment: site.name().to_owned(), because };
    let snapshot = site.snapshot().await?.ok_or_else(|| nothing("it has no cluster"))?;
    snapshot.record().await?.ok_or_else(|| nothing("its installation was never finished"))?;
    Ok(())
}
