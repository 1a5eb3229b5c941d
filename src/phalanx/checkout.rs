//! The checkout: which environments there are, and what one of them consists of.

use super::application::{Application, Chart, destination_namespace};
use super::environment::{self, PhalanxEnvironment};
use super::error::PhalanxError;
use super::layout::Layout;
use super::tree::{Tree, TreeError};
use super::yaml::{self, Content, Node, Position};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const TEMPLATES: &str = "environments/templates/applications";

/// A phalanx checkout.
#[derive(Clone)]
pub struct Checkout {
    tree: Arc<dyn Tree>,
    layout: Layout,
}

impl Checkout {
    /// Takes the tree as a checkout of phalanx, of whatever layout.
    pub fn open(tree: Arc<dyn Tree>) -> Result<Self, PhalanxError> {
        let layout = Layout::detect(tree.as_ref())?;
        Ok(Self { tree, layout })
    }

    /// Its layout. Only [`Layout::V4`] can be read further.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Its files.
    pub fn tree(&self) -> &dyn Tree {
        self.tree.as_ref()
    }

    /// The names of its environments, sorted.
    pub fn environments(&self) -> Result<Vec<String>, PhalanxError> {
        self.refuse_old()?;
        let entries = self.tree.list("environments")?;
        let name = |entry: &str| Some(entry.strip_prefix("values-")?.strip_suffix(".yaml")?.to_owned());
        Ok(entries.iter().filter_map(|entry| name(&entry.name)).collect())
    }

    /// An environment with its enabled applications.
    pub fn environment(&self, name: &str) -> Result<PhalanxEnvironment, PhalanxError> {
        self.refuse_old()?;
        let own = format!("environments/values-{name}.yaml");
        let Some(over) = self.yaml(&own)? else { return Err(self.unknown(name)?) };
        let values = self.yaml_or_null("environments/values.yaml")?.overlaid(over);
        let mut environment = PhalanxEnvironment::read(name, &values)?;
        let projects = self.projects()?;
        for application in environment::enabled(&values)? {
            environment.applications.push(self.application(&application, name, projects.get(&application))?);
        }
        Ok(environment)
    }

    /// The values that Helm gets for an application: `values.yaml` and over it `values-<environment>.yaml`, which must be
    /// there because Argo CD refuses to render without. What Argo CD injects (`global.*`) is not among them.
    pub fn values(&self, application: &str, environment: &str) -> Result<Value, PhalanxError> {
        Ok(self.value_nodes(application, environment)?.to_value())
    }

    /// The same with the place of every value.
    pub fn value_nodes(&self, application: &str, environment: &str) -> Result<Node, PhalanxError> {
        let file = format!("applications/{application}/values-{environment}.yaml");
        let base = self.yaml_or_null(&format!("applications/{application}/values.yaml"))?;
        match self.yaml(&file)? {
            Some(over) if over.is_null() => Ok(base),
            Some(over) => Ok(base.overlaid(over)),
            None => Err(PhalanxError::MissingFile {
                application: application.to_owned(),
                environment: environment.to_owned(),
                file,
            }),
        }
    }

    /// The same, with `values.yaml` alone where the environment has no file of its own.
    pub fn values_or_defaults(&self, application: &str, environment: &str) -> Result<Value, PhalanxError> {
        match self.values(application, environment) {
            Err(PhalanxError::MissingFile { .. }) => {
                Ok(self.yaml_or_null(&format!("applications/{application}/values.yaml"))?.to_value())
            }
            other => other,
        }
    }

    /// A YAML file; nothing when there is none.
    pub fn yaml(&self, file: &str) -> Result<Option<Node>, PhalanxError> {
        Ok(self.tree.read(file)?.map(|bytes| yaml::read(file, &bytes)).transpose()?)
    }

    fn yaml_or_null(&self, file: &str) -> Result<Node, PhalanxError> {
        let nothing = || Node { position: Position { file: file.into(), line: 1, column: 1 }, content: Content::Null };
        Ok(self.yaml(file)?.unwrap_or_else(nothing))
    }

    fn application(
        &self,
        name: &str,
        environment: &str,
        project: Option<&String>,
    ) -> Result<Application, PhalanxError> {
        let directory = format!("applications/{name}");
        let file = format!("{directory}/Chart.yaml");
        let Some(chart) = self.tree.read(&file)? else {
            let (application, environment) = (name.to_owned(), environment.to_owned());
            return Err(PhalanxError::MissingFile { application, environment, file });
        };
        let namespace = match project {
            Some(project) => self
                .tree
                .read(&format!("{TEMPLATES}/{project}/{name}.yaml"))?
                .and_then(|template| destination_namespace(&String::from_utf8_lossy(&template))),
            None => None,
        };
        Ok(Application {
            name: name.to_owned(),
            project: project.cloned(),
            namespace: namespace.unwrap_or_else(|| name.to_owned()),
            chart: Chart::read(&file, &chart)?,
            directory,
        })
    }

    /// Application to project, from the folders of the templates.
    fn projects(&self) -> Result<BTreeMap<String, String>, TreeError> {
        let mut projects = BTreeMap::new();
        for project in self.tree.list(TEMPLATES)?.into_iter().filter(|entry| entry.is_folder) {
            for template in self.tree.list(&format!("{TEMPLATES}/{}", project.name))? {
                if let Some(application) = template.name.strip_suffix(".yaml") {
                    projects.insert(application.to_owned(), project.name.clone());
                }
            }
        }
        Ok(projects)
    }

    fn refuse_old(&self) -> Result<(), PhalanxError> {
        if self.layout == Layout::V4 {
            return Ok(());
        }
        Err(PhalanxError::OldLayout { place: self.tree.place(), layout: self.layout })
    }

    fn unknown(&self, name: &str) -> Result<PhalanxError, PhalanxError> {
        let known = self.environments()?;
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let near = similar::get_close_matches(name, &names, 3, 0.6).into_iter().map(str::to_owned).collect();
        Ok(PhalanxError::UnknownEnvironment { place: self.tree.place(), name: name.to_owned(), near, known })
    }
}
