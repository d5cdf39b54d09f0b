//! openraft 0.9 on our store: types, log, state machine, snapshots. No other module but the facade names openraft.

mod codec;
mod log_store;
mod machine;
mod network;
mod refound;
mod runtime;
mod snapshot;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use hansa_types::codec::Decode as _;
use openraft::{Config, SnapshotPolicy, Vote};
use tokio::sync::{broadcast, watch};

use crate::config::ConsensusConfig;
use crate::error::OpenError;
use crate::metrics::ConsensusMetrics;
use crate::net::Client;
use crate::outcome::Outcome;
use crate::replica::Replica;
use crate::state::{Change, StateMachine};
use crate::store::Store;

pub(crate) use self::codec::{
    Applied, MAX_ENTRY, Packed, entry_from_bytes, entry_to_bytes, length_hint, read_optional_log_id,
    read_stored_membership, read_vote, write_optional_log_id, write_stored_membership, write_vote,
};
#[cfg(any(test, feature = "simulation"))]
pub(crate) use self::codec::{entry_log_id, vote_from_bytes};
#[cfg(any(test, feature = "simulation"))]
pub(crate) use self::log_store::VOTE;
pub(crate) use self::log_store::last_log_id;
pub(crate) use self::refound::{applied_index, refound};
pub(crate) use self::runtime::random;
#[cfg(any(test, feature = "simulation"))]
pub(crate) use self::runtime::seeded;
pub(crate) use self::snapshot::{SnapshotStore, Snapshots};

openraft::declare_raft_types!(
    /// The types our group is built of.
    pub(crate) TypeConfig:
        D = Packed,
        R = Vec<Outcome>,
        NodeId = u64,
        Node = Replica,
        Entry = openraft::Entry<TypeConfig>,
        SnapshotData = PathBuf,
        AsyncRuntime = runtime::Runtime,
);

/// The group as seen from this replica.
pub(crate) type Raft = openraft::Raft<TypeConfig>;
pub(crate) type LogId = openraft::LogId<u64>;

/// How many entries at once are deleted from the log: many small range deletions slow RocksDB's reads.
const PURGE_BATCH: u64 = 10_000;
/// How many entries one message to a peer carries at the most.
const MAX_PAYLOAD_ENTRIES: u64 = 64;

/// The index of the entry whose place was stored as these bytes.
pub(crate) fn log_index(place: &[u8]) -> Option<u64> {
    let applied = Applied::from_bytes(place).ok()?;
    applied.log_id.map(|log_id| log_id.index)
}

/// Starts Raft on what the store holds. Whoever is to found a group initialises it afterwards.
pub(crate) async fn start(
    config: &ConsensusConfig,
    client: Option<Client>,
    parts: Parts,
    metrics: ConsensusMetrics,
) -> Result<(Raft, watch::Receiver<Option<Vote<u64>>>), OpenError> {
    let started = |error: &dyn std::fmt::Display| OpenError::Raft(error.to_string());
    let raft_config = Config {
        cluster_name: "hansa".to_owned(),
        heartbeat_interval: config.heartbeat_ms,
        // When to stand is decided in `election`; what is left of openraft's timer is the lease.
        enable_elect: false,
        election_timeout_min: config.heartbeat_ms + 1,
        election_timeout_max: config.lease().as_millis() as u64,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(config.snapshot_entries),
        max_in_snapshot_log_to_keep: config.keep_entries,
        purge_batch_size: PURGE_BATCH.min(config.snapshot_entries),
        max_payload_entries: MAX_PAYLOAD_ENTRIES,
        ..Config::default()
    };
    let raft_config = Arc::new(raft_config.validate().map_err(|error| started(&error))?);
    let Parts { store, state, snapshots, changes } = parts;
    let machine = machine::Machine::new(state, snapshots, changes, metrics.clone());
    let (machine, applied) = machine.map_err(|error| started(&error))?;
    let mut log = log_store::LogStore::new(store, applied, metrics);
    log.resign(config.replica).await.map_err(|error| started(&error))?;
    let (voted, votes) = watch::channel(None);
    let raft = Raft::new(config.replica, raft_config, network::Peers { client, voted }, log, machine).await;
    Ok((raft.map_err(|error| started(&error))?, votes))
}

/// What Raft works on.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) state: Arc<StateMachine>,
    pub(crate) snapshots: Arc<dyn SnapshotStore>,
    pub(crate) changes: broadcast::Sender<Change>,
}
