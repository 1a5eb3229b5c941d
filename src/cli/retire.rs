//! `rsp-install retire --env E`: the end of the environment's Magnum cluster.

use super::args::{CheckoutArgs, RetireArgs};
use super::{Answer, Door};
use crate::environment::{Environment, Level};
use crate::error::{Failure, Kind};
use crate::install::cluster::magnum::{Magnum, retire};
use crate::report::documents::{RetireDocument, RunResult};
use crate::report::text;

/// Shows what goes and what stays, asks, and does it.
pub(super) async fn run(door: &Door, args: &RetireArgs) -> Result<Answer, Failure> {
    let loaded = door.environment(&CheckoutArgs::default())?;
    let environment = &loaded.environment;
    let magnum = Magnum::for_environment(&door.process, environment, &loaded.folder).ok_or_else(|| {
        Failure::new(Kind::Invalid, format!("the cluster of environment {} is not Magnum's", environment.name))
            .help("a cluster that somebody else made is theirs to end; a sandbox ends with `rsp-install sandbox down`")
    })?;
    door.tell_start(environment.name.as_str(), "retire");
    let planned = retire::plan(&magnum, &door.run).await?;
    let there = planned.cluster.is_some();
    eprint!("{}", text::retirement(&planned));
    if there && !args.dry_run {
        allowed(door, args, environment).await?;
        retire::execute(&magnum, &door.run).await?;
    }
    let result = if there && args.dry_run { RunResult::Pending } else { RunResult::Converged };
    door.tell_end(result);
    let requests = door.run.outlet.counters().requests();
    let document = RetireDocument::new(environment.name.as_str(), result, &planned, requests, door.elapsed());
    let answer = Answer::done(&document, text::retired(&document))?;
    Ok(if result == RunResult::Pending { answer.ending(Some(Kind::Pending)) } else { answer })
}

/// On int and prod the environment's name must be typed; elsewhere yes is enough. A file that does not say what it is
/// counts as prod.
async fn allowed(door: &Door, args: &RetireArgs, environment: &Environment) -> Result<(), Failure> {
    let name = environment.name.as_str();
    let strict = environment.policy.is_none_or(|policy| policy.level >= Level::Int);
    let refused = |message: String| Failure::new(Kind::Usage, message);
    match &args.confirm {
        Some(typed) if typed == name => return Ok(()),
        Some(typed) => return Err(refused(format!("--confirm {typed} is not the environment's name, {name}"))),
        None if door.global.yes && !strict => return Ok(()),
        None if !door.process.interactive => {
            let message = format!("nobody can say whether the cluster of environment {name} may go");
            return Err(refused(message).help(format!("add --confirm {name}")));
        }
        None => {}
    }
    let question = format!("Type the environment's name to delete its cluster ({name}):");
    let typed = tokio::task::spawn_blocking(move || inquire::Text::new(&question).prompt()).await;
    match typed {
        Ok(Ok(typed)) if typed == name => Ok(()),
        _ => Err(refused("not done: the name was not typed".to_owned())),
    }
}
