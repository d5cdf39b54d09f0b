//! Paths by the specification's examples, tiles against a naive tree and the crate ct-merkle, damage bit by bit.

use std::collections::BTreeMap;
use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use sha2_of_ct_merkle::Sha256 as CtSha256;

use super::bundle::BundleError;
use super::read::{LogStore, ReadError};
use super::*;
use crate::merkle::{MemoryNodes, NodeId, NodeStore, leaf_hash};

/// The size of the specification's example.
const EXAMPLE: u64 = 70_000;

fn hashes(level: u8) -> Content {
    Content::Hashes { level }
}

#[test]
fn the_examples_of_the_specification_are_its_paths() {
    for (content, index, width, path) in [
        (hashes(0), 1_234_067, 256, "tile/0/x001/x234/067"),
        (hashes(0), 0, 256, "tile/0/000"),
        (hashes(0), 273, 112, "tile/0/273.p/112"),
        (hashes(2), 0, 1, "tile/2/000.p/1"),
        (Content::Entries, 999, 255, "tile/entries/999.p/255"),
        (Content::Entries, 1000, 256, "tile/entries/x001/000"),
    ] {
        let tile = Tile::new(content, index, width).unwrap();
        assert_eq!(tile.to_string(), path);
        assert_eq!(path.parse(), Ok(tile));
    }
}

#[test]
fn other_spellings_are_refused() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/+01",
        "tile/00/000",
        "tile/x/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.p",
        "tile/8/000",
        "tile/64/000",
        "tile/7/000",
        "tile/entries/x999/x999/x999/x999/x999/x999/999",
        "tile/data/000",
        "tile/0/../0/000",
    ] {
        assert!(path.parse::<Tile>().is_err(), "{path}");
    }
    assert_eq!(Tile::new(hashes(7), 0, 128), Err(TileError::Beyond));
    assert_eq!(Tile::new(hashes(7), 0, 127).map(|tile| tile.needs()), Ok(127 << 56));
    assert_eq!(Tile::new(hashes(0), 0, 0), Err(TileError::Width(0)));
    assert_eq!(Tile::new(hashes(255), u64::MAX, 1), Err(TileError::Beyond));
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log {
    nodes: MemoryNodes,
    leaves: Vec<Vec<u8>>,
}

impl Log {
    fn of(size: u64) -> Self {
        let mut log = Self::default();
        let mut frontier = crate::merkle::Frontier::default();
        for at in 0..size {
            let leaf = format!("leaf {at}").into_bytes();
            frontier.append(leaf_hash(&leaf), |id, hash| log.nodes.put(id, hash));
            log.leaves.push(leaf);
        }
        log
    }
}

impl NodeStore for Log {
    type Error = Infallible;

    fn get(&self, id: NodeId) -> Result<Option<Hash>, Infallible> {
        self.nodes.get(id)
    }
}

impl LogStore for Log {
    fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.leaves.get(usize::try_from(index).unwrap()).cloned())
    }
}

/// All tiles of hashes that the builder makes of a log.
fn built(size: u64) -> (Builder, BTreeMap<Tile, Vec<Hash>>) {
    let (mut builder, mut tiles) = (Builder::default(), BTreeMap::new());
    for at in 0..size {
        tiles.extend(builder.append(leaf_hash(format!("leaf {at}").as_bytes())));
    }
    tiles.extend(builder.partial());
    (builder, tiles)
}

#[test]
fn the_example_log_has_the_tiles_that_the_specification_lists() {
    let (_, tiles) = built(EXAMPLE);
    let count = |level, full| {
        let of = |tile: &&Tile| tile.content() == hashes(level) && tile.is_full() == full;
        tiles.keys().filter(of).count()
    };
    assert_eq!((count(0, true), count(0, false), count(1, true), count(1, false)), (273, 1, 1, 1));
    assert_eq!((count(2, false), tiles.len()), (1, 277));
    let widths = tiles.keys().filter(|tile| !tile.is_full()).map(|tile| tile.width());
    assert_eq!(widths.collect::<Vec<_>>(), [112, 17, 1]);
    for tile in tiles.keys() {
        assert_eq!(Tile::in_log(tile.content(), tile.index(), EXAMPLE), Some(*tile));
    }
    assert_eq!(Tile::in_log(hashes(0), 274, EXAMPLE), None);
    assert_eq!(Tile::in_log(hashes(3), 0, EXAMPLE), None);
    assert_eq!(Tile::in_log(hashes(7), 0, u64::MAX >> 1).map(|tile| tile.width()), Some(127));
    assert_eq!(Tile::in_log(hashes(1), 0, 256).map(|tile| tile.width()), Some(1));
    assert_eq!(Tile::in_log(hashes(0), u64::MAX, EXAMPLE), None);
}

/// Each hash of a tile is the root of the leaves that it spans, by another implementation.
#[test]
fn tiles_are_those_of_ct_merkle() {
    for size in [1, 255, 256, 257, 511, 600] {
        let (builder, tiles) = built(size);
        let root = |leaves: std::ops::Range<u64>| {
            let mut tree = MemoryBackedTree::<CtSha256, Vec<u8>>::new();
            leaves.for_each(|at| tree.push(format!("leaf {at}").into_bytes()));
            <Hash>::try_from(tree.root().as_bytes().as_slice()).unwrap()
        };
        assert_eq!(builder.root(), root(0..size));
        for (tile, hashes) in tiles {
            let span = 1 << (tile.level() * TILE_HEIGHT);
            for (hash, at) in hashes.iter().zip(tile.start()..) {
                assert_eq!(*hash, root(at * span..(at + 1) * span), "{tile} {at}");
            }
        }
    }
}

