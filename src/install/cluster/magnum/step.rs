//! The step `cluster` for a Magnum cluster.

use super::credentials::{self, Kept, SigningRequest};
use super::difference::{RebuildNeeded, Resize, rebuilds, resizes};
use super::error::MagnumError;
use super::ports::{Opening, groups_of, openings, too_open};
use super::wait::{Wait, failed};
use super::wanted::Wanted;
use super::{create, identify, node_ports, patience, preflight, witness};
use crate::client::kubernetes;
use crate::client::openstack::{Cluster, ClusterTemplate, NodeGroup, Openstack};
use crate::engine::{Describe, Described, Observation, Run, Step};
use crate::environment::Cluster as Declared;
use crate::environment::Environment;
use crate::error::Failure;
use crate::process::Process;
use crate::secret_value::SecretValue;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::OnceCell;

/// The kubeconfig, once there is one: what the later steps connect with.
pub type Handover = Arc<Mutex<Option<SecretValue>>>;

/// The step.
pub struct MagnumStep {
    process: Process,
    wanted: Wanted,
    kubeconfig: Option<PathBuf>,
    stall: Duration,
    cloud: OnceCell<Openstack>,
    handover: Handover,
}

/// What the cloud and the cluster say.
#[derive(Debug)]
pub struct Observed {
    template: ClusterTemplate,
    cluster: Option<Cluster>,
    groups: Vec<NodeGroup>,
    stale: Option<String>,
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
            Self::Create { name, template } => Described::new("create", format!("cluster {name} from template {template}")),
            Self::Await { uuid, status } => Described::new("await", format!("cluster {uuid}, which is {status}")),
            Self::Resize { uuid, resize: Resize::Nodes { from, to } } => {
                Described::new("update", format!("cluster {uuid}: {to} nodes instead of {from}"))
            }
            Self::Resize { uuid, resize: Resize::Limits { name, from, to, .. } } => {
                let most = |max: Option<u32>| max.map_or("any".to_owned(), |max| max.to_string());
                let (now, then) = (format!("{} to {}", from.min, most(from.max)), format!("{} to {}", to.min, most(to.max)));
                Described::new("update", format!("cluster {uuid}: node group {name} from {then} nodes instead of {now}"))
            }
            Self::Open(Opening { group, port, from }) => {
                Described::new("create", format!("rule tcp {port} from {from} in security group {} ({})", group.name, group.id))
            }
            Self::Keep { path, because } => {
                Described::new("update", format!("kubeconfig {}: {because}", path.display()))
            }
        }
    }
}

impl MagnumStep {
    /// The step for an environment; none when its cluster is not Magnum's. `folder` is where the file lies.
    pub fn for_environment(process: &Process, environment: &Environment, folder: &std::path::Path) -> Option<Self> {
        let Some(Declared::Magnum(magnum)) = &environment.cluster else { return None };
        Some(Self {
            process: process.clone(),
            kubeconfig: magnum.kubeconfig.as_ref().map(|path| folder.join(path)),
            wanted: Wanted { environment: environment.name.to_string(), magnum: magnum.clone() },
            stall: patience::STALL,
            cloud: OnceCell::new(),
            handover: Handover::default(),
        })
    }

    /// Loses patience earlier or later than usual.
    #[must_use]
    pub fn with_stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// Where the kubeconfig will be.
    pub fn handover(&self) -> Handover {
        Arc::clone(&self.handover)
    }

    /// What is wanted.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// The cloud; logged in once a run.
    pub async fn cloud(&self, run: &Run) -> Result<&Openstack, MagnumError> {
        let name = self.wanted.magnum.cloud.as_deref();
        let connect = || Openstack::connect(&self.process, name, &run.outlet, run.deadline);
        Ok(self.cloud.get_or_try_init(connect).await?)
    }

    fn kept(&self) -> Result<Option<SecretValue>, MagnumError> {
        if let Some(path) = &self.kubeconfig {
            return credentials::read(path);
        }
        Ok(self.handed_over())
    }

