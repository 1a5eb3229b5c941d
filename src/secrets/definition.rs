//! One entry of `secrets.yaml`, as it is written.

use super::error::SecretsError;
use crate::phalanx::yaml::{Node, Position, YamlError};

/// An entry with all its conditions.
pub(super) struct Definition {
    /// Where the entry stands.
    pub position: Position,
    /// What the secret is for.
    pub description: Option<String>,
    /// When it is required at all.
    pub condition: Option<Condition>,
    /// From where it is copied.
    pub copy: Option<Conditional<CopyRule>>,
    /// How it is generated.
    pub generate: Option<Conditional<GenerateRule>>,
    /// Whether its copy in 1Password is encoded in base64.
    pub encoded: bool,
    /// Its fixed value; empty ones count as none.
    pub value: Option<String>,
}

/// A dotted path into the application's values.
#[derive(Clone)]
pub(super) struct Condition {
    /// Where it stands.
    pub position: Position,
    /// The path.
    pub path: String,
}

/// A rule that may have a condition of its own.
pub(super) struct Conditional<T> {
    /// The rule.
    pub rule: T,
    /// When it holds; always, when there is none.
    pub condition: Option<Condition>,
}

/// The secret to copy.
pub(super) struct CopyRule {
    pub application: String,
    pub key: String,
}

/// The generator and the key that it starts from.
pub(super) struct GenerateRule {
    pub kind: String,
    pub source: Option<String>,
}

/// The generators that need no other secret.
pub(super) const SIMPLE: [&str; 4] = ["password", "gafaelfawr-token", "fernet-key", "rsa-private-key"];
/// The generators that start from another key of the same application.
pub(super) const WITH_SOURCE: [&str; 2] = ["bcrypt-password-hash", "mtime"];
/// The generator that writes the OpenID Connect clients.
pub(super) const OIDC_CLIENTS: &str = "oidc-clients";

impl Definition {
    /// Reads and validates an entry; errors name file, line, application and key.
    pub(super) fn read(application: &str, key: &str, node: &Node) -> Result<Self, SecretsError> {
        let wrong = |error: YamlError| SecretsError::Definition {
            position: error.position,
            application: application.to_owned(),
            key: key.to_owned(),
            message: error.message,
        };
        let definition = Self::fields(node).map_err(wrong)?;
        definition.validate().map_err(|message| wrong(node.wrong(message)))?;
        Ok(definition)
    }

    fn fields(node: &Node) -> Result<Self, YamlError> {
        only(node, &["description", "if", "copy", "generate", "value", "onepassword"])?;
        let encoded =
            filled(node, "onepassword").and_then(|node| filled(node, "encoded")).map(Node::bool).transpose()?;
        Ok(Self {
            position: node.position.clone(),
            description: text(node, "description")?,
            condition: condition(node)?,
            copy: filled(node, "copy").map(copy).transpose()?,
            generate: filled(node, "generate").map(generate).transpose()?,
            encoded: encoded.unwrap_or(false),
            value: text(node, "value")?,
        })
    }

    fn validate(&self) -> Result<(), &'static str> {
        let copies = self.copy.as_ref().is_some_and(|copy| copy.condition.is_none());
        let generates = self.generate.as_ref().is_some_and(|generate| generate.condition.is_none());
        if self.description.is_none() && !copies {
            return Err("description is missing");
        }
        if copies && generates {
            return Err("copy and generate are both set without a condition");
        }
        if (copies || generates) && self.value.is_some() {
            return Err("value must not be set together with copy or generate");
        }
        Ok(())
    }
}

fn copy(node: &Node) -> Result<Conditional<CopyRule>, YamlError> {
    only(node, &["application", "key", "if"])?;
    let rule = CopyRule {
        application: node.require("application")?.text()?.to_owned(),
        key: node.require("key")?.text()?.to_owned(),
    };
    Ok(Conditional { rule, condition: condition(node)? })
}

