//! One base out of several: criss-cross merges leave more than one best common ancestor.
//!
//! Done as Git's `ort` does it, so that the conflicts are Git's: the bases are merged with one another, oldest first;
//! conflicts stay in the text with longer markers, and where a file was changed and deleted the older state stays. gix
//! has a merge of its own for this, which takes one side silently and so finds fewer conflicts.

use super::merge::labels;
use super::pair::Pair;
use super::{CommitId, GitError};
use gix::ObjectId;
use gix::merge::blob::builtin_driver::{binary, text};
use gix::merge::plumbing::tree as plumbing;

impl Pair {
    /// The tree to merge against: empty, that of the one base, or a merge of several.
    pub(super) fn base_tree(&self, bases: &[CommitId], depth: u8) -> Result<ObjectId, GitError> {
        match bases {
            [] => Ok(ObjectId::empty_tree(self.repository.object_hash())),
            [one] => self.tree_id(*one),
            several => {
                let mut oldest_first = Vec::with_capacity(several.len());
                for base in several {
                    oldest_first.push((self.time(*base)?, *base));
                }
                oldest_first.sort();
                let mut merged = oldest_first[0].1;
                for (_, next) in &oldest_first[1..] {
                    merged = self.merge_bases(merged, *next, depth)?;
                }
                self.tree_id(merged)
            }
        }
    }

    /// Merges two bases into a commit that exists in memory only.
    fn merge_bases(&self, one: CommitId, other: CommitId, depth: u8) -> Result<CommitId, GitError> {
        let below = self.history(one, other)?.merge_bases;
        let base = self.base_tree(&below, depth.saturating_add(1))?;
        let failed = || GitError::reading(&self.place, "the merge of several merge bases");
        let repository = &self.repository;
        let options = repository.tree_merge_options().map_err(failed())?.with_rewrites(None);
        let mut options: plumbing::Options = options.into();
        options.tree_conflicts = Some(plumbing::ResolveWith::Ancestor);
        options.symlink_conflicts = Some(binary::ResolveWith::Ancestor);
        options.blob_merge.is_virtual_ancestor = true;
        options.blob_merge.resolve_binary_with = Some(binary::ResolveWith::Ancestor);
        options.marker_size_multiplier = depth;
        let outcome = gix::merge::plumbing::tree(
            &base,
            &self.tree_id(one)?,
            &self.tree_id(other)?,
            text::Labels { ancestor: None, ..labels("Temporary merge branch 1", "Temporary merge branch 2") },
            &repository.objects,
            |content| repository.write_blob(content).map(gix::Id::detach),
            &mut gix::diff::tree::State::default(),
            &mut repository.diff_resource_cache_for_tree_diff().map_err(failed())?,
            &mut repository
                .merge_resource_cache(gix::merge::blob::pipeline::WorktreeRoots::default())
                .map_err(failed())?,
            options,
        );
        let mut outcome = outcome.map_err(failed())?;
        let tree = outcome.tree.write(|tree| repository.write_object(tree).map(gix::Id::detach)).map_err(failed())?;
        let found = repository.find_commit(one).map_err(failed())?;
        let mut commit = found.decode().and_then(gix::objs::CommitRef::to_owned).map_err(failed())?;
        commit.parents = vec![one, other].into();
        commit.tree = tree;
        Ok(repository.write_object(&commit).map_err(failed())?.detach())
    }

    fn time(&self, commit: CommitId) -> Result<i64, GitError> {
        self.repository
            .find_commit(commit)
            .and_then(|found| Ok(found.time()?.seconds))
            .map_err(GitError::reading(&self.place, format!("commit {commit}")))
    }
}
