//! Five hundred generated pairs of forks: we and Git must agree.
#![allow(clippy::unwrap_used, clippy::format_collect, reason = "a failing helper is a failing test")]

mod git_common;

use git_common::{Fixture, git_here, git_in};
use rsp_install::client::git::Git;
use rsp_install::drift::{Comparison, Side};
use rsp_install::engine::Events;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const PAIRS: usize = 500;

/// A small generator with a fixed start: a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

type Files = BTreeMap<String, String>;

/// Writes commits for `git fast-import`.
struct Stream {
    text: String,
    marks: usize,
    clock: u64,
}

impl Stream {
    fn commit(&mut self, branch: &str, files: &Files, parents: &[usize]) -> usize {
        self.marks += 1;
        self.clock += 60;
        let (mark, clock) = (self.marks, self.clock);
        write!(self.text, "commit refs/heads/{branch}\nmark :{mark}\n").unwrap();
        write!(self.text, "committer Someone <someone@example.org> {clock} +0000\ndata 1\nx\n").unwrap();
        for (at, parent) in parents.iter().enumerate() {
            writeln!(self.text, "{} :{parent}", if at == 0 { "from" } else { "merge" }).unwrap();
        }
        self.text.push_str("deleteall\n");
        for (path, content) in files {
            write!(self.text, "M 100644 inline {path}\ndata {}\n{content}\n", content.len()).unwrap();
        }
        mark
    }
}

fn start(dice: &mut Dice) -> Files {
    let lines = |file: usize| (0..12).map(|line| format!("file {file} line {line}\n")).collect();
    (0..5 + dice.roll(5)).map(|file| (format!("folder{}/f{file}", file % 3), lines(file))).collect()
}

/// One random change of the kinds that people make.
fn change(files: &mut Files, dice: &mut Dice, by: &str) {
    let paths: Vec<String> = files.keys().cloned().collect();
    let path = paths[dice.roll(paths.len())].clone();
    match dice.roll(10) {
        0 if paths.len() > 2 => {
            files.remove(&path);
        }
        1 => {
            let both = dice.roll(3) == 0;
            let content = if both { "the same\n".to_owned() } else { format!("new by {by} {}\n", dice.roll(4)) };
            files.insert(format!("folder{}/new{}", dice.roll(3), dice.roll(4)), content);
        }
        2 => {
            files.insert(path, String::new());
        }
        _ => {
            let mut lines: Vec<String> = files[&path].lines().map(str::to_owned).collect();
            let at = dice.roll(lines.len().max(1));
            let text = if dice.roll(5) == 0 { "agreed".to_owned() } else { format!("{by} {}", dice.roll(3)) };
            if at < lines.len() && dice.roll(4) > 0 {
                lines[at] = text;
            } else {
                lines.insert(at.min(lines.len()), text);
            }
            files.insert(path, lines.iter().map(|line| format!("{line}\n")).collect());
        }
    }
}

/// One pair: a common start (or none), changes on both sides, now and then a merge across.
fn pair(stream: &mut Stream, dice: &mut Dice, number: usize) {
    let (fork_branch, upstream_branch) = (format!("fork{number}"), format!("upstream{number}"));
    let mut fork = start(dice);
    let mut upstream = fork.clone();
    let base = stream.commit(&fork_branch, &fork, &[]);
    let unrelated = dice.roll(25) == 0;
    let (mut ours, mut theirs) = (base, base);
    if unrelated {
        upstream = start(dice);
        theirs = stream.commit(&upstream_branch, &upstream, &[]);
    } else {
        writeln!(stream.text, "reset refs/heads/{upstream_branch}\nfrom :{base}\n").unwrap();
    }
    for _ in 0..dice.roll(7) {
        let (before_ours, before_theirs) = (ours, theirs);
        for _ in 0..dice.roll(3) {
            change(&mut fork, dice, "fork");
            ours = stream.commit(&fork_branch, &fork, &[ours]);
        }
        for _ in 0..dice.roll(4) {
            change(&mut upstream, dice, "upstream");
            theirs = stream.commit(&upstream_branch, &upstream, &[theirs]);
        }
        if unrelated {
            continue;
        }
        match dice.roll(12) {
            0 if before_theirs != base => ours = stream.commit(&fork_branch, &fork, &[ours, before_theirs]),
            // Criss-cross: each takes the other's state of before; several merge bases.
            1 if before_theirs != base && before_ours != base => {
                ours = stream.commit(&fork_branch, &fork, &[ours, before_theirs]);
                theirs = stream.commit(&upstream_branch, &upstream, &[theirs, before_ours]);
            }
            _ => {}
        }
    }
}

