//! One side of history, read leniently: phalanx of any age since applications have folders, and files that are broken.
//!
//! [`crate::phalanx::Checkout`] refuses what cannot be installed; here that is a finding.

use super::error::DriftError;
use super::model::Unreadable;
use crate::client::git::CommitTree;
use crate::phalanx::tree::Tree as _;
use crate::phalanx::yaml::{self, Content, Node};
use crate::phalanx::{Chart, Checkout, PhalanxError, destination_namespace};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The files of one side.
pub(crate) struct Snapshot {
    /// `base`, `fork`, `upstream` or `merge`.
    pub(crate) side: &'static str,
    /// Its files.
    pub(crate) tree: Arc<CommitTree>,
    parsed: RefCell<BTreeMap<String, Option<Node>>>,
    unreadable: RefCell<BTreeSet<Unreadable>>,
    templates: BTreeMap<String, Place>,
}

/// The file of a template, and its folder where templates are kept by project.
type Place = (String, Option<String>);

/// The template of an Argo CD Application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// Its folder where templates are kept by project; else what the file says.
    pub(crate) project: Option<String>,
    /// The namespace of its objects.
    pub(crate) namespace: Option<String>,
}

impl Snapshot {
    /// Reads what is read of every side.
    pub(crate) fn open(side: &'static str, tree: CommitTree) -> Result<Self, DriftError> {
        let tree = Arc::new(tree);
        let templates = templates(&tree)?;
        Ok(Self {
            side,
            tree,
            parsed: RefCell::new(BTreeMap::new()),
            unreadable: RefCell::new(BTreeSet::new()),
            templates,
        })
    }

    /// Refuses what is no phalanx at all.
    pub(crate) fn refuse_strangers(&self) -> Result<(), PhalanxError> {
        Checkout::open(Arc::clone(&self.tree) as _).map(|_| ())
    }

    /// A YAML file; nothing when it is not there, or broken, which is noted.
    pub(crate) fn yaml(&self, file: &str) -> Result<Option<Node>, DriftError> {
        if let Some(known) = self.parsed.borrow().get(file) {
            return Ok(known.clone());
        }
        let node = match self.tree.read(file)? {
            None => None,
            Some(bytes) => match yaml::read(file, &bytes) {
                Ok(node) => Some(node),
                Err(error) => {
                    self.note(file, error.to_string());
                    None
                }
            },
        };
        self.parsed.borrow_mut().insert(file.to_owned(), node.clone());
        Ok(node)
    }

