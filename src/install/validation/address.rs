//! Does the environment's name lead to its Ingresses?
//!
//! Asks the resolver of the machine that we run on. DNS is made by people, often after the installation: a wrong answer
//! warns. A sandbox has no name in DNS.

use super::super::site::Site;
use super::Check;
use crate::environment::Cluster as Declared;
use kube::api::DynamicObject;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// How long the resolver may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The check; nothing on a sandbox, or while no Ingress has an address.
pub(super) async fn check(site: &Site, fqdn: &str, ingresses: &[DynamicObject]) -> Option<Check> {
    let addresses = addresses(ingresses);
    if addresses.is_empty() || matches!(site.loaded.environment.cluster, Some(Declared::Sandbox(_))) {
        return None;
    }
    Some(Check::new(
        "dns",
        false,
        wrong(fqdn, ingresses).await.into_iter(),
        format!("{fqdn} is {}", listed(&addresses)),
        "let the name's A record say the Ingress's address",
    ))
}

/// Why the name does not lead to the Ingresses; nothing when it does.
pub(in super::super) async fn wrong(fqdn: &str, ingresses: &[DynamicObject]) -> Option<String> {
    let resolved = match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((fqdn, 443))).await {
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("the resolver did not answer within {} s", PATIENCE.as_secs())),
    };
    compared(fqdn, &addresses(ingresses), resolved)
}

/// The addresses of all Ingresses. Load balancers that have names instead are not compared: those names move.
fn addresses(ingresses: &[DynamicObject]) -> BTreeSet<IpAddr> {
    let of = |ingress: &DynamicObject| {
        let list = ingress.data.pointer("/status/loadBalancer/ingress").and_then(Value::as_array).cloned();
        list.unwrap_or_default().into_iter().filter_map(|entry| entry["ip"].as_str()?.parse().ok())
    };
    ingresses.iter().flat_map(of).collect()
}

fn compared(fqdn: &str, wanted: &BTreeSet<IpAddr>, resolved: Result<BTreeSet<IpAddr>, String>) -> Option<String> {
    match resolved {
        Ok(found) if found.is_disjoint(wanted) => {
            Some(format!("{fqdn} is {}, and the Ingresses are at {}", listed(&found), listed(wanted)))
        }
        Ok(_) => None,
        Err(message) => Some(format!("{fqdn} has no address ({message}); the Ingresses are at {}", listed(wanted))),
    }
}

fn listed(addresses: &BTreeSet<IpAddr>) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(addresses: &[&str]) -> BTreeSet<IpAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn one_common_address_is_enough() {
        let wanted = set(&["192.0.2.7", "2001:db8::7"]);
        assert_eq!(compared("rsp.example.org", &wanted, Ok(set(&["192.0.2.7"]))), None);
        let other = compared("rsp.example.org", &wanted, Ok(set(&["192.0.2.8"]))).unwrap();
        assert_eq!(other, "rsp.example.org is 192.0.2.8, and the Ingresses are at 192.0.2.7, 2001:db8::7");
        assert!(compared("rsp.example.org", &wanted, Err("no such host".into())).unwrap().contains("no such host"));
    }

    #[test]
    fn addresses_come_from_the_status_and_names_are_left_out() {
        let ingress: DynamicObject = serde_json::from_value(serde_json::json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "x"},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}, {"hostname": "lb.example.org"}]}},
        }))
        .unwrap();
        assert_eq!(addresses(&[ingress]), set(&["192.0.2.7"]));
    }
}
