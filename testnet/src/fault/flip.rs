//! A bit that flips in a file of a replica while it is stopped: the damage must be found when it starts or reads, or do
//! no harm. A wrong leaf, root, path or index, or a silent hole, is a violation.
//!
//! Each round takes another kind of file. A damaged snapshot does no harm where it lies, so there the damaged replica
//! leads and another one is rebuilt from it. Whatever was found, the damaged replica is replaced afterwards, as an
//! operator would.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hansa_audit_log::merkle::{Hash, leaf_hash, verify_inclusion};
use hansa_consensus::ConsensusConfig;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

use super::campaign::Fault;
use super::check::ask_many;
use super::group::{Failure, Group, PATIENCE, REPLICAS, io_failure, violation};
use crate::replica::{Answer, News, ReplicaProcess, Request};

/// The appends around it, at the most.
const PACE: u64 = 100;
/// Every so many leaves the audit path is asked for as well.
const PATHS: usize = 7;
/// How long a replica may take to hand leadership over, or to be rebuilt from a damaged snapshot, before another is
/// asked.
const HAND_OVER: Duration = Duration::from_secs(30);
/// How often it is tried to hand leadership to the healthy one.
const HAND_OVERS: u32 = 5;
/// What a replica says that found damage or a file that is not its own; a panic would say something else.
const FOUND: [&str; 6] =
    ["damaged", "orrupt", "cannot be opened", "cannot be used", "belongs to", "has format"];

#[derive(Default)]
pub(super) struct Counts {
    at_start: u64,
    at_read: u64,
    harmless: u64,
}

pub(super) struct BitFlip {
    group: Group,
    counts: Counts,
    rounds: usize,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The write-ahead log.
    Wal,
    /// A table: leaves, nodes of the tree (what tiles are made from), indexes, Raft's log.
    Table,
    /// What names the tables.
    Manifest,
    /// A file of the snapshot.
    Snapshot,
    /// Any other file of the database.
    Other,
}

const KINDS: [Kind; 6] = [Kind::Wal, Kind::Table, Kind::Snapshot, Kind::Table, Kind::Manifest, Kind::Other];

impl Fault for BitFlip {
    const NAME: &'static str = "bit-flip";
    const FULL: u64 = 100;

    fn found(dir: &Path) -> Result<Self, Failure> {
        // Snapshots are taken when the campaign says so.
        let base = ConsensusConfig {
            snapshot_entries: u64::from(u32::MAX),
            keep_entries: 1,
            ..ConsensusConfig::default()
        };
        Ok(Self { group: Group::local(dir, &base)?, counts: Counts::default(), rounds: 0 })
    }

    fn round(&mut self, rng: &mut ChaCha20Rng) -> Result<(), Failure> {
        let kind = KINDS[usize::try_from(rng.next_u64() % KINDS.len() as u64).unwrap_or_default()];
        self.rounds += 1;
        let victim = self.group.victim(rng)?;
        self.fill_files(rng, victim, kind)?;
        self.group.kill(victim)?;
        let place = flip(rng, &self.group.plan.data(victim), kind)?;
        let seen = self.look(victim).and_then(|()| match kind {
            Kind::Snapshot => self.hand_on(rng, victim),
            _ => Ok(()),
        });
        seen.map_err(|failure| violation(format!("{place} of replica {victim}: {failure}")))?;
        self.group.rebuild(victim)
    }

    fn group(&mut self) -> &mut Group {
        &mut self.group
    }

    fn tallies(&self) -> Vec<(&'static str, u64)> {
        let Counts { at_start, at_read, harmless } = self.counts;
        vec![("found at the start", at_start), ("found by a read", at_read), ("harmless", harmless)]
    }
}

impl BitFlip {
    /// Sees to it that the replica has something in every kind of file: RocksDB writes tables when it recovers.
    fn fill_files(&mut self, rng: &mut ChaCha20Rng, victim: u64, kind: Kind) -> Result<(), Failure> {
        let group = &mut self.group;
        group.some_more(rng, PACE)?;
        group.kill(victim)?;
        group.restart(victim)?;
        group.some_more(rng, PACE)?;
        if kind == Kind::Snapshot {
            snapshot(group, victim)?;
        }
        group.some_more(rng, PACE)?;
        group.check()
    }

