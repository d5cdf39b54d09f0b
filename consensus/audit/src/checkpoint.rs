//! C2SP tlog-checkpoint v1.0.0: the tree's size and root as the text of a note.

use std::fmt;
use std::str::FromStr;

use hansa_types::hash::PublicKey;
use hansa_types::sign::Signer;
use thiserror::Error;

use crate::merkle::{Hash, MAX_TREE_SIZE, empty_root};
use crate::note::{KeyError, KeyType, NoteError, SignNoteError, SignedNote, VerifierKey, is_key_name};
use crate::text::{array_from_base64, from_decimal, to_base64};

/// What a log says of itself: which log, how many leaves, which root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's unique name, which is also its key's name.
    pub origin: String,
    /// How many leaves the tree has.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
}

/// Why a checkpoint was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CheckpointError {
    /// The note around it was refused.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The log's name cannot be a key's name.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Not origin, size and root. Extension lines are refused: no monitor audits them, and our logs write none.
    #[error("a checkpoint is three lines: origin, size, root; this text is not")]
    Malformed,
    /// The size is not a canonical decimal within bounds.
    #[error("the tree size is not a plain decimal of at most {MAX_TREE_SIZE}")]
    BadSize,
    /// The root is not the base64 of 32 bytes, or not that of the empty tree where the size is 0.
    #[error("the root is not the base64 of a SHA-256 hash, or not that of an empty tree")]
    BadRoot,
    /// The checkpoint of another log.
    #[error("the checkpoint is of log {found}, not of {wanted}")]
    WrongOrigin {
        /// The origin that was asked for.
        wanted: String,
        /// The origin found.
        found: String,
    },
}

impl Checkpoint {
    /// Signs the checkpoint with the log's key, under the origin as the key's name.
    pub fn sign(&self, signer: &dyn Signer) -> Result<SignedNote, SignNoteError> {
        SignedNote::sign(&self.to_string(), &self.origin, signer)
    }

    /// Opens a signed checkpoint of the log `origin`, whose key is `key`.
    pub fn open(note: &SignedNote, origin: &str, key: &PublicKey) -> Result<Self, CheckpointError> {
        let key = VerifierKey::new(KeyType::Ed25519, origin, *key)?;
        let checkpoint: Self = note.open(&[key])?.text.parse()?;
        if checkpoint.origin != origin {
            return Err(CheckpointError::WrongOrigin { wanted: origin.to_owned(), found: checkpoint.origin });
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, to_base64(&self.root))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> =
            text.strip_suffix('\n').ok_or(CheckpointError::Malformed)?.splitn(4, '\n').collect();
        let [origin, size, root] = lines.as_slice() else {
            return Err(CheckpointError::Malformed);
        };
        if !is_key_name(origin) {
            return Err(KeyError::BadName((*origin).to_owned()).into());
        }
        let size =
            from_decimal(size).filter(|size| *size <= MAX_TREE_SIZE).ok_or(CheckpointError::BadSize)?;
        let root = array_from_base64(root).ok_or(CheckpointError::BadRoot)?;
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::BadRoot);
        }
        Ok(Self { origin: (*origin).to_owned(), size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_example_of_the_specification_reads_and_prints() {
        let checkpoint: Checkpoint = EXAMPLE.parse().unwrap();
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.to_string(), EXAMPLE);
    }

    #[test]
    fn other_spellings_are_refused() {
        for (text, error) in [
            (EXAMPLE.replace("\n2", "\n02"), CheckpointError::BadSize),
            (EXAMPLE.replace("\n2", "\n+2"), CheckpointError::BadSize),
            (EXAMPLE.replace("20852163", "9223372036854775808"), CheckpointError::BadSize),
            (EXAMPLE.replace("20852163", "0"), CheckpointError::BadRoot),
            (EXAMPLE.replace("q2I=", "q2J="), CheckpointError::BadRoot),
            (EXAMPLE.replace("q2I=", "q2I"), CheckpointError::BadRoot),
            (format!("{EXAMPLE}extension\n"), CheckpointError::Malformed),
            (EXAMPLE.trim_end().to_owned(), CheckpointError::Malformed),
        ] {
            assert_eq!(text.parse::<Checkpoint>(), Err(error), "{text}");
        }
        assert!(matches!(" \n0\n\n".parse::<Checkpoint>(), Err(CheckpointError::Key(_))));
    }
}
