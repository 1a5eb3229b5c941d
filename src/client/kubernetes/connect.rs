//! From a kubeconfig to a client, and who the cluster at the other end is.

use super::cluster::Cluster;
use super::error::KubernetesError;
use crate::engine::{Outlet, System};
use kube::Config;
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tower::util::MapRequestLayer;

/// Where the credentials of a cluster lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// A file (or several, as `KUBECONFIG` lists them) and, if given, a context in it.
    File {
        /// The paths, in order.
        paths: Vec<PathBuf>,
        /// The context; the current one when not given.
        context: Option<String>,
    },
    /// The text of a kubeconfig that is kept in memory.
    Text(String),
}

/// Which cluster a kubeconfig leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The API server's URL, without a trailing slash.
    pub server: String,
    /// SHA-256 of its CA certificate (DER) in lower-case hex; nothing when the system's CAs are trusted.
    pub ca_sha256: Option<String>,
}

impl Access {
    /// For messages.
    fn place(&self) -> String {
        match self {
            Self::File { paths, .. } => {
                paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
            }
            Self::Text(_) => "of this cluster".into(),
        }
    }

    fn read(&self) -> Result<Kubeconfig, KubernetesError> {
        let wrong = |message: String| KubernetesError::Kubeconfig { place: self.place(), message };
        match self {
            Self::Text(text) => Kubeconfig::from_yaml(text).map_err(|error| wrong(error.to_string())),
            Self::File { paths, .. } => {
                let mut merged = Kubeconfig::default();
                for path in paths {
                    let one = Kubeconfig::read_from(path).map_err(|error| wrong(chain(&error)))?;
                    merged = merged.merge(one).map_err(|error| wrong(error.to_string()))?;
                }
                Ok(merged)
            }
        }
    }

    fn context(&self) -> Option<&str> {
        match self {
            Self::File { context, .. } => context.as_deref(),
            Self::Text(_) => None,
        }
    }

    /// A client and the identity of the cluster; asks the network nothing.
    pub async fn connect(&self, outlet: &Outlet) -> Result<(Cluster, Identity), KubernetesError> {
        let wrong = |message: String| KubernetesError::Kubeconfig { place: self.place(), message };
        let kubeconfig = self.read()?;
        if let Some(context) = self.context() {
            let known: Vec<String> = kubeconfig.contexts.iter().map(|named| named.name.clone()).collect();
            if !known.iter().any(|name| name == context) {
                return Err(KubernetesError::NoContext { place: self.place(), context: context.to_owned(), known });
            }
        }
        let options = KubeConfigOptions { context: self.context().map(str::to_owned), ..KubeConfigOptions::default() };
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| wrong(chain(&error)))?;
        config.connect_timeout = Some(Duration::from_secs(10));
        // A watch may be silent for minutes; single requests have the run's deadline.
        config.read_timeout = Some(Duration::from_mins(5));
        config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT)));
        let identity = identity_of(&config);
        let counters = outlet.counters().clone();
        let counting = MapRequestLayer::new(move |request: http::Request<Body>| {
            if leaves_state_alone(request.method(), request.uri()) {
                counters.read(System::Kubernetes);
            }
            request
        });
        let client =
            ClientBuilder::try_from(config).map_err(|error| wrong(chain(&error)))?.with_layer(&counting).build();
        Ok((Cluster::new(client, outlet.clone()), identity))
    }
}

/// How the API server's audit log names us.
const USER_AGENT: &str = concat!("rsp-install/", env!("CARGO_PKG_VERSION"));

/// Reads, dry runs, and the reviews that ask about ourselves. Writes are counted by the outlet.
fn leaves_state_alone(method: &http::Method, uri: &http::Uri) -> bool {
    method == http::Method::GET
        || uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "dryRun=All"))
        || uri.path().starts_with("/apis/authorization.k8s.io/")
}

fn identity_of(config: &Config) -> Identity {
    let server = config.cluster_url.to_string();
    let ca = config.root_cert.as_ref().and_then(|certificates| certificates.first());
    Identity {
        server: server.trim_end_matches('/').to_owned(),
        ca_sha256: ca.map(|der| hex::encode(Sha256::digest(der))),
    }
}

impl Identity {
    /// The identity that another kubeconfig's server and CA file have.
    pub fn server_matches(&self, declared: &str) -> bool {
        self.server == declared.trim_end_matches('/')
    }
}

/// `KUBECONFIG`'s files that exist, or the one in the home directory.
pub(super) fn default_paths(variable: Option<&str>, home: Option<&Path>) -> Vec<PathBuf> {
    let listed = variable.map(|list| std::env::split_paths(list).filter(|path| path.exists()).collect::<Vec<_>>());
    listed
        .filter(|paths| !paths.is_empty())
        .unwrap_or_else(|| home.map(|home| home.join(".kube/config")).into_iter().collect())
}

impl Access {
    /// The client tools' own choice of files, with this context.
    pub fn default_files(process: &crate::process::Process, context: &str) -> Self {
        let paths = default_paths(process.variable("KUBECONFIG"), process.home().as_deref());
        Self::File { paths, context: Some(context.to_owned()) }
    }
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = cause.source();
    }
    text
}
