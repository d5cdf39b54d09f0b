//! The audit of one decision: what it says, what it rests on, and how it is proved to be in the log.

use hansa_types::decision::Decision;
use hansa_types::hash::Digest;
use hansa_types::uetr::Uetr;

use crate::model::Leg;

/// Asks about the decision on a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRequest {
    /// The payment.
    pub uetr: Uetr,
    /// Which of its legs; may be left out where there is only one.
    pub leg: Option<Leg>,
    /// Whether the proof of the signal is wanted that the decision led to.
    pub zkp_proof: bool,
}

/// What the log holds about a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionAudit {
    /// The decision as it was logged.
    pub decision: Decision,
    /// Where the log holds it, from 0.
    pub log_index: u64,
    /// The RFC 6962 hash of its leaf.
    pub leaf: Digest,
    /// The signal that the decision led to, or why there is none to show.
    pub signal: Result<SignalProof, String>,
    /// That the entry is in the published log, as a C2SP tlog-proof; or why it cannot be shown yet.
    pub tlog_proof: Result<String, String>,
    /// Each factor, in the order of the model's weights.
    pub factors: Vec<FactorView>,
    /// The model that decided, or why it is not at hand.
    pub model: Result<ModelSnapshot, String>,
}

/// A signal's proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalProof {
    /// [`hansa_types::signal::Signal::id`].
    pub id: Digest,
    /// The Groth16 proof, compressed.
    pub proof: Vec<u8>,
}

/// One factor of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorView {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: u16,
    /// What one unit of the value is.
    pub unit: String,
    /// What the value rests on; empty if it is 0.
    pub evidence: String,
}

/// A model as it decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSnapshot {
    /// Its registered version.
    pub version: u32,
    /// From which score a payment is held.
    pub hold_threshold: i64,
    /// Points per unit of each factor, in the order of [`TransactionAudit::factors`].
    pub weights: Vec<i16>,
}
