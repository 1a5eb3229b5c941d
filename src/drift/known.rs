//! What release notes said and files cannot say: a small table, kept by hand.

/// A version that cannot be reached directly from everywhere.
pub(crate) struct Floor {
    /// The application.
    pub(crate) application: &'static str,
    /// From this version on ...
    pub(crate) from: [u64; 3],
    /// ... only these and later ones can be upgraded directly.
    pub(crate) lowest: [u64; 3],
    /// Where that is written.
    pub(crate) source: &'static str,
}

/// The floors that were announced.
pub(crate) const FLOORS: [Floor; 1] = [Floor {
    application: "gafaelfawr",
    from: [12, 1, 1],
    lowest: [10, 0, 0],
    source: "Gafaelfawr 12.1.1 no longer supports direct upgrades from versions prior to 10.0.0",
}];

/// User images that stop working.
pub(crate) struct Incompatible {
    /// The application.
    pub(crate) application: &'static str,
    /// From this version on.
    pub(crate) from: [u64; 3],
    /// Where that is written.
    pub(crate) source: &'static str,
}

/// What was announced about user images.
pub(crate) const INCOMPATIBLE_LABS: [Incompatible; 1] = [Incompatible {
    application: "nublado",
    from: [12, 0, 0],
    source: "Nublado 12.0.0 is incompatible with labs built after 11.0.0 unless they are rebuilt",
}];

/// Applications with a database of their own, whose schema moves with their version.
pub(crate) const DATABASES: [&str; 8] =
    ["gafaelfawr", "nublado", "ook", "repertoire", "semaphore", "times-square", "vo-cutouts", "wobbly"];

/// Where a checkout says which Kubernetes it needs.
pub(crate) const REQUIREMENTS: &str = "docs/admin/requirements.rst";

/// The three numbers at the start of a version, `v` or not.
pub(crate) fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    let plain = version.trim_start_matches('v');
    let end = plain.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(plain.len());
    let mut parts = plain[..end].split('.');
    for (at, number) in numbers.iter_mut().enumerate() {
        match parts.next() {
            Some(part) => *number = part.parse().ok()?,
            None if at == 0 => return None,
            None => break,
        }
    }
    Some(numbers)
}

/// The lowest Kubernetes version that a checkout's documentation names.
pub(crate) fn lowest_kubernetes(requirements: &str) -> Option<[u64; 3]> {
    let (_, after) = requirements.split_once("oldest version of Kubernetes known to work is ")?;
    let version: String = after.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    numbers(version.trim_end_matches('.'))
}

/// What a commit's message says about versions to start from, or about user images.
pub(crate) fn announced(body: &str) -> Option<Announcement> {
    let flat = body.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((_, after)) = flat.split_once("no longer supports direct upgrades from versions prior to ") {
        let version = after.split_whitespace().next()?.trim_end_matches(['.', ',', ';']);
        return numbers(version).map(Announcement::Floor);
    }
    (flat.contains("unless they are rebuilt") && flat.contains("labs")).then_some(Announcement::LabsIncompatible)
}

/// What a commit's message announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// The lowest version to upgrade from.
    Floor([u64; 3]),
    /// User images must be rebuilt.
    LabsIncompatible,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_leniently() {
        assert_eq!(numbers("v1.30"), Some([1, 30, 0]));
        assert_eq!(numbers("12.1.1-rc1"), Some([12, 1, 1]));
        assert_eq!(numbers("main"), None);
        assert_eq!(lowest_kubernetes("The oldest version of Kubernetes known to work is 1.30.\n"), Some([1, 30, 0]));
    }

    #[test]
    fn announcements_are_read_from_wrapped_messages() {
        let floor =
            "Note that this version no longer supports direct upgrades\nfrom versions prior to 10.0.0. Upgrade to";
        assert_eq!(announced(floor), Some(Announcement::Floor([10, 0, 0])));
        let labs = "It is incompatible with\nlabs built after 11.0.0 unless they are rebuilt.";
        assert_eq!(announced(labs), Some(Announcement::LabsIncompatible));
        assert_eq!(announced("Update Nublado"), None);
    }
}
