//! One bank's Raft group, its replicated state and its store.
//!
//! The third level of validity: whether something is *new*. A proposed [`Command`] is committed by the group, applied
//! alike on every replica, and answered with an [`Outcome`] once it is durable. What the state holds is the audit log
//! (sealed leaves and their Merkle tree), keyed indexes into it, encrypted current values, the bank's signal counters
//! and intents, and the nullifiers of all signals seen.
//!
//! This version runs a group of one replica, as a real Raft group whose entries are synced before they count.

pub mod command;
pub mod config;
pub mod error;
pub mod metrics;
pub mod outcome;

mod checkpoint;
mod proposer;
mod raft;
mod state;
mod store;

#[cfg(test)]
mod testing;

use std::sync::Arc;
use std::time::Duration;

use hansa_audit_log::envelope::Envelope;
use hansa_audit_log::merkle::Hash;
use hansa_types::hash::{Digest, Field};
use hansa_types::record::ScopeKey;
use hansa_types::verify::SignalVerifier;
use openraft::ServerState;
use openraft::error::{CheckIsLeaderError, RaftError};
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;

pub use crate::command::{Command, DocumentWrite, IndexTerm, Intent, Leaf, Unique};
pub use crate::config::ConsensusConfig;
pub use crate::error::{BarrierError, CheckpointError, OpenError, ProposeError, ReadError, StoreError};
pub use crate::outcome::Outcome;
pub use crate::state::{Document, PendingIntent, SignalState, TreeHead};

use crate::metrics::ConsensusMetrics;
use crate::proposer::{Proposer, why_stopped};
use crate::raft::{Raft, Snapshots};
use crate::state::StateMachine;
use crate::store::{Batch, Durability, RocksStore, Store, Table, read_u64};

/// The format of the data folder.
const FORMAT: u64 = 1;
/// Keys of [`Table::RaftMeta`].
const FORMAT_KEY: &[u8] = b"format";
const REPLICA_KEY: &[u8] = b"replica";
/// How long the first election may take.
const ELECTION_SECONDS: u64 = 60;

/// One replica of the bank's group.
pub struct Consensus {
    replica: u64,
    raft: Raft,
    state: Arc<StateMachine>,
    store: Arc<RocksStore>,
    proposer: Proposer,
    packing: JoinHandle<()>,
}

/// How this replica stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This replica.
    pub replica: u64,
    /// Who leads, if anybody is known to.
    pub leader: Option<u64>,
    /// Raft's term.
    pub term: u64,
    /// The index of the last Raft entry applied.
    pub applied: Option<u64>,
    /// How many leaves the audit log has.
    pub size: u64,
    /// Why this replica stopped, if it did.
    pub stopped: Option<String>,
}

impl Consensus {
    /// Opens the data folder, founding the group if it is new, and returns once this replica serves: every command
    /// ever acknowledged is applied. `verifier` is asked about every signal, on every replica.
    pub async fn open(
        config: &ConsensusConfig,
        verifier: Arc<SignalVerifier>,
        registry: &mut Registry,
    ) -> Result<Self, OpenError> {
        config.validate()?;
        let metrics = ConsensusMetrics::register(registry);
        let owned = config.clone();
        let (store, snapshots, state) = tokio::task::spawn_blocking(move || open_store(&owned, verifier))
            .await
            .map_err(|error| OpenError::Raft(error.to_string()))??;
        let raft = raft::start(config, store.clone(), state.clone(), snapshots, metrics.clone()).await?;
        let (proposer, packing) = Proposer::spawn(raft.clone(), config, metrics.clone());
        let consensus = Self { replica: config.replica, raft, state, store, proposer, packing };
        consensus.lead().await?;
        metrics.log_size.set(i64::try_from(consensus.size()).unwrap_or(i64::MAX));
        tracing::info!(replica = consensus.replica, size = consensus.size(), "consensus serves");
        Ok(consensus)
    }

    /// Proposes a command and waits until it is committed, applied, and hence durable. Any number of callers may wait
    /// at once; what waits together shares an fsync.
    pub async fn propose(&self, command: Command) -> Result<Outcome, ProposeError> {
        self.proposer.propose(&command).await
    }

