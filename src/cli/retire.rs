//! `rsp-install retire --env E`: the end of a cluster: the one that a rebuild has replaced, else the environment's only one.

use super::args::RetireArgs;
use super::flags::CheckoutArgs;
use super::{Answer, Door};
use crate::environment::{Cluster, Environment, Level};
use crate::error::{Failure, Kind};
use crate::install::cluster::magnum::retire::{self, Retirement};
use crate::install::{self, Options, Site};
use crate::report::documents::{RetireDocument, RunResult};
use crate::report::text;
use std::sync::Arc;

/// Shows what goes and what stays, asks, and does it.
pub(super) async fn run(door: &Door, args: &RetireArgs) -> Result<Answer, Failure> {
    let active = door.site(&CheckoutArgs::default(), Options::default()).await?;
    door.tell_start(active.name(), "retire");
    let retiring = install::retiring(&active).await?;
    let replaced = retiring.is_some();
    let going = match retiring {
        Some(generation) => active.at_generation(generation).await,
        None => Arc::clone(&active),
    };
    let planned = plan(door, &going, replaced).await?;
    let there = planned.cluster.is_some();
    eprint!("{}", text::retirement(&planned));
    if there && !args.dry_run {
        allowed(door, args, &active.loaded.environment).await?;
        if replaced {
            forget_login(door, &going).await;
        }
        execute(door, &going).await?;
    }
    let result = if there && args.dry_run { RunResult::Pending } else { RunResult::Converged };
    door.tell_end(result);
    let requests = door.run.outlet.counters().requests();
    let document = RetireDocument::new(active.name(), result, &planned, requests, door.elapsed());
    let answer = Answer::done(&document, text::retired(&document))?;
    Ok(if result == RunResult::Pending { answer.ending(Some(Kind::Pending)) } else { answer })
}

async fn plan(door: &Door, going: &Site, replaced: bool) -> Result<Retirement, Failure> {
    if let Some(magnum) = going.magnum() {
        return retire::plan(&magnum, &door.run).await;
    }
    let name = going.name();
    match &going.loaded.environment.cluster {
        Some(Cluster::Sandbox(_)) if replaced => {
            let info = going.sandbox()?.status()?;
            let cluster = (info.name, info.folder.display().to_string());
            Ok(Retirement { cluster: Some(cluster), ..Retirement::default() })
        }
        _ => Err(Failure::new(Kind::Invalid, format!("the cluster of environment {name} is not Magnum's")).help(
            "a cluster that somebody else made is theirs to end; a sandbox that no rebuild has replaced ends with `rsp-install sandbox down`",
        )),
    }
}

async fn execute(door: &Door, going: &Site) -> Result<(), Failure> {
    match going.magnum() {
        Some(magnum) => retire::execute(&magnum, &door.run).await.map(drop),
        None => going.sandbox()?.down(false).await.map(drop).map_err(Failure::from),
    }
}

/// The login of the old cluster's operator goes with it. Where it cannot be taken away, `access audit` tells later.
async fn forget_login(door: &Door, going: &Site) {
    if going.magnum().is_some()
        && let Err(failure) = install::revoke_access(going).await
    {
        door.run.outlet.events().warn(format!("the old cluster's SecretIDs were not destroyed: {}", failure.message));
    }
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
