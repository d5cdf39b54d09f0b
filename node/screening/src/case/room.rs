//! How large a case gets, and what is kept free in it: whatever was done to a case, there is room to decide on it.
//!
//! Of every case those steps are counted that may lead it to its end: a confirmation, proposed and approved; what follows
//! it, proposed and approved; and the review of a clearing. A step on that way takes the place that was kept for it, and
//! is taken in if its note is short enough. Whatever else is done, such as declining, adding or taking up again, needs a
//! place that is free.

use hansa_types::case::{Case, CaseAct, CaseReview, CaseState, MAX_CASE_STEPS};
use hansa_types::codec::Encode;

use super::CaseError;

/// The most bytes of a case's record: below what a leaf of the log holds.
pub const MAX_CASE_BYTES: usize = 56 << 10;
/// The most bytes up to which a case is added to by hand: the rest is kept for what joins it by itself, and for the steps
/// that end it.
pub const MAX_ADDED_BYTES: usize = 24 << 10;
/// The most steps up to which it is.
const MAX_ADDED_STEPS: usize = MAX_CASE_STEPS - 56;
/// The bytes of a note up to which a step that leads a case to its end always finds room.
pub const LAST_NOTE_BYTES: usize = 1_000;
/// The most bytes of such a step: its note, its actor's name, and what is of one length.
const LAST_STEP_BYTES: usize = LAST_NOTE_BYTES + 128;
/// The most bytes of a subject; an account's number has 34 characters at the most, and its scheme 35.
pub(super) const MAX_SUBJECT_BYTES: usize = 1 << 10;
/// The most bytes of the names of lists in a case.
pub(super) const MAX_LISTS_BYTES: usize = 4 << 10;
/// The most bytes of a case beside its subject, its decisions and its steps: each part has a bound of its own.
const BESIDE_BYTES: usize = 8 << 10;

/// How many steps lead to the end, if nobody declines.
fn to_come(case: &Case) -> usize {
    let from = |state| match state {
        CaseState::Open | CaseState::Assigned => 5,
        CaseState::Confirmed => 3,
        CaseState::Cleared => 1,
        CaseState::Reported => 0,
    };
    match &case.proposal {
        Some(proposal) => 1 + from(proposal.state),
        None if case.state() == CaseState::Cleared && case.review != Some(CaseReview::Waiting) => 0,
        None => from(case.state()),
    }
}

/// Whether the steps that lead a case to its end have room in it.
pub(super) fn has_room(case: &Case) -> bool {
    let to_come = to_come(case);
    let bytes = case.subject.to_bytes().len() + case.decisions.to_bytes().len() + case.steps.to_bytes().len();
    case.steps.len() + to_come <= MAX_CASE_STEPS
        && bytes + BESIDE_BYTES + to_come * LAST_STEP_BYTES <= MAX_CASE_BYTES
}

/// The case, if a record holds it and what may follow.
pub(super) fn fits(case: Case) -> Result<Case, CaseError> {
    let adds = case.steps.last().is_some_and(|step| matches!(step.act, CaseAct::Join | CaseAct::Assign));
    let full = adds && (case.steps.len() > MAX_ADDED_STEPS || case.to_bytes().len() > MAX_ADDED_BYTES);
    if full || !has_room(&case) { Err(CaseError::Full(case.number)) } else { Ok(case) }
}

#[cfg(test)]
mod tests {
    use hansa_types::case::{
        CaseProposal, CaseStep, Deadline, Duty, MAX_CASE_LISTS, MAX_CASE_SIGNALS, MAX_DEADLINES,
    };
    use hansa_types::decision::{Reason, Verdict};
    use hansa_types::hash::Digest;
    use hansa_types::id::{Actor, MAX_NAME, Timestamp};
    use hansa_types::signal::Category;

    use super::super::deadlines::MAX_RULE_NAME;
    use super::*;

    fn longest() -> Actor {
        "a".repeat(MAX_NAME).parse().unwrap()
    }

    #[test]
    fn what_is_kept_for_the_rest_of_a_case_and_for_its_last_steps_is_enough() {
        let at = Timestamp(u64::MAX);
        let deadline = Deadline {
            rule: "r".repeat(MAX_RULE_NAME),
            duty: Duty::Report,
            due: at,
            met: Some(at),
            overdue: Some(at),
        };
        let proposal = CaseProposal {
            state: CaseState::Confirmed,
            signal: Some(Category::MuleAccount),
            actor: longest(),
            at,
        };
        let full = Case {
            number: u64::MAX,
            subject: None,
            decisions: vec![],
            signals: vec![Digest([0; 32]); MAX_CASE_SIGNALS],
            verdict: Verdict::Block,
            reasons: Reason::ALL.to_vec(),
            lists: vec!["l".repeat(MAX_LISTS_BYTES / MAX_CASE_LISTS - 8); MAX_CASE_LISTS],
            conduct: true,
            deadlines: vec![deadline; MAX_DEADLINES],
            proposal: Some(proposal),
            review: Some(CaseReview::Waiting),
            steps: vec![],
        };
        assert!(full.to_bytes().len() <= BESIDE_BYTES, "{}", full.to_bytes().len());
        let note = "n".repeat(LAST_NOTE_BYTES);
        let (act, state) = (CaseAct::Approve, CaseState::Confirmed);
        let last = CaseStep { act, state, actor: longest(), at, note };
        assert!(last.to_bytes().len() <= LAST_STEP_BYTES);
    }
}
