//! Cases: which step may follow which, and who may take it.
//!
//! ```text
//! open -> assigned -> confirmed -> reported
//!   \________\___________\______-> cleared -> assigned (taken up again)
//! ```
//!
//! A step gives a new case; the old one stays as it was. Clearing takes a rationale. What the policy wants four eyes for
//! is proposed by one officer and approved or declined by another; until then nothing else happens to the case but that
//! payments join it. A share of the cleared cases is looked at again by somebody who did not clear them.

mod calendar;
mod deadlines;
pub mod draft;
#[cfg(test)]
mod ends;
mod opening;
mod policy;
mod room;
#[cfg(test)]
mod tests;

use hansa_types::case::{Case, CaseAct, CaseProposal, CaseReview, CaseState, CaseStep, Duty};
use hansa_types::decision::Reason;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::signal::Category;

pub use self::calendar::{Calendar, Holiday, Observed, Weekday, When};
pub use self::deadlines::{Deadlines, Rule, Trigger};
pub use self::opening::{Grounds, add, add_by_policy, join, open, open_by_hand, shareable, suspect};
pub use self::policy::{CasePolicy, CaseRules, FourEyes, PolicyError};
use self::room::fits;
pub use self::room::{LAST_NOTE_BYTES, MAX_ADDED_BYTES, MAX_CASE_BYTES};

/// The most characters of a note.
pub const MAX_NOTE: usize = 4000;
/// What the actors begin with that are policies of the node.
pub const POLICY_ACTORS: &str = "policy.";

/// Why a step is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// The state that is asked for does not follow.
    #[error("case {number} is {from}: it cannot become {to}; it can become {}", .allowed.join(", "))]
    Transition {
        /// Which case.
        number: u64,
        /// Where it stands.
        from: CaseState,
        /// What was asked.
        to: CaseState,
        /// What may follow.
        allowed: Vec<&'static str>,
    },
    /// A case cleared, declined or reopened without saying why.
    #[error("case {0}: say why in the note")]
    NoRationale(u64),
    /// A note beyond its bound.
    #[error("a note of {0} characters: at most {MAX_NOTE} are kept")]
    NoteTooLong(usize),
    /// The case is as large as a record gets.
    #[error("case {0} holds as much as a record can: write less, or decide on it and go on in a new one")]
    Full(u64),
    /// A step before the last one.
    #[error("case {number}: a step at {at}, before the last one at {last}: check the clock")]
    Backwards {
        /// Which case.
        number: u64,
        /// The step's time.
        at: Timestamp,
        /// The last step's.
        last: Timestamp,
    },
    /// A signal is asked for without a confirmation.
    #[error("a signal goes with a confirmation: only a confirmed case is signalled")]
    NotConfirmed,
    /// There is nothing that other banks may be told.
    #[error(
        "case {0} rests on list hits, on missing or malformed data, or on what another bank signalled alone: no signal \
         is made of that; state what else is known in --grounds, or confirm without a signal"
    )]
    NothingToTell(u64),
    /// Something waits for a second officer.
    #[error(
        "case {number}: {actor} proposed that it be {state}: another officer approves or declines that first"
    )]
    Waiting {
        /// Which case.
        number: u64,
        /// What was proposed.
        state: CaseState,
        /// By whom.
        actor: Actor,
    },
    /// Nothing waits.
    #[error("case {0}: nothing waits for approval")]
    NoProposal(u64),
    /// The same officer twice.
    #[error("case {number}: {actor} took the step that is to be looked at: another officer has to")]
    SameActor {
        /// Which case.
        number: u64,
        /// Who.
        actor: Actor,
    },
    /// Not drawn, or done.
    #[error("case {0} does not wait for a review: `hansa cases list --review` shows those that do")]
    NoReview(u64),
    /// A person under a policy's name.
    #[error("actor {0}: names that begin with {POLICY_ACTORS:?} are the node's own policies")]
    Reserved(Actor),
}

/// What an officer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The state.
    pub to: CaseState,
    /// With a confirmation: the category of the signal that goes with it.
    pub signal: Option<Category>,
    /// Grounds for the signal beyond what screening found.
    pub grounds: String,
}

/// Who takes a step, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub note: String,
}

/// The states that may follow.
fn following(state: CaseState) -> &'static [CaseState] {
    match state {
        CaseState::Open => &[CaseState::Assigned, CaseState::Confirmed, CaseState::Cleared],
        CaseState::Assigned => &[CaseState::Assigned, CaseState::Confirmed, CaseState::Cleared],
        CaseState::Confirmed => &[CaseState::Reported, CaseState::Cleared],
        CaseState::Cleared => &[CaseState::Assigned],
        CaseState::Reported => &[],
    }
}

