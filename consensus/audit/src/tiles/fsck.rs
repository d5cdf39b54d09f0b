//! Checks and makes whole copies of a log: every entry and every hash of every tile against the signed checkpoint.
//!
//! Neither function does any I/O: both are given what reads a resource by its name, so that a folder, a server and a
//! test are alike to them. They hold no more than one tile a level.

use thiserror::Error;

use super::bundle::{self, BundleError};
use super::{Builder, CHECKPOINT_PATH, Content, TILE_WIDTH, Tile, from_bytes, to_bytes};
use crate::checkpoint::Checkpoint;
use crate::merkle::{Hash, leaf_hash};
use crate::note::SignedNote;
use crate::text::to_base64;

/// The first thing that is wrong with a copy of a log.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FsckError<E> {
    /// A resource cannot be had.
    #[error("{name}: {source}")]
    Read {
        /// Which.
        name: String,
        /// Why.
        source: E,
    },
    /// An entry bundle that is none.
    #[error("{tile}: {source}")]
    Bundle {
        /// Which.
        tile: Tile,
        /// What is wrong.
        source: BundleError,
    },
    /// A tile of hashes of another length.
    #[error("{0} is not as long as its {width} hashes", width = .0.width())]
    Length(Tile),
    /// An entry that is not the one its hash stands for.
    #[error(
        "entry {index} in {bundle} does not have the hash that {tile} gives it: one of the two was altered"
    )]
    Entry {
        /// The entry's index.
        index: u64,
        /// Where it is.
        bundle: Tile,
        /// Where its hash is.
        tile: Tile,
    },
    /// A hash that does not follow from the tiles below.
    #[error("hash {at} in {tile} does not follow from the tiles below it: it was altered")]
    Hash {
        /// Where it is.
        tile: Tile,
        /// Its place in the tile.
        at: usize,
    },
    /// Entries and tiles fit, and are not those of the checkpoint.
    #[error(
        "entries and tiles fit one another and lead to the root {found}, and the checkpoint of {size} entries was signed \
         over {signed}: it is of another history"
    )]
    Root {
        /// How many entries.
        size: u64,
        /// The root found.
        found: String,
        /// The root signed.
        signed: String,
    },
    /// Whoever looked at an entry refused it.
    #[error(transparent)]
    Visit(E),
}

/// Checks the log that `read` gives against a checkpoint whose signature was verified, and shows each entry to `visit`
/// once its hash is found in its tile. Nothing that was shown is proved before the whole is.
pub fn fsck<E>(
    checkpoint: &Checkpoint,
    mut read: impl FnMut(&Tile) -> Result<Vec<u8>, E>,
    mut visit: impl FnMut(u64, &[u8]) -> Result<(), E>,
) -> Result<(), FsckError<E>> {
    let mut read =
        |tile: &Tile| read(tile).map_err(|source| FsckError::Read { name: tile.to_string(), source });
    let mut builder = Builder::default();
    let parts = checkpoint.size.div_ceil(u64::from(TILE_WIDTH));
    for (bundle, tile) in (0..parts).filter_map(|index| level_zero(index, checkpoint.size)) {
        let bytes = read(&bundle)?;
        let entries =
            bundle::entries(&bundle, &bytes).map_err(|source| FsckError::Bundle { tile: bundle, source })?;
        let hashes = from_bytes(&tile, &read(&tile)?).ok_or(FsckError::Length(tile))?;
        for ((entry, hash), index) in entries.into_iter().zip(hashes).zip(tile.start()..) {
            if leaf_hash(entry) != hash {
                return Err(FsckError::Entry { index, bundle, tile });
            }
            visit(index, entry).map_err(FsckError::Visit)?;
            for (tile, hashes) in builder.append(hash) {
                check(&tile, &hashes, &mut read)?;
            }
        }
    }
    for (tile, hashes) in builder.partial() {
        check(&tile, &hashes, &mut read)?;
    }
    fits(&builder, checkpoint)
}

/// Makes a whole copy of the log that a checkpoint covers: takes each entry bundle from `bundle`, computes the tiles of
/// hashes, and gives each resource to `put` under its path, the checkpoint last. A copy without checkpoint is broken
/// off; one whose entries do not lead to the signed root gets none.
pub fn copy<E>(
    note: &SignedNote,
    checkpoint: &Checkpoint,
    mut bundle: impl FnMut(&Tile) -> Result<Vec<u8>, E>,
    mut put: impl FnMut(&str, &[u8]) -> Result<(), E>,
) -> Result<(), FsckError<E>> {
    let mut put = |name: &str, bytes: &[u8]| {
        put(name, bytes).map_err(|source| FsckError::Read { name: name.to_owned(), source })
    };
    let mut builder = Builder::default();
    let parts = checkpoint.size.div_ceil(u64::from(TILE_WIDTH));
    for (tile, _) in (0..parts).filter_map(|index| level_zero(index, checkpoint.size)) {
        let name = tile.to_string();
        let bytes = bundle(&tile).map_err(|source| FsckError::Read { name: name.clone(), source })?;
        let entries = bundle::entries(&tile, &bytes).map_err(|source| FsckError::Bundle { tile, source })?;
        for entry in entries {
            for (full, hashes) in builder.append(leaf_hash(entry)) {
                put(&full.to_string(), &to_bytes(&hashes))?;
            }
        }
        put(&name, &bytes)?;
    }
    for (tile, hashes) in builder.partial() {
        put(&tile.to_string(), &to_bytes(&hashes))?;
    }
    fits(&builder, checkpoint)?;
    put(CHECKPOINT_PATH, note.to_string().as_bytes())
}

