//! Which of upstream's commits and files touch what the environment uses.
//!
//! An application uses its folder (but for its README and the files of single environments), the charts beside it that it
//! depends on, and the template of its Argo CD Application; the environment uses the catalogue and its own file there. A
//! commit is relevant when one of these differs from its parent's; merges are not counted, as their commits are. Commits
//! that touch the environment's own values and secrets are counted apart: upstream hardly makes any, and each is told.
//! Every folder is hashed once however many commits share it, so that six thousand commits take a fraction of a second.

use super::comparison::Comparison;
use super::environment_files::values_environment;
use super::error::DriftError;
use super::model::Week;
use gix::ObjectId;
use jiff::Timestamp;
use jiff::civil::Weekday;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher as _};
use std::rc::Rc;

/// What an application uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// The application.
    pub(crate) application: String,
    /// Charts under `charts/`.
    pub(crate) charts: BTreeSet<String>,
}

/// What is relevant.
#[derive(Debug, Default)]
pub(crate) struct Relevance {
    /// Commits that touch something, newest first: place in the history, and which of the applications; the number after
    /// the last stands for the environment's switches.
    pub(crate) commits: Vec<(usize, Vec<usize>)>,
    /// How many touch what an enabled application uses, or the environment's switches.
    pub(crate) relevant: usize,
    /// How many touch the environment's own values and secrets of an enabled application.
    pub(crate) own: usize,
    /// Commits by week, merges apart.
    pub(crate) weeks: Vec<Week>,
}

impl Relevance {
    /// How many of them touch this application.
    pub(crate) fn of(&self, application: usize) -> usize {
        self.commits.iter().filter(|(_, touched)| touched.contains(&application)).count()
    }

    /// The newest commit that touches this application.
    pub(crate) fn newest(&self, application: usize) -> Option<usize> {
        self.commits.iter().find(|(_, touched)| touched.contains(&application)).map(|(place, _)| *place)
    }
}

/// Whether one of these applications, or the environment itself, uses a file.
pub(crate) fn uses(path: &str, all: &[&Uses], environments: &[&str]) -> bool {
    match path.split_once('/') {
        Some(("applications", rest)) => {
            let Some((name, file)) = rest.split_once('/') else { return false };
            is_used(file) && all.iter().any(|uses| uses.application == name)
        }
        Some(("charts", rest)) => {
            rest.split_once('/').is_some_and(|(name, _)| all.iter().any(|uses| uses.charts.contains(name)))
        }
        Some(("environments", rest)) if rest.starts_with("templates/") => {
            let file = path.rsplit('/').next().unwrap_or_default();
            let by_project = rest.starts_with("templates/applications/");
            all.iter().any(|uses| is_template_of(file, by_project, &uses.application))
        }
        Some(("environments", file)) => is_switch(file, environments),
        _ => false,
    }
}

/// A file in an application's folder: not its README, not the values or secrets of a single environment.
fn is_used(file: &str) -> bool {
    file != "README.md" && values_environment(file).is_none()
}

/// Values or secrets of an application for this environment.
fn is_own(file: &str, environments: &[&str]) -> bool {
    values_environment(file).is_some_and(|name| environments.contains(&name))
}

/// Where applications are turned on: the catalogue, and the environment's own file.
fn is_switch(file: &str, environments: &[&str]) -> bool {
    file == "values.yaml" || (file.starts_with("values-") && is_own(file, environments))
}

fn is_template_of(file: &str, by_project: bool, application: &str) -> bool {
    let end = if by_project { ".yaml" } else { "-application.yaml" };
    file.strip_suffix(end) == Some(application)
}

/// Looks at every commit of upstream. The weeks count what `enabled` applications use.
pub(crate) fn relevance(
    compared: &Comparison,
    all: &[Uses],
    enabled: &BTreeSet<String>,
    environments: &[&str],
) -> Result<Relevance, DriftError> {
    let mut prints = Prints { compared, all, enabled, environments, memory: HashMap::new(), roots: HashMap::new() };
    let slots = all.len() + APART;
    let nodes = &compared.history.nodes;
    let mut found = Relevance::default();
    let mut weeks: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for place in &compared.history.behind {
        let node = &nodes[*place];
        if node.parents.len() > 1 {
            continue;
        }
        let after = prints.of_root(node.tree)?;
        let touched: Vec<usize> = match node.parents.first() {
            Some(parent) => {
                let before = prints.of_root(nodes[*parent].tree)?;
                (0..slots).filter(|at| before[*at] != after[*at]).collect()
            }
            None => (0..slots).filter(|at| after[*at] != 0).collect(),
        };
        let is_relevant =
            |at: &usize| all.get(*at).map_or(*at == all.len(), |uses| enabled.contains(&uses.application));
        let relevant = usize::from(touched.iter().any(is_relevant));
        let week = weeks.entry(monday(node.time)).or_default();
        week.0 += 1;
        week.1 += relevant;
        found.relevant += relevant;
        found.own += usize::from(touched.contains(&(all.len() + 1)));
        if !touched.is_empty() {
            found.commits.push((*place, touched));
        }
    }
    found.weeks = weeks.into_iter().map(|(monday, (commits, relevant))| Week { monday, commits, relevant }).collect();
    Ok(found)
}

