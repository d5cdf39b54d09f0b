//! Asked by another member: cosign, say what was cosigned last, compare, or prove.

use std::sync::Arc;

use hansa_audit_log::cosignature;
use hansa_audit_log::witness::{AddCheckpoint, LogKey, WitnessRefusal, check};
use hansa_consensus::{Command, Outcome};
use hansa_p2p::{PeerId, RequestId};
use hansa_types::codec::{Decode, Encode};
use hansa_types::witness::{WitnessRequest, WitnessResponse};

use super::{comparing, forks};
use crate::journal::JournalError;
use crate::node::Node;

/// How often a request is checked anew because another one came in between.
const ATTEMPTS: usize = 3;
/// The status of what could not be decided now.
const UNAVAILABLE: u16 = 503;

/// Answers one request. How many run at once is bounded for each member by the network.
pub(crate) async fn answer(node: Arc<Node>, id: RequestId, from: PeerId, bytes: Vec<u8>) {
    let response = match WitnessRequest::from_bytes(&bytes) {
        Ok(WitnessRequest::Add(request)) => add(&node, from, &request).await,
        Ok(WitnessRequest::Latest(origin)) => latest(&node, &origin).await,
        Ok(WitnessRequest::Compare(notes)) => {
            comparing::compare(&node, &notes).await;
            WitnessResponse::Compared(comparing::known(&node))
        }
        Ok(WitnessRequest::Prove { old, new }) => prove(&node, old, new).await,
        Err(error) => {
            tracing::warn!(%from, %error, "a member sent a request that does not decode");
            refuse(400, None)
        }
    };
    if let WitnessResponse::Refused { status, .. } = &response {
        node.metrics.witness_answered(*status);
    }
    if let Err(error) = node.network.respond(id, response.to_bytes()).await {
        tracing::debug!(%error, "an answer was not sent");
    }
}

fn refuse(status: u16, size: Option<u64>) -> WitnessResponse {
    WitnessResponse::Refused { status, size }
}

/// Cosigns a checkpoint of another member's log, once that it was seen is committed.
async fn add(node: &Node, from: PeerId, bytes: &[u8]) -> WitnessResponse {
    if let Err(locked) = node.journal.consensus().keys_open() {
        tracing::warn!(%locked, "nothing is cosigned");
        return refuse(UNAVAILABLE, None);
    }
    match cosign(node, from, bytes).await {
        Ok(Ok(lines)) => {
            node.metrics.witness_answered(200);
            WitnessResponse::Cosigned(lines)
        }
        Ok(Err(refusal)) => {
            tracing::info!(%refusal, "a checkpoint is not cosigned");
            refuse(refusal.status(), refusal.known_size())
        }
        Err(error) => {
            tracing::warn!(%error, "a checkpoint cannot be judged now");
            refuse(UNAVAILABLE, None)
        }
    }
}

async fn cosign(
    node: &Node,
    from: PeerId,
    bytes: &[u8],
) -> Result<Result<Vec<u8>, WitnessRefusal>, JournalError> {
    let request = match AddCheckpoint::parse(bytes) {
        Ok(request) => request,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let origin = request.unverified_origin();
    let manifest = node.manifest();
    let Some((bank, member)) = manifest.log_owner(origin).filter(|(bank, _)| **bank != node.bank) else {
        return Ok(Err(WitnessRefusal::UnknownOrigin(origin.to_owned())));
    };
    let log = LogKey { origin, key: &member.log_key };
    let consensus = node.journal.consensus();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let kept = consensus.witnessed(origin)?;
        let old = kept.as_ref().map(|kept| kept.seen);
        let accepted = match check(old.as_ref(), &log, &request) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                let evidence = match refusal {
                    WitnessRefusal::Fork { .. } => true,
                    // Anybody could send a log's checkpoint with a false proof: only its own bank is suspected for it.
                    WitnessRefusal::BadProof { .. } => node.bank_of(&from).as_ref() == Some(bank),
                    _ => false,
                };
                if let Some(kept) = kept.filter(|_| evidence) {
                    forks::keep(node, bank, kept.note, request.checkpoint).await?;
                }
                return Ok(Err(refusal));
            }
        };
        let note = comparing::by_log_alone(node, bank, &request.checkpoint);
        let command =
            Command::Witness { origin: origin.to_owned(), old, new: accepted.seen, note: note.into_bytes() };
        match node.journal.propose(command).await? {
            Outcome::Witnessed => {
                let text = accepted.checkpoint.to_string();
                let signed =
                    cosignature::sign(&text, node.now().0, &node.cosigning.name, &*node.cosigning.key);
                return match signed {
                    Ok(signature) => Ok(Ok(format!("{signature}\n").into_bytes())),
                    Err(error) => Err(JournalError::Cosign(error)),
                };
            }
            Outcome::WitnessRefused { seen } if attempts == ATTEMPTS => {
                let known = seen.map_or(0, |seen| seen.size);
                return Ok(Err(WitnessRefusal::Conflict { known }));
            }
            // Another request came in between: what it left is what this one is checked against.
            _ => {}
        }
    }
}

/// The checkpoint of a log that this bank remembers: for the log's own bank, after it was restored.
async fn latest(node: &Node, origin: &str) -> WitnessResponse {
    let consensus = node.journal.consensus();
    // An old answer could let a restored node sign what it must not.
    if let Err(error) = consensus.barrier().await {
        tracing::warn!(%error, "the latest checkpoint of a log cannot be told now");
        return refuse(UNAVAILABLE, None);
    }
    match consensus.witnessed(origin) {
        Ok(kept) => WitnessResponse::Latest(kept.map(|kept| kept.note.to_string().into_bytes())),
        Err(error) => {
            tracing::error!(%error, "the witness state cannot be read");
            refuse(UNAVAILABLE, None)
        }
    }
}

/// That this bank's own log extends what it was, between two sizes that the asking member saw.
async fn prove(node: &Node, old: u64, new: u64) -> WitnessResponse {
    let consensus = node.journal.consensus();
    if let Err(error) = consensus.barrier().await {
        tracing::warn!(%error, "no consistency proof can be given now");
        return refuse(UNAVAILABLE, None);
    }
    match consensus.consistency(old, new) {
        Ok(hashes) => WitnessResponse::Proof(hashes),
        Err(error) => {
            tracing::warn!(old, new, %error, "a member asked for a consistency proof that this log cannot give");
            refuse(400, Some(consensus.size()))
        }
    }
}
