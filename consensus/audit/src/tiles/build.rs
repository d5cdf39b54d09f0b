//! The tiles of a log from its leaves, in order, holding no more than the right edge.

use super::{Content, TILE_HEIGHT, TILE_WIDTH, Tile};
use crate::merkle::{Frontier, Hash, NodeId};

/// Grows a tree leaf by leaf and hands out each tile of hashes once it is full.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    frontier: Frontier,
    /// The hashes of each level since its last full tile.
    open: Vec<Vec<Hash>>,
}

impl Builder {
    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root of the tree as it stands.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends a leaf by its hash and returns the tiles that are full now, the lowest level first.
    pub fn append(&mut self, leaf: Hash) -> Vec<(Tile, Vec<Hash>)> {
        let open = &mut self.open;
        let mut full = Vec::new();
        self.frontier.append(leaf, |NodeId { level, index }, hash| {
            if level % TILE_HEIGHT != 0 {
                return;
            }
            let level = level / TILE_HEIGHT;
            if usize::from(level) == open.len() {
                open.push(Vec::with_capacity(TILE_WIDTH.into()));
            }
            let hashes = &mut open[usize::from(level)];
            hashes.push(hash);
            if hashes.len() == usize::from(TILE_WIDTH) {
                let tile = Tile {
                    content: Content::Hashes { level },
                    index: index / u64::from(TILE_WIDTH),
                    width: TILE_WIDTH,
                };
                full.push((tile, std::mem::take(hashes)));
            }
        });
        full
    }

    /// The tiles that are not full, the lowest level first: one at the most for each level.
    #[must_use]
    pub fn partial(&self) -> Vec<(Tile, Vec<Hash>)> {
        let levels = (0..).zip(&self.open).filter(|(_, hashes)| !hashes.is_empty());
        levels
            .map(|(level, hashes)| {
                let nodes = self.size() >> (level * TILE_HEIGHT);
                let width = u16::try_from(hashes.len()).expect("a tile that is not full has fewer than 256");
                let index = nodes / u64::from(TILE_WIDTH);
                (Tile { content: Content::Hashes { level }, index, width }, hashes.clone())
            })
            .collect()
    }
}
