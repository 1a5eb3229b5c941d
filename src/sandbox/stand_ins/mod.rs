//! Stand-ins: small replacements of ours for what kwok's pods would do if they ran. Each says in its file what it
//! stands in for and where it is simpler. They run inside the daemon, with a certificate of their own.
//!
//! Not rehearsed by anything here: admission and conversion webhooks, aggregated APIs, DNS, ingress traffic.

mod addresses;
mod argocd_cluster;
mod argocd_processes;
mod cert_manager;
mod operator_session;
mod secret_template;
mod secrets_operator;
mod vault_secret;
mod volumes;

use super::SandboxError;
use super::certificates::Authority;
use super::keeper::Keepers;
use super::servers::Servers;
use super::vault::Vault;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::runtime::controller::Action;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What the stand-ins work with.
#[derive(Clone)]
pub(super) struct Context {
    pub client: Client,
    pub vault: Vault,
    pub authority: Arc<Authority>,
    pub servers: Servers,
    pub keepers: Keepers,
}

/// Why a stand-in cannot do its work now; it is told in the daemon's log and tried again.
#[derive(Debug, thiserror::Error)]
enum StandInError {
    #[error("{0}")]
    Kubernetes(#[from] kube::Error),
    #[error("{0}")]
    Sandbox(#[from] SandboxError),
    #[error("{0}")]
    Certificate(#[from] rcgen::Error),
    #[error("{0}")]
    Object(String),
}

/// The running stand-ins.
pub(super) struct StandIns {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    processes: tokio::task::JoinHandle<()>,
}

impl StandIns {
    /// Starts all of them.
    pub(super) fn start(context: Context) -> Self {
        let (mut tasks, stop, context) = (JoinSet::new(), CancellationToken::new(), Arc::new(context));
        tasks.spawn(volumes::claims(Arc::clone(&context)));
        tasks.spawn(volumes::released(Arc::clone(&context)));
        tasks.spawn(addresses::services(Arc::clone(&context)));
        tasks.spawn(addresses::ingresses(Arc::clone(&context)));
        tasks.spawn(cert_manager::issuers(Arc::clone(&context), "Issuer"));
        tasks.spawn(cert_manager::issuers(Arc::clone(&context), "ClusterIssuer"));
        tasks.spawn(cert_manager::certificates(Arc::clone(&context)));
        tasks.spawn(argocd_cluster::run(Arc::clone(&context)));
        tasks.spawn(secrets_operator::run(Arc::clone(&context)));
        let processes = tokio::spawn(argocd_processes::run(context, stop.clone()));
        Self { tasks, stop, processes }
    }

    /// Ends all of them, and the processes that they started.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.stop.cancel();
        let _ = self.processes.await;
    }
}

/// Tells what failed and tries again soon.
fn again<K>(_: Arc<K>, error: &StandInError, _: Arc<Context>) -> Action {
    eprintln!("stand-in: {error}");
    Action::requeue(Duration::from_secs(2))
}

/// Lets a controller run for ever. What it did is in the cluster; failures were told by [`again`].
async fn drive<T, E>(outcomes: impl Stream<Item = Result<T, E>>) {
    outcomes.for_each(|_| async {}).await;
}

/// Waits until the API server serves a custom resource, however long that takes.
async fn served(client: &Client, definition: &str) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    while await_condition(definitions.clone(), definition, conditions::is_crd_established()).await.is_err() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Whether a pod's containers run, as far as anybody can tell.
fn is_running(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
}

/// Whether a create failed because somebody else was first.
fn exists(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
