//! YAML as phalanx's own tools read it: YAML 1.1 scalars, anchors, merge keys; every node knows where it stands.
//!
//! The syntax is read by a library; which plain scalar is a boolean, a number or null follows PyYAML, because phalanx's
//! conditions are evaluated on what PyYAML reads. (Libraries at hand take `n` for a boolean, which PyYAML does not, or
//! do not know `yes`.) Values are wiped from memory, because files of static secrets come through here.

mod reader;
mod scalar;

pub use reader::read;

use serde_json::Value;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file, relative to the root of the checkout.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Something in a YAML file is wrong. The message never repeats a value: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {message}")]
pub struct YamlError {
    /// Where.
    pub position: Position,
    /// What.
    pub message: String,
}

/// A value and its place. No `Debug`: it may be a secret.
#[derive(Clone)]
pub struct Node {
    /// Where it stands.
    pub position: Position,
    /// What it is.
    pub content: Content,
}

/// A key of a mapping. Keys that are no text are taken as the text of their value, as Helm does.
#[derive(Debug, Clone)]
pub struct Key {
    /// Where it stands.
    pub position: Position,
    /// Its text.
    pub name: String,
}

/// What a node is.
#[derive(Clone)]
pub enum Content {
    /// Null, or nothing at all.
    Null,
    /// A YAML 1.1 boolean.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text.
    Text(Zeroizing<String>),
    /// A list.
    Sequence(Vec<Node>),
    /// A map, in the order of the file, merge keys resolved.
    Mapping(Vec<(Key, Node)>),
}

impl Node {
    /// An error that points here.
    pub fn wrong(&self, message: impl Into<String>) -> YamlError {
        YamlError { position: self.position.clone(), message: message.into() }
    }

    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self.content {
            Content::Null => "null",
            Content::Bool(_) => "a boolean",
            Content::Number(_) => "a number",
            Content::Text(_) => "a text",
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a map",
        }
    }

    /// The entries of a map; null counts as an empty one.
    pub fn entries(&self) -> Result<&[(Key, Node)], YamlError> {
        match &self.content {
            Content::Mapping(entries) => Ok(entries),
            Content::Null => Ok(&[]),
            _ => Err(self.wrong(format!("expected a map, found {}", self.kind()))),
        }
    }

    /// The items of a list; null counts as an empty one.
    pub fn items(&self) -> Result<&[Node], YamlError> {
        match &self.content {
            Content::Sequence(items) => Ok(items),
            Content::Null => Ok(&[]),
            _ => Err(self.wrong(format!("expected a list, found {}", self.kind()))),
        }
    }

    /// The value of a key, when this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Node> {
        let Content::Mapping(entries) = &self.content else { return None };
        entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The value of a key that must be there.
    pub fn require(&self, name: &str) -> Result<&Node, YamlError> {
        let entries = self.entries()?;
        self.get(name).ok_or_else(|| {
            let keys: Vec<_> = entries.iter().map(|(key, _)| key.name.as_str()).collect();
            match similar::get_close_matches(name, &keys, 1, 0.7).first() {
                Some(near) => self.wrong(format!("{name} is missing (there is {near})")),
                None => self.wrong(format!("{name} is missing")),
            }
        })
    }

    /// A text that must be one: unquoted numbers and booleans are refused.
    pub fn text(&self) -> Result<&str, YamlError> {
        match &self.content {
            Content::Text(text) => Ok(text),
            Content::Number(_) | Content::Bool(_) => {
                Err(self.wrong(format!("expected a text, found {}: put it in quotes", self.kind())))
            }
            _ => Err(self.wrong(format!("expected a text, found {}", self.kind()))),
        }
    }

    /// A text, or a number or boolean as text: for versions and the like, where people forget the quotes.
    pub fn scalar_text(&self) -> Result<String, YamlError> {
        match &self.content {
            Content::Text(text) => Ok(text.to_string()),
            Content::Number(number) => Ok(number.to_string()),
            Content::Bool(value) => Ok(value.to_string()),
            _ => Err(self.wrong(format!("expected a text, found {}", self.kind()))),
        }
    }

    /// A boolean that must be one.
    pub fn bool(&self) -> Result<bool, YamlError> {
        match self.content {
            Content::Bool(value) => Ok(value),
            _ => Err(self.wrong(format!("expected true or false, found {}", self.kind()))),
        }
    }

    /// Whether there is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    /// Python's idea of truth: false, null, zero and everything empty are false; the text "false" is true.
    pub fn is_truthy(&self) -> bool {
        match &self.content {
            Content::Null => false,
            Content::Bool(value) => *value,
            Content::Number(number) => number.as_f64() != Some(0.0),
            Content::Text(text) => !text.is_empty(),
            Content::Sequence(items) => !items.is_empty(),
            Content::Mapping(entries) => !entries.is_empty(),
        }
    }

    /// This with `over` laid over it: maps are merged, everything else is replaced (a null stays a null).
    #[must_use]
    pub fn overlaid(self, over: Node) -> Node {
        let Node { position, content } = self;
        match (content, over.content) {
            (Content::Mapping(mut entries), Content::Mapping(others)) => {
                for (key, node) in others {
                    match entries.iter_mut().find(|(known, _)| known.name == key.name) {
                        Some((_, below)) => {
                            let base =
                                std::mem::replace(below, Node { position: key.position, content: Content::Null });
                            *below = base.overlaid(node);
                        }
                        None => entries.push((key, node)),
                    }
                }
                Node { position, content: Content::Mapping(entries) }
            }
            (_, content) => Node { position: over.position, content },
        }
    }

    /// The same as JSON, without the places.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.to_string()),
            Content::Sequence(items) => items.iter().map(Node::to_value).collect(),
            Content::Mapping(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.name.clone(), node.to_value())).collect())
            }
        }
    }
}
