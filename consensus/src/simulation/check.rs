//! What must hold after every event, whatever happened.
//!
//! - *Logs*: one log id names one entry, on every replica and for ever. No committed entry is cut off the log of a
//!   replica that knows the term in which it was committed, except for a snapshot that has it: one that knows only
//!   earlier terms, or conflicts with a snapshot's last entry, is not of the quorum that has the entry.
//! - *Leaders*: openraft's term is the pair of number and replica, so a term has one leader by its name; that nobody
//!   acts in another's name shows in the log ids. Each new leader's log holds every entry that was committed before.
//! - *State*: at one entry all replicas have the same leaves, root and recorded checkpoint; along the log no checkpoint
//!   shrinks, and no leaf is there twice.
//! - *Votes*: what a replica has told others of its vote is on its disk when it starts again.
//! - *Answers*: [`History`] is linearizable, and what was acknowledged is under its key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hansa_audit_log::merkle::Hash;
use hansa_types::codec::Decode;
use openraft::Vote;
use sha2::{Digest, Sha256};

use super::history::History;
use super::trace::Trace;
use crate::raft::{Applied, LogId, VOTE, entry_log_id, vote_from_bytes};
use crate::state::{APPLIED, CHECKPOINT, TREE, TreeHead};
use crate::store::memory::MemoryStore;
use crate::store::{Batch, Store, Table, Write, read_u64};

/// Everything known of all replicas.
pub(super) struct Checker {
    pub(super) trace: Trace,
    pub(super) history: History,
    /// Every entry ever written, by its id.
    entries: BTreeMap<LogId, [u8; 32]>,
    /// Every entry ever applied, by its index.
    committed: BTreeMap<u64, Committed>,
    /// The vote of whoever applied it first: it was committed in this term at the latest.
    committed_in: BTreeMap<u64, Vote<u64>>,
    /// The root of every size that the log had between two entries.
    roots: BTreeMap<u64, Hash>,
    /// Every leaf in the committed state, by its hash.
    leaves: BTreeMap<[u8; 32], u64>,
    /// Who led, as (term, replica).
    leaders: BTreeSet<(u64, u64)>,
    /// The greatest vote that each replica has shown to others.
    shown: BTreeMap<u64, Vote<u64>>,
    /// The last entry of the snapshot that a replica is installing.
    installing: BTreeMap<u64, u64>,
    violation: Option<String>,
}

/// An entry that was applied, and what the state was then.
#[derive(Clone, PartialEq, Eq)]
struct Committed {
    log_id: LogId,
    head: Option<TreeHead>,
    checkpoint: Option<TreeHead>,
}

impl Checker {
    pub(super) fn new() -> Self {
        Self {
            trace: Trace::new(),
            history: History::default(),
            entries: BTreeMap::new(),
            committed: BTreeMap::new(),
            committed_in: BTreeMap::new(),
            roots: BTreeMap::new(),
            leaves: BTreeMap::new(),
            leaders: BTreeSet::new(),
            shown: BTreeMap::new(),
            installing: BTreeMap::new(),
            violation: None,
        }
    }

    /// Notes an event, unless the run is over.
    pub(super) fn note(&mut self, event: fmt::Arguments<'_>) {
        if self.violation.is_none() {
            self.trace.add(event);
        }
    }

    /// Ends the run.
    pub(super) fn violate(&mut self, what: impl fmt::Display) {
        if self.violation.is_none() {
            self.violation = Some(what.to_string());
        }
    }

    pub(super) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    pub(super) fn leaders(&self) -> u64 {
        self.leaders.len() as u64
    }

    /// Checks an answer to a client.
    pub(super) fn answered(&mut self, checked: Result<(), String>) {
        if let Err(what) = checked {
            self.violate(what);
        }
    }

