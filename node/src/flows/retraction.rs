//! A signal taken back: by this bank's officer, or by its sender at another bank.

use std::sync::Arc;

use hansa_consensus::{Command, Outcome};
use hansa_p2p::{PublishError, Verdict};
use hansa_types::case::AlertState;
use hansa_types::codec::Encode;
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::record::{Record, RetractionRecord, ScopeKey};
use hansa_types::signal::{Gossip, Retraction, retraction_lock};

use super::inbound::closing;
use crate::book::{OwnSignal, OwnState};
use crate::events::Event;
use crate::journal::{Collection, JournalError};
use crate::node::Node;

/// Why a signal was not taken back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RetractError {
    /// No signal of this bank.
    #[error("this bank sent no signal {0}")]
    Unknown(Digest),
    /// Not with the network yet.
    #[error("signal {0} is not with the network: only a sent signal is retracted")]
    NotSent(Digest),
    /// Taken back before.
    #[error("signal {0} is retracted already")]
    Already(Digest),
    /// The state does not allow it: its nullifier is void.
    #[error("signal {0} cannot be retracted: {1}")]
    Refused(Digest, String),
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Takes back a signal of this bank: logged first, then published.
pub(crate) async fn send(node: &Arc<Node>, id: Digest, actor: &Actor) -> Result<OwnSignal, RetractError> {
    let now = node.now();
    let retracted = node.change(|book| {
        let own = book.own.get(&id).ok_or(RetractError::Unknown(id))?;
        match own.state {
            OwnState::Pending | OwnState::Expired => return Err(RetractError::NotSent(id)),
            OwnState::Retracted => return Err(RetractError::Already(id)),
            OwnState::Sent => {}
        }
        let retraction = retraction_of(own);
        let own = OwnSignal { state: OwnState::Retracted, at: now, ..own.clone() };
        let mut leaf = node.journal.leaf(&record(id, &retraction, Some(actor.clone()), now))?;
        leaf.documents.push(node.journal.document(Collection::OwnSignals, &id.0, &own));
        Ok((Command::Retract { leaf, retraction: retraction.clone(), follow_up: vec![] }, (own, retraction)))
    });
    let (outcome, (own, retraction)) = retracted.await?;
    match outcome {
        Outcome::Retracted { .. } => tracing::info!(signal = %id, %actor, "signal retracted"),
        Outcome::AlreadyRetracted => return Err(RetractError::Already(id)),
        outcome => return Err(RetractError::Refused(id, format!("{outcome:?}"))),
    }
    node.events.emit(&Event::SignalRetracted { signal: id, closed: 0 });
    // Where another replica leads, that one sends it.
    if node.leads()
        && let Err(error) = publish(node, retraction).await
    {
        tracing::warn!(%error, "the retraction is logged, and sent when a member is there to hear it");
    }
    Ok(own)
}

/// Publishes again what this bank retracted in epochs that still count, and says whether there is any: a member may
/// have been away. What gossip remembers having said, it does not say again.
pub(crate) async fn republish(node: &Node) -> bool {
    let Some(epoch) = node.manifest().epochs.at(node.now()) else { return false };
    let retracted: Vec<_> = {
        let book = node.book();
        let live =
            book.own.values().filter(|own| own.state == OwnState::Retracted && epoch <= own.body.expires);
        live.map(retraction_of).collect()
    };
    let any = !retracted.is_empty();
    for retraction in retracted {
        if let Err(error) = publish(node, retraction).await {
            tracing::debug!(%error, "retraction not published again");
        }
    }
    any
}

async fn publish(node: &Node, retraction: Retraction) -> Result<(), PublishError> {
    node.network.publish(Gossip::Retraction(retraction).to_bytes()).await.map(|_| ())
}

/// Takes in another bank's retraction: checked against the lock, logged, alerts closed.
pub(crate) async fn receive(node: &Arc<Node>, retraction: Retraction) -> Verdict {
    let scope = ScopeKey { gateway: retraction.gateway, epoch: retraction.epoch };
    let known = match node.journal.consensus().signal(&scope, &retraction.nullifier) {
        Ok(Some(known)) => known,
        // It may have overtaken its signal; it is published again.
        Ok(None) => return Verdict::Ignore,
        Err(error) => {
            tracing::error!(%error, "a retraction could not be looked up");
            return Verdict::Ignore;
        }
    };
    // Not provably wrong everywhere: a member that signalled twice may have retracted the other one.
    if retraction_lock(&retraction.preimage) != known.signal.body.retraction_lock {
        return Verdict::Ignore;
    }
    if known.retracted.is_some() {
        return Verdict::Ignore;
    }
    match close(node, retraction, known.signal.id()).await {
        Ok(()) => Verdict::Accept,
        Err(error) => {
            tracing::error!(%error, "a retraction could not be logged");
            Verdict::Ignore
        }
    }
}

/// Logs the retraction with the alerts that it closes, in one command.
async fn close(node: &Node, retraction: Retraction, signal: Digest) -> Result<(), JournalError> {
    let now = node.now();
    let retracted = node.change(|book| {
        let closed = closing(book, signal, AlertState::Retracted, now);
        let follow_up =
            closed.iter().map(|alert| node.journal.alert_leaf(alert)).collect::<Result<_, _>>()?;
        let leaf = node.journal.leaf(&record(signal, &retraction, None, now))?;
        let command = Command::Retract { leaf, retraction: retraction.clone(), follow_up };
        Ok::<_, JournalError>((command, closed.len()))
    });
    if let (Outcome::Retracted { .. }, closed) = retracted.await? {
        node.events.emit(&Event::SignalRetracted { signal, closed });
    }
    Ok(())
}

fn retraction_of(own: &OwnSignal) -> Retraction {
    let body = &own.body;
    Retraction { gateway: body.gateway, epoch: body.epoch, nullifier: own.nullifier, preimage: *own.preimage }
}

fn record(signal: Digest, retraction: &Retraction, actor: Option<Actor>, at: Timestamp) -> Record {
    Record::Retraction(RetractionRecord { signal, retraction: retraction.clone(), actor, at })
}
