//! What the fork changed in files that it shares with upstream, and what of it is worth sending there.

use super::environment_files::{belongs_to, environment_of};
use super::error::DriftError;
use super::model::{FileStatus, LocalPatch};
use super::view::View;
use crate::client::git::Change;
use std::collections::BTreeSet;

/// Longer texts are files that somebody vendored, not patches.
const LONGEST: usize = 200_000;

/// The fork's changes outside its environments' files, whose content still differs from upstream.
pub(crate) fn local(view: &View<'_>) -> Result<Vec<LocalPatch>, DriftError> {
    let compared = view.compared;
    let environments = environments_of_the_fork(view)?;
    let shared = |path: &str| !environments.iter().any(|name| belongs_to(path, name));
    let mut patches = Vec::new();
    for path in compared.still_different(shared) {
        let Some(change) = compared.fork_changes.get(&path) else { continue };
        let applies_upstream = !compared.upstream_changes.contains_key(&path);
        let patch = patch(view, &path, change.to)?;
        patches.push(LocalPatch {
            change: match change.change {
                Change::Added => FileStatus::Added,
                Change::Modified => FileStatus::Modified,
                Change::Deleted => FileStatus::Deleted,
            },
            worth_sending: applies_upstream && change.change != Change::Deleted && patch.is_some() && is_shared(&path),
            applies_upstream,
            patch,
            path,
        });
    }
    Ok(patches)
}

/// The environments that are the fork's own: this one, and those that it changed and upstream has otherwise or not at all.
fn environments_of_the_fork(view: &View<'_>) -> Result<BTreeSet<String>, DriftError> {
    let mut names: BTreeSet<String> = view.names.iter().cloned().collect();
    names.extend(
        view.compared
            .still_different(|path| environment_of(path).is_some())
            .iter()
            .filter_map(|path| environment_of(path))
            .map(str::to_owned),
    );
    // A fork that edits an application's values for an environment that it never declared has it from an older branch.
    let known: BTreeSet<String> = view.upstream.environments()?.into_iter().collect();
    let in_fork: BTreeSet<String> = view.fork.environments()?.into_iter().collect();
    names.extend(in_fork.difference(&known).cloned());
    Ok(names)
}

/// Whether a file is one that other sites use too.
fn is_shared(path: &str) -> bool {
    ["applications/", "charts/", "src/", "docs/", "environments/templates/", "tests/"]
        .iter()
        .any(|folder| path.starts_with(folder))
}

/// The patch from upstream's file to the fork's; nothing for what is not text, or too long to be read.
fn patch(view: &View<'_>, path: &str, fork: Option<gix::ObjectId>) -> Result<Option<String>, DriftError> {
    let ours = fork.map(|id| view.compared.pair.blob(path, id)).transpose()?;
    let theirs = crate::phalanx::tree::Tree::read(view.upstream.tree.as_ref(), path)?;
    let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).ok();
    let names = (
        if theirs.is_some() { format!("a/{path}") } else { "/dev/null".to_owned() },
        if ours.is_some() { format!("b/{path}") } else { "/dev/null".to_owned() },
    );
    let (Some(theirs), Some(ours)) = (text(theirs), text(ours)) else { return Ok(None) };
    if theirs.len().max(ours.len()) > LONGEST || theirs.contains('\0') || ours.contains('\0') {
        return Ok(None);
    }
    let difference = similar::TextDiff::from_lines(&theirs, &ours);
    Ok(Some(difference.unified_diff().header(&names.0, &names.1).to_string()))
}
