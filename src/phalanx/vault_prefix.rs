//! Where an environment's secrets lie in Vault.

/// `vaultPathPrefix` taken apart: the text before the first slash is the mount of a KV v2 engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPrefix {
    /// The mount, for example `secret` or `kv-v2`.
    pub mount: String,
    /// The path below it, for example `phalanx/idfdev`.
    pub path: String,
}

impl VaultPrefix {
    /// Takes `secret/phalanx/idfdev` apart; nothing when a part is empty.
    pub fn parse(text: &str) -> Option<Self> {
        let (mount, path) = text.trim_end_matches('/').split_once('/')?;
        let whole = !mount.is_empty() && path.split('/').all(|part| !part.is_empty());
        whole.then(|| Self { mount: mount.to_owned(), path: path.to_owned() })
    }

    /// The last part of the path: phalanx's name for the AppRole.
    pub fn last(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

impl std::fmt::Display for VaultPrefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.mount, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_mount_and_a_path() {
        let prefix = VaultPrefix::parse("kv-v2/k8s_operator/roe").unwrap();
        assert_eq!((prefix.mount.as_str(), prefix.path.as_str(), prefix.last()), ("kv-v2", "k8s_operator/roe", "roe"));
        assert_eq!(prefix.to_string(), "kv-v2/k8s_operator/roe");
        for wrong in ["", "secret", "secret/", "/phalanx/x", "secret//x"] {
            assert_eq!(VaultPrefix::parse(wrong), None, "{wrong}");
        }
    }
}
