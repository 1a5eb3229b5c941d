//! `rsp-install secrets audit|sync|template|copy`.

use super::flags::CheckoutArgs;
use super::{Answer, Door};
use crate::client::vault::{Login, Vault};
use crate::engine::Event;
use crate::error::{Failure, Kind};
use crate::install::{Site, VaultPlace};
use crate::phalanx::VaultPrefix;
use crate::report::secrets::{self as text, AuditDocument, CopyDocument, SyncDocument, TemplateDocument};
use crate::secret_value::SecretValue;
use crate::secrets::{
    Applied, ChangeKind, Options, Plan, Rename, SecretName, SecretsError, Session, Store, copy, required, template,
};
use clap::{Args, Subcommand};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What can be done with secrets.
#[derive(Subcommand)]
pub enum SecretsCommand {
    /// Compare Vault with what the checkout requires; writes nothing.
    Audit(AuditArgs),
    /// Bring Vault to what the checkout requires.
    Sync(SyncArgs),
    /// Print a file of static secrets to fill in.
    Template(TemplateArgs),
    /// Take over the secrets of an earlier prefix, or of another Vault server.
    Copy(CopyArgs),
}

/// What every one of them takes.
#[derive(Args)]
pub struct TemplateArgs {
    /// Which checkout.
    #[command(flatten)]
    pub checkout: CheckoutArgs,
    /// Leave an application out (may be repeated).
    #[arg(long, value_name = "APP")]
    pub exclude: Vec<String>,
}

/// Flags of an audit.
#[derive(Args)]
pub struct AuditArgs {
    /// Which secrets.
    #[command(flatten)]
    pub which: TemplateArgs,
    /// Check every password's hash, also those that did not change.
    #[arg(long)]
    pub deep: bool,
}

