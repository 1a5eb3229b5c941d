//! What can be wrong with a Magnum cluster.

use crate::client::openstack::OpenstackError;
use crate::error::{Explain, Kind};
use std::path::PathBuf;

/// A cluster that cannot be had, told apart or trusted.
#[derive(Debug, thiserror::Error)]
pub enum MagnumError {
    /// The cloud.
    #[error(transparent)]
    Cloud(#[from] OpenstackError),
    /// More than one object answers to what the file says.
    #[error("{what} {name:?} is ambiguous: {}", .uuids.join(", "))]
    Ambiguous {
        /// `cluster`, `cluster template`.
        what: &'static str,
        /// The name.
        name: String,
        /// All that answer to it.
        uuids: Vec<String>,
    },
    /// The file names a template that is not there.
    #[error("there is no cluster template {name:?} in cloud {cloud}")]
    NoTemplate {
        /// The name.
        name: String,
        /// The cloud.
        cloud: String,
        /// What is there.
        known: Vec<String>,
    },
    /// The cluster of that name carries another environment's mark.
    #[error("cluster {name} ({uuid}) belongs to environment {owner:?}")]
    Foreign {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: String,
        /// Whose it is.
        owner: String,
    },
    /// The checks before the create call say no.
    #[error("the cloud is not ready for cluster {name}: {}", .told.join("; "))]
    Preflight {
        /// The cluster.
        name: String,
        /// The failed checks.
        told: Vec<String>,
        /// What to do, and the letter to the administrators.
        hints: Vec<String>,
        /// Whether the file or template is wrong, not only the cloud too small.
        wrong: bool,
    },
    /// Magnum gave up.
    #[error("cluster {name} ({uuid}) is {status}: {reason}")]
    Failed {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: String,
        /// What Magnum says.
        status: String,
        /// Why, with the faults.
        reason: String,
    },
    /// It went while we waited for it.
    #[error("cluster {name} ({uuid}) has gone while we waited for it")]
    Gone {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: String,
    },
    /// Nothing has moved for too long.
    #[error("cluster {name} ({uuid}) has not moved for {minutes} minutes: {last}")]
    Stalled {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: String,
        /// For how long.
        minutes: u64,
        /// What both witnesses said last.
        last: String,
    },
    /// The run's own time is over.
    #[error("the time for this run is over while waiting for cluster {name} ({uuid}): {last}")]
    OutOfTime {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: String,
        /// What both witnesses said last.
        last: String,
    },
    /// Another run asked for the same cluster and was first.
    #[error(
        "another run created cluster {name} ({first}) for environment {environment:?} first; ours ({ours}) is deleted again"
    )]
    Held {
        /// The name.
        name: String,
        /// The environment.
        environment: String,
        /// The first one.
        first: String,
        /// Ours.
        ours: String,
    },
    /// The create call's answer was lost, and no cluster with this run's mark has shown.
    #[error("the answer to the create call of cluster {name} was lost, and no cluster with this run's mark has shown")]
    Lost {
        /// The name.
        name: String,
        /// What happened to the call.
        #[source]
        source: Box<OpenstackError>,
    },
    /// The nodes' ports cannot be told for sure.
    #[error("the ports of cluster {name}'s nodes cannot be told for sure: {why}")]
    Ports {
        /// The cluster.
        name: String,
        /// Why.
        why: String,
    },
    /// A cluster without our mark is not ours to retire.
    #[error("cluster {name} ({uuid}) does not carry the mark of environment {environment:?}")]
    Unmarked {
        /// Its name.
        name: String,
        /// Its identity.
        uuid: String,
        /// The environment.
        environment: String,
    },
    /// Controllers inside the cluster did not give their resources back.
    #[error("still there after the time for giving back: {}", .left.join(", "))]
    NotGivenBack {
        /// What is left.
        left: Vec<String>,
    },
    /// A certificate cannot be made or read.
    #[error("the client certificate of cluster {name} cannot be made: {why}")]
    Certificate {
        /// The cluster.
        name: String,
        /// Why.
        why: String,
    },
    /// The kubeconfig cannot be kept or read.
    #[error("kubeconfig {path}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The API server cannot be asked.
    #[error("the API server of cluster {name} at {address} cannot be asked")]
    ApiServer {
        /// The cluster.
        name: String,
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

impl Explain for MagnumError {
    fn kind(&self) -> Kind {
        match self {
            Self::Cloud(error) => error.kind(),
            Self::Ambiguous { .. } | Self::NoTemplate { .. } | Self::Foreign { .. } | Self::Unmarked { .. } => {
                Kind::Invalid
            }
            Self::Failed { .. }
            | Self::Gone { .. }
            | Self::Stalled { .. }
            | Self::Ports { .. }
            | Self::Certificate { .. }
            | Self::Kubeconfig { .. }
            | Self::NotGivenBack { .. } => Kind::Failed,
            Self::Preflight { wrong, .. } if *wrong => Kind::Invalid,
            Self::OutOfTime { .. } => Kind::Interrupted,
            Self::Held { .. } => Kind::Held,
            Self::Preflight { .. } | Self::Lost { .. } | Self::ApiServer { .. } => Kind::Unreachable,
        }
    }

    fn help(&self) -> Vec<String> {
        let line = match self {
            Self::Cloud(error) => return error.help(),
            Self::Preflight { hints, .. } => return hints.clone(),
            Self::Ambiguous { what: "cluster template", .. } => {
                "write the UUID of the one that is meant into `cluster.magnum.template`".to_owned()
            }
            Self::Ambiguous { uuids, .. } => format!(
                "delete the one that is not meant (`openstack coe cluster show {}` shows which it is)",
                uuids.first().map_or("UUID", String::as_str)
            ),
            Self::NoTemplate { known, .. } if known.is_empty() => {
                "the project sees no template; ask the cloud's administrators for a public one".to_owned()
            }
            Self::NoTemplate { known, .. } => format!("the templates there are {}", known.join(", ")),
            Self::Foreign { .. } => "choose another name, or retire that environment first".to_owned(),
            Self::Failed { uuid, .. } => format!(
                "nothing was torn down; after reading the faults, `openstack coe cluster delete {uuid}` and run again"
            ),
            Self::Stalled { uuid, .. } => {
                format!("`openstack coe cluster show {uuid}` and the cloud's administrators know more")
            }
            Self::OutOfTime { .. } => "run again: it goes on waiting for the same cluster".to_owned(),
            Self::Held { .. } => "wait for the other run to end, then run again".to_owned(),
            Self::Lost { .. } => "run again: a cluster that shows late is found by its mark".to_owned(),
            Self::Ports { .. } => "wait until all nodes have a providerID, then run again".to_owned(),
            Self::Unmarked { uuid, .. } => {
                format!("it was made by other means: `openstack coe cluster delete {uuid}` if it is really meant")
            }
            Self::NotGivenBack { .. } => {
                "look at their events and finalizers, then run again; the cluster is still there".to_owned()
            }
            Self::Gone { .. } => "somebody deleted it; run again to create it anew".to_owned(),
            Self::Certificate { .. } | Self::Kubeconfig { .. } => return Vec::new(),
            Self::ApiServer { .. } => "check the security groups, the floating IP and the network between".to_owned(),
        };
        vec![line]
    }
}
