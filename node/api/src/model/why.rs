//! Why a payment was decided as it was, and the decision taken again.

use hansa_types::decision::{Decision, Disposition, ListVersion, Reason, Verdict};
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use serde::{Deserialize, Serialize};

use super::payments::FindingView;

/// What a decision comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeView {
    /// What screening concluded.
    pub verdict: Verdict,
    /// What happens to the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// Why, most severe first.
    pub reasons: Vec<Reason>,
    /// The score.
    pub score: i64,
    /// The lists consulted.
    pub lists: Vec<ListRef>,
    /// The version of the model.
    pub model_version: u32,
}

/// A version of a list as a decision cites it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRef {
    /// The list.
    pub name: String,
    /// When it was published.
    pub date: String,
    /// The digest of its entries.
    pub digest: Digest,
}

impl From<&ListVersion> for ListRef {
    fn from(version: &ListVersion) -> Self {
        let ListVersion { name, date, digest } = version.clone();
        Self { name, date, digest }
    }
}

impl From<&Decision> for OutcomeView {
    fn from(decision: &Decision) -> Self {
        Self {
            verdict: decision.verdict,
            disposition: decision.disposition,
            reasons: decision.reasons.clone(),
            score: decision.score.0,
            lists: decision.lists.iter().map(ListRef::from).collect(),
            model_version: decision.model_version,
        }
    }
}

/// One summand of a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummandView {
    /// The factor.
    pub factor: String,
    /// Its value.
    pub value: u16,
    /// What one unit of it is.
    pub unit: String,
    /// Points for each unit.
    pub weight: i16,
    /// Value times weight.
    pub points: i64,
    /// What it rests on.
    pub evidence: String,
}

/// A change of one factor alone that would bring the score to the other side of the threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlipView {
    /// The factor.
    pub factor: String,
    /// Its value.
    pub value: u16,
    /// The nearest value that would do.
    pub to: u16,
}

/// What the verdict would be without one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutView {
    /// The reason.
    pub reason: Reason,
    /// The verdict without it.
    pub verdict: Verdict,
}

/// Why a payment was decided as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyView {
    /// The payment's key.
    pub payment: String,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What was decided.
    pub decided: OutcomeView,
    /// What was found.
    pub findings: Vec<FindingView>,
    /// What the score is the sum of, the largest first.
    pub summands: Vec<SummandView>,
    /// From which score a payment is held.
    pub threshold: i64,
    /// What would bring the score across the threshold, the least first.
    pub flips: Vec<FlipView>,
    /// What each reason alone decides.
    pub without: Vec<WithoutView>,
    /// What the same payment, with the same past, would come to now.
    pub today: OutcomeView,
}

/// A decision taken again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayView {
    /// The payment's key.
    pub payment: String,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Whether the decision came out the same, bit for bit.
    pub same: bool,
    /// What differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// What was decided.
    pub decided: OutcomeView,
    /// What comes out now.
    pub replayed: OutcomeView,
}