/// Whether a watch list led to the case.
pub fn is_listed(case: &Case) -> bool {
    case.reasons.iter().any(|reason| matches!(reason, Reason::ListedName | Reason::ListedIdentifier))
}

/// Takes the case to another state, or proposes it where the policy wants a second officer. `draw` decides whether a
/// cleared case is looked at again ([`CaseRules::draws`]): another one each time it is cleared ([`clearings`]).
pub fn ask(
    rules: &CaseRules,
    case: &Case,
    ask: &Ask,
    mut by: By,
    draw: &[u8; 32],
) -> Result<Case, CaseError> {
    let (number, from) = (case.number, case.state());
    check_actor(&by.actor)?;
    check_time(case, by.at)?;
    if let Some(CaseProposal { state, actor, .. }) = &case.proposal {
        return Err(CaseError::Waiting { number, state: *state, actor: actor.clone() });
    }
    check_signal(case, ask)?;
    // Confirmed before, and its signal did not come about: only the signal is asked for.
    let only_signal = ask.signal.is_some() && from == CaseState::Confirmed;
    let following = following(from);
    if !following.contains(&ask.to) && !only_signal {
        let allowed = match following {
            [] => vec!["nothing else"],
            states => states.iter().map(|s| s.name()).collect(),
        };
        return Err(CaseError::Transition { number, from, to: ask.to, allowed });
    }
    if ask.to == CaseState::Cleared {
        check_rationale(number, &by.note)?;
    }
    if !ask.grounds.trim().is_empty() {
        by.note = format!("{} [grounds beyond screening: {}]", by.note, ask.grounds.trim()).trim().to_owned();
    }
    check_note(&by.note)?;
    let mut next = case.clone();
    if rules.four_eyes(case, ask.to, ask.signal.is_some()) {
        next.proposal =
            Some(CaseProposal { state: ask.to, signal: ask.signal, actor: by.actor.clone(), at: by.at });
        push(&mut next, CaseAct::Propose, from, by);
    } else {
        let act = if ask.to == CaseState::Assigned { CaseAct::Assign } else { CaseAct::Decide };
        reach(rules, &mut next, ask.to, act, by, draw);
    }
    fits(next)
}

fn check_signal(case: &Case, ask: &Ask) -> Result<(), CaseError> {
    if ask.signal.is_none() {
        return Ok(());
    }
    if ask.to != CaseState::Confirmed {
        return Err(CaseError::NotConfirmed);
    }
    if !case.conduct && ask.grounds.trim().is_empty() {
        return Err(CaseError::NothingToTell(case.number));
    }
    Ok(())
}

/// A second officer approves or declines what was proposed; returns what was.
pub fn answer(
    rules: &CaseRules,
    case: &Case,
    approve: bool,
    by: By,
    draw: &[u8; 32],
) -> Result<(Case, CaseProposal), CaseError> {
    let number = case.number;
    check_actor(&by.actor)?;
    check_time(case, by.at)?;
    check_note(&by.note)?;
    let proposal = case.proposal.clone().ok_or(CaseError::NoProposal(number))?;
    check_other(number, &by.actor, &proposal.actor)?;
    let mut next = Case { proposal: None, ..case.clone() };
    if approve {
        reach(rules, &mut next, proposal.state, CaseAct::Approve, by, draw);
    } else {
        check_rationale(number, &by.note)?;
        push(&mut next, CaseAct::Decline, case.state(), by);
    }
    Ok((fits(next)?, proposal))
}

/// Somebody who did not clear a case says whether it was cleared rightly; if not, it is open anew.
pub fn review(case: &Case, passed: bool, by: By) -> Result<Case, CaseError> {
    let number = case.number;
    check_actor(&by.actor)?;
    check_time(case, by.at)?;
    check_note(&by.note)?;
    if !case.waits_for_review() {
        return Err(CaseError::NoReview(number));
    }
    cleared_by(case).into_iter().try_for_each(|actor| check_other(number, &by.actor, actor))?;
    let mut next = case.clone();
    if passed {
        next.review = Some(CaseReview::Passed);
        push(&mut next, CaseAct::Pass, CaseState::Cleared, by);
    } else {
        check_rationale(number, &by.note)?;
        next.review = Some(CaseReview::Failed);
        reopen(&mut next);
        push(&mut next, CaseAct::Fail, CaseState::Assigned, by);
    }
    fits(next)
}

/// How often a case was cleared: what is drawn for review is drawn anew each time.
pub fn clearings(case: &Case) -> u64 {
    case.steps.iter().filter(|step| clears(step)).count() as u64
}

fn clears(step: &CaseStep) -> bool {
    step.state == CaseState::Cleared && matches!(step.act, CaseAct::Decide | CaseAct::Approve)
}

