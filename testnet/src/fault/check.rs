//! Compares every replica's log with what was acknowledged.
//!
//! The log only grows, so each check reads what is new since the last one from every replica, leaf by leaf, keeps the
//! Merkle root of all it has read, and asks each replica for its own. At the end a new checker reads everything again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use hansa_audit_log::envelope::Envelope;
use hansa_audit_log::merkle::{Frontier, leaf_hash};

use super::group::{Failure, PATIENCE, violation};
use crate::replica::{Answer, Content, ReplicaProcess, Request};

/// How many leaves are asked for at once.
const AHEAD: u64 = 1024;
/// How long one linearizable read may take before it is asked again.
const READ: Duration = Duration::from_secs(10);
/// How often it is asked.
const READS: u32 = 6;
/// How many findings are told in words.
const TOLD: usize = 5;

/// What is wrong with a log.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Acknowledged appends that are not where they were said to be, or nowhere.
    pub lost: u64,
    /// Keys that are in the log twice.
    pub doubled: u64,
    /// Anything, in words.
    pub told: Vec<String>,
}

impl Findings {
    fn tell(&mut self, what: String) {
        if self.told.len() < TOLD {
            self.told.push(what);
        }
    }

    fn lost(&mut self, what: String) {
        self.lost += 1;
        self.tell(what);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lost, {} doubled: {}", self.lost, self.doubled, self.told.join("; "))
    }
}

/// What is known of the log so far.
#[derive(Default)]
pub(super) struct Checker {
    keys: BTreeMap<u64, u64>,
    tree: Frontier,
}

impl Checker {
    /// How many leaves were read.
    pub(super) fn leaves(&self) -> u64 {
        self.tree.size()
    }

    /// The keys in the log.
    pub(super) fn keys(&self) -> &BTreeMap<u64, u64> {
        &self.keys
    }

    /// Reads on, on every replica, and looks for what was acknowledged.
    pub(super) fn check(
        &mut self,
        replicas: &[Arc<ReplicaProcess>],
        acknowledged: &[(u64, u64)],
    ) -> Result<(), Failure> {
        let mut findings = Findings::default();
        let mut size = u64::MAX;
        for replica in replicas {
            size = size.min(read(replica)?);
        }
        if size < self.leaves() {
            let had = self.leaves();
            return Err(violation(format!("a replica has {size} leaves after all of them had {had}")));
        }
        let (from, mut first) = (self.leaves(), Vec::new());
        for (at, replica) in replicas.iter().enumerate() {
            let leaves = leaves(replica, from, size)?;
            if at == 0 {
                first = leaves;
                continue;
            }
            for (index, (one, other)) in (from..).zip(first.iter().zip(&leaves)) {
                if one != other {
                    let (one, other) = (replicas[0].id(), replica.id());
                    findings.lost(format!("leaf {index} differs between replicas {one} and {other}"));
                }
            }
        }
        for leaf in &first {
            self.take(leaf, &mut findings);
        }
        for replica in replicas {
            let root = answered(replica, &Request::Root(size), PATIENCE)?;
            if root != hex::encode(self.tree.root()) {
                findings
                    .tell(format!("replica {} says that the root of {size} leaves is {root}", replica.id()));
            }
        }
        self.settle(acknowledged, &mut findings);
        if findings.told.is_empty() { Ok(()) } else { Err(Failure::Found(findings)) }
    }

    /// Looks for what was acknowledged.
    fn settle(&self, acknowledged: &[(u64, u64)], findings: &mut Findings) {
        for (key, index) in acknowledged {
            match self.keys.get(key) {
                Some(found) if found == index => {}
                Some(found) => {
                    findings.lost(format!("key {key} was acknowledged as leaf {index} and is leaf {found}"));
                }
                None => {
                    findings
                        .lost(format!("key {key} was acknowledged as leaf {index} and is not in the log"));
                }
            }
        }
    }

    /// Takes the next leaf in.
    fn take(&mut self, leaf: &str, findings: &mut Findings) {
        let index = self.leaves();
        let bytes = hex::decode(leaf).unwrap_or_default();
        self.tree.append(leaf_hash(&bytes), |_, _| ());
        let opened = Envelope::new(bytes).map_err(Into::into).and_then(|leaf| Content::open(&leaf));
        match opened {
            Ok(content) => {
                if let Some(before) = self.keys.insert(content.key, index) {
                    findings.doubled += 1;
                    findings.tell(format!("key {} is leaf {before} and leaf {index}", content.key));
                }
            }
            Err(error) => findings.lost(format!("leaf {index} is none that was appended: {error}")),
        }
    }
}

