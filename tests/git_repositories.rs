//! Repositories, local and behind HTTP: what the rest of the program may rely on.

mod git_common;

use git_common::{Fixture, git_here};
use rsp_install::client::git::{Git, GitError};
use rsp_install::engine::Events;
use rsp_install::error::{Explain as _, Kind};
use rsp_install::phalanx::tree::Tree as _;

#[test]
fn a_work_tree_and_a_bare_clone_give_the_same_files_and_uncommitted_changes_are_not_looked_at() {
    if !git_here() {
        return;
    }
    let fixture = Fixture::new();
    let first = fixture.commit(&[("applications/tap/Chart.yaml", "name: tap\n"), ("README.md", "one\n")]);
    let bare = fixture.bare();
    std::fs::write(fixture.path().join("README.md"), "not committed\n").unwrap();
    let git = Git::new(&fixture.process(), Events::default());
    for place in
        [fixture.path().display().to_string(), bare.display().to_string(), format!("file://{}", bare.display())]
    {
        let tree = git.checkout(&place, "main").unwrap();
        assert_eq!(tree.commit().to_string(), first, "{place}");
        assert_eq!(tree.read("README.md").unwrap().unwrap(), b"one\n");
        assert_eq!(tree.read("applications/tap/none").unwrap(), None);
        assert_eq!(tree.read("applications").unwrap(), None, "a folder is not a file");
        let names: Vec<String> = tree.list("").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["README.md", "applications"]);
        assert!(tree.list("applications").unwrap()[0].is_folder);
        assert!(tree.list("nowhere").unwrap().is_empty());
        let id = fixture.git(&["rev-parse", "main:applications"]);
        assert_eq!(tree.identity("applications").unwrap().as_deref(), Some(id.as_str()));
    }
}

#[test]
fn a_branch_wins_over_a_tag_and_commits_may_be_shortened() {
    if !git_here() {
        return;
    }
    let fixture = Fixture::new();
    let first = fixture.commit(&[("a", "1\n")]);
    fixture.git(&["tag", "-a", "-m", "a tag", "v1"]);
    fixture.git(&["tag", "main"]);
    let second = fixture.commit(&[("a", "2\n")]);
    let git = Git::new(&fixture.process(), Events::default());
    let resolve = |name: &str| git.open_at(&fixture.path().display().to_string(), name).map(|(_, id)| id.to_string());
    assert_eq!(resolve("main").unwrap(), second);
    assert_eq!(resolve("refs/tags/main").unwrap(), first);
    assert_eq!(resolve("v1").unwrap(), first, "an annotated tag leads to its commit");
    assert_eq!(resolve(&first[..9]).unwrap(), first);
    assert_eq!(resolve("HEAD").unwrap(), second);
}

#[test]
fn an_unknown_branch_lists_the_names_that_come_near() {
    if !git_here() {
        return;
    }
    let fixture = Fixture::new();
    fixture.commit(&[("a", "1\n")]);
    fixture.git(&["branch", "rsptest"]);
    let error = Git::new(&fixture.process(), Events::default())
        .open_at(&fixture.path().display().to_string(), "rsptset")
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(error.help(), ["near that name: rsptest"]);
}

#[test]
fn what_is_no_repository_is_invalid_and_says_so() {
    let fixture = Fixture::new();
    let git = Git::new(&fixture.process(), Events::default());
    for place in ["nowhere", "file:///nowhere/at/all"] {
        let error = git.open(place).map(|_| ()).unwrap_err();
        assert!(matches!(error, GitError::NotARepository { .. }), "{error}");
        assert_eq!(error.kind(), Kind::Invalid);
    }
}

#[test]
fn a_shallow_clone_can_be_read_and_names_its_boundary() {
    if !git_here() {
        return;
    }
    let fixture = Fixture::new();
    fixture.commit(&[("a", "1\n")]);
    let second = fixture.commit(&[("a", "2\n")]);
    let shallow = fixture.other("shallow");
    let from = format!("file://{}", fixture.path().display());
    fixture.git(&["clone", "-q", "--depth", "1", &from, shallow.to_str().unwrap()]);
    let (opened, commit) =
        Git::new(&fixture.process(), Events::default()).open_at(shallow.to_str().unwrap(), "main").unwrap();
    assert_eq!(commit.to_string(), second);
    assert_eq!(opened.tree(commit).unwrap().read("a").unwrap().unwrap(), b"2\n");
    assert_eq!(opened.shallow_boundary().unwrap(), [commit]);
}

#[test]
fn a_partial_clone_names_the_object_that_it_lacks() {
    if !git_here() {
        return;
    }
    let fixture = Fixture::new();
    fixture.commit(&[("folder/a", "1\n")]);
    fixture.git(&["config", "uploadpack.allowFilter", "true"]);
    let partial = fixture.other("partial");
    let from = format!("file://{}", fixture.path().display());
    fixture.git(&["clone", "-q", "--bare", "--filter=blob:none", &from, partial.to_str().unwrap()]);
    let tree = Git::new(&fixture.process(), Events::default()).checkout(partial.to_str().unwrap(), "main").unwrap();
    let failure = rsp_install::error::Failure::from(tree.read("folder/a").unwrap_err());
    assert_eq!(failure.kind, Kind::Invalid);
    assert!(failure.message.contains("folder/a") && failure.message.contains("partial clone"), "{failure}");
}

#[cfg(unix)]
#[test]
fn an_exported_folder_holds_files_only_and_nothing_leads_out_of_it() {
    if !git_here() {
        return;
    }
    let fixture = Fixture::new();
    fixture.write(&[
        ("charts/a/Chart.yaml", "name: a\n"),
        ("charts/a/templates/x.yaml", "x: 1\n"),
        ("shared.txt", "shared\n"),
    ]);
    std::os::unix::fs::symlink("../../shared.txt", fixture.path().join("charts/a/link")).unwrap();
    std::os::unix::fs::symlink("templates", fixture.path().join("charts/a/folder")).unwrap();
    fixture.commit(&[]);
    let git = Git::new(&fixture.process(), Events::default());
    let place = fixture.path().display().to_string();
    let tree = git.checkout(&place, "main").unwrap();
    assert_eq!(tree.read("charts/a/link").unwrap().unwrap(), b"shared\n");
    assert_eq!(tree.read("charts/a/folder/x.yaml").unwrap().unwrap(), b"x: 1\n");
    let to = fixture.other("export");
    tree.export("charts/a", &to).unwrap();
    assert_eq!(std::fs::read_to_string(to.join("link")).unwrap(), "shared\n");
    assert!(!to.join("link").is_symlink() && !to.join("folder").is_symlink());
    assert_eq!(std::fs::read_to_string(to.join("folder/x.yaml")).unwrap(), "x: 1\n");
    assert!(matches!(tree.export("charts/none", &to), Err(GitError::Unsafe { .. })));

    std::os::unix::fs::symlink("../../../../etc/passwd", fixture.path().join("charts/a/out")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", fixture.path().join("charts/a/absolute")).unwrap();
    std::os::unix::fs::symlink("circle", fixture.path().join("charts/a/circle")).unwrap();
    fixture.commit(&[]);
    let tree = git.checkout(&place, "main").unwrap();
    for path in ["charts/a/out", "charts/a/absolute", "charts/a/circle"] {
        assert!(tree.read(path).is_err(), "{path}");
    }
    assert!(tree.export("charts/a", &fixture.other("export2")).is_err());
}
