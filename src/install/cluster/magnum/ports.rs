//! Which security groups are the nodes' own, and which rules they lack. Pure.
//!
//! A group is found through the ports of the cluster's own servers, by id. Its name is never looked at for that: Heat
//! cuts names to 30 characters, so two clusters' groups may begin alike. The project's group `default` is never used:
//! a rule there would open every server of the project.

use super::wanted::{WORLD, range};
use crate::client::openstack::{Port, SecurityGroup, SecurityGroupRule};
use crate::environment::PortRule;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Control plane.
    Master,
    /// Worker.
    Worker,
}

/// A node's port and what the node does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePort {
    /// The role.
    pub role: Role,
    /// The port.
    pub port: Port,
}

/// A rule that is lacking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// In which group.
    pub group: SecurityGroup,
    /// The TCP port.
    pub port: u16,
    /// From where.
    pub from: String,
}

/// The groups to open ports in: for each role as few as reach every node of it.
pub fn groups_of(nodes: &[NodePort], groups: &[SecurityGroup]) -> Result<BTreeMap<Role, Vec<String>>, String> {
    let usable = |id: &&String| groups.iter().any(|group| group.id == **id && group.name != "default");
    let mut chosen: BTreeMap<Role, Vec<String>> = BTreeMap::new();
    for NodePort { role, port } in nodes {
        let chosen = chosen.entry(*role).or_default();
        let own: Vec<&String> = port.security_groups.iter().filter(usable).collect();
        if own.iter().any(|id| chosen.contains(id)) {
            continue;
        }
        let Some(first) = own.into_iter().min() else {
            return Err(format!("port {} has no security group of its own", port.id));
        };
        chosen.push(first.clone());
    }
    Ok(chosen)
}

/// The rules that the wanted ports lack.
pub fn openings(wanted: &[PortRule], chosen: &BTreeMap<Role, Vec<String>>, groups: &[SecurityGroup]) -> Vec<Opening> {
    let mut lacking = Vec::new();
    for rule in wanted {
        let ids = chosen.iter().filter(|(role, _)| **role == Role::Worker || rule.masters).flat_map(|(_, ids)| ids);
        for group in ids.filter_map(|id| groups.iter().find(|group| group.id == *id)) {
            let opening = Opening { group: group.clone(), port: rule.port, from: range(rule).to_owned() };
            let open = group.security_group_rules.iter().any(|rule| covers(rule, opening.port, &opening.from));
            // One group may serve both roles.
            if !open && !lacking.contains(&opening) {
                lacking.push(opening);
            }
        }
    }
    lacking
}

/// Ports that are open to the world although the file names a narrower range: told, not closed; somebody else made them.
pub fn too_open(wanted: &[PortRule], chosen: &BTreeMap<Role, Vec<String>>, groups: &[SecurityGroup]) -> Vec<String> {
    let ours = |group: &&SecurityGroup| chosen.values().flatten().any(|id| *id == group.id);
    let narrow = || wanted.iter().filter(|rule| range(rule) != WORLD);
    let mut told = Vec::new();
    for group in groups.iter().filter(ours) {
        for rule in narrow() {
            let wide = group.security_group_rules.iter().find(|found| covers(found, rule.port, WORLD));
            told.extend(wide.map(|wide| {
                format!("port {} is open to the world by rule {} of group {}", rule.port, wide.id, group.name)
            }));
        }
    }
    told
}

/// Whether a rule lets TCP from this range to this port.
fn covers(rule: &SecurityGroupRule, port: u16, from: &str) -> bool {
    let ethertype = if from.contains(':') { "IPv6" } else { "IPv4" };
    let tcp = rule.protocol.as_deref().is_none_or(|protocol| matches!(protocol, "tcp" | "6" | "any"));
    let in_range =
        rule.port_range_min.is_none_or(|min| min <= port) && rule.port_range_max.is_none_or(|max| port <= max);
    rule.direction == "ingress"
        && rule.ethertype.as_deref().is_none_or(|found| found == ethertype)
        && tcp
        && in_range
        && rule.remote_group_id.is_none()
        && rule.remote_ip_prefix.as_deref().is_none_or(|prefix| contains(prefix, from))
}

/// Whether one CIDR range holds the other.
fn contains(outer: &str, inner: &str) -> bool {
    let (Some((outer, outer_bits)), Some((inner, inner_bits))) = (cidr(outer), cidr(inner)) else {
        return outer == inner;
    };
    let kept = |address: u128| address >> (128 - u32::from(outer_bits)).min(127);
    outer_bits <= inner_bits && (outer_bits == 0 || kept(outer) == kept(inner))
}

