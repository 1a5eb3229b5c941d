//! Signals of the environment and of history: renamed, removed, reverted, set back.

use super::{Material, signal};
use crate::drift::environment::{is_placement, is_vault, regressions};
use crate::drift::error::DriftError;
use crate::drift::model::{EnvironmentChange, Evidence, Level, Signal};
use crate::drift::reverts;

pub(super) fn signals(material: &Material<'_>) -> Result<Vec<Signal>, DriftError> {
    let found = [
        renamed(material),
        removed(material)?,
        missing(material),
        regression(material)?,
        signal(
            "merge-reverted",
            Level::Stop,
            "The fork took a merge back: Git will not bring those commits again, revert the revert first",
            reverts::evidence(material.view.compared)?,
        ),
    ];
    Ok(found.into_iter().flatten().collect())
}

fn renamed(material: &Material<'_>) -> Option<Signal> {
    let environment = material.environment;
    let file = format!("environments/values-{}.yaml", environment.name);
    let was_there = material.view.base.as_ref().is_some_and(|base| matches!(base.yaml(&file), Ok(Some(_))));
    let evidence = match (&environment.renamed_to, &environment.renamed_by) {
        (Some(to), Some(by)) => {
            vec![Evidence::file(
                format!("upstream calls {} now {to} (by {by})", environment.name),
                format!("environments/values-{to}.yaml"),
            )]
        }
        _ if was_there && environment.in_fork && !environment.in_upstream => {
            vec![Evidence::file(format!("upstream deleted the environment {}", environment.name), file)]
        }
        _ => Vec::new(),
    };
    signal(
        "env-renamed",
        Level::Stop,
        "Upstream renamed or deleted this environment: decide by hand which takes the settings",
        evidence,
    )
}

/// Enabled here, and not in upstream's catalogue any more.
fn removed(material: &Material<'_>) -> Result<Option<Signal>, DriftError> {
    let view = material.view;
    let catalogue = view.upstream.catalogue()?;
    let before = view.before().catalogue()?;
    let (Some(catalogue), Some(before)) = (catalogue, before) else { return Ok(None) };
    let gone = view.enabled.iter().filter(|name| !catalogue.contains_key(*name) && before.contains_key(*name));
    let evidence = gone.map(|name| Evidence {
        text: format!("{name} is enabled here and gone from environments/values.yaml upstream"),
        file: Some("environments/values.yaml".into()),
        commit: material.commit_of(name),
    });
    Ok(signal(
        "app-removed",
        Level::Stop,
        "Upstream removed applications that are enabled here: migrate first",
        evidence.collect(),
    ))
}

fn missing(material: &Material<'_>) -> Option<Signal> {
    let evidence = material.missing.iter();
    let evidence = evidence.map(|file| Evidence::file("enabled after the merge, and the file is not there", file));
    signal(
        "missing-env-file",
        Level::Stop,
        "Argo CD cannot render applications whose values file is missing",
        evidence.collect(),
    )
}

/// Upstream sets our own values back, or moves us.
fn regression(material: &Material<'_>) -> Result<Option<Signal>, DriftError> {
    let changes = &material.environment.changes;
    let back = regressions(material.view.compared, changes)?;
    // What the fork has already is no surprise.
    let new = |change: &&EnvironmentChange| change.fork != change.to;
    let moves = changes.iter().filter(|change| is_placement(&change.key) || is_vault(&change.key));
    let mut evidence: Vec<Evidence> = Vec::new();
    for change in back.iter().copied().filter(new) {
        evidence.push(told(change, "back to a former value"));
    }
    for change in moves.filter(new).filter(|change| !back.contains(change)) {
        evidence.push(told(change, "where things are"));
    }
    Ok(signal("env-regression", Level::Stop, "Upstream changes this environment's own values", evidence))
}

fn told(change: &EnvironmentChange, why: &str) -> Evidence {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    Evidence::file(format!("{}: {} becomes {} ({why})", change.key, text(&change.from), text(&change.to)), &change.file)
}
