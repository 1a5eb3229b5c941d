//! Where the main job happens: what was declared, the checkout, the cluster once it is there.

use super::cluster::magnum::Magnum;
use super::error::InstallError;
use super::marker::Marker;
use super::snapshot::Snapshot;
use super::source::Source;
use crate::client::helm::Target;
use crate::client::kubernetes::{Access, Cluster, Identity};
use crate::engine::Run;
use crate::environment::{Cluster as Declared, ExistingCluster, Loaded};
use crate::error::Failure;
use crate::process::Process;
use crate::sandbox::{Sandbox, SandboxInfo, SandboxState, Settings};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Mutex, OnceCell};

/// What the command line adds to the environment file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Static secrets, in phalanx's format.
    pub static_secrets: Option<PathBuf>,
}

/// The place of one run.
pub struct Site {
    /// The environment file.
    pub loaded: Loaded,
    /// The process.
    pub process: Process,
    /// The way out and the deadline.
    pub run: Run,
    /// What the command line adds.
    pub options: Options,
    magnum: Option<Arc<Magnum>>,
    source: OnceCell<Source>,
    contact: Mutex<Option<Contact>>,
    snapshot: Mutex<Option<(u64, Arc<Snapshot>)>>,
    target: Arc<OnceCell<Target>>,
}

/// A cluster that we are connected to and know to be the declared one.
#[derive(Clone)]
pub struct Contact {
    /// The connection.
    pub cluster: Cluster,
    /// Who it is.
    pub identity: Identity,
    /// Our mark on it.
    pub marker: Option<Marker>,
}

impl Site {
    /// The place of a run.
    pub fn new(loaded: Loaded, process: Process, run: Run, options: Options) -> Arc<Self> {
        let (source, contact, snapshot) = (OnceCell::new(), Mutex::default(), Mutex::default());
        let magnum = Magnum::for_environment(&process, &loaded.environment, &loaded.folder);
        Arc::new(Self { loaded, process, run, options, magnum, source, contact, snapshot, target: Arc::default() })
    }

    /// The Magnum cluster, where that is what is declared.
    pub(super) fn magnum(&self) -> Option<Arc<Magnum>> {
        self.magnum.clone()
    }

    /// The environment's name.
    pub fn name(&self) -> &str {
        self.loaded.environment.name.as_str()
    }

    /// The checkout, opened once.
    pub async fn source(&self) -> Result<&Source, Failure> {
        let open = || Source::open(&self.loaded, &self.process, self.run.outlet.events().clone());
        self.source.get_or_try_init(open).await
    }

    /// The sandbox of this environment.
    pub fn sandbox(&self) -> Result<Sandbox, Failure> {
        let settings = Settings::new(self.name(), &self.process)?;
        Ok(Sandbox::new(settings, self.process.clone(), self.run.outlet.events().clone(), self.run.deadline))
    }

    /// How to reach the sandbox, if it is up.
    pub fn running_sandbox(&self) -> Result<Option<SandboxInfo>, Failure> {
        let info = self.sandbox()?.status()?;
        Ok(Some(info).filter(|info| info.state == SandboxState::Ready))
    }

    /// The cluster, if it is there already: connected, and checked to be the declared one.
    pub async fn contact(&self) -> Result<Option<Contact>, Failure> {
        let mut kept = self.contact.lock().await;
        if let Some(contact) = &*kept {
            return Ok(Some(contact.clone()));
        }
        let Some(access) = self.access().await? else { return Ok(None) };
        let (cluster, identity) = access.connect(&self.run.outlet).await?;
        if let Declared::Existing(declared) = self.loaded.environment.cluster()? {
            check_identity(declared, &identity)?;
        }
        let marker = Marker::read(&cluster).await?;
        if let Some(marker) = marker.as_ref().filter(|marker| marker.environment != self.name()) {
            return Err(InstallError::AnotherEnvironment {
                server: identity.server,
                found: marker.environment.clone(),
                fqdn: marker.fqdn.clone(),
                wanted: self.name().to_owned(),
            }
            .into());
        }
        *kept = Some(Contact { cluster, identity, marker });
        Ok(kept.clone())
    }

    /// The credentials of the cluster, if it is there already.
    async fn access(&self) -> Result<Option<Access>, Failure> {
        match self.loaded.environment.cluster()? {
            Declared::Sandbox(_) => {
                let running = self.running_sandbox()?;
                Ok(running.map(|info| Access::File { paths: vec![info.kubeconfig], context: None }))
            }
            Declared::Existing(declared) => Ok(Some(match &declared.kubeconfig {
                Some(path) => {
                    let path = self.process.directory.join(&self.loaded.folder).join(path);
                    Access::File { paths: vec![path], context: Some(declared.context.clone()) }
                }
                None => Access::default_files(&self.process, &declared.context),
            })),
            Declared::Magnum(_) => {
                let Some(magnum) = &self.magnum else { return Ok(None) };
                Ok(magnum.kubeconfig(&self.run).await?.map(|text| Access::Text(text.expose().to_owned())))
            }
        }
    }

    /// What the cluster says, if it is there. All steps that look before the next write look at the same.
    pub async fn snapshot(&self) -> Result<Option<Arc<Snapshot>>, Failure> {
        let Some(contact) = self.contact().await? else { return Ok(None) };
        let mut kept = self.snapshot.lock().await;
        let writes = self.run.outlet.writes();
        if let Some((_, snapshot)) = kept.as_ref().filter(|(at, _)| *at == writes) {
            return Ok(Some(Arc::clone(snapshot)));
        }
        let snapshot = Arc::new(Snapshot::new(contact.cluster, Arc::clone(&self.target)));
        *kept = Some((writes, Arc::clone(&snapshot)));
        Ok(Some(snapshot))
    }

    /// Something may have changed without a write of ours: the next look reads again.
    pub async fn look_again(&self) {
        *self.snapshot.lock().await = None;
    }

    /// The marker was written: read it again when next asked.
    pub(super) async fn forget_contact(&self) {
        *self.contact.lock().await = None;
        self.look_again().await;
    }
}

fn check_identity(declared: &ExistingCluster, found: &Identity) -> Result<(), InstallError> {
    let differs = |what, found: &str, declared: &str| InstallError::AnotherCluster {
        what,
        found: found.to_owned(),
        declared: declared.to_owned(),
    };
    if !found.server_matches(&declared.server) {
        return Err(differs("the server", &found.server, &declared.server));
    }
    let Some(wanted) = &declared.ca_sha256 else { return Ok(()) };
    let wanted = wanted.replace(':', "").to_lowercase();
    match &found.ca_sha256 {
        Some(found) if *found == wanted => Ok(()),
        Some(found) => Err(differs("the CA's SHA-256", found, &wanted)),
        None => Err(differs("the CA's SHA-256", "not in the kubeconfig", &wanted)),
    }
}
