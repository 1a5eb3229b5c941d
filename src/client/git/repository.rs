//! An opened repository: names to commits.

use super::near::nearest;
use super::{CommitTree, GitError};
use gix::bstr::ByteSlice as _;
use std::path::Path;

/// The id of a commit.
pub type CommitId = gix::ObjectId;

/// A repository that can be read; cheap to clone.
#[derive(Clone)]
pub struct Repository {
    place: String,
    inner: gix::ThreadSafeRepository,
}

impl Repository {
    /// Opens one in place. Only its own configuration is read: what we answer must not depend on who asks.
    pub(super) fn local(name: &str, path: &Path) -> Result<Self, GitError> {
        Self::open(name.trim_start_matches("file://").to_owned(), path)
    }

    /// Opens our clone of a remote one.
    pub(super) fn clone_of(url: &str, path: &Path) -> Result<Self, GitError> {
        Self::open(url.to_owned(), path)
    }

    fn open(place: String, path: &Path) -> Result<Self, GitError> {
        let inner = gix::open_opts(path, gix::open::Options::isolated())
            .map_err(|source| GitError::NotARepository { path: path.display().to_string(), source })?
            .into_sync();
        Ok(Self { place, inner })
    }

    /// For people: the path or URL.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// A handle for one thread.
    pub(super) fn handle(&self) -> gix::Repository {
        self.inner.to_thread_local()
    }

    /// Where its objects lie, so that two repositories can be read as one.
    pub fn objects(&self) -> std::path::PathBuf {
        self.inner.objects_dir().to_owned()
    }

    /// Whether `reference` is the full id of a commit that is here.
    pub(super) fn has(&self, reference: &str) -> bool {
        CommitId::from_hex(reference.as_bytes()).is_ok_and(|id| self.handle().find_commit(id).is_ok())
    }

    /// Where history was cut off, if this is a shallow clone.
    pub fn shallow_boundary(&self) -> Result<Vec<CommitId>, GitError> {
        let commits =
            self.handle().shallow_commits().map_err(GitError::reading(&self.place, "the shallow boundary"))?;
        Ok(commits.map(|commits| commits.iter().copied().collect()).unwrap_or_default())
    }

    /// The commit that a branch, tag, remote branch (`origin/main`), full reference or commit id names.
    ///
    /// Branches come first: an environment file names a branch, and a tag of the same name must not change it.
    pub fn resolve(&self, reference: &str) -> Result<CommitId, GitError> {
        let repository = self.handle();
        let candidates = [
            reference.to_owned(),
            format!("refs/heads/{reference}"),
            format!("refs/tags/{reference}"),
            format!("refs/remotes/{reference}"),
            format!("refs/remotes/origin/{reference}"),
        ];
        // The bare name first only where it can be nothing else: a branch may be called like a commit's first digits.
        let full = reference == "HEAD" || reference.starts_with("refs/");
        for name in &candidates[usize::from(!full)..] {
            let Ok(Some(mut found)) = repository.try_find_reference(name.as_str()) else { continue };
            let id = found.peel_to_id().map_err(GitError::reading(&self.place, name.clone()))?.detach();
            return self.commit(&repository, id, reference);
        }
        match repository.rev_parse_single(reference) {
            Ok(id) => self.commit(&repository, id.detach(), reference),
            Err(_) => Err(self.unknown(&repository, reference)),
        }
    }

    /// The files at a commit.
    pub fn tree(&self, commit: CommitId) -> Result<CommitTree, GitError> {
        CommitTree::new(self, commit)
    }

    /// In a clone of the user: a sentence when its branch is not where its origin was when it was last fetched.
    pub(super) fn differs_from_origin(&self, branch: &str, commit: CommitId) -> Option<String> {
        let repository = self.handle();
        repository.try_find_reference(format!("refs/heads/{branch}").as_str()).ok()??;
        let name = format!("refs/remotes/origin/{branch}");
        let origin = repository.try_find_reference(name.as_str()).ok()??.peel_to_id().ok()?.detach();
        (origin != commit).then(|| {
            format!(
                "branch {branch} of {} is at {}; origin/{branch}, when it was last fetched, was at {}",
                self.place,
                commit.to_hex_with_len(9),
                origin.to_hex_with_len(9)
            )
        })
    }

    fn commit(&self, repository: &gix::Repository, id: CommitId, reference: &str) -> Result<CommitId, GitError> {
        let Some(object) = repository.try_find_object(id).map_err(GitError::reading(&self.place, reference))? else {
            return Err(GitError::MissingObject {
                place: self.place.clone(),
                object: id.to_string(),
                path: reference.to_owned(),
            });
        };
        match object.peel_to_kind(gix::object::Kind::Commit) {
            Ok(commit) => Ok(commit.id),
            Err(_) => Err(self.unknown(repository, reference)),
        }
    }

    fn unknown(&self, repository: &gix::Repository, reference: &str) -> GitError {
        GitError::UnknownReference {
            place: self.place.clone(),
            reference: reference.to_owned(),
            near: nearest(reference, names(repository), 5),
            shallow: repository.is_shallow().unwrap_or_default(),
        }
    }
}

/// Branches and tags, by the names people use.
fn names(repository: &gix::Repository) -> Vec<String> {
    let Ok(references) = repository.references() else { return Vec::new() };
    let Ok(all) = references.all() else { return Vec::new() };
    all.filter_map(Result::ok)
        .filter_map(|reference| {
            let full = reference.name().as_bstr().to_str().ok()?;
            let short =
                ["refs/heads/", "refs/tags/", "refs/remotes/"].iter().find_map(|start| full.strip_prefix(start));
            short.map(str::to_owned)
        })
        .collect()
}