fn generate(node: &Node) -> Result<Conditional<GenerateRule>, YamlError> {
    only(node, &["type", "source", "if"])?;
    let kind = node.require("type")?;
    let kind_text = kind.text()?;
    let source = match node.get("source") {
        Some(source) if WITH_SOURCE.contains(&kind_text) => Some(source.text()?.to_owned()),
        Some(source) => return Err(source.wrong(format!("source means nothing for a secret of type {kind_text}"))),
        None if WITH_SOURCE.contains(&kind_text) => return Err(node.wrong("source is missing")),
        None if SIMPLE.contains(&kind_text) || kind_text == OIDC_CLIENTS => None,
        None => return Err(kind.wrong(format!("there is no generator {kind_text:?}"))),
    };
    Ok(Conditional { rule: GenerateRule { kind: kind_text.to_owned(), source }, condition: condition(node)? })
}

fn condition(node: &Node) -> Result<Option<Condition>, YamlError> {
    let Some(path) = filled(node, "if") else { return Ok(None) };
    let text = path.text()?.to_owned();
    Ok((!text.is_empty()).then(|| Condition { position: path.position.clone(), path: text }))
}

/// A field that is there and not null.
fn filled<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    node.get(name).filter(|node| !node.is_null())
}

/// A text that is there and not empty.
fn text(node: &Node, name: &str) -> Result<Option<String>, YamlError> {
    let text = filled(node, name).map(Node::text).transpose()?;
    Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
}

/// Refuses fields that phalanx does not know: mostly a misspelt one.
pub(super) fn only(node: &Node, known: &[&str]) -> Result<(), YamlError> {
    for (key, _) in node.entries()? {
        if !known.contains(&key.name.as_str()) {
            let near = similar::get_close_matches(key.name.as_str(), known, 1, 0.6);
            let hint = near.first().map_or_else(|| known.join(", "), |near| format!("did you mean {near}?"));
            let message = format!("unknown field {} ({hint})", key.name);
            return Err(YamlError { position: key.position.clone(), message });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phalanx::yaml;

    fn read(text: &str) -> Result<Definition, String> {
        let node = yaml::read("applications/a/secrets.yaml", text.as_bytes()).unwrap();
        Definition::read("a", "k", &node).map_err(|error| error.to_string())
    }

    #[test]
    fn mistakes_name_file_line_application_and_key() {
        for (text, expected) in [
            (
                "description: x\ngenrate: {type: password}\n",
                "2:1: secret a/k: unknown field genrate (did you mean generate?)",
            ),
            ("generate: {type: password}\n", "1:1: secret a/k: description is missing"),
            (
                "copy: {application: b, key: k}\ngenerate: {type: password}\n",
                "1:1: secret a/k: copy and generate are both set",
            ),
            (
                "description: x\nvalue: y\ngenerate: {type: password}\n",
                "1:1: secret a/k: value must not be set together",
            ),
            ("description: x\nvalue: 7\n", "2:8: secret a/k: expected a text, found a number: put it in quotes"),
            ("description: x\ngenerate: {type: pasword}\n", "2:18: secret a/k: there is no generator \"pasword\""),
            ("description: x\ngenerate: {type: mtime}\n", "2:11: secret a/k: source is missing"),
            ("description: x\ngenerate: {type: password, source: y}\n", "2:36: secret a/k: source means nothing"),
            ("copy: {application: b}\n", "1:7: secret a/k: key is missing"),
            ("- 1\n", "1:1: secret a/k: expected a map, found a list"),
        ] {
            let error = read(text).err().unwrap_or_default();
            assert!(error.starts_with(&format!("applications/a/secrets.yaml:{expected}")), "{text}: {error}");
        }
    }

    #[test]
    fn conditions_may_stand_at_three_places() {
        let read =
            read("description: x\nif: a.b\ncopy: {application: b, key: k, if: c}\ngenerate: {type: password, if: d}\n")
                .unwrap();
        assert_eq!(read.condition.unwrap().path, "a.b");
        assert_eq!(read.copy.unwrap().condition.unwrap().path, "c");
        assert_eq!(read.generate.unwrap().condition.unwrap().path, "d");
    }
}
