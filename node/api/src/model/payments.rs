//! Payments: the answer to a message, the log's history of a payment, and the request for evidence.

use hansa_types::decision::{Decision, Disposition, Reason, Verdict};
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::model::Score;
use hansa_types::payment::{AgentId, PaymentKey};
use hansa_types::record::{Record, RecordClass};
use hansa_types::uetr::Uetr;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// The ISO 20022 status reason of a duplicate (`Duplication`, ExternalStatusReason1Code).
pub const OUTWARD_DUPLICATE: &str = "AM05";

/// The two agents of one leg of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leg {
    /// Who sent it.
    pub instructing: AgentId,
    /// Who received it.
    pub instructed: AgentId,
}

impl std::str::FromStr for Leg {
    type Err = String;

    /// `INSTRUCTING/INSTRUCTED`, as keys are printed.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').filter(|(from, to)| !from.is_empty() && !to.is_empty());
        let (from, to) =
            parts.ok_or_else(|| format!("{text:?}: write INSTRUCTING/INSTRUCTED, as keys are printed"))?;
        Ok(Self { instructing: AgentId::named(from), instructed: AgentId::named(to) })
    }
}

impl Leg {
    /// Whether `key` is of this leg.
    pub fn contains(&self, key: &PaymentKey) -> bool {
        matches!(key, PaymentKey::Uetr { instructing, instructed, .. }
            if *instructing == self.instructing && *instructed == self.instructed)
    }
}

/// The answer to one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The message's definition, for example `pacs.008.001.08`.
    pub message_type: String,
    /// One answer for each of its transactions, in their order.
    pub payments: Vec<PaymentAnswer>,
    /// The node runs in shadow: no answer has a verdict, and the rail is answered by somebody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

impl Submission {
    /// As a node in shadow answers: that it was decided, and not what.
    pub fn in_shadow(mut self) -> Self {
        self.shadow = true;
        for payment in &mut self.payments {
            payment.verdict = None;
            payment.outward_code = None;
        }
        self
    }

    /// What may leave the bank: without the internal part of any answer.
    pub fn outward(mut self) -> Self {
        for payment in &mut self.payments {
            payment.internal = None;
        }
        self
    }

    /// Whether the message was one payment, and that a duplicate: answered with status 409.
    pub fn is_single_duplicate(&self) -> bool {
        !self.shadow
            && matches!(self.payments.as_slice(), [PaymentAnswer { status: AnswerStatus::Duplicate, .. }])
    }
}

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerStatus {
    /// Decided now.
    Decided,
    /// Decided before on equal content: the same decision again.
    Repeated,
    /// Refused: its key was decided on other content.
    Duplicate,
}

/// The answer on one payment. Who sits outside the bank sees no more than this without `internal` (tipping-off).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentAnswer {
    /// Which payment, on which leg.
    pub payment: PaymentKey,
    /// How the answer came about.
    pub status: AnswerStatus,
    /// It was decided without a quorum, on what one replica knew; the log does not hold it yet, and may come to hold
    /// another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// What was decided; none for a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The ISO 20022 status reason for the outside; none when CLEAR, [`OUTWARD_DUPLICATE`] for a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outward_code: Option<String>,
    /// The bank's own view; only when asked for, and never for a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal: Option<InternalAnswer>,
}

impl PaymentAnswer {
    /// The answer of a decision that the log holds at `log_index`, taken now or before.
    pub fn of(decision: &Decision, log_index: u64, repeated: bool) -> Self {
        Self {
            payment: decision.key.clone(),
            status: if repeated { AnswerStatus::Repeated } else { AnswerStatus::Decided },
            verdict: Some(decision.verdict),
            outward_code: decision.outward_code.clone(),
            internal: Some(InternalAnswer::new(decision, Some(log_index))),
            provisional: false,
        }
    }

    /// The answer of a decision taken without a quorum, now or before.
    pub fn provisional(decision: &Decision, repeated: bool) -> Self {
        let internal = Some(InternalAnswer::new(decision, None));
        Self { internal, provisional: true, ..Self::of(decision, 0, repeated) }
    }

    /// The answer to a payment whose key was decided on other content.
    pub fn duplicate(payment: PaymentKey) -> Self {
        Self {
            payment,
            status: AnswerStatus::Duplicate,
            verdict: None,
            outward_code: Some(OUTWARD_DUPLICATE.to_owned()),
            internal: None,
            provisional: false,
        }
    }
}

/// Why a payment was decided as it was: for the bank's own officers and systems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternalAnswer {
    /// [`Decision::id`].
    pub decision: Digest,
    /// Where the log holds the decision, from 0; none while it is provisional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// What happens to the money; none when CLEAR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// Why, most severe first.
    pub reasons: Vec<Reason>,
    /// The score under the model.
    pub score: Score,
    /// The model's registered version.
    pub model_version: u32,
    /// The signals of other banks that it rests on.
    pub signals: Vec<Digest>,
    /// What was found.
    pub findings: Vec<FindingView>,
    /// When it was decided.
    pub decided_at: Timestamp,
}

impl InternalAnswer {
    /// The internal part of `decision`, which the log holds at `log_index`, if it does.
    pub fn new(decision: &Decision, log_index: Option<u64>) -> Self {
        let finding =
            |f: &hansa_types::decision::Finding| FindingView { reason: f.reason, text: f.text.clone() };
        Self {
            decision: decision.id(),
            log_index,
            disposition: decision.disposition,
            reasons: decision.reasons.clone(),
            score: decision.score,
            model_version: decision.model_version,
            signals: decision.signals.clone(),
            findings: decision.findings.iter().map(finding).collect(),
            decided_at: decision.decided_at,
        }
    }
}

/// One statement about a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingView {
    /// The reason it bears on, where it led to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What was found.
    pub text: String,
}

/// What the log holds about one payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogHistory {
    /// Its reference.
    pub uetr: Uetr,
    /// The entries, in the log's order.
    pub entries: Vec<LogEntry>,
}

/// One entry of the audit log, opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its place in the log, from 0.
    pub index: u64,
    /// The class of the record.
    pub class: RecordClass,
    /// The RFC 6962 hash of its leaf.
    pub leaf: Digest,
    /// Whether a signed checkpoint covers it.
    pub published: bool,
    /// The record, field by field as in hansa-types.
    pub record: serde_json::Value,
}

impl LogEntry {
    /// The entry at `index` that seals `record`.
    ///
    /// # Errors
    /// [`Problem::internal`] for a record with a value that JSON cannot carry.
    pub fn new(index: u64, leaf: Digest, published: bool, record: &Record) -> Result<Self, Problem> {
        let class = record.class();
        let record = serde_json::to_value(record)
            .map_err(|e| Problem::internal(format!("log entry {index} cannot be written as JSON: {e}")))?;
        Ok(Self { index, class, leaf, published, record })
    }
}

/// Asks for the evidence bundle of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRequest {
    /// The payment.
    pub uetr: Uetr,
    /// Which of its legs; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<Leg>,
}
