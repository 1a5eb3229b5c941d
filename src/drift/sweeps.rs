//! Sweeps: upstream edits an application's values in many environments at once, and not in ours. What was a chore there
//! must be copied by hand here.

use super::error::DriftError;
use super::view::View;
use crate::client::git::CommitId;
use gix::ObjectId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// From how many environments on it counts.
const MANY: usize = 5;

/// One sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// The commit on upstream's branch, mostly a merge.
    pub(crate) commit: CommitId,
    /// The application.
    pub(crate) application: String,
    /// The environments whose values it edits.
    pub(crate) environments: BTreeSet<String>,
}

type Folder = Vec<(String, bool, ObjectId)>;

/// Looks along upstream's first parents for sweeps of the enabled applications, newest first.
pub(crate) fn sweeps(view: &View<'_>) -> Result<Vec<Sweep>, DriftError> {
    let compared = view.compared;
    let nodes = &compared.history.nodes;
    let behind: BTreeSet<usize> = compared.history.behind.iter().copied().collect();
    let mut folders = Folders { view, applications: HashMap::new() };
    let mut found = Vec::new();
    let mut here = compared.history.behind.iter().copied().find(|place| nodes[*place].id == compared.upstream);
    while let Some(place) = here.filter(|place| behind.contains(place)) {
        let parent = nodes[place].parents.first().copied();
        let Some(before) = parent else { break };
        let (old, new) = (folders.of(nodes[before].tree)?, folders.of(nodes[place].tree)?);
        for application in &view.enabled {
            let (old, new) = (old.get(application), new.get(application));
            if old == new {
                continue;
            }
            let environments = edited(view, old.copied(), new.copied())?;
            let ours = view.names.iter().any(|name| environments.contains(name));
            if environments.len() >= MANY && !ours {
                found.push(Sweep { commit: nodes[place].id, application: application.clone(), environments });
            }
        }
        here = parent;
    }
    Ok(found)
}

/// The folders of applications, by the id of `applications/`.
struct Folders<'a> {
    view: &'a View<'a>,
    applications: HashMap<ObjectId, std::rc::Rc<BTreeMap<String, ObjectId>>>,
}

impl Folders<'_> {
    fn of(&mut self, root: ObjectId) -> Result<std::rc::Rc<BTreeMap<String, ObjectId>>, DriftError> {
        let pair = &self.view.compared.pair;
        let applications = pair.folder(root, |name, _| name == "applications")?.into_iter().next();
        let Some((_, true, id)) = applications else { return Ok(std::rc::Rc::default()) };
        if let Some(known) = self.applications.get(&id) {
            return Ok(std::rc::Rc::clone(known));
        }
        let enabled = &self.view.enabled;
        let entries = pair.folder(id, |name, _| enabled.contains(name))?;
        let folders = std::rc::Rc::new(entries.into_iter().map(|(name, _, id)| (name, id)).collect::<BTreeMap<_, _>>());
        self.applications.insert(id, std::rc::Rc::clone(&folders));
        Ok(folders)
    }
}

/// The environments whose values differ between two versions of an application's folder.
fn edited(view: &View<'_>, old: Option<ObjectId>, new: Option<ObjectId>) -> Result<BTreeSet<String>, DriftError> {
    let read = |id: Option<ObjectId>| -> Result<BTreeMap<String, ObjectId>, DriftError> {
        let entries: Folder = id
            .map(|id| view.compared.pair.folder(id, |name, _| name.starts_with("values-")))
            .transpose()?
            .unwrap_or_default();
        let name = |file: &str| Some(file.strip_prefix("values-")?.strip_suffix(".yaml")?.to_owned());
        Ok(entries.into_iter().filter_map(|(file, _, id)| Some((name(&file)?, id))).collect())
    };
    let (old, new) = (read(old)?, read(new)?);
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    Ok(names.into_iter().filter(|name| old.get(*name) != new.get(*name)).cloned().collect())
}
