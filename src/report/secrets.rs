//! What the commands about secrets and the access to them print.

use super::documents::Problem;
use crate::engine::Requests;
use crate::install::{AccessFinding, Rotated};
use crate::secrets::{Applied, Audit, Rename, SecretName};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;

/// `rsp-install secrets audit`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditDocument {
    /// The environment.
    pub environment: String,
    /// The findings.
    #[serde(flatten)]
    pub audit: Audit,
    /// What was asked of others.
    pub requests: Requests,
    /// Wall time, seconds.
    pub elapsed_seconds: f64,
}

/// `rsp-install secrets sync`; with `--dry-run` what it would do.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncDocument {
    /// The environment.
    pub environment: String,
    /// What was changed.
    #[serde(flatten)]
    pub applied: Applied,
    /// Secrets that were kept although the given ones would empty them.
    pub kept: Vec<SecretName>,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// What was asked of others.
    pub requests: Requests,
    /// Wall time, seconds.
    pub elapsed_seconds: f64,
    /// Why it failed; what is listed above was written and stays valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// `rsp-install secrets copy`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CopyDocument {
    /// The environment.
    pub environment: String,
    /// What was changed.
    #[serde(flatten)]
    pub applied: Applied,
    /// Secrets that are there already with another value, and were left alone.
    pub differing: Vec<SecretName>,
    /// Renames that phalanx's history suggests.
    pub proposed: Vec<Rename>,
    /// What was asked of others.
    pub requests: Requests,
    /// Wall time, seconds.
    pub elapsed_seconds: f64,
}

/// `rsp-install secrets template`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateDocument {
    /// The environment.
    pub environment: String,
    /// The file to fill in.
    pub template: String,
}

/// `rsp-install access rotate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotateDocument {
    /// The environment.
    pub environment: String,
    /// What was done.
    #[serde(flatten)]
    pub rotated: Rotated,
}

/// `rsp-install access audit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessDocument {
    /// The environment.
    pub environment: String,
    /// What is wrong.
    pub findings: Vec<AccessFinding>,
}

fn list(text: &mut String, title: &str, names: &[SecretName]) {
    if names.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{title}:");
    for SecretName { application, key } in names {
        let _ = writeln!(text, "  {application} {key}");
    }
}

/// The findings for people, in the order of phalanx's own audit.
pub fn audit(document: &AuditDocument) -> String {
    let Audit { unresolved, missing, mismatched, unknown } = &document.audit;
    let mut text = String::new();
    list(&mut text, "Secrets without a value", unresolved);
    list(&mut text, "Missing in Vault", missing);
    list(&mut text, "Without their expected value", mismatched);
    list(&mut text, "In Vault, and not required", unknown);
    if text.is_empty() {
        let _ = writeln!(text, "the secrets of {} are as they should be", document.environment);
    }
    text
}

/// What a sync did.
pub fn sync(document: &SyncDocument) -> String {
    let mut text = changed(&document.applied);
    list(&mut text, "Kept, although the static file would empty them", &document.kept);
    let SyncDocument { environment, elapsed_seconds, requests, .. } = document;
    let verb = if document.dry_run { "nothing was written for" } else { "Vault holds the secrets of" };
    if document.error.is_none() {
        let (reads, writes) = (requests.vault.reads, requests.vault.writes);
        let _ = writeln!(
            text,
            "{verb} {environment} ({elapsed_seconds:.1} s; requests to Vault, reads/writes: {reads}/{writes})"
        );
    }
    text
}

/// What a copy did.
pub fn copy(document: &CopyDocument) -> String {
    let mut text = changed(&document.applied);
    list(
        &mut text,
        "There already with another value, and left alone (--overwrite takes the copied one)",
        &document.differing,
    );
    for Rename { from, to } in &document.proposed {
        let _ = writeln!(text, "phalanx has renamed {from} since; add --rename {from}={to} to follow it");
    }
    text
}

fn changed(applied: &Applied) -> String {
    let mut text = String::new();
    list(&mut text, "Created", &applied.created);
    list(&mut text, "Updated", &applied.updated);
    list(&mut text, "Deleted", &applied.deleted);
    text
}
