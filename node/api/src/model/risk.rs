//! The risk model: what is in use, and what decisions taken say about it and others.

use std::collections::BTreeMap;

use hansa_types::decision::{Reason, Verdict};
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::uetr::Uetr;
use serde::{Deserialize, Serialize};

/// The model in use on this replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelView {
    /// Its version.
    pub version: u32,
    /// Its digest, as decisions cite it.
    pub digest: Digest,
    /// From which score a payment is held.
    pub hold_threshold: i64,
    /// Points for one unit of each factor.
    pub weights: BTreeMap<String, i16>,
    /// Whether the members registered it: only then can its decisions be signalled.
    pub registered: bool,
    /// Until when it is watched, if it came while the node ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched_until: Option<Timestamp>,
    /// The version of the challenger that is scored beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenger: Option<u32>,
}

/// The configuration's model is to be read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelReload {
    /// Who asks.
    pub actor: Actor,
    /// It stays, however differently payments are decided.
    #[serde(default)]
    pub unwatched: bool,
}

/// A model to be tried on decisions taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BacktestRequest {
    /// The text of its file.
    pub model: String,
    /// From when on decisions are looked at.
    pub since: Timestamp,
}

/// Shares of payments in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Held or blocked, of 1,000 payments.
    pub alerts_per_1000: f64,
    /// Blocked, of 1,000 payments.
    pub blocks_per_1000: f64,
}

/// What another model would have made of decisions taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestView {
    /// How many were looked at.
    pub decisions: u64,
    /// As they were taken.
    pub was: Shares,
    /// Under the model.
    pub is: Shares,
    /// The population stability index of the scores.
    pub psi: f64,
    /// Payments that would be held and were not.
    pub newly_held: u64,
    /// The first of them.
    pub newly_held_payments: Vec<String>,
    /// Payments that were held and would not be.
    pub no_longer_held: u64,
    /// The first of them.
    pub no_longer_held_payments: Vec<String>,
    /// There are more decisions than were looked at: these are the newest.
    pub truncated: bool,
}

/// Which decisions are compared: those since `since` with those between `before` and then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftQuery {
    /// From when on the reference counts.
    pub before: Timestamp,
    /// Where the reference ends, and what is compared with it begins.
    pub since: Timestamp,
}

/// How decisions drifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftView {
    /// Decisions of the reference, and those compared with it.
    pub decisions: (u64, u64),
    /// The population stability index of the scores; none without decisions on both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<f64>,
    /// Whether it is a shift.
    pub shifted: bool,
    /// Shares of the reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Shares>,
    /// Shares of what is compared with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<Shares>,
    /// The stability index of each factor in use.
    pub factors: BTreeMap<String, f64>,
    /// There are more decisions than were looked at: these are the newest.
    pub truncated: bool,
}

/// Which payments to draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleQuery {
    /// From when on.
    pub since: Timestamp,
    /// How far from the threshold at the most.
    pub points: u32,
    /// How many on either side.
    pub count: u32,
}

/// A payment that was drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampledView {
    /// Its key.
    pub payment: String,
    /// Its score.
    pub score: i64,
    /// When it was decided.
    pub decided_at: Timestamp,
}

/// Payments near the threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleView {
    /// The threshold.
    pub threshold: i64,
    /// Below it.
    pub below: Vec<SampledView>,
    /// At it and above.
    pub above: Vec<SampledView>,
    /// There are more decisions than were looked at: these are the newest.
    pub truncated: bool,
}

/// Payments whose verdicts are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictsRequest {
    /// At most [`MAX_VERDICTS`].
    pub uetrs: Vec<Uetr>,
}

/// How many verdicts are asked for at once.
pub const MAX_VERDICTS: usize = 1_000;

/// What was decided on one payment, on any leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictView {
    /// The payment.
    pub uetr: Uetr,
    /// The most severe verdict of its legs; none if the log does not hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// The score of that leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
}

/// Verdicts, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictsView {
    /// One for each payment.
    pub verdicts: Vec<VerdictView>,
}