/// The Monday of a moment's week, in UTC.
fn monday(seconds: i64) -> String {
    let date = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
    let back = i64::from(date.weekday().since(Weekday::Monday));
    date.checked_sub(jiff::Span::new().days(back)).unwrap_or(date).to_string()
}

/// After the applications: the environment's switches, and its own values and secrets.
const APART: usize = 2;

/// Hashes of what each application uses, by the id of the tree.
struct Prints<'a> {
    compared: &'a Comparison,
    all: &'a [Uses],
    enabled: &'a BTreeSet<String>,
    environments: &'a [&'a str],
    /// By what the folder is to us, and its id.
    memory: HashMap<(Role, ObjectId), Rc<[u64]>>,
    roots: HashMap<ObjectId, Rc<[u64]>>,
}

/// The folders of a checkout that matter here.
const SIDES: [&str; 3] = ["applications", "charts", "environments"];

/// What a folder is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
    Applications,
    Application,
    Charts,
    Chart,
    Environments,
    Templates { by_project: bool },
}

impl Role {
    /// Whether an entry of such a folder can matter.
    fn wants(self, name: &str, is_folder: bool, all: &[Uses], environments: &[&str]) -> bool {
        match self {
            Self::Applications => is_folder && all.iter().any(|uses| uses.application == name),
            Self::Application => is_used(name) || is_own(name, environments),
            Self::Charts => is_folder && all.iter().any(|uses| uses.charts.contains(name)),
            Self::Chart => true,
            Self::Environments => (is_folder && name == "templates") || is_switch(name, environments),
            Self::Templates { by_project } => {
                is_folder || all.iter().any(|uses| is_template_of(name, by_project, &uses.application))
            }
        }
    }
}

impl Prints<'_> {
    /// One hash per application.
    fn of_root(&mut self, root: ObjectId) -> Result<Rc<[u64]>, DriftError> {
        if let Some(known) = self.roots.get(&root) {
            return Ok(Rc::clone(known));
        }
        let mut prints = vec![0; self.all.len() + APART];
        for (name, is_folder, id) in self.compared.pair.folder(root, |name, _| SIDES.contains(&name))? {
            let role = match name.as_str() {
                "applications" => Role::Applications,
                "charts" => Role::Charts,
                "environments" => Role::Environments,
                _ => continue,
            };
            if is_folder {
                mix(&mut prints, &self.of_folder(role, id)?);
            }
        }
        let prints: Rc<[u64]> = prints.into();
        self.roots.insert(root, Rc::clone(&prints));
        Ok(prints)
    }

    fn of_folder(&mut self, role: Role, id: ObjectId) -> Result<Rc<[u64]>, DriftError> {
        if let Some(known) = self.memory.get(&(role, id)) {
            return Ok(Rc::clone(known));
        }
        let switches = self.all.len();
        // Of an application: what it uses, and the environment's own files.
        let mut prints = vec![0; if matches!(role, Role::Application | Role::Chart) { 2 } else { switches + APART }];
        let all = self.all;
        let environments = self.environments;
        let wanted = |name: &str, is_folder: bool| role.wants(name, is_folder, all, environments);
        for (name, is_folder, id) in self.compared.pair.folder(id, wanted)? {
            match role {
                Role::Applications => {
                    if let Some(at) = self.all.iter().position(|uses| uses.application == name) {
                        let below = self.of_folder(Role::Application, id)?;
                        prints[at] ^= hash(&name, below[0]);
                        if below[1] != 0 && self.enabled.contains(&name) {
                            prints[switches + 1] ^= hash(&name, below[1]);
                        }
                    }
                }
                Role::Application => {
                    let slot = usize::from(!is_used(&name));
                    prints[slot] = hash((prints[slot], &name), id);
                }
                Role::Charts => {
                    let print = hash(&name, self.of_folder(Role::Chart, id)?[0]);
                    let all = self.all.iter().zip(&mut prints);
                    all.filter(|(uses, _)| uses.charts.contains(&name)).for_each(|(_, slot)| *slot ^= print);
                }
                Role::Chart => prints[0] = hash((prints[0], &name), id),
                Role::Environments if !is_folder => prints[switches] = hash((prints[switches], &name), id),
                Role::Environments => {
                    mix(&mut prints, &self.of_folder(Role::Templates { by_project: false }, id)?);
                }
                Role::Templates { .. } if is_folder => {
                    // `applications/`, and below it one folder a project: a move between projects counts, another
                    // project's folder does not.
                    let below = self.of_folder(Role::Templates { by_project: true }, id)?;
                    let here = |print: &u64| if *print == 0 { 0 } else { hash(&name, *print) };
                    let below: Vec<u64> = below.iter().map(here).collect();
                    mix(&mut prints, &below);
                }
                Role::Templates { by_project } => {
                    if let Some(at) =
                        self.all.iter().position(|uses| is_template_of(&name, by_project, &uses.application))
                    {
                        prints[at] ^= hash(&name, id);
                    }
                }
            }
        }
        let prints: Rc<[u64]> = prints.into();
        self.memory.insert((role, id), Rc::clone(&prints));
        Ok(prints)
    }
}

fn mix(prints: &mut [u64], with: &[u64]) {
    prints.iter_mut().zip(with).for_each(|(print, with)| *print ^= with);
}

fn hash(name: impl Hash, content: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    content.hash(&mut hasher);
    hasher.finish()
}
