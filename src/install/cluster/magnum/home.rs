//! The environment's Magnum cluster as one run sees it: the login, what is there, and the way in.
//!
//! All steps that look before the next write look at the same answers: who wants a kubeconfig costs no request that the
//! step `cluster` has not already made.

use super::credentials::{self, Kept, SigningRequest};
use super::error::MagnumError;
use super::preflight::{self, Checked};
use super::wanted::Wanted;
use super::{identify, patience};
use crate::client::openstack::{Cluster, ClusterTemplate, Openstack};
use crate::engine::Run;
use crate::environment::{Cluster as Declared, Environment};
use crate::process::Process;
use crate::secret_value::SecretValue;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};

/// One environment's cluster.
pub struct Magnum {
    /// What is wanted.
    pub wanted: Wanted,
    /// Where the kubeconfig is kept; in memory when not given.
    pub kubeconfig: Option<PathBuf>,
    /// How long nothing may move.
    pub stall: Duration,
    process: Process,
    cloud: OnceCell<Openstack>,
    listed: Mutex<Option<Vec<Cluster>>>,
    seen: Mutex<Option<(u64, Arc<Seen>)>>,
    signed: Mutex<Option<SecretValue>>,
}

/// What is there.
#[derive(Debug)]
pub struct Seen {
    /// The template that the file means.
    pub template: ClusterTemplate,
    /// The environment's cluster.
    pub cluster: Option<Cluster>,
    /// What the checks found where there is no cluster yet.
    pub checks: Option<Checked>,
    /// The way in, once the cluster has an address and Magnum is not at work on it.
    pub access: Option<WayIn>,
}

/// A kubeconfig that works.
#[derive(Debug, Clone)]
pub struct WayIn {
    /// Its text.
    pub kubeconfig: SecretValue,
    /// Why the kept one would not do, if it would not.
    pub stale: Option<String>,
}

impl Magnum {
    /// For an environment whose cluster is Magnum's. `folder` is where the environment file lies. A later cluster of the
    /// environment than the first has its own kubeconfig: both clusters are needed for a while.
    pub fn of_generation(
        process: &Process,
        environment: &Environment,
        folder: &Path,
        generation: u32,
    ) -> Option<Arc<Self>> {
        let Some(Declared::Magnum(magnum)) = &environment.cluster else { return None };
        let place = |path: &PathBuf| {
            let mut place = match (path.strip_prefix("~"), process.home()) {
                (Ok(rest), Some(home)) => home.join(rest),
                _ => process.directory.join(folder).join(path),
            };
            if let (2.., Some(name)) = (generation, place.file_name()) {
                place.set_file_name(format!("{}-{generation}", name.to_string_lossy()));
            }
            place
        };
        let kubeconfig = magnum.kubeconfig.as_ref().map(place);
        let wanted = Wanted::new(environment.name.as_str(), generation, magnum);
        Some(Arc::new(Self::new(process.clone(), wanted, kubeconfig, patience::STALL)))
    }

    /// With everything given.
    pub fn new(process: Process, wanted: Wanted, kubeconfig: Option<PathBuf>, stall: Duration) -> Self {
        let (cloud, listed, seen, signed) = (OnceCell::new(), Mutex::default(), Mutex::default(), Mutex::default());
        Self { wanted, kubeconfig, stall, process, cloud, listed, seen, signed }
    }

    /// The generations of the environment's clusters. The first look at this cluster uses the same answer.
    pub async fn generations(&self, run: &Run) -> Result<Vec<u32>, MagnumError> {
        let clusters = self.cloud(run).await?.clusters().await?;
        let generations = identify::generations(&self.wanted.environment, &clusters);
        *self.listed.lock().await = Some(clusters);
        Ok(generations)
    }

    /// The cloud; logged in once a run.
    pub async fn cloud(&self, run: &Run) -> Result<&Openstack, MagnumError> {
        let name = self.wanted.magnum.cloud.as_deref();
        let connect = || Openstack::connect(&self.process, name, &run.outlet, run.deadline);
        Ok(self.cloud.get_or_try_init(connect).await?)
    }

