//! Where the environment's Vault is and how we log in to it.

use super::site::Site;
use super::throw_away;
use crate::client::vault::{Login, Vault};
use crate::engine::Outlet;
use crate::environment::Cluster as Declared;
use crate::error::Failure;
use crate::phalanx::VaultPrefix;
use crate::process::Process;
use crate::secret_value::SecretValue;
use crate::secrets::{Means, Options, SecretsError, Session, StaticFile, StaticSource as _, VerifiedHashes};

/// An environment's place in Vault.
pub struct VaultPlace {
    /// The server.
    pub address: String,
    /// Below which path.
    pub prefix: VaultPrefix,
    /// The token of the sandbox's own Vault.
    sandbox_token: Option<SecretValue>,
}

impl VaultPlace {
    /// As the environment file says; else the sandbox's, when the cluster is that of a sandbox; else as phalanx says.
    /// Nothing while a sandbox that should have it is not up: phalanx's own Vault is not meant then.
    pub async fn find(site: &Site) -> Result<Option<Self>, Failure> {
        let declared = &site.loaded.environment.vault;
        let in_sandbox = matches!(site.loaded.environment.cluster, Some(Declared::Sandbox(_)));
        let sandbox = if in_sandbox && declared.address.is_none() {
            let Some(info) = site.running_sandbox()? else { return Ok(None) };
            Some(info)
        } else {
            None
        };
        let phalanx = &site.source().await?.environment;
        let prefix = match &declared.path_prefix {
            Some(text) => VaultPrefix::parse(text).ok_or_else(|| SecretsError::Prefix { text: text.clone() })?,
            None => phalanx.vault_prefix.clone(),
        };
        let token = sandbox.as_ref().and_then(|info| std::fs::read_to_string(&info.vault_token_file).ok());
        let sandbox_token = token.map(|token| SecretValue::new(token.trim()));
        let address = sandbox.map(|info| info.vault_address).or_else(|| declared.address.clone());
        Ok(Some(Self { address: address.unwrap_or_else(|| phalanx.vault_url.clone()), prefix, sandbox_token }))
    }

    /// A connection with our own login; `write_token` is the one of the static file.
    pub fn connect(
        &self,
        process: &Process,
        write_token: Option<&SecretValue>,
        outlet: &Outlet,
    ) -> Result<Vault, Failure> {
        let login = Login::from_process(process, &self.address, write_token.or(self.sandbox_token.as_ref()))?;
        let vault = Vault::connect(login, outlet.clone())?;
        vault.keep_token_alive();
        Ok(vault)
    }

    /// Reads the static secrets and Vault.
    pub async fn session(&self, site: &Site, options: Options) -> Result<Session, Failure> {
        let (source, process) = (site.source().await?, &site.process);
        // Working out what is required takes milliseconds, in which nobody else gets on: their questions go out first.
        tokio::task::yield_now().await;
        let statics = match &site.options.static_secrets {
            Some(path) => {
                let required = crate::secrets::required(&source.checkout, &source.environment, &options.exclude)?;
                Some(StaticFile::new(process.directory.join(path)).load(&required).await?)
            }
            None => None,
        };
        let write_token = statics.as_ref().and_then(|statics| statics.vault_write_token.clone());
        let means = Means {
            vault: self.connect(process, write_token.as_ref(), &site.run.outlet)?,
            prefix: self.prefix.clone(),
            verified: VerifiedHashes::open(process.cache()),
            now: process.now,
        };
        let mut session = Session::open(&source.checkout, &source.environment, statics, options, means).await?;
        if let Some(token) = &self.sandbox_token {
            throw_away::fill_in(&mut session, token);
        }
        Ok(session)
    }
}
