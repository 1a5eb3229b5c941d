//! Small repositories made with the Git program, which only tests need.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a failing helper is a failing test")]

use rsp_install::process::Process;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether the Git program is at hand; says so when it is not.
pub(crate) fn git_here() -> bool {
    let here = Command::new("git").arg("--version").output().is_ok();
    if !here {
        eprintln!("SKIPPED: the git program, which makes the test repositories, is not at hand");
    }
    here
}

/// A repository with a work tree on branch `main`, in a temporary place.
pub(crate) struct Fixture {
    place: tempfile::TempDir,
    clock: std::cell::Cell<u64>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let fixture = Self { place: tempfile::tempdir().unwrap(), clock: std::cell::Cell::new(1_700_000_000) };
        std::fs::create_dir(fixture.path()).unwrap();
        if Command::new("git").arg("--version").output().is_ok() {
            fixture.git(&["init", "-q", "-b", "main"]);
        }
        fixture
    }

    /// The work tree.
    pub(crate) fn path(&self) -> PathBuf {
        self.place.path().join("repository")
    }

    /// Another path in the same temporary place.
    pub(crate) fn other(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A process with its cache in the temporary place.
    pub(crate) fn process(&self) -> Process {
        let mut process = Process::from_system();
        process.variables.insert("RSP_INSTALL_CACHE".into(), self.other("cache").display().to_string());
        self.place.path().clone_into(&mut process.directory);
        process
    }

    /// Runs git in the work tree; its output without the last newline.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.path(), self.clock.get(), arguments)
    }

    /// Writes files without committing them; an empty text deletes.
    pub(crate) fn write(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.path().join(path);
            if text.is_empty() {
                std::fs::remove_file(path).unwrap();
            } else {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
        }
    }

    /// Commits these files and whatever else lies there; the commit's id.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        self.commit_saying("a change", files)
    }

    /// The same with a message.
    pub(crate) fn commit_saying(&self, message: &str, files: &[(&str, &str)]) -> String {
        self.write(files);
        self.clock.set(self.clock.get() + 3600);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A bare clone of it.
    pub(crate) fn bare(&self) -> PathBuf {
        let bare = self.other("bare.git");
        self.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
        bare
    }
}

/// Runs git somewhere with a fixed identity and clock.
pub(crate) fn git_in(directory: &Path, clock: u64, arguments: &[&str]) -> String {
    let date = format!("{clock} +0000");
    let output = Command::new("git")
        .args(["-c", "user.name=Someone", "-c", "user.email=someone@example.org", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", &date)
        .env("GIT_COMMITTER_DATE", &date)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
