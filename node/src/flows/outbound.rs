//! Outbound: confirmed case -> SignalIntent in the log -> proof -> gossip -> SignalSent.
//!
//! The intent holds the complete signal but for nullifier, share and proof, with the wrapped witness, and is committed
//! before anything is proved. Whatever happens afterwards, the same signal with the same counter is proved again, or
//! nothing is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use curve25519_dalek::MontgomeryPoint;
use futures::{StreamExt, stream};
use hansa_consensus::outcome::IntentRefusal;
use hansa_consensus::{Command, DocumentWrite, Intent, Locked, Outcome, PendingIntent, StoreError};
use hansa_keys::Secret;
use hansa_p2p::PublishError;
use hansa_prover::opening::{DecisionOpening, Salt};
use hansa_prover::prove::{ProveError, Request};
use hansa_screening::case;
use hansa_types::case::Case;
use hansa_types::codec::{CodecError, Decode, Encode};
use hansa_types::codec_struct;
use hansa_types::decision::Decision;
use hansa_types::hash::Digest;
use hansa_types::id::{Epoch, GatewayId, Timestamp};
use hansa_types::manifest::Manifest;
use hansa_types::record::{IntentRecord, Operation, Record, ScopeKey, SignalRecord};
use hansa_types::signal::{Category, Gossip, Severity, Signal, SignalBody, retraction_lock};
use hansa_types::subject::Subject;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::retraction;
use super::tags::{self, TagsError};
use crate::book::{Book, OwnSignal, OwnState};
use crate::events::Event;
use crate::journal::{Collection, JournalError};
use crate::node::Node;

/// How long the queue waits before it tries again what the network did not take.
const RETRY: Duration = Duration::from_secs(5);

/// How many pending signals are in memory at once.
const POOL: usize = 32;

