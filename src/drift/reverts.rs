//! Merges that the fork took back: Git will not bring those commits again.

use super::comparison::Comparison;
use super::error::DriftError;
use super::model::Evidence;
use std::collections::BTreeSet;

/// From how many files on a difference that no commit explains is one.
const MANY: usize = 50;

/// Reverts of upstream merges among the fork's commits, and files that differ though no commit of the fork touched them.
pub(crate) fn evidence(compared: &Comparison) -> Result<Vec<Evidence>, DriftError> {
    let mut found = Vec::new();
    let mut explained: BTreeSet<String> = BTreeSet::new();
    let nodes = &compared.history.nodes;
    for place in &compared.history.ahead {
        let node = &nodes[*place];
        let text = compared.pair.text(node.id)?;
        if text.subject.starts_with("Revert \"Merge ") {
            found.push(Evidence::commit(text.subject, node.id.to_string()));
        }
        if let Some(parent) = node.parents.first().filter(|_| node.parents.len() < 2) {
            let changed = compared.pair.difference(Some(nodes[*parent].tree), node.tree)?;
            explained.extend(changed.into_keys());
        }
    }
    let unexplained = compared.fork_changes.keys().filter(|path| !explained.contains(*path)).count();
    if compared.base.is_some() && unexplained > MANY && unexplained * 2 > compared.fork_changes.len() {
        found.push(Evidence::words(format!(
            "{unexplained} of the {} files that differ on the fork were touched by none of its {} commits: \
             a merge was taken back or resolved by throwing upstream's side away",
            compared.fork_changes.len(),
            compared.history.ahead.len()
        )));
    }
    Ok(found)
}
