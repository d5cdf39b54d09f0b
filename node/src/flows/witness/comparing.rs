//! Members tell one another which checkpoints they were shown, so that a log with two views is found out.
//!
//! Two roots for one size are a proof at once. A larger checkpoint than this bank remembers is a doubt: if the log has
//! not shown its consistency by the next round, it is asked to; one that shows something else is suspected.

use std::sync::Arc;

use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::merkle::verify_consistency;
use hansa_audit_log::note::{KeyType, SignedNote, VerifierKey};
use hansa_consensus::{TreeHead, UnlockError};
use hansa_types::id::BankId;
use hansa_types::witness::{MAX_COMPARED, MAX_COMPARED_NOTE, WitnessRequest, WitnessResponse};

use super::{ask, ask_all, forks};
use crate::journal::JournalError;
use crate::node::Node;

/// Asks about the doubts of the last round, then compares with every member.
pub(super) async fn round(node: &Arc<Node>) {
    let doubts = std::mem::take(&mut node.cosigning.state().doubts);
    for (bank, note) in doubts {
        if let Err(error) = resolve(node, &bank, &note).await {
            tracing::warn!(%bank, %error, "a checkpoint that another member was shown could not be compared");
        }
    }
    let own = known(node);
    for (bank, answer) in ask_all(node, |_| WitnessRequest::Compare(own.clone())).await {
        match answer {
            Ok(WitnessResponse::Compared(notes)) => compare(node, &notes).await,
            Ok(other) => tracing::warn!(%bank, ?other, "a member does not compare checkpoints"),
            Err(error) => tracing::debug!(%bank, %error, "no checkpoints were compared"),
        }
    }
}

/// The checkpoints that this bank knows, its own log's among them, each with its log's signature alone.
pub(super) fn known(node: &Node) -> Vec<Vec<u8>> {
    let kept = node.journal.consensus().all_witnessed().unwrap_or_else(|error| {
        tracing::error!(%error, "the witness state cannot be read");
        Vec::new()
    });
    let manifest = node.manifest();
    let notes = kept.iter().filter_map(|kept| {
        let (bank, _) = manifest.log_owner(&kept.origin)?;
        Some(by_log_alone(node, bank, &kept.note).into_bytes())
    });
    notes.filter(|note| note.len() <= MAX_COMPARED_NOTE).take(MAX_COMPARED).collect()
}

/// A checkpoint without the signatures of others.
pub(super) fn by_log_alone(node: &Node, bank: &BankId, note: &SignedNote) -> String {
    let key = node.manifest().members.get(bank).and_then(|member| {
        VerifierKey::new(KeyType::Ed25519, &node.manifest().log_origin(bank), member.log_key).ok()
    });
    let by_log = note
        .signatures()
        .iter()
        .find(|line| key.as_ref().is_some_and(|key| line.name == key.name() && line.key_id == key.id()));
    let line = by_log.map(|line| format!("{line}\n")).unwrap_or_default();
    format!("{}\n{line}", note.unverified_text())
}

/// Compares what another member was shown with what this bank remembers.
pub(super) async fn compare(node: &Node, notes: &[Vec<u8>]) {
    for note in notes {
        if let Err(error) = compare_one(node, note).await {
            tracing::warn!(%error, "a checkpoint could not be compared");
        }
    }
}

async fn compare_one(node: &Node, bytes: &[u8]) -> Result<(), JournalError> {
    let Some((bank, note, told)) = open(node, bytes) else {
        tracing::warn!("a member told of a checkpoint that no member's log signed");
        return Ok(());
    };
    let Some(kept) = node.journal.consensus().witnessed(&told.origin)? else { return Ok(()) };
    if told.size == kept.seen.size {
        if told.root != kept.seen.root {
            forks::keep(node, &bank, kept.note, note).await?;
        }
    } else if bank == node.bank {
        // This log is at hand: it is as the checkpoint says, or another has this bank's key, or this is an old copy.
        if let Err(error) = node.journal.consensus().barrier().await {
            tracing::debug!(%error, "this log is not compared now");
            return Ok(());
        }
        let head = TreeHead { size: told.size, root: told.root };
        if let Err(UnlockError::Lost(_)) = node.journal.consensus().compare(&head) {
            let own = node.journal.consensus().published()?.unwrap_or(kept.note);
            forks::keep(node, &bank, own, note).await?;
        }
    } else if told.size > kept.seen.size {
        node.cosigning.state().doubts.insert(bank, note);
    }
    Ok(())
}

/// A checkpoint that a member's log signed.
fn open(node: &Node, bytes: &[u8]) -> Option<(BankId, SignedNote, Checkpoint)> {
    let note = SignedNote::parse(bytes).ok()?;
    let origin = note.unverified_text().lines().next()?;
    let manifest = node.manifest();
    let (bank, member) = manifest.log_owner(origin)?;
    let checkpoint = Checkpoint::open(&note, origin, &member.log_key).ok()?;
    Some((bank.clone(), note, checkpoint))
}

/// Has a log show that the checkpoint which others were shown extends what this bank remembers of it.
async fn resolve(node: &Node, bank: &BankId, note: &SignedNote) -> Result<(), JournalError> {
    let Some((_, note, told)) = open(node, note.to_string().as_bytes()) else { return Ok(()) };
    let Some(kept) = node.journal.consensus().witnessed(&told.origin)? else { return Ok(()) };
    // It has come here itself meanwhile, with its proof.
    if told.size <= kept.seen.size || kept.seen.size == 0 {
        return Ok(());
    }
    let request = WitnessRequest::Prove { old: kept.seen.size, new: told.size };
    let shown = match ask(node, bank, &request).await {
        Ok(WitnessResponse::Proof(hashes)) => {
            verify_consistency(kept.seen.size, told.size, &kept.seen.root, &told.root, &hashes).is_ok()
        }
        Ok(WitnessResponse::Refused { status: 400, .. }) => false,
        Ok(_) | Err(_) => {
            tracing::info!(%bank, "a log did not answer whether it is consistent; it is asked again");
            node.cosigning.state().doubts.insert(bank.clone(), note);
            return Ok(());
        }
    };
    if !shown {
        forks::keep(node, bank, kept.note, note).await?;
    }
    Ok(())
}
