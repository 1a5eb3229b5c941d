//! Which sandbox is meant, and what it is made of.

use super::SandboxError;
use super::folder::Folder;
use super::tools::Tools;
use crate::process::Process;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const FILE: &str = "settings.json";

/// What `up` needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The sandbox's name.
    pub name: String,
    /// Its state folder.
    pub state: PathBuf,
    /// The folder of the servers' programs.
    pub tools: PathBuf,
    /// Our own program, which becomes the daemon.
    pub program: PathBuf,
}

impl Settings {
    /// The sandbox of this name at its usual place, run by the program that asks.
    pub fn new(name: &str, process: &Process) -> Result<Self, SandboxError> {
        let regular = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if name.is_empty() || !name.chars().all(regular) {
            return Err(SandboxError::Name { name: name.to_owned() });
        }
        let program = std::env::current_exe().map_err(SandboxError::file("read", "/proc/self/exe"))?;
        let state = process.cache().join("sandbox").join(name);
        Ok(Self { name: name.to_owned(), state, tools: Tools::folder(process), program })
    }
}

/// What the daemon needs to know, handed over in a file: its arguments are for everybody to see.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stored {
    /// The sandbox's name.
    pub name: String,
    /// The programs.
    pub tools: Tools,
}

impl Stored {
    /// Hands over.
    pub(super) fn write(&self, folder: &Folder) -> Result<(), SandboxError> {
        folder.write_json(FILE, self)
    }

    /// Takes over.
    pub(super) fn read(folder: &Folder) -> Result<Self, SandboxError> {
        let missing = || SandboxError::file("read", folder.path(FILE))(std::io::ErrorKind::NotFound.into());
        folder.read_json(FILE)?.ok_or_else(missing)
    }
}
