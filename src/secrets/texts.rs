//! The two structured values, to the byte as Python's `json.dumps` writes them: phalanx compares the texts.

use super::statics::{OidcClient, Registry};
use crate::secret_value::SecretValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// The OpenID Connect clients as Gafaelfawr reads them, ordered by their labels.
pub(super) fn oidc_clients(clients: &BTreeMap<String, OidcClient>) -> SecretValue {
    let mut text = Zeroizing::new(String::from("["));
    for (index, client) in clients.values().enumerate() {
        text.push_str(if index == 0 { "{" } else { ", {" });
        fields(&mut text, &[("id", &client.id), ("secret", &client.secret), ("return_uri", &client.return_uri)]);
        text.push('}');
    }
    text.push(']');
    SecretValue::new(text.as_str())
}

/// The registries as Docker reads them, in the order in which they were given.
pub(super) fn docker_config(registries: &[(String, Registry)]) -> SecretValue {
    let mut text = Zeroizing::new(String::from(r#"{"auths": {"#));
    for (index, (host, registry)) in registries.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        string(&mut text, host);
        text.push_str(": {");
        let pair = Zeroizing::new(format!("{}:{}", registry.username.expose(), registry.password.expose()));
        let auth = SecretValue::new(STANDARD.encode(pair.as_bytes()));
        fields(&mut text, &[("auth", &auth), ("username", &registry.username), ("password", &registry.password)]);
        text.push('}');
    }
    text.push_str("}}");
    SecretValue::new(text.as_str())
}

fn fields(text: &mut String, fields: &[(&str, &SecretValue)]) {
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        string(text, name);
        text.push_str(": ");
        string(text, value.expose());
    }
}

/// A JSON string with everything but printable ASCII escaped.
fn string(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str, secret: &str, return_uri: &str) -> OidcClient {
        let value = |text: &str| SecretValue::new(text);
        OidcClient { id: value(id), secret: value(secret), return_uri: value(return_uri) }
    }

    #[test]
    fn clients_are_written_in_the_order_of_their_labels_with_pythons_spaces() {
        let clients = BTreeMap::from([("b".into(), client("1", "s", "r")), ("a".into(), client("2", "é", "r2"))]);
        let expected =
            r#"[{"id": "2", "secret": "\u00e9", "return_uri": "r2"}, {"id": "1", "secret": "s", "return_uri": "r"}]"#;
        assert_eq!(oidc_clients(&clients).expose(), expected);
        assert_eq!(oidc_clients(&BTreeMap::new()).expose(), "[]");
    }

    #[test]
    fn the_pull_secret_has_dockers_form() {
        let registry = Registry { username: SecretValue::new("u"), password: SecretValue::new("pw") };
        let expected = r#"{"auths": {"ghcr.io": {"auth": "dTpwdw==", "username": "u", "password": "pw"}}}"#;
        assert_eq!(docker_config(&[("ghcr.io".into(), registry)]).expose(), expected);
        assert_eq!(docker_config(&[]).expose(), r#"{"auths": {}}"#);
    }

    #[test]
    fn escapes_are_pythons() {
        let mut text = String::new();
        string(&mut text, "\"\\/\n\r\t\u{8}\u{c}\u{1}\u{7f}é€😀");
        assert_eq!(text, r#""\"\\/\n\r\t\b\f\u0001\u007f\u00e9\u20ac\ud83d\ude00""#);
    }

    proptest::proptest! {
        #[test]
        fn every_text_reads_back(value: String) {
            let mut text = String::new();
            string(&mut text, &value);
            proptest::prop_assert!(text.is_ascii());
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value);
        }
    }
}
