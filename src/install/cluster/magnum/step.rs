//! The step `cluster` for a Magnum cluster.

use super::difference::{RebuildNeeded, Resize, rebuilds, resizes, workers};
use super::error::MagnumError;
use super::home::{Magnum, Seen};
use super::ports::{Opening, groups_of, openings, too_open};
use super::wait::{Wait, failed};
use super::{create, credentials, node_ports, witness};
use crate::client::openstack::{Cluster, NodeGroup};
use crate::engine::{Describe, Described, Observation, Run, Step};
use crate::error::Failure;
use std::path::PathBuf;
use std::sync::Arc;

/// The step.
pub struct MagnumStep(pub Arc<Magnum>);

/// What the cloud and the cluster say.
#[derive(Debug)]
pub struct Observed {
    seen: Arc<Seen>,
    groups: Vec<NodeGroup>,
    openings: Vec<Opening>,
    too_open: Vec<String>,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// There is none.
    Create {
        /// Its name.
        name: String,
        /// The template's UUID.
        template: String,
    },
    /// It is there, but Magnum is at work on it.
    Await {
        /// Its identity.
        uuid: String,
        /// What Magnum says.
        status: String,
    },
    /// It has another size.
    Resize {
        /// Its identity.
        uuid: String,
        /// How.
        resize: Resize,
    },
    /// A port is not open.
    Open(Opening),
    /// The kubeconfig on disk is missing or stale.
    Keep {
        /// The file.
        path: PathBuf,
        /// Why.
        because: String,
    },
}

impl Describe for Change {
    fn describe(&self) -> Described {
        match self {
            Self::Create { name, template } => {
                Described::new("create", format!("cluster {name} from template {template}"))
            }
            Self::Await { uuid, status } => Described::new("await", format!("cluster {uuid}, which is {status}")),
            Self::Resize { uuid, resize: Resize::Nodes { from, to } } => {
                Described::new("update", format!("cluster {uuid}: {to} nodes instead of {from}"))
            }
            Self::Resize { uuid, resize: Resize::Limits { name, from, to, .. } } => {
                let most = |max: Option<u32>| max.map_or("any".to_owned(), |max| max.to_string());
                let (now, then) =
                    (format!("{} to {}", from.min, most(from.max)), format!("{} to {}", to.min, most(to.max)));
                Described::new(
                    "update",
                    format!("cluster {uuid}: node group {name} from {then} nodes instead of {now}"),
                )
            }
            Self::Open(Opening { group, port, from }) => Described::new(
                "create",
                format!("rule tcp {port} from {from} in security group {} ({})", group.name, group.id),
            ),
            Self::Keep { path, because } => {
                Described::new("update", format!("kubeconfig {}: {because}", path.display()))
            }
        }
    }
}

impl MagnumStep {
    async fn observe_ports(&self, observed: &mut Observed, run: &Run) -> Result<(), Failure> {
        let ports = self.0.wanted.ports();
        let seen = Arc::clone(&observed.seen);
        let (Some(cluster), Some(access), false) = (&seen.cluster, &seen.access, ports.is_empty()) else {
            return Ok(());
        };
        let cloud = self.0.cloud(run).await?;
        let client = witness::connect(&access.kubeconfig, &run.outlet).await?;
        let address = cluster.api_address.as_deref().unwrap_or_default();
        let nodes = witness::nodes(&client, &cluster.name, address).await?;
        let node_ports = node_ports::find(cloud, &cluster.name, &nodes).await?;
        let mut ids: Vec<String> = node_ports.iter().flat_map(|node| node.port.security_groups.clone()).collect();
        ids.sort();
        ids.dedup();
        let groups = cloud.security_groups(&ids).await.map_err(MagnumError::from)?;
        let unsure = |why: String| MagnumError::Ports { name: cluster.name.clone(), why };
        let chosen = groups_of(&node_ports, &groups).map_err(unsure)?;
        observed.openings = openings(&ports, &chosen, &groups);
        observed.too_open = too_open(&ports, &chosen, &groups);
        Ok(())
    }

    async fn until_ready(&self, uuid: &str, run: &Run) -> Result<(), Failure> {
        let cloud = self.0.cloud(run).await?;
        self.wait(Wait { cloud, uuid, workers: None, changed_before: None, stall: self.0.stall }, run).await
    }

    async fn wait(&self, wait: Wait<'_>, run: &Run) -> Result<(), Failure> {
        let cloud = wait.cloud;
        let connect = |cluster: Cluster| async move {
            let access = self.0.way_in(cloud, &cluster).await?;
            witness::connect(&access.kubeconfig, &run.outlet).await
        };
        wait.until_ready(run, connect).await?;
        self.0.look_again().await;
        Ok(())
    }

