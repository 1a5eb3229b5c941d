//! Before anything is written: every check runs, all at once, and all that fail are told together.
//!
//! Each check only looks at what a step would stumble over later, so that a person corrects everything in one go. What is
//! not there yet (a cluster that the run will make) is not checked.

use super::site::Site;
use super::vault_place::VaultPlace;
use crate::engine::Event;
use crate::error::{Failure, Kind};
use futures::future::{BoxFuture, join_all};

/// The oldest Kubernetes that phalanx supports (its documentation, since 2025-11).
const OLDEST_KUBERNETES: u32 = 30;

/// A check: its id, and what looks. The answer is what was found, or why not.
type Check<'a> = (&'static str, BoxFuture<'a, Result<String, Failure>>);

/// Runs all checks; an error when one fails, with the others' messages as help.
pub(super) async fn preflight(site: &Site) -> Result<(), Failure> {
    let checks: Vec<Check<'_>> = vec![
        ("checkout", Box::pin(checkout(site))),
        ("helm", Box::pin(helm(site))),
        ("secretDefinitions", Box::pin(secret_definitions(site))),
        ("cluster", Box::pin(cluster(site))),
        ("vault", Box::pin(vault(site))),
    ];
    let (ids, looks): (Vec<_>, Vec<_>) = checks.into_iter().unzip();
    let mut failed: Vec<Failure> = Vec::new();
    for (id, result) in ids.into_iter().zip(join_all(looks).await) {
        let (passed, found, hint) = match &result {
            Ok(found) => (true, found.clone(), String::new()),
            Err(failure) => (false, failure.message.clone(), failure.help.join(" ")),
        };
        site.run.outlet.events().tell(Event::Check { id: id.to_owned(), passed, found, hint });
        // Checks that look at the checkout fail for one reason when it cannot be read: say it once.
        failed.extend(result.err().filter(|failure| failed.iter().all(|known| known.message != failure.message)));
    }
    let mut failed = failed.into_iter();
    let Some(mut first) = failed.next() else { return Ok(()) };
    for other in failed {
        first = first.help(format!("this fails, too: {}", other.message));
    }
    Err(first)
}

async fn checkout(site: &Site) -> Result<String, Failure> {
    let source = site.source().await?;
    // Reading takes milliseconds, in which nobody else gets on: the questions to the servers go out first.
    tokio::task::yield_now().await;
    for application in &source.environment.applications {
        // Argo CD refuses to render an application without the environment's values file.
        source.checkout.value_nodes(&application.name, &source.environment.name)?;
        application.project()?;
    }
    let (count, commit) = (source.environment.applications.len(), &source.commit[..source.commit.len().min(9)]);
    Ok(format!("{count} applications at {commit}"))
}

async fn helm(site: &Site) -> Result<String, Failure> {
    Ok(format!("Helm {}", site.source().await?.helm().version().await?))
}

async fn secret_definitions(site: &Site) -> Result<String, Failure> {
    let source = site.source().await?;
    tokio::task::yield_now().await; // as above
    let required = crate::secrets::required(&source.checkout, &source.environment, &std::collections::BTreeSet::new())?;
    Ok(format!("{} secrets are required", required.len()))
}

async fn cluster(site: &Site) -> Result<String, Failure> {
    let Some(snapshot) = site.snapshot().await? else { return Ok("will be made".into()) };
    let target = snapshot.target().await?;
    let version = &target.kubernetes;
    if target.minor().is_some_and(|minor| minor < OLDEST_KUBERNETES) {
        let message = format!("the cluster is Kubernetes {version}; phalanx needs 1.{OLDEST_KUBERNETES} or newer");
        return Err(Failure::new(Kind::Invalid, message).help("upgrade the cluster, or make a new one"));
    }
    Ok(format!("Kubernetes {version}"))
}

async fn vault(site: &Site) -> Result<String, Failure> {
    let Some(place) = VaultPlace::find(site).await? else { return Ok("will be made".into()) };
    place.connect(&site.process, None, &site.run.outlet)?.own_token().await?;
    Ok(format!("{} accepts our login", place.address))
}