    /// A file as text; nothing when it is not there.
    pub(crate) fn text(&self, file: &str) -> Result<Option<String>, DriftError> {
        Ok(self.tree.read(file)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Notes a file of which nothing is known.
    pub(crate) fn note(&self, file: &str, reason: impl Into<String>) {
        let (side, file) = (self.side.to_owned(), file.to_owned());
        self.unreadable.borrow_mut().insert(Unreadable { side, file, reason: reason.into() });
    }

    /// What could not be read so far.
    pub(crate) fn unreadable(&self) -> Vec<Unreadable> {
        self.unreadable.borrow().iter().cloned().collect()
    }

    /// The names of the environments.
    pub(crate) fn environments(&self) -> Result<Vec<String>, DriftError> {
        let entries = self.tree.list("environments")?;
        let name = |entry: &str| Some(entry.strip_prefix("values-")?.strip_suffix(".yaml")?.to_owned());
        Ok(entries.iter().filter_map(|entry| name(&entry.name)).collect())
    }

    /// The values of an environment over the defaults; nothing when there is no such environment.
    pub(crate) fn environment(&self, name: &str) -> Result<Option<Node>, DriftError> {
        let Some(own) = self.yaml(&format!("environments/values-{name}.yaml"))? else { return Ok(None) };
        Ok(Some(match self.yaml("environments/values.yaml")? {
            Some(defaults) => defaults.overlaid(own),
            None => own,
        }))
    }

    /// The applications that an environment turns on, sorted. Before August 2023 they stood at the top of the file.
    pub(crate) fn enabled(&self, environment: &str) -> Result<BTreeSet<String>, DriftError> {
        let Some(values) = self.environment(environment)? else { return Ok(BTreeSet::new()) };
        let on = |node: &Node| matches!(node.content, Content::Bool(true));
        let mut names = BTreeSet::new();
        if let Some(applications) = values.get("applications") {
            let entries = applications.entries().unwrap_or_default();
            names.extend(entries.iter().filter(|(_, node)| on(node)).map(|(key, _)| key.name.clone()));
        } else {
            let entries = values.entries().unwrap_or_default();
            let enabled = entries.iter().filter(|(_, node)| node.get("enabled").is_some_and(on));
            names.extend(enabled.map(|(key, _)| key.name.clone()));
        }
        Ok(names)
    }

    /// The applications that the defaults know: the catalogue. Nothing when the file cannot be read: then nobody knows
    /// what is gone.
    pub(crate) fn catalogue(&self) -> Result<Option<BTreeMap<String, bool>>, DriftError> {
        let Some(values) = self.yaml("environments/values.yaml")? else { return Ok(None) };
        let mut catalogue = BTreeMap::new();
        if let Some(applications) = values.get("applications") {
            for (key, node) in applications.entries().unwrap_or_default() {
                catalogue.insert(key.name.clone(), matches!(node.content, Content::Bool(true)));
            }
        } else {
            for (key, node) in values.entries().unwrap_or_default() {
                if let Some(enabled) = node.get("enabled") {
                    catalogue.insert(key.name.clone(), matches!(enabled.content, Content::Bool(true)));
                }
            }
        }
        Ok(Some(catalogue))
    }

    /// A chart; nothing when it is not there, or broken, which is noted.
    pub(crate) fn chart(&self, folder: &str) -> Result<Option<Chart>, DriftError> {
        let file = format!("{folder}/Chart.yaml");
        let Some(bytes) = self.tree.read(&file)? else { return Ok(None) };
        match Chart::read(&file, &bytes) {
            Ok(chart) => Ok(Some(chart)),
            Err(error) => {
                self.note(&file, error.to_string());
                Ok(None)
            }
        }
    }

    /// The template of an application's Argo CD Application.
    pub(crate) fn template(&self, application: &str) -> Result<Option<Template>, DriftError> {
        let Some((file, project)) = self.templates.get(application) else { return Ok(None) };
        let text = self.text(file)?.unwrap_or_default();
        let project = project.clone().or_else(|| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix("project:"))?;
            Some(line.trim().trim_matches('"').to_owned())
        });
        Ok(Some(Template { project, namespace: destination_namespace(&text) }))
    }

    /// A text of an environment's values.
    pub(crate) fn environment_text(&self, environment: &str, key: &str) -> Result<Option<String>, DriftError> {
        let values = self.environment(environment)?;
        Ok(values.and_then(|values| values.get(key)?.scalar_text().ok()).filter(|text| !text.is_empty()))
    }
}

/// Templates by project (since March 2024), and all in one folder (before).
fn templates(tree: &CommitTree) -> Result<BTreeMap<String, Place>, DriftError> {
    const FOLDER: &str = "environments/templates";
    let mut templates = BTreeMap::new();
    for entry in tree.list(FOLDER)? {
        if let Some(application) = entry.name.strip_suffix("-application.yaml") {
            templates.insert(application.to_owned(), (format!("{FOLDER}/{}", entry.name), None));
        }
    }
    for project in tree.list(&format!("{FOLDER}/applications"))?.into_iter().filter(|entry| entry.is_folder) {
        let folder = format!("{FOLDER}/applications/{}", project.name);
        for entry in tree.list(&folder)? {
            if let Some(application) = entry.name.strip_suffix(".yaml") {
                let place = (format!("{folder}/{}", entry.name), Some(project.name.clone()));
                templates.insert(application.to_owned(), place);
            }
        }
    }
    Ok(templates)
}
