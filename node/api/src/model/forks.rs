//! Evidence that a member's log has two views.

use hansa_types::hash::Digest;
use hansa_types::id::{BankId, Timestamp};
use serde::{Deserialize, Serialize};

/// Two checkpoints of one log that cannot both be true, or of which it was not shown that they can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkView {
    /// Whose log.
    pub bank: BankId,
    /// Whether the two prove a fork; else they are a suspicion.
    pub proved: bool,
    /// The sizes of the two checkpoints, the smaller first.
    pub sizes: [u64; 2],
    /// When it was found.
    pub at: Timestamp,
    /// What names the pair.
    pub id: Digest,
    /// The file that `hansa-audit fork` checks, in hexadecimal digits.
    pub file: String,
}

impl ForkView {
    /// Evidence with its file.
    #[must_use]
    pub fn new(bank: BankId, proved: bool, sizes: [u64; 2], at: Timestamp, id: Digest, file: &[u8]) -> Self {
        Self { bank, proved, sizes, at, id, file: hex::encode(file) }
    }

    /// The file's bytes, if a node wrote them.
    #[must_use]
    pub fn file_bytes(&self) -> Option<Vec<u8>> {
        hex::decode(&self.file).ok()
    }
}

/// The evidence of forks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkList {
    /// By bank, suspicions first.
    pub forks: Vec<ForkView>,
}