/// Flags of a sync.
#[derive(Args)]
pub struct SyncArgs {
    /// Which secrets.
    #[command(flatten)]
    pub which: TemplateArgs,
    /// Make all generated secrets anew: ends every session, changes every password.
    #[arg(long)]
    pub regenerate: bool,
    /// Delete what nothing requires (never the pull secret).
    #[arg(long)]
    pub delete: bool,
    /// Show what would change and write nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of a copy.
#[derive(Args)]
pub struct CopyArgs {
    /// Which checkout.
    #[command(flatten)]
    pub checkout: CheckoutArgs,
    /// The prefix to copy from, with its mount: `secret/k8s_operator/roe`.
    #[arg(long, value_name = "PREFIX")]
    pub from: String,
    /// The Vault server to copy from, if another one; its token is in `VAULT_SOURCE_TOKEN` (or `_FILE`).
    #[arg(long, value_name = "URL")]
    pub from_address: Option<String>,
    /// Rename on the way: OLD=NEW, of two applications or two application/key (may be repeated).
    #[arg(long, value_name = "OLD=NEW")]
    pub rename: Vec<Rename>,
    /// Replace values that are there already.
    #[arg(long)]
    pub overwrite: bool,
}

/// Runs one of them.
pub(super) async fn run(door: &Door, command: &SecretsCommand) -> Result<Answer, Failure> {
    match command {
        SecretsCommand::Audit(args) => audit(door, args).await,
        SecretsCommand::Sync(args) => sync(door, args).await,
        SecretsCommand::Template(args) => print_template(door, args).await,
        SecretsCommand::Copy(args) => take_over(door, args).await,
    }
}

async fn site(door: &Door, checkout: &CheckoutArgs) -> Result<Arc<Site>, Failure> {
    Site::open_vault(door.environment(checkout)?, door.process.clone(), door.run.clone(), checkout.options()).await
}

async fn place(site: &Site) -> Result<VaultPlace, Failure> {
    let down = || Failure::new(Kind::Unreachable, "the sandbox, whose Vault holds the secrets, is not up");
    VaultPlace::find(site).await?.ok_or_else(|| down().help("`rsp-install sandbox up` starts it"))
}

async fn audit(door: &Door, args: &AuditArgs) -> Result<Answer, Failure> {
    let site = site(door, &args.which.checkout).await?;
    let options =
        Options { deep: args.deep, exclude: args.which.exclude.iter().cloned().collect(), ..Options::default() };
    let session = place(&site).await?.session(&site, options).await?;
    let document = AuditDocument {
        environment: site.name().to_owned(),
        audit: session.audit(),
        requests: door.run.outlet.counters().requests(),
        elapsed_seconds: door.elapsed(),
    };
    let answer = Answer::done(&document, text::audit(&document))?;
    match session.plan() {
        // No static secret helps: the definitions are wrong.
        Err(error @ SecretsError::Unresolvable { .. }) => {
            Ok(Answer { exit: Kind::Invalid.exit_code(), failure: Some(error.into()), ..answer })
        }
        _ if document.audit.is_clean() => Ok(answer),
        _ => Ok(answer.ending(Some(Kind::Pending))),
    }
}

async fn sync(door: &Door, args: &SyncArgs) -> Result<Answer, Failure> {
    let site = site(door, &args.which.checkout).await?;
    let options = Options {
        regenerate: args.regenerate,
        delete: args.delete,
        deep: false,
        exclude: args.which.exclude.iter().cloned().collect(),
    };
    let mut session = place(&site).await?.session(&site, options).await?;
    let plan = planned(door, &mut session)?;
    let kept = session.protected();
    for name in &kept {
        door.run
            .outlet
            .events()
            .warn(format!("{name} is kept: the static secrets name no clients, and Vault has some"));
    }
    tell_plan(door, &plan);
    let (applied, failure) = if args.dry_run {
        (foreseen(&plan), None)
    } else {
        match session.apply(&plan).await {
            Ok(applied) => (applied, None),
            Err(error) => (session.applied_so_far(), Some(Failure::from(error))),
        }
    };
    let document = SyncDocument {
        environment: site.name().to_owned(),
        applied,
        kept,
        dry_run: args.dry_run,
        requests: door.run.outlet.counters().requests(),
        elapsed_seconds: door.elapsed(),
        error: failure.as_ref().map(Into::into),
    };
    let answer = Answer::done(&document, text::sync(&document))?;
    Ok(match failure {
        Some(failure) => Answer { exit: failure.kind.exit_code(), failure: Some(failure), ..answer },
        None if args.dry_run && !plan.is_empty() => answer.ending(Some(Kind::Pending)),
        None => answer,
    })
}

/// The plan; on a terminal, missing static secrets are asked for.
fn planned(door: &Door, session: &mut Session) -> Result<Plan, Failure> {
    match session.plan() {
        Err(SecretsError::MissingStatic { missing, .. }) if door.process.interactive => {
            for name in missing {
                let value = ask(session, &name)?;
                session.give(name, value);
            }
            Ok(session.plan()?)
        }
        other => Ok(other?),
    }
}

/// Asks for one secret; nothing that is typed shows.
fn ask(session: &Session, name: &SecretName) -> Result<SecretValue, Failure> {
    let description =
        session.required().iter().find(|secret| secret.name == *name).map(|secret| secret.description.trim());
    let question = format!("{name}:");
    let mut prompt = inquire::Password::new(&question)
        .without_confirmation()
        .with_display_mode(inquire::PasswordDisplayMode::Hidden);
    if let Some(description) = description {
        prompt = prompt.with_help_message(description);
    }
    let answer =
        prompt.prompt().map_err(|error| Failure::new(Kind::Usage, format!("no answer for {name}: {error}")))?;
    Ok(SecretValue::new(answer))
}

/// Tells each change, its values as fingerprints.
fn tell_plan(door: &Door, plan: &Plan) {
    for change in plan.changes() {
        let action = match (&change.kind, &change.before) {
            (ChangeKind::Delete, _) => "delete",
            (ChangeKind::Set(_), None) => "create",
            (ChangeKind::Set(_), Some(_)) => "update",
        };
        let (step, object) = ("secrets".to_owned(), format!("{} ({})", change.name, change.reason()));
        door.run.outlet.events().tell(Event::ChangePlanned { step, action: action.to_owned(), object });
    }
}

/// What a plan would change.
fn foreseen(plan: &Plan) -> Applied {
    let mut applied = Applied::default();
    for change in plan.changes() {
        let list = match (&change.kind, &change.before) {
            (ChangeKind::Delete, _) => &mut applied.deleted,
            (ChangeKind::Set(_), None) => &mut applied.created,
            (ChangeKind::Set(_), Some(_)) => &mut applied.updated,
        };
        list.push(change.name.clone());
    }
    applied
}

async fn print_template(door: &Door, args: &TemplateArgs) -> Result<Answer, Failure> {
    let site = site(door, &args.checkout).await?;
    let source = site.source().await?;
    let exclude = args.exclude.iter().cloned().collect();
    let template = template(&required(&source.checkout, &source.environment, &exclude)?);
    let document = TemplateDocument { environment: site.name().to_owned(), template: template.clone() };
    Answer::done(&document, template)
}

async fn take_over(door: &Door, args: &CopyArgs) -> Result<Answer, Failure> {
    let site = site(door, &args.checkout).await?;
    let place = place(&site).await?;
    let from = VaultPrefix::parse(&args.from).ok_or_else(|| SecretsError::Prefix { text: args.from.clone() })?;
    let outlet = &door.run.outlet;
    let here = place.connect(&door.process, None, outlet)?;
    let there = match &args.from_address {
        Some(address) => Vault::connect(source_login(door, address)?, outlet.clone())?,
        None if from == place.prefix => return Err(SecretsError::SamePrefix { prefix: from.to_string() }.into()),
        None => here.clone(),
    };
    let none = BTreeSet::new();
    let old = Store::observe(there, from, &none, &none).await?;
    let new = Store::observe(here, place.prefix.clone(), &none, &none).await?;
    let copied = copy(&old.contents(), &new.contents(), &args.rename, args.overwrite);
    let applied = new.apply(&copied.plan, door.process.now).await?;
    let document = CopyDocument {
        environment: site.name().to_owned(),
        applied,
        differing: copied.differing,
        proposed: copied.proposed,
        requests: outlet.counters().requests(),
        elapsed_seconds: door.elapsed(),
    };
    Answer::done(&document, text::copy(&document))
}

/// The login at the server that is copied from: never ours, which is for another server.
fn source_login(door: &Door, address: &str) -> Result<Login, Failure> {
    let missing = || {
        Failure::new(Kind::Usage, format!("there is no token for the Vault at {address}"))
            .help("set VAULT_SOURCE_TOKEN or VAULT_SOURCE_TOKEN_FILE")
    };
    let token = door.process.credential("VAULT_SOURCE_TOKEN")?.ok_or_else(missing)?;
    Ok(Login::for_process(&door.process, address, token)?)
}
