//! Who we are to Vault, from the variables and files that its own client uses.

use super::error::VaultError;
use crate::error::{Explain, Kind};
use crate::process::{Process, ProcessError};
use crate::secret_value::SecretValue;
use reqwest::{Certificate, Identity, Url};
use std::time::Duration;
use zeroize::Zeroizing;

/// Everything that a connection needs.
pub struct Login {
    pub(super) address: Url,
    pub(super) namespace: Option<String>,
    pub(super) token: SecretValue,
    authorities: Vec<Certificate>,
    identity: Option<Identity>,
}

/// There is no token.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Nobody gave one.
    #[error("there is no token for Vault")]
    NoToken,
    /// A file that a variable names cannot be read.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The address or a certificate is wrong.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl Explain for LoginError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoToken => Kind::Usage,
            Self::Process(error) => error.kind(),
            Self::Vault(error) => error.kind(),
        }
    }

    fn help(&self) -> Vec<String> {
        match self {
            Self::NoToken => {
                vec!["set VAULT_TOKEN or VAULT_TOKEN_FILE, log in with `vault login`, or give vault-write-token in the static file".into()]
            }
            Self::Process(error) => error.help(),
            Self::Vault(error) => error.help(),
        }
    }
}

impl Login {
    /// `VAULT_TOKEN` (or `_FILE`), else `otherwise`, else `~/.vault-token`; `VAULT_CACERT`, `VAULT_CLIENT_CERT` and
    /// `VAULT_CLIENT_KEY`, `VAULT_NAMESPACE`. The address is given: phalanx's is in the environment's values.
    pub fn from_process(process: &Process, address: &str, otherwise: Option<&SecretValue>) -> Result<Self, LoginError> {
        let token = match process.credential("VAULT_TOKEN")? {
            Some(token) => Some(token),
            None => otherwise.cloned().or_else(|| token_helper(process)),
        };
        let token = token.filter(|token| !token.is_empty()).ok_or(LoginError::NoToken)?;
        Self::for_process(process, address, token)
    }

    /// The same with a token that was found already.
    pub fn for_process(process: &Process, address: &str, token: SecretValue) -> Result<Self, LoginError> {
        let mut login = Self::with_token(address, token)?;
        login.namespace = process.variable("VAULT_NAMESPACE").map(|name| name.trim_matches('/').to_owned());
        if let Some(path) = process.variable("VAULT_CACERT") {
            login.authorities = Certificate::from_pem_bundle(&read("VAULT_CACERT", path)?)
                .map_err(|error| tls("VAULT_CACERT", path, &error))?;
        }
        if let Some(path) = process.variable("VAULT_CLIENT_CERT") {
            let key_path = process.variable("VAULT_CLIENT_KEY").unwrap_or(path);
            let mut pem = read("VAULT_CLIENT_KEY", key_path)?;
            if key_path != path {
                pem.extend_from_slice(&read("VAULT_CLIENT_CERT", path)?);
            }
            login.identity = Some(Identity::from_pem(&pem).map_err(|error| tls("VAULT_CLIENT_CERT", path, &error))?);
        }
        Ok(login)
    }

    /// This token at this server, and nothing else.
    pub fn with_token(address: &str, token: SecretValue) -> Result<Self, VaultError> {
        let wrong = || VaultError::Address { address: address.to_owned() };
        let address: Url = address.parse().map_err(|_| wrong())?;
        if !matches!(address.scheme(), "http" | "https") || address.host().is_none() {
            return Err(wrong());
        }
        Ok(Self { address, namespace: None, token, authorities: Vec::new(), identity: None })
    }

    pub(super) fn client(&self) -> Result<reqwest::Client, VaultError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("rsp-install/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_mins(1));
        builder = if self.address.scheme() == "http" {
            // Without encryption there is no need to load the system's certificates, which takes tens of milliseconds.
            builder.tls_certs_only(Vec::new())
        } else {
            builder.tls_certs_merge(self.authorities.clone())
        };
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        builder.build().map_err(|error| VaultError::Unreachable {
            address: self.address.to_string(),
            call: "connect".into(),
            message: error.to_string(),
        })
    }
}

/// The token that `vault login` left.
fn token_helper(process: &Process) -> Option<SecretValue> {
    let text = std::fs::read_to_string(process.home()?.join(".vault-token")).map(Zeroizing::new).ok()?;
    Some(SecretValue::new(text.trim()))
}

fn read(variable: &'static str, path: &str) -> Result<Vec<u8>, VaultError> {
    std::fs::read(path).map_err(|error| tls(variable, path, &error))
}

fn tls(variable: &'static str, path: &str, error: &dyn std::fmt::Display) -> VaultError {
    VaultError::Tls { variable, path: path.to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_comes_from_the_environment_the_static_file_or_the_home_directory() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap();
        let process = |variables: &[(&str, &str)]| Process::given(variables);
        let token = |process: &Process, other: Option<&SecretValue>| {
            Login::from_process(process, "http://127.0.0.1:1", other).map(|login| login.token.expose().to_owned())
        };
        let other = SecretValue::new("static");
        assert!(matches!(token(&process(&[("HOME", path)]), None), Err(LoginError::NoToken)));
        std::fs::write(home.path().join(".vault-token"), "helper\n").unwrap();
        assert_eq!(token(&process(&[("HOME", path)]), None).unwrap(), "helper");
        assert_eq!(token(&process(&[("HOME", path)]), Some(&other)).unwrap(), "static");
        assert_eq!(token(&process(&[("HOME", path), ("VAULT_TOKEN", "env")]), Some(&other)).unwrap(), "env");
    }

    #[test]
    fn an_address_without_scheme_is_refused() {
        for address in ["vault.example.org", "ftp://x", ""] {
            assert!(Login::with_token(address, SecretValue::new("t")).is_err(), "{address}");
        }
    }
}
