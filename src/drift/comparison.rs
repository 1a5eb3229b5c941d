//! Fork and upstream side by side: the figures that need Git alone.

use super::error::DriftError;
use crate::client::git::{CommitId, CommitTree, Difference, Git, History, Merge, Pair, Repository};
use std::collections::BTreeSet;

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// A path or URL.
    pub repository: String,
    /// A branch, tag or commit.
    pub reference: String,
}

/// Fork and upstream, compared.
pub struct Comparison {
    /// Both repositories as one.
    pub pair: Pair,
    /// The fork's commit.
    pub fork: CommitId,
    /// Upstream's commit.
    pub upstream: CommitId,
    /// Where they parted: the first of the merge bases in the order of their ids, as all figures take it.
    pub base: Option<CommitId>,
    /// The commits between them.
    pub history: History,
    /// Files that the fork changed since the base.
    pub fork_changes: Difference,
    /// Files that upstream changed since the base.
    pub upstream_changes: Difference,
    /// What a merge would give.
    pub merge: Merge,
}

impl Comparison {
    /// Opens both sides and compares them.
    pub fn open(git: &Git, fork: &Side, upstream: &Side) -> Result<Self, DriftError> {
        let (fork_repository, fork) = git.open_at(&fork.repository, &fork.reference)?;
        let (upstream_repository, upstream) = git.open_at(&upstream.repository, &upstream.reference)?;
        Self::of(&fork_repository, fork, &upstream_repository, upstream)
    }

    /// Compares two commits.
    pub fn of(
        fork_repository: &Repository,
        fork: CommitId,
        upstream_repository: &Repository,
        upstream: CommitId,
    ) -> Result<Self, DriftError> {
        let pair = Pair::join(fork_repository, upstream_repository)?;
        let history = pair.history(fork, upstream)?;
        let base = history.merge_bases.first().copied();
        let base_tree = base.map(|base| pair.tree_id(base)).transpose()?;
        let fork_changes = pair.difference(base_tree, pair.tree_id(fork)?)?;
        let upstream_changes = pair.difference(base_tree, pair.tree_id(upstream)?)?;
        let merge = pair.merge(&history, fork, upstream)?;
        Ok(Self { pair, fork, upstream, base, history, fork_changes, upstream_changes, merge })
    }

    /// Files that both sides changed, alike or not.
    pub fn changed_by_both(&self) -> Vec<String> {
        self.fork_changes.keys().filter(|path| self.upstream_changes.contains_key(*path)).cloned().collect()
    }

    /// Files of the fork's changes that `outside` selects and that are not the same upstream.
    pub fn still_different(&self, outside: impl Fn(&str) -> bool) -> Vec<String> {
        let differs = |path: &str, fork: Option<gix::ObjectId>| match self.upstream_changes.get(path) {
            Some(upstream) => upstream.to != fork,
            None => true,
        };
        let changes = self.fork_changes.iter();
        changes
            .filter(|(path, change)| outside(path) && differs(path, change.to))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// The files at the base; nothing when there is none.
    pub fn base_tree(&self) -> Result<Option<CommitTree>, DriftError> {
        Ok(self.base.map(|base| self.pair.tree(base)).transpose()?)
    }

    /// The fork's files.
    pub fn fork_tree(&self) -> Result<CommitTree, DriftError> {
        Ok(self.pair.tree(self.fork)?)
    }

    /// Upstream's files.
    pub fn upstream_tree(&self) -> Result<CommitTree, DriftError> {
        Ok(self.pair.tree(self.upstream)?)
    }

    /// The files after a merge.
    pub fn merged_tree(&self) -> CommitTree {
        self.pair.tree_of(self.merge.tree, "the merge")
    }

    /// Commits that are merges.
    pub fn merges(&self, places: &[usize]) -> usize {
        places.iter().filter(|place| self.history.nodes[**place].parents.len() > 1).count()
    }

    /// Every path that either side changed.
    pub fn changed_paths(&self) -> BTreeSet<&str> {
        self.fork_changes.keys().chain(self.upstream_changes.keys()).map(String::as_str).collect()
    }
}
