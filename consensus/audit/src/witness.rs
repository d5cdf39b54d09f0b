//! C2SP tlog-witness v1.0.0 without its HTTP: the request for a cosignature, and whether a witness may grant it.
//!
//! A witness remembers one size and root for each log. It cosigns a checkpoint only if that is shown to extend what it
//! remembers, and it must remember the new one before the cosignature leaves. [`check`] decides against a state that
//! the caller read; the caller must store [`Accepted::seen`] only if the state is still the one it read, and ask again
//! if it is not: two requests that were checked side by side could otherwise roll the state back.

use std::fmt;

use hansa_types::codec_struct;
use hansa_types::hash::PublicKey;
use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::merkle::{Hash, ProofError, verify_consistency};
use crate::note::{MAX_NOTE_BYTES, NoteError, SignedNote};
use crate::text::{array_from_base64, from_decimal, to_base64};

/// The most lines of a consistency proof.
pub const MAX_PROOF_LINES: usize = 63;
/// The longest request: the proof, the note, and the line with the old size.
pub const MAX_REQUEST_BYTES: usize = MAX_PROOF_LINES * 45 + MAX_NOTE_BYTES + 32;

/// `add-checkpoint`: asks a witness to cosign a checkpoint that extends the one it cosigned last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness is thought to have cosigned last; 0 if none.
    pub old: u64,
    /// That the checkpoint's tree extends the one of that size; empty from size 0.
    pub proof: Vec<Hash>,
    /// The checkpoint, signed by its log.
    pub checkpoint: SignedNote,
}

/// What a witness remembers of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many leaves the largest checkpoint had that it cosigned.
    pub size: u64,
    /// The root of that checkpoint.
    pub root: Hash,
}
codec_struct!(Seen { size, root });

/// A log that the witness knows.
#[derive(Clone, Copy, Debug)]
pub struct LogKey<'a> {
    /// Its name.
    pub origin: &'a str,
    /// The key that signs its checkpoints.
    pub key: &'a PublicKey,
}

/// A checkpoint that may be cosigned once [`Accepted::seen`] is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What is cosigned.
    pub checkpoint: Checkpoint,
    /// What is to be remembered instead of what the check was made against.
    pub seen: Seen,
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WitnessRefusal {
    /// Not a request.
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    /// The note around the checkpoint is none.
    #[error("the request's note is malformed: {0}")]
    Note(NoteError),
    /// The text that the log signed is not a checkpoint.
    #[error("the log signed something else than a checkpoint: {0}")]
    NotACheckpoint(CheckpointError),
    /// A log that this witness does not know.
    #[error("the log {0:?} is not known to this witness")]
    UnknownOrigin(String),
    /// The log's key has not signed, or not this.
    #[error("the log's signature: {0}")]
    BadSignature(NoteError),
    /// The old size lies behind the checkpoint.
    #[error("the old size {old} is above the checkpoint's size {size}")]
    OldAboveSize {
        /// The old size.
        old: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// The witness cosigned another size last.
    #[error("this witness cosigned size {known} last: prove consistency from there")]
    Conflict {
        /// That size.
        known: u64,
    },
    /// The log signed two roots for one size. Both notes together prove it: keep them.
    #[error("the log signed another root for size {known} before: it has forked")]
    Fork {
        /// The size.
        known: u64,
    },
    /// The checkpoint is not shown to extend what the witness remembers. Not a proof that it does not.
    #[error("the checkpoint is not shown to extend the one of size {known}: {source}")]
    BadProof {
        /// The size that the witness remembers.
        known: u64,
        /// What is wrong with the proof.
        source: ProofError,
    },
}

impl WitnessRefusal {
    /// The status that tlog-witness gives to this refusal.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Note(_) | Self::NotACheckpoint(_) | Self::OldAboveSize { .. } => 400,
            Self::BadSignature(_) => 403,
            Self::UnknownOrigin(_) => 404,
            Self::Conflict { .. } | Self::Fork { .. } => 409,
            Self::BadProof { .. } => 422,
        }
    }

    /// The size that stands in the body of a 409.
    #[must_use]
    pub fn known_size(&self) -> Option<u64> {
        match self {
            Self::Conflict { known } | Self::Fork { known } => Some(*known),
            _ => None,
        }
    }
}

impl AddCheckpoint {
    /// Parses the body of a request strictly, without checking anything.
    pub fn parse(bytes: &[u8]) -> Result<Self, WitnessRefusal> {
        use WitnessRefusal::Malformed;
        if bytes.len() > MAX_REQUEST_BYTES {
            return Err(Malformed("it is longer than any request"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed("it is not UTF-8 text"))?;
        let (head, note) = text.split_once("\n\n").ok_or(Malformed("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(from_decimal)
            .ok_or(Malformed("the first line is not `old` and a plain decimal"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_PROOF_LINES {
                return Err(Malformed("the proof has more than 63 lines"));
            }
            proof.push(array_from_base64(line).ok_or(Malformed("a hash is not the base64 of 32 bytes"))?);
        }
        let checkpoint = SignedNote::parse(note.as_bytes()).map_err(WitnessRefusal::Note)?;
        Ok(Self { old, proof, checkpoint })
    }

    /// The log that the checkpoint says it is of: to find its key by, and not to be relied on otherwise.
    #[must_use]
    pub fn unverified_origin(&self) -> &str {
        self.checkpoint.unverified_text().lines().next().unwrap_or_default()
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", to_base64(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Decides whether a witness that remembers `state` of the log may cosign the checkpoint.
pub fn check(
    state: Option<&Seen>,
    log: &LogKey<'_>,
    request: &AddCheckpoint,
) -> Result<Accepted, WitnessRefusal> {
    let origin = request.unverified_origin();
    if origin != log.origin {
        return Err(WitnessRefusal::UnknownOrigin(origin.to_owned()));
    }
    let checkpoint =
        Checkpoint::open(&request.checkpoint, log.origin, log.key).map_err(|error| match error {
            CheckpointError::Note(error) => WitnessRefusal::BadSignature(error),
            error => WitnessRefusal::NotACheckpoint(error),
        })?;
    let seen = Seen { size: checkpoint.size, root: checkpoint.root };
    if request.old > seen.size {
        return Err(WitnessRefusal::OldAboveSize { old: request.old, size: seen.size });
    }
    // Before the sizes are compared: two roots for one size are a fork whatever the request says of the old size.
    if let Some(known) = state.filter(|known| known.size == seen.size && known.root != seen.root) {
        return Err(WitnessRefusal::Fork { known: known.size });
    }
    let known = state.map_or(0, |known| known.size);
    if request.old != known {
        return Err(WitnessRefusal::Conflict { known });
    }
    match state {
        Some(state) if known > 0 => {
            verify_consistency(known, seen.size, &state.root, &seen.root, &request.proof)
        }
        // Nothing is remembered, or an empty tree, which every tree extends.
        _ if request.proof.is_empty() => Ok(()),
        _ => Err(ProofError::WrongLength(request.proof.len())),
    }
    .map_err(|source| WitnessRefusal::BadProof { known, source })?;
    Ok(Accepted { checkpoint, seen })
}

#[cfg(test)]
mod partitions;
#[cfg(test)]
mod tests;
