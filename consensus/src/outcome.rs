//! What a command came to: the same on every replica.

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
