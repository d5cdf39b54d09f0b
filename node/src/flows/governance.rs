//! Governance: a message of this bank or of another -> checked on a copy -> consensus, which takes it in and logs it.
//!
//! On a schedule, and whenever something changed: every member is asked for what it has and this bank lacks, so one that
//! was away catches up; commitments to this bank's trace secrets are published ahead of their cut-off; and the network
//! follows who is a member. Messages prove themselves: it does not matter who brings them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hansa_consensus::{Command, Outcome};
use hansa_p2p::{PeerId, RequestId};
use hansa_types::codec::{CodecError, Decode, Encode};
use hansa_types::governance::{
    Effect, Entry, Message, Refusal, SignedTraces, SyncRequest, SyncResponse, TRACE_CUTOFF,
};
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, BankId, Epoch, Timestamp};
use hansa_types::record::{GovernanceMessageRecord, Record};
use hansa_types::sign::SignError;

use crate::config::Config;
use crate::events::Event;
use crate::journal::JournalError;
use crate::lead::LeadError;
use crate::load;
use crate::node::Node;

/// For how many epochs ahead this bank commits to trace secrets.
const TRACES_AHEAD: u32 = 30;
/// With fewer than these ahead it commits to more.
const TRACES_LEAST: u32 = 15;
/// The longest message that is kept whole in the log's record of it, in bytes; of a longer one its digest is.
const MAX_RECORDED: usize = 48 << 10;
/// How often in a row a member is asked while it has more.
const MAX_ASKED: usize = 64;

/// Why a message was not taken in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GovernanceError {
    /// By the rules.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// By the log.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Not what consensus answers to this.
    #[error("consensus answered {0}")]
    Unexpected(String),
}

/// Why a member told nothing.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("no peer of it is known")]
    NoPeer,
    #[error(transparent)]
    Request(#[from] hansa_p2p::RequestError),
    #[error("the answer does not decode: {0}")]
    Codec(#[from] CodecError),
}

/// Asks, publishes and follows, every `interval` and whenever the rules change.
pub(crate) async fn run(node: Arc<Node>, interval: Duration) {
    let mut changes = node.governed.changes();
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if let Err(error) = commit_ahead(&node).await {
                    tracing::warn!(%error, "no trace commitments were published; it is tried again");
                }
                ask_everybody(&node).await;
            }
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
        node.follow_members().await;
    }
}

/// Takes a message in, and says what it did. `actor` of this bank brought it, if anybody did.
pub(crate) async fn take_in(
    node: &Node,
    message: Message,
    actor: Option<Actor>,
) -> Result<Effect, GovernanceError> {
    enter(node, Entry { at: node.now(), vouched: false, message }, actor).await
}

async fn enter(node: &Node, entry: Entry, actor: Option<Actor>) -> Result<Effect, GovernanceError> {
    // On a copy first: what is refused leaves no trace in the log.
    let effect = node.governed.ledger().clone().enter(&entry)?;
    if effect == Effect::Known {
        return Ok(effect);
    }
    let leaf = node.journal.leaf(&Record::GovernanceMessage(record(&entry, actor)))?;
    match node.journal.propose(Command::Govern { leaf, entry }).await? {
        outcome @ (Outcome::Appended { .. } | Outcome::Existing { .. }) => {
            node.shown(&outcome).await;
            said(node, &effect);
            Ok(effect)
        }
        Outcome::Duplicate => Ok(Effect::Known),
        Outcome::GovernanceRefused { reason } => Err(Refusal::Form(reason).into()),
        other => Err(GovernanceError::Unexpected(format!("{other:?}"))),
    }
}

fn record(entry: &Entry, actor: Option<Actor>) -> GovernanceMessageRecord {
    let Entry { at, message, .. } = entry;
    let whole = (message.to_bytes().len() <= MAX_RECORDED).then(|| message.clone());
    GovernanceMessageRecord { id: message.id(), summary: message.summary(), message: whole, actor, at: *at }
}

fn said(node: &Node, effect: &Effect) {
    if let Effect::Decided(certificate) = effect {
        let (number, head) = {
            let ledger = node.governed.ledger();
            (ledger.state().number(), ledger.state().head())
        };
        let summary = certificate.proposal.action.summary();
        tracing::info!(number, %head, summary, "the members have decided");
        node.events.emit(&Event::Decided { number, head, summary });
    }
}

