//! `rsp-install plan --env E`: the differences, and nothing else.

use super::flags::CheckoutArgs;
use super::{Answer, Door};
use crate::engine;
use crate::error::{Failure, Kind};
use crate::install::{self, Options};
use crate::report::documents::{PlanDocument, RunResult};
use crate::report::text;

/// Finds the differences of all steps, or of the one that is named.
pub(super) async fn run(
    door: &Door,
    args: &CheckoutArgs,
    options: Options,
    only: Option<&str>,
) -> Result<Answer, Failure> {
    let site = door.site(args, options).await?;
    door.tell_start(site.name(), "plan");
    let survey = engine::survey(&install::chosen(&site, only)?, &door.run).await?;
    survey.tell(&door.run);
    let verdict = survey.verdict.clone();
    let requests = door.run.outlet.counters().requests();
    let document = PlanDocument::new(site.name(), survey, requests, door.elapsed());
    door.tell_end(document.result);
    let answer = Answer::done(&document, text::plan(&document))?;
    Ok(match (document.result, verdict) {
        (RunResult::Converged, None) => answer,
        (RunResult::Converged, Some(failure)) => {
            Answer { exit: failure.kind.exit_code(), failure: Some(failure), ..answer }
        }
        _ => answer.ending(Some(Kind::Pending)),
    })
}
