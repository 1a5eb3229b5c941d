//! Merges that the fork took back: Git will not bring those commits again.

use super::comparison::Comparison;
use super::error::DriftError;
use super::model::Evidence;
use std::collections::BTreeSet;

/// From how many files on a difference that no commit explains is one.
const MANY: usize = 50;

/// What Git writes when the merge of a branch is reverted; pull requests of the fork's own are merged by another text.
const BRANCH: &str = "Revert \"Merge branch ";

/// The commit that a commit says it reverts.
fn reverted(body: &str) -> Option<&str> {
    let (_, after) = body.split_once("This reverts commit ")?;
    let id = after.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    (id.len() >= 7).then_some(id)
}

/// Whether a commit merged something that was upstream's; nothing when it is not among the commits looked at.
fn is_upstream_merge(compared: &Comparison, id: &str) -> Option<bool> {
    let history = &compared.history;
    let merge = history.nodes.iter().find(|node| node.id.to_string().starts_with(id))?;
    Some(merge.parents.iter().skip(1).any(|parent| !history.ahead.contains(parent)))
}

/// Reverts of upstream merges among the fork's commits, and files that differ though no commit of the fork touched them.
pub(crate) fn evidence(compared: &Comparison) -> Result<Vec<Evidence>, DriftError> {
    let mut found = Vec::new();
    let mut explained: BTreeSet<String> = BTreeSet::new();
    let nodes = &compared.history.nodes;
    let mut taken_back: BTreeSet<String> = BTreeSet::new();
    // Newest first: what a later commit took back is known when its own turn comes.
    for place in &compared.history.ahead {
        let node = &nodes[*place];
        let text = compared.pair.text(node.id)?;
        if let Some(reverted) = reverted(&text.body) {
            let again = taken_back.contains(&node.id.to_string());
            if !again && is_upstream_merge(compared, reverted).unwrap_or(text.subject.starts_with(BRANCH)) {
                found.push(Evidence::commit(text.subject, node.id.to_string()));
            }
            if !again {
                taken_back.insert(reverted.to_owned());
            }
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
