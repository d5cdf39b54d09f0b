//! The right edge of a growing tree: all that appending needs.

use super::tree::{TreeError, node, peaks};
use super::{Hash, MAX_TREE_SIZE, NodeId, NodeStore, empty_root, node_hash};

/// The hashes of the complete subtrees a tree of `size` leaves consists of, largest first: one for each set bit of the
/// size. It appends in amortised constant time and without reads, whatever the size.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the tree's first `size` leaves, from stored nodes (at most 63 reads).
    pub fn load<S: NodeStore>(store: &S, size: u64) -> Result<Self, TreeError<S::Error>> {
        if size > MAX_TREE_SIZE {
            return Err(TreeError::SizeTooLarge { size });
        }
        let peaks = peaks(0, size).map(|id| node(store, id)).collect::<Result<_, _>>()?;
        Ok(Self { size, peaks })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf, calls `emit` for each node that is now complete (the leaf itself first), and returns the
    /// leaf's index.
    pub fn append(&mut self, leaf: Hash, mut emit: impl FnMut(NodeId, Hash)) -> u64 {
        let index = self.size;
        let mut id = NodeId { level: 0, index };
        let mut hash = leaf;
        emit(id, hash);
        while id.index % 2 == 1 {
            let left =
                self.peaks.pop().expect("an odd index has a complete left sibling, which is the last peak");
            hash = node_hash(&left, &hash);
            id = NodeId { level: id.level + 1, index: id.index / 2 };
            emit(id, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
        index
    }

    /// The root of the tree as it stands.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.peaks
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}
