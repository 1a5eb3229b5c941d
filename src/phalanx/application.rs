//! An application of phalanx: its chart, and where Argo CD puts it.

use super::error::PhalanxError;
use super::yaml::{self, Node, YamlError};

/// One enabled application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its name: of the folder and of the Argo CD Application.
    pub name: String,
    /// Its Argo CD project: the folder of its template; nothing in a checkout without templates.
    pub project: Option<String>,
    /// The namespace of its objects, from its template; its name in a checkout without templates.
    pub namespace: String,
    /// Its folder in the checkout.
    pub directory: String,
    /// Its chart.
    pub chart: Chart,
}

impl Application {
    /// The project, for those who cannot do without.
    pub fn project(&self) -> Result<&str, PhalanxError> {
        self.project.as_deref().ok_or_else(|| PhalanxError::NoTemplate { application: self.name.clone() })
    }
}

/// What a `Chart.yaml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// The chart's name: of the folder, but for `argocd`, whose chart is `argo-cd`.
    pub name: String,
    /// The chart's version.
    pub version: String,
    /// The version of what it installs, where it says one.
    pub app_version: Option<String>,
    /// Charts that it needs.
    pub dependencies: Vec<Dependency>,
}

/// A chart that another chart needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// The version or range asked for; empty for charts beside it.
    pub version: String,
    /// Where it comes from: `https:`, `oci:`, `file:`, or nothing for one under `charts/`.
    pub repository: Option<String>,
    /// The name that its values go by, where another one.
    pub alias: Option<String>,
    /// The value that turns it on.
    pub condition: Option<String>,
}

impl Chart {
    /// Reads a `Chart.yaml`.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self, YamlError> {
        let root = yaml::read(file, bytes)?;
        let dependencies = root.get("dependencies").map_or(Ok(&[][..]), Node::items)?;
        Ok(Self {
            name: root.require("name")?.scalar_text()?,
            version: root.require("version")?.scalar_text()?,
            app_version: optional(&root, "appVersion")?,
            dependencies: dependencies.iter().map(dependency).collect::<Result<_, _>>()?,
        })
    }
}

fn dependency(node: &Node) -> Result<Dependency, YamlError> {
    Ok(Dependency {
        name: node.require("name")?.scalar_text()?,
        version: optional(node, "version")?.unwrap_or_default(),
        repository: optional(node, "repository")?.filter(|url| !url.is_empty()),
        alias: optional(node, "alias")?,
        condition: optional(node, "condition")?,
    })
}

fn optional(node: &Node, name: &str) -> Result<Option<String>, YamlError> {
    node.get(name).filter(|node| !node.is_null()).map(Node::scalar_text).transpose()
}

/// The namespace of an Argo CD Application in the text of its template. Upstream's own tool looks for the same two lines:
/// the file cannot be read as YAML before Helm has rendered it.
pub fn destination_namespace(template: &str) -> Option<String> {
    let mut lines = template.lines().map(str::trim).skip_while(|line| *line != "destination:");
    let namespace = lines.nth(1)?.strip_prefix("namespace:")?.trim().trim_matches(['"', '\'']);
    (!namespace.is_empty()).then(|| namespace.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_tells_versions_and_dependencies() {
        let text = "name: nublado\nversion: 1.0.0\nappVersion: 15.1\ndependencies:\n- {name: jupyterhub, version: \"4.3.5\", \
                    repository: https://example.org/}\n- {name: cadc-tap, version: 1.0.0, repository: \"file://../../charts/cadc-tap\"}\n";
        let chart = Chart::read("Chart.yaml", text.as_bytes()).unwrap();
        assert_eq!((chart.name.as_str(), chart.app_version.as_deref()), ("nublado", Some("15.1")));
        assert_eq!(chart.dependencies[1].repository.as_deref(), Some("file://../../charts/cadc-tap"));
        let error = Chart::read("Chart.yaml", b"name: x\nversoin: 1\n").unwrap_err();
        assert_eq!(error.to_string(), "Chart.yaml:1:1: version is missing (there is versoin)");
    }

    #[test]
    fn the_namespace_is_the_destination_of_the_template() {
        let template = "metadata:\n  namespace: \"argocd\"\nspec:\n  destination:\n    namespace: \"fileservers\"\n    server: x\n";
        assert_eq!(destination_namespace(template).as_deref(), Some("fileservers"));
        assert_eq!(destination_namespace("spec: {}\n"), None);
    }
}
