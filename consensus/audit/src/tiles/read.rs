//! Tiles from stored nodes and leaves. Whatever is handed out was checked first: each hash against what is below it,
//! and the tile as a whole against what is stored above it. A flipped bit in either is found, named and not served.

use thiserror::Error;

use super::{Content, TILE_HEIGHT, Tile, bundle};
use crate::merkle::{Hash, NodeId, NodeStore, leaf_hash, node_hash};

/// Reads stored leaves beside the nodes.
pub trait LogStore: NodeStore {
    /// The bytes of a leaf, or `None` where it was never stored.
    fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// Why a tile is not served.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReadError<E> {
    /// The store itself failed.
    #[error("reading the log failed: {0}")]
    Store(E),
    /// The store lacks a node that the tile has, or that belongs to it.
    #[error("{0} is missing: the log is smaller than was asked for, or the store is damaged")]
    MissingNode(NodeId),
    /// The store lacks a leaf.
    #[error("leaf {0} is missing: the log is smaller than was asked for, or the store is damaged")]
    MissingLeaf(u64),
    /// A leaf is not the one that the tree has.
    #[error("leaf {0} is not the one that was logged: the store is damaged, restore this replica")]
    DamagedLeaf(u64),
    /// A node does not follow from what is below it.
    #[error("{0} does not follow from what is below it: the store is damaged, restore this replica")]
    DamagedNode(NodeId),
}

/// The bytes of a tile of a log that has it.
pub fn tile<S: LogStore>(store: &S, tile: &Tile) -> Result<Vec<u8>, ReadError<S::Error>> {
    let level = tile.level() * TILE_HEIGHT;
    let mut hashes = Vec::with_capacity(tile.width().into());
    let mut entries = Vec::new();
    for index in tile.start()..tile.start() + u64::from(tile.width()) {
        let id = NodeId { level, index };
        let hash = node(store, id)?;
        if level > 0 {
            below(store, id, &hash)?;
        } else {
            let leaf = store.leaf(index).map_err(ReadError::Store)?.ok_or(ReadError::MissingLeaf(index))?;
            if leaf_hash(&leaf) != hash {
                return Err(ReadError::DamagedLeaf(index));
            }
            if tile.content() == Content::Entries {
                bundle::push(&mut entries, &leaf).ok_or(ReadError::DamagedLeaf(index))?;
            }
        }
        hashes.push(hash);
    }
    above(store, NodeId { level, index: tile.start() }, &hashes)?;
    Ok(match tile.content() {
        Content::Entries => entries,
        Content::Hashes { .. } => super::to_bytes(&hashes),
    })
}

/// A node above the leaves is the hash of its two children.
fn below<S: LogStore>(store: &S, id: NodeId, hash: &Hash) -> Result<(), ReadError<S::Error>> {
    let child = |side| node(store, NodeId { level: id.level - 1, index: id.index * 2 + side });
    if node_hash(&child(0)?, &child(1)?) == *hash { Ok(()) } else { Err(ReadError::DamagedNode(id)) }
}

/// Whatever complete subtrees the tile's hashes form are stored, and are the same: up to the hash of the whole tile.
fn above<S: LogStore>(store: &S, first: NodeId, hashes: &[Hash]) -> Result<(), ReadError<S::Error>> {
    let mut row = hashes.to_vec();
    let NodeId { mut level, mut index } = first;
    while row.len() > 1 {
        row = row.as_chunks().0.iter().map(|[left, right]| node_hash(left, right)).collect();
        (level, index) = (level + 1, index / 2);
        for (hash, index) in row.iter().zip(index..) {
            let id = NodeId { level, index };
            if node(store, id)? != *hash {
                return Err(ReadError::DamagedNode(id));
            }
        }
    }
    Ok(())
}

fn node<S: LogStore>(store: &S, id: NodeId) -> Result<Hash, ReadError<S::Error>> {
    store.get(id).map_err(ReadError::Store)?.ok_or(ReadError::MissingNode(id))
}
