//! What Vault, or the way to it, can refuse. No message repeats a value: Vault's own words never do.

use crate::error::{Explain, Kind};

/// Why a request to Vault did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The address is none.
    #[error("{address:?} is no address of a Vault server")]
    Address {
        /// What was given.
        address: String,
    },
    /// A certificate or key for the connection cannot be used.
    #[error("cannot use {path}, which {variable} names: {message}")]
    Tls {
        /// The variable.
        variable: &'static str,
        /// The file.
        path: String,
        /// Why.
        message: String,
    },
    /// The server cannot be reached, or the answer was lost.
    #[error("cannot reach Vault at {address} ({call}): {message}")]
    Unreachable {
        /// The server.
        address: String,
        /// The request.
        call: String,
        /// Why.
        message: String,
    },
    /// The server's certificate is not one that we trust.
    #[error("the certificate of Vault at {address} is not trusted: {message}")]
    Untrusted {
        /// The server.
        address: String,
        /// Why.
        message: String,
    },
    /// The server ends the connection because of our certificate, or because we show none.
    #[error("Vault at {address} does not accept our client certificate, or wants one: {message}")]
    Unaccepted {
        /// The server.
        address: String,
        /// Why.
        message: String,
    },
    /// The server is sealed.
    #[error("Vault at {address} is sealed")]
    Sealed {
        /// The server.
        address: String,
    },
    /// The token may not do this, or has expired.
    #[error("Vault refuses {call}: permission denied")]
    Denied {
        /// The request.
        call: String,
    },
    /// The token has expired or was revoked.
    #[error("Vault does not know our token any more (at {call}): it expired or was revoked")]
    TokenExpired {
        /// The request.
        call: String,
    },
    /// Somebody wrote between our read and our write.
    #[error("{path} in Vault was changed by somebody else while it was written")]
    Conflict {
        /// The secret.
        path: String,
    },
    /// Any other refusal.
    #[error("Vault refuses {call} with status {status}: {}", message(errors))]
    Refused {
        /// The request.
        call: String,
        /// The HTTP status.
        status: u16,
        /// Vault's words.
        errors: Vec<String>,
        /// After how many seconds the server wants to be asked again.
        retry_after: Option<u64>,
    },
    /// The answer is not what Vault answers.
    #[error("Vault's answer to {call} cannot be understood: {message}")]
    BadAnswer {
        /// The request.
        call: String,
        /// Why.
        message: String,
    },
}

fn message(errors: &[String]) -> String {
    if errors.is_empty() { "it gives no reason".into() } else { errors.join("; ").replace('\n', " ") }
}

impl VaultError {
    /// Whether asking again may help: the server is busy, not yet up to date, or between two leaders.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => matches!(status, 412 | 429 | 502 | 503 | 504),
            _ => false,
        }
    }
}

impl Explain for VaultError {
    fn kind(&self) -> Kind {
        match self {
            Self::Address { .. } => Kind::Invalid,
            Self::Tls { .. } => Kind::Usage,
            Self::Conflict { .. } => Kind::Failed,
            _ => Kind::Unreachable,
        }
    }

    fn help(&self) -> Vec<String> {
        let line = match self {
            Self::Unreachable { .. } => {
                "check the address (vaultUrl of the phalanx environment, or vault: of the file), the network and VAULT_CACERT"
            }
            Self::Untrusted { .. } => {
                "name the certificate authority of the server (a file in PEM) in VAULT_CACERT, and check the address"
            }
            Self::Unaccepted { .. } => {
                "name a certificate and its key (files in PEM) in VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"
            }
            Self::Sealed { .. } => "unseal it, then run the same command again",
            Self::Denied { .. } => {
                "Vault answers so, too, for a path that does not exist: check the token's policies and vaultPathPrefix"
            }
            Self::TokenExpired { .. } => {
                "give a new token in VAULT_TOKEN; what was written is kept, and the same command goes on"
            }
            Self::Conflict { .. } => "run the same command again",
            _ => return Vec::new(),
        };
        vec![line.into()]
    }
}
