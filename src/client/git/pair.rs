//! Two repositories read as one, so that their histories can be compared.

use super::{CommitId, CommitTree, GitError, Repository};
use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use std::collections::BTreeSet;
use std::path::Path;

/// A fork and its upstream, read through one object store.
///
/// A throw-away directory names the objects of both as alternates: neither is written to, and no object is copied.
/// What a merge makes is kept in memory.
pub struct Pair {
    /// Deleted with the pair.
    _directory: tempfile::TempDir,
    pub(super) repository: gix::Repository,
    pub(super) place: String,
    pub(super) shallow: BTreeSet<CommitId>,
}

/// A commit as people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitText {
    /// The first line of its message.
    pub subject: String,
    /// Everything after it.
    pub body: String,
    /// Who wrote it.
    pub author: String,
}

impl Pair {
    /// Joins two repositories; they may be the same one.
    pub fn join(fork: &Repository, upstream: &Repository) -> Result<Self, GitError> {
        let place = if fork.place() == upstream.place() {
            fork.place().to_owned()
        } else {
            format!("{} and {}", fork.place(), upstream.place())
        };
        let mut stores = vec![fork.objects(), upstream.objects()];
        stores.dedup();
        let directory =
            tempfile::tempdir().map_err(|source| GitError::Write { path: "a temporary directory".into(), source })?;
        write_skeleton(directory.path(), &stores)
            .map_err(|source| GitError::Write { path: directory.path().display().to_string(), source })?;
        let options = gix::open::Options::isolated().open_path_as_is(true);
        let mut repository = gix::open_opts(directory.path(), options)
            .map_err(|source| GitError::NotARepository { path: directory.path().display().to_string(), source })?
            .with_object_memory();
        repository.object_cache_size(16 << 20);
        let mut shallow: BTreeSet<CommitId> = fork.shallow_boundary()?.into_iter().collect();
        shallow.extend(upstream.shallow_boundary()?);
        Ok(Self { _directory: directory, repository, place, shallow })
    }

    /// For people: both repositories.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The files at a commit.
    pub fn tree(&self, commit: CommitId) -> Result<CommitTree, GitError> {
        let root = self.tree_id(commit)?;
        Ok(CommitTree::at(self.repository.clone(), format!("commit {}", commit.to_hex_with_len(9)), commit, root))
    }

    /// The files of a tree that is no commit, such as a merge; `name` is for people.
    pub fn tree_of(&self, root: ObjectId, name: &str) -> CommitTree {
        CommitTree::at(self.repository.clone(), name.to_owned(), ObjectId::null(root.kind()), root)
    }

    /// The root folder of a commit.
    pub fn tree_id(&self, commit: CommitId) -> Result<ObjectId, GitError> {
        self.repository
            .find_commit(commit)
            .and_then(|found| Ok(found.tree_id()?.detach()))
            .map_err(GitError::reading(&self.place, format!("commit {commit}")))
    }

    /// The entries of a folder by its id that `keep` selects by name and whether they are folders: name, whether it is a
    /// folder, id. Thousands of folders are read for a report, of each a few entries matter.
    pub fn folder(
        &self,
        id: ObjectId,
        keep: impl Fn(&str, bool) -> bool,
    ) -> Result<Vec<(String, bool, ObjectId)>, GitError> {
        let failed = || GitError::reading(&self.place, format!("tree {id}"));
        let found = self.repository.find_tree(id).map_err(failed())?;
        let mut entries = Vec::new();
        for entry in found.iter() {
            let entry = entry.map_err(failed())?;
            let (name, is_folder) = (entry.filename().to_str_lossy(), entry.mode().is_tree());
            if keep(&name, is_folder) {
                entries.push((name.into_owned(), is_folder, entry.object_id()));
            }
        }
        Ok(entries)
    }

    /// The versions of a file along the first parents of a commit, newest first; a history that was cut off ends there.
    pub fn versions_of(&self, commit: CommitId, path: &str, commits: usize) -> Result<Vec<ObjectId>, GitError> {
        let failed = || GitError::reading(&self.place, format!("the history of {path}"));
        let mut versions: Vec<ObjectId> = Vec::new();
        let mut here = Some(commit);
        for _ in 0..commits {
            let Some(id) = here else { break };
            let Ok(found) = self.repository.find_commit(id) else { break };
            let tree = found.tree().map_err(failed())?;
            if let Some(entry) = tree.lookup_entry_by_path(path).map_err(failed())?
                && versions.last() != Some(&entry.object_id())
            {
                versions.push(entry.object_id());
            }
            here = found.parent_ids().next().map(gix::Id::detach);
        }
        Ok(versions)
    }

    /// What the author of a commit wrote.
    pub fn text(&self, commit: CommitId) -> Result<CommitText, GitError> {
        let failed = || GitError::reading(&self.place, format!("commit {commit}"));
        let found = self.repository.find_commit(commit).map_err(failed())?;
        let raw = String::from_utf8_lossy(found.message_raw_sloppy()).into_owned();
        let (subject, body) = raw.split_once('\n').unwrap_or((&raw, ""));
        let author = found.author().map_err(failed())?;
        Ok(CommitText {
            subject: subject.trim().to_owned(),
            body: body.trim().to_owned(),
            author: String::from_utf8_lossy(author.name).into_owned(),
        })
    }

    /// The content of a blob.
    pub fn blob(&self, path: &str, id: ObjectId) -> Result<Vec<u8>, GitError> {
        let object = self.repository.find_object(id).map_err(GitError::reading(&self.place, path))?;
        Ok(object.detach().data)
    }
}

/// The least that makes a directory a repository.
fn write_skeleton(directory: &Path, stores: &[std::path::PathBuf]) -> std::io::Result<()> {
    std::fs::create_dir_all(directory.join("objects/info"))?;
    std::fs::create_dir_all(directory.join("refs"))?;
    std::fs::write(directory.join("HEAD"), "ref: refs/heads/none\n")?;
    let mut alternates = String::new();
    for store in stores {
        let store = std::path::absolute(store)?;
        alternates.push_str(&store.to_string_lossy());
        alternates.push('\n');
    }
    std::fs::write(directory.join("objects/info/alternates"), alternates)
}
