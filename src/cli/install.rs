//! `rsp-install --env E`: install, or bring back to what the file declares.

use super::args::{InstallArgs, InstallMode};
use super::{Answer, Door, plan, rebuild};
use crate::engine;
use crate::error::{Failure, Kind};
use crate::install;
use crate::report::documents::{InstallDocument, RunResult};
use crate::report::text;
use std::sync::Arc;

/// Runs the steps.
pub(super) async fn run(door: &Door, args: &InstallArgs) -> Result<Answer, Failure> {
    match args.mode {
        InstallMode::Upgrade => {}
        // On the heap: it is the rarer way, and larger than the others.
        InstallMode::Rebuild => return Box::pin(rebuild::run(door, args)).await,
        InstallMode::Auto => {
            if let Some(answer) = rebuild::advised(door).await? {
                return Ok(answer);
            }
        }
    }
    let only = args.only.as_deref();
    if args.dry_run {
        return plan::run(door, &args.checkout, args.options(), only).await;
    }
    let site = door.site(&args.checkout, args.options()).await?;
    let steps = install::chosen(&site, only)?;
    door.tell_start(site.name(), "install");
    let guard = install::ClusterGuard::new(Arc::clone(&site), door.answers());
    // Both only read: together they take the time of the slower one. A check that fails ends both.
    let look = async { Ok(engine::survey(&steps, &door.run).await) };
    let ((), before) = tokio::try_join!(install::preflight(&site), look)?;
    let mut outcome = engine::converge_after(before, &steps, &guard, &door.run).await;
    if let Err(failure) = guard.close().await {
        outcome.failure = outcome.failure.or(Some(failure));
    }
    let requests = door.run.outlet.counters().requests();
    let document = InstallDocument::new(site.name(), &outcome, requests, door.elapsed());
    door.tell_end(document.result);
    let answer = Answer::done(&document, text::install(&document))?;
    Ok(match outcome.failure {
        Some(failure) => Answer { exit: failure.kind.exit_code(), failure: Some(failure), ..answer },
        None if document.result == RunResult::Pending => answer.ending(Some(Kind::Pending)),
        None => answer,
    })
}
