//! `rsp-install status --env E`: where everything stands.

use super::flags::CheckoutArgs;
use super::{Answer, Door};
use crate::engine;
use crate::error::Failure;
use crate::install;
use crate::report::documents::StatusDocument;
use crate::report::text;

/// Surveys the steps and lists the Applications.
pub(super) async fn run(door: &Door, args: &CheckoutArgs) -> Result<Answer, Failure> {
    let site = door.site(args, args.options()).await?;
    let survey = engine::survey(&install::steps(&site), &door.run).await?;
    let applications = install::applications(&site).await?;
    let document =
        StatusDocument { environment: site.name().to_owned(), steps: survey.steps, applications, gate: None };
    Answer::done(&document, text::status(&document))
}
