//! What upstream edited in single environments' values of the applications that are on here, by commit of its branch.
//!
//! An edit in many environments and not in ours is a sweep: what was a chore there must be copied by hand here. What was
//! turned on for a while and off again shows only here, not in the difference of the ends.

use super::error::DriftError;
use super::view::View;
use crate::client::git::CommitId;
use gix::ObjectId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// From how many environments on it counts.
const MANY: usize = 5;

/// Files before and after, by environment.
type Sides = BTreeMap<String, (Option<ObjectId>, Option<ObjectId>)>;

/// One edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The commit on upstream's branch, mostly a merge.
    pub(crate) commit: CommitId,
    /// The application.
    pub(crate) application: String,
    /// The environments whose values it edits, with the file before and after.
    pub(crate) environments: Sides,
}

impl Edit {
    /// Whether it edits many environments, and none of these.
    pub(crate) fn is_sweep(&self, own: &[String]) -> bool {
        self.environments.len() >= MANY && !own.iter().any(|name| self.environments.contains_key(name))
    }
}

type Folder = Vec<(String, bool, ObjectId)>;

/// Looks along upstream's first parents at the enabled applications, newest first.
pub(crate) fn edits(view: &View<'_>) -> Result<Vec<Edit>, DriftError> {
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
            if !environments.is_empty() {
                found.push(Edit { commit: nodes[place].id, application: application.clone(), environments });
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
fn edited(view: &View<'_>, old: Option<ObjectId>, new: Option<ObjectId>) -> Result<Sides, DriftError> {
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
    let sides = |name: &String| (old.get(name).copied(), new.get(name).copied());
    Ok(names.into_iter().map(|name| (name.clone(), sides(name))).filter(|(_, (old, new))| old != new).collect())
}
