//! What a merge would give, in memory and without rename detection.

use super::history::History;
use super::pair::Pair;
use super::{CommitId, GitError};
use gix::ObjectId;
use gix::merge::blob::builtin_driver::text::Labels;
use gix::merge::tree::{Conflict as GixConflict, Resolution, ResolutionFailure, TreatAsUnresolved};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a file cannot be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConflictKind {
    /// Both sides changed the same lines.
    #[serde(rename = "content")]
    Content,
    /// Both sides added it, with different content.
    #[serde(rename = "add/add")]
    AddAdd,
    /// One side changed what the other deleted.
    #[serde(rename = "modify/delete")]
    ModifyDelete,
    /// One side has a folder where the other has a file.
    #[serde(rename = "file/directory")]
    FileDirectory,
    /// A file on one side, a link or submodule on the other.
    #[serde(rename = "distinct types")]
    DistinctTypes,
}

impl std::fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Content => "content",
            Self::AddAdd => "add/add",
            Self::ModifyDelete => "modify/delete",
            Self::FileDirectory => "file/directory",
            Self::DistinctTypes => "distinct types",
        })
    }
}

/// A merge that was not made.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The merged tree. A file in conflict has the fork's content there (upstream's where the fork deleted it), so that
    /// what is read from it is a file that exists.
    pub tree: ObjectId,
    /// Files that a person must merge, by path.
    pub conflicts: BTreeMap<String, ConflictKind>,
    /// The files in conflict as a merge would leave them, with conflict markers.
    pub marked: BTreeMap<String, ObjectId>,
}

impl Pair {
    /// Merges upstream into the fork, in memory.
    pub fn merge(&self, history: &History, fork: CommitId, upstream: CommitId) -> Result<Merge, GitError> {
        let base = self.base_tree(&history.merge_bases, 1)?;
        let (ours, theirs) = (self.tree_id(fork)?, self.tree_id(upstream)?);
        let failed = || GitError::reading(&self.place, "the merge of the two");
        // Without rename detection every engine gives the same list, and it is 35 times as fast.
        let options = self.repository.tree_merge_options().map_err(failed())?.with_rewrites(None);
        let mut outcome =
            self.repository.merge_trees(base, ours, theirs, labels("fork", "upstream"), options).map_err(failed())?;
        let mut merge = Merge { tree: base, conflicts: BTreeMap::new(), marked: BTreeMap::new() };
        for conflict in &outcome.conflicts {
            if !conflict.is_unresolved(TreatAsUnresolved::git()) {
                continue;
            }
            let path = conflict.ours.location().to_string();
            merge.conflicts.insert(path.clone(), kind(conflict));
            if let Some(content) = conflict.content_merge() {
                merge.marked.insert(path.clone(), content.merged_blob_id);
            }
            let [_, ours, theirs] = conflict.entries();
            if let Some(kept) = ours.or(theirs).filter(|kept| kept.mode.is_no_tree()) {
                outcome.tree.upsert(path.as_str(), kept.mode.kind(), kept.id).map_err(failed())?;
            }
        }
        merge.tree = outcome.tree.write().map_err(failed())?.detach();
        Ok(merge)
    }
}

/// The names of the two sides in conflict markers.
pub(super) fn labels<'a>(ours: &'a str, theirs: &'a str) -> Labels<'a> {
    Labels { ancestor: Some("base".into()), current: Some(ours.into()), other: Some(theirs.into()) }
}

fn kind(conflict: &GixConflict) -> ConflictKind {
    match &conflict.resolution {
        Err(ResolutionFailure::OursModifiedTheirsDeleted | ResolutionFailure::OursDeletedTheirsRenamed) => {
            ConflictKind::ModifyDelete
        }
        Err(
            ResolutionFailure::OursModifiedTheirsDirectoryThenOursRenamed { .. }
            | ResolutionFailure::OursDirectoryTheirsNonDirectoryTheirsRenamed { .. },
        ) => ConflictKind::FileDirectory,
        Ok(Resolution::OursModifiedTheirsModifiedThenBlobContentMerge { .. }) if conflict.entries[0].is_none() => {
            ConflictKind::AddAdd
        }
        Ok(_) => ConflictKind::Content,
        Err(_) => ConflictKind::DistinctTypes,
    }
}
