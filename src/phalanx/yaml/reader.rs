//! From events to nodes: anchors, aliases, merge keys, duplicate keys.

use super::{Content, Key, Node, Position, YamlError, scalar};
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The nodes that one file may grow to when its aliases are followed: phalanx's largest has some thousands.
const MOST_NODES: usize = 1_000_000;

/// Reads the only document of a file; an empty file is null.
pub fn read(file: &str, bytes: &[u8]) -> Result<Node, YamlError> {
    let file: Arc<str> = file.into();
    let start = Position { file: Arc::clone(&file), line: 1, column: 1 };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(YamlError { position: start, message: "the file is not UTF-8 text".into() });
    };
    let mut reader = Reader { file, events: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(Node { position: start, content: Content::Null }),
            Event::StreamStart | Event::DocumentStart(..) => {}
            event => {
                let root = reader.node(event, &span)?;
                reader.end()?;
                return Ok(root);
            }
        }
    }
}

struct Reader<'a> {
    file: Arc<str>,
    events: Parser<'a, StrInput<'a>>,
    /// Whole nodes by the number of their anchor, with how many nodes they are.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn position(&self, marker: &Marker) -> Position {
        Position { file: Arc::clone(&self.file), line: marker.line(), column: marker.col() + 1 }
    }

    fn wrong(&self, marker: &Marker, message: impl Into<String>) -> YamlError {
        YamlError { position: self.position(marker), message: message.into() }
    }

    /// The next event that is no comment.
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        loop {
            match self.events.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(event)) => return Ok(event),
                Some(Err(error)) => return Err(self.wrong(error.marker(), error.info())),
                None => return Err(self.wrong(&Marker::new(0, 1, 0), "the file ends too early")),
            }
        }
    }

    /// Nothing but the end may follow the document.
    fn end(&mut self) -> Result<(), YamlError> {
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, span) => return Err(self.wrong(&span.start, "a second document begins here; one is expected")),
            }
        }
    }

    /// The node that begins with this event.
    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, YamlError> {
        let before = self.nodes;
        self.nodes += 1;
        let position = self.position(&span.start);
        let (content, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (self.scalar(text, style, tag.as_deref(), span)?, anchor),
            Event::SequenceStart(_, anchor, _) => (self.sequence()?, anchor),
            Event::MappingStart(_, anchor, _) => (self.mapping()?, anchor),
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => return Err(self.wrong(&span.start, "expected a value")),
        };
        let node = Node { position, content };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Result<Node, YamlError> {
        let Some((node, nodes)) = self.anchors.get(&anchor) else {
            return Err(self.wrong(&span.start, "an alias inside its own anchor"));
        };
        let (node, nodes) = (node.clone(), *nodes);
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            return Err(self.wrong(&span.start, format!("the aliases make more than {MOST_NODES} values of this file")));
        }
        Ok(node)
    }

    fn scalar(
        &self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<Content, YamlError> {
        let plain = style == ScalarStyle::Plain;
        match tag {
            None if plain => Ok(scalar::resolve(&text)),
            Some(tag) if ["null", "bool", "int", "float"].iter().any(|kind| tag.is_yaml_core_schema_tag(kind)) => {
                Ok(scalar::resolve(&text))
            }
            Some(tag) if tag.to_string() == "tag:yaml.org,2002:binary" => {
                Err(self.wrong(&span.start, "base64 (the tag !!binary) is not read here: write the text itself"))
            }
            Some(tag) if !tag.is_yaml_core_schema_tag("str") && tag.to_string() != "!" => {
                Err(self.wrong(&span.start, format!("the tag {tag} means nothing here")))
            }
            _ => Ok(Content::Text(Zeroizing::new(text.into_owned()))),
        }
    }

    fn sequence(&mut self) -> Result<Content, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::Sequence(items)),
                (event, span) => items.push(self.node(event, &span)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Content, YamlError> {
        let (mut own, mut below) = (Vec::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Content::Mapping(with_merged(own, below)));
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.key(event, &span)?;
            let (event, span) = self.next()?;
            let node = self.node(event, &span)?;
            if merges {
                merge_sources(node, &mut below)?;
            } else if let Some((first, _)) = own.iter().find(|(known, _): &&(Key, Node)| known.name == key.name) {
                let message = format!("the key {} is already there in line {}", key.name, first.position.line);
                return Err(YamlError { position: key.position, message });
            } else {
                own.push((key, node));
            }
        }
    }

    fn key(&mut self, event: Event<'a>, span: &Span) -> Result<Key, YamlError> {
        let node = self.node(event, span)?;
        let name = match &node.content {
            Content::Null => String::from("null"),
            Content::Sequence(_) | Content::Mapping(_) => return Err(node.wrong("a key must be a text")),
            _ => node.scalar_text()?,
        };
        Ok(Key { position: node.position, name })
    }
}

