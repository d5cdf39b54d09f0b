//! What can go wrong, one enumeration for each operation.

use thiserror::Error;

pub use crate::cluster::ClusterError;
pub use crate::config::ConfigError;
pub use crate::net::{BindError, TlsError};
pub use crate::store::StoreError;

use hansa_audit_log::note::SignNoteError;

use crate::lock::Locked;
use crate::outcome::CheckpointRefusal;
use crate::replica::Levels;

/// Why consensus did not start.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The configuration cannot be run.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error("the data folder {dir} cannot be used: {source}")]
    Folder {
        /// The folder.
        dir: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data folder belongs to another replica.
    #[error("the data folder belongs to replica {found}, the configuration says replica {wanted}")]
    OtherReplica {
        /// The replica found.
        found: u64,
        /// The replica configured.
        wanted: u64,
    },
    /// The replicas cannot speak to one another.
    #[error(transparent)]
    Network(#[from] BindError),
    /// The group uses a version of the state that this program does not know.
    #[error(
        "the group has finalised version {found} of its state, and this program runs {known}: use the release that \
         the other replicas run"
    )]
    Level {
        /// The version in use.
        found: u32,
        /// What this program understands.
        known: Levels,
    },
    /// Raft did not start.
    #[error("Raft did not start: {0}")]
    Raft(String),
    /// No leader was elected in time.
    #[error("no leader was elected within {seconds} s: is the disk overloaded?")]
    NoLeader {
        /// How long was waited.
        seconds: u64,
    },
}

/// Why a command has no outcome. It may still be applied after [`ProposeError::Stopped`] and
/// [`ProposeError::NoQuorum`]: propose the same again to learn its outcome.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProposeError {
    /// The queue is full.
    #[error("{limit} commands are waiting: try again later")]
    Busy {
        /// The queue's limit.
        limit: usize,
    },
    /// The command is larger than any may be, or one of its parts is.
    #[error("the command cannot be encoded within its bounds: {0}")]
    TooLarge(String),
    /// No replica led with a quorum in time.
    #[error(
        "no leader with a quorum took the command within {ms} ms: see `hansa cluster status`; it may still be applied"
    )]
    NoQuorum {
        /// How long was waited.
        ms: u64,
    },
    /// Told only to a replica that forwarded the command here.
    #[error("this replica does not lead")]
    NotLeader,
    /// This replica has stopped: by request, or because its disk failed.
    #[error("this replica has stopped ({0}): see its log, and restart it")]
    Stopped(String),
}

/// Why a question to the log has no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReadError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log is shorter.
    #[error("the log has {have} leaves, not {size}")]
    BeyondLog {
        /// The size asked for.
        size: u64,
        /// The log's size.
        have: u64,
    },
    /// The leaf is not in a tree of that size.
    #[error("leaf {index} is not among the first {size} leaves")]
    NoSuchLeaf {
        /// The leaf asked for.
        index: u64,
        /// The size asked for.
        size: u64,
    },
    /// Sizes between which there is nothing to prove.
    #[error(
        "no consistency proof leads from {old} to {new} leaves: the older size must be from 1 to the newer"
    )]
    BadSizes {
        /// The older size.
        old: u64,
        /// The newer size.
        new: u64,
    },
}

/// Why this replica cannot vouch that it has seen all that was committed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BarrierError {
    /// No replica with a quorum vouched in time.
    #[error("no leader with a quorum answered within {ms} ms: what is read here may be out of date")]
    NoQuorum {
        /// How long was waited.
        ms: u64,
    },
    /// This replica has stopped.
    #[error("this replica has stopped ({0}): see its log, and restart it")]
    Stopped(String),
}

/// Why no checkpoint was signed.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The keys are not to be used yet, or not any more.
    #[error("not signed: {0}")]
    Locked(#[from] Locked),
    /// The state is not known to be the committed one.
    #[error(transparent)]
    Barrier(#[from] BarrierError),
    /// The size and root could not be recorded.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The group refuses to have this size and root signed.
    #[error("not signed: {0}")]
    Refused(#[from] CheckpointRefusal),
    /// The group answered out of place.
    #[error("not signed: the group answered {0} to a checkpoint")]
    Unexpected(String),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignNoteError),
    /// The signed note could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the keys stay locked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum UnlockError {
    /// Too few witnesses answered.
    #[error("{answered} witnesses told what they cosigned, {needed} are needed: they are asked again")]
    TooFew {
        /// How many answered.
        answered: usize,
        /// How many have to.
        needed: usize,
    },
    /// This replica does not have what was cosigned.
    #[error(transparent)]
    Lost(Locked),
    /// The state is not known to be the committed one.
    #[error(transparent)]
    Barrier(#[from] BarrierError),
    /// That the log is unlocked could not be recorded.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The group answered out of place.
    #[error("the keys stay locked: the group answered {0}")]
    Unexpected(String),
}
