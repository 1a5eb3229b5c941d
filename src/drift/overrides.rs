//! Settings of the environment that the chart knew and does not know any more: a strict application refuses to start.

use super::error::DriftError;
use super::model::StaleOverride;
use super::snapshot::Snapshot;
use super::values::{Knowledge, Leaf, knows, leaves};
use std::collections::BTreeSet;

/// What was found for one application.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    /// Settings that the merge would make meaningless.
    pub(crate) stale: Vec<StaleOverride>,
    /// How many go to charts from elsewhere, which Git cannot judge.
    pub(crate) uncheckable: usize,
}

/// Judges the environment's own values of an application: those on the fork, and whether the merge still has them.
pub(crate) fn judge(
    application: &str,
    own: (&Snapshot, &str),
    base: Option<&Snapshot>,
    upstream: &Snapshot,
    merged: (&Snapshot, &str),
) -> Result<Overrides, DriftError> {
    let folder = format!("applications/{application}");
    let mut found = Overrides::default();
    let Some(values) = own.0.yaml(&format!("{folder}/values-{}.yaml", own.1))? else { return Ok(found) };
    let kept = match merged.0.yaml(&format!("{folder}/values-{}.yaml", merged.1))? {
        Some(values) => leaves(&values).into_iter().map(|leaf| leaf.keys).collect(),
        None => BTreeSet::new(),
    };
    for leaf in leaves(&values) {
        let before = match base {
            Some(base) => knows(base, &folder, &leaf.keys)?,
            // Unrelated histories: what the fork's chart knows stands for what was known.
            None => knows(own.0, &folder, &leaf.keys)?,
        };
        let after = knows(upstream, &folder, &leaf.keys)?;
        if after == Knowledge::Elsewhere {
            found.uncheckable += 1;
        }
        let reason = match (before, after) {
            (Knowledge::NoChart, _) => continue,
            // Whether it was ever known does not matter when nothing reads the file any more.
            (_, Knowledge::NoChart) => "the chart is removed".to_owned(),
            (Knowledge::Elsewhere, Knowledge::Missing(key)) => {
                format!("the chart that {key} was for is no dependency any more")
            }
            (Knowledge::Known, Knowledge::Missing(key)) => format!("missing {key}"),
            _ => continue,
        };
        found.stale.push(stale(&leaf, reason, !kept.contains(&leaf.keys)));
    }
    Ok(found)
}

fn stale(leaf: &Leaf, reason: String, resolved_by_merge: bool) -> StaleOverride {
    StaleOverride { path: leaf.path(), file: leaf.file.clone(), line: leaf.line, reason, resolved_by_merge }
}
