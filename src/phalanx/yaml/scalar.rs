//! Which plain scalar is what: the implicit resolvers of PyYAML (YAML 1.1), written out.

use super::Content;
use serde_json::Number;
use zeroize::Zeroizing;

/// What a plain (unquoted, untagged) scalar is.
pub(super) fn resolve(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Content::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Content::Bool(false),
        _ => match integer(text).or_else(|| float(text)) {
            Some(number) => Content::Number(number),
            None => Content::Text(Zeroizing::new(text.to_owned())),
        },
    }
}

/// Binary, octal (a leading zero), decimal, hexadecimal and sexagesimal integers, with underscores.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = sign(text);
    let magnitude = if digits == "0" {
        0
    } else if let Some(binary) = digits.strip_prefix("0b") {
        radix(binary, 2)?
    } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
        radix(hexadecimal, 16)?
    } else if let Some(octal) = digits.strip_prefix('0') {
        radix(octal, 8)?
    } else if let Some((first, rest)) = digits.split_once(':') {
        rest.split(':').try_fold(radix(first, 10)?, |sum, part| sum.checked_mul(60)?.checked_add(sixtieth(part)?))?
    } else {
        radix(digits, 10)?
    };
    if !negative {
        return u64::try_from(magnitude).map(Number::from).ok().or_else(|| Number::from_f64(digits.parse().ok()?));
    }
    i64::try_from(magnitude).ok().map(|value| Number::from(-value))
}

/// Digits of this radix and underscores, at least one digit, starting with a digit where PyYAML asks for one.
fn radix(digits: &str, radix: u32) -> Option<u128> {
    if radix == 10 && !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    if plain.starts_with(['+', '-']) {
        return None;
    }
    u128::from_str_radix(&plain, radix).ok()
}

/// 0 to 59, in one or two digits.
fn sixtieth(part: &str) -> Option<u128> {
    let fits = matches!(part.len(), 1 | 2) && part.bytes().all(|c| c.is_ascii_digit());
    part.parse().ok().filter(|value| fits && *value < 60)
}

/// Floats must have a point, and a sign in their exponent; infinities are no JSON and stay texts, which are as true.
fn float(text: &str) -> Option<Number> {
    let (_, unsigned) = sign(text);
    let (whole, rest) = unsigned.split_once('.')?;
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (rest, None),
    };
    let digits = |part: &str| part.bytes().all(|c| c.is_ascii_digit() || c == b'_');
    let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let starts_right = if whole.is_empty() { unsigned.len() == text.len() && begins(fraction) } else { begins(whole) };
    let exponent_right = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['+', '-'])
            .is_some_and(|power| !power.is_empty() && power.bytes().all(|c| c.is_ascii_digit()))
    });
    if !starts_right || !digits(whole) || !digits(fraction) || !exponent_right {
        return None;
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    Number::from_f64(plain.parse().ok()?)
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_json(text: &str) -> String {
        match resolve(text) {
            Content::Null => "null".into(),
            Content::Bool(value) => value.to_string(),
            Content::Number(number) => number.to_string(),
            Content::Text(text) => format!("{:?}", text.as_str()),
            _ => unreachable!("a scalar"),
        }
    }

    /// Each right side is what PyYAML's `safe_load` gave for the left side.
    #[test]
    fn plain_scalars_are_what_pyyaml_takes_them_for() {
        for (text, expected) in [
            ("yes", "true"),
            ("Off", "false"),
            ("oN", "\"oN\""),
            ("y", "\"y\""),
            ("n", "\"n\""),
            ("~", "null"),
            ("", "null"),
            ("0", "0"),
            ("-0", "0"),
            ("0400", "256"),
            ("08", "\"08\""),
            ("0o17", "\"0o17\""),
            ("0x1F", "31"),
            ("0b101", "5"),
            ("450_000_000_000", "450000000000"),
            ("1_", "1"),
            ("_1", "\"_1\""),
            ("190:20:30", "685230"),
            ("1:60", "\"1:60\""),
            ("+12", "12"),
            ("-12", "-12"),
            ("12e3", "\"12e3\""),
            ("1.5e3", "\"1.5e3\""),
            ("1.5e+3", "1500.0"),
            ("0.0", "0.0"),
            ("1.", "1.0"),
            (".5", "0.5"),
            ("-.5", "\"-.5\""),
            (".", "\".\""),
            ("1.2.3", "\"1.2.3\""),
            (".inf", "\".inf\""),
            ("v1.2", "\"v1.2\""),
            ("2026-01-01", "\"2026-01-01\""),
            ("1,2", "\"1,2\""),
            ("-", "\"-\""),
            ("0b", "\"0b\""),
            ("<<", "\"<<\""),
            ("null ", "\"null \""),
        ] {
            assert_eq!(as_json(text), expected, "{text:?}");
        }
    }
}
