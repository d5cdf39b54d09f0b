//! What officers do with cases, and what follows: alerts close when a case is cleared and open again when it is, a signal
//! may leave when one is confirmed, deadlines that are over are said.

use std::collections::BTreeSet;
use std::sync::Arc;

use hansa_consensus::command::MAX_FOLLOW_UPS;
use hansa_consensus::{Command, Outcome};
use hansa_screening::case::{self, Ask, By, Grounds};
use hansa_types::case::{Alert, AlertState, Case, CaseState, Suspect};
use hansa_types::codec::Encode;
use hansa_types::decision::Decision;
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::payment::PaymentKey;
use hansa_types::record::{CaseReadRecord, DecisionRecord, Record};
use hansa_types::signal::Category;

use super::{inbound, outbound};
use crate::book::{Book, OwnSignal};
use crate::events::Event;
use crate::journal::JournalError;
use crate::node::{Node, policy_actor};
use crate::terms::Term;

/// In how many seconds a case's reader is recorded once.
const READ_PERIOD: u64 = 3_600;
/// How often a decision that adds nothing to its case is proposed without waiting for its turn.
const UNCHANGED_TRIES: u32 = 4;
/// The most bytes of cases that are marked in one command: written twice each, well below what a command holds.
const MAX_MARKED_BYTES: usize = hansa_consensus::command::MAX_COMMAND / 4;
/// The domain of what decides on reviews.
const REVIEW: &[u8] = b"case-review";
/// The domain of what makes a record of a reading the only one.
const READ: &[u8] = b"case-read";

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

/// A case that what came in opened or joined.
pub(crate) struct Taken {
    pub(crate) case: Case,
    pub(crate) opened: bool,
}

/// Logs a decision, with the case that it opens or joins in the same command.
pub(crate) async fn log_decision(node: &Node, record: &DecisionRecord) -> Result<Outcome, JournalError> {
    let DecisionRecord { decision, payment, .. } = record;
    let sealed = || {
        let mut leaf = node.journal.leaf(&Record::Decision(record.clone()))?;
        leaf.unique = node.journal.unique(&decision.key, &payment.content_hash());
        Ok::<_, JournalError>(leaf)
    };
    let alone = || Ok::<_, JournalError>(Command::Append { leaf: sealed()?, follow_up: vec![] });
    // Nearly every decision changes nothing but the log, and waits for nobody.
    if !node.cases.opens(decision) {
        return node.journal.propose(alone()?).await;
    }
    // Nor does one that adds nothing to its case, unless cases change meanwhile: the case may be the one decided on.
    for _ in 0..UNCHANGED_TRIES {
        let seen = {
            let book = node.book();
            of_decision(node, &book, record).is_none().then_some(book.size)
        };
        let Some(seen) = seen else { break };
        match node.journal.propose_after(seen, alone()?).await? {
            Outcome::Stale { size } if node.caught_up(size).await => {}
            Outcome::Stale { .. } => return Err(JournalError::Behind),
            outcome => return Ok(outcome),
        }
    }
    let logged = node.change(|book| {
        let taken = of_decision(node, book, record);
        let follow_up =
            taken.iter().map(|taken| node.journal.case_leaf(&taken.case)).collect::<Result<_, _>>()?;
        Ok::<_, JournalError>((Command::Append { leaf: sealed()?, follow_up }, taken))
    });
    let (outcome, taken) = logged.await?;
    if let (Outcome::Appended { .. }, Some(Taken { case, opened })) = (&outcome, taken) {
        node.events.emit(&Event::CaseTaken { case: case.number, opened });
    }
    Ok(outcome)
}

/// The case that a decision opens or joins; none where the policy wants none, or where it adds nothing to the case.
fn of_decision(node: &Node, book: &Book, record: &DecisionRecord) -> Option<Taken> {
    let DecisionRecord { decision, payment, .. } = record;
    if !node.cases.opens(decision) {
        return None;
    }
    // A signal is about one subject, on either side of the payment.
    let signalled = |signal: &Digest| book.open_alerts(*signal).map(|alert| alert.subject.clone()).next();
    let grounds = Grounds::of_decision(&node.cases, &node.screening.current(), decision, payment, signalled);
    let reasons: Vec<_> = decision.reasons.iter().map(|reason| reason.name()).collect();
    let note = format!("{}: {}", decision.verdict, reasons.join(", "));
    take_in(book, book.cases.next_number(), grounds, "screening", decision.decided_at, &note)
}

