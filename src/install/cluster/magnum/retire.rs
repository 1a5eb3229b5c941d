//! The end of a cluster, in the order that leaves nothing behind.
//!
//! Load balancers and volumes are made by controllers inside the cluster: they must be given back while it still lives.
//! Then what carries its UUID and leads nowhere any more, then the cluster, and again what carries its UUID. Nothing is
//! deleted because of how its name begins, and no address that somebody uses.

use super::error::MagnumError;
use super::home::Magnum;
use super::identify;
use super::patience::{Testimony, interval};
use super::wait::failed;
use super::witness;
use crate::client::kubernetes::{self, place, resource};
use crate::client::openstack::{Cluster, FloatingIp, Openstack};
use crate::engine::{Deadline, Event, Run};
use crate::error::Failure;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long the controllers may take to give load balancers and volumes back.
const GIVE_BACK: Duration = Duration::from_mins(10);

/// What will go and what will stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retirement {
    /// The cluster: name and UUID.
    pub cluster: Option<(String, String)>,
    /// Services of type `LoadBalancer`, as namespace and name.
    pub load_balancers: Vec<String>,
    /// Claims, as namespace and name.
    pub claims: Vec<String>,
    /// Floating IPs with the cluster's UUID in their description.
    pub floating_ips: Vec<String>,
    /// What is not touched.
    pub untouched: Vec<String>,
}

/// What is in the cluster that must be given back first.
#[derive(Default)]
struct Inside {
    load_balancers: Vec<DynamicObject>,
    claims: Vec<DynamicObject>,
    volumes: Vec<DynamicObject>,
}

/// What a retirement would do. Reads only.
pub async fn plan(magnum: &Magnum, run: &Run) -> Result<Retirement, Failure> {
    let seen = magnum.look(run).await?;
    let cloud = magnum.cloud(run).await?;
    let Some(cluster) = &seen.cluster else { return Ok(Retirement::default()) };
    refuse_unmarked(magnum, cluster)?;
    let inside = match &seen.access {
        Some(access) => inside(&witness::connect(&access.kubeconfig, &run.outlet).await?).await?,
        None => Inside::default(),
    };
    let others = cloud.clusters().await.map_err(MagnumError::from)?;
    let others = others.iter().filter(|other| other.uuid != cluster.uuid);
    let mut untouched: Vec<String> = others.map(|other| format!("cluster {} ({})", other.name, other.uuid)).collect();
    untouched.extend(inside.volumes.iter().filter(|volume| keeps(volume)).map(|volume| {
        format!("volume {}, whose reclaim policy is Retain", handle(volume).unwrap_or_else(|| volume.name_any()))
    }));
    untouched.push(format!("key pair {} and template {}", magnum.wanted.magnum.keypair, magnum.wanted.magnum.template));
    untouched.push("the environment's secrets in Vault and its DNS names".to_owned());
    let addresses = cloud.floating_ips().await.map_err(MagnumError::from)?;
    let (floating, others): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|ip| is_left_over(ip, &cluster.uuid));
    untouched.extend(others.iter().map(|ip| stays(ip, &cluster.uuid)));
    Ok(Retirement {
        cluster: Some((cluster.name.clone(), cluster.uuid.clone())),
        load_balancers: inside.load_balancers.iter().map(place).collect(),
        claims: inside.claims.iter().map(place).collect(),
        floating_ips: floating.into_iter().map(|ip| ip.floating_ip_address).collect(),
        untouched,
    })
}

/// Retires the cluster. Safe to run again at any point.
pub async fn execute(magnum: &Magnum, run: &Run) -> Result<Retirement, Failure> {
    let planned = plan(magnum, run).await?;
    let seen = magnum.look(run).await?;
    let Some(cluster) = &seen.cluster else { return Ok(planned) };
    let cloud = magnum.cloud(run).await?;
    match &seen.access {
        Some(access) => {
            give_back(&witness::connect(&access.kubeconfig, &run.outlet).await?, run).await?;
            // Nothing in the cluster needs them any more, and once it is gone nobody knows its UUID.
            release(cloud, cluster).await?;
        }
        None => run.outlet.events().warn(format!(
            "cluster {} is {} and has no address: its load balancers and volumes, if any, cannot be given back from inside",
            cluster.name, cluster.status
        )),
    }
    cloud.delete_cluster(&cluster.uuid).await.map_err(MagnumError::from)?;
    until_gone(cloud, cluster, run).await?;
    release(cloud, cluster).await?;
    if let Some(path) = magnum.kubeconfig.as_ref().filter(|path| path.exists())
        && let Err(error) = std::fs::remove_file(path)
    {
        run.outlet.events().warn(format!("kubeconfig {} cannot be removed: {error}", path.display()));
    }
    magnum.look_again().await;
    Ok(planned)
}

