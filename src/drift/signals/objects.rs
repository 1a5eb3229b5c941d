//! Signals of objects: kinds, immutable fields, jobs, names, namespaces.

use super::{Material, signal};
use crate::drift::model::{Evidence, Level, ObjectChangeKind, Signal};

pub(super) fn signals(material: &Material<'_>) -> Vec<Signal> {
    use ObjectChangeKind::{ImmutableField, Job, KindSwitch, Renamed};
    let of = |kinds: &[ObjectChangeKind], id: &str, title: &str| {
        signal(id, Level::Procedure, title, evidence(material, kinds))
    };
    let found = [
        of(
            &[KindSwitch, ImmutableField],
            "kind-switch",
            "Workloads change kind or a field that cannot change: the old ones must be deleted",
        ),
        of(&[Job], "job-immutable", "Jobs that are no hooks change: delete them before the sync"),
        of(&[Renamed], "resource-rename", "Secrets or ConfigMaps get other names: they are replaced at the next sync"),
        project_move(material),
    ];
    found.into_iter().flatten().collect()
}

/// An application that goes altogether is told elsewhere.
fn evidence(material: &Material<'_>, kinds: &[ObjectChangeKind]) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for application in
        material.applications.iter().filter(|application| application.enabled && !application.removed_upstream)
    {
        for change in application.objects.iter().filter(|change| kinds.contains(&change.kind)) {
            evidence.push(Evidence::file(format!("{}: {}", application.name, change.text), &change.file));
        }
    }
    evidence
}

fn project_move(material: &Material<'_>) -> Option<Signal> {
    let mut evidence = Vec::new();
    for application in
        material.applications.iter().filter(|application| application.enabled && !application.removed_upstream)
    {
        for (what, change) in [("namespace", &application.namespace), ("project", &application.project)] {
            if let Some(change) = change {
                let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
                let text = format!("{}: {what} {} becomes {}", application.name, side(&change.from), side(&change.to));
                evidence.push(Evidence { text, commit: material.commit_of(&application.name), ..Evidence::default() });
            }
        }
    }
    let title = "Applications move: another namespace means to create them anew, another project does not";
    signal("project-move", Level::Procedure, title, evidence)
}
