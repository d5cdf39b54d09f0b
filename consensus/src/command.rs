//! What is proposed to the group: the leaf, what is kept beside it, and the commands.
//!
//! Consensus knows no screening. A leaf is a sealed envelope; what can be looked up outside the log is a keyed digest
//! or an encrypted document, so that the indexes hold no plaintext either.

mod codec;

use hansa_audit_log::envelope::Envelope;
use hansa_audit_log::merkle::Hash;
use hansa_audit_log::note::MAX_NOTE_BYTES;
use hansa_audit_log::witness::Seen;
use hansa_types::codec_struct;
use hansa_types::governance::Entry;
use hansa_types::hash::{Digest, digest};
use hansa_types::id::{Epoch, GatewayId, Timestamp};
use hansa_types::signal::{Retraction, Signal};

/// The most index terms of one leaf.
pub const MAX_TERMS: usize = 128;
/// The most subjects of one leaf.
pub const MAX_SUBJECTS: usize = 8;
/// The longest wrapped subject key, in bytes.
pub const MAX_WRAPPED_KEY: usize = 256;
/// The most documents written with one leaf.
pub const MAX_DOCUMENTS: usize = 64;
/// The longest key of a document, in bytes.
pub const MAX_DOCUMENT_KEY: usize = 256;
/// The longest value of a document, in bytes.
pub const MAX_DOCUMENT_VALUE: usize = 256 << 10;
/// The most leaves that follow another in one command.
pub const MAX_FOLLOW_UPS: usize = 64;
/// The longest payload of an intent, in bytes.
pub const MAX_INTENT_PAYLOAD: usize = 64 << 10;
/// The longest encoded command, in bytes.
pub const MAX_COMMAND: usize = 4 << 20;
/// The longest name of a log, in bytes: C2SP's key names are no longer.
pub const MAX_ORIGIN: usize = 255;

/// Names a leaf that has no natural unique key.
const LEAF_DOMAIN: &str = "hansa/leaf-unique/v1";
/// The version of the state that a group begins with.
pub const BASE_LEVEL: u32 = 1;

/// A keyed digest under which a leaf is found.
pub type IndexTerm = [u8; 32];

/// One entry of the audit log and what is written together with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The sealed record.
    pub envelope: Envelope,
    /// Keyed digests under which the leaf is found, each at most once.
    pub terms: Vec<IndexTerm>,
    /// Whose keys the record is sealed under, each at most once; each is an index term too.
    pub subjects: Vec<SubjectRef>,
    /// Current values that change with this leaf.
    pub documents: Vec<DocumentWrite>,
    /// What this leaf exists for only once: a command that is proposed again changes nothing.
    pub unique: Unique,
}

/// A subject of a leaf, by keyed digest, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRef {
    /// The keyed digest of the subject.
    pub subject: [u8; 32],
    /// The name of the key ([`crate::subject_key_name`]).
    pub key: Digest,
    /// The wrapped key, unless the group is known to have it.
    pub wrapped: Option<Vec<u8>>,
}

/// Sets or removes one encrypted current value (a case, an alert).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentWrite {
    /// The caller's number for the kind of value.
    pub collection: u8,
    /// The value's key in its collection.
    pub key: Vec<u8>,
    /// The new value, or `None` to remove it.
    pub value: Option<Vec<u8>>,
}

/// A key that one leaf can hold, and the digest of what it holds it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unique {
    /// The keyed digest of, for example, UETR and leg.
    pub key: [u8; 32],
    /// The digest of the content: the same again is no conflict.
    pub content: [u8; 32],
}
codec_struct!(Unique { key, content });

/// A signal about to be proved, with all that proving it again needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The gateway it goes to.
    pub gateway: GatewayId,
    /// The epoch it counts in.
    pub epoch: Epoch,
    /// The counter it spends: the next one of gateway and epoch.
    pub counter: u32,
    /// How many counters gateway and epoch have.
    pub limit: u32,
    /// The keyed digest of the subject: one signal per subject and epoch.
    pub subject: [u8; 32],
    /// Names the intent.
    pub id: Digest,
    /// The signal's body and the wrapped witness; opaque here.
    pub payload: Vec<u8>,
}

