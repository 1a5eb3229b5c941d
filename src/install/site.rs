//! Where the main job happens: what was declared, the checkout, the cluster once it is there.

use super::cluster::magnum::Magnum;
use super::error::InstallError;
use super::generation;
use super::marker::{Marker, Standing};
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
    /// Storage classes that may be deleted and made anew where no update makes them right.
    pub replace_classes: Vec<String>,
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
    /// Which of the environment's clusters, from 1: a rebuild makes the next.
    pub generation: u32,
    /// Whether a rebuild makes this cluster beside the active one, whose secrets it must not change.
    pub(super) is_successor: bool,
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
    /// The place of a run: at the environment's active cluster, or where that will be.
    pub async fn open(loaded: Loaded, process: Process, run: Run, options: Options) -> Result<Arc<Self>, Failure> {
        generation::active(&Self::first(loaded, process, run, options)).await
    }

    /// The place of a command that needs the environment's Vault and no cluster: no cloud is asked where its cluster is.
    pub async fn open_vault(
        loaded: Loaded,
        process: Process,
        run: Run,
        options: Options,
    ) -> Result<Arc<Self>, Failure> {
        let first = Self::first(loaded, process, run, options);
        let in_sandbox = matches!(first.loaded.environment.cluster, Some(Declared::Sandbox(_)));
        if in_sandbox { generation::active(&first).await } else { Ok(first) }
    }

    fn first(loaded: Loaded, process: Process, run: Run, options: Options) -> Arc<Self> {
        Arc::new(Self::of_generation(loaded, process, run, options, 1))
    }

    /// At the cluster of this generation, whatever that is to the environment.
    fn of_generation(loaded: Loaded, process: Process, run: Run, options: Options, generation: u32) -> Self {
        let (source, contact, snapshot) = (OnceCell::new(), Mutex::default(), Mutex::default());
        let magnum = Magnum::of_generation(&process, &loaded.environment, &loaded.folder, generation);
        let target = Arc::default();
        let is_successor = false;
        Self { loaded, process, run, options, generation, is_successor, magnum, source, contact, snapshot, target }
    }

    /// The same environment at its cluster of another generation.
    pub async fn at_generation(&self, generation: u32) -> Arc<Self> {
        Arc::new(self.other(generation).await)
    }

    /// The same environment at the cluster that a rebuild makes beside this one.
    pub(super) async fn beside(&self, generation: u32) -> Arc<Self> {
        Arc::new(Self { is_successor: true, ..self.other(generation).await })
    }

    async fn other(&self, generation: u32) -> Self {
        let (loaded, process) = (self.loaded.clone(), self.process.clone());
        let other = Self::of_generation(loaded, process, self.run.clone(), self.options.clone(), generation);
        if let (Some(ours), Some(theirs)) = (&self.magnum, &other.magnum) {
            theirs.take_over(ours).await;
        }
        other
    }

    /// The Magnum cluster, where that is what is declared.
    pub fn magnum(&self) -> Option<Arc<Magnum>> {
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

    /// The settings of the environment's first sandbox.
    pub(super) fn sandbox_settings(&self) -> Result<Settings, Failure> {
        Ok(Settings::new(self.name(), &self.process)?)
    }

    /// The sandbox of this environment.
    pub fn sandbox(&self) -> Result<Sandbox, Failure> {
        let settings = self.sandbox_settings()?.of_generation(self.generation);
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
        // What is declared as somebody's existing cluster may be one that was replaced meanwhile.
        if let (Declared::Existing(_), Some(marker)) = (self.loaded.environment.cluster()?, &marker)
            && marker.standing == Standing::Replaced
        {
            let (server, generation) = (identity.server, marker.generation);
            return Err(InstallError::Replaced { server, generation }.into());
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
