//! The Merkle tree of RFC 6962 §2.1 (the same as RFC 9162 §2.1) over SHA-256.
//!
//! Three parts: [`Frontier`] appends without reading anything back, [`tree`] answers for any past size from stored
//! nodes, and [`verify`] checks proofs from nothing but the proof itself. Only complete subtrees are stored; a node
//! once written never changes, so a store is append-only.

mod frontier;
mod tree;
mod verify;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::convert::Infallible;

use sha2::{Digest as _, Sha256};

pub use self::frontier::Frontier;
pub use self::tree::{TreeError, consistency_proof, inclusion_proof, root_at};
pub use self::verify::{ProofError, root_from_inclusion, verify_consistency, verify_inclusion};

/// The SHA-256 hash of a leaf, a node or a whole tree.
pub type Hash = [u8; 32];

/// Prefix of a leaf's preimage, RFC 6962 §2.1: it keeps a leaf from passing as a node.
const LEAF_PREFIX: [u8; 1] = [0x00];
/// Prefix of an inner node's preimage, RFC 6962 §2.1.
const NODE_PREFIX: [u8; 1] = [0x01];

/// The most hashes any proof can hold: a path in a tree of at most 2^64 leaves, and one more hash where a consistency
/// proof starts inside a complete subtree.
pub const MAX_PROOF_HASHES: usize = 65;

/// The largest tree: foreign verifiers hold sizes in signed 64-bit integers.
pub const MAX_TREE_SIZE: u64 = i64::MAX as u64;

/// Where a complete subtree stands: it covers the leaves from `index << level` up to `(index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId {
    /// 0 for a leaf, one more for each doubling; at most 63.
    pub level: u8,
    /// Position among the nodes of its level, from 0.
    pub index: u64,
}

impl NodeId {
    /// The leaf whose append completes the subtree: the last one that it covers.
    #[must_use]
    pub fn completed_by(self) -> u64 {
        (self.index << self.level) | ((1 << self.level) - 1)
    }
}

/// Reads stored nodes. Writing is the caller's: [`Frontier::append`] hands out what is new.
pub trait NodeStore {
    /// What reading may fail with.
    type Error;

    /// The hash of a complete subtree, or `None` where it was never stored.
    fn get(&self, id: NodeId) -> Result<Option<Hash>, Self::Error>;
}

/// Nodes held in memory, for tests and for auditors who rebuild a log.
#[derive(Clone, Debug, Default)]
pub struct MemoryNodes(BTreeMap<NodeId, Hash>);

impl MemoryNodes {
    /// Remembers one node.
    pub fn put(&mut self, id: NodeId, hash: Hash) {
        self.0.insert(id, hash);
    }
}

impl NodeStore for MemoryNodes {
    type Error = Infallible;

    fn get(&self, id: NodeId) -> Result<Option<Hash>, Infallible> {
        Ok(self.0.get(&id).copied())
    }
}

/// The hash of a leaf's bytes: `SHA-256(0x00 || leaf)`.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new().chain_update(LEAF_PREFIX).chain_update(leaf).finalize().into()
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update(NODE_PREFIX).chain_update(left).chain_update(right).finalize().into()
}

/// The root of a tree without leaves: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}
