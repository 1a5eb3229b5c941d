//! The file of static secrets, in the format of phalanx's own tool.
//!
//! One thing more than there: instead of `value: text`, an entry may say `file: path` (relative to the file), which is
//! easier for certificates and keys. Unquoted numbers and booleans are refused, as there.

use super::definition::only;
use super::error::SecretsError;
use super::name::SecretName;
use super::required::RequiredSecret;
use super::statics::{OidcClient, Registry, StaticSecrets, StaticSource};
use crate::phalanx::yaml::{self, Node, YamlError};
use crate::secret_value::SecretValue;
use futures::future::BoxFuture;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file of static secrets.
#[derive(Debug, Clone)]
pub struct StaticFile(PathBuf);

impl StaticFile {
    /// The file at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Reads it whole.
    pub fn read(&self) -> Result<StaticSecrets, SecretsError> {
        let bytes = read_file(&self.0, None)?;
        let root = yaml::read(&self.0.display().to_string(), &bytes)?;
        if root.is_null() {
            return Err(root.wrong("the file is empty").into());
        }
        only(
            &root,
            &[
                "applications",
                "oidc-clients",
                "oidc_clients",
                "pull-secret",
                "pull_secret",
                "vault-write-token",
                "vault_write_token",
            ],
        )?;
        let mut secrets = StaticSecrets::default();
        for (application, keys) in section(&root, "applications").map_or(Ok(&[][..]), Node::entries)? {
            for (key, node) in keys.entries()? {
                let name = SecretName::new(&application.name, &key.name);
                if let Some(value) = self.value(&name, node)? {
                    secrets.values.insert(name, value);
                }
            }
        }
        for (label, node) in section(&root, "oidc-clients").map_or(Ok(&[][..]), Node::entries)? {
            secrets.oidc_clients.insert(label.name.clone(), oidc_client(node)?);
        }
        if let Some(node) = section(&root, "pull-secret") {
            only(node, &["description", "registries"])?;
            for (host, node) in node.get("registries").map_or(Ok(&[][..]), Node::entries)? {
                secrets.registries.push((host.name.clone(), registry(node)?));
            }
        }
        secrets.vault_write_token =
            section(&root, "vault-write-token").map(secret).transpose()?.filter(|v| !v.is_empty());
        Ok(secrets)
    }

    /// One entry: `value`, or the content of `file`; nothing while it is unknown.
    fn value(&self, name: &SecretName, node: &Node) -> Result<Option<SecretValue>, SecretsError> {
        let wrong = |error| SecretsError::StaticValue { name: name.clone(), error };
        only(node, &["description", "warning", "value", "file"]).map_err(wrong)?;
        let value = node.get("value").filter(|node| !node.is_null());
        let file = node.get("file").filter(|node| !node.is_null());
        let value = match (value, file) {
            (Some(_), Some(file)) => return Err(wrong(file.wrong("value and file are both given"))),
            (Some(value), None) => secret(value).map_err(wrong)?,
            (None, Some(file)) => {
                let path = self.0.parent().unwrap_or(Path::new("")).join(file.text().map_err(wrong)?);
                let bytes = read_file(&path, Some(name))?;
                let no_text = |_| wrong(file.wrong(format!("{} is no UTF-8 text", path.display())));
                std::str::from_utf8(&bytes).map(SecretValue::new).map_err(no_text)?
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(value).filter(|value| !value.is_empty()))
    }
}

impl StaticSource for StaticFile {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn load<'a>(&'a self, _required: &'a [RequiredSecret]) -> BoxFuture<'a, Result<StaticSecrets, SecretsError>> {
        Box::pin(async { self.read() })
    }
}

fn read_file(path: &Path, what: Option<&SecretName>) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
    std::fs::read(path).map(Zeroizing::new).map_err(|source| SecretsError::Unreadable {
        path: path.to_owned(),
        what: what.cloned(),
        source,
    })
}

