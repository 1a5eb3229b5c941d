//! What a person is told when something is wrong.
//!
//! Every room has its own error enum with its sources; it implements [`Explain`]. At the door any of them becomes a
//! [`Failure`]: a kind, a message and `help:` lines. The exit code follows from the kind alone, in [`Kind::exit_code`].

use std::fmt::Write as _;

/// Why a command did not do what was asked; the exit codes are a contract (see the command line reference).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Tried and did not come out right: a failed cluster, an unhealthy application at the deadline.
    Failed,
    /// The call itself is wrong, a program that we need is missing, or a question that nobody can answer.
    Usage,
    /// Nothing is wrong, but changes are waiting.
    Pending,
    /// The upgrade rules do not allow it now.
    GateClosed,
    /// Another run holds the environment.
    Held,
    /// The environment file, checkout, secrets definitions, branch, template, key pair or cluster identity is wrong.
    Invalid,
    /// A service cannot be reached or refused us.
    Unreachable,
    /// Interrupted, timed out or left at a pause; safe to run again.
    Interrupted,
}

impl Kind {
    /// The process's exit code for this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Pending => 3,
            Self::GateClosed => 4,
            Self::Held => 5,
            Self::Invalid => 6,
            Self::Unreachable => 7,
            Self::Interrupted => 75,
        }
    }
}

/// An error that knows its kind and what the reader can do next.
pub trait Explain: std::error::Error {
    /// Which of the contract's kinds this is.
    fn kind(&self) -> Kind;

    /// What to do next, one sentence a line; empty where the message says it all.
    fn help(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An error on its way out of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// What happened, to which object, and why we think so.
    pub message: String,
    /// What to do next.
    pub help: Vec<String>,
}

impl Failure {
    /// A failure without advice.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: Vec::new() }
    }

    /// Adds one line of advice.
    #[must_use]
    pub fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Many libraries repeat their source in their own message; say it once.
            if !message.contains(&text) {
                let _ = write!(message, ": {text}");
            }
            source = cause.source();
        }
        Self { kind: error.kind(), message, help: error.help() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error: {}", self.message)?;
        self.help.iter().try_for_each(|line| write!(f, "\nhelp: {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("reading the file failed")]
    struct Outer(#[source] std::io::Error);

    impl Explain for Outer {
        fn kind(&self) -> Kind {
            Kind::Invalid
        }
    }

    #[test]
    fn a_failure_carries_the_whole_chain_of_causes() {
        let failure = Failure::from(Outer(std::io::Error::other("disk on fire"))).help("put it out");
        assert_eq!(failure.to_string(), "error: reading the file failed: disk on fire\nhelp: put it out");
        assert_eq!(failure.kind.exit_code(), 6);
    }
}