/// The size of a replica's log once it has everything committed.
pub(super) fn read(replica: &ReplicaProcess) -> Result<u64, Failure> {
    let mut said = String::new();
    for _ in 0..READS {
        match replica.ask(&Request::Read, READ) {
            Some(Answer::Ok(head)) => return size_of(&head),
            // Answered when the patience of the replica itself is over.
            Some(Answer::Error(error)) => said = error,
            Some(Answer::Gone) => {
                return Err(violation(format!("replica {} ended: {}", replica.id(), replica.last_words())));
            }
            other => said = format!("{other:?}"),
        }
    }
    Err(violation(format!("replica {} does not catch up: {said}", replica.id())))
}

/// The size in `SIZE ROOT`.
pub(super) fn size_of(head: &str) -> Result<u64, Failure> {
    let size = head.split(' ').next().and_then(|size| size.parse().ok());
    size.ok_or_else(|| violation(format!("`{head}` is no size and root")))
}

/// What a replica answers that must answer.
pub(super) fn answered(
    replica: &ReplicaProcess,
    request: &Request,
    patience: Duration,
) -> Result<String, Failure> {
    match replica.ask(request, patience) {
        Some(Answer::Ok(text)) => Ok(text),
        Some(other) => Err(violation(format!("replica {} answers `{request}` with `{other}`", replica.id()))),
        None => Err(violation(format!("replica {} does not answer `{request}`", replica.id()))),
    }
}

/// The leaves from one index up to another, as a replica gives them.
fn leaves(replica: &ReplicaProcess, from: u64, to: u64) -> Result<Vec<String>, Failure> {
    let mut all = BTreeMap::new();
    ask_many(replica, from..to, Request::Leaf, |index, answer| match answer {
        Answer::Ok(leaf) => {
            all.insert(index, leaf);
            Ok(())
        }
        other => Err(violation(format!("replica {} answers `leaf {index}` with `{other}`", replica.id()))),
    })?;
    Ok(all.into_values().collect())
}

/// Asks one thing for each number, many at once.
pub(super) fn ask_many(
    replica: &ReplicaProcess,
    numbers: impl IntoIterator<Item = u64>,
    request: impl Fn(u64) -> Request,
    mut each: impl FnMut(u64, Answer) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (to, answers) = channel();
    let mut numbers = numbers.into_iter();
    let mut under_way = 0u64;
    loop {
        for number in numbers.by_ref().take(usize::try_from(AHEAD - under_way).unwrap_or_default()) {
            replica.submit(&request(number), number, &to);
            under_way += 1;
        }
        if under_way == 0 {
            return Ok(());
        }
        let silent = || violation(format!("replica {} does not answer", replica.id()));
        let (number, answer) = answers.recv_timeout(PATIENCE).map_err(|_| silent())?;
        under_way -= 1;
        each(number, answer)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(keys: &[u64]) -> (Checker, Findings) {
        let (mut checker, mut findings) = (Checker::default(), Findings::default());
        for key in keys {
            let leaf = hex::encode(Content { key: *key, seed: 0 }.seal().as_bytes());
            checker.take(&leaf, &mut findings);
        }
        (checker, findings)
    }

    #[test]
    fn a_log_that_holds_what_was_acknowledged_passes() {
        let (checker, mut findings) = log(&[5, 3, 9]);
        checker.settle(&[(3, 1), (5, 0)], &mut findings);
        assert!(findings.told.is_empty(), "{findings}");
        assert_eq!(checker.leaves(), 3);
    }

    #[test]
    fn what_is_missing_elsewhere_twice_or_altered_is_found() {
        let (checker, mut findings) = log(&[5, 3, 5]);
        assert_eq!((findings.lost, findings.doubled), (0, 1), "{findings}");
        checker.settle(&[(3, 1), (4, 0), (5, 1)], &mut findings);
        assert_eq!((findings.lost, findings.doubled), (2, 1), "{findings}");
        assert!(
            findings.to_string().contains("key 4 was acknowledged as leaf 0 and is not in the log"),
            "{findings}"
        );

        let (mut checker, mut findings) = log(&[1]);
        let mut altered = Content { key: 2, seed: 0 }.seal().into_bytes();
        altered[100] ^= 1;
        checker.take(&hex::encode(altered), &mut findings);
        assert_eq!((findings.lost, findings.doubled), (1, 0), "{findings}");
    }
}
