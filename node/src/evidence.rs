//! The evidence on one payment: the records that bear on it, each opened and proved to be in the log, and what shows
//! that its signals are true and about its subject.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hansa_audit_log::checkpoint::{Checkpoint, CheckpointError as NoteError};
use hansa_audit_log::evidence::{Attachment, AttachmentKind, Disclosure, Evidence, MAX_RECORDS};
use hansa_audit_log::note::SignedNote;
use hansa_consensus::{BarrierError, CheckpointError, Locked, ProposeError, ReadError};
use hansa_types::codec::Encode;
use hansa_types::payment::PaymentKey;
use hansa_types::record::{DecisionRecord, Record};
use hansa_types::signal::Signal;
use tokio::time::timeout;

use crate::flows::{cases, outbound, tags};
use crate::journal::JournalError;
use crate::node::Node;
use crate::terms::Term;

/// How long a freshly started node is given to hear what members cosigned of its log.
const KEYS: Duration = Duration::from_secs(5);

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// No such payment.
    #[error("the log holds no decision on payment {0}")]
    NoPayment(PaymentKey),
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The log could not be published up to now.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A proof could not be computed.
    #[error(transparent)]
    Proof(#[from] ReadError),
    /// The checkpoint just signed does not read.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// More than a bundle holds.
    #[error("{0} records bear on this payment, and a bundle holds {MAX_RECORDS}")]
    TooMany(usize),
    /// The tag function.
    #[error("the payment's accounts could not be tagged: {0}")]
    Tags(String),
    /// A leaf is gone.
    #[error("the log has no leaf {0} any more")]
    NoLeaf(u64),
}

/// Everything the log shows about the payment, as a bundle.
pub(crate) async fn export(node: &Arc<Node>, key: &PaymentKey) -> Result<Evidence, ExportError> {
    let record = cases::decision(node, key)?.ok_or_else(|| ExportError::NoPayment(key.clone()))?;
    let decision = record.decision.id();
    let mut indices = BTreeSet::new();
    indices.extend(node.journal.find(Term::Payment(key))?);
    indices.extend(node.journal.find(Term::Decision(decision))?);
    for signal in outbound::signals_of_decision(node, &decision)?.iter().chain(&record.decision.signals) {
        indices.extend(node.journal.find(Term::Signal(*signal))?);
    }
    if indices.len() > MAX_RECORDS {
        return Err(ExportError::TooMany(indices.len()));
    }
    let note = checkpoint_over(node, indices.last().copied().unwrap_or(0)).await?;
    let size = Checkpoint::open(&note, node.journal.origin(), &node.log_key.public_key())?.size;
    let mut signals = Vec::new();
    let mut disclosures = Vec::new();
    for index in indices {
        let (envelope, found) = match node.journal.read(index) {
            // What bears on this payment beside its own decision may be erased: it has nothing to show.
            Err(JournalError::Erased(_)) => continue,
            read => read?.ok_or(ExportError::NoLeaf(index))?,
        };
        match found {
            // A decision on another payment that rests on the same signal is nobody's business here.
            Record::Decision(other) if other.decision.key != *key => continue,
            Record::SignalSent(record) | Record::SignalReceived(record) => signals.push(record.signal),
            _ => {}
        }
        let leaf_key = node.journal.leaf_key(index, &envelope)?.disclose();
        let path = node.journal.consensus().inclusion(index, size)?;
        disclosures.push(Disclosure { index, envelope, leaf_key, path });
    }
    let attachments = attachments(node, &record, &signals).await?;
    Ok(Evidence::new(note, disclosures, attachments))
}

/// Signs the log as it is. Right after a start the members are still being asked what they cosigned of it: that is
/// waited for a little.
async fn sign(node: &Node) -> Result<SignedNote, CheckpointError> {
    let consensus = node.journal.consensus();
    let first = consensus.sign_checkpoint(node.journal.origin(), &*node.log_key).await;
    if !matches!(first, Err(CheckpointError::Locked(Locked::Waiting))) {
        return first;
    }
    let mut keys = consensus.keys();
    let opened = timeout(KEYS, keys.wait_for(|locked| *locked != Some(Locked::Waiting))).await.is_ok();
    if !opened {
        return first;
    }
    consensus.sign_checkpoint(node.journal.origin(), &*node.log_key).await
}

/// A checkpoint that covers the leaf at `last`: the published one with its cosignatures where it reaches that far, else
/// one signed now by this bank alone, or, without a quorum, the one signed here before.
async fn checkpoint_over(node: &Node, last: u64) -> Result<SignedNote, ExportError> {
    let consensus = node.journal.consensus();
    let published = consensus.witnessed(node.journal.origin()).map_err(JournalError::from)?;
    if let Some(published) = published.filter(|published| published.seen.size > last) {
        return Ok(published.note);
    }
    let refused = match sign(node).await {
        Ok(note) => return Ok(note),
        Err(error) => error,
    };
    let no_quorum = matches!(
        refused,
        CheckpointError::Locked(_)
            | CheckpointError::Barrier(BarrierError::NoQuorum { .. })
            | CheckpointError::Propose(ProposeError::NoQuorum { .. })
    );
    if no_quorum && let Some(note) = consensus.published().map_err(JournalError::from)? {
        let size = Checkpoint::open(&note, node.journal.origin(), &node.log_key.public_key())?.size;
        if size > last {
            return Ok(note);
        }
    }
    Err(refused.into())
}

/// What stands beside the log: the key that signals are checked with, the openings of this bank's own commitments, and
/// how the payment's accounts yield the signals' tags.
async fn attachments(
    node: &Arc<Node>,
    record: &DecisionRecord,
    signals: &[Signal],
) -> Result<Vec<Attachment>, ExportError> {
    let mut attachments = Vec::new();
    let mut attach = |kind, bytes: Vec<u8>| attachments.push(Attachment { kind, bytes });
    if signals.is_empty() {
        return Ok(attachments);
    }
    attach(AttachmentKind::VerifyingKey, node.proving.verifying_key().to_bytes());
    for signal in signals {
        let intent = node.journal.consensus().intent(&signal.id()).map_err(JournalError::from)?;
        let opening = intent.and_then(|intent| outbound::opening(node, &intent));
        opening.iter().for_each(|opening| attach(AttachmentKind::DecisionOpening, opening.to_bytes()));
    }
    let accounts = [&record.payment.debtor_account, &record.payment.creditor_account];
    for subject in accounts.into_iter().flatten().filter_map(tags::subject) {
        // Asked again if it is forgotten: evidence is wanted years later.
        let (asking, now) = (node.clone(), node.now());
        let known = tokio::task::spawn_blocking(move || asking.tags.known(&subject, now)).await;
        let known = known.map_err(|error| ExportError::Tags(error.to_string()))?;
        let known = known.map_err(|error| ExportError::Tags(error.to_string()))?;
        let yields = |signal: &Signal| {
            let scope = node.context().scope(signal.body.gateway, signal.body.epoch);
            known.secret.tag(scope) == signal.body.tag
        };
        if signals.iter().any(yields) {
            attach(AttachmentKind::TagTranscript, known.transcript.to_bytes());
        }
    }
    Ok(attachments)
}