/// What the group can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Appends a leaf unless its unique key is taken, and with it those that follow from it.
    Append {
        /// The leaf.
        leaf: Leaf,
        /// Appended after it, if it was.
        follow_up: Vec<Leaf>,
    },
    /// Spends a counter on a signal that is about to be proved.
    Intent {
        /// The record of it.
        leaf: Leaf,
        /// The intent.
        intent: Intent,
    },
    /// Marks an intent as sent.
    Sent {
        /// The record of it.
        leaf: Leaf,
        /// The intent's id.
        intent: Digest,
        /// The signal that was sent.
        signal: Signal,
        /// When, in Unix seconds.
        at: Timestamp,
    },
    /// Gives up a pending intent: it is not sent any more, and its counter stays spent.
    Expire {
        /// The record of it.
        leaf: Leaf,
        /// The intent's id.
        intent: Digest,
    },
    /// Takes in a signal, whose verification every replica repeats.
    Received {
        /// The record of it.
        leaf: Leaf,
        /// The signal.
        signal: Signal,
        /// When, in Unix seconds.
        at: Timestamp,
        /// Appended after it, if the signal is new.
        follow_up: Vec<Leaf>,
    },
    /// Takes a signal back.
    Retract {
        /// The record of it.
        leaf: Leaf,
        /// Which signal, and the opening of its lock.
        retraction: Retraction,
        /// Appended after it, if the signal was not retracted before.
        follow_up: Vec<Leaf>,
    },
    /// Records a size and root before they are signed.
    Checkpoint {
        /// How many leaves.
        size: u64,
        /// The root of that many leaves.
        root: Hash,
    },
    /// Places a legal hold on a subject, or lifts it.
    Hold {
        /// The record of it.
        leaf: Leaf,
        /// The keyed digest of the subject.
        subject: [u8; 32],
        /// Placed, or lifted.
        held: bool,
    },
    /// Erases a subject's key, and with it all that is sealed under it.
    Erase {
        /// The record of it.
        leaf: Leaf,
        /// The keyed digest of the subject.
        subject: [u8; 32],
        /// The size of the log when retention and holds were looked at: whatever came later is looked at first.
        seen: u64,
        /// Index terms that nothing is found under any more.
        forget: Vec<IndexTerm>,
    },
    /// Notes that the keys of a restored log are used again, and through which epoch nothing is signalled.
    Unlock {
        /// The record of it.
        leaf: Leaf,
        /// The epoch in which it was unlocked.
        epoch: Epoch,
    },
    /// Takes in an entry of governance: the rules that signals are judged by change here, on every replica.
    Govern {
        /// The record of it.
        leaf: Leaf,
        /// The entry.
        entry: Entry,
    },
    /// Uses a newer version of the state from here on; every replica understands it.
    Finalize {
        /// The version.
        level: u32,
    },
    /// Remembers a log's checkpoint before this bank cosigns it, if nothing changed since it was checked: the check and
    /// the memory are one entry, so two requests side by side cannot roll it back. A cosignature is no leaf: logs that
    /// witness one another would otherwise grow for ever because each other did.
    Witness {
        /// The log.
        origin: String,
        /// What the checkpoint was checked against.
        old: Option<Seen>,
        /// What is remembered from now on.
        new: Seen,
        /// The checkpoint as its log signed it.
        note: Vec<u8>,
    },
}

/// A command, and what its proposer had seen when it decided on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The size of the log up to which the proposer's view went; the command is applied only if no document and no
    /// signal changed since. Without it the command depends on no view.
    pub seen: Option<u64>,
    /// What to do.
    pub command: Command,
}
codec_struct!(Proposal { seen, command });

impl Leaf {
    /// A leaf that nothing is written with. It is unique as the record it seals: the envelope's salt is random.
    #[must_use]
    pub fn new(envelope: Envelope) -> Self {
        let Digest(name) = digest(LEAF_DOMAIN, &[envelope.as_bytes()]);
        Self {
            envelope,
            terms: vec![],
            subjects: vec![],
            documents: vec![],
            unique: Unique { key: name, content: name },
        }
    }
}

impl Command {
    /// The leaf that the command appends, if it appends one.
    #[must_use]
    pub fn leaf(&self) -> Option<&Leaf> {
        match self {
            Self::Append { leaf, .. }
            | Self::Intent { leaf, .. }
            | Self::Sent { leaf, .. }
            | Self::Expire { leaf, .. }
            | Self::Received { leaf, .. }
            | Self::Retract { leaf, .. }
            | Self::Hold { leaf, .. }
            | Self::Erase { leaf, .. }
            | Self::Unlock { leaf, .. }
            | Self::Govern { leaf, .. } => Some(leaf),
            Self::Checkpoint { .. } | Self::Finalize { .. } | Self::Witness { .. } => None,
        }
    }

    /// The oldest version of the state that knows this command.
    #[must_use]
    pub fn level(&self) -> u32 {
        BASE_LEVEL
    }

    /// Every leaf that the command may append.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        let follow_up = match self {
            Self::Append { follow_up, .. }
            | Self::Received { follow_up, .. }
            | Self::Retract { follow_up, .. } => follow_up.as_slice(),
            _ => &[],
        };
        self.leaf().into_iter().chain(follow_up)
    }

    /// Every leaf that the command may append, to be sealed again.
    pub fn leaves_mut(&mut self) -> Vec<&mut Leaf> {
        match self {
            Self::Append { leaf, follow_up }
            | Self::Received { leaf, follow_up, .. }
            | Self::Retract { leaf, follow_up, .. } => std::iter::once(leaf).chain(follow_up).collect(),
            Self::Intent { leaf, .. }
            | Self::Sent { leaf, .. }
            | Self::Expire { leaf, .. }
            | Self::Hold { leaf, .. }
            | Self::Erase { leaf, .. }
            | Self::Unlock { leaf, .. }
            | Self::Govern { leaf, .. } => vec![leaf],
            Self::Checkpoint { .. } | Self::Finalize { .. } | Self::Witness { .. } => vec![],
        }
    }
}
