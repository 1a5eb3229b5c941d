//! `--mode rebuild` and `--mode auto`.

use super::args::InstallArgs;
use super::mode::{self, ModeArgs};
use super::{Answer, Door};
use crate::drift::mode::Mode;
use crate::error::{Failure, Kind};
use crate::install::rebuild;
use crate::report::documents::InstallDocument;
use crate::report::text;

/// Rebuilds, or goes on with it.
pub(super) async fn run(door: &Door, args: &InstallArgs) -> Result<Answer, Failure> {
    if args.dry_run || args.only.is_some() {
        return Err(Failure::new(Kind::Usage, "a rebuild is made whole: --dry-run and --only are for an upgrade")
            .help("`rsp-install mode` tells what a rebuild needs first"));
    }
    let site = door.real_site(&args.checkout, args.options()).await?;
    door.tell_start(site.name(), "rebuild");
    let rebuilt = rebuild(&site, door.answers(), &args.accept_loss).await?;
    let requests = door.run.outlet.counters().requests();
    let document =
        InstallDocument::new(site.name(), &rebuilt.outcome, requests, door.elapsed()).with_switch(rebuilt.switch);
    door.tell_end(document.result);
    let text = text::rebuild(&document, rebuilt.generation);
    Answer::of_run(&document, text, rebuilt.outcome.failure)
}

/// Prints what `mode` advises. An answer where the advice is a rebuild, which is never started unasked; nothing where the
/// installation goes on in place.
pub(super) async fn advised(door: &Door) -> Result<Option<Answer>, Failure> {
    let advice = mode::advise(door, &ModeArgs::default()).await?;
    let text = mode::text(&advice);
    if advice.mode == Mode::Rebuild {
        let next = format!("next: rsp-install --env {} --mode rebuild\n", advice.environment);
        return Ok(Some(Answer::done(&advice, text + &next)?.ending(Some(Kind::Pending))));
    }
    for line in text.lines() {
        door.run.outlet.events().note(line);
    }
    Ok(None)
}
