//! Which of an environment's clusters is the active one.
//!
//! Usually there is one, and nothing is asked. While a rebuild goes on, and until the old cluster is retired, there are two;
//! their own marks say which of them is active. A rebuild switches by marking the new one first: of two active ones the
//! newer counts.

use super::marker::Standing;
use super::site::Site;
use crate::environment::Cluster as Declared;
use crate::error::{Failure, Kind};
use std::sync::Arc;

/// The generations of the environment's clusters that are there, rising. Clusters that others make are not counted.
pub(super) async fn there(site: &Site) -> Result<Vec<u32>, Failure> {
    match (&site.loaded.environment.cluster, site.magnum()) {
        (Some(Declared::Sandbox(_)), _) => Ok(site.sandbox_settings()?.generations()),
        (_, Some(magnum)) => Ok(magnum.generations(&site.run).await?),
        _ => Ok(Vec::new()),
    }
}

/// The environment at its active cluster; at the first one where there is none yet.
pub(super) async fn active(first: &Arc<Site>) -> Result<Arc<Site>, Failure> {
    let generations = if may_be_rebuilt(first) { there(first).await? } else { Vec::new() };
    match generations[..] {
        [] | [1] => Ok(Arc::clone(first)),
        [one] => Ok(first.at_generation(one).await),
        // On the heap: it is rarely needed, and every command would carry it along.
        _ => Ok(Box::pin(newest_active(first, &generations)).await),
    }
}

/// Commands that need no cluster at all must not ask the cloud for one.
fn may_be_rebuilt(site: &Site) -> bool {
    !matches!(site.loaded.environment.cluster, None | Some(Declared::Existing(_)))
}

async fn newest_active(first: &Arc<Site>, generations: &[u32]) -> Arc<Site> {
    for generation in generations.iter().rev() {
        let site = first.at_generation(*generation).await;
        // One that does not answer, or has no mark yet, is not where the users are.
        let marker = site.contact().await.ok().flatten().and_then(|contact| contact.marker);
        if marker.is_some_and(|marker| marker.standing == Standing::Active) {
            return site;
        }
    }
    first.at_generation(generations[0]).await
}

/// Which of the environment's clusters a retirement would end: the generation of the oldest that was replaced, or none of
/// those but the only one that there is. While a rebuild goes on nothing can be retired.
pub async fn retiring(site: &Site) -> Result<Option<u32>, Failure> {
    let there = there(site).await?;
    if let Some(old) = there.iter().find(|found| **found < site.generation) {
        return Ok(Some(*old));
    }
    match there.iter().find(|found| **found > site.generation) {
        None => Ok(None),
        Some(next) => {
            let message =
                format!("cluster {next} of environment {} is not in the place of the present one yet", site.name());
            Err(Failure::new(Kind::Invalid, message).help(format!(
                "`rsp-install --env {} --mode rebuild` switches to it; then the old one can go",
                site.name()
            )))
        }
    }
}
