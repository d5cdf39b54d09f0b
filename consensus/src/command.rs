//! What is proposed to the group: the leaf, what is kept beside it, and the commands.
//!
//! Consensus knows no screening. A leaf is a sealed envelope; what can be looked up outside the log is a keyed digest
//! or an encrypted document, so that the indexes hold no plaintext either.

use hansa_audit_log::envelope::{Envelope, MAX_LEAF};
use hansa_audit_log::merkle::Hash;
use hansa_audit_log::note::MAX_NOTE_BYTES;
use hansa_audit_log::witness::Seen;
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::codec_struct;
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
            | Self::Unlock { leaf, .. } => Some(leaf),
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
            | Self::Unlock { leaf, .. } => vec![leaf],
            Self::Checkpoint { .. } | Self::Finalize { .. } | Self::Witness { .. } => vec![],
        }
    }
}

impl Encode for Leaf {
    fn encode(&self, out: &mut Writer) {
        out.bytes(self.envelope.as_bytes());
        out.seq(&self.terms);
        out.seq(&self.subjects);
        out.seq(&self.documents);
        self.unique.encode(out);
    }
}

impl Decode for Leaf {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let envelope = Envelope::new(input.bytes("leaf", MAX_LEAF)?.to_vec())
            .map_err(|error| CodecError::invalid("leaf", error.to_string()))?;
        Ok(Self {
            envelope,
            terms: input.seq("index terms", MAX_TERMS)?,
            subjects: input.seq("subjects", MAX_SUBJECTS)?,
            documents: input.seq("documents", MAX_DOCUMENTS)?,
            unique: Decode::decode(input)?,
        })
    }
}

impl Encode for SubjectRef {
    fn encode(&self, out: &mut Writer) {
        out.raw(&self.subject);
        self.key.encode(out);
        self.wrapped.is_some().encode(out);
        if let Some(wrapped) = &self.wrapped {
            out.bytes(wrapped);
        }
    }
}

impl Decode for SubjectRef {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (subject, key) = (input.array()?, Decode::decode(input)?);
        let wrapped = match bool::decode(input)? {
            true => Some(input.bytes("wrapped key", MAX_WRAPPED_KEY)?.to_vec()),
            false => None,
        };
        Ok(Self { subject, key, wrapped })
    }
}

impl Encode for DocumentWrite {
    fn encode(&self, out: &mut Writer) {
        out.u8(self.collection);
        out.bytes(&self.key);
        self.value.is_some().encode(out);
        if let Some(value) = &self.value {
            out.bytes(value);
        }
    }
}

impl Decode for DocumentWrite {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let collection = input.u8()?;
        let key = input.bytes("document key", MAX_DOCUMENT_KEY)?.to_vec();
        let value = match bool::decode(input)? {
            true => Some(input.bytes("document", MAX_DOCUMENT_VALUE)?.to_vec()),
            false => None,
        };
        Ok(Self { collection, key, value })
    }
}

impl Encode for Intent {
    fn encode(&self, out: &mut Writer) {
        self.gateway.encode(out);
        self.epoch.encode(out);
        self.counter.encode(out);
        self.limit.encode(out);
        out.raw(&self.subject);
        self.id.encode(out);
        out.bytes(&self.payload);
    }
}

impl Decode for Intent {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            gateway: Decode::decode(input)?,
            epoch: Decode::decode(input)?,
            counter: Decode::decode(input)?,
            limit: Decode::decode(input)?,
            subject: input.array()?,
            id: Decode::decode(input)?,
            payload: input.bytes("intent payload", MAX_INTENT_PAYLOAD)?.to_vec(),
        })
    }
}

impl Command {
    /// Encodes a command that appends no leaf; others are not its business.
    fn encode_leafless(&self, out: &mut Writer) {
        match self {
            Self::Checkpoint { size, root } => {
                out.u8(6);
                size.encode(out);
                out.raw(root);
            }
            Self::Finalize { level } => {
                out.u8(8);
                level.encode(out);
            }
            Self::Witness { origin, old, new, note } => {
                out.u8(9);
                origin.encode(out);
                old.encode(out);
                new.encode(out);
                out.bytes(note);
            }
            _ => {}
        }
    }
}

