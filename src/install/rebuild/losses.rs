//! What would be lost with the old cluster. Pure rules over what it says.

use super::super::error::InstallError;
use super::super::site::Site;
use super::address_of;
use crate::client::kubernetes::place;
use crate::error::Failure;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;
use std::collections::BTreeSet;
use std::str::FromStr;

/// What can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossKind {
    /// Volumes that go with the cluster.
    Volumes,
    /// Addresses that the new cluster's load balancers will not have.
    Addresses,
    /// Applications whose state is not the one of the branch.
    Unsynced,
}

impl LossKind {
    fn text(self) -> &'static str {
        match self {
            Self::Volumes => "volumes",
            Self::Addresses => "addresses",
            Self::Unsynced => "unsynced",
        }
    }
}

impl FromStr for LossKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Volumes, Self::Addresses, Self::Unsynced].into_iter().find(|kind| kind.text() == text);
        known.ok_or_else(|| format!("{text:?} is none of volumes, addresses, unsynced"))
    }
}

/// One thing that would be lost, for people.
type Loss = (LossKind, String);

/// Refuses a rebuild that would lose what was not accepted.
pub(super) async fn refuse(active: &Site, accepted: &[LossKind]) -> Result<(), Failure> {
    let Some(snapshot) = active.snapshot().await? else { return Ok(()) };
    let cluster = snapshot.cluster();
    let (claims, volumes, services) = tokio::try_join!(
        snapshot.claims(),
        cluster.list("v1", "PersistentVolume", None),
        cluster.list("v1", "Service", None),
    )?;
    let source = active.source().await?;
    let children = source.children(snapshot.target().await?).await?;
    let wanted: BTreeSet<String> = children.applications.iter().map(kube::ResourceExt::name_any).collect();
    let applications = snapshot.applications().await?.values().filter(|one| one.name_any() != source.parent());
    let lost = volumes_lost(claims, &volumes)
        .chain(services.iter().filter_map(address_lost))
        .chain(applications.filter_map(|application| unsynced(application, &wanted)))
        .filter(|(kind, _)| !accepted.contains(kind));
    let lost: Vec<Loss> = lost.collect();
    if lost.is_empty() {
        return Ok(());
    }
    let kinds: BTreeSet<LossKind> = lost.iter().map(|(kind, _)| *kind).collect();
    Err(InstallError::WouldLose {
        environment: active.name().to_owned(),
        losses: lost.into_iter().map(|(_, text)| text).collect(),
        kinds: kinds.into_iter().map(LossKind::text).collect(),
    }
    .into())
}

/// Claims whose volumes are deleted with them. A volume that is retained outlives its cluster.
fn volumes_lost<'a>(claims: &'a [DynamicObject], volumes: &[DynamicObject]) -> impl Iterator<Item = Loss> + 'a {
    let retained = |volume: &&DynamicObject| volume.data["spec"]["persistentVolumeReclaimPolicy"] == "Retain";
    let kept: BTreeSet<String> = volumes.iter().filter(retained).map(kube::ResourceExt::name_any).collect();
    claims.iter().filter_map(move |claim| {
        let volume = claim.data["spec"]["volumeName"].as_str()?;
        let size = claim.data.pointer("/status/capacity/storage").and_then(Value::as_str).unwrap_or("unknown size");
        (!kept.contains(volume)).then(|| (LossKind::Volumes, format!("the data of claim {} ({size})", place(claim))))
    })
}

/// The address of a load balancer, unless it is reserved: asked for by the Service, or kept when the Service goes.
fn address_lost(service: &DynamicObject) -> Option<Loss> {
    if service.data["spec"]["type"] != "LoadBalancer" || service.data["spec"]["loadBalancerIP"].is_string() {
        return None;
    }
    let keep = service.annotations().get("loadbalancer.openstack.org/keep-floatingip");
    let address = address_of(service)?;
    let lost = keep.is_none_or(|keep| keep != "true");
    lost.then(|| (LossKind::Addresses, format!("address {address} of Service {}", place(service))))
}

/// What was changed by hand in an Application, or all of one that the branch does not know.
fn unsynced(application: &DynamicObject, wanted: &BTreeSet<String>) -> Option<Loss> {
    let name = application.name_any();
    if !wanted.contains(&name) {
        return Some((LossKind::Unsynced, format!("Application {name}, which is not of the branch")));
    }
    let status = application.data["status"]["sync"]["status"].as_str().unwrap_or("Unknown");
    (status != "Synced")
        .then(|| (LossKind::Unsynced, format!("what differs from the branch in Application {name} ({status})")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_claim_is_lost_unless_its_volume_is_retained() {
        let claim = |name: &str| {
            object(
                json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": "n"},
                "spec": {"volumeName": format!("of-{name}")}, "status": {"capacity": {"storage": "5Gi"}}}),
            )
        };
        let volume = |name: &str, policy: &str| {
            object(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
                "spec": {"persistentVolumeReclaimPolicy": policy}}))
        };
        let volumes = [volume("of-a", "Delete"), volume("of-b", "Retain")];
        let lost: Vec<Loss> = volumes_lost(&[claim("a"), claim("b")], &volumes).collect();
        assert_eq!(lost, [(LossKind::Volumes, "the data of claim n/a (5Gi)".to_owned())]);
    }

    #[test]
    fn an_address_is_lost_unless_it_is_reserved() {
        let service = |spec: Value, annotations: Value| {
            object(json!({"apiVersion": "v1", "kind": "Service", "spec": spec,
                "metadata": {"name": "s", "namespace": "n", "annotations": annotations},
                "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}))
        };
        let balancer = || json!({"type": "LoadBalancer"});
        assert!(address_lost(&service(balancer(), json!({}))).unwrap().1.contains("192.0.2.1 of Service n/s"));
        assert_eq!(address_lost(&service(json!({"type": "ClusterIP"}), json!({}))), None);
        let reserved = json!({"type": "LoadBalancer", "loadBalancerIP": "192.0.2.1"});
        assert_eq!(address_lost(&service(reserved, json!({}))), None);
        let kept = json!({"loadbalancer.openstack.org/keep-floatingip": "true"});
        assert_eq!(address_lost(&service(balancer(), kept)), None);
    }

    #[test]
    fn an_application_is_lost_when_it_differs_or_is_not_of_the_branch() {
        let application = |status: &str| {
            object(json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "tap"},
                "status": {"sync": {"status": status}}}))
        };
        let wanted = BTreeSet::from(["tap".to_owned()]);
        assert_eq!(unsynced(&application("Synced"), &wanted), None);
        assert!(unsynced(&application("OutOfSync"), &wanted).unwrap().1.contains("(OutOfSync)"));
        assert!(unsynced(&application("Synced"), &BTreeSet::new()).unwrap().1.contains("not of the branch"));
    }
}
