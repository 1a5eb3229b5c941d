//! What the cluster lacks of what is wanted: what can be changed on it, and what only a rebuild changes. Pure.

use super::wanted::{NodeLimits, Wanted};
use crate::client::openstack::{Cluster, ClusterTemplate, NodeGroup};

/// A change of an existing cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resize {
    /// The number of workers.
    Nodes {
        /// What Magnum has.
        from: u32,
        /// What the file wants.
        to: u32,
    },
    /// The autoscaler's limits of a node group.
    Limits {
        /// The group's UUID.
        group: String,
        /// Its name.
        name: String,
        /// What it has.
        from: NodeLimits,
        /// What the labels want.
        to: NodeLimits,
    },
}

/// A difference that only a rebuild removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildNeeded {
    /// The file's key.
    pub key: String,
    /// What the cluster has.
    pub found: String,
    /// What the file wants.
    pub wanted: String,
}

impl std::fmt::Display for RebuildNeeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} instead of {}", self.key, self.found, self.wanted)
    }
}

/// The default group of workers: the one that a node count without a group means.
pub fn workers(groups: &[NodeGroup]) -> Option<&NodeGroup> {
    groups.iter().find(|group| group.is_default && group.role != "master")
}

/// What can be changed. With autoscaling the count belongs to the autoscaler: only the limits are compared.
pub fn resizes(wanted: &Wanted, cluster: &Cluster, groups: &[NodeGroup]) -> Option<Resize> {
    let Some(to) = wanted.autoscaling() else {
        // The cluster's count is the sum over its groups; a site may have added groups of its own.
        let from = workers(groups).map_or(cluster.node_count, |group| group.node_count);
        return (from != wanted.magnum.nodes).then_some(Resize::Nodes { from, to: wanted.magnum.nodes });
    };
    let group = workers(groups)?;
    let from = NodeLimits { min: group.min_node_count.unwrap_or(0), max: group.max_node_count };
    let same_max = to.max.is_none() || from.max == to.max;
    (from.min != to.min || !same_max).then(|| Resize::Limits {
        group: group.uuid.clone(),
        name: group.name.clone(),
        from,
        to,
    })
}

/// What Magnum cannot change on a cluster that is there.
pub fn rebuilds(wanted: &Wanted, cluster: &Cluster, template: Option<&ClusterTemplate>) -> Vec<RebuildNeeded> {
    let mut needed = Vec::new();
    let mut differ = |key: &str, found: &str, wanted: &str| {
        if found != wanted {
            needed.push(RebuildNeeded { key: key.to_owned(), found: found.to_owned(), wanted: wanted.to_owned() });
        }
    };
    let magnum = &wanted.magnum;
    differ("name", &cluster.name, &magnum.name);
    if let Some(template) = template {
        differ("template", &cluster.cluster_template_id, &template.uuid);
    }
    differ("keypair", cluster.keypair.as_deref().unwrap_or("none"), &magnum.keypair);
    differ("masters", &cluster.master_count.to_string(), &magnum.masters.to_string());
    if let Some(size) = magnum.docker_volume_size {
        let found = cluster.docker_volume_size.map_or("none".to_owned(), |size| size.to_string());
        differ("dockerVolumeSize", &found, &size.to_string());
    }
    for (name, value) in wanted.labels() {
        // The limits of a running cluster are those of its node group.
        if name == "min_node_count" || name == "max_node_count" {
            continue;
        }
        let found = cluster.labels.get(name).map_or("nothing", String::as_str);
        differ(&format!("labels.{name}"), found, value);
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::super::wanted::tests::wanted;
    use super::*;
    use serde_json::json;

    fn cluster(node_count: u32) -> Cluster {
        serde_json::from_value(json!({
            "uuid": "u", "name": "stv", "cluster_template_id": "t-1", "keypair": "k", "master_count": 1,
            "node_count": node_count, "docker_volume_size": 200, "labels": {"a": "b", "rsp_install_environment": "roe"},
            "status": "CREATE_COMPLETE",
        }))
        .unwrap()
    }

    fn groups(count: u32, min: u32, max: Option<u32>) -> Vec<NodeGroup> {
        let group = |role: &str, name: &str, default: bool, count: u32| {
            json!({ "uuid": name, "name": name, "role": role, "node_count": count, "is_default": default,
                    "min_node_count": min, "max_node_count": max, "status": "CREATE_COMPLETE" })
        };
        let all = [
            group("master", "default-master", true, 1),
            group("gpu", "own", false, 4),
            group("worker", "default-worker", true, count),
        ];
        all.into_iter().map(|group| serde_json::from_value(group).unwrap()).collect()
    }

    #[test]
    fn a_different_count_is_a_resize_of_the_default_workers_only() {
        assert_eq!(resizes(&wanted(""), &cluster(6), &groups(2, 0, None)), None);
        let resize = resizes(&wanted(""), &cluster(7), &groups(3, 0, None));
        assert_eq!(resize, Some(Resize::Nodes { from: 3, to: 2 }));
        assert_eq!(resizes(&wanted(""), &cluster(5), &[]), Some(Resize::Nodes { from: 5, to: 2 }));
    }

    #[test]
    fn with_autoscaling_only_the_limits_are_compared() {
        let scaled = wanted("labels: {auto_scaling_enabled: \"true\", min_node_count: \"1\", max_node_count: \"5\"}");
        assert_eq!(resizes(&scaled, &cluster(4), &groups(4, 1, Some(5))), None, "four is the autoscaler's business");
        let Some(Resize::Limits { from, to, .. }) = resizes(&scaled, &cluster(4), &groups(4, 0, None)) else {
            panic!()
        };
        assert_eq!((from.min, from.max, to.min, to.max), (0, None, 1, Some(5)));
        let unlimited = wanted("labels: {auto_scaling_enabled: \"true\", min_node_count: \"1\"}");
        assert_eq!(
            resizes(&unlimited, &cluster(4), &groups(4, 1, Some(9))),
            None,
            "a limit that the file does not name"
        );
    }

    #[test]
    fn what_only_a_rebuild_changes_is_named_key_by_key() {
        let same = wanted("dockerVolumeSize: 200, labels: {a: b}");
        assert_eq!(rebuilds(&same, &cluster(2), None), []);
        let other = wanted("dockerVolumeSize: 100, masters: 3, labels: {a: c, kube_tag: v1}");
        let texts: Vec<_> = rebuilds(&other, &cluster(2), None).iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "masters: 1 instead of 3",
                "dockerVolumeSize: 200 instead of 100",
                "labels.a: b instead of c",
                "labels.kube_tag: nothing instead of v1",
            ]
        );
    }
}
