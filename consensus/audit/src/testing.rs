//! A log key and a small log, for the tests of this crate.

use ed25519_dalek::{Signer as _, SigningKey};
use hansa_types::hash::PublicKey;
use hansa_types::sign::{SignError, Signer};

use crate::checkpoint::Checkpoint;
use crate::merkle::{Frontier, MemoryNodes, leaf_hash};

/// A signing key in memory.
pub(crate) struct LogKey(SigningKey);

impl LogKey {
    pub(crate) fn new(seed: u8) -> Self {
        Self::from_seed([seed; 32])
    }

    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }
}

impl Signer for LogKey {
    fn public_key(&self) -> PublicKey {
        self.public()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

/// The nodes and checkpoint of a log with these leaves.
pub(crate) fn small_log(origin: &str, leaves: &[&[u8]]) -> (MemoryNodes, Checkpoint) {
    let mut nodes = MemoryNodes::default();
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.append(leaf_hash(leaf), |id, hash| nodes.put(id, hash));
    }
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: frontier.size(), root: frontier.root() };
    (nodes, checkpoint)
}
