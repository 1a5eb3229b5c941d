//! What the tests of the comparison share: where the real repositories and the measured cases are, when they are at
//! hand; and a small phalanx made for the test.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "each test file uses its part")]

#[path = "../git_common/mod.rs"]
pub(crate) mod git_common;
pub(crate) mod phalanx;

use rsp_install::client::git::Git;
use rsp_install::drift::{Comparison, Side};
use rsp_install::engine::Events;
use rsp_install::process::Process;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Clones of lsst-sqre/phalanx and lsst-uk/phalanx.
pub(crate) struct Clones {
    pub(crate) upstream: String,
    pub(crate) fork: String,
    pub(crate) git: Git,
}

impl Clones {
    /// The clones that the environment names; says so when it names none.
    pub(crate) fn find() -> Option<Self> {
        let process = Process::from_system();
        let upstream = process.variable("RSP_INSTALL_PHALANX_UPSTREAM").map(str::to_owned);
        let fork = process.variable("RSP_INSTALL_PHALANX_FORK").map(str::to_owned);
        let (Some(upstream), Some(fork)) = (upstream, fork) else {
            eprintln!("SKIPPED: RSP_INSTALL_PHALANX_UPSTREAM and RSP_INSTALL_PHALANX_FORK name no clones of phalanx");
            return None;
        };
        Some(Self { upstream, fork, git: Git::new(&process, Events::default()) })
    }

    pub(crate) fn sides(&self, fork: &str, upstream: &str) -> (Side, Side) {
        let side = |repository: &str, reference: &str| Side {
            repository: repository.to_owned(),
            reference: reference.to_owned(),
        };
        (side(&self.fork, fork), side(&self.upstream, upstream))
    }

    pub(crate) fn compare(&self, fork: &str, upstream: &str) -> Comparison {
        let (fork, upstream) = self.sides(fork, upstream);
        Comparison::open(&self.git, &fork, &upstream).unwrap()
    }

    /// Compares with a root commit that has the tree of `fork`.
    pub(crate) fn compare_unrelated(&self, upstream: &str, fork: &str) -> Comparison {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("unrelated");
        let git = |arguments: &[&str]| {
            let output = std::process::Command::new("git")
                .args(["-c", "user.name=x", "-c", "user.email=x@example.org"])
                .args(arguments)
                .env("GIT_AUTHOR_DATE", "1743811200 +0000")
                .env("GIT_COMMITTER_DATE", "1743811200 +0000")
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let there = path.to_str().unwrap();
        git(&["init", "-q", "--bare", there]);
        let objects = std::path::absolute(Path::new(&self.fork)).unwrap().join("objects");
        std::fs::write(path.join("objects/info/alternates"), format!("{}\n", objects.display())).unwrap();
        let commit = git(&["-C", there, "commit-tree", "-m", "unrelated", &format!("{fork}^{{tree}}")]);
        let side = Side { repository: there.to_owned(), reference: commit };
        Comparison::open(&self.git, &side, &self.sides("", upstream).1).unwrap()
    }
}

/// What was measured; says so when it is not at hand.
pub(crate) fn cases() -> Option<Value> {
    shared("drift-cases.json").map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

/// A file that is shared with the project but not part of it.
pub(crate) fn shared(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    let content = std::fs::read(&path).ok();
    if content.is_none() {
        eprintln!("SKIPPED: ../shared/{name} is not at hand");
    }
    content
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
