//! The policies that phalanx gives an environment, byte for byte: its own `vault audit` compares the texts.

use crate::phalanx::{Checkout, PhalanxError, VaultPrefix};

/// A policy's name and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name in Vault.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Paths below mount and path, with their capabilities, in phalanx's order.
const READ: [(&str, &str); 2] = [("data/{}/+", r#""read""#), ("metadata/{}/+", r#""list", "read""#)];
const WRITE: [(&str, &str); 7] = [
    ("data/{}", r#""create", "delete", "read", "update""#),
    ("data/{}/+", r#""create", "delete", "read", "update""#),
    ("metadata/{}", r#""delete", "list", "read", "update""#),
    ("metadata/{}/+", r#""delete", "list", "read", "update""#),
    ("delete/{}/+", r#""update""#),
    ("destroy/{}/+", r#""update""#),
    ("undelete/{}/+", r#""update""#),
];

impl Policy {
    /// What the secrets operator may do: read. From the checkout's own template, where it has one.
    pub fn read(checkout: &Checkout, prefix: &VaultPrefix) -> Result<Self, PhalanxError> {
        Self::of(checkout, prefix, "read", &READ)
    }

    /// What the owner of the write token may do.
    pub fn write(checkout: &Checkout, prefix: &VaultPrefix) -> Result<Self, PhalanxError> {
        Self::of(checkout, prefix, "write", &WRITE)
    }

    fn of(
        checkout: &Checkout,
        prefix: &VaultPrefix,
        what: &str,
        stanzas: &[(&str, &str)],
    ) -> Result<Self, PhalanxError> {
        let template = checkout.tree().read(&format!("src/phalanx/data/vault-{what}-policy.hcl.jinja"))?;
        let text = match template {
            Some(template) => rendered(&String::from_utf8_lossy(&template), prefix),
            None => ours(stanzas, prefix),
        };
        Ok(Self { name: format!("{}/{what}", prefix.path), text })
    }
}

/// The only thing that these templates use of Jinja is two variables; it drops one newline at the end.
fn rendered(template: &str, prefix: &VaultPrefix) -> String {
    let text = template.strip_suffix('\n').unwrap_or(template);
    text.replace("{{ mount_point }}", &prefix.mount).replace("{{ path }}", &prefix.path)
}

fn ours(stanzas: &[(&str, &str)], prefix: &VaultPrefix) -> String {
    let stanza = |(path, capabilities): &(&str, &str)| {
        let path = path.replace("{}", &prefix.path);
        format!("path \"{}/{path}\" {{\n  capabilities = [{capabilities}]\n}}", prefix.mount)
    };
    stanzas.iter().map(stanza).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    fn prefix() -> VaultPrefix {
        VaultPrefix::parse("secret/phalanx/ukidacdev").unwrap()
    }

    #[test]
    fn the_texts_are_upstreams_to_the_byte() {
        let digest = |text: &str| (text.len(), hex::encode(Sha256::digest(text)));
        let read = ours(&READ, &prefix());
        assert_eq!(digest(&read), (149, "00b26815afa7146c577bb28d48da77e7c8500a7636689ae95674da6073d2fb77".into()));
        let write = ours(&WRITE, &prefix());
        assert_eq!(digest(&write), (617, "ddfce11c5b1b9861881461b2f5f95abedeb2dc66568cd06f5a4462087ab0a979".into()));
    }

    #[test]
    fn a_checkouts_own_template_wins() {
        let template = "path \"{{ mount_point }}/data/{{ path }}/+\" {\n  capabilities = [\"read\"]\n}\n";
        let expected = "path \"secret/data/phalanx/ukidacdev/+\" {\n  capabilities = [\"read\"]\n}";
        assert_eq!(rendered(template, &prefix()), expected);
    }
}
