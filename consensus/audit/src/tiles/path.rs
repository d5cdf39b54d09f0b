//! A tile's path: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`, with one spelling for each tile.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{Content, TILE_WIDTH, Tile, TileError};
use crate::text::from_decimal;

/// The longest path: `tile/entries/`, seven groups of three digits, and the width of a partial tile.
const MAX_PATH: usize = 64;
/// How many digits of the index each part of the path has.
const GROUP: u64 = 1000;

/// Why a text is no tile's path.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PathError {
    /// Not of the form.
    #[error(
        "not the path of a tile: tile/LEVEL/INDEX or tile/entries/INDEX is wanted, INDEX as x001/x234/067, and .p/WIDTH \
         behind a partial one"
    )]
    Form,
    /// No log has it.
    #[error(transparent)]
    Tile(#[from] TileError),
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Entries => f.write_str("tile/entries")?,
            Content::Hashes { level } => write!(f, "tile/{level}")?,
        }
        let mut groups = vec![self.index % GROUP];
        let mut rest = self.index / GROUP;
        while rest > 0 {
            groups.push(rest % GROUP);
            rest /= GROUP;
        }
        for (left, group) in groups.iter().enumerate().rev() {
            write!(f, "/{}{group:03}", if left == 0 { "" } else { "x" })?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for Tile {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() > MAX_PATH {
            return Err(PathError::Form);
        }
        let rest = text.strip_prefix("tile/").ok_or(PathError::Form)?;
        let (level, place) = rest.split_once('/').ok_or(PathError::Form)?;
        let content = match level {
            "entries" => Content::Entries,
            level => {
                let level = from_decimal(level).and_then(|level| level.try_into().ok());
                Content::Hashes { level: level.ok_or(PathError::Form)? }
            }
        };
        let (place, width) = match place.split_once(".p/") {
            Some((place, width)) => (place, from_decimal(width).filter(|w| *w < TILE_WIDTH.into())),
            None => (place, Some(TILE_WIDTH.into())),
        };
        let width = width.and_then(|width| width.try_into().ok()).ok_or(PathError::Form)?;
        let tile = Self::new(content, index(place).ok_or(PathError::Form)?, width)?;
        // Superfluous groups of zeroes are what else could be read.
        if tile.to_string() == text { Ok(tile) } else { Err(PathError::Form) }
    }
}

/// Reads groups of three digits, all but the last with an `x` in front.
fn index(place: &str) -> Option<u64> {
    let mut groups = place.split('/').peekable();
    let mut index = 0_u64;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(GROUP)?.checked_add(digits.parse().ok()?)?;
    }
    Some(index)
}
