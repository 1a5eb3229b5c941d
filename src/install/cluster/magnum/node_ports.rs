//! Finds the ports of the cluster's own nodes: by server where the nodes name theirs, else by address.
//!
//! Two clusters may have the same addresses, each on a network of its own (Magnum always begins at 10.0.0.0/24). A
//! network counts only when all nodes have a port on it; if more than one remains, nobody guesses.

use super::error::MagnumError;
use super::ports::{NodePort, Role};
use super::witness::NodeFact;
use crate::client::openstack::{Openstack, Port};
use std::collections::{BTreeMap, BTreeSet};

/// The nodes' ports.
pub async fn find(cloud: &Openstack, cluster: &str, nodes: &[NodeFact]) -> Result<Vec<NodePort>, MagnumError> {
    let unsure = |why: String| MagnumError::Ports { name: cluster.to_owned(), why };
    let servers: Option<BTreeMap<String, Role>> =
        nodes.iter().map(|node| Some((node.server.clone()?, node.role))).collect();
    if let Some(servers) = servers {
        let ids: Vec<String> = servers.keys().cloned().collect();
        return by_server(&servers, cloud.ports_of_servers(&ids).await?).map_err(unsure);
    }
    let addresses: Option<BTreeMap<String, Role>> =
        nodes.iter().map(|node| Some((node.address.clone()?, node.role))).collect();
    let addresses = addresses.ok_or_else(|| unsure("a node has neither a providerID nor an address".to_owned()))?;
    let asked: Vec<String> = addresses.keys().cloned().collect();
    by_address(&addresses, cloud.ports_with_addresses(&asked).await?).map_err(unsure)
}

fn by_server(servers: &BTreeMap<String, Role>, ports: Vec<Port>) -> Result<Vec<NodePort>, String> {
    let found: Vec<NodePort> =
        ports.into_iter().filter_map(|port| Some(NodePort { role: *servers.get(&port.device_id)?, port })).collect();
    // After the cluster has shrunk, a node stays registered for a while although its server is gone: it has no port.
    if found.is_empty() { Err("none of its servers has a port".to_owned()) } else { Ok(found) }
}

fn by_address(addresses: &BTreeMap<String, Role>, ports: Vec<Port>) -> Result<Vec<NodePort>, String> {
    let mut networks: BTreeMap<String, BTreeMap<String, NodePort>> = BTreeMap::new();
    for port in ports {
        for ip in port.fixed_ips.iter().map(|ip| ip.ip_address.clone()) {
            if let Some(role) = addresses.get(&ip) {
                let node = NodePort { role: *role, port: port.clone() };
                networks.entry(port.network_id.clone()).or_default().insert(ip, node);
            }
        }
    }
    let wanted: BTreeSet<&String> = addresses.keys().collect();
    let mut complete = networks.into_iter().filter(|(_, found)| found.keys().collect::<BTreeSet<_>>() == wanted);
    match (complete.next(), complete.next()) {
        (Some((_, found)), None) => Ok(found.into_values().collect()),
        (None, _) => Err("no network has a port for each node's address".to_owned()),
        (Some((one, _)), Some((two, _))) => Err(format!("networks {one} and {two} both have all its addresses")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn port(id: &str, network: &str, ip: &str) -> Port {
        let port = json!({ "id": id, "device_id": format!("server-{id}"), "network_id": network,
                           "fixed_ips": [{ "ip_address": ip }] });
        serde_json::from_value(port).unwrap()
    }

    fn addresses(all: &[&str]) -> BTreeMap<String, Role> {
        all.iter().map(|&ip| (ip.to_owned(), Role::Worker)).collect()
    }

    #[test]
    fn equal_addresses_on_two_networks_are_never_guessed() {
        let ports = vec![port("1", "a", "10.0.0.10"), port("2", "b", "10.0.0.10"), port("3", "b", "10.0.0.11")];
        let two = by_address(&addresses(&["10.0.0.10", "10.0.0.11"]), ports.clone()).unwrap();
        assert_eq!(two.iter().map(|node| node.port.id.as_str()).collect::<Vec<_>>(), ["2", "3"]);
        assert!(by_address(&addresses(&["10.0.0.10"]), ports.clone()).unwrap_err().contains("both"));
        assert!(by_address(&addresses(&["10.0.0.99"]), ports).is_err());
    }

    #[test]
    fn a_node_whose_server_is_gone_has_no_port() {
        let servers: BTreeMap<_, _> = [1, 3].map(|id| (format!("server-{id}"), Role::Master)).into();
        let ports = vec![port("1", "a", "10.0.0.5"), port("2", "a", "10.0.0.10")];
        assert_eq!(by_server(&servers, ports).unwrap().len(), 1, "and another server's port is not ours");
        assert!(by_server(&servers, Vec::new()).is_err());
    }
}
