//! Inbound: gossip -> structural check -> on time? -> seen? -> batched proof check -> consensus -> alert -> case.
//!
//! What arrives together is verified together. A true signal travels on once it is in the log; consensus has the last
//! word on what is new.

use std::sync::Arc;

use hansa_consensus::command::MAX_FOLLOW_UPS;
use hansa_consensus::{Command, Leaf, Outcome};
use hansa_p2p::{Event as NetworkEvent, MessageId, PeerId, Verdict};
use hansa_screening::case::Grounds;
use hansa_types::case::{Alert, AlertState};
use hansa_types::codec::Decode;
use hansa_types::governance::SYNC_REQUEST;
use hansa_types::hash::Digest;
use hansa_types::id::{Epoch, Timestamp};
use hansa_types::record::{Record, ScopeKey, SignalRecord};
use hansa_types::signal::{Gossip, Signal};
use hansa_types::subject::Subject;
use hansa_types::verify::{Verified, VerifyError};
use tokio::sync::mpsc;

use super::cases::{self, Taken};
use super::governance;
use super::retraction;
use super::tags::Match;
use super::witness;
use crate::book::{Book, ReceivedSignal};
use crate::events::Event;
use crate::journal::JournalError;
use crate::node::Node;

/// How many messages are verified in one batch.
const BATCH: usize = 256;

/// Takes network events until the network ends.
pub(crate) async fn run(node: Arc<Node>, mut events: mpsc::Receiver<NetworkEvent>) {
    let mut batch = Vec::new();
    while events.recv_many(&mut batch, BATCH).await > 0 {
        let mut signals = Vec::new();
        for event in batch.drain(..) {
            match event {
                NetworkEvent::Message { id, from, bytes } => match Gossip::from_bytes(&bytes) {
                    Ok(Gossip::Signal(signal)) => signals.push(((id, from), signal)),
                    Ok(Gossip::Retraction(retraction)) => {
                        // It may be of a signal that came just before it.
                        receive(&node, std::mem::take(&mut signals)).await;
                        let verdict = retraction::receive(&node, retraction).await;
                        report(&node, id, verdict).await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a member sent gossip that does not decode");
                        report(&node, id, Verdict::Reject).await;
                    }
                },
                // Beside the gossip, which it must not hold up; the network bounds how many there are.
                NetworkEvent::Request { id, from, bytes } => match bytes.first() {
                    Some(&SYNC_REQUEST) => {
                        drop(tokio::spawn(governance::answer(node.clone(), id, from, bytes)));
                    }
                    _ => drop(tokio::spawn(witness::answer(node.clone(), id, from, bytes))),
                },
                status => node.network_changed(status),
            }
        }
        receive(&node, signals).await;
    }
}

async fn report(node: &Node, message: MessageId, verdict: Verdict) {
    node.metrics.gossip(verdict);
    if node.network.report(message, verdict).await.is_err() {
        tracing::debug!("the network stopped before a verdict was given");
    }
}

/// Verifies the signals as one batch, then takes in each that is true.
async fn receive(node: &Arc<Node>, arrived: Vec<((MessageId, PeerId), Signal)>) {
    let mut fresh = Vec::new();
    for ((id, from), signal) in arrived {
        // Whether the nullifier was seen is asked before the pairing, and again by consensus. A gateway that this bank
        // does not hold gives no lawful reason to look.
        let held = node.gateway == Some(signal.body.gateway)
            && node.manifest().usable_gateway(signal.body.gateway, &node.bank, node.now()).is_some();
        if !held || is_known(node, &signal) {
            report(node, id, Verdict::Ignore).await;
        } else {
            fresh.push(((id, from), signal));
        }
    }
    if fresh.is_empty() {
        return;
    }
    let (ids, signals): (Vec<_>, Vec<_>) = fresh.into_iter().unzip();
    let count = signals.len() as u32;
    let (verifier, now) = (node.governed.verifier(), node.now());
    let begun = std::time::Instant::now();
    let checked = tokio::task::spawn_blocking(move || Verified::check_all(signals, &verifier.at(now))).await;
    let took = begun.elapsed() / count;
    let Ok(checked) = checked else {
        tracing::error!(
            "verification stopped half-way; its signals are neither accepted nor blamed on anybody"
        );
        for (id, _) in ids {
            report(node, id, Verdict::Ignore).await;
        }
        return;
    };
    for ((message, from), result) in ids.into_iter().zip(checked) {
        let verdict = match result {
            Ok(signal) => {
                node.metrics.stage("verify", took);
                logged(node, signal, took).await
            }
            Err((signal, VerifyError::Ignore(why))) => {
                tracing::info!(signal = %signal.id(), why, "signal ignored");
                Verdict::Ignore
            }
            Err((signal, VerifyError::Reject(why))) => {
                // Under rules that only one of both has heard of it may be right.
                let blamed = node.bank_of(&from).is_none_or(|bank| node.governed.blames(&bank, node.now()));
                tracing::warn!(signal = %signal.id(), why, blamed, "signal rejected");
                if blamed { Verdict::Reject } else { Verdict::Ignore }
            }
        };
        report(node, message, verdict).await;
    }
}

