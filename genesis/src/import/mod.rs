//! A phase 1 from elsewhere, in the formats of Zcash's ceremony over BLS12-381.
//!
//! ```text
//! response        BLAKE2b-512 of the challenge, then the powers compressed, then the contributor's public key
//! transcript      for each contribution the powers uncompressed, then the contributor's public key
//! phase1radix2mN  alpha, beta in G1, beta in G2, then the Lagrange basis and h, uncompressed
//! ```
//!
//! The powers are tau^i in G1, tau^i in G2, alpha tau^i, beta tau^i, beta in G2, for 2^21 where Zcash made them. What a
//! smaller circuit needs is the beginning of each vector, so files are read in pieces and never as a whole. The source
//! of all this is the program of the ceremony, github.com/ebfull/powersoftau.

mod hash;
mod response;
#[cfg(test)]
mod tests;
mod transcript;

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

pub use self::{response::response, transcript::transcript};
use crate::{
    flaw::Flaw,
    origin::{Given, Origin},
    phase1::{Lagrange, Phase1},
    points::Reading,
};

/// Bytes hashed at a time.
const BUFFER: usize = 1 << 20;
/// Bytes of a contributor's public key: six points of G1 and three of G2, uncompressed.
const PUBLIC_KEY: u64 = 6 * 96 + 3 * 192;
/// Bytes of a BLAKE2b-512 hash.
const HASH: u64 = 64;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It has another length than its format and size give.
    #[error("it has {found} bytes, {what} for 2^{power} has {wanted}: is the power right?")]
    Length {
        /// The format.
        what: &'static str,
        /// The power it was taken for.
        power: u8,
        /// Its length.
        found: u64,
        /// What it should be.
        wanted: u64,
    },
    /// The circuit needs more than there is.
    #[error("it has powers for 2^{there}, and 2^{wanted} is wanted")]
    Small {
        /// What there is.
        there: u8,
        /// What is wanted.
        wanted: u8,
    },
    /// The pinned hash is another.
    #[error(
        "its BLAKE2b-512 hash is {found}, not the one given: fetch the file again, from where the hash was published"
    )]
    Hash {
        /// The hash found.
        found: String,
    },
    /// A contribution in its transcript.
    #[error("contribution {round} in it: {what}")]
    Round {
        /// Which, from 1.
        round: u32,
        /// What is wrong.
        what: &'static str,
    },
    /// Its points.
    #[error("{0}")]
    Flaw(#[from] Flaw),
}

/// An import that was refused.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct RefusedImport {
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub source: ImportError,
}

/// Where the vectors of powers for 2^`power` lie, in a file that has them from `start`.
#[derive(Clone, Copy, Debug)]
struct Layout {
    power: u8,
    start: u64,
    /// Bytes of a point of G1; twice as many are one of G2.
    g1: u64,
}

impl Layout {
    fn n(&self) -> u64 {
        1 << self.power
    }

    /// Where tau^0 in G1, tau^0 in G2, alpha, beta, beta in G2, and what follows them, begin.
    fn offsets(&self) -> [u64; 6] {
        let (n, g1) = (self.n(), self.g1);
        let mut at = self.start;
        [0, (2 * n - 1) * g1, n * 2 * g1, n * g1, n * g1, 2 * g1].map(|length| {
            at += length;
            at
        })
    }

    fn bytes(&self) -> u64 {
        self.offsets()[5] - self.start
    }
}

/// `length` bytes from `offset`.
fn read_at(file: &mut (impl Read + Seek), offset: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Calls `each` with all bytes from `offset` to `end`, in pieces whose lengths are multiples of `unit`.
fn stream(
    file: &mut (impl Read + Seek),
    offset: u64,
    end: u64,
    unit: usize,
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    let mut buffer = vec![0; BUFFER / unit * unit];
    let mut left = end - offset;
    while left > 0 {
        let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        file.read_exact(&mut buffer[..length])?;
        each(&buffer[..length]);
        left -= length as u64;
    }
    Ok(())
}

fn length(file: &mut impl Seek, what: &'static str, power: u8, wanted: u64) -> Result<(), ImportError> {
    let found = file.seek(SeekFrom::End(0))?;
    if found == wanted { Ok(()) } else { Err(ImportError::Length { what, power, found, wanted }) }
}

/// Reads a `phase1radix2m` file for 2^`power`. Its origin cannot be shown from it: pin its hash.
///
/// # Errors
/// [`ImportError`].
pub fn radix(
    file: &mut (impl Read + Seek),
    power: u8,
    pinned: Option<&[u8; 64]>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Given, ImportError> {
    let bytes = Lagrange::bytes(power) as u64;
    length(file, "a phase1radix2m file", power, bytes)?;
    let origin = origin(file, bytes, pinned, progress)?;
    let bytes = read_at(file, 0, bytes)?;
    let mut reading = Reading::new(&bytes);
    let lagrange = Lagrange::read(&mut reading, power).map_err(Flaw::from)?;
    reading.finish().map_err(Flaw::from)?;
    lagrange.check()?;
    Ok(Given { origin, phase1: Phase1::Lagrange(Box::new(lagrange)) })
}

/// What is known of a file's origin: that it has the hash that was published, or nothing.
fn origin(
    file: &mut (impl Read + Seek),
    bytes: u64,
    pinned: Option<&[u8; 64]>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Origin, ImportError> {
    let Some(pinned) = pinned else { return Ok(Origin::Unproven) };
    let found = hash::of_range(file, 0, bytes, progress)?;
    if found == *pinned {
        Ok(Origin::Pinned(found))
    } else {
        Err(ImportError::Hash { found: hex::encode(found) })
    }
}
