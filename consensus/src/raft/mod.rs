//! openraft 0.9 on our store: types, log, state machine, snapshots. No other module but the facade names openraft.

mod codec;
mod log_store;
mod machine;
mod network;
mod snapshot;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use openraft::{BasicNode, Config, SnapshotPolicy};

use crate::config::ConsensusConfig;
use crate::error::OpenError;
use crate::metrics::ConsensusMetrics;
use crate::outcome::Outcome;
use crate::state::StateMachine;
use crate::store::{RocksStore, Store};

pub(crate) use self::codec::Packed;
pub(crate) use self::snapshot::Snapshots;

openraft::declare_raft_types!(
    /// The types our group is built of.
    pub(crate) TypeConfig:
        D = Packed,
        R = Vec<Outcome>,
        NodeId = u64,
        Node = BasicNode,
        Entry = openraft::Entry<TypeConfig>,
        SnapshotData = PathBuf,
        AsyncRuntime = openraft::TokioRuntime,
);

/// The group as seen from this replica.
pub(crate) type Raft = openraft::Raft<TypeConfig>;
pub(crate) type LogId = openraft::LogId<u64>;

/// How many entries at once are deleted from the log: many small range deletions slow RocksDB's reads.
const PURGE_BATCH: u64 = 10_000;
/// How many entries one message to a peer carries at the most.
const MAX_PAYLOAD_ENTRIES: u64 = 64;

/// Starts Raft, and founds the group on the first start.
pub(crate) async fn start(
    config: &ConsensusConfig,
    store: Arc<RocksStore>,
    state: Arc<StateMachine>,
    snapshots: Snapshots,
    metrics: ConsensusMetrics,
) -> Result<Raft, OpenError> {
    let started = |error: &dyn std::fmt::Display| OpenError::Raft(error.to_string());
    let raft_config = Config {
        cluster_name: "hansa".to_owned(),
        heartbeat_interval: config.heartbeat_ms,
        election_timeout_min: config.election_min_ms,
        election_timeout_max: config.election_max_ms,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(config.snapshot_entries),
        max_in_snapshot_log_to_keep: config.keep_entries,
        purge_batch_size: PURGE_BATCH.min(config.snapshot_entries),
        max_payload_entries: MAX_PAYLOAD_ENTRIES,
        ..Config::default()
    };
    let raft_config = Arc::new(raft_config.validate().map_err(|error| started(&error))?);
    let log = log_store::LogStore::new(store.clone() as Arc<dyn Store>, metrics.clone());
    let machine = machine::Machine::new(state, snapshots, metrics);
    let raft = Raft::new(config.replica, raft_config, network::NoPeers, log, machine)
        .await
        .map_err(|error| started(&error))?;
    if !raft.is_initialized().await.map_err(|error| started(&error))? {
        let address = config.replicas.first().map(|replica| replica.address.clone()).unwrap_or_default();
        let members = BTreeMap::from([(config.replica, BasicNode::new(address))]);
        raft.initialize(members).await.map_err(|error| started(&error))?;
    }
    Ok(raft)
}