/// Opens case `number` on grounds, or has them join the case about their subject; none if they add nothing to it.
pub(crate) fn take_in(
    book: &Book,
    number: u64,
    grounds: Grounds,
    policy: &str,
    now: Timestamp,
    note: &str,
) -> Option<Taken> {
    match book.cases.undecided(grounds.subject.as_ref()) {
        Some(open) => case::join(open, grounds).map(|case| Taken { case, opened: false }),
        None => {
            let case = case::open(number, grounds, policy_actor(policy), now, note);
            Some(Taken { case, opened: true })
        }
    }
}

/// An officer opens a case on a payment in the log, or adds the payment to the case about its subject.
pub(crate) async fn open(
    node: &Node,
    key: PaymentKey,
    suspect: Suspect,
    actor: Actor,
    note: String,
) -> Result<Case, CaseError> {
    let record = decision(node, &key)?.ok_or_else(|| CaseError::NoPayment(key.clone()))?;
    let DecisionRecord { decision, payment, .. } = &record;
    let grounds = Grounds::of_side(&node.cases, &node.screening.current(), decision, payment, suspect);
    let grounds = grounds.ok_or_else(|| CaseError::NoAccount(key, suspect))?;
    let now = node.now();
    let opened = node.change(|book| {
        let (actor, grounds) = (actor.clone(), grounds.clone());
        let case = match book.cases.undecided(grounds.subject.as_ref()) {
            Some(open) => case::add(open, grounds, actor, now, &note)?,
            None => case::open_by_hand(book.cases.next_number(), grounds, actor, now, &note)?,
        };
        Ok::<_, CaseError>((saving(node, book, &case, None, now)?, case))
    });
    Ok(opened.await?.1)
}

/// Takes a case one step further, or proposes the step to a second officer.
pub(crate) async fn advance(
    node: &Arc<Node>,
    number: u64,
    asked: Ask,
    actor: Actor,
    note: String,
) -> Result<Stepped, CaseError> {
    let category = asked.signal;
    let stepped = change(node, number, actor, note, |case, by| {
        case::ask(&node.cases, case, &asked, by, &draw(node, case))
    });
    let case = stepped.await?;
    match category.filter(|_| case.proposal.is_none()) {
        Some(category) => Ok(signal(node, case, category).await?),
        None => Ok(Stepped { note: waits(&case), case, signal: None }),
    }
}

fn waits(case: &Case) -> Option<String> {
    let proposal = case.proposal.as_ref()?;
    Some(format!(
        "{} waits for another officer: `hansa cases approve {number}` or `decline {number}`",
        proposal.state,
        number = case.number
    ))
}

/// A second officer approves or declines what was proposed.
pub(crate) async fn answer(
    node: &Arc<Node>,
    number: u64,
    approve: bool,
    actor: Actor,
    note: String,
) -> Result<Stepped, CaseError> {
    let mut category = None;
    let answered = change(node, number, actor, note, |case, by| {
        let (case, proposal) = case::answer(&node.cases, case, approve, by, &draw(node, case))?;
        category = proposal.signal.filter(|_| approve);
        Ok(case)
    });
    let case = answered.await?;
    match category {
        Some(category) => Ok(signal(node, case, category).await?),
        None => Ok(Stepped { case, signal: None, note: None }),
    }
}

/// Somebody else looks at a case that was cleared.
pub(crate) async fn review(
    node: &Node,
    number: u64,
    passed: bool,
    actor: Actor,
    note: String,
) -> Result<Case, CaseError> {
    change(node, number, actor, note, |case, by| case::review(case, passed, by)).await
}

/// Decides on a case as it stands, and logs what it becomes.
async fn change(
    node: &Node,
    number: u64,
    actor: Actor,
    note: String,
    mut decide: impl FnMut(&Case, By) -> Result<Case, case::CaseError>,
) -> Result<Case, CaseError> {
    let now = node.now();
    let changed = node.change(|book| {
        let before = book.cases.get(number).ok_or(CaseError::NoCase(number))?;
        let case = decide(before, By { actor: actor.clone(), at: now, note: note.clone() })?;
        let alerts = become_of_alerts(before, &case);
        let command = saving(node, book, &case, alerts, now)?;
        Ok::<_, CaseError>((command, (case, alerts)))
    });
    let (_, (case, alerts)) = changed.await?;
    if let Some(state) = alerts
        && let Err(error) = take_along(node, number, state, now).await
    {
        // The step stands; whoever leads next takes the others along.
        tracing::warn!(case = number, %error, "not all alerts of this case changed with it");
    }
    Ok(case)
}

