//! The files of a checkout, wherever they lie.

use crate::error::{Explain, Kind};
use std::path::{Path, PathBuf};

/// Why a tree cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path} in {place}")]
pub struct TreeError {
    /// The repository and commit, or the directory.
    pub place: String,
    /// The file or folder, relative to the root.
    pub path: String,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Explain for TreeError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn help(&self) -> Vec<String> {
        vec!["a partial or damaged clone lacks files: fetch the branch again".into()]
    }
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name, without the folder.
    pub name: String,
    /// Whether it is a folder itself.
    pub is_folder: bool,
}

/// A read-only tree of files. Paths are relative to its root, with `/`.
pub trait Tree: Send + Sync {
    /// For people: repository, branch and commit, or the directory.
    fn place(&self) -> String;

    /// The content of a file; nothing when there is none.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, TreeError>;

    /// The entries of a folder, sorted by name; empty when there is no such folder. The root is `""`.
    fn list(&self, folder: &str) -> Result<Vec<Entry>, TreeError>;

    /// A text that is equal exactly when the content of the file or folder is; nothing when it is not there.
    fn identity(&self, path: &str) -> Result<Option<String>, TreeError>;
}

/// A directory as a tree: for checkouts that are not (yet) a commit, such as test data.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// The tree below this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    fn error(&self, path: &str, source: std::io::Error) -> TreeError {
        TreeError { place: self.place(), path: path.to_owned(), source: source.into() }
    }
}

impl Tree for Directory {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, TreeError> {
        match std::fs::read(self.0.join(path)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.error(path, error)),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>, TreeError> {
        let listing = match std::fs::read_dir(self.0.join(folder)) {
            Ok(listing) => listing,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(self.error(folder, error)),
        };
        let mut entries = Vec::new();
        for entry in listing {
            let entry = entry.map_err(|error| self.error(folder, error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            entries.push(Entry { name, is_folder: entry.path().is_dir() });
        }
        entries.sort();
        Ok(entries)
    }

    fn identity(&self, path: &str) -> Result<Option<String>, TreeError> {
        use sha2::{Digest, Sha256};
        if let Some(content) = self.read(path)? {
            return Ok(Some(hex::encode(Sha256::digest(content))));
        }
        if !Path::new(&self.0).join(path).is_dir() {
            return Ok(None);
        }
        let mut digest = Sha256::new();
        for entry in self.list(path)? {
            let below = if path.is_empty() { entry.name.clone() } else { format!("{path}/{}", entry.name) };
            digest.update(format!("{}\0{:?}\0", entry.name, self.identity(&below)?));
        }
        Ok(Some(hex::encode(digest.finalize())))
    }
}

/// No such file, or a folder where a file was asked for (or the other way round).
fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory)
}
