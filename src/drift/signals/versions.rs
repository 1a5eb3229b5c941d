//! Signals of versions: floors, Kubernetes, schemas, downgrades, Argo CD itself, user images, CRDs.

use super::{Material, signal};
use crate::drift::error::DriftError;
use crate::drift::known::{
    Announcement, DATABASES, FLOORS, INCOMPATIBLE_LABS, REQUIREMENTS, announced, lowest_kubernetes, numbers,
};
use crate::drift::model::{ApplicationReport, Bump, Evidence, Level, NamedVersionChange, Signal, VersionChange};
use crate::drift::values::by_path;
use crate::phalanx::yaml;
use gix::ObjectId;

pub(super) fn signals(material: &Material<'_>) -> Result<Vec<Signal>, DriftError> {
    let found = [
        floors(material)?,
        signal(
            "downgrade",
            Level::Stop,
            "Versions go backwards: schema downgrades are not supported",
            downgrades(material),
        ),
        kubernetes(material)?,
        schema(material)?,
        signal(
            "argocd-major",
            Level::Procedure,
            "Argo CD upgrades itself to another major version: do it last, and have helm upgrade at hand",
            majors(material, &["argo-cd"]),
        ),
        crds(material),
        labs(material)?,
    ];
    Ok(found.into_iter().flatten().collect())
}

/// Whether a change goes from below to at least a version.
fn crosses(change: &VersionChange, at: [u64; 3]) -> bool {
    let side = |version: &Option<String>| version.as_deref().and_then(numbers);
    matches!((side(&change.from), side(&change.to)), (Some(from), Some(to)) if from < at && to >= at)
}

fn floors(material: &Material<'_>) -> Result<Option<Signal>, DriftError> {
    let mut evidence = Vec::new();
    for application in material.applications {
        let Some(change) = &application.app_version else { continue };
        let Some(from) = change.from.as_deref().and_then(numbers) else { continue };
        let known = FLOORS.iter().filter(|floor| floor.application == application.name && crosses(change, floor.from));
        let mut floors: Vec<([u64; 3], Evidence)> =
            known.map(|floor| (floor.lowest, Evidence::words(floor.source))).collect();
        for (commit, announcement) in announcements(material, &application.name)? {
            if let Announcement::Floor(floor) = announcement {
                floors.push((floor, Evidence::commit("its message names a lowest version to upgrade from", commit)));
            }
        }
        for (_, mut why) in floors.into_iter().filter(|(floor, _)| from < *floor) {
            why.text =
                format!("{}: from {} ({})", application.name, change.from.as_deref().unwrap_or_default(), why.text);
            evidence.push(why);
        }
    }
    Ok(signal(
        "floor-version",
        Level::Stop,
        "A version cannot be reached directly from here: go in stages, or empty the database",
        evidence,
    ))
}

/// What the messages of the commits that touch an application announce.
fn announcements(material: &Material<'_>, application: &str) -> Result<Vec<(String, Announcement)>, DriftError> {
    let Some(at) = material.uses.iter().position(|uses| uses.application == application) else { return Ok(Vec::new()) };
    let compared = material.view.compared;
    let mut found = Vec::new();
    for (place, _) in material.relevance.commits.iter().filter(|(_, touched)| touched.contains(&at)) {
        let id = compared.history.nodes[*place].id;
        let text = compared.pair.text(id)?;
        // A sweep over all charts announces nothing of one of them.
        let title = text.subject.to_lowercase();
        if let Some(announcement) = announced(&text.body).filter(|_| title.contains(application)) {
            found.push((id.to_string(), announcement));
        }
    }
    Ok(found)
}

fn named(application: &ApplicationReport) -> Vec<NamedVersionChange> {
    let own = |name: &str, change: &Option<VersionChange>| {
        change.clone().map(|change| NamedVersionChange { name: name.to_owned(), change })
    };
    let own = [own("chart", &application.chart), own("appVersion", &application.app_version)];
    own.into_iter().flatten().chain(application.dependencies.iter().cloned()).collect()
}

fn text(name: &str, what: &NamedVersionChange) -> String {
    let side = |version: &Option<String>| version.clone().unwrap_or_else(|| "nothing".to_owned());
    format!("{name}: {} {} becomes {}", what.name, side(&what.change.from), side(&what.change.to))
}

fn downgrades(material: &Material<'_>) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for application in material.applications {
        for change in named(application).iter().filter(|change| change.change.downgrade) {
            let file = format!("applications/{}/Chart.yaml", application.name);
            evidence.push(Evidence::file(text(&application.name, change), file));
        }
    }
    evidence
}

fn majors(material: &Material<'_>, charts: &[&str]) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for application in material.applications {
        for change in application.dependencies.iter().filter(|change| charts.contains(&change.name.as_str())) {
            if change.change.bump == Bump::Major {
                let file = format!("applications/{}/Chart.yaml", application.name);
                evidence.push(Evidence::file(text(&application.name, change), file));
            }
        }
    }
    evidence
}

