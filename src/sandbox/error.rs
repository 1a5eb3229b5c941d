//! Why the sandbox does not come up, or does not go down.

use crate::error::{Explain, Kind};
use std::path::PathBuf;

/// Why the sandbox does not come up, or does not go down.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Programs that the sandbox runs are not there.
    #[error("the sandbox needs {}, found neither in the tools folder {folder} nor on PATH", missing.join(", "))]
    ToolsMissing {
        /// Their names.
        missing: Vec<String>,
        /// Where they were looked for first.
        folder: PathBuf,
    },
    /// The name would not make a folder of its own.
    #[error("{name:?} cannot be a sandbox's name: it may hold letters, digits, '-' and '_'")]
    Name {
        /// The name.
        name: String,
    },
    /// The state folder holds something else.
    #[error("{folder} is not empty and was not made by the sandbox, so it is left alone")]
    ForeignFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// A file of the state folder.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried: `read`, `write`, `create`, `remove`, `lock`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of the state folder is not what we wrote.
    #[error("{path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A program cannot be started.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A server ended, again and again, or the daemon itself.
    #[error("{server} of the sandbox {reason}; the last lines of {log}:\n{lines}")]
    Died {
        /// Which one.
        server: String,
        /// How it ended.
        reason: String,
        /// Its log.
        log: PathBuf,
        /// The log's end.
        lines: String,
    },
    /// The deadline came first.
    #[error("the sandbox was not ready in time: still waiting for {waiting}; its logs are in {logs}")]
    Deadline {
        /// What was not ready.
        waiting: String,
        /// The folder of the logs.
        logs: PathBuf,
    },
    /// A process would not end.
    #[error("process {pid} ({server}) of the sandbox does not end")]
    Remains {
        /// Its id.
        pid: i32,
        /// What it is.
        server: String,
    },
    /// A certificate cannot be made.
    #[error("cannot make the certificate of {subject}")]
    Certificate {
        /// Whose.
        subject: String,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// The sandbox's API server refuses what every new cluster gets.
    #[error("the sandbox's API server: {action}")]
    Kubernetes {
        /// What was tried.
        action: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The sandbox's Vault refuses what every new Vault gets.
    #[error("the sandbox's Vault: {message}")]
    Vault {
        /// The request and its answer.
        message: String,
    },
}

impl Explain for SandboxError {
    fn kind(&self) -> Kind {
        match self {
            Self::ToolsMissing { .. } | Self::Name { .. } | Self::ForeignFolder { .. } => Kind::Usage,
            Self::Deadline { .. } => Kind::Interrupted,
            _ => Kind::Failed,
        }
    }

    fn help(&self) -> Vec<String> {
        match self {
            Self::ToolsMissing { .. } => vec![
                "run scripts/build-tools, which builds and installs them (about a quarter of an hour, once)".into(),
                "or name a folder that holds them in RSP_INSTALL_TOOLS".into(),
            ],
            Self::ForeignFolder { .. } => vec!["name another folder with --state, or empty this one".into()],
            Self::Died { log, .. } => vec![
                format!("read {}", log.display()),
                "`rsp-install sandbox down` removes everything; `sandbox up` starts afresh".into(),
            ],
            Self::Deadline { .. } => vec!["run the command again: it goes on waiting where this one left off".into()],
            Self::Damaged { .. } => {
                vec!["`rsp-install sandbox down` removes everything; `sandbox up` starts afresh".into()]
            }
            _ => Vec::new(),
        }
    }
}

impl SandboxError {
    /// A file could not be read, written, created ...
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// The API server refused `action`.
    pub(super) fn kubernetes(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Kubernetes { action, source: source.into() }
    }
}
