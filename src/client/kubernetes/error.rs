//! What can go wrong with the API server.

use crate::error::{Explain, Kind};
use std::time::Duration;

/// A fault, with the object it concerns.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// There is no usable kubeconfig.
    #[error("cannot use the kubeconfig {place}: {message}")]
    Kubeconfig {
        /// Which one.
        place: String,
        /// Why.
        message: String,
    },
    /// The kubeconfig has no such context.
    #[error("the kubeconfig {place} has no context {context:?}")]
    NoContext {
        /// Which kubeconfig.
        place: String,
        /// What was asked for.
        context: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The API server cannot be reached or refused us.
    #[error("the API server refused to {what}: {message}")]
    Refused {
        /// The call.
        what: String,
        /// Its own words.
        message: String,
    },
    /// No answer at all.
    #[error("cannot reach the API server to {what}")]
    Unreachable {
        /// The call.
        what: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The object itself is not acceptable.
    #[error("the API server does not accept {what}: {message}")]
    Rejected {
        /// The object.
        what: String,
        /// Its own words.
        message: String,
    },
    /// Somebody else owns a field that we want to set.
    #[error("{object}: {fields} set by {manager}, not by us")]
    Conflict {
        /// The object.
        object: String,
        /// The other manager.
        manager: String,
        /// The fields, in words.
        fields: String,
    },
    /// The server does not know the kind.
    #[error("the API server does not know the kind {kind} ({group_version})")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// Its API group and version.
        group_version: String,
    },
    /// A wait that cannot end well.
    #[error("{object} will not be {condition}: {message}{events}")]
    Hopeless {
        /// What was waited for.
        object: String,
        /// The condition.
        condition: String,
        /// Why it cannot hold.
        message: String,
        /// The last events, with a leading newline each.
        events: String,
    },
    /// A wait that took too long.
    #[error("{object} is not {condition} after {} s: {message}{events}", elapsed.as_secs())]
    TimedOut {
        /// What was waited for.
        object: String,
        /// The condition.
        condition: String,
        /// Why it does not hold.
        message: String,
        /// The last events, with a leading newline each.
        events: String,
        /// How long it took.
        elapsed: Duration,
    },
}

impl KubernetesError {
    /// Sorts a fault of the client by what it means; `what` is the call in words, for example `list Applications`.
    pub fn from_client(what: impl Into<String>, error: kube::Error) -> Self {
        let what = what.into();
        match error {
            kube::Error::Api(status) => match status.code {
                400 | 404 | 405 | 409 | 410 | 422 | 500 => Self::Rejected { what, message: status.message },
                _ => Self::Refused { what, message: status.message },
            },
            other => Self::Unreachable { what, source: Box::new(other) },
        }
    }
}

impl Explain for KubernetesError {
    fn kind(&self) -> Kind {
        match self {
            Self::Kubeconfig { .. } | Self::NoContext { .. } => Kind::Invalid,
            Self::Refused { .. } | Self::Unreachable { .. } => Kind::Unreachable,
            Self::Rejected { .. } | Self::Conflict { .. } | Self::UnknownKind { .. } | Self::Hopeless { .. } => {
                Kind::Failed
            }
            Self::TimedOut { .. } => Kind::Failed,
        }
    }

    fn help(&self) -> Vec<String> {
        let line = match self {
            Self::Kubeconfig { .. } => "name a readable kubeconfig in KUBECONFIG or in the environment file".to_owned(),
            Self::NoContext { known, .. } if known.is_empty() => "the file has no contexts at all".to_owned(),
            Self::NoContext { known, .. } => format!("it has: {}", known.join(", ")),
            Self::Refused { .. } => {
                "look at the rights of the kubeconfig's user, and whether its certificate has expired".to_owned()
            }
            Self::Unreachable { .. } => {
                "is the cluster up, and is its address reachable from here? Then run the same command again".to_owned()
            }
            Self::Conflict { manager, .. } => {
                format!("decide who owns these fields: take them out of {manager}'s hands, or out of the chart")
            }
            Self::UnknownKind { .. } => "a CustomResourceDefinition is missing; is its application enabled?".to_owned(),
            Self::TimedOut { .. } | Self::Hopeless { .. } => {
                "nothing was torn down: look at the object, then run the same command again".to_owned()
            }
            Self::Rejected { .. } => return Vec::new(),
        };
        vec![line]
    }
}
