//! What a cloud can answer, and what can be wrong on the way to it.

use super::fault::Fault;
use super::service::Service;
use crate::error::{Explain, Kind};
use crate::process::ProcessError;
use std::path::PathBuf;
use std::time::Duration;

/// A cloud that cannot be found, reached or persuaded.
#[derive(Debug, thiserror::Error)]
pub enum OpenstackError {
    /// Neither a named cloud nor `OS_*`.
    #[error("no cloud is named: neither `cluster.magnum.cloud`, nor OS_CLOUD, nor OS_AUTH_URL")]
    NoCloud,
    /// No entry of that name.
    #[error("there is no cloud {name:?} in {}", files(.searched))]
    UnknownCloud {
        /// What was asked for.
        name: String,
        /// The files that were read.
        searched: Vec<PathBuf>,
        /// What they hold.
        known: Vec<String>,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
    /// Something is missing in the entry.
    #[error("cloud {cloud}: {missing} is missing")]
    Incomplete {
        /// The cloud.
        cloud: String,
        /// The key.
        missing: &'static str,
    },
    /// Something in the entry is not supported.
    #[error("cloud {cloud}: {what} is not supported")]
    Unsupported {
        /// The cloud.
        cloud: String,
        /// What.
        what: String,
    },
    /// A credential file.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The identity service refused the credential.
    #[error("{cloud}: Keystone refused the credential: {fault}")]
    Login {
        /// The cloud.
        cloud: String,
        /// Its words.
        fault: Box<Fault>,
        /// What to look at, by the kind of credential.
        advice: &'static str,
    },
    /// The server's certificate is not one that we trust.
    #[error("{call}: the server's certificate is refused: {why}")]
    Untrusted {
        /// The request.
        call: String,
        /// Why.
        why: String,
        /// The file of CA certificates that was named.
        bundle: Option<PathBuf>,
    },
    /// The catalogue does not offer a service.
    #[error("{cloud}: the catalogue has no {service} service in region {region} with interface {interface}")]
    NoService {
        /// The cloud.
        cloud: String,
        /// Which.
        service: Service,
        /// Where.
        region: String,
        /// Of what kind.
        interface: String,
        /// Where it is: regions, each with its interfaces.
        offered: Vec<String>,
    },
    /// A service answered with an error.
    #[error("{call}: {fault}")]
    Refused {
        /// The request.
        call: String,
        /// Its words.
        fault: Box<Fault>,
    },
    /// No answer.
    #[error("{call}: no answer")]
    NoAnswer {
        /// The request.
        call: String,
        /// Whether the request surely never arrived.
        never_sent: bool,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An answer that we do not understand.
    #[error("{call}: the answer is not what the API promises: {message}")]
    Strange {
        /// The request.
        call: String,
        /// What is strange.
        message: String,
    },
    /// The TLS client cannot be made.
    #[error("cloud {cloud}: the HTTP client cannot be made: {message}")]
    Client {
        /// The cloud.
        cloud: String,
        /// Why.
        message: String,
    },
}

impl OpenstackError {
    /// The status that a service answered with.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { fault, .. } | Self::Login { fault, .. } => Some(fault.status),
            _ => None,
        }
    }

    /// How long the service asks us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { fault, .. } | Self::Login { fault, .. } => fault.retry_after,
            _ => None,
        }
    }

    /// Whether nobody can say if the service did what it was asked.
    pub fn is_lost_reply(&self) -> bool {
        match self {
            Self::NoAnswer { never_sent, .. } => !never_sent,
            Self::Strange { .. } => true,
            Self::Refused { fault, .. } => matches!(fault.status, 500 | 502 | 504),
            _ => false,
        }
    }

    /// The entry of `clouds.yaml` lacks something; a sentence may follow it.
    pub(super) fn incomplete(cloud: &str, missing: &'static str) -> Self {
        Self::Incomplete { cloud: cloud.to_owned(), missing }
    }
}

impl Explain for OpenstackError {
    fn kind(&self) -> Kind {
        match self {
            Self::Process(error) => error.kind(),
            Self::NoCloud
            | Self::UnknownCloud { .. }
            | Self::File { .. }
            | Self::Malformed { .. }
            | Self::Incomplete { .. }
            | Self::Unsupported { .. } => Kind::Invalid,
            Self::Refused { fault, .. } => match fault.status {
                400 | 404 | 406 => Kind::Invalid,
                // Neutron says 409 to what is more than the quota; any other conflict is one with somebody's doings.
                409 if !fault.message.to_lowercase().contains("quota") => Kind::Failed,
                _ => Kind::Unreachable,
            },
            Self::Login { .. }
            | Self::Untrusted { .. }
            | Self::NoService { .. }
            | Self::NoAnswer { .. }
            | Self::Strange { .. }
            | Self::Client { .. } => Kind::Unreachable,
        }
    }

    fn help(&self) -> Vec<String> {
        let line = match self {
            Self::Process(error) => return error.help(),
            Self::NoCloud => {
                "name the cloud in the environment file, or export OS_CLOUD or the OS_* variables".to_owned()
            }
            Self::UnknownCloud { known, .. } if known.is_empty() => {
                "put the entry into ~/.config/openstack/clouds.yaml, or name the file with OS_CLIENT_CONFIG_FILE"
                    .to_owned()
            }
            Self::UnknownCloud { known, .. } => format!("the clouds there are {}", known.join(", ")),
            Self::Incomplete { missing, .. } => {
                format!(
                    "add {missing} to the entry in clouds.yaml or secure.yaml, or export the OS_ variable of that name"
                )
            }
            Self::Login { advice, .. } => (*advice).to_owned(),
            Self::Untrusted { bundle: None, .. } => {
                "name the file with the CA's certificates: `cacert` in clouds.yaml, or OS_CACERT".to_owned()
            }
            Self::Untrusted { bundle: Some(path), .. } => format!(
                "beside the system's CAs those in {} are trusted; ask the cloud's administrators for the right file",
                path.display()
            ),
            Self::NoService { offered, .. } if offered.is_empty() => "the cloud does not offer this service".to_owned(),
            Self::NoService { offered, .. } => {
                format!("correct region_name or interface: the catalogue has it in {}", offered.join(", "))
            }
            Self::Refused { fault, .. } if fault.status == 401 => {
                "Keystone had just given this token: the credential may have gone meanwhile, or the service asks \
                 another Keystone; it is safe to run again"
                    .to_owned()
            }
            Self::Refused { fault, .. } if fault.status == 409 && self.kind() == Kind::Failed => {
                "somebody else is at work on it; run again when that is done".to_owned()
            }
            Self::Refused { fault, .. } if matches!(fault.status, 403 | 409) => {
                "the credential's roles or a quota do not allow it; the service's words say which".to_owned()
            }
            Self::NoAnswer { .. } => "check auth_url, network and proxy; it is safe to run again".to_owned(),
            Self::Client { .. } => "check cacert: it must be a file of PEM certificates".to_owned(),
            _ => return Vec::new(),
        };
        vec![line]
    }
}

fn files(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "any clouds.yaml (there is none)".to_owned();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
