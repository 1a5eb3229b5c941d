//! Puts the report together.

use super::applications;
use super::comparison::{Comparison, Side};
use super::edits::edits;
use super::environment;
use super::environment_files::belongs_to;
use super::error::DriftError;
use super::known::{REQUIREMENTS, lowest_kubernetes};
use super::model::{CommitReport, Conflict, Report, SideReport};
use super::patches;
use super::relevance::relevance;
use super::request::Request;
use super::secrets;
use super::signals::{Material, signals};
use super::steps::steps;
use super::view::View;
use crate::client::git::{CommitId, Git};
use jiff::Timestamp;

/// Compares, reads, judges.
pub fn report(git: &Git, request: &Request) -> Result<Report, DriftError> {
    let compared = Comparison::open(git, &request.fork, &request.upstream)?;
    report_on(&compared, request)
}

/// The same on a comparison that is already there.
pub fn report_on(compared: &Comparison, request: &Request) -> Result<Report, DriftError> {
    let (view, mut own) = View::open(compared, request)?;
    own.changes = environment::changes(&view)?;
    own.moves = environment::moves(&view)?;
    own.vault_url = view.merged.environment_text(&view.merged_name, "vaultUrl")?;
    own.vault_path_prefix = view.merged.environment_text(&view.merged_name, "vaultPathPrefix")?;
    let lowest = view.upstream.text(REQUIREMENTS)?.as_deref().and_then(lowest_kubernetes);
    let names = applications::selected(&view);
    let uses = applications::uses(&view, &names)?;
    let relevance = relevance(compared, &uses, &view.enabled, &view.own_names())?;
    let mut reports = Vec::new();
    for (at, uses) in uses.iter().enumerate() {
        reports.push(applications::report(&view, at, uses, &relevance)?);
    }
    let secrets = secrets::changes(&view)?;
    let missing = applications::missing_values_files(&view)?;
    let signals = signals(&Material {
        view: &view,
        environment: &own,
        applications: &reports,
        uses: &uses,
        relevance: &relevance,
        edits: &edits(&view)?,
        secrets: &secrets,
        missing: &missing,
    })?;
    let catalogues = (view.before().catalogue()?, view.upstream.catalogue()?);
    let (before, after) =
        if let (Some(before), Some(after)) = catalogues { (before, after) } else { Default::default() };
    let conflicts: Vec<Conflict> =
        compared.merge.conflicts.iter().map(|(path, kind)| Conflict { path: path.clone(), kind: *kind }).collect();
    let history = &compared.history;
    Ok(Report {
        fork: side(compared, &request.fork, compared.fork),
        upstream: side(compared, &request.upstream, compared.upstream),
        merge_base: compared.base.map(|base| CommitReport { commit: base.to_string(), date: date(compared, base) }),
        merge_bases: history.merge_bases.iter().map(ToString::to_string).collect(),
        ahead: history.ahead.len(),
        behind: history.behind.len(),
        ahead_without_merges: history.ahead.len() - compared.merges(&history.ahead),
        behind_without_merges: history.behind.len() - compared.merges(&history.behind),
        files_changed_fork: compared.fork_changes.len(),
        files_changed_upstream: compared.upstream_changes.len(),
        files_changed_both: compared.changed_by_both(),
        environment_files: compared.fork_changes.keys().filter(|path| belongs_to(path, &view.name)).cloned().collect(),
        local_patches: patches::local(&view)?,
        relevant_commits: relevance.relevant,
        own_files_commits: relevance.own,
        relevant_files: applications::relevant_files(&view, &uses),
        applications_added: after.keys().filter(|name| !before.contains_key(*name)).cloned().collect(),
        applications_removed: before.keys().filter(|name| !after.contains_key(*name)).cloned().collect(),
        newly_default: view.enabled_after.difference(&view.enabled).cloned().collect(),
        steps: steps(&view.name, &signals, &conflicts, &secrets, &reports),
        applications: reports,
        conflicts,
        secrets,
        missing_values_files: missing,
        environment: own,
        cluster: request.facts.clone(),
        lowest_kubernetes: lowest.map(|[major, minor, _]| format!("{major}.{minor}")),
        signals,
        weeks: relevance.weeks,
        unreadable: view.unreadable(),
        since: None,
    })
}

fn side(compared: &Comparison, side: &Side, commit: CommitId) -> SideReport {
    SideReport {
        repository: side.repository.clone(),
        reference: side.reference.clone(),
        commit: commit.to_string(),
        date: date(compared, commit),
    }
}

/// When a commit was made, RFC 3339 in UTC.
fn date(compared: &Comparison, commit: CommitId) -> String {
    let node = compared.history.nodes.iter().find(|node| node.id == commit);
    let time = node.map(|node| node.time).unwrap_or_default();
    Timestamp::from_second(time).unwrap_or_default().to_string()
}
