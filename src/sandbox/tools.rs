//! The programs that the sandbox runs.

use super::SandboxError;
use crate::process::Process;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the sandbox needs; `stages.yaml` is kwok's description of how pods and nodes become ready.
const NEEDED: [&str; 13] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "stages.yaml",
    "vault",
    "redis-server",
    "argocd-application-controller",
    "argocd-repo-server",
    "helm",
    "kustomize",
    "git",
];

/// What people who test controllers keep under `KUBEBUILDER_ASSETS`.
const KUBEBUILDER: [&str; 2] = ["etcd", "kube-apiserver"];

/// The programs, each with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Tools(BTreeMap<String, PathBuf>);

impl Tools {
    /// Looks in `KUBEBUILDER_ASSETS` (etcd and kube-apiserver only), then in the tools folder, then on `PATH`.
    pub(super) fn find(folder: &Path, process: &Process) -> Result<Self, SandboxError> {
        let (mut found, mut missing) = (BTreeMap::new(), Vec::new());
        for name in NEEDED {
            match place_of(name, folder, process) {
                Some(path) => drop(found.insert(name.to_owned(), path)),
                None => missing.push(name.to_owned()),
            }
        }
        if missing.is_empty() {
            return Ok(Self(found));
        }
        Err(SandboxError::ToolsMissing { missing, folder: folder.to_owned() })
    }

    /// The tools folder: `RSP_INSTALL_TOOLS`, else where `scripts/build-tools` puts them.
    pub(super) fn folder(process: &Process) -> PathBuf {
        process.variable("RSP_INSTALL_TOOLS").map_or_else(|| process.cache().join("tools/current"), PathBuf::from)
    }

    /// Where a program is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.get(name).cloned().unwrap_or_else(|| PathBuf::from(name))
    }

    /// A `PATH` on which the named ones come first.
    pub(super) fn search_path(&self, names: &[&str]) -> String {
        let mut folders: Vec<String> = Vec::new();
        for name in names {
            if let Some(folder) = self.0.get(*name).and_then(|path| path.parent()) {
                folders.push(folder.display().to_string());
            }
        }
        folders.extend(["/usr/local/bin", "/usr/bin", "/bin"].map(String::from));
        folders.dedup();
        folders.join(":")
    }
}

fn place_of(name: &str, folder: &Path, process: &Process) -> Option<PathBuf> {
    let assets = process.variable("KUBEBUILDER_ASSETS").filter(|_| KUBEBUILDER.contains(&name));
    let inside = |folder: &Path| Some(folder.join(name)).filter(|path| path.is_file());
    assets
        .and_then(|assets| inside(Path::new(assets)))
        .or_else(|| inside(folder))
        .or_else(|| which::which_in_global(name, process.variable("PATH")).ok()?.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_tool_is_named_at_once_and_the_help_says_how_to_get_them() {
        use crate::error::Explain as _;
        let folder = tempfile::tempdir().unwrap();
        let error = Tools::find(folder.path(), &Process::given(&[("PATH", "/nowhere")])).unwrap_err();
        let text = error.to_string();
        assert!(NEEDED.iter().all(|name| text.contains(name)), "{text}");
        assert!(error.help()[0].contains("scripts/build-tools"));
        assert_eq!(error.kind().exit_code(), 2);
    }

    #[test]
    fn the_api_server_of_kubebuilder_assets_is_taken_first_and_nothing_else_of_that_folder() {
        let (assets, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in NEEDED {
            std::fs::write(folder.path().join(name), "").unwrap();
            std::fs::write(assets.path().join(name), "").unwrap();
        }
        let given = Process::given(&[("KUBEBUILDER_ASSETS", assets.path().to_str().unwrap())]);
        let tools = Tools::find(folder.path(), &given).unwrap();
        assert_eq!(tools.path("kube-apiserver"), assets.path().join("kube-apiserver"));
        assert_eq!(tools.path("vault"), folder.path().join("vault"));
    }
}
