//! What the audit log records: one variant a class, each self-contained.

use serde::Serialize;

use crate::case::{Alert, Case};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::decision::Decision;
use crate::exception::Exception;
use crate::frame::FrameBlock;
use crate::governance::Message;
use crate::habits::Habits;
use crate::hash::Digest;
use crate::id::{Actor, Epoch, GatewayId, Timestamp};
use crate::payment::{Payment, PaymentKey};
use crate::signal::{Retraction, Signal, SignalBody};
use crate::subject::Subject;
use crate::{codec_enum, codec_struct};

/// The version byte of a record.
pub const RECORD_VERSION: u8 = 3;

/// The class of a record, in the clear beside its sealed content, for retention and counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordClass {
    /// A decision on a payment.
    Decision,
    /// A request that was refused, with the reason.
    Refusal,
    /// A case after a step.
    Case,
    /// A signal about to be proved.
    SignalIntent,
    /// A signal handed to the network.
    SignalSent,
    /// A signal of another bank, verified.
    SignalReceived,
    /// A signal taken back, by this bank or another.
    Retraction,
    /// An alert raised or changed.
    Alert,
    /// Something an operator or the node itself did.
    Operation,
    /// What the consortium agreed on, as this bank adopted it.
    Governance,
    /// A signed checkpoint of the log itself.
    Checkpoint,
    /// Somebody used the interface with the token, or tried to without.
    Login,
    /// The node's configuration, where it changed.
    Configuration,
    /// A subject's records made unreadable.
    Erasure,
    /// A legal hold placed or lifted.
    Hold,
    /// A proposal, vote, decision or trace commitment of a member.
    GovernanceMessage,
    /// An exception granted or withdrawn.
    Exception,
    /// Somebody read a case.
    CaseRead,
    /// A payment frame that was blocked.
    FrameBlock,
}
codec_enum!(RecordClass {
    Decision = 1, "decision", Refusal = 2, "refusal", Case = 3, "case", SignalIntent = 4, "signal-intent",
    SignalSent = 5, "signal-sent", SignalReceived = 6, "signal-received", Retraction = 7, "retraction",
    Alert = 8, "alert", Operation = 9, "operation",
    Governance = 10, "governance", Checkpoint = 11, "checkpoint", Login = 12, "login",
    Configuration = 13, "configuration", Erasure = 14, "erasure", Hold = 15, "hold",
    GovernanceMessage = 16, "governance-message", Exception = 17, "exception", CaseRead = 18, "case-read",
    FrameBlock = 19, "frame-block",
});

/// A decision with the payment it was taken on, and what was known of its accounts: all that it takes to decide again,
/// but for lists, model and rules, which it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionRecord {
    /// The decision.
    pub decision: Decision,
    /// The payment.
    pub payment: Payment,
    /// What its accounts did before.
    pub habits: Habits,
}
codec_struct!(DecisionRecord { decision, payment, habits });

/// A payment refused because its key was used before with other content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The key that both payments carry.
    pub key: PaymentKey,
    /// The content that was decided.
    pub decided: Digest,
    /// The content that was refused.
    pub refused: Digest,
    /// When.
    pub at: Timestamp,
}
codec_struct!(Refusal { key, decided, refused, at });

/// A signal about to be proved: committed before any proof exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IntentRecord {
    /// The decision it is about ([`Decision::id`]).
    pub decision: Digest,
    /// The case that was confirmed.
    pub case: u64,
    /// The counter spent on it.
    pub counter: u32,
    /// The complete signal but for nullifier, share and proof.
    pub body: SignalBody,
    /// When.
    pub at: Timestamp,
}
codec_struct!(IntentRecord { decision, case, counter, body, at });

/// A signal of this bank that the network took, or one of another bank that was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalRecord {
    /// The signal with its proof.
    pub signal: Signal,
    /// When.
    pub at: Timestamp,
}
codec_struct!(SignalRecord { signal, at });

/// A signal taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RetractionRecord {
    /// The signal taken back ([`Signal::id`]).
    pub signal: Digest,
    /// What was published.
    pub retraction: Retraction,
    /// The officer of this bank who took it back; none when another bank did.
    pub actor: Option<Actor>,
    /// When.
    pub at: Timestamp,
}
codec_struct!(RetractionRecord { signal, retraction, actor, at });

/// Something an operator or the node itself did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// What, in a word or two: `start`, `signal-refused`.
    pub what: String,
    /// The particulars.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}
codec_struct!(Operation { what, detail, at });

/// A manifest that this bank works under from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GovernanceRecord {
    /// The consortium ([`crate::manifest::Manifest::id`]).
    pub consortium: Digest,
    /// The digest of the signed manifest.
    pub manifest: Digest,
    /// That of the one before, if the log knows it.
    pub previous: Option<Digest>,
    /// When.
    pub at: Timestamp,
}
codec_struct!(GovernanceRecord { consortium, manifest, previous, at });