#[test]
fn the_tiles_are_frozen() {
    let (builder, tiles) = built(EXAMPLE);
    let mut digest = Sha256::new();
    for (tile, hashes) in &tiles {
        digest.update(tile.to_string());
        digest.update(to_bytes(hashes));
    }
    let frozen = include_str!("../../tests/vectors/tiles.txt");
    assert_eq!(
        format!("{}\n{}\n", hex::encode(builder.root()), hex::encode(digest.finalize())),
        frozen,
        "root of 70,000 leaves, and SHA-256 over the path and bytes of every tile of hashes"
    );
}

#[test]
fn what_is_read_from_a_store_is_what_the_leaves_give() {
    let log = Log::of(600);
    let (_, tiles) = built(600);
    for (tile, hashes) in &tiles {
        let bytes = read::tile(&log, tile).unwrap();
        assert_eq!(from_bytes(tile, &bytes).as_ref(), Some(hashes), "{tile}");
        assert_eq!(from_bytes(tile, &bytes[1..]), None);
    }
    for (index, width) in [(0, 256), (0, 3), (2, 88)] {
        let tile = Tile::new(Content::Entries, index, width).unwrap();
        let bundle = read::tile(&log, &tile).unwrap();
        let from = usize::try_from(tile.start()).unwrap();
        assert_eq!(bundle::entries(&tile, &bundle).unwrap(), log.leaves[from..from + usize::from(width)]);
    }
    let beyond = Tile::new(hashes(0), 2, 89).unwrap();
    let missing = NodeId { level: 0, index: 600 };
    assert_eq!(read::tile(&log, &beyond), Err(ReadError::MissingNode(missing)));
}

/// Whatever node or leaf a tile consists of is damaged: the tile is refused.
#[test]
fn a_flipped_bit_is_never_served() {
    let log = Log::of(513);
    let flipped = |id: NodeId| {
        let mut damaged = log.clone();
        let mut hash = log.get(id).unwrap().unwrap();
        hash[7] ^= 0x10;
        damaged.nodes.put(id, hash);
        damaged
    };
    for content in [Content::Entries, hashes(0)] {
        for index in 0..3 {
            let tile = Tile::in_log(content, index, 513).unwrap();
            for at in (tile.start()..tile.start() + u64::from(tile.width())).step_by(17) {
                let damaged = flipped(NodeId { level: 0, index: at });
                assert_eq!(read::tile(&damaged, &tile), Err(ReadError::DamagedLeaf(at)), "{tile}");
                let mut damaged = log.clone();
                damaged.leaves[usize::try_from(at).unwrap()][0] ^= 1;
                assert_eq!(read::tile(&damaged, &tile), Err(ReadError::DamagedLeaf(at)), "{tile}");
            }
        }
        let whole = NodeId { level: 8, index: 1 };
        let tile = Tile::in_log(content, 1, 513).unwrap();
        assert_eq!(read::tile(&flipped(whole), &tile), Err(ReadError::DamagedNode(whole)));
    }
    let tile = Tile::in_log(hashes(1), 0, 513).unwrap();
    for at in 0..2 {
        let id = NodeId { level: 8, index: at };
        assert_eq!(read::tile(&flipped(id), &tile), Err(ReadError::DamagedNode(id)));
    }
    let mut short = log;
    short.leaves.pop();
    let last = Tile::in_log(Content::Entries, 2, 513).unwrap();
    assert_eq!(read::tile(&short, &last), Err(ReadError::MissingLeaf(512)));
}

#[test]
fn bundles_are_read_strictly() {
    let tile = Tile::new(Content::Entries, 0, 2).unwrap();
    let mut bytes = Vec::new();
    bundle::push(&mut bytes, b"one").unwrap();
    bundle::push(&mut bytes, b"").unwrap();
    assert_eq!(bytes, b"\0\x03one\0\0");
    assert_eq!(bundle::entries(&tile, &bytes).unwrap(), [b"one".as_slice(), b""]);
    assert_eq!(bundle::entries(&tile, &bytes[..6]), Err(BundleError::Truncated(1)));
    assert_eq!(bundle::entries(&tile, &bytes[..4]), Err(BundleError::Truncated(0)));
    assert_eq!(bundle::entries(&tile, &[&bytes[..], b"x"].concat()), Err(BundleError::Trailing(1)));
    assert_eq!(bundle::push(&mut bytes, &[0; 65536]), None);
    assert_eq!(bytes.len(), 7, "what does not fit leaves no trace");
}

proptest! {
    #[test]
    fn every_path_reads_back(level in 0_u8..=8, index in any::<u64>(), shift in 0_u32..64, width in 0_u16..300) {
        for content in [hashes(level), Content::Entries] {
            let Ok(tile) = Tile::new(content, index >> shift, width) else { continue };
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
            let found = Tile::in_log(content, tile.index(), tile.needs()).unwrap();
            prop_assert_eq!(found, tile);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in "(tile/)?[0-9entries]{0,3}/?[x0-9./p]{0,40}") {
        if let Ok(tile) = text.parse::<Tile>() {
            prop_assert_eq!(tile.to_string(), text);
        }
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), width in 1_u16..=8) {
        let tile = Tile::new(Content::Entries, 0, width).unwrap();
        if let Ok(entries) = bundle::entries(&tile, &bytes) {
            let mut again = Vec::new();
            entries.iter().for_each(|entry| bundle::push(&mut again, entry).unwrap());
            prop_assert_eq!(again, bytes);
        }
    }
}
