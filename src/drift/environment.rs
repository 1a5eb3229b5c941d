//! What upstream did to the environment's own files.

use super::comparison::Comparison;
use super::environment_files::belongs_to;
use super::error::DriftError;
use super::model::EnvironmentChange;
use super::values::by_full_path;
use super::view::View;
use crate::phalanx::yaml;
use gix::ObjectId;
use std::collections::{BTreeMap, BTreeSet};

/// How far back a file's former values are looked for, in commits of the base's first parents.
const HISTORY: usize = 1500;

/// Values of the environment's files that upstream changed since the base.
pub(crate) fn changes(view: &View<'_>) -> Result<Vec<EnvironmentChange>, DriftError> {
    let mut found = Vec::new();
    for path in view.compared.upstream_changes.keys() {
        if !is_yaml(path) || !view.names.iter().any(|name| belongs_to(path, name)) {
            continue;
        }
        let base = match &view.base {
            Some(base) => by_full_path(base.yaml(path)?.as_ref()),
            None => BTreeMap::new(),
        };
        let (upstream, fork) =
            (by_full_path(view.upstream.yaml(path)?.as_ref()), by_full_path(view.fork.yaml(path)?.as_ref()));
        if base.is_empty() || upstream.is_empty() {
            let there = |values: &BTreeMap<_, _>| (!values.is_empty()).then(|| format!("{} values", values.len()));
            found.push(EnvironmentChange {
                file: path.clone(),
                key: String::new(),
                from: there(&base),
                to: there(&upstream),
                fork: there(&fork),
            });
            continue;
        }
        let keys: BTreeSet<&String> = base.keys().chain(upstream.keys()).collect();
        for key in keys {
            let value = |side: &BTreeMap<String, Option<String>>| {
                side.get(key).map(|text| text.clone().unwrap_or_else(|| "(a list)".to_owned()))
            };
            let (from, to) = (value(&base), value(&upstream));
            if from != to {
                found.push(EnvironmentChange { file: path.clone(), key: key.clone(), from, to, fork: value(&fork) });
            }
        }
    }
    Ok(found)
}

/// Whether a file is one of values.
fn is_yaml(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension == "yaml")
}

/// Keys that say where things are and differ between the base and the merge, whoever changed them.
pub(crate) fn moves(view: &View<'_>) -> Result<Vec<EnvironmentChange>, DriftError> {
    let own = |environment: &str| format!("environments/values-{environment}.yaml");
    let mut files = vec![(own(&view.name), own(&view.merged_name))];
    for name in &view.enabled_after {
        let file = |environment: &str| format!("applications/{name}/values-{environment}.yaml");
        files.push((file(&view.name), file(&view.merged_name)));
    }
    let mut found = Vec::new();
    for (old, file) in files {
        let before = by_full_path(view.before().yaml(&old)?.as_ref());
        let fork = by_full_path(view.fork.yaml(&old)?.as_ref());
        for (key, to) in by_full_path(view.merged.yaml(&file)?.as_ref()) {
            let Some(from) = before.get(&key).filter(|from| **from != to) else { continue };
            let plain = |url: &Option<String>| url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
            if is_placement(&key) || (is_vault(&key) && plain(from) != plain(&to)) {
                let fork = fork.get(&key).cloned().flatten();
                found.push(EnvironmentChange { file: file.clone(), from: from.clone(), to, fork, key });
            }
        }
    }
    Ok(found)
}

/// Whether a key says where something is: an address, a class of storage, a server of files.
pub(crate) fn is_placement(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default();
    last == "loadBalancerIP"
        || is_storage_class(key)
        || (last == "server" && key.to_ascii_lowercase().contains("volume"))
        || key.ends_with("nfs.server")
}

/// Whether a key names a class of storage, however the chart spells it: `storageClass`, `postgresStorageClass`.
pub(crate) fn is_storage_class(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().replace('_', "");
    last.ends_with("storageclass") || last.ends_with("storageclassname")
}

/// Whether a key says where the secrets are.
pub(crate) fn is_vault(key: &str) -> bool {
    matches!(key, "vaultUrl" | "vaultPathPrefix")
}

/// The changes that set a value back to what it was before the base.
pub(crate) fn regressions<'a>(
    compared: &Comparison,
    changes: &'a [EnvironmentChange],
) -> Result<Vec<&'a EnvironmentChange>, DriftError> {
    let mut former: BTreeMap<&str, Vec<BTreeMap<String, Option<String>>>> = BTreeMap::new();
    for change in changes.iter().filter(|change| !change.key.is_empty()) {
        if !former.contains_key(change.file.as_str()) {
            former.insert(&change.file, former_values(compared, &change.file)?);
        }
    }
    let back = |change: &&EnvironmentChange| {
        let (Some(from), Some(to)) = (&change.from, &change.to) else { return false };
        let mut states = former.get(change.file.as_str()).into_iter().flatten();
        from != to && states.any(|state| state.get(&change.key).is_some_and(|value| value.as_ref() == Some(to)))
    };
    Ok(changes.iter().filter(|change| !change.key.is_empty()).filter(back).collect())
}

/// The values of a file in the commits before the base.
fn former_values(compared: &Comparison, file: &str) -> Result<Vec<BTreeMap<String, Option<String>>>, DriftError> {
    let Some(base) = compared.base else { return Ok(Vec::new()) };
    let mut states = Vec::new();
    let blobs: BTreeSet<ObjectId> = compared.pair.versions_of(base, file, HISTORY)?.into_iter().collect();
    for blob in blobs {
        let content = compared.pair.blob(file, blob)?;
        if let Ok(node) = yaml::read(file, &content) {
            states.push(by_full_path(Some(&node)));
        }
    }
    Ok(states)
}
