//! What may be copied of the log: the checkpoint published last, the tiles it covers, and the keys of its decisions.
//! Nothing beyond the checkpoint is shown, and nothing that is damaged.

use std::sync::Arc;

use hansa_api::Problem;
use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::disclosure::DisclosedKey;
use hansa_audit_log::envelope::Envelope;
use hansa_audit_log::note::SignedNote;
use hansa_audit_log::proof::TlogProof;
use hansa_audit_log::tiles::{Content, Tile, bundle};
use hansa_consensus::ReadError;
use hansa_types::record::RecordClass;

use crate::journal::JournalError;
use crate::node::Node;
use crate::service::journal_problem;

/// The signed checkpoint, and what it says.
pub(crate) fn checkpoint(node: &Node) -> Result<(SignedNote, Checkpoint), Problem> {
    let published = node.journal.consensus().published().map_err(|error| damaged(&error))?;
    let note = published.ok_or_else(|| {
        Problem::not_found("no checkpoint is published yet")
            .with_hint("the replica that leads signs one every node.checkpoint_seconds if the log has grown: ask it, or again")
    })?;
    // What the disk gave back is shown only if it is what this node signed.
    let checkpoint = Checkpoint::open(&note, node.journal.origin(), &node.log_key.public_key());
    Ok((note, checkpoint.map_err(|error| damaged(&error))?))
}

/// That an entry is in the log as published.
pub(crate) fn proof(node: &Node, index: u64) -> Result<TlogProof, Problem> {
    let (note, Checkpoint { size, .. }) = checkpoint(node)?;
    if index >= size {
        return Err(Problem::not_found(format!(
            "the published log has {size} entries, and none at {index} yet"
        )));
    }
    let path = node.journal.consensus().inclusion(index, size).map_err(|error| damaged(&error))?;
    Ok(TlogProof { extra: None, index, path, checkpoint: note })
}

/// A tile by its path.
pub(crate) async fn tile(node: &Arc<Node>, path: &str) -> Result<Vec<u8>, Problem> {
    let tile = path.parse::<Tile>().map_err(|error| Problem::not_found(format!("{path:?}: {error}")))?;
    let size = checkpoint(node)?.1.size;
    if tile.needs() > size {
        return Err(beyond(&tile, size));
    }
    read(node, tile).await
}

/// The keys of the decisions in a bundle, one behind the other. That they were given out is itself recorded first.
pub(crate) async fn decisions(node: &Arc<Node>, index: u64) -> Result<Vec<u8>, Problem> {
    let size = checkpoint(node)?.1.size;
    let Some(tile) = Tile::in_log(Content::Entries, index, size) else {
        return Err(Problem::not_found(format!("the published log of {size} entries has no bundle {index}")));
    };
    let bytes = read(node, tile).await?;
    let leaves = bundle::entries(&tile, &bytes).map_err(|error| damaged(&error))?;
    let (mut keys, mut count) = (Vec::new(), 0);
    for (leaf, index) in leaves.into_iter().zip(tile.start()..) {
        let envelope = Envelope::new(leaf.to_vec()).map_err(|error| damaged(&error))?;
        if envelope.class() == RecordClass::Decision {
            // What was erased has no key any more; the auditor sees that it is missing, and the erasure in the log.
            let leaf_key = match node.journal.leaf_key(index, &envelope) {
                Err(JournalError::Erased(_)) => continue,
                key => key.map_err(journal_problem)?.disclose(),
            };
            keys.extend(DisclosedKey { index, leaf_key }.to_bytes());
            count += 1;
        }
    }
    let detail = format!("the keys of {count} decisions in {tile}");
    node.log_operation("disclose-decisions", detail).await.map_err(journal_problem)?;
    Ok(keys)
}

/// Reads on a thread that may wait for the disk.
async fn read(node: &Arc<Node>, tile: Tile) -> Result<Vec<u8>, Problem> {
    let consensus = node.journal.consensus().clone();
    let read = tokio::task::spawn_blocking(move || consensus.tile(&tile)).await;
    match read.map_err(|error| Problem::internal(error.to_string()))? {
        Ok(bytes) => Ok(bytes),
        Err(ReadError::BeyondLog { have, .. }) => Err(beyond(&tile, have)),
        Err(error) => Err(damaged(&error)),
    }
}

fn beyond(tile: &Tile, size: u64) -> Problem {
    Problem::not_found(format!("{tile} is of a larger log than the published one of {size} entries"))
}

fn damaged(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "the log cannot be shown");
    Problem::internal(error.to_string())
}
