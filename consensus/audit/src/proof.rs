//! C2SP tlog-proof v1 (`.tlog-proof`): a leaf's place in the log, provable offline with the log's key alone.

use std::fmt;

use hansa_types::hash::PublicKey;
use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::merkle::{Hash, MAX_PROOF_HASHES, ProofError, verify_inclusion};
use crate::note::{MAX_NOTE_BYTES, NoteError, SignedNote};
use crate::text::{array_from_base64, from_base64, from_decimal, to_base64};

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// The most opaque extra bytes accepted.
pub const MAX_EXTRA: usize = 1 << 16;
/// The longest text accepted: extra data in base64, the hashes, the note, and the short lines.
pub const MAX_PROOF_BYTES: usize = MAX_EXTRA / 3 * 4 + MAX_PROOF_HASHES * 48 + MAX_NOTE_BYTES + 256;

/// A proof that a leaf is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Opaque data beside the proof. Nothing authenticates it.
    pub extra: Option<Vec<u8>>,
    /// The leaf's index.
    pub index: u64,
    /// The audit path, from the leaf's sibling upwards.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: SignedNote,
}

/// Why a `.tlog-proof` was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TlogProofError {
    /// Above [`MAX_PROOF_BYTES`].
    #[error("the proof has {0} bytes, above the limit of {MAX_PROOF_BYTES}")]
    TooLong(usize),
    /// Not the lines the format prescribes.
    #[error("the proof is malformed: {0}")]
    Malformed(&'static str),
    /// The checkpoint note was refused.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The checkpoint was refused.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The leaf is not proved to be in the tree.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

impl TlogProof {
    /// Parses the text strictly, without checking anything.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        use TlogProofError::Malformed;
        if bytes.len() > MAX_PROOF_BYTES {
            return Err(TlogProofError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed("it is not UTF-8 text"))?;
        let (head, note) = text.split_once("\n\n").ok_or(Malformed("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(Malformed("the first line is not c2sp.org/tlog-proof@v1"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => Some(parse_extra(line).ok_or(Malformed("the extra line is not canonical base64"))?),
            None => None,
        };
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(from_decimal)
            .ok_or(Malformed("the index line is not a plain decimal"))?;
        let mut path = Vec::new();
        for line in lines {
            if path.len() == MAX_PROOF_HASHES {
                return Err(Malformed("there are too many hashes"));
            }
            path.push(array_from_base64(line).ok_or(Malformed("a hash is not the base64 of 32 bytes"))?);
        }
        Ok(Self { extra, index, path, checkpoint: SignedNote::parse(note.as_bytes())? })
    }

    /// Checks that the leaf with this hash is in the log `origin` whose key is `key`, and returns the checkpoint.
    pub fn verify(&self, leaf: &Hash, origin: &str, key: &PublicKey) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, origin, key)?;
        verify_inclusion(leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", to_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", to_base64(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Reads the hashes of a consistency proof as a witness is given them: one in base64 a line, each line ended.
#[must_use]
pub fn parse_hashes(text: &str) -> Option<Vec<Hash>> {
    if text.is_empty() {
        return Some(vec![]);
    }
    let lines = text.strip_suffix('\n')?.split('\n');
    let hashes: Vec<Hash> = lines.take(MAX_PROOF_HASHES + 1).map(array_from_base64).collect::<Option<_>>()?;
    (hashes.len() <= MAX_PROOF_HASHES).then_some(hashes)
}

/// The hashes of a consistency proof, one in base64 a line.
#[must_use]
pub fn print_hashes(hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| to_base64(hash) + "\n").collect()
}

/// The data of an `extra` line; a line without data would be a second spelling of no line.
fn parse_extra(line: &str) -> Option<Vec<u8>> {
    let extra = from_base64(line.strip_prefix("extra ")?)?;
    (!extra.is_empty() && extra.len() <= MAX_EXTRA).then_some(extra)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::merkle::{inclusion_proof, leaf_hash};
    use crate::testing::{LogKey, small_log};

    const ORIGIN: &str = "bank-a.example/audit";

    fn proof(extra: Option<Vec<u8>>) -> (TlogProof, LogKey) {
        let key = LogKey::new(7);
        let (nodes, checkpoint) = small_log(ORIGIN, &[b"a", b"b", b"c", b"d", b"e"]);
        let path = inclusion_proof(&nodes, 2, 5).unwrap();
        (TlogProof { extra, index: 2, path, checkpoint: checkpoint.sign(&key).unwrap() }, key)
    }

    #[test]
    fn a_proof_reads_back_and_verifies() {
        for extra in [None, Some(b"context".to_vec())] {
            let (proof, key) = proof(extra);
            let read = TlogProof::parse(proof.to_string().as_bytes()).unwrap();
            assert_eq!(read, proof);
            let public = key.public();
            assert_eq!(read.verify(&leaf_hash(b"c"), ORIGIN, &public).unwrap().size, 5);
            assert!(matches!(
                read.verify(&leaf_hash(b"d"), ORIGIN, &public),
                Err(TlogProofError::Inclusion(_))
            ));
            let other = read.verify(&leaf_hash(b"c"), "bank-b.example/audit", &public);
            assert!(matches!(other, Err(TlogProofError::Checkpoint(_))));
        }
    }

    #[test]
    fn hashes_stand_one_a_line() {
        for hashes in [vec![], vec![[1; 32]], vec![[1; 32]; MAX_PROOF_HASHES]] {
            assert_eq!(parse_hashes(&print_hashes(&hashes)), Some(hashes));
        }
        let one = print_hashes(&[[1; 32]]);
        for bad in [one.trim_end(), "\n", &one[1..], &format!("{one}\n"), &one.repeat(MAX_PROOF_HASHES + 1)] {
            assert_eq!(parse_hashes(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_altered_proof_is_never_accepted() {
        let (proof, key) = proof(None);
        let text = proof.to_string().into_bytes();
        for at in 0..text.len() {
            let mut altered = text.clone();
            altered[at] ^= 1;
            let accepted = TlogProof::parse(&altered)
                .is_ok_and(|read| read.verify(&leaf_hash(b"c"), ORIGIN, &key.public()).is_ok());
            assert!(!accepted, "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = TlogProof::parse(&bytes);
            let mut framed = format!("{HEADER}\nindex 0\n").into_bytes();
            framed.extend(bytes);
            let _ = TlogProof::parse(&framed);
        }
    }
}
