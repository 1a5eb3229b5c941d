//! Where the sandbox keeps things: one folder, readable by its owner only, and nothing outside it.

use super::SandboxError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Tells our folder from any other: without it nothing is ever removed.
const MARKER: &str = "rsp-install-sandbox";

/// The state folder.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder at this place, whether it exists or not.
    pub(super) fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The folder itself.
    pub(super) fn root(&self) -> &Path {
        &self.0
    }

    /// A path inside.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.0.join(relative)
    }

    /// The log of a server.
    pub(super) fn log(&self, server: &str) -> PathBuf {
        self.0.join("logs").join(format!("{server}.log"))
    }

    /// Whether it was made by us.
    pub(super) fn is_ours(&self) -> bool {
        self.path(MARKER).is_file()
    }

    /// Makes the folder and those inside it; refuses one that holds somebody else's files.
    pub(super) fn create(&self) -> Result<(), SandboxError> {
        let foreign = fs::read_dir(&self.0).is_ok_and(|mut entries| entries.next().is_some()) && !self.is_ours();
        if foreign {
            return Err(SandboxError::ForeignFolder { folder: self.0.clone() });
        }
        for inside in
            ["", "logs", "audit", "certificates", "clients", "data", "data/vault", "data/redis", "data/argocd"]
        {
            let path = self.0.join(inside);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(SandboxError::file("create", path))?;
        }
        self.write(MARKER, b"the sandbox of rsp-install; `rsp-install sandbox down` removes this folder\n")
    }

    /// Removes the folder with all that is in it, if it is ours.
    pub(super) fn remove(&self) -> Result<(), SandboxError> {
        if self.is_ours() {
            fs::remove_dir_all(&self.0).map_err(SandboxError::file("remove", &self.0))?;
        }
        Ok(())
    }

    /// Writes a file at once and whole, for its owner only.
    pub(super) fn write(&self, relative: &str, content: &[u8]) -> Result<(), SandboxError> {
        let path = self.path(relative);
        let written = || {
            let parent = path.parent().unwrap_or(&self.0);
            let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(parent)?;
            file.write_all(content)?;
            file.persist(&path).map_err(|error| error.error)
        };
        written().map(drop).map_err(SandboxError::file("write", &path))
    }

    /// Writes a value as JSON.
    pub(super) fn write_json(&self, relative: &str, value: &impl Serialize) -> Result<(), SandboxError> {
        let damaged =
            |source: serde_json::Error| SandboxError::Damaged { path: self.path(relative), source: source.into() };
        self.write(relative, &serde_json::to_vec_pretty(value).map_err(damaged)?)
    }

    /// Reads a text; nothing when there is none.
    pub(super) fn read(&self, relative: &str) -> Result<Option<String>, SandboxError> {
        let path = self.path(relative);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SandboxError::file("read", path)(error)),
        }
    }

    /// Reads a JSON value; nothing when there is none.
    pub(super) fn read_json<T: DeserializeOwned>(&self, relative: &str) -> Result<Option<T>, SandboxError> {
        let Some(text) = self.read(relative)? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| SandboxError::Damaged { path: self.path(relative), source: source.into() })
    }

    /// Opens a server's log at its end.
    pub(super) fn open_log(&self, server: &str) -> Result<File, SandboxError> {
        let path = self.log(server);
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        opened.map_err(SandboxError::file("write", path))
    }

    /// Removes the logs of the last start: what is read after a fault is of this one.
    pub(super) fn forget_logs(&self) -> Result<(), SandboxError> {
        let logs = self.path("logs");
        let removed = fs::read_dir(&logs)
            .and_then(|entries| entries.flatten().try_for_each(|entry| fs::remove_file(entry.path())));
        removed.map_err(SandboxError::file("remove", logs))
    }

    /// The last lines of a server's log.
    pub(super) fn log_end(&self, server: &str) -> String {
        const LINES: usize = 12;
        let text = fs::read(self.log(server)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_of_somebody_else_is_neither_used_nor_removed() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("thesis.tex"), "").unwrap();
        let folder = Folder::new(place.path());
        assert!(matches!(folder.create(), Err(SandboxError::ForeignFolder { .. })));
        folder.remove().unwrap();
        assert!(place.path().join("thesis.tex").exists());
    }

    #[test]
    fn folder_and_files_are_for_their_owner_only() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().join("sandbox"));
        folder.create().unwrap();
        folder.write("token", b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.root()), 0o700);
        assert_eq!(mode(&folder.path("token")), 0o600);
        folder.remove().unwrap();
        assert!(!folder.root().exists());
    }
}
