//! `rsp-install access rotate|audit`: the secrets operator's login to Vault.

use super::flags::CheckoutArgs;
use super::{Answer, Door};
use crate::error::{Failure, Kind};
use crate::install::{self, AccessFinding, AccessKind, Options};
use crate::report::secrets::{AccessDocument, RotateDocument};
use clap::Subcommand;
use std::fmt::Write as _;

/// What can be done with access.
#[derive(Subcommand)]
pub enum AccessCommand {
    /// Give the secrets operator a new login, prove it, and destroy this cluster's older ones.
    Rotate(CheckoutArgs),
    /// Look for missing roles, wrong policies and credentials that end soon; writes nothing.
    Audit(CheckoutArgs),
}

/// Runs one of them.
pub(super) async fn run(door: &Door, command: &AccessCommand) -> Result<Answer, Failure> {
    let (AccessCommand::Rotate(checkout) | AccessCommand::Audit(checkout)) = command;
    let site = door.site(checkout, Options::default()).await?;
    let environment = site.name().to_owned();
    match command {
        AccessCommand::Rotate(_) => {
            let rotated = install::rotate_access(&site).await?;
            let (role, count) = (&rotated.role, rotated.destroyed.len());
            let new = match rotated.kind {
                AccessKind::AppRole => format!("SecretID of AppRole {role}"),
                AccessKind::Token => format!("token {role}"),
            };
            let text = format!("the operator uses a new {new}; {count} older of this cluster destroyed\n");
            Answer::done(&RotateDocument { environment, rotated }, text)
        }
        AccessCommand::Audit(_) => {
            let findings = install::audit_access(&site).await?;
            let mut text = String::new();
            for AccessFinding { object, message } in &findings {
                let _ = writeln!(text, "{object}: {message}");
            }
            let clean = findings.is_empty();
            if clean {
                text = format!("the access of {environment} to Vault is as it should be\n");
            }
            let answer = Answer::done(&AccessDocument { environment, findings }, text)?;
            Ok(if clean { answer } else { answer.ending(Some(Kind::Pending)) })
        }
    }
}
