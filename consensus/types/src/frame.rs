//! A payment frame that was blocked, and how the decision on the full message is bound by it.
//!
//! What a frame's bytes mean is said in `xdp/frame` and docs/frame.md; here they are kept as they came.

use serde::{Serialize, Serializer};

use crate::hash::{Digest, digest_of};
use crate::id::Timestamp;
use crate::uetr::Uetr;
use crate::{codec_enum, codec_struct};

/// Bytes of a frame.
pub const FRAME_BYTES: usize = 128;

/// A frame that was blocked. There is one record for each payment and leg, whatever number of frames came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FrameBlock {
    /// The payment's UETR, as the frame has it.
    pub uetr: Uetr,
    /// The frame as it came.
    #[serde(serialize_with = "hexadecimal")]
    pub frame: [u8; FRAME_BYTES],
    /// Under which of the bank's frame keys it is.
    pub key_id: u8,
    /// Why, by name: `debtor-listed`.
    pub reason: String,
    /// Who sent it: address and port.
    pub source: String,
    /// When.
    pub at: Timestamp,
}
codec_struct!(FrameBlock { uetr, frame, key_id, reason, source, at });

impl FrameBlock {
    /// Names this very record, for the decision that cites it.
    pub fn id(&self) -> Digest {
        digest_of("hansa/frame-block/v1", self)
    }
}

/// How a decision is bound by a frame: all that it takes to decide again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BoundByFrame {
    /// The frame's record ([`FrameBlock::id`]).
    pub record: Digest,
    /// Its reason, by name.
    pub reason: String,
    /// What the full message says otherwise than the frame.
    pub differs: Vec<FrameField>,
}
codec_struct!(BoundByFrame { record, reason, differs });

/// A part of a frame that the full message has too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameField {
    /// The debtor's account.
    Debtor,
    /// The creditor's account.
    Creditor,
    /// The amount.
    Amount,
    /// The currency.
    Currency,
}
codec_enum!(FrameField {
    Debtor = 1, "debtor-account", Creditor = 2, "creditor-account", Amount = 3, "amount", Currency = 4, "currency",
});

fn hexadecimal<S: Serializer>(bytes: &[u8; FRAME_BYTES], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&hex::encode(bytes))
}
