//! Stands in for the cloud's load balancers (Octavia) and for the ingress controller's word about its address.
//!
//! Simpler: nothing answers at these addresses. They lie in 198.18.0.0/15, the range for benchmarks, which is routed
//! nowhere; the last two numbers are those of the Service's cluster address, so that they are unique and stay the same.

use super::{Context, StandInError, again, drive};
use crate::sandbox::cluster::MANAGER;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::Controller;
use kube::runtime::controller::Action;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// Where phalanx puts the ingress controller, whose address every Ingress repeats.
const INGRESS_NAMESPACE: &str = "ingress-nginx";

/// Gives Services of type `LoadBalancer` an address.
pub(super) async fn services(context: Arc<Context>) {
    let services: Api<Service> = Api::all(context.client.clone());
    drive(Controller::new(services, watcher::Config::default()).run(balance, again, context)).await;
}

/// Gives Ingresses the address of the ingress controller's Service.
pub(super) async fn ingresses(context: Arc<Context>) {
    let ingresses: Api<Ingress> = Api::all(context.client.clone());
    drive(Controller::new(ingresses, watcher::Config::default()).run(announce, again, context)).await;
}

async fn balance(service: Arc<Service>, context: Arc<Context>) -> Result<Action, StandInError> {
    let wanted = service.spec.as_ref().is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"));
    let (Some(namespace), Some(address)) = (service.namespace(), address_for(&service)) else {
        return Ok(Action::await_change());
    };
    if wanted && address_of(&service).is_none() && service.metadata.deletion_timestamp.is_none() {
        let services: Api<Service> = Api::namespaced(context.client.clone(), &namespace);
        let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}});
        services.patch_status(&service.name_any(), &parameters(), &Patch::Merge(&status)).await?;
    }
    Ok(Action::await_change())
}

async fn announce(ingress: Arc<Ingress>, context: Arc<Context>) -> Result<Action, StandInError> {
    let Some(namespace) = ingress.namespace() else { return Ok(Action::await_change()) };
    let has = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    if has.is_some_and(|addresses| !addresses.is_empty()) || ingress.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let services: Api<Service> = Api::namespaced(context.client.clone(), INGRESS_NAMESPACE);
    let Some(address) = services.list(&ListParams::default()).await?.iter().find_map(address_of) else {
        return Ok(Action::requeue(Duration::from_secs(1)));
    };
    let ingresses: Api<Ingress> = Api::namespaced(context.client.clone(), &namespace);
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
    ingresses.patch_status(&ingress.name_any(), &parameters(), &Patch::Merge(&status)).await?;
    Ok(Action::await_change())
}

/// The address that the Service asks for, else the one that follows from its cluster address.
fn address_for(service: &Service) -> Option<String> {
    let spec = service.spec.as_ref()?;
    if let Some(asked) = spec.load_balancer_ip.clone().filter(|asked| !asked.is_empty()) {
        return Some(asked);
    }
    let [_, _, third, fourth] = spec.cluster_ip.as_deref()?.parse::<Ipv4Addr>().ok()?.octets();
    Some(Ipv4Addr::new(198, 18, third, fourth).to_string())
}

fn address_of(service: &Service) -> Option<String> {
    service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?.first()?.ip.clone()
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() }
}