/// Why no signal was sent about a case.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefusedSignal {
    /// Off.
    #[error("no signal: [signalling] names no gateway")]
    Off,
    /// The gateway is not this bank's to use.
    #[error("no signal: gateway {0} is not in force, or this bank is not registered in it")]
    Gateway(GatewayId),
    /// The sender would hardly be hidden.
    #[error(
        "no signal: gateway {gateway} wants {minimum} members that can signal, and {active} can in this epoch"
    )]
    TooFew {
        /// The gateway.
        gateway: GatewayId,
        /// How many it wants.
        minimum: u16,
        /// How many there are.
        active: usize,
    },
    /// The consortium's time has not begun, or is over.
    #[error("no signal: the manifest holds no trace commitment of this bank for the present epoch")]
    Epoch,
    /// Receivers could not match it.
    #[error("no signal: members match valid accounts, and the case is about another kind of subject")]
    Subject,
    /// There is no score to prove.
    #[error("no signal: the case did not grow from a decision of this bank, so there is no score to prove")]
    NoDecision,
    /// List hits, format and missing data are nobody else's business.
    #[error(
        "no signal: without list hits and missing data the score is below the lowest severity's threshold"
    )]
    NotShareable,
    /// Below every severity.
    #[error("no signal: the score {score} is below the lowest severity's threshold, {threshold}")]
    Score {
        /// What it scored.
        score: i64,
        /// What the manifest asks for.
        threshold: u32,
    },
    /// The model that scored is not the registry's.
    #[error("no signal: model version {0} is not in the consortium's registry")]
    Model(u32),
    /// The epoch's counters are spent, or the subject was signalled.
    #[error("no signal: {0}")]
    Refused(IntentRefusal),
    /// The tag function.
    #[error("no signal: {0}")]
    Tags(#[from] TagsError),
    /// The log.
    #[error("no signal: {0}")]
    Journal(#[from] JournalError),
    /// Not what consensus answers to an intent.
    #[error("no signal: consensus answered {0}")]
    Unexpected(String),
}

/// What proving needs besides the body; wrapped under the witness key while it waits.
struct WrappedWitness {
    opening: DecisionOpening,
    /// The X25519 secret behind the body's reply key.
    reply: Zeroizing<[u8; 32]>,
}

/// What the intent's payload holds.
struct Payload {
    body: SignalBody,
    witness: Vec<u8>,
}
codec_struct!(Payload { body, witness });

/// Commits a signal about `case`, on that of its decisions which shows most. Whoever leads the group proves it.
pub(crate) async fn intend(
    node: &Arc<Node>,
    case: &Case,
    decisions: &[Decision],
    category: Category,
) -> Result<OwnSignal, RefusedSignal> {
    let now = node.now();
    let subject = match &case.subject {
        Some(Subject::Account(account)) if tags::subject(account).is_some() => case.subject.clone(),
        _ => None,
    };
    let subject = subject.ok_or(RefusedSignal::Subject)?;
    let manifest = node.manifest();
    let shows = |decision: &&Decision| shareable(&manifest, decision).unwrap_or(i64::MIN);
    let decision = decisions.iter().max_by_key(shows).ok_or(RefusedSignal::NoDecision)?;
    let (gateway, epoch, severity) = permitted(node, decision, now)?;
    let opening = open_commitment(node, &subject, decision, now).await?;

    let preimage = Secret::random(&mut OsRng);
    let reply = Secret::random(&mut OsRng);
    let body = SignalBody {
        consortium: node.context().consortium(),
        circuit: node.context().circuit(epoch).version,
        gateway,
        epoch,
        expires: node.context().last_expiry(epoch),
        severity,
        subject: subject.kind(),
        category,
        tag: opening.subject.tag(node.context().scope(gateway, epoch)),
        decision_commitment: opening.commitment(),
        retraction_lock: retraction_lock(preimage.expose()),
        reply_key: MontgomeryPoint::mul_base_clamped(*reply.expose()).to_bytes(),
    };
    let witness = WrappedWitness { opening, reply: Zeroizing::new(*reply.expose()) };
    let preimage = Zeroizing::new(*preimage.expose());
    let committed = node.change(|_| {
        let key = ScopeKey { gateway, epoch };
        let counter = node.journal.consensus().next_counter(&key).map_err(JournalError::from)?;
        let own = numbered(node, case, &body, counter, &preimage, now)?;
        Ok::<_, RefusedSignal>((spending(node, &subject, &own, counter, &witness)?, own))
    });
    match committed.await? {
        (Outcome::Appended { .. }, own) => Ok(own),
        (Outcome::IntentRefused(refusal), _) => Err(RefusedSignal::Refused(refusal)),
        (other, _) => Err(RefusedSignal::Unexpected(format!("{other:?}"))),
    }
}

/// The signal that spends `counter`, as it is known before it is proved.
fn numbered(
    node: &Node,
    case: &Case,
    body: &SignalBody,
    counter: u32,
    preimage: &Zeroizing<[u8; 32]>,
    now: Timestamp,
) -> Result<OwnSignal, RefusedSignal> {
    let limit = node.manifest().signal_limit;
    let scope = node.context().scope(body.gateway, body.epoch);
    let nullifier = node.secrets.trace(body.epoch).nullifiers(scope, limit).nth(counter as usize);
    let nullifier = nullifier.ok_or(RefusedSignal::Refused(IntentRefusal::LimitReached { limit }))?;
    // The proof changes neither, so the id is known before there is one.
    let unproved = Signal {
        body: body.clone(),
        nullifier,
        share: nullifier,
        proof: [0; hansa_types::signal::PROOF_LENGTH],
    };
    Ok(OwnSignal {
        id: unproved.id(),
        body: body.clone(),
        nullifier,
        case: case.number,
        state: OwnState::Pending,
        at: now,
        preimage: preimage.clone(),
    })
}

/// Whether a signal on `decision` is lawful, and as what.
fn permitted(
    node: &Node,
    decision: &Decision,
    now: Timestamp,
) -> Result<(GatewayId, Epoch, Severity), RefusedSignal> {
    let manifest = &node.manifest();
    let gateway = node.gateway.ok_or(RefusedSignal::Off)?;
    let usable = manifest.usable_gateway(gateway, &node.bank, now).ok_or(RefusedSignal::Gateway(gateway))?;
    let committed = |epoch: &Epoch| manifest.members[&node.bank].traces.contains_key(epoch);
    let epoch = manifest.epochs.at(now).filter(committed).ok_or(RefusedSignal::Epoch)?;
    let (minimum, active) =
        (usable.minimum, manifest.active_members(gateway, epoch).map_or(0, Iterator::count));
    if active < usize::from(minimum) {
        return Err(RefusedSignal::TooFew { gateway, minimum, active });
    }
    let shareable = shareable(manifest, decision).ok_or(RefusedSignal::Model(decision.model_version))?;
    let score = decision.score.0;
    if shareable < i64::from(manifest.thresholds.low) && score >= i64::from(manifest.thresholds.low) {
        return Err(RefusedSignal::NotShareable);
    }
    // What list hits add must not show in the severity either; a lower one is as provable.
    let severity = manifest.thresholds.severity(shareable);
    let severity = severity.ok_or(RefusedSignal::Score { score, threshold: manifest.thresholds.low })?;
    Ok((gateway, epoch, severity))
}

/// The score without what other banks must not be told; none under a model that is not registered.
fn shareable(manifest: &Manifest, decision: &Decision) -> Option<i64> {
    let model = manifest.model(decision.model_version).filter(|model| model.digest() == decision.model)?;
    Some(case::shareable(model, decision))
}

/// What the decision commitment is made of: the subject's secret, and the decision under a fresh salt.
async fn open_commitment(
    node: &Arc<Node>,
    subject: &Subject,
    decision: &Decision,
    now: Timestamp,
) -> Result<DecisionOpening, RefusedSignal> {
    let (tags, subject) = (node.clone(), subject.clone());
    let known = tokio::task::spawn_blocking(move || tags.tags.known(&subject, now)).await;
    let known = known.map_err(|error| RefusedSignal::Unexpected(error.to_string()))??;
    let model = node.manifest().model(decision.model_version).cloned();
    Ok(DecisionOpening {
        subject: known.secret,
        factors: decision.factors,
        model: model.ok_or(RefusedSignal::Model(decision.model_version))?,
        decision: decision.id(),
        salt: Salt(*Secret::random(&mut OsRng).expose()),
    })
}

/// What spends the counter: one entry with the complete signal and the wrapped witness.
fn spending(
    node: &Node,
    subject: &Subject,
    own: &OwnSignal,
    counter: u32,
    witness: &WrappedWitness,
) -> Result<Command, JournalError> {
    let record = Record::SignalIntent(IntentRecord {
        decision: witness.opening.decision,
        case: own.case,
        counter,
        body: own.body.clone(),
        at: own.at,
    });
    let mut leaf = node.journal.leaf(&record)?;
    leaf.documents.push(node.journal.document(Collection::OwnSignals, &own.id.0, own));
    let subject = node.journal.subject_key(&subject.digest());
    let plain = Zeroizing::new(witness.to_bytes());
    let witness = node.witness_key.wrap(&own.id.0, &plain, &mut OsRng);
    let intent = Intent {
        gateway: own.body.gateway,
        epoch: own.body.epoch,
        counter,
        limit: node.manifest().signal_limit,
        subject,
        id: own.id,
        payload: Payload { body: own.body.clone(), witness }.to_bytes(),
    };
    Ok(Command::Intent { leaf, intent })
}

/// Proves and publishes what is pending, whenever there is something or somebody new to hear it.
pub(crate) async fn run(node: Arc<Node>) {
    loop {
        let waiting = send_pending(&node).await | retraction::republish(&node).await;
        let woken = node.outbox.notified();
        if waiting {
            // Woken early by a member that connects; else tried again after a while. Retractions are said again for as
            // long as they matter: gossip forgets what it said, and a member may have been away.
            let _ = tokio::time::timeout(RETRY, woken).await;
        } else {
            woken.await;
        }
    }
}

/// Sends each pending signal, a few at a time; says whether any has to wait.
async fn send_pending(node: &Arc<Node>) -> bool {
    let (mut waiting, mut from) = (false, 0);
    loop {
        let pending = match next_pending(node, from) {
            Ok(pending) => pending,
            Err(error) => {
                tracing::error!(%error, "the queue of signals cannot be read");
                return true;
            }
        };
        let Some(last) = pending.last() else { return waiting };
        from = last.index + 1;
        let sending = pending.into_iter().map(|PendingIntent { intent, .. }| settle(node, intent));
        let mut sending = stream::iter(sending).buffer_unordered(node.proving.at_once);
        while let Some(sent) = sending.next().await {
            if let Err(error) = sent {
                waiting = true;
                node.events.emit(&Event::SignalWaiting { reason: error.to_string() });
            }
        }
    }
}

/// The next of what waits in the log, and how much there is of it.
fn next_pending(node: &Node, from: u64) -> Result<Vec<PendingIntent>, StoreError> {
    let consensus = node.journal.consensus();
    let waiting = consensus.pending_count()?;
    node.metrics.queue(waiting);
    if node.proving.backs_up(waiting) {
        node.metrics.backed_up();
        node.events.emit(&Event::SignalsBackedUp { waiting });
    }
    consensus.pending_intents(from, POOL)
}

async fn settle(node: &Arc<Node>, intent: Intent) -> Result<(), SendError> {
    match node.manifest().epochs.accepts(intent.epoch, node.now()) {
        true => send(node, &intent).await,
        false => expire(node, &intent).await,
    }
}

/// Why a committed signal waits.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Locked(#[from] Locked),
    #[error("this log was restored from a backup: nothing is signalled before the next epoch")]
    Restored,
    #[error(transparent)]
    Prove(#[from] ProveError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the log does not take it: {0}")]
    Refused(String),
    #[error("the intent does not decode: {0}")]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Unwrap(#[from] hansa_keys::UnwrapError),
    #[error("proving stopped: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

/// Gives up a signal whose epoch no member accepts any more. Its counter stays spent.
async fn expire(node: &Node, intent: &Intent) -> Result<(), SendError> {
    tracing::warn!(signal = %intent.id, "a signal expired in the queue: no member accepts its epoch any more");
    node.metrics.lost("expired-signal");
    let now = node.now();
    let detail = format!("signal {} was not sent in epoch {}", intent.id, intent.epoch);
    let record = Record::Operation(Operation { what: "signal-expired".into(), detail, at: now });
    let expired = node.change(|book| {
        let mut leaf = node.journal.leaf(&record)?;
        leaf.documents.extend(moved(node, book, &intent.id, OwnState::Expired, now));
        Ok::<_, JournalError>((Command::Expire { leaf, intent: intent.id }, ()))
    });
    expired.await?;
    Ok(())
}

/// This bank's signal as it is once it came to `state`.
fn moved(node: &Node, book: &Book, id: &Digest, state: OwnState, at: Timestamp) -> Option<DocumentWrite> {
    let own = OwnSignal { state, at, ..book.own.get(id)?.clone() };
    Some(node.journal.document(Collection::OwnSignals, &id.0, &own))
}

async fn send(node: &Arc<Node>, intent: &Intent) -> Result<(), SendError> {
    // A proof takes most of a second: none is made that nobody would hear.
    if !node.is_heard() {
        return Err(PublishError::NoSubscriber.into());
    }
    // Another copy of this log may have spent the counter on another signal.
    let consensus = node.journal.consensus();
    consensus.keys_open()?;
    if !consensus.may_signal(intent.epoch).map_err(JournalError::from)? {
        return Err(SendError::Restored);
    }
    let begun = Instant::now();
    let (prover, committed) = (node.clone(), intent.clone());
    let signal = tokio::task::spawn_blocking(move || prove(&prover, &committed)).await??;
    let took = begun.elapsed();
    node.metrics.stage("prove", took);
    node.network.publish(Gossip::Signal(signal.clone()).to_bytes()).await?;

    let (id, now) = (signal.id(), node.now());
    let record = Record::SignalSent(SignalRecord { signal: signal.clone(), at: now });
    let sent = node.change(|book| {
        let mut leaf = node.journal.leaf(&record)?;
        leaf.documents.extend(moved(node, book, &id, OwnState::Sent, now));
        Ok::<_, JournalError>((
            Command::Sent { leaf, intent: intent.id, signal: signal.clone(), at: now },
            (),
        ))
    });
    match sent.await?.0 {
        Outcome::Appended { .. } | Outcome::Existing { .. } => {}
        outcome => return Err(SendError::Refused(format!("{outcome:?}"))),
    }
    let prove_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    node.events.emit(&Event::SignalSent { signal: id, prove_ms });
    Ok(())
}

/// The signal of a committed intent: the same x, nullifier and share however often it is proved.
fn prove(node: &Node, intent: &Intent) -> Result<Signal, SendError> {
    let (body, witness) = unwrap(node, intent)?;
    let request = Request {
        bank: &node.bank,
        secrets: &node.secrets,
        body: &body,
        counter: intent.counter,
        opening: &witness.opening,
    };
    Ok(node.proving.prove(&node.context(), &request)?)
}

/// The opening of a signal's decision commitment, for evidence.
pub(crate) fn opening(node: &Node, intent: &Intent) -> Option<DecisionOpening> {
    unwrap(node, intent).ok().map(|(_, witness)| witness.opening)
}

fn unwrap(node: &Node, intent: &Intent) -> Result<(SignalBody, WrappedWitness), SendError> {
    let Payload { body, witness } = Payload::from_bytes(&intent.payload)?;
    let plain = node.witness_key.unwrap(&intent.id.0, &witness)?;
    Ok((body, WrappedWitness::from_bytes(&plain)?))
}

impl Encode for WrappedWitness {
    fn encode(&self, out: &mut hansa_types::codec::Writer) {
        self.opening.encode(out);
        out.raw(self.reply.as_ref());
    }
}

impl Decode for WrappedWitness {
    fn decode(input: &mut hansa_types::codec::Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self { opening: Decode::decode(input)?, reply: Zeroizing::new(input.array()?) })
    }
}

/// The ids of the signals, pending or sent, that grew from `decision`.
pub(crate) fn signals_of_decision(node: &Node, decision: &Digest) -> Result<Vec<Digest>, JournalError> {
    let mut found = Vec::new();
    for index in node.journal.find(crate::terms::Term::Decision(*decision))? {
        match node.journal.read(index) {
            Ok(Some((_, Record::SignalIntent(intent)))) => {
                let own = node.book().own.values().find(|own| own.body == intent.body).map(|own| own.id);
                found.extend(own);
            }
            Ok(_) | Err(JournalError::Erased(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