/// The bundle at `index` and the tile with its hashes.
fn level_zero(index: u64, size: u64) -> Option<(Tile, Tile)> {
    let hashes = Content::Hashes { level: 0 };
    Some((Tile::in_log(Content::Entries, index, size)?, Tile::in_log(hashes, index, size)?))
}

/// A tile above level 0 holds what was computed; that of level 0 was compared with its entries.
fn check<E>(
    tile: &Tile,
    computed: &[Hash],
    read: &mut impl FnMut(&Tile) -> Result<Vec<u8>, FsckError<E>>,
) -> Result<(), FsckError<E>> {
    if tile.level() == 0 {
        return Ok(());
    }
    let found = from_bytes(tile, &read(tile)?).ok_or(FsckError::Length(*tile))?;
    match found.iter().zip(computed).position(|(found, computed)| found != computed) {
        Some(at) => Err(FsckError::Hash { tile: *tile, at }),
        None => Ok(()),
    }
}

fn fits<E>(builder: &Builder, checkpoint: &Checkpoint) -> Result<(), FsckError<E>> {
    let (found, signed) = (builder.root(), checkpoint.root);
    if builder.size() == checkpoint.size && found == signed {
        return Ok(());
    }
    let (found, signed) = (to_base64(&found), to_base64(&signed));
    Err(FsckError::Root { size: checkpoint.size, found, signed })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing::{LogKey, small_log};

    type Copy = BTreeMap<String, Vec<u8>>;

    fn log(size: u64) -> (Checkpoint, Copy) {
        let leaves: Vec<Vec<u8>> = (0..size).map(|at| format!("leaf {at}").into_bytes()).collect();
        let leaves: Vec<&[u8]> = leaves.iter().map(Vec::as_slice).collect();
        let (_, checkpoint) = small_log("bank-a.example/audit", &leaves);
        let note = checkpoint.sign(&LogKey::new(1)).unwrap();
        let mut made = Copy::new();
        let bundle = |tile: &Tile| {
            let mut bytes = Vec::new();
            let from = usize::try_from(tile.start()).unwrap();
            for leaf in &leaves[from..from + usize::from(tile.width())] {
                bundle::push(&mut bytes, leaf).unwrap();
            }
            Ok::<_, String>(bytes)
        };
        let put = |name: &str, bytes: &[u8]| {
            assert!(made.insert(name.to_owned(), bytes.to_vec()).is_none(), "{name} is written twice");
            Ok(())
        };
        copy(&note, &checkpoint, bundle, put).unwrap();
        assert_eq!(made[CHECKPOINT_PATH], note.to_string().into_bytes());
        (checkpoint, made)
    }

    fn check_copy(checkpoint: &Checkpoint, copy: &Copy) -> Result<u64, FsckError<String>> {
        let mut seen = 0;
        let read = |tile: &Tile| copy.get(&tile.to_string()).cloned().ok_or_else(|| "missing".to_owned());
        fsck(checkpoint, read, |index, entry| {
            assert_eq!(index, seen);
            seen += 1;
            if entry == b"leaf 9999" { Err("seen".to_owned()) } else { Ok(()) }
        })?;
        Ok(seen)
    }

    #[test]
    fn a_copy_is_whole_at_every_shape_of_tree() {
        for size in [0, 1, 255, 256, 257, 512, 1000] {
            let (checkpoint, copy) = log(size);
            assert_eq!(check_copy(&checkpoint, &copy), Ok(size));
        }
    }

    #[test]
    fn the_first_bad_resource_is_named() {
        let (checkpoint, copy) = log(600);
        for (name, bytes) in copy.iter().filter(|(name, _)| *name != CHECKPOINT_PATH) {
            let verdict = |bytes: Option<Vec<u8>>| {
                let mut altered = copy.clone();
                match bytes {
                    Some(bytes) => altered.insert(name.clone(), bytes),
                    None => altered.remove(name),
                };
                check_copy(&checkpoint, &altered).unwrap_err().to_string()
            };
            for at in (0..bytes.len()).step_by(41) {
                let mut flipped = bytes.clone();
                flipped[at] ^= 4;
                let verdict = verdict(Some(flipped));
                assert!(verdict.contains(name.as_str()), "{name} byte {at}: {verdict}");
            }
            for altered in [None, Some(bytes[1..].to_vec()), Some([bytes, &b"x"[..]].concat())] {
                let verdict = verdict(altered);
                assert!(verdict.starts_with(name.as_str()), "{name}: {verdict}");
            }
        }
    }

    #[test]
    fn another_history_that_fits_itself_is_refused() {
        let (_, copy) = log(300);
        let (other, _) = log(301);
        let signed = Checkpoint { size: 300, ..other };
        assert!(matches!(check_copy(&signed, &copy), Err(FsckError::Root { size: 300, .. })));
        let refused = super::copy(
            &signed.sign(&LogKey::new(1)).unwrap(),
            &signed,
            |tile| Ok::<_, String>(copy[&tile.to_string()].clone()),
            |name, _| if name == CHECKPOINT_PATH { Err("written".to_owned()) } else { Ok(()) },
        );
        assert!(matches!(refused, Err(FsckError::Root { .. })), "no checkpoint is written: {refused:?}");
    }

    #[test]
    fn whoever_looks_may_refuse() {
        let (checkpoint, copy) = log(10_000);
        assert_eq!(check_copy(&checkpoint, &copy), Err(FsckError::Visit("seen".to_owned())));
    }
}
