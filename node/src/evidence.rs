//! The evidence on one payment: the records that bear on it, each opened and proved to be in the log, and what shows
//! that its signals are true and about its subject.

use std::collections::BTreeSet;
use std::sync::Arc;

use hansa_audit_log::evidence::{Attachment, AttachmentKind, Disclosure, Evidence};
use hansa_consensus::{CheckpointError, ReadError};
use hansa_types::codec::Encode;
use hansa_types::hash::Digest;
use hansa_types::payment::PaymentKey;
use hansa_types::record::{DecisionRecord, Record};
use hansa_types::signal::Signal;

use crate::flows::{cases, outbound, tags};
use crate::journal::{JournalError, Term};
use crate::node::Node;

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
    /// A leaf is gone.
    #[error("the log has no leaf {0} any more")]
    NoLeaf(u64),
}

/// Everything the log shows about the payment, as a bundle.
pub(crate) async fn export(node: &Arc<Node>, key: &PaymentKey) -> Result<Evidence, ExportError> {
    let record = cases::decision(node, key)?.ok_or_else(|| ExportError::NoPayment(key.clone()))?;
    let decision = record.decision.id();
    let sent = outbound::signal_of_decision(node, &decision)?;

    let mut indices = BTreeSet::new();
    indices.extend(node.journal.find(Term::Payment(key))?);
    indices.extend(node.journal.find(Term::Decision(decision))?);
    for signal in sent.iter().chain(&record.decision.signals) {
        indices.extend(node.journal.find(Term::Signal(*signal))?);
    }
    let note = node.journal.consensus().sign_checkpoint(node.journal.origin(), &*node.log_key).await?;
    // Recorded before the note was signed, so it covers every index found above.
    let size =
        node.journal.consensus().last_checkpoint().map_err(JournalError::from)?.map_or(0, |head| head.size);
    let mut signals = Vec::new();
    let mut disclosures = Vec::new();
    for index in indices {
        let (envelope, found) = node.journal.read(index)?.ok_or(ExportError::NoLeaf(index))?;
        // A decision on another payment that rests on the same signal is nobody's business here.
        if matches!(&found, Record::Decision(other) if other.decision.key != *key) {
            continue;
        }
        if let Record::SignalSent(signal) | Record::SignalReceived(signal) = found {
            signals.push(signal.signal);
        }
        let leaf_key = node.journal.records_key().leaf_key(&envelope.salt()).disclose();
        let path = node.journal.consensus().inclusion(index, size)?;
        disclosures.push(Disclosure { index, envelope, leaf_key, path });
    }
    let attachments = attachments(node, &record, &sent, &signals)?;
    Ok(Evidence::new(note, disclosures, attachments))
}

/// What stands beside the log: each signal, the key its proof is checked with, the openings of this bank's own
/// commitments, and how the payment's subjects yield the signals' tags.
fn attachments(
    node: &Node,
    record: &DecisionRecord,
    sent: &[Digest],
    signals: &[Signal],
) -> Result<Vec<Attachment>, JournalError> {
    let mut attachments = Vec::new();
    let mut attach = |kind, bytes: Vec<u8>| attachments.push(Attachment { kind, bytes });
    if !signals.is_empty() {
        attach(AttachmentKind::VerifyingKey, node.prover.key().verifying_key().to_bytes());
    }
    signals.iter().for_each(|signal| attach(AttachmentKind::Signal, signal.to_bytes()));
    for id in sent {
        let intent = node.journal.consensus().intent(id)?;
        let opening = intent.and_then(|intent| outbound::opening(node, &intent));
        opening.iter().for_each(|opening| attach(AttachmentKind::DecisionOpening, opening.to_bytes()));
    }
    let accounts = [&record.payment.debtor_account, &record.payment.creditor_account];
    for subject in accounts.into_iter().flatten().filter_map(tags::subject) {
        let Some(known) = node.tags.get(&subject) else { continue };
        let yields = |signal: &Signal| {
            let scope = node.context.scope(signal.body.gateway, signal.body.epoch);
            known.secret.tag(scope) == signal.body.tag
        };
        if signals.iter().any(yields) {
            attach(AttachmentKind::TagTranscript, known.transcript.to_bytes());
        }
    }
    Ok(attachments)
}
