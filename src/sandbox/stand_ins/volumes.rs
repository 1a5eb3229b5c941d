//! Stands in for the storage provisioners (Cinder CSI and the like): a volume for each claim of a class.
//!
//! Simpler: no volume has any content or size; every access mode is granted; a claim that waits for its first
//! consumer gets its volume when the scheduler has chosen the node, whatever the topology.

use super::{Context, StandInError, again, drive, exists};
use crate::sandbox::cluster::MANAGER;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::Controller;
use kube::runtime::controller::Action;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Volumes of this "provisioner" are made by people.
const BY_HAND: &str = "kubernetes.io/no-provisioner";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const OURS: &str = "rsp-install-sandbox/volume";

/// Gives claims their volumes.
pub(super) async fn claims(context: Arc<Context>) {
    let claims: Api<PersistentVolumeClaim> = Api::all(context.client.clone());
    drive(Controller::new(claims, watcher::Config::default()).run(provide, again, context)).await;
}

/// Removes released volumes whose class says so; nobody else knows how.
pub(super) async fn released(context: Arc<Context>) {
    let volumes: Api<PersistentVolume> = Api::all(context.client.clone());
    drive(Controller::new(volumes, watcher::Config::default()).run(reclaim, again, context)).await;
}

async fn provide(claim: Arc<PersistentVolumeClaim>, context: Arc<Context>) -> Result<Action, StandInError> {
    let Some(spec) = &claim.spec else { return Ok(Action::await_change()) };
    let settled = spec.volume_name.is_some() || claim.metadata.deletion_timestamp.is_some();
    let Some(class) = spec.storage_class_name.as_deref().filter(|class| !settled && !class.is_empty()) else {
        return Ok(Action::await_change());
    };
    let classes: Api<StorageClass> = Api::all(context.client.clone());
    let Some(class) = classes.get_opt(class).await? else { return Ok(Action::requeue(Duration::from_secs(2))) };
    let waits = class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer");
    if class.provisioner == BY_HAND || waits && !claim.annotations().contains_key(SELECTED_NODE) {
        return Ok(Action::await_change());
    }
    let volumes: Api<PersistentVolume> = Api::all(context.client.clone());
    match volumes.create(&parameters(), &volume_for(&claim, &class)?).await {
        Err(error) if !exists(&error) => Err(error.into()),
        _ => Ok(Action::await_change()),
    }
}

fn volume_for(claim: &PersistentVolumeClaim, class: &StorageClass) -> Result<PersistentVolume, StandInError> {
    let name = format!("pvc-{}", claim.uid().unwrap_or_default());
    let spec = claim.spec.as_ref();
    let size = spec.and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage"));
    let volume = json!({
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: class.provisioner, OURS: "true"}},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": spec.and_then(|spec| spec.access_modes.as_ref()),
            "volumeMode": spec.and_then(|spec| spec.volume_mode.as_ref()),
            "persistentVolumeReclaimPolicy": class.reclaim_policy.as_deref().unwrap_or("Delete"),
            "storageClassName": class.name_any(),
            "mountOptions": class.mount_options,
            "hostPath": {"path": format!("/nowhere/{name}")},
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "namespace": claim.namespace(), "name": claim.name_any(), "uid": claim.uid(),
            },
        },
    });
    serde_json::from_value(volume).map_err(|error| StandInError::Object(format!("volume {name}: {error}")))
}

async fn reclaim(volume: Arc<PersistentVolume>, context: Arc<Context>) -> Result<Action, StandInError> {
    let released = volume.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Released");
    let policy = volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    let ours = volume.annotations().contains_key(OURS);
    if released && ours && policy == Some("Delete") && volume.metadata.deletion_timestamp.is_none() {
        let volumes: Api<PersistentVolume> = Api::all(context.client.clone());
        volumes.delete(&volume.name_any(), &DeleteParams::default()).await?;
    }
    Ok(Action::await_change())
}

fn parameters() -> PostParams {
    PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() }
}
