//! The signals on the commits of the real repositories that show them, when clones of these are at hand.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod drift_common;

use drift_common::Clones;
use drift_common::git_common::{git_here, git_in};
use rsp_install::drift::{Level, Request, report};
use std::path::Path;

/// A signal, the environment, what stands for the fork (nothing: the commit's first parent), upstream, and some evidence.
type Case = (&'static str, Level, &'static str, Option<&'static str>, &'static str, &'static str);

/// The fork's main branch of 2025-04, whose environment `rsptest` upstream never had.
const FORK: Option<&str> = Some("fbd899770abf42cbe17e5afa74abb557157e82be");

const CASES: [Case; 25] = [
    ("app-removed", Level::Stop, "roe", None, "354b3f0a0454", "cachemachine is enabled here"),
    (
        "floor-version",
        Level::Stop,
        "roe",
        Some("6acc35003f69a1597539b44887644ed8c41ce917"),
        "50348eb9ff11",
        "from 9.3.1",
    ),
    ("kubernetes-min", Level::Stop, "ukidacprod", None, "eedc8f59b55e", "1.23 becomes 1.30"),
    ("vault-move", Level::Rebuild, "roe", None, "bc20a3f7f4a0", "vaultUrl: https://vault.lsst.codes"),
    ("vault-move", Level::Rebuild, "roe", None, "f77dbd317b49", "vaultPathPrefix"),
    ("vault-move", Level::Rebuild, "ukidacprod", None, "f7153dceb7ad", "vaultPathPrefix"),
    ("placement", Level::Rebuild, "roe", None, "94a37d646d0d", "loadBalancerIP"),
    ("placement", Level::Rebuild, "roe", None, "1a3ed1fa4b36", "postgresStorageClass: standard becomes ceph-hdd"),
    ("schema", Level::Procedure, "roe", None, "33d1e582721b", "appVersion 9.6.1 becomes 10.0.0"),
    ("schema", Level::Procedure, "idfprod", None, "ac2b1842a8b0", "idfprod turned its schema update on"),
    ("kind-switch", Level::Procedure, "roe", None, "c558275b0839", "Deployment mobu becomes StatefulSet mobu"),
    ("kind-switch", Level::Procedure, "roe", None, "b99ac002815c", "Deployment cloud-sql-proxy goes away"),
    ("resource-rename", Level::Procedure, "roe", None, "583967ccee16", "gafaelfawr: "),
    ("resource-rename", Level::Procedure, "roe", None, "dd6b9b0ae3ca", "mobu: "),
    ("missing-env-file", Level::Stop, "rsptest", FORK, "02a760999952", "the file is not there"),
    ("new-secret", Level::Procedure, "idfint", None, "7176c60d5ad4", "ssotap/tap-schema-password"),
    ("sweep", Level::Warn, "rsptest", FORK, "02a760999952", "other environments"),
    ("env-regression", Level::Stop, "ukidacdev", None, "80bbccb73bd1", "back to a former value"),
    ("downgrade", Level::Stop, "ukidacdev", None, "80bbccb73bd1", "argo-cd 9.4.4 becomes 9.3.4"),
    ("env-renamed", Level::Stop, "roe", None, "5966a5291894", "upstream calls roe now ukidacprod (by fqdn)"),
    ("argocd-major", Level::Procedure, "ukidacprod", None, "d817a2cc30ef", "argo-cd 8.6.4 becomes 9.0.5"),
    ("labs-incompatible", Level::Warn, "ukidacprod", None, "3afcd38c885a", "Nublado 12.0.0 is incompatible"),
    ("crd", Level::Procedure, "roe", None, "948bcc324cb1", "changed"),
    ("project-move", Level::Procedure, "roe", None, "646447ee905a", "project infrastructure becomes support"),
    (
        "merge-reverted",
        Level::Stop,
        "roe",
        Some("c18fba5d1078"),
        "0ff003392374b0609a8fc459ff62e18640857995",
        "Revert \"Merge branch 'lsst-sqre:main' into master\"",
    ),
];

/// Commits that look alike and must not raise the signal.
const QUIET: [(&str, &str, &str); 5] = [
    // It sets the update back to false.
    ("schema", "rsptest", "973c365edb3e"),
    // The floor is below the version that was there.
    ("floor-version", "roe", "50348eb9ff11"),
    // The Job becomes a hook.
    ("job-immutable", "idfdev", "2be156737a2f"),
    // The same commit takes the setting out of this environment's file.
    ("stale-override", "roe", "b6d575724222"),
    // Values of this environment came along.
    ("missing-env-file", "ukidacprod", "02a760999952"),
];

#[test]
fn signals_show_on_the_commits_that_are_known_for_them() {
    let Some(clones) = Clones::find().filter(|_| git_here()) else { return };
    let mut wrong = Vec::new();
    let check = |id: &str, environment: &str, fork: Option<&str>, upstream: &str| {
        let resolve = |commit: &str| {
            [&clones.upstream, &clones.fork].into_iter().find_map(|repository| {
                let found = std::process::Command::new("git")
                    .args(["--git-dir", repository, "rev-parse", "--verify", "-q", &format!("{commit}^{{commit}}")])
                    .output()
                    .unwrap();
                let text = String::from_utf8(found.stdout).unwrap().trim().to_owned();
                found.status.success().then_some((repository.clone(), text))
            })
        };
        let (repository, commit) = resolve(upstream).unwrap();
        let parent = git_in(Path::new(&repository), 0, &["rev-parse", &format!("{commit}^1")]);
        let (fork_repository, fork) = fork.map_or_else(|| (repository.clone(), parent), |fork| resolve(fork).unwrap());
        let (mut ours, mut theirs) = clones.sides(&fork, &commit);
        (ours.repository, theirs.repository) = (fork_repository, repository);
        let request = Request {
            environment: environment.to_owned(),
            aliases: Vec::new(),
            former_names: Vec::new(),
            fork: ours,
            upstream: theirs,
            facts: None,
        };
        let report = report(&clones.git, &request).unwrap();
        report.signals.into_iter().find(|signal| signal.id == id)
    };
    for (id, level, environment, fork, upstream, words) in CASES {
        match check(id, environment, fork, upstream) {
            Some(signal) if signal.level == level && signal.evidence.iter().any(|one| one.text.contains(words)) => {}
            found => wrong.push(format!("{id} of {environment} at {upstream}: {found:?}")),
        }
    }
    for (id, environment, upstream) in QUIET {
        if let Some(found) = check(id, environment, None, upstream) {
            wrong.push(format!("{id} of {environment} at {upstream} should be quiet: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
