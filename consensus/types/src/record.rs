//! What the audit log records: one variant a class, each self-contained.

use serde::Serialize;

use crate::case::{Alert, Case};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::decision::Decision;
use crate::hash::Digest;
use crate::id::{Actor, Epoch, GatewayId, Timestamp};
use crate::payment::{Payment, PaymentKey};
use crate::signal::{Retraction, Signal, SignalBody};
use crate::{codec_enum, codec_struct};

/// The version byte of a record.
pub const RECORD_VERSION: u8 = 1;

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
}
codec_enum!(RecordClass {
    Decision = 1, "decision", Refusal = 2, "refusal", Case = 3, "case", SignalIntent = 4, "signal-intent",
    SignalSent = 5, "signal-sent", SignalReceived = 6, "signal-received", Retraction = 7, "retraction",
    Alert = 8, "alert", Operation = 9, "operation",
});

/// A decision with the payment it was taken on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionRecord {
    /// The decision.
    pub decision: Decision,
    /// The payment.
    pub payment: Payment,
}
codec_struct!(DecisionRecord { decision, payment });

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
        })
    }
}
