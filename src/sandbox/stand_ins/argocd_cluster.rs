//! Stands in for what two pods of Argo CD write into the cluster when they start: the program that makes the redis
//! password (`argocd admin redis-initial-password`: a Job of the chart, an init container of the plain manifests) and
//! the API server (`argocd-server`), which makes the project `default`.
//!
//! Simpler: the password protects nothing, as the sandbox's redis asks for none. Of what the API server does beside,
//! nothing is done: no admin password, no session key, no web interface.

use super::{Context, StandInError, again, drive, exists, served};
use crate::sandbox::cluster::MANAGER;
use k8s_openapi::api::core::v1::{Container, Pod, Secret};
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::Controller;
use kube::runtime::controller::Action;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use std::sync::Arc;

/// Pods that begin with the first of these words make the password; the API server is known by its label.
const PASSWORD_COMMAND: &str = "redis-initial-password";
const WATCHED: &str = "app.kubernetes.io/name in (argocd-redis, argocd-redis-secret-init, argocd-server)";

/// Watches Argo CD's pods, in whatever namespace.
pub(super) async fn run(context: Arc<Context>) {
    let pods: Api<Pod> = Api::all(context.client.clone());
    drive(Controller::new(pods, watcher::Config::default().labels(WATCHED)).run(reconcile, again, context)).await;
}

async fn reconcile(pod: Arc<Pod>, context: Arc<Context>) -> Result<Action, StandInError> {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let Some(namespace) = pod.namespace().filter(|_| matches!(phase, Some("Running" | "Succeeded"))) else {
        return Ok(Action::await_change());
    };
    if makes_password(&pod) {
        make_password(&context, &namespace).await?;
    }
    if pod.labels().get("app.kubernetes.io/name").is_some_and(|name| name == "argocd-server") {
        make_default_project(&context, &namespace).await?;
    }
    Ok(Action::await_change())
}

fn makes_password(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let says = |container: &Container| {
        let words = container.command.iter().chain(&container.args).flatten();
        words.into_iter().any(|word| word == PASSWORD_COMMAND)
    };
    spec.containers.iter().chain(spec.init_containers.iter().flatten()).any(says)
}

async fn make_password(context: &Context, namespace: &str) -> Result<(), StandInError> {
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    let password = hex::encode(rand::random::<[u8; 16]>());
    let secret = json!({"metadata": {"name": "argocd-redis"}, "stringData": {"auth": password}});
    let secret = serde_json::from_value(secret).map_err(|error| StandInError::Object(error.to_string()))?;
    unless_there(secrets.create(&parameters(), &secret).await)
}

async fn make_default_project(context: &Context, namespace: &str) -> Result<(), StandInError> {
    served(&context.client, "appprojects.argoproj.io").await;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "AppProject"));
    let projects: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), namespace, &resource);
    let everything = json!({"spec": {
        "sourceRepos": ["*"],
        "destinations": [{"server": "*", "namespace": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    }});
    let project = DynamicObject::new("default", &resource).data(everything);
    unless_there(projects.create(&parameters(), &project).await)
}

fn unless_there<T>(created: Result<T, kube::Error>) -> Result<(), StandInError> {
    match created {
        Err(error) if !exists(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

fn parameters() -> PostParams {
    PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() }
}
