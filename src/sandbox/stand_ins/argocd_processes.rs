//! Stands in for the kubelet in one case: Argo CD's application controller and repository server really run, as
//! children of the daemon, while a pod of theirs does.
//!
//! A new pod is a new process: a restart of the `StatefulSet` restarts the controller, as on a real cluster. Simpler:
//! command line and environment of the pod's container are not read; one process runs however many replicas there are.

use super::{Context, is_running};
use crate::sandbox::keeper::{Kept, Server};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const NAME: &str = "app.kubernetes.io/name";
const PROGRAMS: [&str; 2] = ["argocd-repo-server", "argocd-application-controller"];

/// Follows the pods until told to stop, and stops the processes then.
pub(super) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let mut running = BTreeMap::new();
    let follow = follow(&context, &mut running);
    tokio::select! {
        () = follow => {}
        () = stop.cancelled() => {}
    }
    for (_, Process { kept, .. }) in running {
        kept.stop().await;
    }
}

/// The process of a pod.
struct Process {
    pod: String,
    kept: Kept,
}

async fn follow(context: &Context, running: &mut BTreeMap<&'static str, Process>) {
    let (store, writer) = reflector::store();
    let pods: Api<Pod> = Api::all(context.client.clone());
    let labels = format!("{NAME} in ({})", PROGRAMS.join(","));
    let changes = watcher(pods, watcher::Config::default().labels(&labels)).default_backoff().reflect(writer);
    let mut changes = std::pin::pin!(changes);
    while let Some(change) = changes.next().await {
        if change.is_err() {
            continue;
        }
        for program in PROGRAMS {
            adjust(context, program, pod_of(&store, program), running).await;
        }
    }
}

/// The youngest running pod of a program; while a rollout goes on there are two.
fn pod_of(store: &Store<Pod>, program: &str) -> Option<Arc<Pod>> {
    let pods = store.state().into_iter();
    pods.filter(|pod| pod.labels().get(NAME).is_some_and(|name| name == program) && is_running(pod))
        .max_by_key(|pod| pod.creation_timestamp().map(|time| time.0))
}

async fn adjust(
    context: &Context,
    program: &'static str,
    pod: Option<Arc<Pod>>,
    running: &mut BTreeMap<&'static str, Process>,
) {
    let wanted = pod.as_ref().and_then(|pod| pod.uid());
    if running.get(program).map(|process| &process.pod) == wanted.as_ref() {
        return;
    }
    if let Some(process) = running.remove(program) {
        process.kept.stop().await;
    }
    let (Some(pod), Some(uid)) = (pod, wanted) else { return };
    let namespace = pod.namespace().unwrap_or_default();
    await_settings(context, &namespace).await;
    let kept = context.keepers.keep(server(context, program, &namespace));
    running.insert(program, Process { pod: uid, kept });
}

fn server(context: &Context, program: &str, namespace: &str) -> Server {
    match program {
        "argocd-repo-server" => context.servers.repo_server(),
        _ => context.servers.application_controller(namespace),
    }
}

/// Without their `ConfigMap` both would end at once.
async fn await_settings(context: &Context, namespace: &str) {
    let settings: Api<ConfigMap> = Api::namespaced(context.client.clone(), namespace);
    while !matches!(settings.get_opt("argocd-cm").await, Ok(Some(_))) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
