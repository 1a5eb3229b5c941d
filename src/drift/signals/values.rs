//! Signals of settings: where things are, secrets, stale overrides, sweeps.

use super::{Material, signal};
use crate::drift::environment::{is_placement, is_vault};
use crate::drift::error::DriftError;
use crate::drift::model::{Evidence, Level, Signal};

pub(super) fn signals(material: &Material<'_>) -> Result<Vec<Signal>, DriftError> {
    let found = [
        moves(
            material,
            is_vault,
            "vault-move",
            "The Vault server or path changes: all secrets must exist at the new place first",
        ),
        moves(
            material,
            is_placement,
            "placement",
            "An address, storage class or file server of this environment changes",
        ),
        stale(material),
        new_secrets(material),
        swept(material)?,
    ];
    Ok(found.into_iter().flatten().collect())
}

fn moves(material: &Material<'_>, is: fn(&str) -> bool, id: &str, title: &str) -> Option<Signal> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "a list".to_owned());
    let evidence = material.environment.moves.iter().filter(|change| is(&change.key)).map(|change| {
        let by = if change.fork == change.to { "changed on the fork" } else { "changed by the merge" };
        let words = format!("{}: {} becomes {} ({by})", change.key, text(&change.from), text(&change.to));
        Evidence::file(words, &change.file)
    });
    signal(id, Level::Rebuild, title, evidence.collect())
}

fn stale(material: &Material<'_>) -> Option<Signal> {
    let mut evidence = Vec::new();
    for application in material.applications {
        for stale in application.stale_overrides.iter().filter(|stale| !stale.resolved_by_merge) {
            let text = format!("{}: {} (line {}): {}", application.name, stale.path, stale.line, stale.reason);
            evidence.push(Evidence {
                text,
                file: Some(stale.file.clone()),
                commit: material.commit_of(&application.name),
            });
        }
    }
    let title =
        "Settings that their charts no longer know: take them out before the sync, strict applications refuse to start";
    signal("stale-override", Level::Procedure, title, evidence)
}

fn new_secrets(material: &Material<'_>) -> Option<Signal> {
    let new = material.secrets.added.iter().filter(|secret| secret.is_static);
    let evidence = new.map(|secret| {
        let file = format!("applications/{}/secrets.yaml", secret.application);
        Evidence::file(format!("{}/{} must be supplied", secret.application, secret.key), file)
    });
    signal("new-secret", Level::Procedure, "New static secrets: supply them before the sync", evidence.collect())
}

fn swept(material: &Material<'_>) -> Result<Option<Signal>, DriftError> {
    let mut evidence = Vec::new();
    for sweep in material.edits.iter().filter(|edit| edit.is_sweep(&material.view.names)) {
        let text = material.view.compared.pair.text(sweep.commit)?;
        // A merge of GitHub has its title in the body.
        let title = match text.body.lines().next() {
            Some(title) if text.subject.starts_with("Merge pull request") => title.to_owned(),
            _ => text.subject,
        };
        let count = sweep.environments.len();
        let words = format!("{}: edited in {count} other environments ({title})", sweep.application);
        evidence.push(Evidence::commit(words, sweep.commit.to_string()));
    }
    Ok(signal(
        "sweep",
        Level::Warn,
        "Upstream edited other environments by hand and not this one: copy what applies",
        evidence,
    ))
}
