//! What can be wrong with an environment file.

use crate::error::{Explain, Kind};

/// A file that cannot be found or is not right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Neither a file nor a built-in of that name, and no alias.
    #[error("there is no environment {name:?}: neither {folder}/{name}.yaml nor a file there with that alias")]
    NotFound {
        /// What was asked for.
        name: String,
        /// Where we looked.
        folder: String,
        /// What is there.
        known: Vec<String>,
    },
    /// The file cannot be read.
    #[error("cannot read {file}: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// YAML or a value in it is wrong.
    #[error("{file}{}: {message}", place(*line, *column))]
    Malformed {
        /// The file.
        file: String,
        /// From 1; 0 when not known.
        line: usize,
        /// From 1; 0 when not known.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The name inside differs from the file's.
    #[error("{file} declares the name {name:?}; a file is named after its environment")]
    NameDiffers {
        /// The file.
        file: String,
        /// The name inside.
        name: String,
    },
    /// Two files answer to one name.
    #[error("{file} has the alias {alias:?}, which is the name or an alias of {other}")]
    AliasTaken {
        /// The file with the alias.
        file: String,
        /// The alias.
        alias: String,
        /// The other file.
        other: String,
    },
    /// A command needs a section that the file does not have.
    #[error("the file of environment {name:?} has no section `{section}`, which this command needs")]
    MissingSection {
        /// The environment.
        name: String,
        /// The section.
        section: &'static str,
    },
    /// An installation was asked for with a file that only exists inside the program.
    #[error("{name:?} is only the copy inside the program; an installation takes a file that is really there")]
    BuiltInOnly {
        /// The environment.
        name: String,
    },
}

fn place(line: usize, column: usize) -> String {
    if line == 0 { String::new() } else { format!(":{line}:{column}") }
}

impl Explain for EnvironmentError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn help(&self) -> Vec<String> {
        match self {
            Self::NotFound { known, .. } if known.is_empty() => {
                vec!["name the folder of the environment files with --environments DIR".into()]
            }
            Self::NotFound { known, .. } => vec![format!("there are: {}", known.join(", "))],
            Self::Malformed { .. } => vec!["`rsp-install schema` prints what the file may hold".into()],
            Self::NameDiffers { name, .. } => vec![format!("rename the file to {name}.yaml, or correct `name`")],
            Self::AliasTaken { .. } => vec!["remove one of the two".into()],
            Self::MissingSection { section, .. } => {
                vec![format!("add `{section}:`; `rsp-install schema` describes it")]
            }
            Self::BuiltInOnly { name } => vec![format!("write it out and look at it: rsp-install init --from {name}")],
            Self::Unreadable { .. } => Vec::new(),
        }
    }
}