/// A signal travels on once it is in the log; one that cannot be logged leaves no trace, and another copy is judged anew.
async fn logged(node: &Arc<Node>, signal: Verified<Signal>, took: std::time::Duration) -> Verdict {
    match accept(node, signal, took).await {
        Ok(()) => Verdict::Accept,
        Err(error) => {
            tracing::error!(%error, "a verified signal could not be logged");
            node.metrics.lost("signal");
            Verdict::Ignore
        }
    }
}

fn is_known(node: &Node, signal: &Signal) -> bool {
    let scope = ScopeKey { gateway: signal.body.gateway, epoch: signal.body.epoch };
    let known = node.journal.consensus().signal(&scope, &signal.nullifier);
    known.ok().flatten().is_some_and(|known| known.signal.body == signal.body)
}

/// Logs a verified signal with the alerts and cases that it raises, in one command.
async fn accept(
    node: &Arc<Node>,
    signal: Verified<Signal>,
    took: std::time::Duration,
) -> Result<(), JournalError> {
    let signal = signal.into_inner();
    let now = node.now();
    let matches = matching(node, &signal, now).await?;
    let received = node.change(|book| {
        let (raised, follow_up) = raise(node, book, &signal, &matches, now)?;
        let record = Record::SignalReceived(SignalRecord { signal: signal.clone(), at: now });
        let leaf = node.journal.leaf(&record)?;
        let command = Command::Received { leaf, signal: signal.clone(), at: now, follow_up };
        Ok::<_, JournalError>((command, raised))
    });
    let (outcome, raised) = received.await?;
    let id = signal.id();
    match outcome {
        Outcome::Accepted { .. } => {
            let (epoch, matched) = (signal.body.epoch, raised.len());
            let verify_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            node.events.emit(&Event::SignalReceived { signal: id, epoch, matched, verify_us });
            tell(node, &raised);
        }
        Outcome::DoubleSignal { .. } => void(node, &signal, now).await?,
        outcome => tracing::info!(signal = %id, ?outcome, "signal not taken in"),
    }
    Ok(())
}

/// The known subjects that a signal is about. The first signal of a scope has every subject's tag computed.
async fn matching(node: &Arc<Node>, signal: &Signal, now: Timestamp) -> Result<Vec<Match>, JournalError> {
    let (known, body) = (node.clone(), signal.body.clone());
    let matches = tokio::task::spawn_blocking(move || known.tags.matching(&body, now)).await;
    matches.map_err(|error| JournalError::Tags(error.to_string()))
}

/// The alerts that `matches` raise, and the leaves that log them and the cases they open.
fn raise(
    node: &Node,
    book: &Book,
    signal: &Signal,
    matches: &[Match],
    now: Timestamp,
) -> Result<(Vec<Alert>, Vec<Leaf>), JournalError> {
    let id = signal.id();
    let mut number = book.cases.next_number();
    let mut raised = Vec::new();
    let mut leaves = Vec::new();
    for Match { subject, held } in matches {
        // A case for an account this bank is responsible for; a counterparty's alert only raises payments.
        let taken = held.then(|| taken_by(book, number, id, subject, now)).flatten();
        number += u64::from(taken.as_ref().is_some_and(|taken| taken.opened));
        // One that names as many signals as it may is the alert's all the same.
        let joined = || book.cases.undecided(Some(subject)).filter(|_| *held).map(|case| case.number);
        let alert = Alert {
            signal: id,
            subject: subject.clone(),
            held_here: *held,
            severity: signal.body.severity,
            category: signal.body.category,
            expires: signal.body.expires,
            state: AlertState::Open,
            case: taken.as_ref().map(|taken| taken.case.number).or_else(joined),
            at: now,
        };
        leaves.push(node.journal.alert_leaf(&alert)?);
        if let Some(taken) = &taken {
            leaves.push(node.journal.case_leaf(&taken.case)?);
        }
        raised.push(alert);
    }
    Ok((raised, leaves))
}

fn taken_by(book: &Book, number: u64, signal: Digest, subject: &Subject, at: Timestamp) -> Option<Taken> {
    let note = format!("signal {signal} matched an account held here");
    cases::take_in(book, number, Grounds::of_signal(signal, subject.clone()), "signal-match", at, &note)
}

fn tell(node: &Node, raised: &[Alert]) {
    for Alert { signal, held_here, case, .. } in raised {
        node.events.emit(&Event::AlertRaised { signal: *signal, held: *held_here, case: *case });
    }
}

