//! A file of static secrets to fill in, as phalanx's own tool writes it: PyYAML's block style at width 70.

use super::required::{Class, RequiredSecret};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The column after which a folded text is broken.
const WIDTH: usize = 70;
const ENCODED: &str = "If you store this secret in a 1Password item, encode it with base64 first.";
const PULL_SECRET: &str = "Pull secrets for Docker registries. Each key under registries is the name of a Docker registry \
                           that needs a pull secret. The value should have two keys, username and password, that provide \
                           the HTTP Basic Auth credentials for that registry.";

/// The file for these secrets, of which the static ones are taken.
pub fn template(required: &[RequiredSecret]) -> String {
    let mut applications: BTreeMap<&str, Vec<&RequiredSecret>> = BTreeMap::new();
    for secret in required.iter().filter(|secret| secret.class == Class::Static) {
        applications.entry(&secret.name.application).or_default().push(secret);
    }
    let mut text = String::from(if applications.is_empty() { "applications: {}\n" } else { "applications:\n" });
    for (application, secrets) in applications {
        let _ = writeln!(text, "  {}:", key(application));
        for secret in secrets {
            let _ = writeln!(text, "    {}:", key(&secret.name.key));
            folded(&mut text, 6, "description", &secret.description);
            text.push_str("      value: null\n");
            if secret.encoded {
                folded(&mut text, 6, "warning", ENCODED);
            }
        }
    }
    text.push_str("oidc-clients: {}\npull-secret:\n");
    folded(&mut text, 2, "description", PULL_SECRET);
    text.push_str("  registries: {}\nvault-write-token: null\n");
    text
}

/// A key, quoted where it would not read back as the same text.
fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || "._/".contains(c))
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let reads_back = crate::phalanx::yaml::read("", name.as_bytes()).is_ok_and(|node| node.text() == Ok(name));
    if plain && reads_back { name.to_owned() } else { format!("'{}'", name.replace('\'', "''")) }
}

/// A folded scalar: single spaces may become line breaks, line breaks become empty lines.
fn folded(text: &mut String, indent: usize, name: &str, value: &str) {
    let margin = " ".repeat(indent + 2);
    let chomping = match (value.ends_with('\n'), value.ends_with("\n\n") || value == "\n") {
        (_, true) => "+",
        (true, false) => "",
        (false, false) => "-",
    };
    let hint = if value.starts_with([' ', '\n']) { "2" } else { "" };
    let _ = writeln!(text, "{}{name}: >{hint}{chomping}", " ".repeat(indent));
    let mut after_plain = false;
    for line in value.strip_suffix('\n').unwrap_or(value).split('\n') {
        let more_indented = line.starts_with(' ');
        if line.is_empty() {
            text.push('\n');
            continue;
        }
        if after_plain && !more_indented {
            text.push('\n');
        }
        text.push_str(&margin);
        if more_indented {
            text.push_str(line);
        } else {
            words(text, &margin, line);
        }
        text.push('\n');
        after_plain = !more_indented;
    }
}

/// A line broken at the first single space after the width is exceeded.
fn words(text: &mut String, margin: &str, line: &str) {
    let mut column = margin.len();
    let mut rest = line;
    while let Some(at) = rest.find(' ') {
        let spaces = rest[at..].len() - rest[at..].trim_start_matches(' ').len();
        text.push_str(&rest[..at]);
        column += rest[..at].chars().count();
        let last = rest[at..].len() == spaces;
        if spaces == 1 && column > WIDTH && !last {
            text.push('\n');
            text.push_str(margin);
            column = margin.len();
        } else {
            text.push_str(&rest[at..at + spaces]);
            column += spaces;
        }
        rest = &rest[at + spaces..];
    }
    text.push_str(rest);
}
