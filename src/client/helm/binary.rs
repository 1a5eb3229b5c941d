//! The `helm` binary: found, checked, and started with nothing in its environment that it does not need.

use super::error::HelmError;
use crate::process::Process;
use semver::Version;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::process::Command;
use tokio::sync::OnceCell;

/// `--api-versions` as a list and `--skip-schema-validation` came before; hooks with weights render in order since then.
const NEEDED: &str = "3.14.0";

/// Helm, with the folder in which renders are kept.
pub struct Helm {
    path: Option<PathBuf>,
    search: String,
    pub(super) cache: PathBuf,
    version: OnceCell<Version>,
}

impl Helm {
    /// The `helm` of the process's `PATH`, else of the tools that `scripts/build-tools` made. Not started yet.
    pub fn new(process: &Process) -> Self {
        let search = process.variable("PATH").unwrap_or_default().to_owned();
        let tools = process.cache().join("tools/current/helm");
        let path = which::which_in("helm", Some(&search), &process.directory).ok();
        let path = path.or_else(|| tools.exists().then_some(tools));
        Self { path, search, cache: process.cache().join("renders"), version: OnceCell::new() }
    }

    /// Its version, asked once; an error when it is missing or too old.
    pub async fn version(&self) -> Result<&Version, HelmError> {
        self.version.get_or_try_init(|| self.ask_version()).await
    }

    async fn ask_version(&self) -> Result<Version, HelmError> {
        let path = self.path.as_ref().ok_or(HelmError::Missing)?;
        let memo = self.cache.join(format!("helm-version-{}", fingerprint(path)));
        if let Some(known) = std::fs::read_to_string(&memo).ok().and_then(|text| Version::parse(&text).ok()) {
            return Ok(known);
        }
        let version = self.start_for_version().await?;
        // Not kept, it is only asked again.
        let _ = std::fs::create_dir_all(&self.cache).and_then(|()| std::fs::write(&memo, version.to_string()));
        Ok(version)
    }

    async fn start_for_version(&self) -> Result<Version, HelmError> {
        let scratch = std::env::temp_dir();
        let output = self.run(&["version", "--template", "{{.Version}}"].map(str::to_owned), &scratch).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text.trim().trim_start_matches('v');
        // A helm built from its module may print v3.19 without a patch number, as the module's own default does.
        let padded = if found.matches('.').count() == 1 { format!("{found}.0") } else { found.to_owned() };
        let too_old = || HelmError::TooOld {
            path: self.path.as_deref().unwrap_or(Path::new("helm")).display().to_string(),
            found: found.to_owned(),
            needed: NEEDED,
        };
        let version = Version::parse(&padded).map_err(|_| too_old())?;
        let needed = Version::parse(NEEDED).map_err(|_| too_old())?;
        if version < needed { Err(too_old()) } else { Ok(version) }
    }

    /// Runs helm with a scratch folder for everything it wants to keep.
    pub(super) async fn run(&self, arguments: &[String], scratch: &Path) -> Result<Output, HelmError> {
        let path = self.path.as_ref().ok_or(HelmError::Missing)?;
        let what = arguments.first().cloned().unwrap_or_default();
        let mut command = Command::new(path);
        // Cleared: a child must not see our credentials.
        command.env_clear().env("PATH", &self.search).env("HOME", scratch).env("TMPDIR", scratch);
        for (variable, folder) in
            [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        {
            command.env(variable, scratch.join(".helm").join(folder));
        }
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).current_dir(scratch);
        command.output().await.map_err(|source| HelmError::Run { what, source })
    }
}

/// Changes when the binary does: starting it only to hear its version would be half of the time of a run that finds
/// nothing to do.
fn fingerprint(path: &Path) -> String {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let metadata = std::fs::metadata(&target).ok();
    let stamp = metadata.map(|found| (found.len(), found.modified().ok()));
    hex::encode(&Sha256::digest(format!("{} {stamp:?}", target.display()))[..8])
}
