//! What goes wrong with repositories.

use crate::error::{Explain, Kind};

/// Why a repository, commit or file of it cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// Neither a path nor a URL that we can read.
    #[error("`{repository}` is not a repository that can be read here: {reason}")]
    Location {
        /// As it was given (without credentials).
        repository: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The path does not hold a repository.
    #[error("there is no Git repository at {path}")]
    NotARepository {
        /// The path.
        path: String,
        /// Why.
        #[source]
        source: gix::Error,
    },
    /// The server knows no such repository, or does not show it to strangers.
    #[error("there is no repository at {url}, or it is not public")]
    NoSuchRemote {
        /// The address.
        url: String,
        /// The server's answer.
        #[source]
        source: gix::Error,
    },
    /// The server cannot be reached, or the transfer broke off.
    #[error("cannot fetch {url}")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        #[source]
        source: gix::Error,
    },
    /// Our clone cannot be written.
    #[error("cannot keep a clone of {url} in {path}")]
    Cache {
        /// The address.
        url: String,
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No branch, tag or commit of that name.
    #[error("{place} has no branch, tag or commit `{reference}`")]
    UnknownReference {
        /// The repository.
        place: String,
        /// What was asked for.
        reference: String,
        /// Names that come near, nearest first.
        near: Vec<String>,
        /// Whether the repository is a shallow clone, which may be the reason.
        shallow: bool,
    },
    /// A question about history, asked of a clone whose history was cut off.
    #[error(
        "{place} is a shallow clone: its history ends at {boundary}, so nothing can be said about what came before"
    )]
    Shallow {
        /// The repository.
        place: String,
        /// The commit where it ends.
        boundary: String,
    },
    /// An object is named but not there: a partial clone, or a damaged one.
    #[error("{place} lacks the object {object}, which {path} needs (a partial clone leaves such objects out)")]
    MissingObject {
        /// The repository.
        place: String,
        /// Its id.
        object: String,
        /// The file, folder or commit that refers to it.
        path: String,
    },
    /// The repository holds something that must not be written or followed.
    #[error("{path} in {place} {reason}")]
    Unsafe {
        /// The repository and commit.
        place: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file cannot be written to disk.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The repository is damaged, or written in a way that we cannot read.
    #[error("cannot read {what} in {place}")]
    Read {
        /// The repository.
        place: String,
        /// What was being read.
        what: String,
        /// Why.
        #[source]
        source: gix::Error,
    },
}

impl GitError {
    /// Maps an error on reading something.
    pub(super) fn reading<E: Into<gix::Error>>(place: &str, what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let (place, what) = (place.to_owned(), what.into());
        move |source| {
            let source = source.into();
            Self::Read { place, what, source }
        }
    }
}

impl Explain for GitError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unreachable { .. } => Kind::Unreachable,
            Self::Cache { .. } | Self::Write { .. } => Kind::Failed,
            _ => Kind::Invalid,
        }
    }

    fn help(&self) -> Vec<String> {
        match self {
            Self::Location { .. } | Self::NotARepository { .. } => {
                vec!["give a path, ~/path, file:// URL or https:// URL of a repository".into()]
            }
            Self::NoSuchRemote { .. } => {
                vec!["correct the address; a repository that is not public: clone it yourself and give the path".into()]
            }
            Self::Unreachable { .. } => {
                vec!["check network and proxy (HTTPS_PROXY), or clone it elsewhere and give the path".into()]
            }
            Self::Cache { .. } => vec!["free some space, or set RSP_INSTALL_CACHE to a directory you may write".into()],
            Self::UnknownReference { near, shallow, .. } => {
                let mut lines = Vec::new();
                if !near.is_empty() {
                    lines.push(format!("near that name: {}", near.join(", ")));
                }
                if *shallow {
                    lines.push("it is a shallow clone: `git fetch --unshallow` may bring it".into());
                }
                lines
            }
            Self::Shallow { .. } => vec!["run `git fetch --unshallow` in it".into()],
            Self::MissingObject { .. } => {
                vec!["a partial clone: run `git fetch --refetch --no-filter` in it, or give the https:// URL".into()]
            }
            Self::Unsafe { .. } => vec!["read that commit before you install it: nothing of phalanx needs this".into()],
            Self::Read { .. } => vec!["run `git fsck` in it".into()],
            Self::Write { .. } => Vec::new(),
        }
    }
}
