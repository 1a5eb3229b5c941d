//! What can go wrong in the main job beside the faults of the systems.

use crate::error::{Explain, Kind};

/// A fault of the main job.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The cluster at the other end is another one than declared.
    #[error("this is not the declared cluster: {what} is {found}, the environment file says {declared}")]
    AnotherCluster {
        /// Server or CA.
        what: &'static str,
        /// What the kubeconfig leads to.
        found: String,
        /// What the file says.
        declared: String,
    },
    /// The cluster's marker names another environment.
    #[error("the cluster {server} belongs to environment {found:?} ({fqdn}), not to {wanted:?}")]
    AnotherEnvironment {
        /// The API server.
        server: String,
        /// The marker's environment.
        found: String,
        /// The marker's host.
        fqdn: String,
        /// Ours.
        wanted: String,
    },
    /// Somebody installed phalanx there by other means.
    #[error("the cluster {server} already holds an installation that is not ours: Application argocd/{application}")]
    ForeignInstallation {
        /// The API server.
        server: String,
        /// The parent Application.
        application: String,
    },
    /// A question nobody can answer.
    #[error("{question}")]
    Unanswered {
        /// The question.
        question: String,
        /// What may be passed instead of an answer.
        flag: &'static str,
    },
    /// A person said no.
    #[error("not done: you answered no")]
    Refused,
    /// The chart of phalanx's environments renders something unexpected.
    #[error("environment {environment} of {place}: {what}")]
    Parent {
        /// The environment.
        environment: String,
        /// The checkout.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// A sync that failed.
    #[error("Argo CD could not sync Application argocd/{application}: {message}")]
    SyncFailed {
        /// The Application.
        application: String,
        /// Argo CD's own words, with those about single objects.
        message: String,
    },
    /// A storage class differs in a field that cannot be changed.
    #[error("StorageClass {class} exists with another {field}: {found}, declared is {declared}")]
    ImmutableClass {
        /// The class.
        class: String,
        /// The field.
        field: &'static str,
        /// What is there.
        found: String,
        /// What is declared.
        declared: String,
    },
    /// The cluster was the environment's, and is no more.
    #[error(
        "the cluster at {server} was generation {generation} of this environment, and another one has taken its place"
    )]
    Replaced {
        /// Its server.
        server: String,
        /// Its generation.
        generation: u32,
    },
    /// There is no installed environment that could be rebuilt.
    #[error("environment {environment} cannot be rebuilt: {because}")]
    NothingToRebuild {
        /// The environment.
        environment: String,
        /// What is missing.
        because: &'static str,
    },
    /// A rebuild would lose something that nobody has said may be lost.
    #[error("a rebuild of {environment} would lose: {}", losses.join("; "))]
    WouldLose {
        /// The environment.
        environment: String,
        /// What, each with its kind.
        losses: Vec<String>,
        /// The kinds.
        kinds: Vec<&'static str>,
    },
    /// A storage class wants a provisioner that Kubernetes no longer has.
    #[error("StorageClass {class}: Kubernetes {kubernetes} has no provisioner {provisioner} any more")]
    NoProvisioner {
        /// The class.
        class: String,
        /// Who should make its volumes.
        provisioner: String,
        /// The cluster's version.
        kubernetes: String,
    },
    /// A class that is not declared should be replaced.
    #[error("--replace-class {name}: the environment file declares no storage class of that name")]
    NoClass {
        /// The name.
        name: String,
        /// Those that are declared.
        known: Vec<String>,
    },
    /// Checks at the end that do not hold.
    #[error("{} of {total} checks do not hold: {}", failed.len(), failed.join("; "))]
    Unhealthy {
        /// Their ids with what was found.
        failed: Vec<String>,
        /// How many checks there were.
        total: usize,
    },
    /// No such step.
    #[error("there is no step {name:?}")]
    NoStep {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
}

impl Explain for InstallError {
    fn kind(&self) -> Kind {
        match self {
            Self::AnotherCluster { .. }
            | Self::AnotherEnvironment { .. }
            | Self::ForeignInstallation { .. }
            | Self::Parent { .. }
            | Self::Replaced { .. }
            | Self::NothingToRebuild { .. }
            | Self::ImmutableClass { .. }
            | Self::NoProvisioner { .. } => Kind::Invalid,
            Self::Unanswered { .. } | Self::Refused | Self::NoStep { .. } | Self::NoClass { .. } => Kind::Usage,
            Self::SyncFailed { .. } | Self::Unhealthy { .. } | Self::WouldLose { .. } => Kind::Failed,
        }
    }

    fn help(&self) -> Vec<String> {
        let line = match self {
            Self::AnotherCluster { .. } => "name the right context, or correct the environment file".to_owned(),
            Self::AnotherEnvironment { found, .. } => {
                format!(
                    "use the kubeconfig of the right cluster, or --env {found}; to give the cluster to this environment, delete its namespace rsp-install first"
                )
            }
            Self::ForeignInstallation { .. } => {
                "install on a cluster that is empty, or bring this one under this program by hand first".to_owned()
            }
            Self::Unanswered { flag, .. } => format!("answer at a terminal, or pass {flag}"),
            Self::ImmutableClass { class, .. } => {
                format!(
                    "declare what is there, or add --replace-class {class}: the class is deleted and made anew, its volumes \
                     and claims stay as they are"
                )
            }
            Self::Replaced { .. } => "name the context of the new cluster in the environment file".to_owned(),
            Self::NothingToRebuild { .. } => "install it first: `rsp-install --env` and its name".to_owned(),
            Self::WouldLose { kinds, .. } => {
                format!(
                    "save it first; what may go is named: {}",
                    kinds.iter().map(|kind| format!("--accept-loss {kind}")).collect::<Vec<_>>().join(" ")
                )
            }
            Self::SyncFailed { .. } => "correct it on the branch, then run the same command again".to_owned(),
            Self::Unhealthy { .. } => "`rsp-install status` shows where everything stands".to_owned(),
            Self::NoProvisioner { .. } => "declare `provisioner: cinder.csi.openstack.org`".to_owned(),
            Self::NoClass { known, .. } => format!("declared are: {}", known.join(", ")),
            Self::NoStep { known, .. } => format!("there are: {}", known.join(", ")),
            Self::Refused | Self::Parent { .. } => return Vec::new(),
        };
        vec![line]
    }
}
