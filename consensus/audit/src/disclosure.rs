//! Disclosures: the keys of single leaves, by which an auditor who has the log reads those leaves and no others.
//!
//! `magic || version || signed checkpoint`, then one record of fixed length for each leaf (index and leaf key), by
//! strictly ascending index, to the end of the file. The leaves themselves are in the log, and only there: a key opens
//! what the tree commits to, or nothing. A file that was cut off lacks keys, and the auditor says which.

use hansa_types::codec::{CodecError, Reader, Writer};
use thiserror::Error;

use crate::note::{MAX_NOTE_BYTES, NoteError, SignedNote};

/// The first bytes of a file of disclosures.
pub const MAGIC: [u8; 8] = *b"HANSADSC";
/// The version byte that follows the magic.
pub const DISCLOSURES_VERSION: u8 = 1;
/// Magic, version, and the length of the checkpoint behind them.
pub const PREFIX_BYTES: usize = MAGIC.len() + 1 + LENGTH;
/// Bytes of one key with its index.
pub const KEY_BYTES: usize = 8 + 32;

const LENGTH: usize = size_of::<u32>();

/// The key of one leaf.
#[derive(Clone, PartialEq, Eq)]
pub struct DisclosedKey {
    /// The leaf's index.
    pub index: u64,
    /// The key that opens this leaf alone.
    pub leaf_key: [u8; 32],
}

/// Why a file is none of disclosures.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DisclosureError {
    /// Another kind of file.
    #[error("this is not a file of disclosures: it does not begin with HANSADSC")]
    NotDisclosures,
    /// Not the canonical encoding.
    #[error("the file of disclosures is malformed: {0}")]
    Codec(#[from] CodecError),
    /// The checkpoint in it.
    #[error("the file's checkpoint: {0}")]
    Note(#[from] NoteError),
}

impl DisclosedKey {
    /// The record in the file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; KEY_BYTES] {
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&self.index.to_be_bytes());
        bytes[8..].copy_from_slice(&self.leaf_key);
        bytes
    }

    /// Reads a record.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let (mut index, mut leaf_key) = ([0; 8], [0; 32]);
        index.copy_from_slice(&bytes[..8]);
        leaf_key.copy_from_slice(&bytes[8..]);
        Self { index: u64::from_be_bytes(index), leaf_key }
    }
}

/// What stands before the keys.
#[must_use]
pub fn header(checkpoint: &SignedNote) -> Vec<u8> {
    let mut out = Writer::default();
    out.raw(&MAGIC);
    out.u8(DISCLOSURES_VERSION);
    out.bytes(checkpoint.to_string().as_bytes());
    out.into_bytes()
}

/// How many bytes of checkpoint follow the first [`PREFIX_BYTES`] of a file.
pub fn checkpoint_bytes(prefix: &[u8; PREFIX_BYTES]) -> Result<usize, DisclosureError> {
    let mut input = Reader::new(prefix.strip_prefix(&MAGIC).ok_or(DisclosureError::NotDisclosures)?);
    input.version("disclosures", DISCLOSURES_VERSION)?;
    let length = u32::from_be_bytes(input.array()?) as usize;
    if length > MAX_NOTE_BYTES {
        let limit = MAX_NOTE_BYTES;
        return Err(CodecError::TooLong { what: "checkpoint", length, limit }.into());
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LogKey, small_log};

    #[test]
    fn header_and_keys_read_back_and_are_frozen() {
        let (_, checkpoint) = small_log("bank-a.example/audit", &[b"a"]);
        let note = checkpoint.sign(&LogKey::new(1)).unwrap();
        let header = header(&note);
        let (prefix, rest) = header.split_first_chunk().unwrap();
        assert_eq!(checkpoint_bytes(prefix).unwrap(), rest.len());
        assert_eq!(SignedNote::parse(rest).unwrap(), note);
        let key = DisclosedKey { index: 0x0102, leaf_key: [9; 32] };
        assert!(DisclosedKey::from_bytes(&key.to_bytes()) == key);
        assert_eq!(hex::encode(key.to_bytes()), format!("0000000000000102{}", "09".repeat(32)));
        assert_eq!(&prefix[..9], b"HANSADSC\x01");
    }

    #[test]
    fn other_files_are_refused() {
        let prefix = |bytes: &[u8]| checkpoint_bytes(bytes.try_into().unwrap());
        assert_eq!(prefix(b"HANSAEVD\x01\0\0\0\x01"), Err(DisclosureError::NotDisclosures));
        for bad in [b"HANSADSC\x02\0\0\0\x01", b"HANSADSC\x01\xff\0\0\0"] {
            assert!(matches!(prefix(bad), Err(DisclosureError::Codec(_))));
        }
    }
}
