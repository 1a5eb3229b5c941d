//! What the environment file wants, in Magnum's terms.

use crate::client::openstack::NewCluster;
use crate::environment::{Labels, MagnumCluster, OpenPort, PortRule};

/// The label that says whose cluster it is. It is in the create call itself, so that no crash can come between.
pub const ENVIRONMENT_LABEL: &str = "rsp_install_environment";

/// The label that counts the environment's clusters; the first has none.
pub const GENERATION_LABEL: &str = "rsp_install_generation";

/// The label that says which run asked for it: a lost answer is looked up by it.
pub const RUN_LABEL: &str = "rsp_install_run";

/// After how many minutes Magnum gives up; its own default.
const CREATE_TIMEOUT: u32 = 60;

/// The whole world.
pub const WORLD: &str = "0.0.0.0/0";

/// The cluster of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The environment's name.
    pub environment: String,
    /// Which of the environment's clusters, from 1.
    pub generation: u32,
    /// The file's section; its name is that of this generation.
    pub magnum: MagnumCluster,
}

/// The autoscaler's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeLimits {
    /// The least that it leaves.
    pub min: u32,
    /// The most that it makes, if limited.
    pub max: Option<u32>,
}

impl Wanted {
    /// The environment's cluster of a generation. Later ones have the number after the name: `stv-rsp-cluster-2`.
    pub fn new(environment: &str, generation: u32, magnum: &MagnumCluster) -> Self {
        let mut magnum = magnum.clone();
        if generation > 1 {
            magnum.name = format!("{}-{generation}", magnum.name);
        }
        Self { environment: environment.to_owned(), generation, magnum }
    }

    /// Labels as the file has them, without our own.
    pub fn labels(&self) -> &Labels {
        &self.magnum.labels
    }

    /// The limits, where the labels turn autoscaling on; the node count is the autoscaler's then.
    pub fn autoscaling(&self) -> Option<NodeLimits> {
        let number = |name: &str| self.magnum.labels.get(name).and_then(|text| text.trim().parse().ok());
        let on =
            self.magnum.labels.get("auto_scaling_enabled").is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        on.then(|| NodeLimits { min: number("min_node_count").unwrap_or(1), max: number("max_node_count") })
    }

    /// The ports, each with its range.
    pub fn ports(&self) -> Vec<PortRule> {
        let rule = |open: &OpenPort| match open {
            OpenPort::World(port) => PortRule { port: *port, from: None, masters: false },
            OpenPort::Rule(rule) => rule.clone(),
        };
        self.magnum.open_ports.iter().map(rule).collect()
    }

    /// The create call, with our mark.
    pub fn new_cluster(&self, template: &str, run: &str) -> NewCluster {
        let magnum = &self.magnum;
        let mut labels = magnum.labels.clone();
        labels.insert(ENVIRONMENT_LABEL.to_owned(), self.environment.clone());
        labels.insert(RUN_LABEL.to_owned(), run.to_owned());
        if self.generation > 1 {
            labels.insert(GENERATION_LABEL.to_owned(), self.generation.to_string());
        }
        NewCluster {
            name: magnum.name.clone(),
            cluster_template_id: template.to_owned(),
            keypair: magnum.keypair.clone(),
            master_count: magnum.masters,
            node_count: self.autoscaling().map_or(magnum.nodes, |limits| magnum.nodes.max(limits.min)),
            docker_volume_size: magnum.docker_volume_size,
            labels,
            // A cluster without labels gets the template's; our mark alone, not merged, would take those away.
            merge_labels: magnum.merge_labels || magnum.labels.is_empty(),
            create_timeout: CREATE_TIMEOUT,
        }
    }
}

/// The range of a port rule.
pub fn range(rule: &PortRule) -> &str {
    rule.from.as_deref().unwrap_or(WORLD)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn wanted(more: &str) -> Wanted {
        let text = format!("{{name: stv, template: t, keypair: k, nodes: 2, {more}}}");
        Wanted::new("roe", 1, &serde_saphyr::from_str(&text).unwrap())
    }

    #[test]
    fn our_mark_is_in_the_create_call_and_takes_no_label_of_the_template_away() {
        let new = wanted("").new_cluster("uuid", "run-1");
        assert_eq!(new.labels[ENVIRONMENT_LABEL], "roe");
        assert_eq!(new.labels[RUN_LABEL], "run-1");
        assert!(new.merge_labels, "the file has no labels, so the template's must stay");
        let own = wanted("labels: {kube_tag: v1.30.1}").new_cluster("uuid", "run-1");
        assert!(!own.merge_labels, "the file's labels replace the template's, as it says");
        assert!(wanted("mergeLabels: true, labels: {a: b}").new_cluster("u", "r").merge_labels);
    }

    #[test]
    fn labels_with_commas_stay_one_label() {
        let new = wanted("labels: {admission_control_list: \"NodeRestriction,ServiceAccount\"}").new_cluster("u", "r");
        assert_eq!(new.labels["admission_control_list"], "NodeRestriction,ServiceAccount");
    }

    #[test]
    fn with_autoscaling_the_labels_limit_the_nodes() {
        assert_eq!(wanted("").autoscaling(), None);
        let scaled = wanted("labels: {auto_scaling_enabled: \"true\", min_node_count: \"3\", max_node_count: \"9\"}");
        assert_eq!(scaled.autoscaling(), Some(NodeLimits { min: 3, max: Some(9) }));
        assert_eq!(scaled.new_cluster("u", "r").node_count, 3, "never fewer than the autoscaler may leave");
    }
}
