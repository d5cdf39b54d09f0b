//! Evidence that a log forked: two checkpoints that one key signed and that cannot both be true, as one file.
//!
//! Two roots for one size are a proof: whoever has the log's key verifies it, and nobody but the holder of that key
//! could have made it. Two sizes are not: only a proof of consistency would tell whether the larger tree extends the
//! smaller, and a log that does not give one may be down as well as dishonest. Such a pair is a *suspicion*, kept
//! because another checkpoint may turn it into a proof, and said to be no more.

use hansa_types::codec::{CodecError, Encode, Reader, Writer};
use hansa_types::hash::{Digest, PublicKey, digest};
use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::merkle::Hash;
use crate::note::{MAX_NOTE_BYTES, SignedNote};

/// The first bytes of a file.
pub const MAGIC: [u8; 8] = *b"HANSAFRK";
/// The version byte that follows the magic.
pub const FORK_VERSION: u8 = 1;
/// The longest file, in bytes.
pub const MAX_FORK_BYTES: usize = 2 * MAX_NOTE_BYTES + 64;

/// Two signed checkpoints of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    notes: [SignedNote; 2],
}

/// What two checkpoints show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The log signed two roots for one size: it has forked.
    Proof {
        /// The size.
        size: u64,
        /// The roots.
        roots: [Hash; 2],
    },
    /// The log signed two sizes, and consistency between them was not shown: it may have forked.
    Suspicion {
        /// The sizes.
        sizes: [u64; 2],
    },
}

/// Why a file shows nothing.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ForkError {
    /// Another kind of file.
    #[error("this is not evidence of a fork: it does not begin with HANSAFRK")]
    NotFork,
    /// Not the canonical encoding.
    #[error("the file is malformed: {0}")]
    Codec(#[from] CodecError),
    /// A checkpoint was refused.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Both notes say the same.
    #[error("both checkpoints have the same size and root: the log did not fork here")]
    Same,
}

impl Fork {
    /// Two checkpoints, in whichever order.
    #[must_use]
    pub fn new(one: SignedNote, other: SignedNote) -> Self {
        let mut notes = [one, other];
        notes.sort_by_cached_key(ToString::to_string);
        Self { notes }
    }

    /// The two notes.
    #[must_use]
    pub fn notes(&self) -> &[SignedNote; 2] {
        &self.notes
    }

    /// The log that the first checkpoint says it is of; not to be relied on before [`Fork::verify`].
    #[must_use]
    pub fn unverified_origin(&self) -> &str {
        self.notes[0].unverified_text().lines().next().unwrap_or_default()
    }

    /// Names the pair by what was signed, whoever cosigned it.
    #[must_use]
    pub fn id(&self) -> Digest {
        let mut texts = [&self.notes[0], &self.notes[1]].map(SignedNote::unverified_text);
        texts.sort_unstable();
        digest("hansa/fork/v1", &texts.map(str::as_bytes))
    }

    /// Reads a file strictly; proves nothing yet.
    pub fn from_file(bytes: &[u8]) -> Result<Self, ForkError> {
        let mut input = Reader::new(bytes.strip_prefix(&MAGIC).ok_or(ForkError::NotFork)?);
        input.version("fork", FORK_VERSION)?;
        let mut note = || -> Result<SignedNote, ForkError> {
            let note = SignedNote::parse(input.bytes("checkpoint", MAX_NOTE_BYTES)?);
            Ok(note.map_err(CheckpointError::Note)?)
        };
        let (one, other) = (note()?, note()?);
        input.finish()?;
        let fork = Self::new(one.clone(), other);
        if fork.notes[0] == one {
            Ok(fork)
        } else {
            Err(CodecError::invalid("fork", "the checkpoints are not in their order").into())
        }
    }

