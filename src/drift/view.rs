//! The four sides of a merge, and what the environment is called on each.

use super::comparison::Comparison;
use super::deployed::Deployed;
use super::error::DriftError;
use super::facts::Facts;
use super::model::{EnvironmentReport, Unreadable};
use super::request::Request;
use super::snapshot::Snapshot;
use crate::phalanx::tree::Tree as _;
use std::collections::{BTreeMap, BTreeSet};

/// The four sides, read as phalanx.
pub(crate) struct View<'a> {
    /// The figures below it all.
    pub(crate) compared: &'a Comparison,
    /// Where the histories parted; nothing when they never met.
    pub(crate) base: Option<Snapshot>,
    /// The fork.
    pub(crate) fork: Snapshot,
    /// Upstream.
    pub(crate) upstream: Snapshot,
    /// What a merge would give.
    pub(crate) merged: Snapshot,
    /// What the cluster runs.
    pub(crate) deployed: Deployed,
    /// What is known of the cluster.
    pub(crate) facts: Option<&'a Facts>,
    /// The environment's name on the fork.
    pub(crate) name: String,
    /// Its name after the merge.
    pub(crate) merged_name: String,
    /// All names it goes by, the fork's first.
    pub(crate) names: Vec<String>,
    /// The applications that are on today.
    pub(crate) enabled: BTreeSet<String>,
    /// The applications that would be on after the merge.
    pub(crate) enabled_after: BTreeSet<String>,
}

impl<'a> View<'a> {
    /// Reads the four sides.
    pub(crate) fn open(
        compared: &'a Comparison,
        request: &'a Request,
    ) -> Result<(Self, EnvironmentReport), DriftError> {
        let Request { environment, aliases, former_names: former, .. } = request;
        let fork = Snapshot::open("fork", compared.fork_tree()?)?;
        fork.refuse_strangers()?;
        let upstream = Snapshot::open("upstream", compared.upstream_tree()?)?;
        upstream.refuse_strangers()?;
        let merged = Snapshot::open("merge", compared.merged_tree())?;
        let base = compared.base_tree()?.map(|tree| Snapshot::open("base", tree)).transpose()?;
        let others = || aliases.iter().chain(former).map(String::as_str);
        let name = std::iter::once(environment.as_str())
            .chain(others())
            .find(|name| exists(&fork, name))
            .unwrap_or(environment.as_str());
        let mut report =
            EnvironmentReport { name: name.to_owned(), in_fork: exists(&fork, name), ..EnvironmentReport::default() };
        report.in_upstream = exists(&upstream, name);
        if !report.in_upstream && report.in_fork {
            let was_there = base.as_ref().is_some_and(|base| exists(base, name));
            let found = renamed(&fork, &upstream, name, aliases, former)?;
            // An environment that upstream never had is the fork's own, unless upstream has taken it in under a new name.
            if let Some((to, by)) = found.filter(|(_, by)| was_there || *by != "alias") {
                (report.renamed_to, report.renamed_by) = (Some(to), Some(by.to_owned()));
            }
        }
        if !report.in_fork && !report.in_upstream {
            return Err(DriftError::NoEnvironment {
                environment: environment.clone(),
                fork: fork.tree.place(),
                upstream: upstream.tree.place(),
                known: fork.environments()?,
            });
        }
        let upstream_name = report.renamed_to.clone().unwrap_or_else(|| name.to_owned());
        let merged_name = if exists(&merged, name) { name.to_owned() } else { upstream_name.clone() };
        let mut names = vec![name.to_owned()];
        names.extend(others().map(str::to_owned));
        names.push(upstream_name.clone());
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let mut enabled = fork.enabled(name)?;
        if report.in_fork && fork.environment(name)?.is_none() {
            // The fork's file is broken: what was on before it broke is the next best.
            let before = if let Some(base) = &base { base.enabled(name)? } else { BTreeSet::new() };
            enabled = if before.is_empty() { upstream.enabled(name)? } else { before };
        }
        // Enabled means nothing where the chart is gone: Helm has no template for it either.
        let catalogue = merged.catalogue()?;
        let enabled_after = merged.enabled(&merged_name)?;
        let enabled_after = enabled_after.into_iter().filter(|name| known(catalogue.as_ref(), name)).collect();
        let name = name.to_owned();
        let deployed = Deployed::open(&compared.pair, request.facts.as_ref(), &enabled)?;
        let facts = request.facts.as_ref();
        let view = Self {
            compared,
            base,
            fork,
            upstream,
            merged,
            deployed,
            facts,
            name,
            merged_name,
            names,
            enabled,
            enabled_after,
        };
        Ok((view, report))
    }

    /// The base, or the fork where there is none: what was there before.
    pub(crate) fn before(&self) -> &Snapshot {
        self.base.as_ref().unwrap_or(&self.fork)
    }

    /// What could not be read on any side.
    pub(crate) fn unreadable(&self) -> Vec<Unreadable> {
        let sides = [self.base.as_ref(), Some(&self.fork), Some(&self.upstream), Some(&self.merged)];
        let mut all: Vec<Unreadable> = sides.into_iter().flatten().flat_map(Snapshot::unreadable).collect();
        all.extend(self.deployed.unknown.iter().cloned());
        all.sort();
        all
    }

    /// The environment's names, for those who look for its files.
    pub(crate) fn own_names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }
}

fn known(catalogue: Option<&BTreeMap<String, bool>>, application: &str) -> bool {
    catalogue.is_none_or(|catalogue| catalogue.contains_key(application))
}

fn exists(side: &Snapshot, environment: &str) -> bool {
    matches!(side.tree.identity(&format!("environments/values-{environment}.yaml")), Ok(Some(_)))
}

/// What upstream calls the environment now: another known name of it, or the one environment with its host.
fn renamed(
    fork: &Snapshot,
    upstream: &Snapshot,
    name: &str,
    aliases: &[String],
    former: &[String],
) -> Result<Option<(String, &'static str)>, DriftError> {
    let host = fork.environment_text(name, "fqdn")?;
    if let Some(host) = host {
        for candidate in upstream.environments()? {
            if upstream.environment_text(&candidate, "fqdn")?.as_ref() == Some(&host) {
                return Ok(Some((candidate, "fqdn")));
            }
        }
    }
    let by_name = |names: &[String]| names.iter().find(|other| *other != name && exists(upstream, other)).cloned();
    Ok(by_name(former).map(|to| (to, "formerName")).or_else(|| by_name(aliases).map(|to| (to, "alias"))))
}
