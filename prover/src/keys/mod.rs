//! The proof system's keys: typed wrappers that cannot hold a bad key, and their file format.
//!
//! # File format (version 1)
//!
//! ```text
//! "HANSAKEY"  kind: u8  version: u8  circuit version: u16  circuit hash: 32 bytes  payload length: u64  payload
//! ```
//!
//! Integers are big-endian. Kind 1 is a verifying key: alpha in G1, beta, gamma and delta in G2, then ten
//! points of G1 for the constant and the public inputs, all compressed (ZCash encoding). Kind 2 is a proving
//! key: a verifying key's payload, then uncompressed beta and delta in G1 and the queries A, B (G1), B (G2),
//! H and L, whose lengths follow from the circuit. The manifest pins a verifying key by the SHA-256 of its
//! file.

mod file;
mod proving;
#[cfg(test)]
mod tests;
mod verifying;

pub use self::{proving::ProvingKey, verifying::VerifyingKey};
use crate::points::PointError;
use hansa_types::hash::Digest;

/// Why a key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a key file.
    #[error("not a Hansa key file of the kind wanted ({0}); name the file that setup or the ceremony wrote")]
    NotAKey(&'static str),
    /// A file of another format version.
    #[error("key file format {found}, this program reads {known}: use a matching release")]
    Version {
        /// The version found.
        found: u8,
        /// The version this program writes.
        known: u8,
    },
    /// A key of another circuit.
    #[error(
        "the key is for circuit version {found_version} ({found}), this program proves {known}: \
             use keys and release of one version"
    )]
    Circuit {
        /// The circuit version the file names.
        found_version: u16,
        /// The circuit hash the file names.
        found: Digest,
        /// This program's circuit hash.
        known: Digest,
    },
    /// The payload has another length than the circuit's key.
    #[error(
        "the key has {found} bytes of payload, this circuit's has {known}: the file is damaged, or has \
             another number of public inputs"
    )]
    Length {
        /// Bytes found.
        found: u64,
        /// Bytes wanted.
        known: u64,
    },
    /// A point that no honest setup yields.
    #[error("{what} of the key: {source}")]
    Point {
        /// Which point.
        what: &'static str,
        /// What is wrong with it.
        source: PointError,
    },
    /// Anyone can forge proofs under such a key: phase 2 was skipped or undone.
    #[error("delta of the key is {0}: anyone could forge proofs under it; phase 2 of its setup was skipped")]
    TrivialDelta(&'static str),
    /// The file is not the one the manifest pins.
    #[error(
        "the verifying key's hash is {found}, the manifest pins {pinned}: fetch the consortium's key file"
    )]
    NotPinned {
        /// The hash found.
        found: Digest,
        /// The hash in the manifest.
        pinned: Digest,
    },
    /// The halves of a proving key do not belong together.
    #[error("the proving key's parts do not belong together ({0}): the file is damaged")]
    Inconsistent(&'static str),
}
