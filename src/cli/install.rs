//! `rsp-install --env E`: install, or bring back to what the file declares.

use super::args::{InstallArgs, InstallMode};
use super::{Answer, Door, plan, rebuild};
use crate::engine;
use crate::error::{Failure, Kind};
use crate::install::{self, Answers, InstallError, Options, Site};
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
    if args.dry_run {
        return plan::run(door, &args.checkout, options(args)).await;
    }
    let site = site(door, args).await?;
    let steps = install::steps(&site);
    let only = args.only.as_deref();
    if let Some(name) = only.filter(|name| steps.iter().all(|step| step.name() != *name)) {
        let known = steps.iter().map(|step| step.name()).collect();
        return Err(InstallError::NoStep { name: name.to_owned(), known }.into());
    }
    door.tell_start(site.name(), "install");
    let guard = install::Door::new(Arc::clone(&site), answers(door));
    install::preflight(&site).await?;
    let mut outcome = engine::converge(&steps, &guard, only, &door.run).await;
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

/// The place of an installation: its file must really be there.
pub(super) async fn site(door: &Door, args: &InstallArgs) -> Result<Arc<Site>, Failure> {
    let loaded = door.environment(&args.checkout)?;
    if loaded.built_in {
        let name = loaded.environment.name.to_string();
        return Err(crate::environment::EnvironmentError::BuiltInOnly { name }.into());
    }
    Site::open(loaded, door.process.clone(), door.run.clone(), options(args)).await
}

fn options(args: &InstallArgs) -> Options {
    Options { static_secrets: args.checkout.static_secrets.clone(), replace_classes: args.replace_class.clone() }
}

/// Who answers questions.
pub(super) fn answers(door: &Door) -> Answers {
    match (door.global.yes, door.process.interactive) {
        (true, _) => Answers::Yes,
        (false, true) => Answers::Terminal,
        (false, false) => Answers::Nobody,
    }
}
