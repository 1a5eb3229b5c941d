//! How far two versions are apart.

use super::model::{Bump, VersionChange};

/// Compares two versions; nothing when nothing changed.
pub(crate) fn change(from: Option<&str>, to: Option<&str>) -> Option<VersionChange> {
    if from == to {
        return None;
    }
    let (bump, downgrade) = match (from, to) {
        (None, _) => (Bump::Added, false),
        (_, None) => (Bump::Removed, false),
        (Some(from), Some(to)) => classify(from, to),
    };
    Some(VersionChange { from: from.map(str::to_owned), to: to.map(str::to_owned), bump, downgrade })
}

fn classify(from: &str, to: &str) -> (Bump, bool) {
    let (old, new) = (numbers(from), numbers(to));
    let dated = |parts: &Option<Parts>| parts.as_ref().is_some_and(|parts| parts.numbers[0] >= 1990);
    match (&old, &new) {
        (Some(before), Some(after)) if dated(&old) && dated(&new) => (Bump::Calver, after < before),
        (Some(before), Some(after)) if before.prefix.is_empty() && after.prefix.is_empty() => {
            let differs = before.numbers.iter().zip(&after.numbers).position(|(before, after)| before != after);
            let bump = match differs {
                Some(0) => Bump::Major,
                Some(1) => Bump::Minor,
                // `v1.2.3` for `1.2.3`.
                None if before.rest == after.rest => Bump::None,
                // Also another pre-release of the same version.
                _ => Bump::Patch,
            };
            (bump, after < before)
        }
        _ => (Bump::Other, false),
    }
}

/// A version taken apart. A pre-release comes before its release, hence the flag before the text.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Parts {
    numbers: [u64; 3],
    released: bool,
    rest: String,
    prefix: String,
}

fn numbers(text: &str) -> Option<Parts> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let prefix = if &text[..start] == "v" { "" } else { &text[..start] };
    let mut numbers = [0; 3];
    let mut rest = &text[start..];
    for (at, number) in numbers.iter_mut().enumerate() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        *number = rest[..end].parse().ok()?;
        rest = &rest[end..];
        match rest.strip_prefix('.') {
            Some(more) if at < 2 && more.starts_with(|c: char| c.is_ascii_digit()) => rest = more,
            _ => break,
        }
    }
    // A digit inside a word (`main-d2f`) is no version.
    if !prefix.is_empty() && !prefix.ends_with(['-', '_', '/']) {
        return None;
    }
    let released = !rest.starts_with('-');
    Some(Parts { numbers, released, rest: rest.to_owned(), prefix: prefix.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_classified_as_the_measurements_do() {
        for (from, to, bump) in [
            ("7.6.1", "7.7.7", Bump::Minor),
            ("v1.15.3", "v1.16.2", Bump::Minor),
            ("1.0.13", "1.0.14", Bump::Patch),
            ("11.1.1", "12.2.0", Bump::Major),
            ("portal-2024.2.3", "portal-2024.3.1-final", Bump::Calver),
            ("3.0.2", "v3.2.1", Bump::Minor),
            ("main", "tickets-DM-1", Bump::Other),
            ("1.2.3", "v1.2.3", Bump::None),
            ("1.2", "1.2.1", Bump::Patch),
        ] {
            let change = change(Some(from), Some(to)).unwrap();
            assert_eq!(change.bump, bump, "{from} to {to}");
            assert!(!change.downgrade, "{from} to {to}");
        }
    }

    #[test]
    fn going_backwards_is_a_downgrade() {
        for (from, to) in [("9.4.4", "9.3.4"), ("8.3.0", "6.3.0"), ("2.0.0", "2.0.0-rc1"), ("2024.3.1", "2024.2.9")] {
            assert!(change(Some(from), Some(to)).unwrap().downgrade, "{from} to {to}");
        }
        assert_eq!(change(Some("1"), Some("1")), None);
        assert_eq!(change(None, Some("1")).unwrap().bump, Bump::Added);
    }
}
