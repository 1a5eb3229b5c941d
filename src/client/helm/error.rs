//! What can go wrong with Helm.

use crate::error::{Explain, Kind};

/// A fault, with the chart it concerns.
#[derive(Debug, thiserror::Error)]
pub enum HelmError {
    /// There is no `helm` on the path.
    #[error("the program helm is not on the path")]
    Missing,
    /// It is too old.
    #[error("{path} is Helm {found}; version {needed} or newer is needed")]
    TooOld {
        /// The binary.
        path: String,
        /// Its version.
        found: String,
        /// What we need.
        needed: &'static str,
    },
    /// It could not be started or read from.
    #[error("cannot run helm {what}")]
    Run {
        /// The subcommand.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It says that the chart is wrong.
    #[error("helm cannot render the chart of {application}: {message}")]
    Chart {
        /// The application.
        application: String,
        /// Helm's own words.
        message: String,
    },
    /// A chart that the chart needs cannot be had.
    #[error("helm cannot get the charts that {application} needs: {message}")]
    Dependencies {
        /// The application.
        application: String,
        /// Helm's own words.
        message: String,
    },
    /// It rendered something that is no Kubernetes object.
    #[error("the chart of {application} renders something that is no Kubernetes object: {message}")]
    NoObject {
        /// The application.
        application: String,
        /// Where and what.
        message: String,
    },
    /// The checkout could not be written out for it.
    #[error("cannot write the chart of {application} to {path}")]
    Export {
        /// The application.
        application: String,
        /// The file or folder.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Explain for HelmError {
    fn kind(&self) -> Kind {
        match self {
            Self::Missing | Self::TooOld { .. } => Kind::Usage,
            Self::Chart { .. } | Self::NoObject { .. } => Kind::Invalid,
            Self::Dependencies { .. } => Kind::Unreachable,
            Self::Run { .. } | Self::Export { .. } => Kind::Failed,
        }
    }

    fn help(&self) -> Vec<String> {
        let line = match self {
            Self::Missing | Self::TooOld { .. } => "install Helm 3.14 or newer, or put it on PATH",
            Self::Dependencies { .. } => "the chart repository must be reachable from here, and later from the cluster",
            Self::Chart { .. } => "correct the chart or its values on the branch",
            Self::Run { .. } | Self::Export { .. } | Self::NoObject { .. } => return Vec::new(),
        };
        vec![line.to_owned()]
    }
}
