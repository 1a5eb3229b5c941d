//! What a cluster takes from the cloud, what is left, and the letter to the administrators. Pure.

use super::wanted::Wanted;
use crate::client::openstack::{ClusterTemplate, Flavor, Limits, NeutronQuota, QuotaDetail, VolumeLimits};

/// What the cluster takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Need {
    /// Servers.
    pub servers: i64,
    /// Cores.
    pub cores: i64,
    /// MiB.
    pub ram: i64,
    /// Cinder volumes.
    pub volumes: i64,
    /// GiB in them.
    pub gigabytes: i64,
    /// Networks.
    pub networks: i64,
    /// Ports: one a node, one for the router, one for the address pool of DHCP.
    pub ports: i64,
    /// Security groups.
    pub groups: i64,
    /// Their rules: Magnum's own twenty-odd and those that the file opens.
    pub rules: i64,
    /// Floating IPs: the nodes', the API server's load balancer's, the ingress's.
    pub floating_ips: i64,
}

/// Heat's two groups have these many rules together, rounded up.
const RULES_OF_MAGNUM: i64 = 25;

/// What the wanted cluster takes with this template and these flavors.
pub fn need(wanted: &Wanted, template: &ClusterTemplate, flavors: &[Flavor]) -> Need {
    let magnum = &wanted.magnum;
    let (masters, nodes) = (i64::from(magnum.masters), i64::from(magnum.nodes));
    let size = |name: Option<&String>| {
        let flavor = flavors.iter().find(|flavor| Some(&flavor.name) == name || Some(&flavor.id) == name);
        flavor.map_or((0, 0), |flavor| (flavor.vcpus, flavor.ram))
    };
    let (worker, master) = (size(template.flavor_id.as_ref()), size(template.master_flavor_id.as_ref()));
    let label = |name: &str| wanted.labels().get(name).or_else(|| template.labels.get(name));
    let number = |name: &str| label(name).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let docker = magnum.docker_volume_size.or(template.docker_volume_size).map_or(0, i64::from);
    // Node, docker, boot and etcd volumes are all Cinder's.
    let volumes = [
        (docker, masters + nodes),
        (number("boot_volume_size"), masters + nodes),
        (number("etcd_volume_size"), masters),
    ];
    let volumes = volumes.into_iter().filter(|(size, _)| *size > 0);
    let (count, gigabytes) =
        volumes.fold((0, 0), |(count, total), (size, nodes)| (count + nodes, total + size * nodes));
    let floating = if template.floating_ip_enabled.unwrap_or(false) { masters + nodes } else { 0 };
    let balancer = i64::from(template.master_lb_enabled.unwrap_or(false));
    Need {
        servers: masters + nodes,
        cores: masters * master.0 + nodes * worker.0,
        ram: masters * master.1 + nodes * worker.1,
        volumes: count,
        gigabytes,
        networks: 1,
        ports: masters + nodes + 2,
        groups: 2,
        rules: RULES_OF_MAGNUM + i64::try_from(magnum.open_ports.len()).unwrap_or(0),
        floating_ips: floating + balancer + 1,
    }
}

/// A resource of which there is not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// Stable, for example `cores`.
    pub resource: &'static str,
    /// With its unit, for people.
    pub unit: &'static str,
    /// Taken.
    pub needed: i64,
    /// Left; none when unlimited or not known.
    pub free: Option<i64>,
}

impl Lack {
    /// How many more the administrators must give.
    pub fn missing(&self) -> i64 {
        self.free.map_or(0, |free| (self.needed - free).max(0))
    }
}

