//! What a command came to: the same on every replica, and the same to whoever proposed it through another one.

use hansa_audit_log::witness::Seen;
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::verify::VerifyError;

/// What applying a command gave. Refusals are outcomes, not errors: they are decided by the replicated state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The leaf was appended: a decision, an intent, a signal sent.
    Appended {
        /// The leaf's index in the log.
        index: u64,
    },
    /// The same was done before, be it by this very command: nothing changed.
    Existing {
        /// The index of the earlier leaf.
        index: u64,
    },
    /// The unique key is held by other content: nothing was appended.
    Conflict {
        /// The index of the leaf that holds the key.
        index: u64,
    },
    /// A leaf is not sealed under its subject's present key: it is sealed again. Nothing changed.
    SubjectKeyTaken,
    /// The intent was refused; no counter was spent.
    IntentRefused(IntentRefusal),
    /// The signal is new and counts.
    Accepted {
        /// The index of its leaf.
        index: u64,
    },
    /// The signal is known already: nothing was appended.
    Duplicate,
    /// Two different signals carry this nullifier: every signal with it is void.
    DoubleSignal {
        /// The index of the leaf, if this signal changed the evidence kept.
        index: Option<u64>,
    },
    /// The signal or retraction does not verify: nothing changed.
    Invalid(VerifyError),
    /// The signal is retracted.
    Retracted {
        /// The index of the retraction's leaf.
        index: u64,
    },
    /// The signal was retracted before: nothing was appended.
    AlreadyRetracted,
    /// No such intent or signal.
    Unknown,
    /// The checkpoint may be signed.
    CheckpointRecorded,
    /// The checkpoint must not be signed.
    CheckpointRefused(CheckpointRefusal),
    /// What the proposer had seen was out of date: nothing changed. Look again at the state and decide anew.
    Stale {
        /// The size of the log at the last change that the proposer had not seen.
        size: u64,
    },
    /// The group uses this version of the state from now on.
    Finalized {
        /// The version.
        level: u32,
    },
    /// The checkpoint is remembered and may be cosigned.
    Witnessed,
    /// The rules of governance do not take the entry: nothing changed.
    GovernanceRefused {
        /// Why.
        reason: String,
    },
    /// Another checkpoint was remembered meanwhile: check again, against this.
    WitnessRefused {
        /// What is remembered.
        seen: Option<Seen>,
    },
}

impl Encode for Outcome {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Appended { index } => numbered(1, index, out),
            Self::Existing { index } => numbered(2, index, out),
            Self::Conflict { index } => numbered(3, index, out),
            Self::IntentRefused(refusal) => numbered(4, refusal, out),
            Self::Accepted { index } => numbered(5, index, out),
            Self::Duplicate => out.u8(6),
            Self::DoubleSignal { index } => numbered(7, index, out),
            Self::Invalid(VerifyError::Ignore(reason)) => numbered(8, reason, out),
            Self::Invalid(VerifyError::Reject(reason)) => numbered(9, reason, out),
            Self::Retracted { index } => numbered(10, index, out),
            Self::AlreadyRetracted => out.u8(11),
            Self::Unknown => out.u8(12),
            Self::CheckpointRecorded => out.u8(13),
            Self::CheckpointRefused(refusal) => numbered(14, refusal, out),
            Self::Stale { size } => numbered(15, size, out),
            Self::Finalized { level } => numbered(16, level, out),
            Self::SubjectKeyTaken => out.u8(20),
            Self::Witnessed => out.u8(17),
            Self::WitnessRefused { seen } => numbered(18, seen, out),
            Self::GovernanceRefused { reason } => numbered(21, reason, out),
        }
    }
}

impl Decode for Outcome {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match input.u8()? {
            1 => Self::Appended { index: Decode::decode(input)? },
            2 => Self::Existing { index: Decode::decode(input)? },
            3 => Self::Conflict { index: Decode::decode(input)? },
            4 => Self::IntentRefused(Decode::decode(input)?),
            5 => Self::Accepted { index: Decode::decode(input)? },
            6 => Self::Duplicate,
            7 => Self::DoubleSignal { index: Decode::decode(input)? },
            8 => Self::Invalid(VerifyError::Ignore(Decode::decode(input)?)),
            9 => Self::Invalid(VerifyError::Reject(Decode::decode(input)?)),
            10 => Self::Retracted { index: Decode::decode(input)? },
            11 => Self::AlreadyRetracted,
            12 => Self::Unknown,
            13 => Self::CheckpointRecorded,
            14 => Self::CheckpointRefused(Decode::decode(input)?),
            15 => Self::Stale { size: Decode::decode(input)? },
            16 => Self::Finalized { level: Decode::decode(input)? },
            20 => Self::SubjectKeyTaken,
            17 => Self::Witnessed,
            18 => Self::WitnessRefused { seen: Decode::decode(input)? },
            21 => Self::GovernanceRefused { reason: Decode::decode(input)? },
            other => return Err(CodecError::invalid("outcome", format!("{other} is not one of its kinds"))),
        })
    }
}

fn numbered(kind: u8, value: &impl Encode, out: &mut Writer) {
    out.u8(kind);
    value.encode(out);
}

/// Why an intent was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntentRefusal {
    /// Another counter is next.
    #[error("the next counter is {next}: propose the intent again with it")]
    WrongCounter {
        /// The counter that is next.
        next: u32,
    },
    /// All counters of gateway and epoch are spent.
    #[error("all {limit} signals of this gateway and epoch are spent: wait for the next epoch")]
    LimitReached {
        /// How many there were.
        limit: u32,
    },
    /// The subject was signalled in this epoch.
    #[error("this subject was signalled in this epoch already")]
    SubjectSignalled,
    /// The log was restored from a backup: which counters were spent after it, nobody here knows.
    #[error("this log was restored from a backup: nothing is signalled before the next epoch")]
    Restored,
}

/// Why a checkpoint was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointRefusal {
    /// Smaller than the last one.
    #[error("a checkpoint of {last} leaves is recorded: none smaller is signed")]
    Smaller {
        /// The size of the last checkpoint.
        last: u64,
    },
    /// More leaves than there are.
    #[error("the log has {size} leaves: no larger checkpoint is signed")]
    Larger {
        /// The log's size.
        size: u64,
    },
    /// Not the root of that many leaves.
    #[error("the root is not that of the log at this size")]
    WrongRoot,
}

impl Encode for IntentRefusal {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::WrongCounter { next } => numbered(1, next, out),
            Self::LimitReached { limit } => numbered(2, limit, out),
            Self::SubjectSignalled => out.u8(3),
            Self::Restored => out.u8(4),
        }
    }
}

impl Decode for IntentRefusal {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match input.u8()? {
            1 => Self::WrongCounter { next: Decode::decode(input)? },
            2 => Self::LimitReached { limit: Decode::decode(input)? },
            3 => Self::SubjectSignalled,
            4 => Self::Restored,
            other => return Err(CodecError::invalid("refusal", format!("{other} is not one of its kinds"))),
        })
    }
}

impl Encode for CheckpointRefusal {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Smaller { last } => numbered(1, last, out),
            Self::Larger { size } => numbered(2, size, out),
            Self::WrongRoot => out.u8(3),
        }
    }
}

impl Decode for CheckpointRefusal {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match input.u8()? {
            1 => Self::Smaller { last: Decode::decode(input)? },
            2 => Self::Larger { size: Decode::decode(input)? },
            3 => Self::WrongRoot,
            other => return Err(CodecError::invalid("refusal", format!("{other} is not one of its kinds"))),
        })
    }
}