/// What a member proposed, voted, or committed to, or what the members decided, as this bank took it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GovernanceMessageRecord {
    /// The message ([`Message::id`]).
    pub id: Digest,
    /// In a few words.
    pub summary: String,
    /// The message itself, if a record can hold it.
    pub message: Option<Message>,
    /// Who of this bank brought it; none if it came from another.
    pub actor: Option<Actor>,
    /// When.
    pub at: Timestamp,
}
codec_struct!(GovernanceMessageRecord { id, summary, message, actor, at });

/// A checkpoint as it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckpointRecord {
    /// How many leaves it covers.
    pub size: u64,
    /// Their root.
    pub root: Digest,
    /// The signed note, with the cosignatures that it had.
    pub note: String,
    /// When.
    pub at: Timestamp,
}
codec_struct!(CheckpointRecord { size, root, note, at });

/// Calls of the interface, told by their token: not one by one, but the first of a while, and how many were refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoginRecord {
    /// Whose token: `api`, as long as there is one.
    pub token: String,
    /// From what kind of address: `loopback`, or `socket`.
    pub from: String,
    /// Whether the token was right.
    pub accepted: bool,
    /// How many calls since the record before.
    pub calls: u64,
    /// When the first of them came.
    pub since: Timestamp,
    /// When the last of them came.
    pub at: Timestamp,
}
codec_struct!(LoginRecord { token, from, accepted, calls, since, at });

/// A configuration that differs from the one recorded before. It holds no secret: those are files that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigurationRecord {
    /// The replica that it is the configuration of.
    pub replica: u64,
    /// Its digest.
    pub digest: Digest,
    /// That of the one before, if the log knows it.
    pub previous: Option<Digest>,
    /// The sections that differ.
    pub changed: Vec<ConfigurationSection>,
    /// When.
    pub at: Timestamp,
}
codec_struct!(ConfigurationRecord { replica, digest, previous, changed, at });

/// A section of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigurationSection {
    /// Its name.
    pub name: String,
    /// The digest of its text.
    pub digest: Digest,
    /// Its text, in sorted order; none if it is gone, or too long for a record.
    pub text: Option<String>,
}
codec_struct!(ConfigurationSection { name, digest, text });

/// A subject's records made unreadable. It names nobody: the digest is keyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErasureRecord {
    /// The keyed digest of the subject.
    pub subject: Digest,
    /// How many records were sealed under its key.
    pub records: u64,
    /// Why: a request, or the end of retention.
    pub reason: String,
    /// Who.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}
codec_struct!(ErasureRecord { subject, records, reason, actor, at });

/// A legal hold placed on a subject's records, or lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldRecord {
    /// The keyed digest of the subject.
    pub subject: Digest,
    /// Placed, or lifted.
    pub held: bool,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}
codec_struct!(HoldRecord { subject, held, reason, actor, at });

/// An exception granted, or withdrawn before it expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExceptionRecord {
    /// The exception.
    pub exception: Exception,
    /// Who withdrew it, why and when; none when it is granted.
    pub withdrawn: Option<Withdrawal>,
}
codec_struct!(ExceptionRecord { exception, withdrawn });

/// An exception's early end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withdrawal {
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}
codec_struct!(Withdrawal { actor, reason, at });

/// Somebody read a case: not every time, but the first of each hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseReadRecord {
    /// Which case.
    pub case: u64,
    /// Whom it is about.
    pub subject: Option<Subject>,
    /// Who read it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}
codec_struct!(CaseReadRecord { case, subject, actor, at });

/// A signal's scope: what its counter and nullifier are unique in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ScopeKey {
    /// The gateway.
    pub gateway: GatewayId,
    /// The epoch.
    pub epoch: Epoch,
}
codec_struct!(ScopeKey { gateway, epoch });

/// One record of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "records are built, sealed and dropped one at a time")]
pub enum Record {
    /// See [`RecordClass::Decision`].
    Decision(DecisionRecord),
    /// See [`RecordClass::Refusal`].
    Refusal(Refusal),
    /// See [`RecordClass::Case`].
    Case(Case),
    /// See [`RecordClass::SignalIntent`].
    SignalIntent(IntentRecord),
    /// See [`RecordClass::SignalSent`].
    SignalSent(SignalRecord),
    /// See [`RecordClass::SignalReceived`].
    SignalReceived(SignalRecord),
    /// See [`RecordClass::Retraction`].
    Retraction(RetractionRecord),
    /// See [`RecordClass::Alert`].
    Alert(Alert),
    /// See [`RecordClass::Operation`].
    Operation(Operation),
    /// See [`RecordClass::Governance`].
    Governance(GovernanceRecord),
    /// See [`RecordClass::Checkpoint`].
    Checkpoint(CheckpointRecord),
    /// See [`RecordClass::Login`].
    Login(LoginRecord),
    /// See [`RecordClass::Configuration`].
    Configuration(ConfigurationRecord),
    /// See [`RecordClass::Erasure`].
    Erasure(ErasureRecord),
    /// See [`RecordClass::Hold`].
    Hold(HoldRecord),
    /// See [`RecordClass::GovernanceMessage`].
    GovernanceMessage(GovernanceMessageRecord),
    /// See [`RecordClass::Exception`].
    Exception(ExceptionRecord),
    /// See [`RecordClass::CaseRead`].
    CaseRead(CaseReadRecord),
    /// See [`RecordClass::FrameBlock`].
    FrameBlock(FrameBlock),
}