/// Whoever had a part in clearing a case since it was last looked at: who decided, and who had proposed it.
fn cleared_by(case: &Case) -> Vec<&Actor> {
    let looked_at = |step: &CaseStep| matches!(step.act, CaseAct::Pass | CaseAct::Fail);
    let from = case.steps.iter().rposition(looked_at).map_or(0, |at| at + 1);
    let (mut proposed, mut parts) = (None, Vec::new());
    for step in &case.steps[from..] {
        if step.act == CaseAct::Propose {
            proposed = Some(&step.actor);
        } else if clears(step) {
            parts.push(&step.actor);
            parts.extend(proposed.filter(|_| step.act == CaseAct::Approve));
        }
    }
    parts
}

/// Marks the deadlines that are over as seen; none if there is none that was not.
pub fn mark_overdue(case: &Case, now: Timestamp) -> Option<Case> {
    let mut next = case.clone();
    for deadline in &mut next.deadlines {
        if deadline.met.is_none() && deadline.overdue.is_none() && deadline.due <= now {
            deadline.overdue = Some(now);
        }
    }
    (next != *case).then_some(next)
}

/// What a new state brings with it.
fn reach(rules: &CaseRules, case: &mut Case, to: CaseState, act: CaseAct, by: By, draw: &[u8; 32]) {
    let (from, at) = (case.state(), by.at);
    match to {
        CaseState::Assigned if from == CaseState::Cleared => {
            // What was drawn is looked at once the case is cleared again: taking it up does not shake that off.
            case.review = case.review.filter(|review| *review == CaseReview::Waiting);
            reopen(case);
        }
        CaseState::Confirmed if from != CaseState::Confirmed => {
            meet(case, Some(Duty::Decide), at);
            let new = rules.deadlines().of_confirmation(case, at);
            new.into_iter().for_each(|deadline| deadlines::add(&mut case.deadlines, deadline));
        }
        CaseState::Cleared => {
            meet(case, None, at);
            let waits = case.review == Some(CaseReview::Waiting) || rules.draws(draw);
            case.review = waits.then_some(CaseReview::Waiting);
        }
        CaseState::Reported => {
            meet(case, None, at);
            // Nothing is left of the clearing that was drawn.
            case.review = case.review.filter(|review| *review != CaseReview::Waiting);
        }
        CaseState::Open | CaseState::Assigned | CaseState::Confirmed => {}
    }
    push(case, act, to, by);
}

/// Closes the deadlines of one duty, or all.
fn meet(case: &mut Case, duty: Option<Duty>, at: Timestamp) {
    let open = case.deadlines.iter_mut().filter(|deadline| deadline.met.is_none());
    let meant = open.filter(|deadline| duty.is_none_or(|duty| duty == deadline.duty));
    meant.for_each(|deadline| deadline.met = Some(at));
}

/// What was not reported because the case was cleared is due again, since when it was.
fn reopen(case: &mut Case) {
    let reports = case.deadlines.iter_mut().filter(|deadline| deadline.duty == Duty::Report);
    reports.for_each(|deadline| deadline.met = None);
}

fn push(case: &mut Case, act: CaseAct, state: CaseState, by: By) {
    let By { actor, at, note } = by;
    case.steps.push(CaseStep { act, state, actor, at, note });
}

fn check_note(note: &str) -> Result<(), CaseError> {
    let length = note.chars().count();
    if length > MAX_NOTE { Err(CaseError::NoteTooLong(length)) } else { Ok(()) }
}

fn check_rationale(number: u64, note: &str) -> Result<(), CaseError> {
    if note.trim().is_empty() { Err(CaseError::NoRationale(number)) } else { Ok(()) }
}

/// Refuses a person under a policy's name.
pub fn check_actor(actor: &Actor) -> Result<(), CaseError> {
    let reserved = actor.as_str().to_ascii_lowercase().starts_with(POLICY_ACTORS);
    if reserved { Err(CaseError::Reserved(actor.clone())) } else { Ok(()) }
}

/// Names are lower-case by their type; compared as if they were not, so that a later one keeps its eyes apart too.
fn check_other(number: u64, actor: &Actor, first: &Actor) -> Result<(), CaseError> {
    let same = actor.as_str().eq_ignore_ascii_case(first.as_str());
    if same { Err(CaseError::SameActor { number, actor: actor.clone() }) } else { Ok(()) }
}

fn check_time(case: &Case, at: Timestamp) -> Result<(), CaseError> {
    let number = case.number;
    match case.steps.last().map(|step| step.at).filter(|last| *last > at) {
        Some(last) => Err(CaseError::Backwards { number, at, last }),
        None => Ok(()),
    }
}
