//! C2SP tlog-tiles v0.1.0: the log cut into static resources that can be copied, cached and checked.
//!
//! A *hash tile* of level L holds up to 256 consecutive nodes of the tree's level 8 L; an *entry bundle* holds the
//! leaves under one tile of level 0. A full tile never changes. [`Tile`] names one and is its path, [`Builder`] makes
//! the tiles of a log from its leaves alone, [`read`] takes them from stored nodes and leaves and refuses damage,
//! [`bundle`] is the form of entries, and [`copy`] and [`fsck`] make and check whole copies.

mod build;
pub mod bundle;
mod fsck;
mod path;
pub mod read;

#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::merkle::{Hash, MAX_TREE_SIZE};

pub use self::build::Builder;
pub use self::fsck::{FsckError, copy, fsck};
pub use self::path::PathError;

/// The log's checkpoint beside its tiles.
pub const CHECKPOINT_PATH: &str = "checkpoint";
/// How many hashes or entries a full tile has.
pub const TILE_WIDTH: u16 = 256;
/// How many levels of the tree one tile spans.
pub const TILE_HEIGHT: u8 = 8;
/// The highest level that a tile of the largest tree has.
pub const MAX_LEVEL: u8 = 7;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// The leaves themselves.
    Entries,
    /// Hashes: those of leaves at level 0, and at each level above those of full tiles of the level below.
    Hashes {
        /// The level.
        level: u8,
    },
}

/// Names a tile that some tree has: its content, its place among those of its level, and how wide it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    content: Content,
    index: u64,
    width: u16,
}

/// Why no tree has such a tile.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TileError {
    /// Empty, or wider than a full one.
    #[error("a tile has 1 to {TILE_WIDTH} entries, not {0}")]
    Width(u16),
    /// Above the largest tree.
    #[error("no log of at most {MAX_TREE_SIZE} entries has such a tile")]
    Beyond,
}

impl Tile {
    /// The tile of this content, place and width.
    pub fn new(content: Content, index: u64, width: u16) -> Result<Self, TileError> {
        if !(1..=TILE_WIDTH).contains(&width) {
            return Err(TileError::Width(width));
        }
        let tile = Self { content, index, width };
        let end = (u128::from(index) * u128::from(TILE_WIDTH) + u128::from(width))
            << (u32::from(tile.level()) * u32::from(TILE_HEIGHT)).min(64);
        if tile.level() > MAX_LEVEL || end > u128::from(MAX_TREE_SIZE) {
            return Err(TileError::Beyond);
        }
        Ok(tile)
    }

    /// The tile of this content at `index` in the log's first `size` entries, as wide as it is there; none where the
    /// log does not reach.
    #[must_use]
    pub fn in_log(content: Content, index: u64, size: u64) -> Option<Self> {
        let level = Self { content, index, width: 1 }.level();
        let nodes = size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        let start = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = nodes.checked_sub(start)?.min(u64::from(TILE_WIDTH));
        Self::new(content, index, u16::try_from(width).ok()?).ok()
    }

    /// What it holds.
    #[must_use]
    pub fn content(&self) -> Content {
        self.content
    }

    /// Its place among the tiles of its level.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it has.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it is full, and so never changes.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The level: 0 for entries.
    #[must_use]
    pub fn level(&self) -> u8 {
        match self.content {
            Content::Entries => 0,
            Content::Hashes { level } => level,
        }
    }

    /// The place of its first hash or entry among those of its level.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.index * u64::from(TILE_WIDTH)
    }

    /// How many entries a log needs to have this tile.
    #[must_use]
    pub fn needs(&self) -> u64 {
        (self.start() + u64::from(self.width)) << (self.level() * TILE_HEIGHT)
    }

    /// How many bytes a tile of hashes has.
    #[must_use]
    pub fn hash_bytes(&self) -> usize {
        usize::from(self.width) * size_of::<Hash>()
    }
}

/// A tile of hashes as bytes.
#[must_use]
pub fn to_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// The hashes of a tile, or `None` unless the bytes are exactly as many as it has.
#[must_use]
pub fn from_bytes(tile: &Tile, bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, []) = bytes.as_chunks() else { return None };
    (hashes.len() == usize::from(tile.width)).then(|| hashes.to_vec())
}
