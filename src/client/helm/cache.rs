//! Renders on disk, under the hash of everything that went into them.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Everything that decides what a render looks like.
#[derive(Default)]
pub(super) struct Key(Sha256);

impl Key {
    /// Adds one ingredient.
    pub(super) fn add(mut self, ingredient: &str) -> Self {
        self.0.update(ingredient.len().to_le_bytes());
        self.0.update(ingredient);
        self
    }

    /// The file of this render.
    pub(super) fn file(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.json", hex::encode(&self.0.finalize()[..16])))
    }
}

/// A kept render; nothing when there is none or it is damaged, which only costs rendering again.
pub(super) fn load(file: &Path) -> Option<Vec<Value>> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Keeps a render. A full disk must not end an installation: then it is rendered again next time.
pub(super) fn store(file: &Path, objects: &[Value]) {
    let keep = || -> std::io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let scratch = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(std::io::BufWriter::new(&scratch), objects)?;
        scratch.persist(file)?;
        Ok(())
    };
    let _ = keep();
}
