//! Rendering one chart of a checkout.

use super::binary::Helm;
use super::cache::{self, Key};
use super::error::HelmError;
use super::manifest::Manifests;
use crate::phalanx::tree::Tree;
use std::path::Path;

/// What is rendered.
#[derive(Debug, Clone)]
pub struct Release<'a> {
    /// The release's name, which is also the application's.
    pub name: &'a str,
    /// The namespace of its objects.
    pub namespace: &'a str,
    /// The chart's folder in the checkout.
    pub directory: &'a str,
    /// Values files in that folder, later ones over earlier ones.
    pub values: &'a [String],
    /// Parameters over all values, as Argo CD injects them; always texts.
    pub parameters: &'a [(String, String)],
    /// Whether the chart needs charts from outside its folder.
    pub has_dependencies: bool,
}

/// For which cluster.
#[derive(Debug, Clone)]
pub struct Target {
    /// For example `v1.35.4`.
    pub kubernetes: String,
    /// The kinds that the server has beyond Helm's own list.
    pub api_versions: Vec<String>,
}

impl Target {
    /// The minor version of Kubernetes; some clouds write `30+`.
    pub fn minor(&self) -> Option<u32> {
        self.kubernetes.split('.').nth(1)?.trim_end_matches('+').parse().ok()
    }
}

impl Helm {
    /// The objects of a chart, from the cache or from `helm template`. `export` writes a folder of the checkout to disk.
    pub async fn render(
        &self,
        release: &Release<'_>,
        target: &Target,
        tree: &dyn Tree,
        export: impl Fn(&str, &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<Manifests, HelmError> {
        let file = self.key(release, target, tree).await?.file(&self.cache);
        if let Some(kept) = cache::load(&file) {
            return Manifests::sort(release.name, kept);
        }
        let scratch = tempfile::tempdir().map_err(|error| export_error(release, "a scratch folder", error.into()))?;
        let mut folders = vec![release.directory];
        if release.has_dependencies {
            folders.push("charts"); // shared charts, through file://../../charts/NAME
        }
        for folder in folders {
            let present = tree.identity(folder).map_err(|error| export_error(release, folder, error.into()))?.is_some();
            if present {
                export(folder, &scratch.path().join(folder)).map_err(|error| export_error(release, folder, error))?;
            }
        }
        if release.has_dependencies {
            self.get_dependencies(release, scratch.path()).await?;
        }
        let output = self.run(&arguments(release, target, scratch.path()), scratch.path()).await?;
        if !output.status.success() {
            return Err(HelmError::Chart { application: release.name.to_owned(), message: words(&output.stderr) });
        }
        let objects = Manifests::parse(release.name, release.namespace, &String::from_utf8_lossy(&output.stdout))?;
        cache::store(&file, &objects);
        Manifests::sort(release.name, objects)
    }

    async fn get_dependencies(&self, release: &Release<'_>, root: &Path) -> Result<(), HelmError> {
        let chart = root.join(release.directory).display().to_string();
        let output = self.run(&["dependency".to_owned(), "update".to_owned(), chart], root).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(HelmError::Dependencies { application: release.name.to_owned(), message: words(&output.stderr) })
    }

    async fn key(&self, release: &Release<'_>, target: &Target, tree: &dyn Tree) -> Result<Key, HelmError> {
        let identity = |folder: &str| -> Result<String, HelmError> {
            let found = tree.identity(folder).map_err(|error| export_error(release, folder, error.into()))?;
            Ok(found.unwrap_or_default())
        };
        let mut key = Key::default()
            .add(&self.version().await?.to_string())
            .add(&target.kubernetes)
            .add(&target.api_versions.join(","))
            .add(release.name)
            .add(release.namespace)
            .add(&identity(release.directory)?);
        if release.has_dependencies {
            key = key.add(&identity("charts")?);
        }
        for file in release.values {
            key = key.add(file);
        }
        for (name, value) in release.parameters {
            key = key.add(name).add(value);
        }
        Ok(key)
    }
}

fn arguments(release: &Release<'_>, target: &Target, root: &Path) -> Vec<String> {
    let chart = root.join(release.directory);
    let mut arguments: Vec<String> = ["template", release.name].map(str::to_owned).into();
    arguments.push(chart.display().to_string());
    arguments.extend(
        ["--namespace", release.namespace, "--include-crds", "--kube-version", &target.kubernetes].map(str::to_owned),
    );
    for version in &target.api_versions {
        arguments.extend(["--api-versions".to_owned(), version.clone()]);
    }
    for file in release.values {
        arguments.extend(["--values".to_owned(), chart.join(file).display().to_string()]);
    }
    for (name, value) in release.parameters {
        // Commas separate and backslashes escape in helm's own little language.
        let escaped = value.replace('\\', "\\\\").replace(',', "\\,");
        arguments.extend(["--set-string".to_owned(), format!("{name}={escaped}")]);
    }
    arguments
}

/// Helm's message without its prefix.
fn words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("WARNING") && !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("Error: ").to_owned()
}

fn export_error(release: &Release<'_>, path: &str, source: Box<dyn std::error::Error + Send + Sync>) -> HelmError {
    HelmError::Export { application: release.name.to_owned(), path: path.to_owned(), source }
}
