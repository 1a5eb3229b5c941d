//! What goes wrong with a report.

use crate::client::git::GitError;
use crate::error::{Explain, Kind};
use crate::phalanx::PhalanxError;
use crate::phalanx::tree::TreeError;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// A repository, commit or file of it cannot be had.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A folder of a commit cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The fork is no phalanx.
    #[error(transparent)]
    Phalanx(#[from] PhalanxError),
    /// The environment is on neither side.
    #[error("environment {environment} is neither in {fork} nor in {upstream}")]
    NoEnvironment {
        /// Its name.
        environment: String,
        /// The fork.
        fork: String,
        /// Upstream.
        upstream: String,
        /// Environments of the fork.
        known: Vec<String>,
    },
    /// An earlier report, or a facts file, cannot be used.
    #[error("cannot use {file}: {reason}")]
    Input {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
}

impl Explain for DriftError {
    fn kind(&self) -> Kind {
        match self {
            Self::Git(error) => error.kind(),
            Self::Tree(error) => error.kind(),
            Self::Phalanx(error) => error.kind(),
            Self::NoEnvironment { .. } => Kind::Invalid,
            Self::Input { .. } => Kind::Usage,
        }
    }

    fn help(&self) -> Vec<String> {
        match self {
            Self::Git(error) => error.help(),
            Self::Tree(error) => error.help(),
            Self::Phalanx(error) => error.help(),
            Self::NoEnvironment { known, .. } => vec![format!("environments of the fork: {}", known.join(", "))],
            Self::Input { .. } => Vec::new(),
        }
    }
}
