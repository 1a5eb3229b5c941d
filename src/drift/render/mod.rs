//! The report for people: a terminal, a pull request, a browser. What matters first comes first: stop signals, then the
//! steps in order, then the figures; the rest is there for those who ask.

mod html;
mod markdown;
mod picture;
mod text;

pub use html::html;
pub use markdown::markdown;
pub use text::text;

use super::model::{ApplicationReport, Level, Report, VersionChange};

/// The report in one sentence.
fn headline(report: &Report) -> String {
    let stops = report.signals.iter().filter(|signal| signal.level == Level::Stop).count();
    let conflicts = report.conflicts.len();
    match (report.behind, stops, conflicts) {
        (0, 0, _) => "Nothing to merge: the fork has everything of upstream".to_owned(),
        (_, 0, 0) => "Upstream can be merged".to_owned(),
        (_, 0, conflicts) => format!("Upstream can be merged once {} resolved", are(conflicts, "conflict")),
        (_, stops, _) => format!("Do not merge yet: {} to deal with first", count(stops, "thing")),
    }
}

/// The figures in sentences.
fn figures(report: &Report) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{} behind upstream ({} without merges), of which {} what this environment uses",
            count(report.behind, "commit"),
            report.behind_without_merges,
            touch(report.relevant_commits)
        ),
        format!("{} ahead of it", count(report.ahead, "commit")),
        format!("{} upstream to this environment's own values and secrets", count(report.own_files_commits, "commit")),
        format!(
            "{} changed upstream ({} used here), {} on the fork, {} on both sides",
            count(report.files_changed_upstream, "file"),
            report.relevant_files,
            report.files_changed_fork,
            report.files_changed_both.len()
        ),
        format!("{} to resolve by hand", count(report.conflicts.len(), "conflict")),
    ];
    match &report.merge_base {
        Some(base) => lines.push(format!("parted at {} of {}", short(&base.commit), day(&base.date))),
        None => lines.push("the two have no common ancestor: every file counts as changed".to_owned()),
    }
    lines
}

fn touch(commits: usize) -> String {
    if commits == 1 { "1 touches".to_owned() } else { format!("{commits} touch") }
}

fn are(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what} is") } else { format!("{number} {what}s are") }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// The first nine digits of a commit.
fn short(commit: &str) -> &str {
    commit.get(..9).unwrap_or(commit)
}

/// The day of a moment.
fn day(date: &str) -> &str {
    date.get(..10).unwrap_or(date)
}

fn version(change: &VersionChange) -> String {
    let side = |version: &Option<String>| version.clone().unwrap_or_else(|| "nothing".to_owned());
    format!("{} to {}", side(&change.from), side(&change.to))
}

/// The word for a bump.
fn bump(change: &VersionChange) -> String {
    if change.downgrade {
        return "downgrade".to_owned();
    }
    serde_json::to_value(change.bump).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What changes for an application, in short.
fn changes(application: &ApplicationReport) -> Vec<String> {
    let mut lines = Vec::new();
    if application.removed_upstream {
        lines.push("removed upstream".to_owned());
    } else if !application.enabled {
        lines.push("would be turned on".to_owned());
    }
    if let Some(change) = application.app_version.as_ref().filter(|_| !application.removed_upstream) {
        lines.push(format!("appVersion {} ({})", version(change), bump(change)));
    }
    for one in application.dependencies.iter().filter(|_| !application.removed_upstream) {
        lines.push(format!("{} {} ({})", one.name, version(&one.change), bump(&one.change)));
    }
    let stale = application.stale_overrides.iter().filter(|stale| !stale.resolved_by_merge).count();
    for (number, what) in [
        (application.image_tags.len(), "image tag"),
        (stale, "stale override"),
        (application.crds_changed.len(), "CRD"),
        (application.templates_changed, "template"),
    ] {
        if number > 0 && !application.removed_upstream {
            lines.push(count(number, what));
        }
    }
    if application.uncheckable_overrides > 0 && !application.removed_upstream {
        lines.push(format!(
            "{} for charts from elsewhere, which Git cannot judge",
            count(application.uncheckable_overrides, "setting")
        ));
    }
    lines
}

/// The word for a level.
fn level(level: Level) -> &'static str {
    match level {
        Level::Stop => "stop",
        Level::Rebuild => "rebuild?",
        Level::Procedure => "procedure",
        Level::Warn => "note",
    }
}