/// A cluster that carries no mark of ours was made by somebody else.
fn refuse_unmarked(magnum: &Magnum, cluster: &Cluster) -> Result<(), MagnumError> {
    if identify::carries_mark(&magnum.wanted, cluster) {
        return Ok(());
    }
    Err(MagnumError::Unmarked {
        name: cluster.name.clone(),
        uuid: cluster.uuid.clone(),
        environment: magnum.wanted.environment.clone(),
    })
}

async fn inside(cluster: &kubernetes::Cluster) -> Result<Inside, Failure> {
    let (services, claims, volumes) = tokio::try_join!(
        cluster.list("v1", "Service", None),
        cluster.list("v1", "PersistentVolumeClaim", None),
        cluster.list("v1", "PersistentVolume", None),
    )?;
    let load_balancers =
        services.into_iter().filter(|service| service.data["spec"]["type"] == "LoadBalancer").collect();
    Ok(Inside { load_balancers, claims, volumes })
}

/// Workloads go before the claims: a claim in use stays. Argo CD goes first, or it would put everything back.
async fn give_back(cluster: &kubernetes::Cluster, run: &Run) -> Result<(), Failure> {
    let inside = inside(cluster).await?;
    if inside.load_balancers.is_empty() && inside.claims.is_empty() {
        return Ok(());
    }
    for (group_version, kind, namespace) in workloads(&inside) {
        for workload in cluster.list(group_version, kind, Some(&namespace)).await? {
            cluster.delete(&typed(workload, group_version, kind)).await?;
        }
    }
    for service in inside.load_balancers {
        cluster.delete(&typed(service, "v1", "Service")).await?;
    }
    for claim in inside.claims {
        cluster.delete(&typed(claim, "v1", "PersistentVolumeClaim")).await?;
    }
    until_given_back(cluster, run.deadline.within(GIVE_BACK), run).await
}

const CONTROLLERS: [(&str, &str); 5] = [
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
];

/// What could put a claim or a service back, namespace by namespace; Argo CD's first, the system's never.
fn workloads(inside: &Inside) -> Vec<(&'static str, &'static str, String)> {
    let mut namespaces: Vec<String> =
        inside.claims.iter().chain(&inside.load_balancers).filter_map(kube::ResourceExt::namespace).collect();
    namespaces.push("argocd".to_owned());
    namespaces.sort_by_key(|name| (name != "argocd", name.clone()));
    namespaces.dedup();
    let namespaces = namespaces.into_iter().filter(|name| !name.starts_with("kube-"));
    namespaces.flat_map(|name| CONTROLLERS.map(|(api, kind)| (api, kind, name.clone()))).collect()
}

async fn until_given_back(cluster: &kubernetes::Cluster, deadline: Deadline, run: &Run) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let inside = inside(cluster).await?;
        let volumes = inside.volumes.iter().filter(|volume| !keeps(volume));
        let left: Vec<String> = inside
            .load_balancers
            .iter()
            .map(|service| format!("Service {}", place(service)))
            .chain(inside.claims.iter().map(|claim| format!("PersistentVolumeClaim {}", place(claim))))
            .chain(volumes.map(|volume| format!("PersistentVolume {}", volume.name_any())))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        if deadline.passed() {
            return Err(MagnumError::NotGivenBack { left }.into());
        }
        tell(run, "load balancers and volumes", "given back", &left.join(", "));
        tokio::time::sleep(interval(begun.elapsed(), false).min(deadline.left())).await;
    }
}

