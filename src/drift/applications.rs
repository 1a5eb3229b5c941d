//! What changes for each application between the base and upstream.

use super::error::DriftError;
use super::model::{ApplicationReport, NamedVersionChange, TextChange, VersionChange};
use super::objects::{self, TemplateChange};
use super::overrides;
use super::relevance::{Relevance, Uses};
use super::snapshot::Snapshot;
use super::values::{beside, by_path};
use super::version;
use super::view::View;
use crate::client::git::Difference;
use crate::phalanx::Chart;
use crate::phalanx::tree::Tree as _;
use std::collections::{BTreeMap, BTreeSet};

/// The applications to report on: those that are on, and those that the merge would turn on.
pub(crate) fn selected(view: &View<'_>) -> Vec<String> {
    view.enabled.union(&view.enabled_after).cloned().collect()
}

/// What each of these applications uses, at the base and upstream.
pub(crate) fn uses(view: &View<'_>, names: &[String]) -> Result<Vec<Uses>, DriftError> {
    let mut all = Vec::new();
    for name in names {
        let mut charts = BTreeSet::new();
        for side in [view.before(), &view.fork, &view.upstream] {
            let folder = format!("applications/{name}");
            for (_, chart) in charts_beside(side, &folder)? {
                charts.extend(chart.strip_prefix("charts/").map(str::to_owned));
            }
        }
        all.push(Uses { application: name.clone(), charts });
    }
    Ok(all)
}

/// Reports on one application.
pub(crate) fn report(
    view: &View<'_>,
    at: usize,
    uses: &Uses,
    relevance: &Relevance,
) -> Result<ApplicationReport, DriftError> {
    let name = &uses.application;
    let folder = format!("applications/{name}");
    let (before, after) = (view.before(), &view.upstream);
    let (old, new) = (before.chart(&folder)?, after.chart(&folder)?);
    // Versions go from what is deployed, when that is known.
    let running = view.deployed.of(name).unwrap_or(before);
    let old = if std::ptr::eq(running, before) { old } else { running.chart(&folder)?.or(old) };
    let told = view.facts.and_then(|facts| facts.deployed.get(name).cloned());
    let text = |chart: &Option<Chart>, get: fn(&Chart) -> Option<String>| chart.as_ref().and_then(get);
    let app_version = |chart: &Chart| chart.app_version.clone();
    let changes = &view.compared.upstream_changes;
    let overrides =
        overrides::judge(name, (&view.fork, &view.name), view.base.as_ref(), after, (&view.merged, &view.merged_name))?;
    let (values_removed, values_added) = keys(before, after, &folder)?;
    let below = |prefix: &str| below(changes, prefix).count();
    let (old_template, new_template) = (before.template(name)?, after.template(name)?);
    Ok(ApplicationReport {
        enabled: view.enabled.contains(name),
        removed_upstream: new.is_none() && after.tree.identity(&folder)?.is_none(),
        chart: version::change(
            text(&old, |chart| Some(chart.version.clone())).as_deref(),
            text(&new, |chart| Some(chart.version.clone())).as_deref(),
        ),
        app_version: version::change(
            told.or_else(|| text(&old, app_version)).as_deref(),
            text(&new, app_version).as_deref(),
        ),
        dependencies: dependencies(old.as_ref(), new.as_ref()),
        image_tags: image_tags(running, after, &folder)?,
        values_removed,
        values_added,
        stale_overrides: overrides.stale,
        uncheckable_overrides: overrides.uncheckable,
        files_changed: below(&format!("{folder}/")),
        shared_files_changed: uses.charts.iter().map(|chart| below(&format!("charts/{chart}/"))).sum(),
        relevant_commits: relevance.of(at),
        templates_changed: below(&format!("{folder}/templates/"))
            + uses.charts.iter().map(|chart| below(&format!("charts/{chart}/templates/"))).sum::<usize>(),
        crds_changed: self::below(changes, &format!("{folder}/crds/")).map(|(path, _)| path.clone()).collect(),
        objects: objects::compare(&templates(view, uses)?),
        namespace: text_change(
            old_template.as_ref().and_then(|template| template.namespace.clone()),
            new_template.as_ref().and_then(|template| template.namespace.clone()),
        ),
        project: text_change(
            old_template.and_then(|template| template.project),
            new_template.and_then(|template| template.project),
        ),
        name: name.clone(),
    })
}

fn below<'a>(
    changes: &'a Difference,
    prefix: &str,
) -> impl Iterator<Item = (&'a String, &'a crate::client::git::FileChange)> + use<'a> {
    let prefix = prefix.to_owned();
    let end = prefix.clone();
    changes.range(prefix..).take_while(move |(path, _)| path.starts_with(&end))
}

/// A change, and not an appearance: a new application has no namespace to move from.
fn text_change(from: Option<String>, to: Option<String>) -> Option<TextChange> {
    (from.is_some() && from != to).then_some(TextChange { from, to })
}

/// Charts beside an application that it depends on: the name its values go by, and the folder.
fn charts_beside(side: &Snapshot, folder: &str) -> Result<Vec<(String, String)>, DriftError> {
    let Some(chart) = side.chart(folder)? else { return Ok(Vec::new()) };
    let found = chart.dependencies.iter().filter_map(|dependency| {
        let folder = beside(folder, dependency.repository.as_deref()?)?;
        Some((dependency.alias.clone().unwrap_or_else(|| dependency.name.clone()), folder))
    });
    Ok(found.collect())
}

