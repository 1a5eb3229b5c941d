//! `rsp-install validate --env E`: the file, the checkout, and every reference between them.

use super::flags::CheckoutArgs;
use super::{Answer, Door};
use crate::error::{Failure, Kind};
use crate::install;
use crate::report::documents::ValidateDocument;
use crate::report::text;

/// Checks without asking any cluster or Vault.
pub(super) async fn run(door: &Door, args: &CheckoutArgs) -> Result<Answer, Failure> {
    let name = door.global.env.clone().unwrap_or_default();
    let problems = match door.environment(args) {
        Ok(loaded) => install::problems(&loaded, &door.process, door.run.outlet.events()).await,
        Err(failure) if failure.kind == Kind::Usage => return Err(failure),
        Err(failure) => vec![install::problem_of(&failure, "")],
    };
    let document = ValidateDocument { environment: name, problems };
    let answer = Answer::done(&document, text::validate(&document))?;
    let kind = if document.problems.is_empty() { None } else { Some(Kind::Invalid) };
    Ok(answer.ending(kind))
}
