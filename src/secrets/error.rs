//! What can be wrong with secrets before anything is asked of Vault.

use super::generator::GeneratorError;
use super::name::SecretName;
use crate::client::vault::{LoginError, VaultError};
use crate::error::{Explain, Kind};
use crate::phalanx::PhalanxError;
use crate::phalanx::yaml::{Position, YamlError};
use std::path::PathBuf;

/// Why secrets cannot be worked out.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The checkout cannot be read.
    #[error(transparent)]
    Phalanx(#[from] PhalanxError),
    /// A definition in a `secrets.yaml` is wrong.
    #[error("{position}: secret {application}/{key}: {message}")]
    Definition {
        /// Where.
        position: Position,
        /// The application.
        application: String,
        /// The key.
        key: String,
        /// What.
        message: String,
    },
    /// Copies whose source this environment does not have: no static secret can help.
    #[error("{} of environment {environment} cannot be resolved: {}", count(unresolvable.len()), listed(unresolvable))]
    Unresolvable {
        /// The environment.
        environment: String,
        /// Which, and why.
        unresolvable: Vec<Unresolvable>,
    },
    /// Static secrets that nobody has given.
    #[error("{} of environment {environment} have no value: {}", count(missing.len()), names(missing))]
    MissingStatic {
        /// The environment.
        environment: String,
        /// Which.
        missing: Vec<SecretName>,
    },
    /// The file of static secrets is not as it must be.
    #[error(transparent)]
    StaticFile(#[from] YamlError),
    /// A value in it is not as it must be.
    #[error("{}: secret {name}: {}", error.position, error.message)]
    StaticValue {
        /// Which.
        name: SecretName,
        /// Where, and what.
        error: YamlError,
    },
    /// A file of static secrets, or one that it names, cannot be read.
    #[error("cannot read {path}{}", what.as_ref().map(|what| format!(" for secret {what}")).unwrap_or_default())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The secret that it is for, when it is one value.
        what: Option<SecretName>,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Vault, or the way to it.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// No way to log in to Vault.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// Somebody writes the same secret again and again.
    #[error("{application} in Vault was changed by others {attempts} times while it was written")]
    Contended {
        /// The application.
        application: String,
        /// How often we tried.
        attempts: u32,
    },
    /// A value could not be made.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    /// The prefix to copy from is the one to copy to.
    #[error("{prefix} is where this environment's secrets are already")]
    SamePrefix {
        /// The prefix.
        prefix: String,
    },
    /// A prefix is none.
    #[error("{text:?} is no prefix of secrets in Vault")]
    Prefix {
        /// What was given.
        text: String,
    },
    /// A certificate or its key cannot serve this environment.
    #[error("secret {name}: {message}")]
    Certificate {
        /// `ingress-nginx/tls.crt` or `tls.key`.
        name: SecretName,
        /// Why.
        message: String,
    },
}

/// A secret that can have no value here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolvable {
    /// Which.
    pub name: SecretName,
    /// Why, as the end of a sentence about it.
    pub because: String,
}

impl Explain for SecretsError {
    fn kind(&self) -> Kind {
        match self {
            Self::MissingStatic { .. } | Self::Unreadable { .. } | Self::SamePrefix { .. } | Self::Prefix { .. } => {
                Kind::Usage
            }
            Self::Vault(error) => error.kind(),
            Self::Login(error) => error.kind(),
            Self::Contended { .. } | Self::Generator(_) => Kind::Failed,
            _ => Kind::Invalid,
        }
    }

    fn help(&self) -> Vec<String> {
        match self {
            Self::Phalanx(error) => error.help(),
            Self::Vault(error) => error.help(),
            Self::Login(error) => error.help(),
            Self::Contended { .. } => vec!["find out who writes there, then run the same command again".into()],
            Self::Prefix { .. } => vec!["write it as a mount, a slash and a path, as in secret/phalanx/name".into()],
            Self::Unresolvable { .. } => vec![
                "enable the application that has the source, or change the definition in the checkout".into(),
                "--exclude APP leaves an application out".into(),
            ],
            Self::MissingStatic { .. } => vec![
                "`rsp-install secrets template` writes a file to fill in; give it with --static FILE".into(),
                "on a terminal you are asked for them".into(),
            ],
            _ => Vec::new(),
        }
    }
}

fn count(number: usize) -> String {
    if number == 1 { "1 secret".into() } else { format!("{number} secrets") }
}

fn names(names: &[SecretName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn listed(unresolvable: &[Unresolvable]) -> String {
    let each: Vec<_> = unresolvable.iter().map(|one| format!("{} {}", one.name, one.because)).collect();
    each.join("; ")
}
