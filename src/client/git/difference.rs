//! Which files differ between two trees. Renames are never followed: pairing files by likeness once gave production's
//! settings to a test environment.

use super::GitError;
use super::pair::Pair;
use gix::ObjectId;
use gix::object::tree::diff::ChangeDetached;
use std::collections::BTreeMap;

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It has other content, or another type.
    Modified,
    /// It is gone.
    Deleted,
}

/// One file that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileChange {
    /// How.
    pub change: Change,
    /// What it was.
    pub from: Option<ObjectId>,
    /// What it is.
    pub to: Option<ObjectId>,
}

/// Files that differ, by path.
pub type Difference = BTreeMap<String, FileChange>;

impl Pair {
    /// The files that differ from one tree to another; no tree is an empty one.
    pub fn difference(&self, from: Option<ObjectId>, to: ObjectId) -> Result<Difference, GitError> {
        let failed = || GitError::reading(&self.place, "the difference of two trees");
        let from = from.map(|id| self.repository.find_tree(id)).transpose().map_err(failed())?;
        let to = self.repository.find_tree(to).map_err(failed())?;
        let options = gix::diff::Options::default();
        let changes = self.repository.diff_tree_to_tree(from.as_ref(), Some(&to), Some(options)).map_err(failed())?;
        let mut files = Difference::new();
        for change in changes {
            match change {
                ChangeDetached::Addition { location, entry_mode, id, .. } if !entry_mode.is_tree() => {
                    note(&mut files, location.to_string(), None, Some(id));
                }
                ChangeDetached::Deletion { location, entry_mode, id, .. } if !entry_mode.is_tree() => {
                    note(&mut files, location.to_string(), Some(id), None);
                }
                ChangeDetached::Modification { location, previous_entry_mode, previous_id, entry_mode, id } => {
                    let from = (!previous_entry_mode.is_tree()).then_some(previous_id);
                    let to = (!entry_mode.is_tree()).then_some(id);
                    note(&mut files, location.to_string(), from, to);
                }
                _ => {}
            }
        }
        Ok(files)
    }
}

/// A file that becomes a link is told as a deletion and an addition: that is one modified file.
fn note(files: &mut Difference, path: String, from: Option<ObjectId>, to: Option<ObjectId>) {
    let known = files.get(&path);
    let from = from.or(known.and_then(|known| known.from));
    let to = to.or(known.and_then(|known| known.to));
    let change = match (from, to) {
        (None, Some(_)) => Change::Added,
        (Some(_), None) => Change::Deleted,
        (Some(_), Some(_)) => Change::Modified,
        (None, None) => return,
    };
    files.insert(path, FileChange { change, from, to });
}
