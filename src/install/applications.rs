//! The Applications as Argo CD reports them, for `status`.

use super::site::Site;
use crate::error::Failure;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// One Application as Argo CD reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ApplicationStatus {
    /// Its name.
    pub name: String,
    /// Its project.
    pub project: String,
    /// `Synced`, `OutOfSync`, `Unknown`, or `Missing` when it should be there.
    pub sync: String,
    /// `Healthy`, `Progressing`, `Degraded`, `Missing`, `Suspended`, `Unknown`.
    pub health: String,
    /// The commit it was last compared with.
    pub revision: String,
}

/// Those that are there and those that should be, by name; none before the cluster is up.
pub async fn applications(site: &Site) -> Result<Vec<ApplicationStatus>, Failure> {
    let source = site.source().await?;
    let Some(snapshot) = site.snapshot().await? else { return Ok(Vec::new()) };
    let children = source.children(snapshot.target().await?).await?;
    let mut found: BTreeMap<String, ApplicationStatus> =
        children.applications.iter().map(|child| (child.name_any(), missing(child))).collect();
    for (name, live) in snapshot.applications().await? {
        found.insert(name.clone(), status_of(live));
    }
    Ok(found.into_values().collect())
}

fn status_of(live: &DynamicObject) -> ApplicationStatus {
    let text =
        |pointer: &str| live.data.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let or_unknown = |text: String| if text.is_empty() { "Unknown".to_owned() } else { text };
    ApplicationStatus {
        name: live.name_any(),
        project: text("/spec/project"),
        sync: or_unknown(text("/status/sync/status")),
        health: or_unknown(text("/status/health/status")),
        revision: text("/status/sync/revision"),
    }
}

fn missing(child: &DynamicObject) -> ApplicationStatus {
    let wanted = status_of(child);
    ApplicationStatus { sync: "Missing".into(), health: "Missing".into(), ..wanted }
}