    /// Starts the damaged replica and asks it for everything that was found right before.
    fn look(&mut self, victim: u64) -> Result<(), Failure> {
        let replica = self.group.start(victim)?;
        match self.group.news(&replica)? {
            News::Ready => {}
            News::Stopped(_) | News::Ended => {
                self.counts.at_start += 1;
                return says_why(&replica);
            }
        }
        let found = ask_everything(&self.group, &replica)?;
        match found {
            0 => self.counts.harmless += 1,
            _ => self.counts.at_read += 1,
        }
        Ok(())
    }

    /// Has another replica rebuilt from a leader whose snapshot is damaged. It gets the right log or none.
    fn hand_on(&mut self, rng: &mut ChaCha20Rng, victim: u64) -> Result<(), Failure> {
        let group = &mut self.group;
        if group.restart(victim).is_err() {
            return Ok(());
        }
        let transfer = |group: &Group| -> Result<bool, Failure> {
            let asked = group.other(victim)?.ask(&Request::Transfer(victim), HAND_OVER);
            Ok(matches!(asked, Some(Answer::Ok(_))))
        };
        if group.leader()? != victim && !transfer(group)? {
            return Ok(());
        }
        let others: Vec<u64> = (1..=REPLICAS).filter(|id| *id != victim).collect();
        let lost = others[usize::from(rng.next_u64().is_multiple_of(2))];
        group.kill(lost)?;
        super::tool::empty(&group.plan.data(lost))?;
        let leader = group.replica(victim)?;
        leader.ask(&Request::Leave(lost), HAND_OVER);
        let empty = group.start(lost)?;
        let join = group.joining(lost);
        let joined = matches!(leader.ask(&join, HAND_OVER), Some(Answer::Ok(_)));
        if joined {
            group.serves(&empty)?;
            return group.check();
        }
        // Refused: the leader noticed. Killed, it ends what it began; it is one of two that vote, so it comes back, the
        // other leads, and the replica joins from there.
        let healthy = others.into_iter().find(|id| *id != lost).unwrap_or_default();
        group.kill(victim)?;
        group.restart(victim)?;
        let other = group.replica(healthy)?;
        for _ in 0..HAND_OVERS {
            if group.leader()? == healthy {
                break;
            }
            other.ask(&Request::Transfer(healthy), HAND_OVER);
        }
        group.join(&other, &empty)
    }
}

/// Has a replica take a snapshot, and waits until it is there.
fn snapshot(group: &Group, id: u64) -> Result<(), Failure> {
    let replica = group.replica(id)?;
    let taken = replica.ask(&Request::Snapshot, PATIENCE);
    if !matches!(taken, Some(Answer::Ok(_))) {
        return Err(violation(format!("replica {id} takes no snapshot: {taken:?}")));
    }
    for _ in 0..1000 {
        if !files(&group.plan.data(id), Kind::Snapshot)?.is_empty() {
            return Ok(());
        }
        group.more(1)?;
    }
    Err(violation(format!("replica {id} has taken no snapshot")))
}

/// Asks for every leaf, every key, the root and some audit paths. Returns how many answers were errors: each other one
/// must be right.
fn ask_everything(group: &Group, replica: &Arc<ReplicaProcess>) -> Result<u64, Failure> {
    let healthy = group.other(replica.id())?;
    let (size, mut leaves, mut errors) = (group.leaves(), Vec::new(), 0);
    ask_many(&healthy, 0..size, Request::Leaf, |index, answer| {
        leaves.push((index, answer));
        Ok(())
    })?;
    leaves.sort_unstable_by_key(|(index, _)| *index);
    let mut judge = |what: String, answer: Answer, right: &Answer| match answer {
        answer if answer == *right => Ok(()),
        Answer::Error(_) | Answer::Gone => {
            errors += 1;
            Ok(())
        }
        wrong => Err(violation(format!(
            "replica {} answers {what} with `{wrong}`, right is `{right}`",
            replica.id()
        ))),
    };
    ask_many(replica, 0..size, Request::Leaf, |index, answer| {
        judge(format!("`leaf {index}`"), answer, &leaves[usize::try_from(index).unwrap_or_default()].1)
    })?;
    let keys = group.keys();
    ask_many(replica, keys.keys().copied(), Request::Find, |key, answer| {
        judge(format!("`find {key}`"), answer, &Answer::Ok(keys[&key].to_string()))
    })?;
    let right = healthy.ask(&Request::Root(size), PATIENCE).unwrap_or(Answer::Gone);
    let root = replica.ask(&Request::Root(size), PATIENCE).unwrap_or(Answer::Gone);
    judge(format!("`root {size}`"), root, &right)?;
    let Answer::Ok(root) = right else {
        return Err(violation(format!("`root {size}` is answered with `{right}`")));
    };
    for (index, leaf) in leaves.iter().step_by(PATHS) {
        let path = replica.ask(&Request::Inclusion { index: *index, size }, PATIENCE).unwrap_or(Answer::Gone);
        match path {
            Answer::Ok(path) if leads_to(leaf, *index, size, &path, &root) => {}
            Answer::Error(_) | Answer::Gone => errors += 1,
            wrong => {
                return Err(violation(format!(
                    "the path of leaf {index} is `{wrong}`, which does not lead to the root"
                )));
            }
        }
    }
    Ok(errors)
}