impl Record {
    /// The class that stands beside the sealed record.
    pub fn class(&self) -> RecordClass {
        match self {
            Self::Decision(_) => RecordClass::Decision,
            Self::Refusal(_) => RecordClass::Refusal,
            Self::Case(_) => RecordClass::Case,
            Self::SignalIntent(_) => RecordClass::SignalIntent,
            Self::SignalSent(_) => RecordClass::SignalSent,
            Self::SignalReceived(_) => RecordClass::SignalReceived,
            Self::Retraction(_) => RecordClass::Retraction,
            Self::Alert(_) => RecordClass::Alert,
            Self::Operation(_) => RecordClass::Operation,
            Self::Governance(_) => RecordClass::Governance,
            Self::Checkpoint(_) => RecordClass::Checkpoint,
            Self::Login(_) => RecordClass::Login,
            Self::Configuration(_) => RecordClass::Configuration,
            Self::Erasure(_) => RecordClass::Erasure,
            Self::Hold(_) => RecordClass::Hold,
            Self::GovernanceMessage(_) => RecordClass::GovernanceMessage,
            Self::Exception(_) => RecordClass::Exception,
            Self::CaseRead(_) => RecordClass::CaseRead,
            Self::FrameBlock(_) => RecordClass::FrameBlock,
        }
    }

    /// When it came about, for looking up and retention.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Decision(record) => record.decision.decided_at,
            Self::Refusal(record) => record.at,
            Self::Case(case) => case.at(),
            Self::SignalIntent(record) => record.at,
            Self::SignalSent(record) | Self::SignalReceived(record) => record.at,
            Self::Retraction(record) => record.at,
            Self::Alert(alert) => alert.at,
            Self::Operation(record) => record.at,
            Self::Governance(record) => record.at,
            Self::Checkpoint(record) => record.at,
            Self::Login(record) => record.at,
            Self::Configuration(record) => record.at,
            Self::Erasure(record) => record.at,
            Self::Hold(record) => record.at,
            Self::GovernanceMessage(record) => record.at,
            Self::Exception(record) => {
                record.withdrawn.as_ref().map_or(record.exception.since, |withdrawn| withdrawn.at)
            }
            Self::CaseRead(record) => record.at,
            Self::FrameBlock(block) => block.at,
        }
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Writer) {
        out.u8(RECORD_VERSION);
        self.class().encode(out);
        match self {
            Self::Decision(record) => record.encode(out),
            Self::Refusal(record) => record.encode(out),
            Self::Case(record) => record.encode(out),
            Self::SignalIntent(record) => record.encode(out),
            Self::SignalSent(record) | Self::SignalReceived(record) => record.encode(out),
            Self::Retraction(record) => record.encode(out),
            Self::Alert(record) => record.encode(out),
            Self::Operation(record) => record.encode(out),
            Self::Governance(record) => record.encode(out),
            Self::Checkpoint(record) => record.encode(out),
            Self::Login(record) => record.encode(out),
            Self::Configuration(record) => record.encode(out),
            Self::Erasure(record) => record.encode(out),
            Self::Hold(record) => record.encode(out),
            Self::GovernanceMessage(record) => record.encode(out),
            Self::Exception(record) => record.encode(out),
            Self::CaseRead(record) => record.encode(out),
            Self::FrameBlock(block) => block.encode(out),
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("record", RECORD_VERSION)?;
        Ok(match RecordClass::decode(input)? {
            RecordClass::Decision => Self::Decision(Decode::decode(input)?),
            RecordClass::Refusal => Self::Refusal(Decode::decode(input)?),
            RecordClass::Case => Self::Case(Decode::decode(input)?),
            RecordClass::SignalIntent => Self::SignalIntent(Decode::decode(input)?),
            RecordClass::SignalSent => Self::SignalSent(Decode::decode(input)?),
            RecordClass::SignalReceived => Self::SignalReceived(Decode::decode(input)?),
            RecordClass::Retraction => Self::Retraction(Decode::decode(input)?),
            RecordClass::Alert => Self::Alert(Decode::decode(input)?),
            RecordClass::Operation => Self::Operation(Decode::decode(input)?),
            RecordClass::Governance => Self::Governance(Decode::decode(input)?),
            RecordClass::Checkpoint => Self::Checkpoint(Decode::decode(input)?),
            RecordClass::Login => Self::Login(Decode::decode(input)?),
            RecordClass::Configuration => Self::Configuration(Decode::decode(input)?),
            RecordClass::Erasure => Self::Erasure(Decode::decode(input)?),
            RecordClass::Hold => Self::Hold(Decode::decode(input)?),
            RecordClass::GovernanceMessage => Self::GovernanceMessage(Decode::decode(input)?),
            RecordClass::Exception => Self::Exception(Decode::decode(input)?),
            RecordClass::CaseRead => Self::CaseRead(Decode::decode(input)?),
            RecordClass::FrameBlock => Self::FrameBlock(Decode::decode(input)?),
        })
    }
}
