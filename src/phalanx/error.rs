//! What can be wrong with a checkout.

use super::layout::Layout;
use super::tree::TreeError;
use super::yaml::YamlError;
use crate::error::{Explain, Kind};

/// Why a checkout, or a part of it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PhalanxError {
    /// A file or folder cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A file is no YAML, or not the YAML that we need.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// Neither today's folders nor those of an earlier phalanx are there.
    #[error("{place} is not a phalanx checkout: it has neither environments/ and applications/ nor science-platform/")]
    NotACheckout {
        /// The repository and commit, or the directory.
        place: String,
    },
    /// A phalanx from before the current layout.
    #[error("{place} has phalanx layout {layout} ({})", layout.period())]
    OldLayout {
        /// The repository and commit, or the directory.
        place: String,
        /// Which one.
        layout: Layout,
    },
    /// No `values-<name>.yaml` for this environment.
    #[error("{place} has no environment {name}: there is no environments/values-{name}.yaml")]
    UnknownEnvironment {
        /// The repository and commit, or the directory.
        place: String,
        /// What was asked for.
        name: String,
        /// Names that look like it.
        near: Vec<String>,
        /// All names.
        known: Vec<String>,
    },
    /// An enabled application lacks a file that Argo CD will read.
    #[error("application {application}, enabled in environment {environment}, has no {file}")]
    MissingFile {
        /// The application.
        application: String,
        /// The environment.
        environment: String,
        /// The file that is not there.
        file: String,
    },
    /// There is no template of an Argo CD Application, so that its project cannot be known.
    #[error("application {application} has no template under environments/templates/applications/")]
    NoTemplate {
        /// The application.
        application: String,
    },
}

impl Explain for PhalanxError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn help(&self) -> Vec<String> {
        match self {
            Self::Tree(error) => error.help(),
            Self::Yaml(_) => Vec::new(),
            Self::NotACheckout { .. } => vec!["name a phalanx repository and branch in phalanx: of the file".into()],
            Self::OldLayout { .. } => {
                vec![
                    "bring the branch to phalanx of March 2024 or later; `rsp-install drift` shows what that means"
                        .into(),
                ]
            }
            Self::UnknownEnvironment { near, known, .. } if near.is_empty() => {
                vec![format!("environments there: {}", known.join(", "))]
            }
            Self::UnknownEnvironment { near, .. } => vec![format!("did you mean {}?", near.join(" or "))],
            Self::MissingFile { file, application, .. } => {
                vec![format!("add {file} (it may be empty), or disable {application}")]
            }
            Self::NoTemplate { application } => vec![format!(
                "an installation needs a whole checkout, with environments/templates/applications/<project>/{application}.yaml"
            )],
        }
    }
}