/// Commits to this bank's trace secrets of coming epochs, if few are left. Not if the bank's membership secret is
/// another than the manifest's.
async fn commit_ahead(node: &Node) -> Result<(), GovernanceError> {
    let now = node.now();
    let epoch = node.governed.epoch(now);
    let manifest = node.governed.manifest(now);
    let Some(member) = manifest.members.get(&node.bank) else { return Ok(()) };
    let ahead =
        |epochs| (epoch.0.saturating_add(TRACE_CUTOFF + 1)..=epoch.0.saturating_add(epochs)).map(Epoch);
    let missing = |epoch: &Epoch| !member.traces.contains_key(epoch);
    if member.membership != node.secrets.membership() || !ahead(TRACES_LEAST).any(|epoch| missing(&epoch)) {
        return Ok(());
    }
    let traces: BTreeMap<_, _> = ahead(TRACES_AHEAD)
        .filter(missing)
        .map(|epoch| (epoch, node.secrets.trace_commitment(epoch)))
        .collect();
    let (consortium, bank) = (node.governed.context().consortium(), node.bank.clone());
    let signed = SignedTraces::sign(consortium, bank, member.membership, traces, &*node.log_key)?;
    take_in(node, Message::Traces(signed), None).await.map(drop)
}

/// Asks every other member for what this bank lacks.
async fn ask_everybody(node: &Arc<Node>) {
    let others = node.others();
    let mut late: BTreeMap<Digest, (Message, BTreeSet<BankId>)> = BTreeMap::new();
    for bank in &others {
        match ask(node, bank).await {
            Ok(messages) => {
                for message in messages {
                    late.entry(message.id()).or_insert((message, BTreeSet::new())).1.insert(bank.clone());
                }
            }
            Err(error) => tracing::debug!(%bank, %error, "a member told nothing of governance"),
        }
    }
    // Commitments that this bank did not hear of in time, and most others did.
    for (message, tellers) in late.into_values().filter(|(_, tellers)| 2 * tellers.len() > others.len()) {
        let entry = Entry { at: node.now(), vouched: true, message };
        match enter(node, entry, None).await {
            Ok(_) => tracing::info!(
                tellers = tellers.len(),
                "trace commitments that others had in time were taken in"
            ),
            Err(error) => tracing::warn!(%error, "trace commitments that others had were refused"),
        }
    }
}

/// Takes in what one member has, and returns what it has and came too late to this bank.
async fn ask(node: &Arc<Node>, bank: &BankId) -> Result<Vec<Message>, AskError> {
    let mut late = Vec::new();
    for _ in 0..MAX_ASKED {
        let request = {
            let ledger = node.governed.ledger();
            ledger.request(node.governed.epoch(node.now()))
        };
        let peer = node.peer_of(bank).ok_or(AskError::NoPeer)?;
        let answer = node.network.request(peer, request.to_bytes()).await?;
        let answer = SyncResponse::from_bytes(&answer)?;
        let mut news = false;
        let fingerprint = answer.fingerprint;
        for message in answer.messages {
            match take_in(node, message.clone(), None).await {
                Ok(effect) => news |= effect != Effect::Known,
                Err(GovernanceError::Refused(Refusal::TooLate { .. })) => late.push(message),
                Err(error) => {
                    tracing::warn!(%bank, %error, message = message.summary(), "a member's message was refused");
                    node.metrics.governance_refused();
                }
            }
        }
        node.governed.compare(bank, fingerprint, node.now());
        if !news {
            break;
        }
        late.clear();
    }
    Ok(late)
}

/// Answers a member that asks for what it lacks.
pub(crate) async fn answer(node: Arc<Node>, id: RequestId, from: PeerId, bytes: Vec<u8>) {
    let answer = match SyncRequest::from_bytes(&bytes) {
        Ok(request) => {
            let epoch = node.governed.epoch(node.now());
            let ledger = node.governed.ledger();
            ledger.answer(&request, epoch)
        }
        Err(error) => {
            tracing::warn!(%from, %error, "a member's question about governance does not decode");
            return;
        }
    };
    if let Err(error) = node.network.respond(id, answer.to_bytes()).await {
        tracing::debug!(%from, %error, "a question about governance was not answered");
    }
}

/// Takes in the chain of a file, which a bank that joins later was given: its own log has none of it yet.
pub(crate) async fn take_in_chain(node: &Node, config: &Config) -> Result<(), LeadError> {
    let refused = |error: &dyn std::fmt::Display| LeadError::Amendments(error.to_string());
    let Some(path) = &config.node.amendments else { return Ok(()) };
    for message in load::amendments(path).map_err(|error| refused(&error))? {
        take_in(node, message, None).await.map_err(|error| refused(&error))?;
    }
    Ok(())
}

/// The moment that amendments are proposed for unless told otherwise: the next epoch.
pub(crate) fn next_epoch(node: &Node, now: Timestamp) -> Epoch {
    Epoch(node.governed.epoch(now).0.saturating_add(1))
}
