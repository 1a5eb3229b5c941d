//! The checkout of phalanx that is installed: repository, branch, commit, environment, and its charts rendered.

use super::error::InstallError;
use crate::client::git::{CommitTree, Git, Location};
use crate::client::helm::{Helm, Manifests, Release, Target};
use crate::engine::Events;
use crate::environment::{Loaded, PhalanxSource};
use crate::error::{Failure, Kind};
use crate::phalanx::{Application, Checkout, PhalanxEnvironment};
use crate::process::Process;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The checkout.
pub struct Source {
    /// As declared, with the flags of the command line.
    pub declared: PhalanxSource,
    /// The URL that Argo CD reads it from.
    pub url: String,
    /// The commit at the tip of the branch.
    pub commit: String,
    /// The files.
    pub checkout: Checkout,
    /// The environment in it.
    pub environment: PhalanxEnvironment,
    tree: Arc<CommitTree>,
    helm: Helm,
    children: OnceCell<Children>,
}

/// The objects that the chart of environments renders.
#[derive(Debug, Clone, Default)]
pub struct Children {
    /// Argo CD Applications, sorted by name.
    pub applications: Vec<DynamicObject>,
    /// Argo CD projects.
    pub projects: Vec<DynamicObject>,
}

impl Source {
    /// Opens the checkout that the environment file names; a relative path starts at the file's folder.
    pub async fn open(loaded: &Loaded, process: &Process, events: Events) -> Result<Self, Failure> {
        let declared = loaded.environment.phalanx()?.clone();
        let at_file = Process { directory: process.directory.join(&loaded.folder), ..process.clone() };
        let (git, repository, branch) =
            (Git::new(&at_file, events), declared.repository.clone(), declared.branch.clone());
        let name = declared.environment.clone();
        let opened = tokio::task::spawn_blocking(move || -> Result<_, Failure> {
            let tree = Arc::new(git.checkout(&repository, &branch)?);
            let checkout = Checkout::open(Arc::clone(&tree) as Arc<_>)?;
            let environment = checkout.environment(&name)?;
            Ok((tree, checkout, environment))
        });
        let opened =
            opened.await.map_err(|error| Failure::new(Kind::Failed, format!("reading the checkout: {error}")))?;
        let (tree, checkout, environment) = opened?;
        let url = argocd_url(&declared.repository, &at_file)?;
        let (commit, helm) = (tree.commit().to_string(), Helm::new(process));
        let children = OnceCell::new();
        Ok(Self { declared, url, commit, checkout, environment, tree, helm, children })
    }

    /// Helm, for the preflight.
    pub fn helm(&self) -> &Helm {
        &self.helm
    }

    /// The name of the parent Application.
    pub fn parent(&self) -> &str {
        &self.environment.app_of_apps_name
    }

    /// The parameters of the parent Application: both pins.
    pub fn parent_parameters(&self) -> Vec<(String, String)> {
        let pin = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![pin("repoUrl", &self.url), pin("targetRevision", &self.declared.branch)]
    }

    /// The values files of a chart of this environment.
    pub fn values_files(&self) -> Vec<String> {
        vec!["values.yaml".to_owned(), format!("values-{}.yaml", self.environment.name)]
    }

    /// The Applications and projects that should be there. They are rendered and read once: a run is about one cluster.
    pub async fn children(&self, target: &Target) -> Result<&Children, Failure> {
        self.children.get_or_try_init(|| self.render_children(target)).await
    }

    async fn render_children(&self, target: &Target) -> Result<Children, Failure> {
        let (values, parameters) = (self.values_files(), self.parent_parameters());
        let release = Release {
            name: self.parent(),
            namespace: "argocd",
            directory: "environments",
            values: &values,
            parameters: &parameters,
            has_dependencies: false,
        };
        let rendered = self.render(&release, target).await?;
        let of_kind = |kind: &str| -> Vec<DynamicObject> {
            let is_kind = |object: &&DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == kind);
            let mut found: Vec<_> = rendered.objects.iter().filter(is_kind).cloned().collect();
            found.sort_by_key(kube::ResourceExt::name_any);
            found
        };
        let children = Children { applications: of_kind("Application"), projects: of_kind("AppProject") };
        match children.applications.iter().find(|child| child.namespace().as_deref() != Some("argocd")) {
            Some(stray) => Err(InstallError::Parent {
                environment: self.environment.name.clone(),
                place: self.declared.repository.clone(),
                what: format!(
                    "Application {} is not in namespace argocd, where alone Argo CD can sync it",
                    stray.name_any()
                ),
            }
            .into()),
            None => Ok(children),
        }
    }

    /// Renders an application as Argo CD would, with the parameters of its Application.
    pub async fn application(
        &self,
        name: &str,
        parameters: &[(String, String)],
        target: &Target,
    ) -> Result<Manifests, Failure> {
        let Some(Application { directory, namespace, chart, .. }) = self.environment.application(name) else {
            return Ok(Manifests::default());
        };
        // What Argo CD would miss is missing for us, too: it refuses to render without the environment's values file.
        self.checkout.value_nodes(name, &self.environment.name)?;
        let values = self.values_files();
        let release = Release {
            name,
            namespace,
            directory,
            values: &values,
            parameters,
            has_dependencies: !chart.dependencies.is_empty(),
        };
        self.render(&release, target).await
    }

    async fn render(&self, release: &Release<'_>, target: &Target) -> Result<Manifests, Failure> {
        let export = |folder: &str, destination: &Path| {
            self.tree
                .export(folder, destination)
                .map_err(|error| Box::new(error) as Box<dyn std::error::Error + Send + Sync>)
        };
        Ok(self.helm.render(release, target, self.tree.as_ref(), export).await?)
    }
}

/// How Argo CD in the cluster is told to reach the repository: a local one by its path, `ssh` forms by `https` as phalanx's
/// own installer does.
fn argocd_url(repository: &str, process: &Process) -> Result<String, Failure> {
    if let Some(path) =
        repository.strip_prefix("git@github.com:").or_else(|| repository.strip_prefix("ssh://git@github.com/"))
    {
        return Ok(format!("https://github.com/{path}"));
    }
    Ok(match Location::parse(repository, &process.directory, process.home().as_deref())? {
        Location::Local(path) => {
            let path = std::fs::canonicalize(&path).unwrap_or(path);
            format!("file://{}", path.display())
        }
        Location::Remote(url) => url,
    })
}