/// Address and length, both counted from the left of 128 bits so that IPv4 and IPv6 compare alike.
fn cidr(text: &str) -> Option<(u128, u8)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let (address, longest) = match address.parse().ok()? {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let bits = bits.map_or(Some(longest), |bits| bits.parse().ok())?;
    (bits <= longest).then_some((address, bits))
}

/// Whether this is a CIDR range that Neutron will take.
pub fn is_range(text: &str) -> bool {
    cidr(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn group(id: &str, name: &str, rules: &[(u16, u16, Option<&str>)]) -> SecurityGroup {
        let rules: Vec<_> = rules
            .iter()
            .map(|(min, max, from)| {
                json!({ "id": format!("rule-{min}"), "security_group_id": id, "direction": "ingress",
                        "ethertype": "IPv4", "protocol": "tcp", "port_range_min": min, "port_range_max": max,
                        "remote_ip_prefix": from, "remote_group_id": null })
            })
            .collect();
        serde_json::from_value(json!({ "id": id, "name": name, "security_group_rules": rules })).unwrap()
    }

    fn node(role: Role, groups: &[&str]) -> NodePort {
        let port = json!({ "id": "p", "network_id": "n", "security_groups": groups });
        NodePort { role, port: serde_json::from_value(port).unwrap() }
    }

    fn port(port: u16, from: Option<&str>, masters: bool) -> PortRule {
        PortRule { port, from: from.map(str::to_owned), masters }
    }

    #[test]
    fn the_default_group_of_the_project_is_never_opened() {
        let groups = [group("d", "default", &[]), group("w", "app-secgroup_kube_minion", &[])];
        let nodes = [node(Role::Worker, &["d", "w"]), node(Role::Worker, &["w"])];
        assert_eq!(groups_of(&nodes, &groups).unwrap()[&Role::Worker], ["w"]);
        assert!(groups_of(&[node(Role::Worker, &["d"])], &groups).is_err());
    }

    #[test]
    fn only_what_is_lacking_is_opened_and_masters_only_if_asked() {
        let groups = [group("m", "master", &[]), group("w", "minion", &[(443, 443, None), (30000, 32767, None)])];
        let nodes = [node(Role::Master, &["m"]), node(Role::Worker, &["w"])];
        let chosen = groups_of(&nodes, &groups).unwrap();
        let wanted = [port(80, None, false), port(443, None, true), port(30080, None, false)];
        let told: Vec<_> =
            openings(&wanted, &chosen, &groups).iter().map(|open| (open.group.id.clone(), open.port)).collect();
        assert_eq!(told, [("w".to_owned(), 80), ("m".to_owned(), 443)]);
    }

    #[test]
    fn a_wider_rule_is_enough_and_a_narrower_one_is_not() {
        let groups = [group("w", "minion", &[(6379, 6379, Some("192.168.0.0/16"))])];
        let chosen = groups_of(&[node(Role::Worker, &["w"])], &groups).unwrap();
        assert!(openings(&[port(6379, Some("192.168.7.0/24"), false)], &chosen, &groups).is_empty());
        assert_eq!(openings(&[port(6379, Some("10.0.0.0/8"), false)], &chosen, &groups).len(), 1);
        assert_eq!(openings(&[port(6379, None, false)], &chosen, &groups).len(), 1);
    }

    #[test]
    fn a_port_that_is_wider_open_than_wanted_is_told() {
        let groups = [group("w", "minion", &[(6379, 6379, Some("0.0.0.0/0"))])];
        let chosen = groups_of(&[node(Role::Worker, &["w"])], &groups).unwrap();
        let told = too_open(&[port(6379, Some("192.168.0.0/16"), false)], &chosen, &groups);
        assert_eq!(told, ["port 6379 is open to the world by rule rule-6379 of group minion"]);
    }

    #[test]
    fn ranges_hold_each_other_by_their_bits() {
        assert!(contains("0.0.0.0/0", "10.0.0.0/8") && contains("10.0.0.0/8", "10.200.0.0/16"));
        assert!(!contains("10.0.0.0/16", "10.0.0.0/8") && !contains("10.0.0.0/8", "11.0.0.0/8"));
        assert!(contains("192.168.1.7", "192.168.1.7/32") && contains("2001:db8::/32", "2001:db8:1::/48"));
        assert!(is_range("192.168.0.0/16") && !is_range("192.168.0.0/33") && !is_range("world"));
    }
}
