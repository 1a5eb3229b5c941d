//! A commit as a tree of files.

use super::{CommitId, GitError, Repository};
use crate::phalanx::tree::{Entry, Tree, TreeError};
use gix::ObjectId;
use gix::object::tree::EntryKind;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many symbolic links are followed for one path, as Linux does.
const LINKS: usize = 40;

/// The entries of one folder, in Git's order.
pub(super) type Folder = Arc<Vec<(String, EntryKind, ObjectId)>>;

/// The files of a repository at one commit. The identity of a file or folder is the id of its Git object.
///
/// Symbolic links are followed inside the tree; one that leads out of it is an error. Folders are decoded once.
pub struct CommitTree {
    place: String,
    commit: CommitId,
    root: ObjectId,
    reader: Mutex<Reader>,
}

struct Reader {
    repository: gix::Repository,
    folders: HashMap<ObjectId, Folder>,
}

/// A file or folder that was found.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) kind: EntryKind,
    pub(super) id: ObjectId,
}

impl CommitTree {
    pub(super) fn new(repository: &Repository, commit: CommitId) -> Result<Self, GitError> {
        let handle = repository.handle();
        let root = handle
            .find_commit(commit)
            .and_then(|found| Ok(found.tree_id()?.detach()))
            .map_err(GitError::reading(repository.place(), format!("commit {commit}")))?;
        Ok(Self::at(handle, format!("{} at {}", repository.place(), commit.to_hex_with_len(9)), commit, root))
    }

    /// A tree that need not belong to a commit of the repository, such as the result of a merge.
    pub(super) fn at(mut handle: gix::Repository, place: String, commit: CommitId, root: ObjectId) -> Self {
        handle.object_cache_size_if_unset(4 << 20);
        Self { place, commit, root, reader: Mutex::new(Reader { repository: handle, folders: HashMap::new() }) }
    }

    /// The commit.
    pub fn commit(&self) -> CommitId {
        self.commit
    }

    /// The id of the root folder.
    pub fn root(&self) -> ObjectId {
        self.root
    }

    pub(super) fn folder(&self, path: &str, id: ObjectId) -> Result<Folder, TreeError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = reader.folders.get(&id) {
            return Ok(Arc::clone(folder));
        }
        let object = self.object(&reader.repository, path, id)?;
        let tree =
            gix::objs::TreeRef::from_bytes(&object.data, id.kind()).map_err(|source| self.failed(path, source))?;
        let entries = tree
            .entries
            .iter()
            .map(|entry| (entry.filename.to_string(), entry.mode.kind(), entry.oid.to_owned()))
            .collect();
        drop(object);
        let folder: Folder = Arc::new(entries);
        reader.folders.insert(id, Arc::clone(&folder));
        Ok(folder)
    }

    pub(super) fn blob(&self, path: &str, id: ObjectId) -> Result<Vec<u8>, TreeError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut object = self.object(&reader.repository, path, id)?;
        Ok(std::mem::take(&mut object.data))
    }

    fn object<'a>(&self, from: &'a gix::Repository, path: &str, id: ObjectId) -> Result<gix::Object<'a>, TreeError> {
        from.try_find_object(id).map_err(|source| self.failed(path, source))?.ok_or_else(|| {
            let (place, object) = (self.place.clone(), id.to_string());
            self.failed(path, GitError::MissingObject { place, object, path: path.to_owned() })
        })
    }

    /// Walks to a path, following symbolic links on the way and at its end.
    pub(super) fn find(&self, path: &str) -> Result<Option<Found>, TreeError> {
        let mut waiting: Vec<String> = components(path);
        let mut done: Vec<(String, ObjectId)> = Vec::new();
        let mut here = Found { kind: EntryKind::Tree, id: self.root };
        let mut links = 0;
        while let Some(name) = waiting.pop() {
            if here.kind != EntryKind::Tree {
                return Ok(None);
            }
            if name == ".." {
                let Some((_, parent)) = done.pop() else {
                    return Err(self.link_error(path, "leads out of the repository"));
                };
                here = Found { kind: EntryKind::Tree, id: parent };
                continue;
            }
            let folder = self.folder(path, here.id)?;
            let Some((_, kind, id)) = folder.iter().find(|(entry, ..)| *entry == name) else { return Ok(None) };
            if *kind == EntryKind::Link {
                links += 1;
                if links > LINKS {
                    return Err(self.link_error(path, "goes round in a circle of symbolic links"));
                }
                let target = self.blob(path, *id)?;
                let target = String::from_utf8_lossy(&target).into_owned();
                if target.starts_with('/') {
                    return Err(self.link_error(path, "leads out of the repository"));
                }
                waiting.extend(components(&target));
                continue;
            }
            done.push((name, here.id));
            here = Found { kind: *kind, id: *id };
        }
        Ok(Some(here))
    }

    fn failed(&self, path: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TreeError {
        TreeError { place: self.place.clone(), path: path.to_owned(), source: source.into() }
    }

    fn link_error(&self, path: &str, reason: &'static str) -> TreeError {
        self.failed(path, GitError::Unsafe { place: self.place.clone(), path: path.to_owned(), reason })
    }
}

/// The parts of a path, last first.
fn components(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").rev().map(str::to_owned).collect()
}

impl Tree for CommitTree {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, TreeError> {
        match self.find(path)? {
            Some(Found { kind: EntryKind::Blob | EntryKind::BlobExecutable, id }) => self.blob(path, id).map(Some),
            _ => Ok(None),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>, TreeError> {
        let Some(Found { kind: EntryKind::Tree, id }) = self.find(folder)? else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        for (name, kind, _) in self.folder(folder, id)?.iter() {
            let is_folder = match kind {
                EntryKind::Tree => true,
                // A link that leads nowhere is listed, as a directory on disk lists it.
                EntryKind::Link => {
                    matches!(self.find(&format!("{folder}/{name}")), Ok(Some(Found { kind: EntryKind::Tree, .. })))
                }
                _ => false,
            };
            entries.push(Entry { name: name.clone(), is_folder });
        }
        entries.sort();
        Ok(entries)
    }

    fn identity(&self, path: &str) -> Result<Option<String>, TreeError> {
        Ok(self.find(path)?.map(|found| found.id.to_string()))
    }
}