/// With a cluster at hand it is below the minimum or not; without one a minimum that rises must be checked.
fn kubernetes(material: &Material<'_>) -> Result<Option<Signal>, DriftError> {
    const FILE: &str = REQUIREMENTS;
    let lowest = |text: Option<String>| text.as_deref().and_then(lowest_kubernetes);
    let before = lowest(material.view.before().text(FILE)?);
    let after = lowest(material.view.upstream.text(FILE)?);
    let cluster = material.view.facts.and_then(|facts| facts.kubernetes.as_deref()).and_then(numbers);
    let evidence = match (before, after) {
        (_, Some(after)) if cluster.is_some() => {
            let below = cluster.filter(|[major, minor, _]| [*major, *minor, 0] < after);
            let [major, minor, _] = after;
            let words =
                |[has, too, _]: [u64; 3]| format!("lowest Kubernetes: {major}.{minor}; the cluster has {has}.{too}");
            below.map(|cluster| Evidence::file(words(cluster), FILE)).into_iter().collect()
        }
        (before, Some(after)) if before.is_some_and(|before| before < after) => {
            let [major, minor, _] = after;
            let old = before.map(|[major, minor, _]| format!("{major}.{minor}")).unwrap_or_default();
            vec![Evidence::file(format!("lowest Kubernetes: {old} becomes {major}.{minor}"), FILE)]
        }
        _ => Vec::new(),
    };
    let title = "Upstream asks for a newer Kubernetes: compare with the cluster, upgrade it or build a new one";
    Ok(signal("kubernetes-min", Level::Stop, title, evidence))
}

fn schema(material: &Material<'_>) -> Result<Option<Signal>, DriftError> {
    let mut evidence = Vec::new();
    for application in material.applications.iter().filter(|one| DATABASES.contains(&one.name.as_str())) {
        let name = application.name.as_str();
        let Some(change) = &application.app_version else { continue };
        let change = NamedVersionChange { name: "appVersion".into(), change: change.clone() };
        evidence.push(Evidence::file(text(name, &change), format!("applications/{name}/Chart.yaml")));
    }
    // That another site turned the schema update on says that it was needed; it was mostly off again soon after.
    for edit in material.edits.iter().rev().filter(|edit| DATABASES.contains(&edit.application.as_str())) {
        for (environment, (before, after)) in &edit.environments {
            if updates_schema(material, *after)? && !updates_schema(material, *before)? {
                let words = format!("{}: {environment} turned its schema update on", edit.application);
                let file = format!("applications/{}/values-{environment}.yaml", edit.application);
                evidence.push(Evidence { commit: Some(edit.commit.to_string()), ..Evidence::file(words, file) });
            }
        }
    }
    let title = "Databases get a new schema: stop, turn the update on, sync, turn it off; there is no way back";
    Ok(signal("schema", Level::Procedure, title, evidence))
}

/// Whether a values file turns the update of a database's schema on.
fn updates_schema(material: &Material<'_>, file: Option<ObjectId>) -> Result<bool, DriftError> {
    let Some(id) = file else { return Ok(false) };
    let content = material.view.compared.pair.blob("values of an environment", id)?;
    let mentions = |word: &[u8]| content.windows(word.len()).any(|here| here == word);
    if !mentions(b"updateSchema") && !mentions(b"upgrade") {
        return Ok(false);
    }
    // A file that was broken for a while says nothing.
    let values = yaml::read("values", &content).ok();
    let is_switch = |path: &str| path.rsplit('.').next() == Some("updateSchema") || path.ends_with("hub.db.upgrade");
    Ok(by_path(values.as_ref()).iter().any(|(path, value)| is_switch(path) && value.as_deref() == Some("true")))
}

fn crds(material: &Material<'_>) -> Option<Signal> {
    let files = material.applications.iter().flat_map(|application| &application.crds_changed);
    let mut evidence: Vec<Evidence> = files.map(|file| Evidence::file("changed", file)).collect();
    evidence.extend(majors(material, &["argo-cd", "cert-manager"]));
    signal(
        "crd",
        Level::Procedure,
        "Custom resource definitions change: they must be applied before what uses them",
        evidence,
    )
}

fn labs(material: &Material<'_>) -> Result<Option<Signal>, DriftError> {
    let mut evidence = Vec::new();
    for application in material.applications {
        let Some(change) = &application.app_version else { continue };
        let known = INCOMPATIBLE_LABS.iter();
        let known = known.filter(|one| one.application == application.name && crosses(change, one.from));
        evidence.extend(known.map(|one| Evidence::words(one.source)));
        for (commit, announcement) in announcements(material, &application.name)? {
            if announcement == Announcement::LabsIncompatible {
                evidence.push(Evidence::commit("its message says that labs must be rebuilt", commit));
            }
        }
    }
    Ok(signal("labs-incompatible", Level::Warn, "User images must be rebuilt", evidence))
}