    fn handed_over(&self) -> Option<SecretValue> {
        self.handover.lock().map_or(None, |kept| kept.clone())
    }

    fn hand_over(&self, kubeconfig: &SecretValue) {
        if let Ok(mut slot) = self.handover.lock() {
            *slot = Some(kubeconfig.clone());
        }
    }

    /// A valid kubeconfig: the kept one, else a new one; and why the kept one would not do. Signing stores nothing in
    /// Magnum, so that a plan may do it too.
    async fn credentials(&self, cloud: &Openstack, cluster: &Cluster) -> Result<(SecretValue, Option<String>), MagnumError> {
        let server = cluster.api_address.clone().unwrap_or_default();
        let ca = cloud.ca_certificate(&cluster.uuid).await?;
        let kept = self.kept()?;
        let judged = kept.as_ref().map(|kept| credentials::judge(kept, &server, &ca, (self.process.now)()));
        let because = match (kept, judged) {
            (Some(kept), Some(Kept::Valid)) => {
                self.hand_over(&kept);
                return Ok((kept, None));
            }
            (_, Some(Kept::Stale(because))) => because,
            _ => "it is not there".to_owned(),
        };
        // A plan that comes before may have had one signed already in this run.
        let earlier = self.handed_over().filter(|text| credentials::judge(text, &server, &ca, (self.process.now)()) == Kept::Valid);
        let kubeconfig = match earlier {
            Some(kubeconfig) => kubeconfig,
            None => {
                let SigningRequest { key, request } = credentials::signing_request(&cluster.name)?;
                let certificate = cloud.sign(&cluster.uuid, &request).await?;
                credentials::kubeconfig(&cluster.name, &server, &ca, &certificate, &key)
            }
        };
        self.hand_over(&kubeconfig);
        Ok((kubeconfig, Some(because).filter(|_| self.kubeconfig.is_some())))
    }

    async fn observe_ready(&self, observed: &mut Observed, cluster: &Cluster, run: &Run) -> Result<(), Failure> {
        let cloud = self.cloud(run).await?;
        let (kubeconfig, stale) = self.credentials(cloud, cluster).await?;
        observed.stale = stale;
        let ports = self.wanted.ports();
        if ports.is_empty() {
            return Ok(());
        }
        let client = witness::connect(&kubeconfig, &run.outlet).await?;
        let address = cluster.api_address.as_deref().unwrap_or_default();
        let nodes = witness::nodes(&client, &cluster.name, address).await?;
        let node_ports = node_ports::find(cloud, &cluster.name, &nodes).await?;
        let mut ids: Vec<String> = node_ports.iter().flat_map(|node| node.port.security_groups.clone()).collect();
        ids.sort();
        ids.dedup();
        let groups = if ids.is_empty() { Vec::new() } else { cloud.security_groups(&ids).await.map_err(MagnumError::from)? };
        let unsure = |why: String| MagnumError::Ports { name: cluster.name.clone(), why };
        let chosen = groups_of(&node_ports, &groups).map_err(unsure)?;
        observed.openings = openings(&ports, &chosen, &groups);
        observed.too_open = too_open(&ports, &chosen, &groups);
        Ok(())
    }

    async fn until_ready(&self, uuid: &str, workers: Option<u32>, run: &Run) -> Result<(), Failure> {
        let cloud = self.cloud(run).await?;
        let wait = Wait { cloud, uuid, workers, stall: self.stall };
        wait.until_ready(run, |cluster| async move {
            let (kubeconfig, _) = self.credentials(cloud, &cluster).await?;
            Ok::<kubernetes::Cluster, Failure>(witness::connect(&kubeconfig, &run.outlet).await?)
        })
        .await
    }
}

impl Step for MagnumStep {
    type Observed = Observed;
    type Change = Change;