/// Every resource with what is needed and what is left, as far as the services answer.
pub fn compare(
    need: &Need,
    nova: Option<&Limits>,
    neutron: Option<&NeutronQuota>,
    cinder: Option<&VolumeLimits>,
) -> Vec<Lack> {
    let row = |resource, unit, needed, free| Lack { resource, unit, needed, free };
    let left = |max: i64, used: i64| (max >= 0).then(|| (max - used).max(0));
    let mut rows = Vec::new();
    if let Some(nova) = nova {
        rows.push(row("instances", "servers", need.servers, left(nova.max_total_instances, nova.total_instances_used)));
        rows.push(row("cores", "cores", need.cores, left(nova.max_total_cores, nova.total_cores_used)));
        rows.push(row("ram", "MiB of RAM", need.ram, left(nova.max_total_ram, nova.total_ram_used)));
    }
    if let Some(cinder) = cinder {
        let volumes = left(cinder.max_total_volumes, cinder.total_volumes_used);
        let gigabytes = left(cinder.max_total_gigabytes, cinder.total_gigabytes_used);
        rows.push(row("volumes", "volumes", need.volumes, volumes));
        rows.push(row("gigabytes", "GiB of volumes", need.gigabytes, gigabytes));
    }
    if let Some(neutron) = neutron {
        rows.push(row("networks", "networks", need.networks, neutron.network.free()));
        rows.push(row("ports", "network ports", need.ports, neutron.port.free()));
        rows.push(row("securityGroups", "security groups", need.groups, neutron.security_group.free()));
        rows.push(row("securityGroupRules", "security group rules", need.rules, neutron.security_group_rule.free()));
        let floating = neutron.floatingip.and_then(QuotaDetail::free);
        rows.push(row("floatingIps", "floating IPs", need.floating_ips, floating));
    }
    rows
}

/// The text for the cloud's administrators: exactly what is lacking, nothing else.
pub fn letter(project: &str, cluster: &str, rows: &[Lack]) -> Option<String> {
    let lacking: Vec<String> = rows
        .iter()
        .filter(|row| row.missing() > 0)
        .map(|row| {
            let free = row.free.unwrap_or(0);
            format!("{} more {} ({} needed, {free} left)", row.missing(), row.unit, row.needed)
        })
        .collect();
    (!lacking.is_empty()).then(|| {
        format!(
            "Please raise the quota of project {project} for the Kubernetes cluster {cluster}: {}.",
            lacking.join("; ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::wanted::tests::wanted;
    use super::*;
    use serde_json::json;

    fn template() -> ClusterTemplate {
        serde_json::from_value(json!({
            "uuid": "t", "name": "t", "coe": "kubernetes", "image_id": "i", "flavor_id": "small",
            "master_flavor_id": "medium", "docker_volume_size": 10, "floating_ip_enabled": true,
            "labels": {"boot_volume_size": "20"},
        }))
        .unwrap()
    }

    fn flavors() -> Vec<Flavor> {
        let flavor = |name: &str, vcpus, ram| Flavor { id: format!("id-{name}"), name: name.into(), vcpus, ram };
        vec![flavor("small", 2, 4096), flavor("medium", 4, 8192)]
    }

    #[test]
    fn the_need_follows_from_counts_flavors_and_labels() {
        let need = need(&wanted("dockerVolumeSize: 200"), &template(), &flavors());
        assert_eq!((need.servers, need.cores, need.ram), (3, 8, 16384));
        assert_eq!((need.volumes, need.gigabytes), (6, 660), "a docker and a boot volume on each of three nodes");
        assert_eq!(need.floating_ips, 4);
    }

    #[test]
    fn the_letter_names_exactly_what_is_lacking() {
        let need = Need { cores: 8, ram: 16384, ..Need::default() };
        let nova = Limits {
            max_total_cores: 20,
            total_cores_used: 15,
            max_total_ram: -1,
            total_ram_used: 99999,
            max_total_instances: 10,
            total_instances_used: 0,
        };
        let rows = compare(&need, Some(&nova), None, None);
        let text = letter("rsp", "stv", &rows).unwrap();
        assert_eq!(
            text,
            "Please raise the quota of project rsp for the Kubernetes cluster stv: 3 more cores (8 needed, 5 left)."
        );
        assert_eq!(letter("rsp", "stv", &compare(&Need::default(), Some(&nova), None, None)), None);
    }
}
