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

    /// The same environment's sandbox of a later generation, beside the first one.
    #[must_use]
    pub fn of_generation(mut self, generation: u32) -> Self {
        if generation > 1 {
            // No name has a dot, so no environment's own sandbox can be taken for it.
            let name = format!("{}.{generation}", self.name);
            self.state.set_file_name(&name);
            self.name = name;
        }
        self
    }

    /// The generations whose state folders are there, rising.
    pub fn generations(&self) -> Vec<u32> {
        let entries = self.state.parent().and_then(|parent| std::fs::read_dir(parent).ok());
        let names = entries.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let generation = |name: String| match name.strip_prefix(&self.name)? {
            "" => Some(1),
            rest => rest.strip_prefix('.')?.parse().ok(),
        };
        let mut found: Vec<u32> = names.filter_map(generation).collect();
        found.sort_unstable();
        found
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