fn leads_to(leaf: &Answer, index: u64, size: u64, path: &str, root: &str) -> bool {
    let hash = |text: &str| hex::decode(text).ok().and_then(|bytes| Hash::try_from(bytes).ok());
    let path: Option<Vec<Hash>> = path.split(',').filter(|part| !part.is_empty()).map(hash).collect();
    let (Answer::Ok(leaf), Some(path), Some(root)) = (leaf, path, hash(root)) else { return false };
    let leaf = leaf_hash(&hex::decode(leaf).unwrap_or_default());
    verify_inclusion(&leaf, index, size, &path, &root).is_ok()
}

/// A replica that does not start says why in words for an operator.
fn says_why(replica: &ReplicaProcess) -> Result<(), Failure> {
    let _ = replica.wait();
    let words = replica.last_words();
    if words.contains("panicked") || !FOUND.iter().any(|found| words.contains(found)) {
        return Err(violation(format!("it ended and does not say what is damaged: {words}")));
    }
    Ok(())
}

/// Flips one bit of one file of that kind, and says which.
fn flip(rng: &mut ChaCha20Rng, data: &Path, kind: Kind) -> Result<String, Failure> {
    let files = files(data, kind)?;
    let below = |bound: usize, choice: u64| usize::try_from(choice % bound.max(1) as u64).unwrap_or_default();
    let Some(path) = files.get(below(files.len(), rng.next_u64())) else {
        return Err(violation(format!("{} has no file of kind {kind:?}", data.display())));
    };
    let mut bytes = fs::read(path).map_err(io_failure(path.display()))?;
    let (at, bit) = (below(bytes.len(), rng.next_u64()), rng.next_u64() % 8);
    bytes[at] ^= 1 << bit;
    fs::write(path, &bytes).map_err(io_failure(path.display()))?;
    let name = path.strip_prefix(data).unwrap_or(path).display();
    Ok(format!("bit {bit} of byte {at} of {} in {name}", bytes.len()))
}

/// The files of a kind that hold anything, in order.
fn files(data: &Path, kind: Kind) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let folders = match kind {
        Kind::Snapshot => list(&data.join("snapshots"))?.into_iter().filter(|dir| dir.is_dir()).collect(),
        _ => vec![data.join("db")],
    };
    for folder in folders {
        for path in list(&folder)? {
            let own = path.file_name().and_then(|name| kind_of(&name.to_string_lossy()));
            let holds = fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() > 0);
            if holds && own.is_some() && (kind == Kind::Snapshot || own == Some(kind)) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// What a file of the database is; `None` for RocksDB's own diary and for a file that is only locked.
fn kind_of(name: &str) -> Option<Kind> {
    match name.rsplit_once('.') {
        Some((_, "log")) => Some(Kind::Wal),
        Some((_, "sst")) => Some(Kind::Table),
        _ if name.starts_with("MANIFEST") => Some(Kind::Manifest),
        _ if name.starts_with("LOG") || name == "LOCK" => None,
        _ => Some(Kind::Other),
    }
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(Vec::new()) };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(io_failure(dir.display()))?;
    paths.sort_unstable();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn one_bit_of_a_file_of_the_kind_is_flipped() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("db");
        fs::create_dir(&db).unwrap();
        for name in ["000004.log", "000009.sst", "MANIFEST-1", "CURRENT", "LOCK", "LOG"] {
            fs::write(db.join(name), [0; 64]).unwrap();
        }
        for kind in [Kind::Wal, Kind::Table, Kind::Manifest, Kind::Other] {
            let [file] = &files(dir.path(), kind).unwrap()[..] else { panic!("{kind:?}") };
            flip(&mut ChaCha20Rng::seed_from_u64(1), dir.path(), kind).unwrap();
            let ones: u32 = fs::read(file).unwrap().iter().map(|byte| byte.count_ones()).sum();
            assert_eq!(ones, 1, "{kind:?}");
        }
        assert!(files(dir.path(), Kind::Snapshot).unwrap().is_empty());
    }
}