/// What a `<<` brings, the least important first: of several `<<` the later wins, in a list of maps the earlier.
fn merge_sources(node: Node, merged: &mut Vec<(Key, Node)>) -> Result<(), YamlError> {
    match node.content {
        Content::Mapping(entries) => merged.extend(entries),
        Content::Sequence(items) => {
            for item in items.into_iter().rev() {
                let Content::Mapping(entries) = item.content else {
                    return Err(item.wrong("only maps can be merged"));
                };
                merged.extend(entries);
            }
        }
        _ => return Err(node.wrong("only maps can be merged")),
    }
    Ok(())
}

/// A map's own entries over the merged ones.
fn with_merged(own: Vec<(Key, Node)>, merged: Vec<(Key, Node)>) -> Vec<(Key, Node)> {
    let mut all: Vec<(Key, Node)> = Vec::new();
    for (key, node) in merged.into_iter().chain(own) {
        match all.iter_mut().find(|(known, _)| known.name == key.name) {
            Some(known) => *known = (key, node),
            None => all.push((key, node)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn json(text: &str) -> String {
        read("x.yaml", text.as_bytes()).map_or_else(|error| error.to_string(), |node| node.to_value().to_string())
    }

    #[test]
    fn merge_keys_follow_pyyaml_two_of_them_included() {
        let text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: *a, <<: *b, z: 3}\nd: {<<: [*a, *b]}\n";
        let value = read("x.yaml", text.as_bytes()).unwrap().to_value();
        assert_eq!(value["c"].to_string(), r#"{"x":1,"y":2,"z":3}"#);
        assert_eq!(value["d"]["y"], 1);
    }

    #[test]
    fn quoted_and_tagged_scalars_are_texts() {
        let text = "- \"yes\"\n- 'no'\n- !!str 1\n- !!int \"7\"\n- |\n block\n- ! 1\n";
        assert_eq!(json(text), r#"["yes","no","1",7,"block\n","1"]"#);
    }

    #[test]
    fn an_empty_file_and_a_file_of_comments_are_null() {
        assert_eq!(json(""), "null");
        assert_eq!(json("# nothing\n"), "null");
        assert_eq!(json("---\n"), "null");
    }

    #[test]
    fn mistakes_name_file_line_and_column() {
        assert_eq!(json("a: 1\na: 2\n"), "x.yaml:2:1: the key a is already there in line 1");
        assert_eq!(json("a: [1,\n"), "x.yaml:1:4: unclosed bracket '['");
        assert!(json("a: *b\n").starts_with("x.yaml:1:4: "), "{}", json("a: *b\n"));
        assert_eq!(json("a: !secret x\n"), "x.yaml:1:12: the tag !secret means nothing here");
        let base64 = "x.yaml:1:13: base64 (the tag !!binary) is not read here: write the text itself";
        assert_eq!(json("a: !!binary '@@'\n"), base64);
        assert_eq!(json("a: 1\n---\nb: 2\n"), "x.yaml:2:1: a second document begins here; one is expected");
        assert_eq!(json("<<: 1\n"), "x.yaml:1:5: only maps can be merged");
        assert_eq!(json("&a [*a]\n"), "x.yaml:1:5: an alias inside its own anchor");
        assert!(read("x.yaml", b"\xff").is_err());
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let before = vec![format!("*a{}", level - 1); 10].join(", ");
            let _ = writeln!(text, "a{level}: &a{level} [{before}]");
        }
        assert!(json(&text).contains("the aliases make more than"));
    }
}
