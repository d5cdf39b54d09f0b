//! Entry bundles: the leaves under one tile of level 0, each behind its length as a big-endian `u16`.

use thiserror::Error;

use crate::envelope::MAX_LEAF;

use super::{TILE_WIDTH, Tile};

/// The longest bundle.
pub const MAX_BUNDLE_BYTES: usize = TILE_WIDTH as usize * (size_of::<u16>() + MAX_LEAF);

/// Why bytes are no bundle.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BundleError {
    /// Cut off within an entry.
    #[error("the bundle ends within its entry {0}")]
    Truncated(usize),
    /// Something follows the last entry.
    #[error("{0} bytes follow the bundle's last entry")]
    Trailing(usize),
}

/// Appends an entry. `None` if it is longer than an entry may be, and nothing is appended.
#[must_use]
pub fn push(bundle: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let length = u16::try_from(entry.len()).ok()?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Some(())
}

/// The entries of a bundle: exactly as many as the tile has.
pub fn entries<'a>(tile: &Tile, mut bundle: &'a [u8]) -> Result<Vec<&'a [u8]>, BundleError> {
    let mut entries = Vec::with_capacity(tile.width().into());
    for at in 0..usize::from(tile.width()) {
        let truncated = BundleError::Truncated(at);
        let (length, rest) = bundle.split_first_chunk().ok_or(truncated)?;
        let (entry, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(truncated)?;
        entries.push(entry);
        bundle = rest;
    }
    if bundle.is_empty() { Ok(entries) } else { Err(BundleError::Trailing(bundle.len())) }
}
