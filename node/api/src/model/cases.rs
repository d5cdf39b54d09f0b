//! Cases: what an officer sees and does.

use hansa_types::case::{
    Case, CaseAct, CaseDecision, CaseProposal, CaseReview, CaseState, CaseStep, Deadline, Duty, Suspect,
};
use hansa_types::decision::{Reason, Verdict};
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::payment::PaymentKey;
use hansa_types::signal::Category;
use hansa_types::subject::Subject;
use hansa_types::uetr::Uetr;
use serde::{Deserialize, Serialize};

use super::{Leg, SignalView};

/// A case with everything in it: for officers who say who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    /// Its number within the bank, from 1.
    pub number: u64,
    /// Where it stands: the state after the last step.
    pub state: CaseState,
    /// Whom it is about; none where no subject is known by account or LEI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The decisions that it is about, oldest first.
    pub decisions: Vec<DecisionView>,
    /// The signals that it is about.
    pub signals: Vec<Digest>,
    /// The worst verdict of the decisions.
    pub verdict: Verdict,
    /// Their reasons.
    pub reasons: Vec<Reason>,
    /// The watch lists that were hit.
    pub lists: Vec<String>,
    /// What has to be done until when.
    pub deadlines: Vec<DeadlineView>,
    /// What waits for a second officer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<CaseProposalView>,
    /// Whether it is looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<CaseReview>,
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
    /// What screening concluded.
    pub verdict: Verdict,
    /// When.
    pub at: Timestamp,
}

/// Until when something has to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadlineView {
    /// The rule that set it.
    pub rule: String,
    /// What has to be done.
    pub duty: Duty,
    /// The first moment that is too late.
    pub due: Timestamp,
    /// When it was done, or the case came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<Timestamp>,
    /// When it was seen to be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue: Option<Timestamp>,
}

/// What one officer asked for, and another has to approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseProposalView {
    /// The state that is asked for.
    pub state: CaseState,
    /// The category of the signal that goes with a confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Category>,
    /// Who asked.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// One step of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseStepView {
    /// What was done.
    pub act: CaseAct,
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
        let state = case.state();
        let decision =
            |d: CaseDecision| DecisionView { payment: d.key, id: d.id, verdict: d.verdict, at: d.at };
        let step = |s: CaseStep| {
            let CaseStep { act, state, actor, at, note } = s;
            CaseStepView { act, state, actor, at, note }
        };
        Self {
            number: case.number,
            state,
            subject: case.subject,
            decisions: case.decisions.into_iter().map(decision).collect(),
            signals: case.signals,
            verdict: case.verdict,
            reasons: case.reasons,
            lists: case.lists,
            deadlines: case.deadlines.into_iter().map(DeadlineView::from).collect(),
            proposal: case.proposal.map(CaseProposalView::from),
            review: case.review,
            steps: case.steps.into_iter().map(step).collect(),
        }
    }
}

impl From<Deadline> for DeadlineView {
    fn from(deadline: Deadline) -> Self {
        let Deadline { rule, duty, due, met, overdue } = deadline;
        Self { rule, duty, due, met, overdue }
    }
}

impl From<CaseProposal> for CaseProposalView {
    fn from(proposal: CaseProposal) -> Self {
        let CaseProposal { state, signal, actor, at } = proposal;
        Self { state, signal, actor, at }
    }
}

/// A case on the work list: enough to pick it, and not what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseSummary {
    /// Its number.
    pub number: u64,
    /// Where it stands.
    pub state: CaseState,
    /// Whom it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The worst verdict of the decisions that it is about.
    pub verdict: Verdict,
    /// Their reasons.
    pub reasons: Vec<Reason>,
    /// How many decisions it names.
    pub decisions: u64,
    /// The signals that it is about.
    pub signals: Vec<Digest>,
    /// When it was opened.
    pub opened: Timestamp,
    /// Who took it on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<Actor>,
    /// The deadline that ends first of those not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<DeadlineView>,
    /// Whether one is over.
    pub overdue: bool,
    /// What waits for a second officer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<CaseProposalView>,
    /// Whether it is looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<CaseReview>,
}

impl CaseSummary {
    /// What the list shows of a case.
    pub fn new(case: &Case, overdue: bool) -> Self {
        let assigned = case.steps.iter().rfind(|step| step.act == CaseAct::Assign);
        Self {
            number: case.number,
            state: case.state(),
            subject: case.subject.clone(),
            verdict: case.verdict,
            reasons: case.reasons.clone(),
            decisions: case.decisions.len() as u64,
            signals: case.signals.clone(),
            opened: case.steps.first().map_or(Timestamp(0), |step| step.at),
            assigned: assigned.map(|step| step.actor.clone()),
            due: case.open_deadlines().min_by_key(|d| d.due).cloned().map(DeadlineView::from),
            overdue,
            proposal: case.proposal.clone().map(CaseProposalView::from),
            review: case.review,
        }
    }
}

/// Which cases are asked for: those for which everything set here holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaseFilter {
    /// Of one state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<CaseState>,
    /// With a deadline that is over.
    pub overdue: bool,
    /// That were cleared and wait to be looked at again.
    pub review: bool,
    /// In which something waits for a second officer.
    pub proposed: bool,
    /// Behind this case: where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How many at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
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
    /// With a signal: what is known beyond list hits, missing or malformed data and other banks' signals, where
    /// screening found nothing else.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub grounds: String,
}

/// Approves or declines what another officer proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseAnswer {
    /// Whether it is approved.
    pub approve: bool,
    /// Who answers: not who proposed.
    pub actor: Actor,
    /// Why; required to decline.
    #[serde(default)]
    pub note: String,
}

/// Says whether a case was cleared rightly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseReviewing {
    /// Whether it stands; else it is open anew.
    pub passed: bool,
    /// Who says so: nobody who had a part in clearing it.
    pub actor: Actor,
    /// Why; required if it does not stand.
    #[serde(default)]
    pub note: String,
}

/// Asks for what is in a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseReading {
    /// Who reads: it is recorded.
    pub actor: Actor,
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

/// One page of cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseList {
    /// By number.
    pub cases: Vec<CaseSummary>,
    /// Where the next page continues, if there may be more: its `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