    /// The pair as a file.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.raw(&MAGIC);
        FORK_VERSION.encode(&mut out);
        for note in &self.notes {
            out.bytes(note.to_string().as_bytes());
        }
        out.into_bytes()
    }

    /// Checks both signatures by the log `origin` with this key, and says what the two show together.
    pub fn verify(&self, log: &PublicKey, origin: &str) -> Result<Finding, ForkError> {
        let [one, other] = &self.notes;
        let (one, other) = (Checkpoint::open(one, origin, log)?, Checkpoint::open(other, origin, log)?);
        if one.size != other.size {
            return Ok(Finding::Suspicion { sizes: [one.size.min(other.size), one.size.max(other.size)] });
        }
        if one.root == other.root {
            return Err(ForkError::Same);
        }
        Ok(Finding::Proof { size: one.size, roots: [one.root, other.root] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cosignature;
    use crate::testing::{LogKey, small_log};

    const ORIGIN: &str = "bank-a.example/audit";

    fn note(leaves: &[&[u8]], key: u8) -> SignedNote {
        small_log(ORIGIN, leaves).1.sign(&LogKey::new(key)).unwrap()
    }

    fn verify(fork: &Fork) -> Result<Finding, ForkError> {
        Fork::from_file(&fork.to_file()).unwrap().verify(&LogKey::new(1).public(), ORIGIN)
    }

    #[test]
    fn two_roots_for_one_size_prove_a_fork() {
        let fork = Fork::new(note(&[b"a", b"b"], 1), note(&[b"a", b"c"], 1));
        assert!(matches!(verify(&fork), Ok(Finding::Proof { size: 2, .. })));
        let other = LogKey::new(2).public();
        assert!(matches!(fork.verify(&other, ORIGIN), Err(ForkError::Checkpoint(_))));
        assert!(matches!(fork.verify(&LogKey::new(1).public(), "other"), Err(ForkError::Checkpoint(_))));
    }

    #[test]
    fn two_sizes_are_a_suspicion_and_one_view_is_nothing() {
        let sizes = Fork::new(note(&[b"a", b"b"], 1), note(&[b"c"], 1));
        assert_eq!(verify(&sizes), Ok(Finding::Suspicion { sizes: [1, 2] }));
        assert_eq!(verify(&Fork::new(note(&[b"a"], 1), note(&[b"a"], 1))), Err(ForkError::Same));
    }

    #[test]
    fn nobody_but_the_log_can_be_shown_to_have_forked_it() {
        let forged = Fork::new(note(&[b"a", b"b"], 1), note(&[b"a", b"c"], 2));
        assert!(matches!(verify(&forged), Err(ForkError::Checkpoint(_))));
    }

    #[test]
    fn the_order_and_the_cosigners_do_not_make_another_fork() {
        let (one, other) = (note(&[b"a"], 1), note(&[b"b"], 1));
        let mut cosigned = one.clone();
        cosigned.add(cosignature::sign(one.unverified_text(), 1, "w", &LogKey::new(9)).unwrap()).unwrap();
        let fork = Fork::new(one.clone(), other.clone());
        assert_eq!(fork, Fork::new(other.clone(), one));
        assert_eq!(fork.id(), Fork::new(cosigned.clone(), other.clone()).id());
        assert!(matches!(verify(&Fork::new(cosigned, other)), Ok(Finding::Proof { .. })));
        let mut swapped = fork.clone();
        swapped.notes.reverse();
        assert!(matches!(Fork::from_file(&swapped.to_file()), Err(ForkError::Codec(_))));
    }

    #[test]
    fn the_file_is_frozen() {
        let fork = Fork::new(note(&[b"a", b"b"], 1), note(&[b"a", b"c"], 1));
        assert_eq!(hex::encode(fork.to_file()), include_str!("../tests/vectors/fork.hex").trim());
    }

    #[test]
    fn an_altered_file_proves_nothing() {
        let file = Fork::new(note(&[b"a", b"b"], 1), note(&[b"a", b"c"], 1)).to_file();
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 1;
            let read = Fork::from_file(&altered);
            let proved = read.and_then(|fork| fork.verify(&LogKey::new(1).public(), ORIGIN));
            assert!(proved.is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Fork::from_file(&bytes);
            let _ = Fork::from_file(&[&MAGIC, &[FORK_VERSION][..], &bytes].concat());
        }
    }
}
