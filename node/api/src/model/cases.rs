//! Cases and alerts: what an officer sees and does.

use hansa_types::case::{Alert, AlertState, Case, CaseState, Suspect};
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Epoch, Timestamp};
use hansa_types::payment::PaymentKey;
use hansa_types::signal::{Category, Severity};
use hansa_types::subject::Subject;
use hansa_types::uetr::Uetr;
use serde::{Deserialize, Serialize};

use super::{Leg, SignalView};

/// A case with every step taken on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    /// Its number within the bank, from 1.
    pub number: u64,
    /// Where it stands: the state after the last step.
    pub state: CaseState,
    /// Whom it is about.
    pub subject: Subject,
    /// The decision that it grew from, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionView>,
    /// The signal that it grew from, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Digest>,
    /// Every step; the first opened it.
    pub steps: Vec<CaseStepView>,
}

/// Which decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// The payment.
    pub payment: PaymentKey,
    /// The decision's digest.
    pub id: Digest,
}

/// One step of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseStepView {
    /// The state after it.
    pub state: CaseState,
    /// Who took it.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub note: String,
}

impl From<Case> for CaseView {
    fn from(case: Case) -> Self {
        Self {
            number: case.number,
            state: case.steps.last().map_or(CaseState::Open, |step| step.state),
            subject: case.subject,
            decision: case.decision.map(|d| DecisionView { payment: d.key, id: d.id }),
            signal: case.signal,
            steps: case
                .steps
                .into_iter()
                .map(|s| CaseStepView { state: s.state, actor: s.actor, at: s.at, note: s.note })
                .collect(),
        }
    }
}

/// Opens a case by hand on a payment in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseOpening {
    /// The payment.
    pub uetr: Uetr,
    /// Which of its legs; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<Leg>,
    /// Which of its accounts is suspected.
    pub suspect: Suspect,
    /// Who opens it.
    pub actor: Actor,
    /// Why.
    #[serde(default)]
    pub note: String,
}

/// Takes a case to another state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseAction {
    /// The state to reach.
    pub state: CaseState,
    /// Who does it.
    pub actor: Actor,
    /// Why; required to clear.
    #[serde(default)]
    pub note: String,
    /// With a confirmation: tell the gateway's other members, in this category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Category>,
}

/// What opening or stepping a case led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case after the step.
    pub case: CaseView,
    /// The signal that the step started, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<SignalView>,
    /// What the officer should know, for example why no signal was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseList {
    /// By number.
    pub cases: Vec<CaseView>,
}

/// A received signal that matched a subject this bank knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertView {
    /// The signal.
    pub signal: Digest,
    /// Who matched.
    pub subject: Subject,
    /// Whether this bank holds the account, or has only seen it as a counterparty.
    pub held_here: bool,
    /// As the sender said.
    pub severity: Severity,
    /// As the sender said.
    pub category: Category,
    /// The last epoch in which it counts.
    pub expires: Epoch,
    /// Whether it counts.
    pub state: AlertState,
    /// The case it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<u64>,
    /// When it was raised or changed.
    pub at: Timestamp,
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        let Alert { signal, subject, held_here, severity, category, expires, state, case, at } = alert;
        Self { signal, subject, held_here, severity, category, expires, state, case, at }
    }
}

/// The alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertList {
    /// Oldest first.
    pub alerts: Vec<AlertView>,
}
