//! What an officer does with cases, and what follows: alerts close when a case is cleared, a signal may leave when one
//! is confirmed.

use std::sync::Arc;

use hansa_consensus::Command;
use hansa_screening::case::{self, Grounds};
use hansa_types::case::{AlertState, Case, CaseState, DecisionRef, Suspect};
use hansa_types::decision::Decision;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::payment::PaymentKey;
use hansa_types::record::{DecisionRecord, Record};
use hansa_types::signal::Category;

use super::{inbound, outbound};
use crate::book::{Book, OwnSignal};
use crate::journal::JournalError;
use crate::node::Node;
use crate::terms::Term;

/// Why a case was not opened or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaseError {
    /// No such case.
    #[error("there is no case {0}")]
    NoCase(u64),
    /// No such payment.
    #[error("the log holds no decision on payment {0}")]
    NoPayment(PaymentKey),
    /// The payment has no such account.
    #[error("payment {0} names no usable {1} account")]
    NoAccount(PaymentKey, Suspect),
    /// The step does not follow.
    #[error(transparent)]
    Step(#[from] case::CaseError),
    /// A signal is asked for without a confirmation.
    #[error("a signal goes with a confirmation: only a confirmed case is signalled")]
    NotConfirmed,
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a step led to.
pub(crate) struct Stepped {
    pub(crate) case: Case,
    pub(crate) signal: Option<OwnSignal>,
    pub(crate) note: Option<String>,
}

/// Opens a case by hand on a payment in the log.
pub(crate) async fn open(
    node: &Node,
    key: PaymentKey,
    suspect: Suspect,
    actor: Actor,
    note: String,
) -> Result<Case, CaseError> {
    let record = decision(node, &key)?.ok_or_else(|| CaseError::NoPayment(key.clone()))?;
    let subject = case::suspect(&record.payment, suspect);
    let subject = subject.ok_or_else(|| CaseError::NoAccount(key.clone(), suspect))?;
    let decision = Some(DecisionRef { key, id: record.decision.id() });
    let now = node.now();
    let opened = node.change(|book| {
        let grounds = Grounds { decision: decision.clone(), signal: None };
        let case = case::open(book.next_case(), subject.clone(), grounds, actor.clone(), now, &note)?;
        Ok::<_, CaseError>((saving(node, book, &case, now)?, case))
    });
    Ok(opened.await?.1)
}

/// Takes a case one step further.
pub(crate) async fn advance(
    node: &Arc<Node>,
    number: u64,
    state: CaseState,
    actor: Actor,
    note: String,
    signal: Option<Category>,
) -> Result<Stepped, CaseError> {
    if signal.is_some() && state != CaseState::Confirmed {
        return Err(CaseError::NotConfirmed);
    }
    let case = node.book().cases.get(&number).cloned().ok_or(CaseError::NoCase(number))?;
    // Confirmed before, and the signal did not come about: only the signal is asked for.
    let only_signal = signal.is_some() && case::state(&case) == CaseState::Confirmed;
    let case = if only_signal { case } else { step(node, number, state, &actor, &note).await? };
    let Some(category) = signal else { return Ok(Stepped { case, signal: None, note: None }) };
    let grown_from = grown_from(node, &case)?;
    // The confirmation stands whatever becomes of the signal; the officer is told.
    match outbound::intend(node, &case, grown_from.as_ref(), category).await {
        Ok(own) => Ok(Stepped { case, signal: Some(own), note: None }),
        Err(refused) => Ok(Stepped { case, signal: None, note: Some(refused.to_string()) }),
    }
}

/// Logs one step of a case.
async fn step(
    node: &Node,
    number: u64,
    state: CaseState,
    actor: &Actor,
    note: &str,
) -> Result<Case, CaseError> {
    let now = node.now();
    let stepped = node.change(|book| {
        let case = book.cases.get(&number).ok_or(CaseError::NoCase(number))?;
        let case = case::step(case, state, actor.clone(), now, note)?;
        Ok::<_, CaseError>((saving(node, book, &case, now)?, case))
    });
    Ok(stepped.await?.1)
}

/// What logs a case as it now stands; one that is cleared takes the alerts behind it along, in the same command.
fn saving(node: &Node, book: &Book, case: &Case, now: Timestamp) -> Result<Command, JournalError> {
    let cleared = case.signal.filter(|_| case::state(case) == CaseState::Cleared);
    let closed = cleared.map_or(vec![], |signal| inbound::closing(book, signal, AlertState::Cleared, now));
    let follow_up = closed.iter().map(|alert| node.journal.alert_leaf(alert)).collect::<Result<_, _>>()?;
    Ok(Command::Append { leaf: node.journal.case_leaf(case)?, follow_up })
}

fn grown_from(node: &Node, case: &Case) -> Result<Option<Decision>, JournalError> {
    let Some(reference) = &case.decision else { return Ok(None) };
    Ok(decision(node, &reference.key)?.map(|record| record.decision))
}

/// The decision on a payment.
pub(crate) fn decision(node: &Node, key: &PaymentKey) -> Result<Option<DecisionRecord>, JournalError> {
    for index in node.journal.find(Term::Payment(key))? {
        match node.journal.read(index) {
            Ok(Some((_, Record::Decision(record)))) if record.decision.key == *key => {
                return Ok(Some(record));
            }
            Ok(_) | Err(JournalError::Erased(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