    /// Magnum answers before it begins: what it says of the cluster must change before it is believed.
    async fn resize(&self, uuid: &str, resize: &Resize, run: &Run) -> Result<(), Failure> {
        let cloud = self.0.cloud(run).await?;
        let before = cloud.cluster(uuid).await.map_err(MagnumError::from)?;
        let workers = match resize {
            Resize::Nodes { from, to } => {
                cloud.resize(uuid, *to, None).await.map_err(MagnumError::from)?;
                // The cluster's count is the sum over its groups, a site's own ones too.
                before.as_ref().map(|cluster| cluster.node_count.saturating_sub(*from) + to)
            }
            Resize::Limits { group, to, .. } => {
                cloud.limit_nodes(uuid, group, to.min, to.max).await.map_err(MagnumError::from)?;
                None
            }
        };
        let changed_before = before.and_then(|cluster| cluster.updated_at);
        self.wait(Wait { cloud, uuid, workers, changed_before, stall: self.0.stall }, run).await
    }
}

impl Step for MagnumStep {
    type Observed = Observed;
    type Change = Change;

    fn name(&self) -> &'static str {
        "cluster"
    }

    async fn observe(&self, run: &Run) -> Result<Observation<Observed>, Failure> {
        let seen = self.0.look(run).await?;
        let mut observed = Observed { seen, groups: Vec::new(), openings: Vec::new(), too_open: Vec::new() };
        let wanted = &self.0.wanted;
        // Where the cluster's own count is as wanted, the groups need not be asked for.
        if let Some(cluster) = &observed.seen.cluster
            && (wanted.autoscaling().is_some() || cluster.node_count != wanted.magnum.nodes)
        {
            let cloud = self.0.cloud(run).await?;
            observed.groups = cloud.node_groups(&cluster.uuid).await.map_err(MagnumError::from)?;
            if let Some(group) = workers(&observed.groups).filter(|_| wanted.autoscaling().is_some()) {
                let group = cloud.node_group(&cluster.uuid, &group.uuid).await.map_err(MagnumError::from)?;
                observed.groups = vec![group];
            }
        }
        self.observe_ports(&mut observed, run).await?;
        Ok(Observation::Known(observed))
    }

    fn plan(&self, observed: &Observed) -> Result<Vec<Change>, Failure> {
        let Some(cluster) = &observed.seen.cluster else {
            if let Some(checked) = &observed.seen.checks {
                checked.admit(&self.0.wanted)?;
            }
            let (name, template) = (self.0.wanted.magnum.name.clone(), observed.seen.template.uuid.clone());
            return Ok(vec![Change::Create { name, template }]);
        };
        let uuid = cluster.uuid.clone();
        if cluster.status.in_progress() {
            return Ok(vec![Change::Await { uuid, status: cluster.status.to_string() }]);
        }
        // Only a failed update leaves a cluster that works.
        if cluster.status.failed() && cluster.status.0 != "UPDATE_FAILED" {
            return Err(failed(cluster).into());
        }
        let resize = resizes(&self.0.wanted, cluster, &observed.groups).map(|resize| Change::Resize { uuid, resize });
        let stale = observed.seen.access.as_ref().and_then(|access| access.stale.clone());
        let keep = stale.zip(self.0.kubeconfig.clone());
        let keep = keep.map(|(because, path)| Change::Keep { path, because });
        Ok(keep.into_iter().chain(resize).chain(observed.openings.iter().cloned().map(Change::Open)).collect())
    }

    async fn apply(&self, change: &Change, run: &Run) -> Result<(), Failure> {
        let cloud = self.0.cloud(run).await?;
        match change {
            Change::Create { template, .. } => {
                let uuid = create::create(cloud, &self.0.wanted, template).await?;
                self.until_ready(&uuid, run).await
            }
            Change::Await { uuid, .. } => self.until_ready(uuid, run).await,
            Change::Resize { uuid, resize } => self.resize(uuid, resize, run).await,
            Change::Open(Opening { group, port, from }) => {
                let opened = cloud.open_port(group, *port, from).await;
                Ok(opened.map_err(MagnumError::from)?)
            }
            Change::Keep { path, .. } => {
                if let Some(kubeconfig) = self.0.kubeconfig(run).await? {
                    credentials::keep(path, &kubeconfig)?;
                }
                self.0.look_again().await;
                Ok(())
            }
        }
    }

    fn left_alone(&self, observed: &Observed) -> Vec<Described> {
        let Some(cluster) = &observed.seen.cluster else { return Vec::new() };
        let rebuilds = rebuilds(&self.0.wanted, cluster, Some(&observed.seen.template));
        let rebuild = |needed: &RebuildNeeded| Described::new("rebuild", format!("cluster {}: {needed}", cluster.name));
        let failed =
            (cluster.status.0 == "UPDATE_FAILED").then(|| Described::new("repair", failed(cluster).to_string()));
        let narrow = observed.too_open.iter().map(|told| Described::new("narrow", told.clone()));
        rebuilds.iter().map(rebuild).chain(failed).chain(narrow).collect()
    }
}
