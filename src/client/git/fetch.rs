//! Our bare clones of remote repositories.

use super::GitError;
use super::progress::Told;
use crate::engine::Events;
use gix::bstr::ByteSlice as _;
use gix::refs::transaction::{Change, PreviousValue, RefEdit, RefLog};
use gix::remote::Direction;
use sha2::{Digest as _, Sha256};
use std::cell::Cell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Branches and tags are taken as they are at the server; what was rewritten there is rewritten here.
const REFERENCES: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/// Where the clone of a URL is kept: its last part for people, a digest for machines.
pub(super) fn clone_path(clones: &Path, url: &str) -> PathBuf {
    let digest = hex::encode(Sha256::digest(url.as_bytes()));
    let last = url.rsplit('/').next().unwrap_or_default().trim_end_matches(".git");
    let last: String = last.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    clones.join(format!("{last}-{}.git", &digest[..12]))
}

/// Brings the clone up to date: creates it when it is not there, fetches what is new, forgets deleted branches.
/// `wanted` are further full references, such as `refs/pull/14/head`.
pub(super) fn update(clone: &Path, url: &str, wanted: &[&str], events: &Events) -> Result<(), GitError> {
    let repository = open_or_create(clone, url)?;
    // The one TLS provider of this program; the second call in a process changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let specs: Vec<String> = REFERENCES
        .iter()
        .map(|spec| (*spec).to_owned())
        .chain(wanted.iter().map(|reference| format!("+{reference}:{reference}")))
        .collect();
    let remote = repository
        .remote_at(url)
        .and_then(|remote| remote.with_refspecs(specs.iter().map(String::as_str), Direction::Fetch))
        .map_err(|_| GitError::Location { repository: url.to_owned(), reason: "it is not a URL" })?
        .with_fetch_tags(gix::remote::fetch::Tags::None);
    let mut progress = Told::new(events, format!("fetch {}", url.rsplit("://").next().unwrap_or(url)));
    let asked = Cell::new(false);
    let refuse = |_| {
        asked.set(true);
        Ok(None)
    };
    let outcome = remote
        .connect(Direction::Fetch)
        // Never asks for a password, never starts a credential helper: public repositories only.
        .map(|connection| connection.with_credentials(refuse))
        .and_then(|connection| connection.prepare_fetch(&mut progress, gix::remote::ref_map::Options::default()))
        .and_then(|prepared| prepared.with_write_packed_refs_only(true).receive(progress, &AtomicBool::new(false)))
        .map_err(|source| classify(url, asked.get(), source))?;
    let there: HashSet<String> =
        outcome.ref_map.remote_refs.iter().map(|reference| reference.unpack().0.to_str_lossy().into_owned()).collect();
    forget_deleted(&repository, &there).map_err(|source| cache_error(clone, url, source))
}

fn open_or_create(clone: &Path, url: &str) -> Result<gix::Repository, GitError> {
    let open = || gix::open_opts(clone, gix::open::Options::isolated().config_overrides(overrides()));
    if let Ok(repository) = open() {
        return Ok(repository);
    }
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| cache_error(clone, url, source);
    let parent = clone.parent().unwrap_or(clone);
    std::fs::create_dir_all(parent).map_err(|error| failed(error.into()))?;
    // Made beside it and renamed: a half-made repository is never found at the final place.
    let fresh = tempfile::tempdir_in(parent).map_err(|error| failed(error.into()))?;
    gix::init_bare(fresh.path()).map_err(|error| failed(error.into()))?;
    match std::fs::rename(fresh.path(), clone) {
        Ok(()) => drop(fresh.keep()),
        // Another process was faster; its repository is as good.
        Err(_) if clone.join("HEAD").is_file() => {}
        Err(error) => return Err(failed(error.into())),
    }
    open().map_err(|error| failed(error.into()))
}

/// Reference logs of a cache need an identity; ours is not the user's.
fn overrides() -> [&'static str; 2] {
    ["committer.name=rsp-install", "committer.email=rsp-install@localhost"]
}

/// Deletes branches and tags that the server has no more: an old branch must not be installed by its name.
fn forget_deleted(
    repository: &gix::Repository,
    there: &HashSet<String>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut edits = Vec::new();
    for reference in repository.references()?.all()? {
        let name = reference?.name().to_owned();
        let text = name.as_bstr().to_str_lossy();
        let ours = text.starts_with("refs/heads/") || text.starts_with("refs/tags/");
        if ours && !there.contains(text.as_ref()) {
            let change = Change::Delete { expected: PreviousValue::Any, log: RefLog::AndReference };
            edits.push(RefEdit { change, name, deref: false });
        }
    }
    repository.edit_references(edits)?;
    Ok(())
}

fn cache_error(clone: &Path, url: &str, source: Box<dyn std::error::Error + Send + Sync>) -> GitError {
    GitError::Cache { url: url.to_owned(), path: clone.display().to_string(), source }
}

/// Tells "there is no such repository" from "the network is down". Public servers answer 401 rather than 404 for a
/// repository that a stranger must not know of.
fn classify(url: &str, login_wanted: bool, source: gix::Error) -> GitError {
    let url = url.to_owned();
    let absent = source.iter_errors().any(|error| {
        let text = error.to_string();
        text.contains("status 404") || text.contains("status 410")
    });
    if absent || login_wanted { GitError::NoSuchRemote { url, source } } else { GitError::Unreachable { url, source } }
}
