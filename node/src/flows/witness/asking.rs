//! This bank's own log: signed on schedule, shown to every member, published once enough have cosigned.
//!
//! A checkpoint that only this bank has signed binds it, and evidence may rest on it; it counts as published, for the
//! status and for whoever asks, only with the cosignatures that the manifest's witness quorum demands.

use std::sync::Arc;

use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::note::{KeyType, NoteSignature, SignedNote, VerifierKey};
use hansa_audit_log::policy::Policy;
use hansa_audit_log::witness::{AddCheckpoint, Seen};
use hansa_consensus::{Command, Outcome};
use hansa_types::id::BankId;
use hansa_types::witness::{WitnessRequest, WitnessResponse};
use tokio::task::JoinSet;

use super::{AskError, MISSED_ALERT, ask};
use crate::events::Event;
use crate::journal::JournalError;
use crate::node::Node;

/// Signs, asks everybody, and publishes what enough have cosigned.
pub(super) async fn round(node: &Arc<Node>) {
    let consensus = node.journal.consensus();
    if let Err(locked) = consensus.keys_open() {
        tracing::debug!(%locked, "nobody is asked to cosign");
        return;
    }
    let signed = consensus.sign_checkpoint(node.journal.origin(), &*node.log_key).await;
    let signed = signed.map_err(|error| error.to_string()).and_then(|note| {
        let opened = Checkpoint::open(&note, node.journal.origin(), &node.log_key.public_key());
        opened.map(|checkpoint| (note, checkpoint)).map_err(|error| error.to_string())
    });
    let (mut note, checkpoint) = match signed {
        Ok(signed) => signed,
        Err(error) => {
            tracing::warn!(error, "no checkpoint was signed for the witnesses; it is tried again");
            return missed(node, 0);
        }
    };
    let mut asking = JoinSet::new();
    let seen = Seen { size: checkpoint.size, root: checkpoint.root };
    for bank in node.others() {
        let (node, note) = (node.clone(), note.clone());
        asking.spawn(async move {
            let cosigned = cosignature(&node, &bank, &note, seen.size).await;
            (bank, cosigned)
        });
    }
    for (bank, cosigned) in asking.join_all().await {
        let added = match cosigned {
            Ok(signature) => note.add(signature).map_err(|error| AskError::Answer(error.to_string())),
            Err(error) => Err(error),
        };
        if let Err(error) = added {
            tracing::debug!(%bank, %error, "no cosignature");
        }
    }
    let checked = Policy::of(&node.manifest(), &node.bank)
        .map_err(|error| error.to_string())
        .and_then(|policy| policy.check(&note).map_err(|error| error.to_string()));
    match checked {
        Ok(satisfied) => {
            let cosigners = satisfied.cosigners.len();
            match publish(node, seen, &note).await {
                Ok(()) => published(node, seen.size, cosigners),
                Err(error) => {
                    tracing::warn!(%error, "a cosigned checkpoint was not kept; it is asked for again");
                    missed(node, cosigners);
                }
            }
        }
        Err(error) => {
            tracing::debug!(%error, "the checkpoint is not published");
            missed(node, note.signatures().len().saturating_sub(1));
        }
    }
}

/// Asks one member for its cosignature, from the size that it cosigned last.
async fn cosignature(
    node: &Node,
    bank: &BankId,
    note: &SignedNote,
    size: u64,
) -> Result<NoteSignature, AskError> {
    let mut old = node.cosigning.state().cosigned.get(bank).copied().unwrap_or(0).min(size);
    loop {
        let proof = match old {
            0 => vec![],
            old => {
                let proof = node.journal.consensus().consistency(old, size);
                proof.map_err(|error| AskError::Answer(error.to_string()))?
            }
        };
        let request = AddCheckpoint { old, proof, checkpoint: note.clone() };
        let answer = ask(node, bank, &WitnessRequest::Add(request.to_string().into_bytes())).await?;
        match answer {
            WitnessResponse::Cosigned(lines) => {
                let signature = own_line(node, bank, note, &lines)?;
                node.cosigning.state().cosigned.insert(bank.clone(), size);
                return Ok(signature);
            }
            // Only forward, so that a witness cannot keep this going.
            WitnessResponse::Refused { status: 409, size: Some(known) } if old < known && known <= size => {
                old = known;
            }
            WitnessResponse::Refused { status, size: known } => {
                refused(node, bank, status, known, size);
                return Err(AskError::Answer(format!("refused with status {status}")));
            }
            other => return Err(AskError::Answer(format!("{other:?}"))),
        }
    }
}

