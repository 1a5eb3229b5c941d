//! What lies between two commits: who is ahead of whom, and where they parted.

use super::pair::Pair;
use super::{CommitId, GitError};
use gix::ObjectId;
use gix::objs::{CommitRefIter, Find as _};
use std::collections::{BinaryHeap, HashMap};

/// How far the clocks of committers may be wrong: a common commit that is so much older than everything in question has
/// no ancestor among it. Git itself gives such history five commits more; we give it a month.
const SKEW: i64 = 30 * 86_400;

/// One commit of the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: CommitId,
    /// Its root folder.
    pub tree: ObjectId,
    /// When it was committed, seconds since 1970.
    pub time: i64,
    /// Its parents, as places in [`History::nodes`].
    pub parents: Vec<usize>,
}

/// Two tips and what lies between them.
#[derive(Debug)]
pub struct History {
    /// Every commit that was looked at.
    pub nodes: Vec<Node>,
    /// Commits of the fork only, newest first, as places in `nodes`.
    pub ahead: Vec<usize>,
    /// Commits of upstream only, newest first.
    pub behind: Vec<usize>,
    /// The best common ancestors, by id; none when the histories are unrelated.
    pub merge_bases: Vec<CommitId>,
}

const FORK: u8 = 1;
const UPSTREAM: u8 = 2;
const COMMON: u8 = FORK | UPSTREAM;
/// An ancestor of a common commit: common too, but not the best.
const STALE: u8 = 4;

struct Walk<'a> {
    pair: &'a Pair,
    nodes: Vec<Node>,
    flags: Vec<u8>,
    /// The parents' ids of a commit until its parents were visited.
    unvisited: Vec<Option<Vec<CommitId>>>,
    queued: Vec<bool>,
    places: HashMap<CommitId, usize>,
    queue: BinaryHeap<(i64, usize)>,
    /// How many queued commits are in question: on one side, or candidates for a merge base.
    open: usize,
    buffer: Vec<u8>,
}

impl Pair {
    /// Compares two histories in one walk from the tips down.
    pub fn history(&self, fork: CommitId, upstream: CommitId) -> Result<History, GitError> {
        let mut walk = Walk {
            pair: self,
            nodes: Vec::new(),
            flags: Vec::new(),
            unvisited: Vec::new(),
            queued: Vec::new(),
            places: HashMap::new(),
            queue: BinaryHeap::new(),
            open: 0,
            buffer: Vec::new(),
        };
        walk.paint(fork, FORK)?;
        walk.paint(upstream, UPSTREAM)?;
        walk.run()?;
        Ok(walk.finish())
    }
}

impl Walk<'_> {
    /// Adds flags to a commit and queues it when that changed anything.
    fn paint(&mut self, id: CommitId, flags: u8) -> Result<usize, GitError> {
        let place = if let Some(place) = self.places.get(&id) {
            *place
        } else {
            let (node, parents) = self.decode(id)?;
            self.places.insert(id, self.nodes.len());
            self.nodes.push(node);
            self.flags.push(0);
            self.unvisited.push(Some(parents));
            self.queued.push(false);
            self.nodes.len() - 1
        };
        let before = self.flags[place];
        let after = before | flags;
        if after == before {
            return Ok(place);
        }
        self.flags[place] = after;
        if self.queued[place] {
            self.open -= usize::from(before & STALE == 0 && after & STALE != 0);
        } else {
            self.queued[place] = true;
            self.open += usize::from(after & STALE == 0);
            self.queue.push((self.nodes[place].time, place));
        }
        Ok(place)
    }

    fn run(&mut self) -> Result<(), GitError> {
        let mut oldest = i64::MAX;
        while let Some((time, place)) = self.queue.pop() {
            self.queued[place] = false;
            let flags = self.flags[place];
            if flags & STALE == 0 {
                self.open -= 1;
                oldest = oldest.min(time);
            } else if self.open == 0 && time < oldest.saturating_sub(SKEW) {
                break;
            }
            self.visit_parents(place, if flags & COMMON == COMMON { flags | STALE } else { flags })?;
        }
        Ok(())
    }

    fn visit_parents(&mut self, place: usize, flags: u8) -> Result<(), GitError> {
        let Some(ids) = self.unvisited[place].take() else {
            for parent in self.nodes[place].parents.clone() {
                self.paint(self.nodes[parent].id, flags)?;
            }
            return Ok(());
        };
        let id = self.nodes[place].id;
        // What lies below a common commit is common: a history that was cut off there still answers.
        if self.pair.shallow.contains(&id) {
            if flags & COMMON == COMMON {
                return Ok(());
            }
            let (place, boundary) = (self.pair.place.clone(), id.to_string());
            return Err(GitError::Shallow { place, boundary });
        }
        let parents = ids.into_iter().map(|parent| self.paint(parent, flags)).collect::<Result<_, _>>()?;
        self.nodes[place].parents = parents;
        Ok(())
    }

    fn decode(&mut self, id: CommitId) -> Result<(Node, Vec<CommitId>), GitError> {
        self.find(id)?;
        let commit = || CommitRefIter::from_bytes(&self.buffer, id.kind());
        let failed = || GitError::reading(&self.pair.place, format!("commit {id}"));
        let tree = commit().tree_id().map_err(failed())?;
        let time = commit().committer().map_err(failed())?.seconds();
        Ok((Node { id, tree, time, parents: Vec::new() }, commit().parent_ids().collect()))
    }

    fn find(&mut self, id: CommitId) -> Result<(), GitError> {
        let found = self.pair.repository.objects.try_find(&id, &mut self.buffer);
        match found.map_err(GitError::reading(&self.pair.place, format!("commit {id}")))? {
            Some(data) if data.kind == gix::object::Kind::Commit => Ok(()),
            _ => {
                let (place, object) = (self.pair.place.clone(), id.to_string());
                Err(GitError::MissingObject { place, object, path: "the history".into() })
            }
        }
    }

    fn finish(self) -> History {
        let mut places: Vec<usize> = (0..self.nodes.len()).collect();
        places.sort_by_key(|place| (std::cmp::Reverse(self.nodes[*place].time), self.nodes[*place].id));
        let side = |flag: u8| places.iter().copied().filter(|place| self.flags[*place] & COMMON == flag).collect();
        let mut merge_bases: Vec<CommitId> =
            places.iter().filter(|place| self.flags[**place] == COMMON).map(|place| self.nodes[*place].id).collect();
        merge_bases.sort();
        History { ahead: side(FORK), behind: side(UPSTREAM), merge_bases, nodes: self.nodes }
    }
}