    /// Uses the login and the list that another object of the same environment already has.
    pub async fn take_over(&self, other: &Self) {
        if let Some(cloud) = other.cloud.get() {
            // Fails only where there is a login already, which is as good.
            let _ = self.cloud.set(cloud.clone());
        }
        *self.listed.lock().await = other.listed.lock().await.take();
    }

    /// What is there.
    pub async fn look(&self, run: &Run) -> Result<Arc<Seen>, MagnumError> {
        let mut kept = self.seen.lock().await;
        let writes = run.outlet.writes();
        if let Some((_, seen)) = kept.as_ref().filter(|(at, _)| *at == writes) {
            return Ok(Arc::clone(seen));
        }
        let seen = Arc::new(self.ask(run).await?);
        *kept = Some((writes, Arc::clone(&seen)));
        Ok(seen)
    }

    /// Something may have changed without a write of ours.
    pub async fn look_again(&self) {
        *self.seen.lock().await = None;
    }

    /// Whether the cluster carries the mark that we put into its create call.
    pub async fn is_ours(&self, run: &Run) -> Result<bool, MagnumError> {
        let seen = self.look(run).await?;
        Ok(seen.cluster.as_ref().is_some_and(|cluster| identify::carries_mark(&self.wanted, cluster)))
    }

    /// The kubeconfig, if there is a cluster to go to.
    pub async fn kubeconfig(&self, run: &Run) -> Result<Option<SecretValue>, MagnumError> {
        Ok(self.look(run).await?.access.as_ref().map(|access| access.kubeconfig.clone()))
    }

    async fn ask(&self, run: &Run) -> Result<Seen, MagnumError> {
        let cloud = self.cloud(run).await?;
        let listed = self.listed.lock().await.take();
        let clusters = async { if let Some(listed) = listed { Ok(listed) } else { cloud.clusters().await } };
        let (clusters, templates) = tokio::try_join!(clusters, cloud.cluster_templates())?;
        let template = identify::template(&self.wanted, cloud.cloud(), &templates)?;
        let Some(found) = identify::cluster(&self.wanted, &clusters)? else {
            let checks = Some(preflight::check(cloud, &self.wanted, &template).await?);
            return Ok(Seen { template, cluster: None, checks, access: None });
        };
        // A list leaves out the address and the reasons. The row may have gone in between.
        let cluster = cloud.cluster(&found.uuid).await?;
        let access =
            match cluster.as_ref().filter(|cluster| !cluster.status.in_progress() && cluster.api_address.is_some()) {
                Some(cluster) => Some(self.way_in(cloud, cluster).await?),
                None => None,
            };
        Ok(Seen { template, cluster, checks: None, access })
    }

    /// The kept kubeconfig if it is good, else a new one. Signing stores nothing in Magnum, so that a plan may do it too.
    pub async fn way_in(&self, cloud: &Openstack, cluster: &Cluster) -> Result<WayIn, MagnumError> {
        let server = cluster.api_address.clone().unwrap_or_default();
        let ca = cloud.ca_certificate(&cluster.uuid).await?;
        let judge = |text: &SecretValue| credentials::judge(text, &server, &ca, (self.process.now)());
        let stale = match self.kubeconfig.as_deref().map(credentials::read).transpose()? {
            None => None,
            Some(None) => Some("it is not there".to_owned()),
            Some(Some(kubeconfig)) => match judge(&kubeconfig) {
                Kept::Valid => return Ok(WayIn { kubeconfig, stale: None }),
                Kept::Stale(because) => Some(because),
            },
        };
        let mut signed = self.signed.lock().await;
        if let Some(kubeconfig) = signed.clone().filter(|text| judge(text) == Kept::Valid) {
            return Ok(WayIn { kubeconfig, stale });
        }
        let SigningRequest { key, request } = credentials::signing_request(&cluster.name)?;
        let certificate = cloud.sign(&cluster.uuid, &request).await?;
        let kubeconfig = credentials::kubeconfig(&cluster.name, &server, &ca, &certificate, &key);
        *signed = Some(kubeconfig.clone());
        Ok(WayIn { kubeconfig, stale })
    }
}
