//! Keyed digests: how an account or an agent becomes 16 bytes that only the bank's own systems can make.
//!
//! `digest = SipHash-2-4-128(digest key, domain byte || canonical text)`. The digest key is the bank's, shared by its
//! gateways and its nodes and by nobody else; it is not the key of any tag. Canonical texts, in ASCII:
//!
//! - account: the IBAN, or the other identification, in upper case and without any white space;
//! - agent: the BIC in upper case, eight characters where the branch is XXX; without a BIC, the clearing system's code,
//!   a slash and the member's identification.

use crate::siphash::{Key, hash};

/// The digest of an account or of an agent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The digest of these [`words`](Self::words).
    #[inline(always)]
    pub fn from_words([low, high]: [u64; 2]) -> Self {
        Self((u128::from(low) | u128::from(high) << 64).to_le_bytes())
    }

    /// The digest as two little-endian words. They are as good as random to whoever lacks the key, so they need no
    /// further hashing.
    #[inline(always)]
    pub fn words(&self) -> [u64; 2] {
        let all = u128::from_le_bytes(self.0);
        [all as u64, (all >> 64) as u64]
    }
}

/// What is digested. The number separates the kinds: an account and an agent of the same text differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Subject {
    /// A debtor's or creditor's account.
    Account = 1,
    /// An instructing or instructed agent.
    Agent = 2,
}

/// Longest text that is digested; what is longer is no identification of ISO 20022.
const MAX_TEXT: usize = 140;

/// The digest of `text` under the bank's digest key; `None` where the text is empty or longer than 140 bytes.
pub fn digest(key: &Key, subject: Subject, text: &str) -> Option<Digest> {
    let mut bytes = [0; 1 + MAX_TEXT];
    bytes[0] = subject as u8;
    bytes.get_mut(1..=text.len()).filter(|room| !room.is_empty())?.copy_from_slice(text.as_bytes());
    Some(Digest(hash(key, &bytes[..=text.len()])))
}
