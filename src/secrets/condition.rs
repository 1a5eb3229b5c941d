//! Conditions: a dotted path into an application's own values, and Python's idea of truth.

use super::definition::Condition;
use super::error::SecretsError;
use crate::phalanx::yaml::{Content, Node};

impl Condition {
    /// Whether the setting is there and true. A path through a text, number, boolean or null is a mistake in the
    /// definition or in the values: upstream's tool crashes there or finds letters in a text.
    pub(super) fn holds(&self, application: &str, key: &str, values: &Node) -> Result<bool, SecretsError> {
        let mut node = values;
        let mut walked = "";
        for part in self.path.split('.') {
            match &node.content {
                Content::Mapping(_) => {}
                Content::Sequence(_) => return Ok(false),
                // The values of an application may be an empty file.
                Content::Null if walked.is_empty() => return Ok(false),
                _ => return Err(self.through(application, key, node, walked)),
            }
            let Some(next) = node.get(part) else { return Ok(false) };
            node = next;
            walked = part;
        }
        Ok(node.is_truthy())
    }

    fn through(&self, application: &str, key: &str, node: &Node, walked: &str) -> SecretsError {
        let message =
            format!("the condition {} goes through {walked}, which is {} in {}", self.path, node.kind(), node.position);
        let (application, key) = (application.to_owned(), key.to_owned());
        SecretsError::Definition { position: self.position.clone(), application, key, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phalanx::yaml::{self, Position};

    fn holds(values: &str, path: &str) -> Result<bool, String> {
        let position = Position { file: "s.yaml".into(), line: 3, column: 7 };
        let values = yaml::read("v.yaml", values.as_bytes()).unwrap();
        let condition = Condition { position, path: path.to_owned() };
        condition.holds("app", "key", &values).map_err(|error| error.to_string())
    }

    #[test]
    fn truth_is_pythons() {
        for (value, expected) in [
            ("true", true),
            ("yes", true),
            ("\"false\"", true),
            ("\"\"", false),
            ("0", false),
            ("0.0", false),
            ("1", true),
            ("null", false),
            ("~", false),
            ("[]", false),
            ("[0]", true),
            ("{}", false),
            ("{a: 0}", true),
            ("off", false),
            ("n", true),
            ("0x0", false),
            ("-1", true),
        ] {
            assert_eq!(holds(&format!("a: {{b: {value}}}"), "a.b"), Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_is_not_there_is_false() {
        assert_eq!(holds("a: {}", "a.b.c"), Ok(false));
        assert_eq!(holds("", "a.b"), Ok(false));
        assert_eq!(holds("a: [b]", "a.b"), Ok(false));
    }

    #[test]
    fn a_condition_through_a_scalar_is_a_mistake_with_both_places() {
        for value in ["text", "7", "true", "null"] {
            let error = holds(&format!("x: 1\na: {value}"), "a.b").unwrap_err();
            assert!(
                error.starts_with("s.yaml:3:7: secret app/key: the condition a.b goes through a, which is "),
                "{error}"
            );
            assert!(error.ends_with("in v.yaml:2:4"), "{error}");
        }
    }
}