/// What decides whether a case that is cleared now is looked at again: the same on every replica, and known to nobody
/// else. Drawn anew each time it is cleared, so that what came of it once tells nothing of the next time.
fn draw(node: &Node, case: &Case) -> [u8; 32] {
    let (number, times) = (case.number.to_be_bytes(), case::clearings(case).to_be_bytes());
    node.journal.unique_of(REVIEW, &[&number, &times]).key
}

/// What becomes of the alerts behind a case that changes: they close when it is cleared, and are open again when it is.
fn become_of_alerts(before: &Case, after: &Case) -> Option<AlertState> {
    match (before.state(), after.state()) {
        (_, CaseState::Cleared) => Some(AlertState::Cleared),
        (CaseState::Cleared, _) => Some(AlertState::Open),
        _ => None,
    }
}

/// The alerts behind a case that are not in `state` yet, as they are then. Of those that were cleared, only what still
/// counts is open again.
fn alerts_in(
    node: &Node,
    book: &Book,
    case: &Case,
    state: AlertState,
    at: Timestamp,
) -> impl Iterator<Item = Alert> {
    let epoch = node.manifest().epochs.at(at);
    let opens = state == AlertState::Open;
    let from = if opens { AlertState::Cleared } else { AlertState::Open };
    let counts = move |alert: &Alert| epoch.is_some_and(|epoch| book.received_counts(alert.signal, epoch));
    let behind = |alert: &&Alert| {
        alert.case == Some(case.number)
            || case.signals.contains(&alert.signal) && case.subject.as_ref() == Some(&alert.subject)
    };
    let others = book.alerts.values().filter(move |alert| alert.state == from);
    let changing = others.filter(behind).filter(move |alert| !opens || counts(alert));
    changing.map(move |alert| Alert { state, at, ..alert.clone() })
}

/// What logs a case as it now stands, and its alerts in the same command, as many as that holds: [`take_along`] takes the
/// others.
fn saving(
    node: &Node,
    book: &Book,
    case: &Case,
    alerts: Option<AlertState>,
    now: Timestamp,
) -> Result<Command, JournalError> {
    let changing = alerts.into_iter().flat_map(|state| alerts_in(node, book, case, state, now));
    let leaves = changing.take(MAX_FOLLOW_UPS).map(|alert| node.journal.alert_leaf(&alert));
    Ok(Command::Append { leaf: node.journal.case_leaf(case)?, follow_up: leaves.collect::<Result<_, _>>()? })
}

/// Takes the alerts along that the command of their case had no room for, as long as the case stands as it did.
async fn take_along(node: &Node, number: u64, state: AlertState, now: Timestamp) -> Result<(), JournalError> {
    loop {
        let taken = node.change(|book| {
            let stands =
                |case: &&Case| (case.state() == CaseState::Cleared) == (state == AlertState::Cleared);
            let case = book.cases.get(number).filter(stands).ok_or(inbound::Idle::NothingToDo)?;
            Ok((inbound::alerts_command(node, alerts_in(node, book, case, state, now))?, ()))
        });
        if inbound::unless_idle(taken.await)?.is_none() {
            return Ok(());
        }
    }
}

/// Closes the alerts that a crash kept open though their case was cleared.
pub(crate) async fn settle(node: &Node) -> Result<(), JournalError> {
    let cleared: BTreeSet<u64> = {
        let book = node.book();
        let open = book.alerts.values().filter(|alert| alert.state == AlertState::Open);
        let case = |number: &u64| book.cases.get(*number).map(Case::state);
        open.filter_map(|alert| alert.case.filter(|number| case(number) == Some(CaseState::Cleared)))
            .collect()
    };
    for number in cleared {
        take_along(node, number, AlertState::Cleared, node.now()).await?;
    }
    Ok(())
}

