//! Which phalanx this is: the layout changed four times, and old forks live on.

use super::error::PhalanxError;
use super::tree::{Tree, TreeError};

/// The layouts of phalanx, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// `science-platform/` and `services/`, before the installer.
    V0,
    /// The same with `installer/install.sh`; applications are top-level maps with underscores.
    V1,
    /// `environments/` and `applications/`; applications are top-level maps.
    V2,
    /// An `applications:` map, templates in one folder.
    V3,
    /// Templates by project: today's.
    V4,
}

impl Layout {
    /// Recognises the layout from names of files and folders, and for [`Self::V2`] from one file's content.
    pub(super) fn detect(tree: &dyn Tree) -> Result<Self, PhalanxError> {
        if has_folder(tree, "", "environments")? && has_folder(tree, "", "applications")? {
            return Ok(Self::detect_modern(tree)?);
        }
        if has_folder(tree, "", "science-platform")? && has_folder(tree, "", "services")? {
            let installer = tree.read("installer/install.sh")?.is_some();
            return Ok(if installer { Self::V1 } else { Self::V0 });
        }
        Err(PhalanxError::NotACheckout { place: tree.place() })
    }

    fn detect_modern(tree: &dyn Tree) -> Result<Self, TreeError> {
        if has_folder(tree, "environments/templates", "applications")? {
            return Ok(Self::V4);
        }
        // A checkout without templates is only data; it counts as today's when its values look like today's.
        let templates = tree.list("environments/templates")?;
        let flat = templates.iter().any(|entry| entry.name.ends_with("-application.yaml"));
        let values = tree.read("environments/values.yaml")?.unwrap_or_default();
        let mapped = String::from_utf8_lossy(&values).lines().any(|line| line.starts_with("applications:"));
        Ok(match (mapped, flat) {
            (true, false) => Self::V4,
            (true, true) => Self::V3,
            (false, _) => Self::V2,
        })
    }

    /// When phalanx looked like this.
    pub fn period(self) -> &'static str {
        match self {
            Self::V0 => "November 2019 to June 2020",
            Self::V1 => "June 2020 to February 2023",
            Self::V2 => "February to August 2023",
            Self::V3 => "August 2023 to March 2024",
            Self::V4 => "since March 2024",
        }
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

fn has_folder(tree: &dyn Tree, parent: &str, name: &str) -> Result<bool, TreeError> {
    Ok(tree.list(parent)?.iter().any(|entry| entry.is_folder && entry.name == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phalanx::tree::Directory;

    fn layout_of(files: &[(&str, &str)]) -> Result<Layout, PhalanxError> {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Layout::detect(&Directory::new(root.path()))
    }

    #[test]
    fn each_layout_is_known_by_its_folders() {
        let old = [("science-platform/values.yaml", ""), ("services/argocd/Chart.yaml", "")];
        assert_eq!(layout_of(&old).unwrap(), Layout::V0);
        let with_installer = [old[0], old[1], ("installer/install.sh", "")];
        assert_eq!(layout_of(&with_installer).unwrap(), Layout::V1);
        let chart = ("applications/argocd/Chart.yaml", "");
        assert_eq!(
            layout_of(&[chart, ("environments/values.yaml", "argocd:\n  enabled: true\n")]).unwrap(),
            Layout::V2
        );
        let values = ("environments/values.yaml", "applications:\n  argocd: true\n");
        let flat = ("environments/templates/argocd-application.yaml", "");
        assert_eq!(layout_of(&[chart, values, flat]).unwrap(), Layout::V3);
        let by_project = ("environments/templates/applications/infrastructure/argocd.yaml", "");
        assert_eq!(layout_of(&[chart, values, by_project]).unwrap(), Layout::V4);
        assert_eq!(layout_of(&[chart, values]).unwrap(), Layout::V4);
    }

    #[test]
    fn another_repository_is_refused_by_name() {
        let error = layout_of(&[("README.md", "")]).unwrap_err();
        assert!(error.to_string().contains("is not a phalanx checkout"), "{error}");
    }
}
