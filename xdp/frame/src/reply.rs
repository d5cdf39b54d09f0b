//! The reply's 56 bytes: a verdict that the gateway can hold the node to.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | kind and version: [`REPLY_KIND`] |
//! | 1 | 31 | the frame's bytes 1 to 31: key id, time, sequence, UETR |
//! | 32 | 1 | verdict: 1 PRE-SCREENED, 2 BLOCK, 3 REFUSED |
//! | 33 | 1 | reason |
//! | 34 | 6 | when the verdict was given: milliseconds since 1970 |
//! | 40 | 16 | tag: SipHash-2-4-128 of bytes 0 to 39 under the frame's key |
//!
//! A datagram of replies holds one record for each frame that is answered now, in their order, and none for the others:
//! those that are refused unanswered, and those whose BLOCK is not durable yet and follows in a datagram of its own.

use core::fmt;

use crate::frame::{Frame, TIME_LIMIT};
use crate::siphash::{Key, hash_words};
use crate::verdict::{Reason, Verdict};

/// Bytes of a reply.
pub const REPLY_LEN: usize = 8 * WORDS;
/// First byte of a reply of version 1.
pub const REPLY_KIND: u8 = 0xA1;

/// 64-bit words of a reply.
const WORDS: usize = 7;
/// Those under the tag.
const TAGGED_WORDS: usize = 5;

/// An authenticated verdict on one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply([u64; WORDS]);

/// Why bytes are no reply that can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyError {
    /// The bytes are no canonical reply.
    Malformed,
    /// The tag is not that of the bytes under the key.
    BadTag,
}

impl core::error::Error for ReplyError {}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a reply of version 1: is another program answering on this port?",
            Self::BadTag => "the reply's tag is wrong: gateway and node hold different keys, or it is forged",
        })
    }
}

impl Reply {
    /// The answer to `frame`, given at `now` (nanoseconds since 1970), tagged under the frame's key.
    #[inline(always)]
    pub fn seal(frame: &Frame, reason: Reason, now: u64, key: &Key) -> Self {
        Self::untagged(frame, reason, now).tagged(key)
    }

    /// [`seal`](Self::seal) without the tag, which nobody should trust.
    #[inline(always)]
    pub fn untagged(frame: &Frame, reason: Reason, now: u64) -> Self {
        let mut words = [0; WORDS];
        words[0] = frame.word(0) & !0xFF | REPLY_KIND as u64;
        words[1] = frame.word(1);
        words[2] = frame.word(2);
        words[3] = frame.word(3);
        words[4] = reason.verdict() as u64 | (reason as u64) << 8 | (now / 1_000_000) << 16;
        Self(words)
    }

    #[inline(always)]
    fn tagged(mut self, key: &Key) -> Self {
        let words = self.0;
        [self.0[5], self.0[6]] = hash_words::<TAGGED_WORDS>(key, |at| words[at]);
        self
    }

    /// The little-endian words, for where bytes would be slow.
    #[inline(always)]
    pub fn words(&self) -> &[u64; WORDS] {
        &self.0
    }

    /// The bytes.
    pub fn to_bytes(&self) -> [u8; REPLY_LEN] {
        let mut bytes = [0; REPLY_LEN];
        for (room, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *room = word.to_le_bytes();
        }
        bytes
    }

    /// Reads a reply and checks its tag. The caller compares [`answers`](Self::answers) with what it sent.
    pub fn open(bytes: &[u8; REPLY_LEN], key: &Key) -> Result<Self, ReplyError> {
        let mut words = [0; WORDS];
        for (word, part) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*part);
        }
        let reply = Self(words);
        let [low, high] = hash_words::<TAGGED_WORDS>(key, |at| words[at]);
        if bytes[0] != REPLY_KIND || reply.checked_reason().is_none() || reply.time() >= TIME_LIMIT {
            Err(ReplyError::Malformed)
        } else if (low ^ words[5]) | (high ^ words[6]) != 0 {
            Err(ReplyError::BadTag)
        } else {
            Ok(reply)
        }
    }

    /// The key id that stands in `bytes`, so that the key can be looked up.
    pub fn key_id(bytes: &[u8; REPLY_LEN]) -> u8 {
        bytes[1]
    }

    /// Whether this is the answer to `frame`.
    pub fn answers(&self, frame: &Frame) -> bool {
        self.0[0] >> 8 == frame.word(0) >> 8 && (1..4).all(|at| self.0[at] == frame.word(at))
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        self.reason().verdict()
    }

    /// The reason.
    pub fn reason(&self) -> Reason {
        self.checked_reason().expect("both constructors have a reason whose verdict is stated")
    }

    /// The frame's sequence number.
    pub fn sequence(&self) -> u64 {
        self.0[1]
    }

    /// The frame's UETR.
    pub fn uetr(&self) -> [u8; 16] {
        (u128::from(self.0[2]) | u128::from(self.0[3]) << 64).to_le_bytes()
    }

    /// When the verdict was given, in milliseconds since 1970.
    pub fn time(&self) -> u64 {
        self.0[4] >> 16
    }

    /// The reason, if the verdict beside it is its own.
    fn checked_reason(&self) -> Option<Reason> {
        let reason = Reason::from_number((self.0[4] >> 8) as u8)?;
        (reason.is_answered() && reason.verdict() as u8 == self.0[4] as u8).then_some(reason)
    }
}
