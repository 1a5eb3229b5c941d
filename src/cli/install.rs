//! `rsp-install --env E`: install, or bring back to what the file declares.

use super::args::{InstallArgs, InstallMode};
use super::{Answer, Door, plan, rebuild};
use crate::error::Failure;
use crate::install;
use crate::report::documents::InstallDocument;
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
    let site = door.real_site(&args.checkout, args.options()).await?;
    let steps = install::chosen(&site, only)?;
    door.tell_start(site.name(), "install");
    let guard = install::ClusterGuard::new(Arc::clone(&site), door.answers());
    let outcome = install::carry_out(&site, &steps, &guard).await?;
    let requests = door.run.outlet.counters().requests();
    let document = InstallDocument::new(site.name(), &outcome, requests, door.elapsed());
    door.tell_end(document.result);
    Answer::of_run(&document, text::install(&document), outcome.failure)
}