    /// Returns once this replica has applied all that was committed before the call: a read after it is linearizable.
    pub async fn barrier(&self) -> Result<(), BarrierError> {
        match self.raft.ensure_linearizable().await {
            Ok(_) => Ok(()),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(to))) => {
                Err(BarrierError::NotLeader { leader: to.leader_id })
            }
            Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_))) => {
                Err(BarrierError::NotLeader { leader: None })
            }
            Err(RaftError::Fatal(error)) => Err(BarrierError::Stopped(error.to_string())),
        }
    }

    /// How this replica stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let size = self.size();
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        Status {
            replica: self.replica,
            leader: metrics.current_leader,
            term: metrics.current_term,
            applied: metrics.last_applied.map(|log_id| log_id.index),
            size,
            stopped: metrics.running_state.as_ref().err().map(ToString::to_string),
        }
    }

    /// Whether commands are taken: Raft runs and somebody leads.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let status = self.status();
        status.stopped.is_none() && status.leader.is_some() && !self.packing.is_finished()
    }

    /// How many leaves the audit log has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.state.size()
    }

    /// Size and root of the audit log.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.state.head()
    }

    /// The root of the audit log's first `size` leaves.
    pub fn root_at(&self, size: u64) -> Result<Hash, ReadError> {
        self.state.root_at(size)
    }

    /// A leaf.
    pub fn leaf(&self, index: u64) -> Result<Option<Envelope>, StoreError> {
        self.state.leaf(index)
    }

    /// The leaf that holds a unique key.
    pub fn find_unique(&self, key: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        self.state.find_unique(key)
    }

    /// The leaves under an index term, oldest first, at most `limit`.
    pub fn find_term(&self, term: &IndexTerm, limit: usize) -> Result<Vec<u64>, StoreError> {
        self.state.find_term(term, limit)
    }

    /// All documents of a collection, by key.
    pub fn documents(&self, collection: u8) -> Result<Vec<Document>, StoreError> {
        self.state.documents(collection)
    }

    /// One document's value.
    pub fn document(&self, collection: u8, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.state.document(collection, key)
    }

    /// An intent, sent or not.
    pub fn intent(&self, id: &Digest) -> Result<Option<Intent>, StoreError> {
        self.state.intent(id)
    }

    /// The intents that have no signal sent yet, in the order they were committed.
    pub fn pending_intents(&self) -> Result<Vec<PendingIntent>, StoreError> {
        self.state.pending_intents()
    }

    /// The counter that the next intent of a gateway and epoch spends.
    pub fn next_counter(&self, scope: &ScopeKey) -> Result<u32, StoreError> {
        self.state.next_counter(scope)
    }

    /// What is known of a nullifier.
    pub fn signal(&self, scope: &ScopeKey, nullifier: &Field) -> Result<Option<SignalState>, StoreError> {
        self.state.signal(scope, nullifier)
    }

    /// Calls `visit` for every nullifier known, by gateway and epoch.
    pub fn for_each_signal(&self, mut visit: impl FnMut(SignalState)) -> Result<(), StoreError> {
        self.state.for_each_signal(&mut visit)
    }

    /// Everything known of every nullifier, by gateway and epoch.
    pub fn signals(&self) -> Result<Vec<SignalState>, StoreError> {
        let mut signals = Vec::new();
        self.for_each_signal(|state| signals.push(state))?;
        Ok(signals)
    }

    /// The audit path of a leaf in the tree of the first `size` leaves.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.state.inclusion(index, size)
    }

    /// The proof that the tree of `new` leaves extends that of `old`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        self.state.consistency(old, new)
    }

    /// The size and root that were last recorded for signing.
    pub fn last_checkpoint(&self) -> Result<Option<TreeHead>, StoreError> {
        self.state.last_checkpoint()
    }

    /// Takes a snapshot of the state now, and lets the log before it be purged.
    pub async fn snapshot(&self) -> Result<(), ProposeError> {
        let trigger = self.raft.trigger().snapshot().await;
        trigger.map_err(|error| ProposeError::Stopped(error.to_string()))
    }

    /// Stops Raft; commands still waiting are answered as stopped.
    pub async fn shutdown(&self) {
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "Raft did not stop cleanly");
        }
        self.packing.abort();
    }

    /// Has this replica elected where it does not lead yet, and waits until it serves.
    async fn lead(&self) -> Result<(), OpenError> {
        let failed = || OpenError::Raft(why_stopped(&self.raft));
        if self.raft.metrics().borrow().state != ServerState::Leader {
            self.raft.trigger().elect().await.map_err(|_| failed())?;
        }
        let wait = self.raft.wait(Some(Duration::from_secs(ELECTION_SECONDS)));
        if wait.state(ServerState::Leader, "to lead").await.is_err() {
            let stopped = self.raft.metrics().borrow().running_state.is_err();
            return Err(if stopped { failed() } else { OpenError::NoLeader { seconds: ELECTION_SECONDS } });
        }
        self.barrier().await.map_err(|error| OpenError::Raft(error.to_string()))
    }
}

impl Drop for Consensus {
    fn drop(&mut self) {
        self.packing.abort();
    }
}

type Opened = (Arc<RocksStore>, Snapshots, Arc<StateMachine>);

fn open_store(config: &ConsensusConfig, verifier: Arc<SignalVerifier>) -> Result<Opened, OpenError> {
    let dir = config.data_dir.join("db");
    std::fs::create_dir_all(&dir)
        .map_err(|source| OpenError::Folder { dir: dir.display().to_string(), source })?;
    let store = RocksStore::open(&dir, config.cache_mib << 20)?;
    check_owner(&*store, config.replica)?;
    let snapshots = Snapshots::open(store.clone(), config.data_dir.join("snapshots"))?;
    let state = Arc::new(StateMachine::load(store.clone(), verifier)?);
    Ok((store, snapshots, state))
}

/// Marks a new data folder, and refuses one of another format or replica.
fn check_owner(store: &dyn Store, replica: u64) -> Result<(), OpenError> {
    let number = |key| store.get(Table::RaftMeta, key)?.map(|b| read_u64(Table::RaftMeta, &b)).transpose();
    match number(FORMAT_KEY)? {
        None => {
            let mut batch = Batch::default();
            batch.put(Table::RaftMeta, FORMAT_KEY, FORMAT.to_be_bytes());
            batch.put(Table::RaftMeta, REPLICA_KEY, replica.to_be_bytes());
            store.write(batch, Durability::Synced)?;
        }
        Some(FORMAT) => {}
        Some(found) => return Err(OpenError::Format { found, known: FORMAT }),
    }
    match number(REPLICA_KEY)? {
        Some(found) if found != replica => Err(OpenError::OtherReplica { found, wanted: replica }),
        _ => Ok(()),
    }
}
