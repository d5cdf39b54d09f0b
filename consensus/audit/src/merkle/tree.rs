//! Roots and proofs of any past size, from stored nodes (RFC 6962 §2.1, §2.1.1, §2.1.2).

use std::fmt;

use thiserror::Error;

use super::{Hash, MAX_TREE_SIZE, NodeId, NodeStore, empty_root, node_hash};

/// Why a root or proof could not be computed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TreeError<E> {
    /// The store itself failed.
    #[error("reading the tree's nodes failed: {0}")]
    Store(E),
    /// The store lacks a node that a tree of this size has.
    #[error("node {} of level {} is missing: the tree is smaller than was asked for, or the store is damaged", .0.index, .0.level)]
    Missing(NodeId),
    /// The leaf is not in the tree.
    #[error("leaf {index} is not among the first {size} leaves")]
    NoSuchLeaf {
        /// The leaf asked for.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The older size is not between 1 and the newer one.
    #[error(
        "no consistency proof leads from {old} to {new} leaves: the older size must be from 1 to the newer"
    )]
    BadSizes {
        /// The older size.
        old: u64,
        /// The newer size.
        new: u64,
    },
    /// More leaves than foreign verifiers can count.
    #[error("a tree of {size} leaves is above the limit of {MAX_TREE_SIZE}")]
    SizeTooLarge {
        /// The size asked for.
        size: u64,
    },
}

/// Computes the root of the first `size` leaves.
pub fn root_at<S: NodeStore>(store: &S, size: u64) -> Result<Hash, TreeError<S::Error>> {
    bounded(size)?;
    if size == 0 { Ok(empty_root()) } else { subtree(store, 0, size) }
}

/// Computes the audit path of leaf `index` in the tree of the first `size` leaves, from the leaf's sibling upwards.
pub fn inclusion_proof<S: NodeStore>(
    store: &S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, TreeError<S::Error>> {
    bounded(size)?;
    if index >= size {
        return Err(TreeError::NoSuchLeaf { index, size });
    }
    let (mut low, mut high) = (0, size);
    let mut path = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(subtree(store, middle, high)?);
            high = middle;
        } else {
            path.push(subtree(store, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Computes the proof that the tree of `new` leaves extends that of `old` leaves; empty where they are equal.
pub fn consistency_proof<S: NodeStore>(
    store: &S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, TreeError<S::Error>> {
    bounded(new)?;
    if old == 0 || old > new {
        return Err(TreeError::BadSizes { old, new });
    }
    let (mut low, mut high) = (0, new);
    let mut proof = Vec::new();
    // RFC 6962 §2.1.2 SUBPROOF, unrolled: walk down to the subtree that ends exactly at `old`.
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            proof.push(subtree(store, middle, high)?);
            high = middle;
        } else {
            proof.push(subtree(store, low, middle)?);
            low = middle;
        }
    }
    // Where that subtree is the whole old tree, the verifier knows its hash already.
    if low != 0 {
        proof.push(subtree(store, low, high)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The complete subtrees that the leaves `low..high` consist of, largest first. `low` must be a multiple of the largest
/// power of two that is at most `high - low`.
pub(super) fn peaks(low: u64, high: u64) -> impl DoubleEndedIterator<Item = NodeId> {
    let count = high - low;
    (0..u64::BITS as u8).rev().filter(move |level| count >> level & 1 == 1).map(move |level| {
        let before = if level == 63 { 0 } else { count >> (level + 1) << (level + 1) };
        NodeId { level, index: (low + before) >> level }
    })
}

/// A stored node, or the error that it is missing.
pub(super) fn node<S: NodeStore>(store: &S, id: NodeId) -> Result<Hash, TreeError<S::Error>> {
    store.get(id).map_err(TreeError::Store)?.ok_or(TreeError::Missing(id))
}

/// The hash of the subtree over the leaves `low..high`, which is not empty.
fn subtree<S: NodeStore>(store: &S, low: u64, high: u64) -> Result<Hash, TreeError<S::Error>> {
    let mut root = None;
    for id in peaks(low, high).rev() {
        let left = node(store, id)?;
        root = Some(root.map_or(left, |right| node_hash(&left, &right)));
    }
    root.ok_or(TreeError::NoSuchLeaf { index: low, size: high })
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

fn bounded<E>(size: u64) -> Result<(), TreeError<E>> {
    if size > MAX_TREE_SIZE { Err(TreeError::SizeTooLarge { size }) } else { Ok(()) }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} of level {}", self.index, self.level)
    }
}
