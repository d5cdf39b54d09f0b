//! What the log is filled with: records whose bytes follow from a key and a seed, so that whoever reads a leaf sees
//! which append it came from, and the same append gives the same leaf on any replica.

use hansa_audit_log::envelope::{Envelope, OpenError, RecordsKey};
use hansa_consensus::{Command, IndexTerm, Leaf, Unique};
use hansa_types::hash::{Digest, digest};
use hansa_types::record::RecordClass;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// The length of every record in bytes, before it is sealed.
pub const RECORD: usize = 256;
/// Under how many terms a leaf is found, as a decision's is.
const TERMS: u8 = 4;
/// The log's name.
const ORIGIN: &str = "replica.example/audit";
const KEY_DOMAIN: &str = "hansa-testnet/replica-key/v1";
const CONTENT_DOMAIN: &str = "hansa-testnet/replica-content/v1";
const TERM_DOMAIN: &str = "hansa-testnet/replica-term/v1";

/// What one leaf says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// What it is unique by.
    pub key: u64,
    /// Tells apart what was appended under one key.
    pub seed: u64,
}

/// Why a leaf is not one of ours.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// It does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It does not say what ours say.
    #[error("the record is not one that a replica here writes")]
    Foreign,
}

impl Content {
    /// The command that appends it.
    pub fn command(self) -> Command {
        let terms: Vec<IndexTerm> = (0..TERMS).map(|term| self.digest(TERM_DOMAIN, &[term])).collect();
        let unique = Unique { key: self.unique(), content: self.digest(CONTENT_DOMAIN, &[]) };
        Command::Append { leaf: Leaf { terms, unique, ..Leaf::new(self.seal()) }, follow_up: vec![] }
    }

    /// The key as the log knows it.
    pub fn unique(self) -> [u8; 32] {
        let Digest(key) = digest(KEY_DOMAIN, &[&self.key.to_be_bytes()]);
        key
    }

    /// The leaf: always the same for the same content.
    pub fn seal(self) -> Envelope {
        let mut record = format!("{} {} ", self.key, self.seed).into_bytes();
        record.resize(RECORD, b'.');
        let mut rng = ChaCha20Rng::from_seed(self.digest(CONTENT_DOMAIN, b"salt"));
        let sealed = records_key().seal(ORIGIN, RecordClass::Decision, &record, &mut rng);
        sealed.expect("a record is far below the longest")
    }

    /// Reads a leaf.
    pub fn open(leaf: &Envelope) -> Result<Self, ContentError> {
        let record = records_key().open(ORIGIN, leaf)?;
        let text = std::str::from_utf8(&record).map_err(|_| ContentError::Foreign)?;
        let mut words = text.split(' ').map(str::parse::<u64>);
        match (words.next(), words.next()) {
            (Some(Ok(key)), Some(Ok(seed))) => Ok(Self { key, seed }),
            _ => Err(ContentError::Foreign),
        }
    }

    fn digest(self, domain: &str, more: &[u8]) -> [u8; 32] {
        let Digest(digest) = digest(domain, &[&self.key.to_be_bytes(), &self.seed.to_be_bytes(), more]);
        digest
    }
}

fn records_key() -> RecordsKey {
    RecordsKey::new([7; 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_says_which_append_it_came_from() {
        let content = Content { key: 7, seed: u64::MAX };
        assert_eq!(Content::open(&content.seal()).unwrap(), content);
        assert_eq!(content.command(), content.command(), "a retry is the same command");
        let other = Content { seed: 1, ..content };
        assert_eq!(content.unique(), other.unique());
        assert_ne!(content.seal(), other.seal());
        let foreign =
            RecordsKey::new([8; 32]).seal(ORIGIN, RecordClass::Decision, b"1 2 ", &mut rand::rngs::OsRng);
        assert!(matches!(Content::open(&foreign.unwrap()), Err(ContentError::Open(_))));
    }
}