    /// A replica lets others see its vote.
    pub(super) fn shows(&mut self, replica: u64, vote: Vote<u64>) {
        let shown = self.shown.entry(replica).or_insert(vote);
        if vote > *shown {
            *shown = vote;
        }
        if vote.committed && vote.leader_id.node_id == replica {
            self.leaders.insert((vote.leader_id.term, replica));
        }
    }

    /// A replica begins to install a snapshot that ends with an entry, or is done with it.
    pub(super) fn installs(&mut self, replica: u64, last: Option<LogId>) {
        match last {
            Some(last) => drop(self.installing.insert(replica, last.index)),
            None => drop(self.installing.remove(&replica)),
        }
    }

    /// A replica starts on what its disk holds.
    pub(super) fn starts(&mut self, replica: u64, disk: &MemoryStore) {
        self.installs(replica, None);
        let vote = vote_on(disk);
        self.note(format_args!("replica {replica} starts with vote {vote:?}"));
        if let Some(shown) = self.shown.get(&replica)
            && vote.map(|vote| vote.leader_id) < Some(shown.leader_id)
        {
            let shown = *shown;
            self.violate(format_args!("replica {replica} had shown the vote {shown}, and has {vote:?}"));
        }
    }

    /// Looks at what a write would destroy.
    pub(super) fn before_write(&mut self, replica: u64, disk: &MemoryStore, batch: &Batch) {
        for write in &batch.0 {
            let Write::DeleteRange(Table::RaftLog, first, last) = write else { continue };
            let (Ok(first), Ok(last)) = (read_u64(Table::RaftLog, first), read_u64(Table::RaftLog, last))
            else {
                continue;
            };
            self.note(format_args!("replica {replica} deletes entries {first} to {last}"));
            if last != u64::MAX {
                continue; // purged: it is in the state
            }
            let covered = self.installing.get(&replica).map_or(first, |last| first.max(last + 1));
            for (index, committed) in self.committed.range(covered..) {
                let stored = disk.get(Table::RaftLog, &index.to_be_bytes()).ok().flatten();
                let stored = stored.and_then(|entry| entry_log_id(&entry).ok());
                let knows = vote_on(disk).map(|vote| vote.leader_id)
                    >= self.committed_in.get(index).map(|vote| vote.leader_id);
                if knows && stored == Some(committed.log_id) {
                    let what = format!("replica {replica} cuts off the committed entry {}", committed.log_id);
                    return self.violate(what);
                }
            }
        }
    }

    /// Looks at what was written.
    pub(super) fn after_write(&mut self, replica: u64, disk: &MemoryStore, batch: &Batch) {
        let mut applied = None;
        for write in &batch.0 {
            match write {
                Write::Put(Table::RaftMeta, key, value) if key == VOTE => match vote_from_bytes(value) {
                    Ok(vote) => self.votes(replica, disk, vote),
                    Err(error) => self.violate(error),
                },
                Write::Put(Table::RaftLog, _, value) => self.appends(replica, value),
                Write::Put(Table::State, key, value) if key == APPLIED => applied = Some(value),
                _ => {}
            }
        }
        if let Some(applied) = applied {
            match Applied::from_bytes(applied) {
                Ok(Applied { log_id: Some(log_id), .. }) => self.applies(replica, disk, batch, log_id),
                Ok(_) => self.violate("a state was applied without an entry"),
                Err(error) => self.violate(error),
            }
        }
    }

    fn votes(&mut self, replica: u64, disk: &MemoryStore, vote: Vote<u64>) {
        self.note(format_args!("replica {replica} stores the vote {vote}"));
        let term = (vote.leader_id.term, vote.leader_id.node_id);
        if !vote.committed || term.1 != replica {
            return;
        }
        let latest = self.leaders.last().is_none_or(|last| *last < term);
        self.leaders.insert(term);
        if latest {
            self.holds_all_committed(replica, disk);
        }
    }

