//! Keys of values files: which there are, and whether a chart knows one.

use super::error::DriftError;
use super::snapshot::Snapshot;
use crate::phalanx::Chart;
use crate::phalanx::yaml::{Content, Node};
use std::collections::BTreeMap;

/// Charts beside charts beside charts: phalanx has one level.
const DEPTH: usize = 4;

/// A leaf of a values file: anything that is not a map with something in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// The keys that lead to it.
    pub(crate) keys: Vec<String>,
    /// Its file.
    pub(crate) file: String,
    /// Its line there.
    pub(crate) line: u64,
    /// Its value where that is a plain one.
    pub(crate) text: Option<String>,
}

impl Leaf {
    /// The keys joined by dots, as people write them.
    pub(crate) fn path(&self) -> String {
        self.keys.join(".")
    }
}

/// The leaves of a values file, in the order of the file.
pub(crate) fn leaves(node: &Node) -> Vec<Leaf> {
    let mut found = Vec::new();
    collect(node, &mut Vec::new(), &mut found);
    found
}

fn collect(node: &Node, keys: &mut Vec<String>, found: &mut Vec<Leaf>) {
    match &node.content {
        Content::Mapping(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                keys.push(key.name.clone());
                collect(value, keys, found);
                keys.pop();
            }
        }
        _ if keys.is_empty() => {}
        _ => found.push(Leaf {
            keys: keys.clone(),
            file: node.position.file.to_string(),
            line: node.position.line as u64,
            text: node.scalar_text().ok(),
        }),
    }
}

/// Leaves by path, for comparing two files.
pub(crate) fn by_path(node: Option<&Node>) -> BTreeMap<String, Option<String>> {
    node.map(|node| leaves(node).into_iter().map(|leaf| (leaf.path(), leaf.text)).collect()).unwrap_or_default()
}

/// The same with the entries of lists, by their name or place: volumes with their file servers stand in lists.
pub(crate) fn by_full_path(node: Option<&Node>) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    if let Some(node) = node {
        descend(node, "", &mut found);
    }
    found
}

fn descend(node: &Node, path: &str, found: &mut BTreeMap<String, Option<String>>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match &node.content {
        Content::Mapping(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                descend(value, &below(&key.name), found);
            }
        }
        Content::Sequence(entries) if !entries.is_empty() => {
            for (at, value) in entries.iter().enumerate() {
                let name = value.get("name").and_then(|name| name.scalar_text().ok());
                descend(value, &below(&name.unwrap_or_else(|| at.to_string())), found);
            }
        }
        _ if path.is_empty() => {}
        _ => {
            found.insert(path.to_owned(), node.scalar_text().ok());
        }
    }
}

/// What a chart makes of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Knowledge {
    /// It defines it, or leaves the map open in which it stands.
    Known,
    /// It goes to a chart from elsewhere: Git cannot tell.
    Elsewhere,
    /// It does not know it; this is the first key that is missing.
    Missing(String),
    /// The chart itself is not there.
    NoChart,
}

/// Whether the chart in `folder` knows a setting: by its own values, or those of a chart beside it.
pub(crate) fn knows(side: &Snapshot, folder: &str, keys: &[String]) -> Result<Knowledge, DriftError> {
    knows_within(side, folder, keys, 0)
}

fn knows_within(side: &Snapshot, folder: &str, keys: &[String], depth: usize) -> Result<Knowledge, DriftError> {
    let Some(chart) = side.chart(folder)? else { return Ok(Knowledge::NoChart) };
    // What Argo CD injects, and what Helm hands to every chart.
    if keys.first().is_some_and(|key| key == "global") {
        return Ok(Knowledge::Known);
    }
    let below = dependency_of(&chart, keys).map(|repository| beside(folder, &repository));
    // What the application's own values say of such a chart's settings proves nothing about the chart.
    if below == Some(None) {
        return Ok(Knowledge::Elsewhere);
    }
    let missing = match side.yaml(&format!("{folder}/values.yaml"))? {
        Some(values) => match first_missing(&values, keys) {
            None => return Ok(Knowledge::Known),
            Some(at) => at,
        },
        None => 0,
    };
    match below.flatten() {
        Some(folder) if depth < DEPTH => knows_within(side, &folder, &keys[1..], depth + 1),
        _ => Ok(Knowledge::Missing(keys[..=missing.min(keys.len() - 1)].join("."))),
    }
}

/// Where a path leaves the values: the place of the first key that is not there. An empty map, null, a list or a plain
/// value in its way leaves open what may stand below.
fn first_missing(values: &Node, keys: &[String]) -> Option<usize> {
    let mut here = values;
    for (at, key) in keys.iter().enumerate() {
        match &here.content {
            Content::Mapping(entries) if !entries.is_empty() || at == 0 => match here.get(key) {
                Some(next) => here = next,
                None => return Some(at),
            },
            _ if at == 0 => return Some(0),
            _ => return None,
        }
    }
    None
}

/// The repository of the dependency whose values begin with the first key.
fn dependency_of(chart: &Chart, keys: &[String]) -> Option<String> {
    let first = keys.first()?;
    let found = chart.dependencies.iter().find(|one| one.alias.as_ref().unwrap_or(&one.name) == first)?;
    Some(found.repository.clone().unwrap_or_else(|| format!("file://charts/{}", found.name)))
}

/// The folder of a chart beside another one; nothing for charts from elsewhere.
pub(crate) fn beside(folder: &str, repository: &str) -> Option<String> {
    let relative = repository.strip_prefix("file://")?;
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phalanx::yaml;

    fn keys(path: &str) -> Vec<String> {
        path.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn an_empty_map_is_left_open_and_a_filled_one_is_not() {
        let values = yaml::read("v", b"config:\n  open: {}\n  filled: {a: 1}\n  nothing:\n  list: []\n").unwrap();
        for known in
            ["config.open.x", "config.open.x.y", "config.filled.a", "config.nothing.x", "config.list", "config"]
        {
            assert_eq!(first_missing(&values, &keys(known)), None, "{known}");
        }
        assert_eq!(first_missing(&values, &keys("config.filled.b")), Some(2));
        assert_eq!(first_missing(&values, &keys("config.gone.b")), Some(1));
        assert_eq!(first_missing(&values, &keys("other")), Some(0));
    }

    #[test]
    fn leaves_are_everything_but_filled_maps() {
        let values = yaml::read("v", b"a: {b: 1, c: {}}\nd: [1, 2]\ne:\n").unwrap();
        let paths: Vec<String> = leaves(&values).iter().map(Leaf::path).collect();
        assert_eq!(paths, ["a.b", "a.c", "d", "e"]);
    }

    #[test]
    fn entries_of_lists_go_by_their_name_or_place() {
        let values = yaml::read("v", b"volumes:\n- {name: home, source: {server: a}}\n- x\nempty: []\n").unwrap();
        let paths: Vec<String> = by_full_path(Some(&values)).into_keys().collect();
        assert_eq!(paths, ["empty", "volumes.1", "volumes.home.name", "volumes.home.source.server"]);
    }

    #[test]
    fn charts_beside_are_found_from_the_folder() {
        assert_eq!(beside("applications/tap", "file://../../charts/cadc-tap/").as_deref(), Some("charts/cadc-tap"));
        assert_eq!(beside("applications/tap", "https://example.org/"), None);
    }
}
