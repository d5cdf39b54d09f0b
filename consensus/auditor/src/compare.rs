//! Two checkpoints of one log: the same tree, one the beginning of the other, or a fork.

use std::io;
use std::path::PathBuf;

use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::fork::Fork;
use hansa_audit_log::merkle::{Frontier, Hash, ProofError, leaf_hash, verify_consistency};
use hansa_audit_log::note::SignedNote;
use hansa_types::hash::Digest;
use hansa_types::id::BankId;
use serde::Serialize;

use crate::log::{Log, LogError, LogFolder};

/// What shows how two checkpoints of different sizes belong together.
#[derive(Clone, Debug)]
pub enum Link {
    /// A consistency proof from the smaller to the larger.
    Proof(Vec<Hash>),
    /// The log itself, at least as long as the larger.
    Folder(LogFolder),
}

/// How two checkpoints belong together, when they do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Whose log.
    pub bank: BankId,
    /// Entries of the smaller tree.
    pub old: u64,
    /// Entries of the larger tree.
    pub new: u64,
    /// The root of the larger tree.
    pub root: Digest,
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bank, old, new, root } = self;
        if old == new {
            return write!(f, "SAME: both are of the log of {bank} with {new} entries and root {root}");
        }
        write!(
            f,
            "CONSISTENT: the log of {bank} grew from {old} to {new} entries without changing what it held"
        )
    }
}

/// Why two checkpoints are not known to be of one history.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// They are not.
    #[error(
        "FORK: two trees of this log that the bank signed differ within their first {size} entries. Keep both notes, \
         and tell the other banks and the supervisor"
    )]
    Fork {
        /// Both notes.
        evidence: Box<Fork>,
        /// How many entries both have, and differ in.
        size: u64,
    },
    /// One of the two, or the folder.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Different sizes, and nothing beside them.
    #[error(
        "the checkpoints have {old} and {new} entries: whether one continues the other is shown by a consistency proof \
         (--consistency FILE) or the log itself (--log DIR)"
    )]
    Undecided {
        /// The smaller size.
        old: u64,
        /// The larger size.
        new: u64,
    },
    /// The proof given shows nothing.
    #[error(
        "the consistency proof does not hold: {0}. It may be another proof, or there is a fork: --log DIR decides"
    )]
    Proof(#[from] ProofError),
    /// The folder ends too early.
    #[error("{path} covers {size} entries, fewer than the larger checkpoint: export the log again")]
    Short {
        /// The folder's checkpoint.
        path: PathBuf,
        /// How many.
        size: u64,
    },
}

/// A signed checkpoint, opened.
pub type Signed = (SignedNote, Checkpoint);

/// Compares two verified checkpoints of `log`.
pub fn compare(log: &Log, a: Signed, b: Signed, link: Option<&Link>) -> Result<Comparison, CompareError> {
    let (old, new) = if a.1.size <= b.1.size { (a, b) } else { (b, a) };
    let same =
        Comparison { bank: log.bank.clone(), old: old.1.size, new: new.1.size, root: Digest(new.1.root) };
    if old.1.size == new.1.size {
        return if old.1.root == new.1.root { Ok(same) } else { Err(fork(old, new)) };
    }
    match link {
        // The empty tree begins every other.
        _ if old.1.size == 0 => {}
        None => return Err(CompareError::Undecided { old: old.1.size, new: new.1.size }),
        Some(Link::Proof(proof)) => {
            verify_consistency(old.1.size, new.1.size, &old.1.root, &new.1.root, proof)?;
        }
        Some(Link::Folder(folder)) => against(log, folder, old, new)?,
    }
    Ok(same)
}

/// Both are what the folder had at their sizes.
fn against(log: &Log, folder: &LogFolder, old: Signed, new: Signed) -> Result<(), CompareError> {
    let mut tree = Frontier::default();
    let mut roots = [None, None];
    let sizes = [old.1.size, new.1.size];
    let whole = log.fsck(folder, |_, entry| {
        tree.append(leaf_hash(entry), |_, _| {});
        for (size, root) in sizes.iter().zip(&mut roots) {
            if tree.size() == *size {
                *root = Some(tree.root());
            }
        }
        Ok::<_, io::Error>(())
    })?;
    for (signed, root) in [old, new].into_iter().zip(roots) {
        match root {
            None => return Err(CompareError::Short { path: folder.checkpoint(), size: whole.1.size }),
            Some(root) if root != signed.1.root => return Err(fork(signed, whole)),
            Some(_) => {}
        }
    }
    Ok(())
}

fn fork(old: Signed, new: Signed) -> CompareError {
    CompareError::Fork { size: old.1.size, evidence: Box::new(Fork::new(old.0, new.0)) }
}
