//! Writes a folder of a commit to disk, for programs that want files (Helm).

use super::commit_tree::Found;
use super::{CommitTree, GitError};
use crate::phalanx::tree::{Tree as _, TreeError};
use gix::object::tree::EntryKind;
use std::path::Path;

/// How deep folders may nest: a symbolic link to a folder above itself would never end.
const DEPTH: usize = 32;

impl CommitTree {
    /// Writes what lies below `folder` (the root is `""`) to `destination`, which is created.
    ///
    /// Symbolic links become what they lead to, so that nothing written can lead out of `destination`; names that a
    /// repository must not hold (`..`, `.git`) are refused. Executable bits are not kept: charts are data.
    pub fn export(&self, folder: &str, destination: &Path) -> Result<(), GitError> {
        match self.find(folder).map_err(|error| self.unreadable(folder, error))? {
            Some(Found { kind: EntryKind::Tree, id }) => self.write_folder(folder, id, destination, 0),
            _ => Err(self.refuse(folder, "is not a folder")),
        }
    }

    fn write_folder(&self, path: &str, id: gix::ObjectId, to: &Path, depth: usize) -> Result<(), GitError> {
        if depth > DEPTH {
            return Err(self.refuse(path, "nests too deeply"));
        }
        std::fs::create_dir_all(to).map_err(|source| GitError::Write { path: to.display().to_string(), source })?;
        let entries = self.folder(path, id).map_err(|error| self.unreadable(path, error))?;
        for (name, kind, id) in entries.iter() {
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            if !is_safe(name) {
                return Err(self.refuse(&below, "has a name that must not be written to disk"));
            }
            let found = if *kind == EntryKind::Link {
                self.find(&below).map_err(|error| self.unreadable(&below, error))?
            } else {
                Some(Found { kind: *kind, id: *id })
            };
            match found {
                Some(Found { kind: EntryKind::Tree, id }) => {
                    self.write_folder(&below, id, &to.join(name), depth + 1)?;
                }
                Some(Found { kind: EntryKind::Blob | EntryKind::BlobExecutable, id }) => {
                    let content = self.blob(&below, id).map_err(|error| self.unreadable(&below, error))?;
                    let file = to.join(name);
                    std::fs::write(&file, content)
                        .map_err(|source| GitError::Write { path: file.display().to_string(), source })?;
                }
                // Submodules hold nothing here; a link that leads nowhere has nothing to be written.
                _ => {}
            }
        }
        Ok(())
    }

    fn refuse(&self, path: &str, reason: &'static str) -> GitError {
        GitError::Unsafe { place: self.place(), path: path.to_owned(), reason }
    }

    fn unreadable(&self, path: &str, error: TreeError) -> GitError {
        GitError::Read { place: self.place(), what: path.to_owned(), source: gix::Error::from_error(error) }
    }
}

/// Whether a name of the repository may be a name on disk.
fn is_safe(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.eq_ignore_ascii_case(".git") && !name.contains(['/', '\\', '\0'])
}
