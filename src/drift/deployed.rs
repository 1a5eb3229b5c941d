//! What the cluster runs: the fork as it was at the commits that Argo CD synced last.

use super::error::DriftError;
use super::facts::Facts;
use super::model::Unreadable;
use super::snapshot::Snapshot;
use crate::client::git::Pair;
use std::collections::{BTreeMap, BTreeSet};

/// The fork at each commit that is deployed, mostly one or two.
#[derive(Default)]
pub(crate) struct Deployed {
    commits: BTreeMap<String, Snapshot>,
    by_application: BTreeMap<String, String>,
    /// Applications whose commit is in neither repository.
    pub(crate) unknown: Vec<Unreadable>,
}

impl Deployed {
    /// Reads what the facts name of these applications.
    pub(crate) fn open(
        pair: &Pair,
        facts: Option<&Facts>,
        applications: &BTreeSet<String>,
    ) -> Result<Self, DriftError> {
        let mut deployed = Self::default();
        let revisions = facts.into_iter().flat_map(|facts| &facts.revisions);
        for (application, revision) in revisions.filter(|(name, _)| applications.contains(*name)) {
            if !deployed.commits.contains_key(revision) {
                let commit = gix::ObjectId::from_hex(revision.as_bytes()).ok();
                let Some(tree) = commit.and_then(|commit| pair.tree(commit).ok()) else {
                    deployed.unknown.push(Unreadable {
                        side: "deployed".into(),
                        file: format!("applications/{application}"),
                        reason: format!(
                            "the cluster runs {revision}, which is in neither repository: \
                             its versions are those of the merge base"
                        ),
                    });
                    continue;
                };
                deployed.commits.insert(revision.clone(), Snapshot::open("deployed", tree)?);
            }
            deployed.by_application.insert(application.clone(), revision.clone());
        }
        Ok(deployed)
    }

    /// The fork as an application was deployed from it.
    pub(crate) fn of(&self, application: &str) -> Option<&Snapshot> {
        self.commits.get(self.by_application.get(application)?)
    }
}