/// The cosignature among what a witness answered: over this note, by its own key.
fn own_line(node: &Node, bank: &BankId, note: &SignedNote, lines: &[u8]) -> Result<NoteSignature, AskError> {
    let refused = |error: &dyn std::fmt::Display| AskError::Answer(error.to_string());
    let manifest = node.manifest();
    let member = manifest.members.get(bank).ok_or_else(|| AskError::NoMember(bank.clone()))?;
    let name = node.manifest().witness_name(bank);
    let key = VerifierKey::new(KeyType::Cosignature, &name, member.cosigner_key).map_err(|e| refused(&e))?;
    let whole = [note.to_string().as_bytes(), lines].concat();
    let whole = SignedNote::parse(&whole).map_err(|error| refused(&error))?;
    whole.open(std::slice::from_ref(&key)).map_err(|error| refused(&error))?;
    let own = whole.signatures().iter().find(|line| line.name == name && line.key_id == key.id());
    own.cloned().ok_or_else(|| AskError::Answer("the witness has not signed".to_owned()))
}

/// A witness does not cosign what this bank signed: the more of them, the likelier it is this bank that is wrong.
fn refused(node: &Node, bank: &BankId, status: u16, known: Option<u64>, size: u64) {
    node.metrics.witness_refused(status);
    match known {
        Some(known) if known > size => tracing::error!(
            %bank, known, size,
            "a witness cosigned a larger log than this one: was an old copy restored? Stop this node"
        ),
        Some(known) if known == size => tracing::error!(
            %bank, size,
            "a witness saw another root at this size: was this log restored from an old copy, or its key stolen?"
        ),
        _ if status == 422 => tracing::error!(
            %bank, size,
            "a witness is not shown that this log extends what it cosigned: was an old copy restored?"
        ),
        _ => tracing::warn!(%bank, status, "a witness refused to cosign"),
    }
}

/// Keeps the cosigned checkpoint in the replicated state, where evidence and the next leader find it.
async fn publish(node: &Node, seen: Seen, note: &SignedNote) -> Result<(), JournalError> {
    let origin = node.journal.origin();
    let old = node.journal.consensus().witnessed(origin)?.map(|published| published.seen);
    let note = note.to_string().into_bytes();
    let command = Command::Witness { origin: origin.to_owned(), old, new: seen, note };
    let outcome = node.journal.propose(command).await?;
    if outcome != Outcome::Witnessed {
        tracing::info!(?outcome, "another checkpoint was published meanwhile");
    }
    Ok(())
}

fn published(node: &Node, size: u64, cosigners: usize) {
    node.cosigning.state().missed = 0;
    node.metrics.cosigned(size, cosigners, node.now());
    node.events.emit(&Event::CheckpointPublished { size, cosigners });
}

/// Too few cosigned: nothing stops, and it is said louder the longer it lasts.
fn missed(node: &Node, cosigners: usize) {
    let missed = {
        let mut state = node.cosigning.state();
        state.missed = state.missed.saturating_add(1);
        state.missed
    };
    node.metrics.witness_missed(missed, cosigners);
    let wanted = node.manifest().witnesses.quorum;
    if missed >= MISSED_ALERT {
        tracing::error!(missed, cosigners, wanted, "no checkpoint was published for several intervals");
    } else {
        tracing::warn!(cosigners, wanted, "too few members cosigned; the checkpoint is not published");
    }
}
