//! The miniature phalanx: how `scripts/mini-phalanx` makes its repository, and that its charts render.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper is a failing test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mini-phalanx").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn make(destination: &Path) -> Output {
    Command::new(Path::new(ROOT).join("scripts/mini-phalanx")).arg(destination).output().unwrap()
}

/// A repository at the folder; nothing (said on standard error) where Argo CD's manifests cannot be had.
fn made(destination: &Path) -> Option<()> {
    let output = make(destination);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("are not at hand") || errors.contains("could not be downloaded") {
        eprintln!("skipped: {errors}");
        return None;
    }
    assert!(output.status.success(), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), destination.to_str().unwrap());
    Some(())
}

fn git(repository: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).arg("-C").arg(repository).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Every file below the folder with the time of its last change.
fn times(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            found.insert(entry.path(), metadata.modified().unwrap());
        }
    }
    found
}

#[test]
fn equal_sources_give_an_equal_commit_on_main() {
    let folder = folder("equal");
    let (one, other) = (folder.join("one"), folder.join("other"));
    if made(&one).is_none() || made(&other).is_none() {
        return;
    }
    assert_eq!(git(&one, &["rev-parse", "main"]), git(&other, &["rev-parse", "HEAD"]));
    assert_eq!(git(&one, &["status", "--porcelain"]), "");
    assert!(one.join("applications/argocd/charts/argo-cd/crds/applications.argoproj.io.yaml").is_file());
}

#[test]
fn a_second_run_writes_nothing_and_leaves_commits_on_top_alone() {
    let repository = folder("again").join("phalanx");
    if made(&repository).is_none() {
        return;
    }
    std::fs::write(repository.join("environments/values-more.yaml"), "name: more\n").unwrap();
    git(&repository, &["add", "--all"]);
    git(&repository, &["commit", "--quiet", "--message", "More"]);
    let before = times(&repository);
    made(&repository).unwrap();
    assert!(before == times(&repository), "the second run wrote");
}

#[test]
fn what_is_not_its_own_or_was_changed_is_never_replaced() {
    let folder = folder("foreign");
    let foreign = folder.join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("precious"), "x").unwrap();
    let changed = folder.join("changed");
    if made(&changed).is_none() {
        return;
    }
    // As if it had been made from older sources, and then somebody worked in it.
    std::fs::write(changed.join(".git/mini-phalanx"), "older\n").unwrap();
    std::fs::write(changed.join("precious"), "x").unwrap();
    for repository in [foreign, changed] {
        let output = make(&repository);
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(repository.to_str().unwrap()) && errors.contains("help: "), "{errors}");
        assert_eq!(std::fs::read(repository.join("precious")).unwrap(), b"x");
    }
}

#[test]
fn one_made_from_older_sources_is_replaced_by_the_same_commit_as_a_new_one() {
    let repository = folder("older").join("phalanx");
    if made(&repository).is_none() {
        return;
    }
    let new = git(&repository, &["rev-parse", "main"]);
    std::fs::write(repository.join("README.md"), "older\n").unwrap();
    git(&repository, &["commit", "--quiet", "--all", "--amend", "--message", "Older"]);
    let older = git(&repository, &["rev-parse", "main"]);
    assert_ne!(new, older);
    std::fs::write(repository.join(".git/mini-phalanx"), format!("older\n{older}\n")).unwrap();
    made(&repository).unwrap();
    assert_eq!(git(&repository, &["rev-parse", "main"]), new);
}

/// The helm that `scripts/build-tools` keeps.
fn helm() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let caches = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let cache = variable("RSP_INSTALL_CACHE").or_else(|| Some(caches()?.join("rsp-install")))?;
    Some(cache.join("tools/current/helm")).filter(|helm| helm.exists())
}

/// The paths that the rendered app-of-apps names, such as `applications/argocd`.
fn application_paths(rendered: &str) -> Vec<&str> {
    let lines = rendered.lines().map(str::trim);
    lines.filter_map(|line| line.strip_prefix("path: \"")?.strip_suffix('"')).collect()
}

#[test]
fn every_enabled_application_of_both_environments_renders() {
    let Some(helm) = helm() else {
        eprintln!("skipped: scripts/build-tools has not built helm");
        return;
    };
    let run = |folder: &Path, arguments: &[&str]| {
        let output = Command::new(&helm).current_dir(folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{folder:?} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let repository = folder("render").join("phalanx");
    if made(&repository).is_none() {
        return;
    }
    for (environment, count) in [("sandbox", 14), ("teststand", 11)] {
        let values = format!("values-{environment}.yaml");
        let arguments = ["template", "x", ".", "--values", "values.yaml", "--values", &values];
        let rendered = run(&repository.join("environments"), &arguments);
        let paths = application_paths(&rendered);
        assert_eq!(paths.len(), count, "{environment}: {paths:?}");
        for path in paths {
            let chart = repository.join(path);
            if chart.join("kustomization.yaml").exists() {
                continue;
            }
            run(&chart, &["dependency", "build"]);
            let host = "--set=global.host=h.example.org,global.vaultSecretsPath=secret/x";
            let arguments =
                ["template", "x", ".", "--kube-version=1.35", host, "--values=values.yaml", "--values", &values];
            let rendered = run(&chart, &arguments);
            assert!(rendered.contains("kind: "), "{path} renders something in {environment}");
        }
    }
}
