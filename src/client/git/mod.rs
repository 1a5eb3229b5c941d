//! Git repositories, read with gix: no Git binary, nothing written to a repository of the user.
//!
//! Promises: a local repository (bare or with a work tree) is read in place; one behind `https://` is kept as a bare
//! clone in our cache and fetched incrementally; a branch, tag or commit becomes one commit, or the error lists the
//! names that come near; a commit is a [`crate::phalanx::tree::Tree`]. Uncommitted changes are never looked at. Two
//! repositories are compared as one [`Pair`]: history, differing files, a merge in memory.
//!
//! Leaves to others: what the files mean. Everything here blocks: asynchronous callers use `spawn_blocking`.

mod commit_tree;
mod difference;
mod error;
mod export;
mod fetch;
mod history;
mod location;
mod merge;
mod near;
mod pair;
mod progress;
mod repository;
mod virtual_base;

pub use commit_tree::CommitTree;
pub use difference::{Change, Difference, FileChange};
pub use error::GitError;
pub use history::{History, Node};
pub use location::Location;
pub use merge::{ConflictKind, Merge};
pub use pair::{CommitText, Pair};
pub use repository::{CommitId, Repository};

use crate::engine::Events;
use crate::process::Process;
use std::path::PathBuf;

/// Opens repositories for one process: knows its directories and whom to tell of progress.
#[derive(Clone)]
pub struct Git {
    clones: PathBuf,
    directory: PathBuf,
    home: Option<PathBuf>,
    events: Events,
}

impl Git {
    /// For this process; clones are kept below its cache.
    pub fn new(process: &Process, events: Events) -> Self {
        Self { clones: process.cache().join("git"), directory: process.directory.clone(), home: process.home(), events }
    }

    /// Opens a repository: a path, `~/path`, a `file://` URL, or an `http(s)://` URL, which is fetched first.
    pub fn open(&self, repository: &str) -> Result<Repository, GitError> {
        match self.locate(repository)? {
            Location::Local(path) => Repository::local(repository, &path),
            Location::Remote(url) => {
                let clone = fetch::clone_path(&self.clones, &url);
                fetch::update(&clone, &url, &[], &self.events)?;
                Repository::clone_of(&url, &clone)
            }
        }
    }

    /// The files of `repository` at a branch, tag or commit.
    ///
    /// A full commit id that an earlier fetch brought is read without asking the server: what it names cannot change.
    pub fn checkout(&self, repository: &str, reference: &str) -> Result<CommitTree, GitError> {
        let (opened, commit) = self.open_at(repository, reference)?;
        opened.tree(commit)
    }

    /// Opens a repository and resolves a branch, tag or commit in it.
    pub fn open_at(&self, repository: &str, reference: &str) -> Result<(Repository, CommitId), GitError> {
        let opened = match self.locate(repository)? {
            Location::Local(path) => Repository::local(repository, &path)?,
            Location::Remote(url) => {
                let clone = fetch::clone_path(&self.clones, &url);
                if let Some(known) = Repository::clone_of(&url, &clone).ok().filter(|known| known.has(reference)) {
                    known
                } else {
                    let wanted: Vec<&str> =
                        Some(reference).filter(|name| name.starts_with("refs/")).into_iter().collect();
                    fetch::update(&clone, &url, &wanted, &self.events)?;
                    Repository::clone_of(&url, &clone)?
                }
            }
        };
        let commit = opened.resolve(reference)?;
        if let Some(note) = opened.differs_from_origin(reference, commit) {
            self.events.note(note);
        }
        Ok((opened, commit))
    }

    fn locate(&self, repository: &str) -> Result<Location, GitError> {
        Location::parse(repository, &self.directory, self.home.as_deref())
    }
}
