//! Witness: every bank cosigns every other bank's log, and all compare what they were shown.
//!
//! Schedule -> sign own checkpoint -> ask every member (`asking`) -> policy met? -> published. Asked by others, the state
//! is checked and changed in one Raft entry before the cosignature leaves (`answering`). Then each tells each what
//! checkpoints it saw, and two that cannot both be true are kept (`comparing`, `forks`).
//!
//! The schedule is fixed and does not follow the log: who watches the wire learns nothing of when payments come.

mod answering;
mod asking;
mod comparing;
mod forks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hansa_audit_log::note::{KeyError, KeyType, SignedNote, VerifierKey};
use hansa_audit_log::policy::Policy;
use hansa_p2p::RequestError;
use hansa_types::codec::{CodecError, Decode, Encode};
use hansa_types::id::BankId;
use hansa_types::manifest::Manifest;
use hansa_types::sign::Signer;
use hansa_types::witness::{WitnessRequest, WitnessResponse};
use tokio::task::JoinSet;

pub(crate) use self::answering::answer;
pub(crate) use self::forks::{KeptFork, kept};

use crate::node::Node;

/// After how many intervals in a row without enough cosignatures it is an error and no longer a warning.
pub(crate) const MISSED_ALERT: u32 = 3;

/// What a bank cosigns with, and what it knows of its witnesses.
pub(crate) struct Cosigning {
    /// The one key that this bank cosigns with.
    key: Box<dyn Signer>,
    /// The name it cosigns under.
    name: String,
    state: Mutex<State>,
}

/// What is only remembered until the node stops: lost, it is learned again.
#[derive(Default)]
struct State {
    /// The size of this bank's log that each witness cosigned last.
    cosigned: BTreeMap<BankId, u64>,
    /// Intervals in a row in which too few cosigned.
    missed: u32,
    /// Checkpoints larger than what this bank remembers, told by others.
    doubts: BTreeMap<BankId, SignedNote>,
}

impl Cosigning {
    /// The part that `bank` has in the consortium.
    pub(crate) fn new(manifest: &Manifest, bank: &BankId, key: Box<dyn Signer>) -> Result<Self, KeyError> {
        // What names and keys cannot stand in a checkpoint is found at the start.
        Policy::of(manifest, bank)?;
        Ok(Self { key, name: manifest.witness_name(bank), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Changed by whole insertions, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a member gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// No member of this name can be asked.
    #[error("{0} is not a member that can be asked")]
    NoMember(BankId),
    /// The network.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Bytes that are no answer.
    #[error("the answer does not decode: {0}")]
    Codec(#[from] CodecError),
    /// An answer to another question, or one that is not true.
    #[error("the answer cannot be used: {0}")]
    Answer(String),
}

/// Asks, compares, and again: every `interval`, whether or not anything happened.
pub(crate) async fn run(node: Arc<Node>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        asking::round(&node).await;
        comparing::round(&node).await;
    }
}

/// The latest checkpoint of this bank's own log that each other member cosigned, as each says and its signatures prove:
/// what a restored node must hear before it signs again.
pub(crate) async fn latest_own(node: &Arc<Node>) -> Vec<(BankId, Result<Option<SignedNote>, AskError>)> {
    let origin = node.journal.origin().to_owned();
    let asked = ask_all(node, |_| WitnessRequest::Latest(origin.clone())).await;
    let log = VerifierKey::new(KeyType::Ed25519, &origin, node.log_key.public_key());
    let check = |response| match response {
        WitnessResponse::Latest(None) => Ok(None),
        WitnessResponse::Latest(Some(note)) => {
            let refused = |error: &dyn std::fmt::Display| AskError::Answer(error.to_string());
            let note = SignedNote::parse(&note).map_err(|error| refused(&error))?;
            let key = log.as_ref().map_err(|error| refused(error))?;
            note.open(std::slice::from_ref(key)).map_err(|error| refused(&error))?;
            Ok(Some(note))
        }
        other => Err(AskError::Answer(format!("{other:?}"))),
    };
    asked.into_iter().map(|(bank, response)| (bank, response.and_then(check))).collect()
}

/// Asks one member.
async fn ask(node: &Node, bank: &BankId, request: &WitnessRequest) -> Result<WitnessResponse, AskError> {
    let peer = node.peer_of(bank).ok_or_else(|| AskError::NoMember(bank.clone()))?;
    let answer = node.network.request(peer, request.to_bytes()).await?;
    Ok(WitnessResponse::from_bytes(&answer)?)
}

/// Asks every other member at once.
async fn ask_all(
    node: &Arc<Node>,
    request: impl Fn(&BankId) -> WitnessRequest,
) -> Vec<(BankId, Result<WitnessResponse, AskError>)> {
    let mut asking = JoinSet::new();
    for bank in node.others() {
        let (node, request) = (node.clone(), request(&bank));
        asking.spawn(async move {
            let answer = ask(&node, &bank, &request).await;
            (bank, answer)
        });
    }
    asking.join_all().await
}
