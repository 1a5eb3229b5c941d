//! What is new since an earlier report.

use super::error::DriftError;
use super::model::{Report, Since};
use std::collections::BTreeSet;

/// Reads an earlier report: the JSON that `rsp-install drift --output json` printed.
pub fn read(file: &str, bytes: &[u8]) -> Result<Report, DriftError> {
    serde_json::from_slice(bytes).map_err(|error| DriftError::Input {
        file: file.to_owned(),
        reason: format!("it is no report of drift: {error}"),
    })
}

/// Compares with an earlier report.
pub fn since(earlier: &Report, now: &Report) -> Since {
    Since {
        upstream: earlier.upstream.commit.clone(),
        fork: earlier.fork.commit.clone(),
        new_signals: new(&signals(earlier), &signals(now)),
        gone_signals: new(&ids(now), &ids(earlier)),
        new_conflicts: new(&conflicts(earlier), &conflicts(now)),
        new_secrets: new(&secrets(earlier), &secrets(now)),
        behind: i64::try_from(now.behind).unwrap_or(i64::MAX) - i64::try_from(earlier.behind).unwrap_or(i64::MAX),
    }
}

fn new(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    now.difference(before).cloned().collect()
}

fn ids(report: &Report) -> BTreeSet<String> {
    report.signals.iter().map(|signal| signal.id.clone()).collect()
}

fn signals(report: &Report) -> BTreeSet<String> {
    let all = report.signals.iter().flat_map(|signal| signal.evidence.iter().map(move |one| (signal, one)));
    all.map(|(signal, one)| format!("{}: {}", signal.id, one.text)).collect()
}

fn conflicts(report: &Report) -> BTreeSet<String> {
    report.conflicts.iter().map(|conflict| conflict.path.clone()).collect()
}

fn secrets(report: &Report) -> BTreeSet<String> {
    report.secrets.added.iter().map(|secret| format!("{}/{}", secret.application, secret.key)).collect()
}
