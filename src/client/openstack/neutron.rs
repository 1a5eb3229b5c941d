//! Neutron: ports of the nodes, their security groups and rules, networks, floating IPs, quotas.

use super::call::Call;
use super::error::OpenstackError;
use super::service::Service;
use super::session::{Openstack, typed};
use crate::engine::Action;
use serde::Deserialize;
use serde_json::json;

/// A port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Port {
    /// Its identity.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The server that it belongs to.
    #[serde(default)]
    pub device_id: String,
    /// Its network.
    pub network_id: String,
    /// Its groups, by id.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Its addresses.
    #[serde(default)]
    pub fixed_ips: Vec<FixedIp>,
}

/// An address of a port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FixedIp {
    /// The address.
    pub ip_address: String,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SecurityGroup {
    /// Its identity.
    pub id: String,
    /// Its name, not unique.
    pub name: String,
    /// Its rules.
    #[serde(default)]
    pub security_group_rules: Vec<SecurityGroupRule>,
}

/// A rule of a security group; null means any.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SecurityGroupRule {
    /// Its identity.
    pub id: String,
    /// The group that it belongs to.
    pub security_group_id: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// `IPv4` or `IPv6`.
    pub ethertype: Option<String>,
    /// `tcp`, a number as text ...
    pub protocol: Option<String>,
    /// First port.
    pub port_range_min: Option<u16>,
    /// Last port.
    pub port_range_max: Option<u16>,
    /// From where.
    pub remote_ip_prefix: Option<String>,
    /// From the members of which group.
    pub remote_group_id: Option<String>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Network {
    /// Its identity.
    pub id: String,
    /// Its name, not unique.
    pub name: String,
    /// Whether it leads outside.
    #[serde(rename = "router:external", default)]
    pub external: bool,
}

/// A floating IP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FloatingIp {
    /// Its identity.
    pub id: String,
    /// The address that the world sees.
    pub floating_ip_address: String,
    /// The port behind it.
    pub port_id: Option<String>,
    /// What somebody wrote about it.
    #[serde(default)]
    pub description: String,
}

/// Limit and use of one resource; a negative limit means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct QuotaDetail {
    /// The limit.
    pub limit: i64,
    /// In use.
    pub used: i64,
    /// On its way.
    #[serde(default)]
    pub reserved: i64,
}

impl QuotaDetail {
    /// What is left; none without a limit.
    pub fn free(self) -> Option<i64> {
        (self.limit >= 0).then(|| (self.limit - self.used - self.reserved).max(0))
    }
}

/// Neutron's quotas, as far as a cluster needs them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NeutronQuota {
    /// Security groups.
    pub security_group: QuotaDetail,
    /// Their rules.
    pub security_group_rule: QuotaDetail,
    /// Ports.
    pub port: QuotaDetail,
    /// Networks.
    pub network: QuotaDetail,
    /// Floating IPs; not there without a router plug-in.
    pub floatingip: Option<QuotaDetail>,
}

const NEUTRON: Service = Service::Network;

impl Openstack {
    /// The ports of these servers.
    pub async fn ports_of_servers(&self, servers: &[String]) -> Result<Vec<Port>, OpenstackError> {
        let call = Call::get(NEUTRON, &["ports"]);
        self.fetch(&servers.iter().fold(call, |call, id| call.query("device_id", id)), "ports").await
    }

    /// The ports with one of these addresses, on whatever network.
    pub async fn ports_with_addresses(&self, addresses: &[String]) -> Result<Vec<Port>, OpenstackError> {
        let call = Call::get(NEUTRON, &["ports"]);
        let call = addresses.iter().fold(call, |call, ip| call.query("fixed_ips", &format!("ip_address={ip}")));
        self.fetch(&call, "ports").await
    }

    /// The project's floating IPs.
    pub async fn floating_ips(&self) -> Result<Vec<FloatingIp>, OpenstackError> {
        self.fetch(&Call::get(NEUTRON, &["floatingips"]), "floatingips").await
    }

    /// Gives a floating IP back. That it is gone already is success.
    pub async fn delete_floating_ip(&self, ip: &FloatingIp) -> Result<(), OpenstackError> {
        let call = Call::delete(NEUTRON, &["floatingips", &ip.id]).accept(404);
        self.write(&call, Action::Delete, &format!("floating IP {}", ip.floating_ip_address)).await.map(drop)
    }

    /// The security groups with these ids, with their rules.
    pub async fn security_groups(&self, ids: &[String]) -> Result<Vec<SecurityGroup>, OpenstackError> {
        let call = Call::get(NEUTRON, &["security-groups"]);
        self.fetch(&ids.iter().fold(call, |call, id| call.query("id", id)), "security_groups").await
    }

    /// Opens a TCP port in a group. That the rule is there already is success.
    pub async fn open_port(&self, group: &SecurityGroup, port: u16, from: &str) -> Result<(), OpenstackError> {
        let ethertype = if from.contains(':') { "IPv6" } else { "IPv4" };
        let rule = json!({ "security_group_rule": {
            "security_group_id": group.id, "direction": "ingress", "ethertype": ethertype, "protocol": "tcp",
            "port_range_min": port, "port_range_max": port, "remote_ip_prefix": from,
            "description": "rsp-install",
        } });
        let call = Call::post(NEUTRON, &["security-group-rules"], rule).repeatable();
        let object = format!("security group {}: tcp {port} from {from}", group.name);
        match self.write(&call, Action::Create, &object).await {
            Err(error) if error.status() == Some(409) && error.to_string().contains("already exists") => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// The networks that lead outside.
    pub async fn external_networks(&self) -> Result<Vec<Network>, OpenstackError> {
        self.fetch(&Call::get(NEUTRON, &["networks"]).query("router:external", "True"), "networks").await
    }

    /// Limits and use of the project; none where Neutron does not tell.
    pub async fn neutron_quota(&self) -> Result<Option<NeutronQuota>, OpenstackError> {
        let project = self.scope().await?.project_id;
        let call = Call::get(NEUTRON, &["quotas", &project, "details.json"]).accept(403).accept(404);
        let reply = self.read(&call).await?;
        if reply.status == 200 { typed(&call, &reply.body, "quota").map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::service::tests::sample;
    use super::*;
    use serde_json::Value;

    #[test]
    fn recorded_groups_are_read_with_their_rules() {
        let list: Value = serde_json::from_str(&sample("53-sg-list").1).unwrap();
        let groups: Vec<SecurityGroup> = serde_json::from_value(list["security_groups"].clone()).unwrap();
        let master = groups.iter().find(|group| group.name.contains("kube_master")).unwrap();
        assert!(master.security_group_rules.iter().any(|rule| rule.port_range_min == Some(6443)));
    }

    #[test]
    fn what_is_left_of_a_quota_knows_unlimited() {
        assert_eq!(QuotaDetail { limit: 10, used: 8, reserved: 1 }.free(), Some(1));
        assert_eq!(QuotaDetail { limit: 10, used: 12, reserved: 0 }.free(), Some(0));
        assert_eq!(QuotaDetail { limit: -1, used: 8, reserved: 0 }.free(), None);
    }
}