impl Encode for Command {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Append { leaf, follow_up } => {
                out.u8(1);
                leaf.encode(out);
                out.seq(follow_up);
            }
            Self::Intent { leaf, intent } => {
                out.u8(2);
                leaf.encode(out);
                intent.encode(out);
            }
            Self::Sent { leaf, intent, signal, at } => {
                out.u8(3);
                leaf.encode(out);
                intent.encode(out);
                signal.encode(out);
                at.encode(out);
            }
            Self::Received { leaf, signal, at, follow_up } => {
                out.u8(4);
                leaf.encode(out);
                signal.encode(out);
                at.encode(out);
                out.seq(follow_up);
            }
            Self::Retract { leaf, retraction, follow_up } => {
                out.u8(5);
                leaf.encode(out);
                retraction.encode(out);
                out.seq(follow_up);
            }
            Self::Expire { leaf, intent } => {
                out.u8(7);
                leaf.encode(out);
                intent.encode(out);
            }
            Self::Hold { leaf, subject, held } => {
                out.u8(10);
                leaf.encode(out);
                out.raw(subject);
                held.encode(out);
            }
            Self::Erase { leaf, subject, seen, forget } => {
                out.u8(11);
                leaf.encode(out);
                out.raw(subject);
                seen.encode(out);
                out.seq(forget);
            }
            Self::Unlock { leaf, epoch } => {
                out.u8(20);
                leaf.encode(out);
                epoch.encode(out);
            }
            Self::Checkpoint { .. } | Self::Finalize { .. } | Self::Witness { .. } => {
                self.encode_leafless(out);
            }
        }
    }
}

impl Decode for Command {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let kind = input.u8()?;
        match kind {
            6 => return Ok(Self::Checkpoint { size: Decode::decode(input)?, root: input.array()? }),
            8 => return Ok(Self::Finalize { level: Decode::decode(input)? }),
            9 => return witness(input),
            _ => {}
        }
        let leaf = Leaf::decode(input)?;
        Ok(match kind {
            1 => Self::Append { leaf, follow_up: follow_up(input)? },
            2 => Self::Intent { leaf, intent: Decode::decode(input)? },
            3 => Self::Sent {
                leaf,
                intent: Decode::decode(input)?,
                signal: Decode::decode(input)?,
                at: Decode::decode(input)?,
            },
            4 => Self::Received {
                leaf,
                signal: Decode::decode(input)?,
                at: Decode::decode(input)?,
                follow_up: follow_up(input)?,
            },
            5 => Self::Retract { leaf, retraction: Decode::decode(input)?, follow_up: follow_up(input)? },
            7 => Self::Expire { leaf, intent: Decode::decode(input)? },
            10 => Self::Hold { leaf, subject: input.array()?, held: Decode::decode(input)? },
            11 => Self::Erase {
                leaf,
                subject: input.array()?,
                seen: Decode::decode(input)?,
                forget: input.seq("index terms", MAX_TERMS)?,
            },
            20 => Self::Unlock { leaf, epoch: Decode::decode(input)? },
            other => return Err(CodecError::invalid("command", format!("{other} is not one of its kinds"))),
        })
    }
}

fn witness(input: &mut Reader<'_>) -> Result<Command, CodecError> {
    let origin = std::str::from_utf8(input.bytes("origin", MAX_ORIGIN)?)
        .map_err(|error| CodecError::invalid("origin", error.to_string()))?
        .to_owned();
    let (old, new) = (Decode::decode(input)?, Decode::decode(input)?);
    Ok(Command::Witness { origin, old, new, note: input.bytes("note", MAX_NOTE_BYTES)?.to_vec() })
}

fn follow_up(input: &mut Reader<'_>) -> Result<Vec<Leaf>, CodecError> {
    input.seq("follow-ups", MAX_FOLLOW_UPS)
}