/// Raises alerts for subjects that became known after their signals arrived.
pub(crate) async fn rematch(node: &Arc<Node>) -> Result<(), JournalError> {
    let now = node.now();
    let Some(epoch) = node.manifest().epochs.at(now) else { return Ok(()) };
    let live: Vec<(Digest, Signal)> = {
        let book = node.book();
        let live = book.received.iter().filter(|(_, received)| received.counts(epoch));
        live.map(|(id, received)| (*id, received.signal.clone())).collect()
    };
    for (id, signal) in live {
        let mut matches = matching(node, &signal, now).await?;
        matches.retain(|found| !node.book().has_alert(id, &found.subject));
        if matches.is_empty() {
            continue;
        }
        let matched = node.change(|book| {
            let new = |found: &&Match| book.received_counts(id, epoch) && !book.has_alert(id, &found.subject);
            let matches: Vec<Match> = matches.iter().filter(new).cloned().collect();
            let (raised, leaves) = raise(node, book, &signal, &matches, now)?;
            let mut leaves = leaves.into_iter();
            let leaf = leaves.next().ok_or(Idle::NothingToDo)?;
            Ok::<_, Idle>((Command::Append { leaf, follow_up: leaves.collect() }, raised))
        });
        if let Some((_, raised)) = unless_idle(matched.await)? {
            tell(node, &raised);
        }
    }
    Ok(())
}

/// Why a change is not proposed: the log, or somebody else did it.
pub(super) enum Idle {
    Journal(JournalError),
    NothingToDo,
}

impl From<JournalError> for Idle {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

pub(super) fn unless_idle<T>(result: Result<T, Idle>) -> Result<Option<T>, JournalError> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(Idle::NothingToDo) => Ok(None),
        Err(Idle::Journal(error)) => Err(error),
    }
}

/// Two signals came under one nullifier: none of them counts, here and everywhere.
async fn void(node: &Node, signal: &Signal, now: Timestamp) -> Result<(), JournalError> {
    tracing::warn!(nullifier = %signal.nullifier, "double signal: both are void and kept as evidence");
    let ids: Vec<Digest> = {
        let book = node.book();
        let same = book.received.iter().filter(|(_, other)| {
            let (a, b) = (&other.signal, signal);
            a.nullifier == b.nullifier && a.body.gateway == b.body.gateway && a.body.epoch == b.body.epoch
        });
        same.map(|(id, _)| *id).collect()
    };
    for id in ids {
        close_alerts(node, id, AlertState::Void, now).await?;
    }
    Ok(())
}

/// Closes the open alerts of a signal, as many at once as a command holds.
async fn close_alerts(
    node: &Node,
    signal: Digest,
    state: AlertState,
    now: Timestamp,
) -> Result<(), JournalError> {
    loop {
        let closed = node.change(|book| Ok((alerts_command(node, closing(book, signal, state, now))?, ())));
        if unless_idle(closed.await)?.is_none() {
            return Ok(());
        }
    }
}

/// What logs alerts as they now stand, as many as one command holds.
pub(super) fn alerts_command(node: &Node, alerts: impl IntoIterator<Item = Alert>) -> Result<Command, Idle> {
    let mut alerts = alerts.into_iter().take(1 + MAX_FOLLOW_UPS);
    let first = alerts.next().ok_or(Idle::NothingToDo)?;
    let follow_up = alerts.map(|alert| node.journal.alert_leaf(&alert)).collect::<Result<_, _>>()?;
    Ok(Command::Append { leaf: node.journal.alert_leaf(&first)?, follow_up })
}

/// Closes what a crash left open: alerts of signals that are void or retracted, and of cases that were cleared.
pub(crate) async fn settle(node: &Node) -> Result<(), JournalError> {
    let dead: Vec<(Digest, AlertState)> = {
        let book = node.book();
        let state = |received: &ReceivedSignal| match received {
            ReceivedSignal { void: true, .. } => Some(AlertState::Void),
            ReceivedSignal { retracted: true, .. } => Some(AlertState::Retracted),
            _ => None,
        };
        book.received.iter().filter_map(|(id, received)| Some((*id, state(received)?))).collect()
    };
    for (signal, state) in dead {
        close_alerts(node, signal, state, node.now()).await?;
    }
    cases::settle(node).await
}

/// Closes the alerts whose epochs are over, and forgets what only past epochs needed.
pub(crate) async fn expire(node: &Node) -> Result<(), JournalError> {
    let Some(epoch) = node.manifest().epochs.at(node.now()) else { return Ok(()) };
    node.tags.forget(Epoch(epoch.0.saturating_sub(node.manifest().signal_lifetime)), node.now());
    let over: Vec<Digest> = {
        let book = node.book();
        let open =
            book.alerts.values().filter(|alert| alert.state == AlertState::Open && alert.expires < epoch);
        open.map(|alert| alert.signal).collect()
    };
    for signal in over {
        close_alerts(node, signal, AlertState::Expired, node.now()).await?;
    }
    Ok(())
}

/// The open alerts of a signal as they are once closed.
pub(crate) fn closing(book: &Book, signal: Digest, state: AlertState, at: Timestamp) -> Vec<Alert> {
    book.open_alerts(signal).map(|alert| Alert { state, at, ..alert.clone() }).collect()
}