/// A section by its name, with dashes or underscores.
fn section<'a>(root: &'a Node, name: &str) -> Option<&'a Node> {
    root.get(name).or_else(|| root.get(&name.replace('-', "_"))).filter(|node| !node.is_null())
}

fn secret(node: &Node) -> Result<SecretValue, YamlError> {
    node.text().map(SecretValue::new)
}

fn oidc_client(node: &Node) -> Result<OidcClient, YamlError> {
    only(node, &["id", "secret", "return_uri"])?;
    let field = |name| node.require(name).and_then(secret);
    Ok(OidcClient { id: field("id")?, secret: field("secret")?, return_uri: field("return_uri")? })
}

fn registry(node: &Node) -> Result<Registry, YamlError> {
    only(node, &["username", "password"])?;
    let field = |name| node.require(name).and_then(secret);
    Ok(Registry { username: field("username")?, password: field("password")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StaticSecrets, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tls.crt"), "PEM\n").unwrap();
        std::fs::write(folder.path().join("s.yaml"), text).unwrap();
        StaticFile::new(folder.path().join("s.yaml"))
            .read()
            .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    #[test]
    fn values_come_from_the_entry_or_from_the_file_that_it_names() {
        let text = "applications:\n  a:\n    k: {description: x, warning: y, value: \"7\"}\n    n: {value: null}\n    e: {value: \"\"}\n\
                    \x20 ingress-nginx:\n    tls.crt: {file: tls.crt}\noidc-clients:\n  b: {id: \"1\", secret: s, return_uri: r}\n\
                    pull_secret: {registries: {ghcr.io: {username: u, password: pw}}}\nvault-write-token: t\n";
        let secrets = read(text).unwrap();
        let value = |application: &str, key: &str| {
            secrets.values.get(&SecretName::new(application, key)).map(SecretValue::expose)
        };
        assert_eq!((value("a", "k"), value("ingress-nginx", "tls.crt")), (Some("7"), Some("PEM\n")));
        assert_eq!((value("a", "n"), value("a", "e"), secrets.values.len()), (None, None, 2));
        assert_eq!(secrets.registries[0].1.password.expose(), "pw");
        assert_eq!(secrets.vault_write_token.unwrap().expose(), "t");
    }

    #[test]
    fn mistakes_are_pointed_at_and_never_repeat_a_value() {
        for (text, expected) in [
            (
                "applications: {a: {k: {value: 4711}}}\n",
                "s.yaml:1:31: secret a/k: expected a text, found a number: put it in quotes",
            ),
            (
                "applications: {a: {k: {value: yes}}}\n",
                "s.yaml:1:31: secret a/k: expected a text, found a boolean: put it in quotes",
            ),
            ("applications: {a: {k: canary}}\n", "s.yaml:1:23: secret a/k: expected a map, found a text"),
            (
                "applications: {a: {k: {value: !!binary 'no base64'}}}\n",
                "s.yaml:1:40: base64 (the tag !!binary) is not read here: write the text itself",
            ),
            ("aplications: {}\n", "s.yaml:1:1: unknown field aplications (did you mean applications?)"),
            ("oidc-clients: {a: {id: x, secret: y}}\n", "s.yaml:1:19: return_uri is missing"),
            ("applications: {a: {k: {value: x, file: y}}}\n", "s.yaml:1:40: secret a/k: value and file are both given"),
            ("applications: {a: {k: {file: none}}}\n", "cannot read none for secret a/k"),
            ("", "s.yaml:1:1: the file is empty"),
            ("a: [canary\n", "s.yaml:1:4: unclosed bracket '['"),
        ] {
            let error = read(text).err().unwrap_or_default();
            assert_eq!(error, expected, "{text}");
            assert!(!error.contains("canary") && !error.contains("4711"));
        }
        assert!(
            read("oidc-clients: {a: {id: x, secret: y, return_uri: z, more: 1}}\n")
                .unwrap_err()
                .contains("unknown field more")
        );
    }
}
