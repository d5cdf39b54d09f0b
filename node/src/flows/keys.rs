//! Keys: locked at the start -> the witnesses tell what they cosigned of this log -> open, or locked for good.
//!
//! Until then nothing is signed and no signal leaves; payments are decided as ever. A copy that lost what was cosigned
//! ends the node, unless two officers restored it from a backup: then it serves what it has, and never signs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hansa_audit_log::checkpoint::Checkpoint;
use hansa_consensus::{Locked, TreeHead, UnlockError, Unlocking, answers_needed};
use hansa_types::id::Epoch;
use hansa_types::record::{Operation, Record};

use super::witness;
use crate::events::Event;
use crate::node::Node;

/// How long the witnesses get before they are asked again.
const RETRY: Duration = Duration::from_secs(2);

/// Asks until the keys are open; ends only if this copy of the log must not be used at all. An ordinary start waits
/// for enough answers no longer than `patience`, if that is bounded.
pub(crate) async fn run(node: Arc<Node>, patience: Option<Duration>) {
    let begun = Instant::now();
    let mut said = false;
    loop {
        let impatient = patience.is_some_and(|patience| begun.elapsed() >= patience);
        match unlock(&node, impatient).await {
            Ok(()) => {
                node.events.emit(&Event::KeysUnlocked);
                node.outbox.notify_one();
                return lost(&node).await;
            }
            Err(Unlock::Refused(UnlockError::Lost(_))) => return lost(&node).await,
            Err(error) if !said => {
                tracing::warn!(%error, "the keys are locked: nothing is signed, and no signal leaves");
                said = true;
            }
            Err(error) => tracing::debug!(%error, "the keys are still locked"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Ends when it is found that this copy of the log lost what was cosigned: somewhere there is one that did not.
async fn lost(node: &Node) {
    let mut keys = node.journal.consensus().keys();
    let lost = keys.wait_for(|keys| matches!(keys, Some(Locked::Shorter { .. } | Locked::Forked { .. })));
    let Ok(Some(reason)) = lost.await.map(|keys| keys.clone()) else { return };
    tracing::error!(%reason, "the keys are locked for good");
    node.events.emit(&Event::KeysLost { reason: reason.to_string() });
    if matches!(node.journal.consensus().restored(), Ok(Some(_))) {
        std::future::pending::<()>().await;
    }
}

/// Why the keys stay locked for now.
#[derive(Debug, thiserror::Error)]
enum Unlock {
    #[error(transparent)]
    Refused(#[from] UnlockError),
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    #[error(transparent)]
    Store(#[from] hansa_consensus::StoreError),
}

async fn unlock(node: &Arc<Node>, impatient: bool) -> Result<(), Unlock> {
    let consensus = node.journal.consensus();
    let restored = consensus.restored()?.is_some_and(|restored| restored.epoch.is_none());
    let others = node.manifest().members.len().saturating_sub(1);
    let told = told(node).await;
    let mut needed = answers_needed(node.manifest().witnesses.quorum.into(), others, restored);
    if impatient && !restored && told.len() < needed {
        tracing::warn!(
            answered = told.len(),
            needed,
            "signing without knowing what was cosigned of this log"
        );
        needed = told.len();
    }
    let now = node.now();
    let epoch = node.manifest().epochs.at(now).unwrap_or(Epoch(0));
    let detail = format!("{} of {others} members told their last checkpoint of this log", told.len());
    let record = Operation { what: "unlock".to_owned(), detail, at: now };
    let leaf = node.journal.leaf(&Record::Operation(record))?;
    Ok(consensus.unlock(Unlocking { told, needed, epoch, leaf }).await?)
}

/// What each member that answered has cosigned last of this log, under this log's own signature.
async fn told(node: &Arc<Node>) -> Vec<Option<TreeHead>> {
    let mut told = Vec::new();
    for (bank, answer) in witness::latest_own(node).await {
        match answer {
            Ok(None) => told.push(None),
            Ok(Some(note)) => {
                let opened = Checkpoint::open(&note, node.journal.origin(), &node.log_key.public_key());
                match opened {
                    Ok(Checkpoint { size, root, .. }) => told.push(Some(TreeHead { size, root })),
                    Err(error) => tracing::warn!(%bank, %error, "a member cosigned what is no checkpoint"),
                }
            }
            Err(error) => tracing::debug!(%bank, %error, "a member did not tell what it cosigned"),
        }
    }
    told
}