fn import(directory: &Path, text: &str) {
    let mut child = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// What `git merge-tree` says: the tree, and the files in conflict.
fn merge_tree(directory: &Path, fork: &str, upstream: &str) -> (String, BTreeSet<String>, bool) {
    let output = Command::new("git")
        .args(["-c", "merge.renames=false", "merge-tree", "--write-tree", "--name-only", "--no-messages"])
        .args(["--allow-unrelated-histories", fork, upstream])
        .current_dir(directory)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    let tree = lines.next().unwrap().to_owned();
    (tree, lines.filter(|line| !line.is_empty()).map(str::to_owned).collect(), output.status.code() == Some(0))
}

#[test]
fn five_hundred_generated_pairs_agree_with_git() {
    if !git_here() {
        return;
    }
    let fixture = Fixture::new();
    let mut stream = Stream { text: String::new(), marks: 0, clock: 1_700_000_000 };
    let mut dice = Dice(0x5eed_cafe_f00d_0001);
    (0..PAIRS).for_each(|number| pair(&mut stream, &mut dice, number));
    import(&fixture.path(), &stream.text);
    let git = Git::new(&fixture.process(), Events::default());
    let repository = fixture.path().display().to_string();
    let side = |name: String| Side { repository: repository.clone(), reference: name };
    let (mut conflicting, mut several, mut clean) = (0, 0, 0);
    let mut wrong = Vec::new();
    for number in 0..PAIRS {
        let (fork, upstream) = (format!("fork{number}"), format!("upstream{number}"));
        let compared = Comparison::open(&git, &side(fork.clone()), &side(upstream.clone())).unwrap();
        let run = |arguments: &[&str]| git_in(&fixture.path(), 0, arguments);
        let counts = run(&["rev-list", "--left-right", "--count", &format!("{fork}...{upstream}")]);
        let ours = format!("{}\t{}", compared.history.ahead.len(), compared.history.behind.len());
        assert_eq!(ours, counts, "pair {number}: ahead and behind");
        let bases = Command::new("git")
            .args(["merge-base", "--all", &fork, &upstream])
            .current_dir(fixture.path())
            .output()
            .unwrap()
            .stdout;
        let mut bases: Vec<String> = String::from_utf8(bases).unwrap().lines().map(str::to_owned).collect();
        bases.sort();
        let ours: Vec<String> = compared.history.merge_bases.iter().map(ToString::to_string).collect();
        assert_eq!(ours, bases, "pair {number}: merge bases");
        if let Some(base) = bases.first() {
            let files = run(&["diff", "--no-renames", "--name-only", base, &upstream]);
            let ours: Vec<&str> = compared.upstream_changes.keys().map(String::as_str).collect();
            assert_eq!(ours.join("\n"), files, "pair {number}: files that upstream changed");
        }
        let (tree, conflicts, is_clean) = merge_tree(&fixture.path(), &fork, &upstream);
        let ours: BTreeSet<String> = compared.merge.conflicts.keys().cloned().collect();
        let merged = compared.merge.tree.to_string();
        if ours != conflicts || (is_clean && merged != tree) {
            wrong.push(format!("pair {number} ({} bases): ours {ours:?}, Git's {conflicts:?}", bases.len()));
        }
        several += usize::from(bases.len() > 1);
        conflicting += usize::from(!is_clean);
        clean += usize::from(is_clean && !compared.history.ahead.is_empty() && !compared.history.behind.is_empty());
    }
    eprintln!("{conflicting} with conflicts, {clean} merged cleanly, {several} with several merge bases");
    assert!(conflicting > 50 && clean > 50 && several > 5, "the generator must make all kinds of pairs");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
