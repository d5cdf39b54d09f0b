//! Cases and alerts: which step may follow which.
//!
//! ```text
//! open -> assigned -> confirmed -> reported
//!   \________\___________\______-> cleared -> assigned (taken up again)
//! ```
//!
//! A step gives a new case; the old one stays as it was. Clearing takes a rationale.

use hansa_types::case::{Alert, AlertState, Case, CaseState, CaseStep, DecisionRef, Suspect};
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::payment::Payment;
use hansa_types::subject::Subject;

/// The most characters of a note.
pub const MAX_NOTE: usize = 4000;

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
    /// A case cleared without saying why.
    #[error("case {0}: say why it is cleared")]
    NoRationale(u64),
    /// A note beyond its bound.
    #[error("a note of {0} characters: at most {MAX_NOTE} are kept")]
    NoteTooLong(usize),
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
}

/// Why an alert does not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// It is closed already.
    #[error("the alert is {0} already")]
    Closed(AlertState),
    /// A closed alert is not opened again; a new signal raises a new one.
    #[error("an alert is opened by a signal, not by a step")]
    Reopening,
}

/// What a case grows from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Grounds {
    /// The payment and its decision.
    pub decision: Option<DecisionRef>,
    /// The signal that matched.
    pub signal: Option<Digest>,
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

fn check_note(note: &str) -> Result<(), CaseError> {
    let length = note.chars().count();
    if length > MAX_NOTE { Err(CaseError::NoteTooLong(length)) } else { Ok(()) }
}

/// Opens a case.
pub fn open(
    number: u64,
    subject: Subject,
    grounds: Grounds,
    actor: Actor,
    at: Timestamp,
    note: &str,
) -> Result<Case, CaseError> {
    check_note(note)?;
    let Grounds { decision, signal } = grounds;
    let first = CaseStep { state: CaseState::Open, actor, at, note: note.to_owned() };
    Ok(Case { number, subject, decision, signal, steps: vec![first] })
}

/// Where a case stands: its last step's state.
pub fn state(case: &Case) -> CaseState {
    case.steps.last().map_or(CaseState::Open, |step| step.state)
}

/// The case after one more step.
pub fn step(case: &Case, to: CaseState, actor: Actor, at: Timestamp, note: &str) -> Result<Case, CaseError> {
    let (number, from) = (case.number, state(case));
    let following = following(from);
    if !following.contains(&to) {
        let allowed = match following {
            [] => vec!["nothing else"],
            states => states.iter().map(|s| s.name()).collect(),
        };
        return Err(CaseError::Transition { number, from, to, allowed });
    }
    check_note(note)?;
    if to == CaseState::Cleared && note.trim().is_empty() {
        return Err(CaseError::NoRationale(number));
    }
    if let Some(last) = case.steps.last().map(|step| step.at).filter(|last| *last > at) {
        return Err(CaseError::Backwards { number, at, last });
    }
    let mut next = case.clone();
    next.steps.push(CaseStep { state: to, actor, at, note: note.to_owned() });
    Ok(next)
}

/// The alert after it stopped counting.
pub fn close(alert: &Alert, state: AlertState, at: Timestamp) -> Result<Alert, AlertError> {
    if state == AlertState::Open {
        return Err(AlertError::Reopening);
    }
    if alert.state != AlertState::Open {
        return Err(AlertError::Closed(alert.state));
    }
    Ok(Alert { state, at, ..alert.clone() })
}

/// The subject of a case about one side of a payment: the account, else the organisation; none if neither is known.
pub fn suspect(payment: &Payment, side: Suspect) -> Option<Subject> {
    let (account, party) = match side {
        Suspect::Debtor => (&payment.debtor_account, &payment.debtor),
        Suspect::Creditor => (&payment.creditor_account, &payment.creditor),
    };
    account.clone().map(Subject::Account).or(party.lei.map(Subject::Organisation))
}

#[cfg(test)]
mod tests {
    use hansa_types::payment::Account;

    use super::*;

    fn actor() -> Actor {
        "officer.a".parse().unwrap()
    }

    fn case() -> Case {
        let subject = Subject::Account(Account::from_iban_text("DE89370400440532013000"));
        open(7, subject, Grounds::default(), actor(), Timestamp(10), "customer called").unwrap()
    }

    fn stepped(case: &Case, to: CaseState, note: &str) -> Result<Case, CaseError> {
        step(case, to, actor(), Timestamp(20), note)
    }

    #[test]
    fn a_case_goes_its_way_and_keeps_every_step() {
        let mut case = case();
        for to in [CaseState::Assigned, CaseState::Confirmed, CaseState::Reported] {
            case = stepped(&case, to, "").unwrap();
            assert_eq!(state(&case), to);
        }
        assert_eq!(case.steps.len(), 4);
    }

    #[test]
    fn every_other_transition_is_refused_with_what_is_possible() {
        let reported = [CaseState::Confirmed, CaseState::Reported];
        let reported = reported.iter().fold(case(), |case, to| stepped(&case, *to, "").unwrap());
        for to in CaseState::ALL {
            assert!(matches!(stepped(&reported, *to, "x"), Err(CaseError::Transition { .. })), "{to}");
        }
        let error = stepped(&case(), CaseState::Reported, "").unwrap_err();
        assert_eq!(
            error.to_string(),
            "case 7 is open: it cannot become reported; it can become assigned, confirmed, cleared"
        );
    }

    #[test]
    fn clearing_takes_a_rationale_and_time_runs_forwards() {
        assert_eq!(stepped(&case(), CaseState::Cleared, " "), Err(CaseError::NoRationale(7)));
        let cleared = stepped(&case(), CaseState::Cleared, "namesake").unwrap();
        assert_eq!(state(&stepped(&cleared, CaseState::Assigned, "").unwrap()), CaseState::Assigned);
        let early = step(&case(), CaseState::Assigned, actor(), Timestamp(9), "");
        assert!(matches!(early, Err(CaseError::Backwards { .. })));
        let long = stepped(&case(), CaseState::Assigned, &"x".repeat(MAX_NOTE + 1));
        assert_eq!(long, Err(CaseError::NoteTooLong(MAX_NOTE + 1)));
    }
}