async fn until_gone(cloud: &Openstack, cluster: &Cluster, run: &Run) -> Result<(), MagnumError> {
    let begun = Instant::now();
    loop {
        let Some(now) = cloud.cluster(&cluster.uuid).await? else { return Ok(()) };
        if now.status.0 == "DELETE_FAILED" {
            return Err(failed(&now));
        }
        let last = format!("Magnum says {}", now.status);
        if run.deadline.passed() {
            return Err(MagnumError::OutOfTime { name: now.name, uuid: now.uuid, last });
        }
        let told = if now.status.failed() { Testimony::reasons(&now) } else { last };
        tell(run, &format!("cluster {}", cluster.name), "gone", &told);
        tokio::time::sleep(interval(begun.elapsed(), false).min(run.deadline.left())).await;
    }
}

fn tell(run: &Run, object: &str, condition: &str, message: &str) {
    run.outlet.events().tell(Event::Waiting {
        object: object.to_owned(),
        condition: condition.to_owned(),
        message: message.to_owned(),
    });
}

/// Gives back the floating IPs that this cluster's controllers made.
async fn release(cloud: &Openstack, cluster: &Cluster) -> Result<(), MagnumError> {
    for ip in cloud.floating_ips().await?.iter().filter(|ip| is_left_over(ip, &cluster.uuid)) {
        cloud.delete_floating_ip(ip).await?;
    }
    Ok(())
}

/// Whether this cluster's cloud provider made the address: it writes `... from cluster UUID` into the description.
fn is_made_by(ip: &FloatingIp, uuid: &str) -> bool {
    ip.description.ends_with(&format!(" from cluster {uuid}"))
}

/// One that leads somewhere may have been moved to another cluster since.
fn is_left_over(ip: &FloatingIp, uuid: &str) -> bool {
    is_made_by(ip, uuid) && ip.port_id.is_none()
}

fn stays(ip: &FloatingIp, uuid: &str) -> String {
    let address = &ip.floating_ip_address;
    if is_made_by(ip, uuid) {
        return format!("floating IP {address}, if it still leads somewhere when the load balancers are gone");
    }
    format!("floating IP {address} ({})", ip.description)
}

/// Lists leave the kind out of their items.
fn typed(mut object: DynamicObject, group_version: &str, kind: &str) -> DynamicObject {
    let resource = resource(group_version, kind);
    object.types = Some(kube::core::TypeMeta { api_version: resource.api_version, kind: resource.kind });
    object
}

fn keeps(volume: &DynamicObject) -> bool {
    volume.data["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
}

fn handle(volume: &DynamicObject) -> Option<String> {
    volume.data.pointer("/spec/csi/volumeHandle").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ip(description: &str) -> FloatingIp {
        let ip = json!({ "id": "i", "floating_ip_address": "192.0.2.1", "port_id": null, "description": description });
        serde_json::from_value(ip).unwrap()
    }

    #[test]
    fn only_floating_ips_with_the_clusters_own_uuid_that_lead_nowhere_are_left_over() {
        let text = "Floating IP for Kubernetes external service ingress/ingress from cluster";
        let ips =
            [ip(&format!("{text} 1111")), ip(&format!("{text} 11112")), ip("by hand"), ip(&format!("{text} 1111 "))];
        assert_eq!(ips.each_ref().map(|ip| is_left_over(ip, "1111")), [true, false, false, false]);
        let moved = FloatingIp { port_id: Some("of-another-cluster".into()), ..ips[0].clone() };
        assert!(!is_left_over(&moved, "1111") && stays(&moved, "1111").contains("still leads somewhere"));
        assert!(stays(&ips[2], "1111").ends_with("(by hand)"));
    }

    #[test]
    fn argo_cd_goes_first_and_the_system_never() {
        let claim = |namespace: &str| -> DynamicObject {
            serde_json::from_value(json!({ "metadata": { "name": "c", "namespace": namespace } })).unwrap()
        };
        let claims = vec![claim("portal"), claim("kube-system"), claim("butler"), claim("portal")];
        let order: Vec<String> =
            workloads(&Inside { claims, ..Inside::default() }).into_iter().map(|one| one.2).collect();
        assert_eq!(order.chunks(5).map(|chunk| chunk[0].as_str()).collect::<Vec<_>>(), ["argocd", "butler", "portal"]);
    }
}