fn dependencies(old: Option<&Chart>, new: Option<&Chart>) -> Vec<NamedVersionChange> {
    let by_name = |chart: Option<&Chart>| -> BTreeMap<String, (String, String)> {
        let all = chart.map(|chart| chart.dependencies.as_slice()).unwrap_or_default();
        all.iter()
            .map(|one| {
                let name = one.alias.clone().unwrap_or_else(|| one.name.clone());
                (name, (one.version.clone(), one.repository.clone().unwrap_or_default()))
            })
            .collect()
    };
    let (old, new) = (by_name(old), by_name(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |name: &String| {
        let (before, after) = (old.get(name), new.get(name));
        let versions = version::change(before.map(|one| one.0.as_str()), after.map(|one| one.0.as_str()));
        let moved = match (before, after) {
            (Some(before), Some(after)) if before.1 != after.1 => Some(VersionChange {
                from: Some(before.1.clone()),
                to: Some(after.1.clone()),
                bump: super::model::Bump::Repository,
                downgrade: false,
            }),
            _ => None,
        };
        versions.or(moved).map(|change| NamedVersionChange { name: name.clone(), change })
    };
    names.into_iter().filter_map(change).collect()
}

/// Tags of images, in the application's values and in those of charts beside it.
fn image_tags(before: &Snapshot, after: &Snapshot, folder: &str) -> Result<Vec<NamedVersionChange>, DriftError> {
    let (old, new) = (tags(before, folder)?, tags(after, folder)?);
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |path: &String| {
        let side = |tags: &BTreeMap<String, String>| tags.get(path).filter(|tag| !tag.is_empty()).cloned();
        let change = version::change(side(&old).as_deref(), side(&new).as_deref())?;
        Some(NamedVersionChange { name: path.clone(), change })
    };
    Ok(paths.into_iter().filter_map(change).collect())
}

fn tags(side: &Snapshot, folder: &str) -> Result<BTreeMap<String, String>, DriftError> {
    let mut found = BTreeMap::new();
    let mut collect = |prefix: &str, folder: &str| -> Result<(), DriftError> {
        for (path, text) in by_path(side.yaml(&format!("{folder}/values.yaml"))?.as_ref()) {
            if path == "image.tag" || path.ends_with(".image.tag") {
                found.entry(format!("{prefix}{path}")).or_insert(text.unwrap_or_default());
            }
        }
        Ok(())
    };
    collect("", folder)?;
    for (name, beside) in charts_beside(side, folder)? {
        collect(&format!("{name}."), &beside)?;
    }
    Ok(found)
}

/// Keys of the chart's own values: gone, and new.
fn keys(before: &Snapshot, after: &Snapshot, folder: &str) -> Result<(Vec<String>, Vec<String>), DriftError> {
    let file = format!("{folder}/values.yaml");
    let (old, new) = (before.yaml(&file)?, after.yaml(&file)?);
    // Of a chart that comes or goes as a whole that is all there is to say.
    if old.is_none() || new.is_none() {
        return Ok((Vec::new(), Vec::new()));
    }
    let (old, new) = (by_path(old.as_ref()), by_path(new.as_ref()));
    let only = |one: &BTreeMap<String, _>, other: &BTreeMap<String, Option<String>>| -> Vec<String> {
        one.keys().filter(|path| !other.contains_key(*path)).cloned().collect()
    };
    Ok((only(&old, &new), only(&new, &old)))
}

/// The changed templates of an application and of the charts beside it.
fn templates(view: &View<'_>, uses: &Uses) -> Result<Vec<TemplateChange>, DriftError> {
    let mut prefixes = vec![format!("applications/{}/templates/", uses.application)];
    prefixes.extend(uses.charts.iter().map(|chart| format!("charts/{chart}/templates/")));
    let mut found = Vec::new();
    for prefix in prefixes {
        for (path, _) in below(&view.compared.upstream_changes, &prefix) {
            let extension = std::path::Path::new(path).extension().and_then(std::ffi::OsStr::to_str);
            if matches!(extension, Some("yaml" | "yml")) {
                let before = view.before().text(path)?;
                let after = view.upstream.text(path)?;
                found.push(TemplateChange { file: path.clone(), before, after });
            }
        }
    }
    Ok(found)
}

/// The files that upstream changed and that the environment uses.
pub(crate) fn relevant_files(view: &View<'_>, uses: &[Uses]) -> usize {
    let names = view.own_names();
    let enabled: Vec<&Uses> = uses.iter().filter(|uses| view.enabled.contains(&uses.application)).collect();
    let changes = view.compared.upstream_changes.keys();
    changes.filter(|path| super::relevance::uses(path, &enabled, &names)).count()
}

/// Files that Argo CD will look for after the merge and not find.
pub(crate) fn missing_values_files(view: &View<'_>) -> Result<Vec<String>, DriftError> {
    let mut missing = Vec::new();
    for application in &view.enabled_after {
        let file = format!("applications/{application}/values-{}.yaml", view.merged_name);
        let there = view.merged.tree.identity(&format!("applications/{application}"))?.is_some();
        if there && view.merged.tree.identity(&file)?.is_none() {
            missing.push(file);
        }
    }
    Ok(missing)
}