    fn holds_all_committed(&mut self, replica: u64, disk: &MemoryStore) {
        let applied = disk.get(Table::State, APPLIED).ok().flatten();
        let applied = applied.and_then(|bytes| Applied::from_bytes(&bytes).ok()).unwrap_or_default();
        let after = applied.log_id.map_or(0, |log_id| log_id.index + 1);
        for (index, committed) in self.committed.range(after..) {
            let stored = disk.get(Table::RaftLog, &index.to_be_bytes()).ok().flatten();
            if stored.and_then(|entry| entry_log_id(&entry).ok()) != Some(committed.log_id) {
                let what =
                    format!("replica {replica} leads without the committed entry {}", committed.log_id);
                return self.violate(what);
            }
        }
    }

    fn appends(&mut self, replica: u64, entry: &[u8]) {
        let log_id = match entry_log_id(entry) {
            Ok(log_id) => log_id,
            Err(error) => return self.violate(error),
        };
        self.note(format_args!("replica {replica} stores entry {log_id}"));
        let hash: [u8; 32] = Sha256::digest(entry).into();
        if *self.entries.entry(log_id).or_insert(hash) != hash {
            self.violate(format_args!(
                "replica {replica} has another entry {log_id} than was written before"
            ));
        }
    }

    fn applies(&mut self, replica: u64, disk: &MemoryStore, batch: &Batch, log_id: LogId) {
        let head = |key| {
            let stored = disk.get(Table::State, key).ok().flatten();
            stored.and_then(|bytes| TreeHead::from_bytes(&bytes).ok())
        };
        let state = Committed { log_id, head: head(TREE), checkpoint: head(CHECKPOINT) };
        let size = state.head.map_or(0, |head| head.size);
        self.note(format_args!("replica {replica} has applied {log_id}: {size} leaves"));
        match self.committed.get(&log_id.index) {
            Some(known) if *known == state => {}
            Some(known) if known.log_id != log_id => {
                let what = format!("replica {replica} applied {log_id} where {} was applied", known.log_id);
                self.violate(what);
            }
            Some(_) => self.violate(format_args!("replica {replica} has another state after {log_id}")),
            None => {
                self.committed_in.extend(vote_on(disk).map(|vote| (log_id.index, vote)));
                self.commits(replica, batch, state);
            }
        }
    }

    /// An entry is applied for the first time anywhere.
    fn commits(&mut self, replica: u64, batch: &Batch, state: Committed) {
        let index = state.log_id.index;
        let before = index.checked_sub(1).map(|before| self.committed.get(&before).cloned());
        match before {
            Some(None) => {
                return self.violate(format_args!("replica {replica} applied {index} out of order"));
            }
            Some(Some(before)) => {
                if before.log_id.leader_id > state.log_id.leader_id {
                    let (last, next) = (before.log_id, state.log_id);
                    self.violate(format_args!("{next} was committed after {last}, of a later term"));
                }
                if before.checkpoint.map(|head| head.size) > state.checkpoint.map(|head| head.size) {
                    self.violate(format_args!("the recorded checkpoint shrank with entry {index}"));
                }
            }
            None => {}
        }
        if let Some(head) = state.head {
            self.roots.insert(head.size, head.root);
        }
        if let Some(head) = state.checkpoint
            && self.roots.get(&head.size).is_some_and(|root| *root != head.root)
        {
            self.violate(format_args!(
                "the checkpoint of {} leaves has another root than the log",
                head.size
            ));
        }
        for write in &batch.0 {
            let Write::Put(Table::Leaves, key, leaf) = write else { continue };
            let place = read_u64(Table::Leaves, key).unwrap_or_default();
            if let Some(other) = self.leaves.insert(Sha256::digest(leaf).into(), place) {
                self.violate(format_args!("leaf {place} was appended before, as {other}"));
            }
        }
        self.committed.insert(index, state);
    }
}

fn vote_on(disk: &MemoryStore) -> Option<Vote<u64>> {
    let stored = disk.get(Table::RaftMeta, VOTE).ok().flatten();
    stored.and_then(|bytes| vote_from_bytes(&bytes).ok())
}