    fn name(&self) -> &'static str {
        "cluster"
    }

    async fn observe(&self, run: &Run) -> Result<Observation<Observed>, Failure> {
        let cloud = self.cloud(run).await?;
        let (clusters, templates) = tokio::join!(cloud.clusters(), cloud.cluster_templates());
        let (clusters, templates) = (clusters.map_err(MagnumError::from)?, templates.map_err(MagnumError::from)?);
        let template = identify::template(&self.wanted, cloud.cloud(), &templates)?;
        let found = identify::cluster(&self.wanted, &clusters)?;
        let mut observed = Observed {
            template,
            cluster: None,
            groups: Vec::new(),
            stale: None,
            openings: Vec::new(),
            too_open: Vec::new(),
        };
        let Some(found) = found else { return Ok(Observation::Known(observed)) };
        let cluster = cloud.cluster(&found.uuid).await.map_err(MagnumError::from)?.unwrap_or_else(|| found.clone());
        // Where the cluster's own count is as wanted, the groups need not be asked for.
        if self.wanted.autoscaling().is_some() || cluster.node_count != self.wanted.magnum.nodes {
            observed.groups = cloud.node_groups(&cluster.uuid).await.map_err(MagnumError::from)?;
        }
        if !cluster.status.in_progress() && cluster.api_address.is_some() {
            self.observe_ready(&mut observed, &cluster, run).await?;
        }
        observed.cluster = Some(cluster);
        Ok(Observation::Known(observed))
    }

    fn plan(&self, observed: &Observed) -> Result<Vec<Change>, Failure> {
        let Some(cluster) = &observed.cluster else {
            let (name, template) = (self.wanted.magnum.name.clone(), observed.template.uuid.clone());
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
        let resize = resizes(&self.wanted, cluster, &observed.groups).map(|resize| Change::Resize { uuid, resize });
        let keep = observed.stale.clone().zip(self.kubeconfig.clone());
        let keep = keep.map(|(because, path)| Change::Keep { path, because });
        Ok(keep.into_iter().chain(resize).chain(observed.openings.iter().cloned().map(Change::Open)).collect())
    }

    async fn apply(&self, change: &Change, run: &Run) -> Result<(), Failure> {
        let cloud = self.cloud(run).await?;
        match change {
            Change::Create { template, .. } => {
                preflight::before_create(cloud, &self.wanted, template).await?;
                let uuid = create::create(cloud, &self.wanted, template).await?;
                self.until_ready(&uuid, None, run).await
            }
            Change::Await { uuid, .. } => self.until_ready(uuid, None, run).await,
            Change::Resize { uuid, resize: Resize::Nodes { from, to } } => {
                cloud.resize(uuid, *to, None).await.map_err(MagnumError::from)?;
                let cluster = cloud.cluster(uuid).await.map_err(MagnumError::from)?;
                let others = cluster.map_or(0, |cluster| cluster.node_count.saturating_sub(*from));
                self.until_ready(uuid, (others == 0).then_some(*to), run).await
            }
            Change::Resize { uuid, resize: Resize::Limits { group, to, .. } } => {
                let limited = cloud.limit_nodes(uuid, group, to.min, to.max).await;
                Ok(limited.map_err(MagnumError::from)?)
            }
            Change::Open(Opening { group, port, from }) => {
                let opened = cloud.open_port(group, *port, from).await;
                Ok(opened.map_err(MagnumError::from)?)
            }
            Change::Keep { path, .. } => match self.handed_over() {
                Some(kubeconfig) => Ok(credentials::keep(path, &kubeconfig)?),
                None => Ok(()),
            },
        }
    }

    fn left_alone(&self, observed: &Observed) -> Vec<Described> {
        let Some(cluster) = &observed.cluster else { return Vec::new() };
        let rebuilds = rebuilds(&self.wanted, cluster, Some(&observed.template));
        let rebuild = |needed: &RebuildNeeded| Described::new("rebuild", format!("cluster {}: {needed}", cluster.name));
        let failed = (cluster.status.0 == "UPDATE_FAILED")
            .then(|| Described::new("repair", failed(cluster).to_string()));
        let narrow = observed.too_open.iter().map(|told| Described::new("narrow", told.clone()));
        rebuilds.iter().map(rebuild).chain(failed).chain(narrow).collect()
    }
}