/// Signals a confirmed case. The confirmation stands whatever becomes of the signal; the officer is told.
async fn signal(node: &Arc<Node>, case: Case, category: Category) -> Result<Stepped, JournalError> {
    let decisions: Vec<Decision> =
        decisions(node, &case)?.into_iter().flatten().map(|record| record.decision).collect();
    match outbound::intend(node, &case, &decisions, category).await {
        Ok(own) => Ok(Stepped { case, signal: Some(own), note: None }),
        Err(refused) => Ok(Stepped { case, signal: None, note: Some(refused.to_string()) }),
    }
}

/// The decisions that a case names, in its order; none for one that was erased.
pub(crate) fn decisions(node: &Node, case: &Case) -> Result<Vec<Option<DecisionRecord>>, JournalError> {
    case.decisions.iter().map(|named| decision(node, &named.key)).collect()
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

/// A case for whoever reads it, once it is recorded who does.
pub(crate) async fn read(node: &Node, number: u64, actor: Actor) -> Result<Case, CaseError> {
    let case = node.book().cases.get(number).cloned().ok_or(CaseError::NoCase(number))?;
    case::check_actor(&actor)?;
    let at = node.now();
    let hour = (at.0 / READ_PERIOD).to_be_bytes();
    let once = node.journal.unique_of(READ, &[&number.to_be_bytes(), &hour, actor.as_str().as_bytes()]);
    if node.journal.consensus().find_unique(&once.key).map_err(JournalError::from)?.is_none() {
        let record = CaseReadRecord { case: number, subject: case.subject.clone(), actor, at };
        let mut leaf = node.journal.leaf(&Record::CaseRead(record))?;
        leaf.unique = once;
        node.journal.propose(Command::Append { leaf, follow_up: vec![] }).await?;
    }
    Ok(case)
}

/// Marks the deadlines that are over, many cases in one command, and says of each case once that one is. A case that
/// cannot be logged keeps no other from it.
pub(crate) async fn watch_deadlines(node: &Node) -> Result<(), JournalError> {
    let now = node.now();
    let (mut failed, mut most) = (BTreeSet::new(), 1 + MAX_FOLLOW_UPS);
    loop {
        let mut tried = Vec::new();
        let marked = node.change(|book| {
            tried = over(book, now, most, &failed);
            let leaves =
                tried.iter().map(|case| node.journal.case_leaf(case)).collect::<Result<Vec<_>, _>>()?;
            let mut leaves = leaves.into_iter();
            let leaf = leaves.next().ok_or(inbound::Idle::NothingToDo)?;
            Ok((Command::Append { leaf, follow_up: leaves.collect() }, ()))
        });
        match inbound::unless_idle(marked.await) {
            Ok(Some(_)) => tried.iter().for_each(|case| say_over(node, case, now)),
            Ok(None) => return Ok(()),
            Err(error @ (JournalError::Propose(_) | JournalError::Behind | JournalError::Contended)) => {
                return Err(error);
            }
            // One of them: which, is seen when each goes alone.
            Err(_) if tried.len() > 1 => most = 1,
            Err(error) => {
                let cases: Vec<u64> = tried.iter().map(|case| case.number).collect();
                tracing::error!(?cases, %error, "a deadline is over and was not marked; it is tried again");
                if cases.is_empty() {
                    return Err(error);
                }
                failed.extend(cases);
            }
        }
    }
}

/// The first cases of which a deadline is over, marked: up to `most`, and as many as a command holds.
fn over(book: &Book, now: Timestamp, most: usize, but: &BTreeSet<u64>) -> Vec<Case> {
    let ended = book.cases.ended(now);
    let cases = ended.difference(but).filter_map(|number| book.cases.get(*number));
    let mut bytes = 0;
    let marked = cases.filter_map(|case| case::mark_overdue(case, now)).take(most);
    let fitting = marked.take_while(|case| {
        let first = bytes == 0;
        bytes += case.to_bytes().len();
        first || bytes <= MAX_MARKED_BYTES
    });
    fitting.collect()
}

fn say_over(node: &Node, case: &Case, now: Timestamp) {
    for deadline in case.open_deadlines().filter(|deadline| deadline.overdue == Some(now)) {
        tracing::warn!(case = case.number, rule = deadline.rule, "a deadline is over");
        let (rule, duty, due) = (deadline.rule.clone(), deadline.duty, deadline.due);
        node.events.emit(&Event::DeadlineOver { case: case.number, rule, duty, due });
    }
}
