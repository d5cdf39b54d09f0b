//! The configuration of one replica.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most commands that may be packed into one entry.
const MAX_BATCH_COMMANDS: usize = 65_536;
/// The most bytes that may be packed into one entry.
const MAX_BATCH_BYTES: usize = 64 << 20;
/// A heartbeat below this loads the network for nothing.
const MIN_HEARTBEAT_MS: u64 = 10;

/// How one replica of the bank's group runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsensusConfig {
    /// The folder of database and snapshots.
    pub data_dir: PathBuf,
    /// This replica's number in the group.
    pub replica: u64,
    /// All replicas of the group; empty for a group of this one alone.
    pub replicas: Vec<ReplicaConfig>,
    /// How many commands may wait before more are refused as busy.
    pub queue_limit: usize,
    /// The most commands packed into one entry, which costs one fsync.
    pub batch_commands: usize,
    /// The most bytes packed into one entry.
    pub batch_bytes: usize,
    /// The leader's heartbeat in milliseconds.
    pub heartbeat_ms: u64,
    /// How long a follower waits for a heartbeat at the least, in milliseconds.
    pub election_min_ms: u64,
    /// How long a follower waits for a heartbeat at the most, in milliseconds.
    pub election_max_ms: u64,
    /// After how many entries a snapshot is taken and the log purged.
    pub snapshot_entries: u64,
    /// How many entries stay in the log behind a snapshot.
    pub keep_entries: u64,
    /// The cache of database blocks, in MiB.
    pub cache_mib: usize,
}

/// One replica of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaConfig {
    /// Its number.
    pub id: u64,
    /// Where it listens for the others.
    pub address: String,
}

impl Default for ConsensusConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data/consensus"),
            replica: 1,
            replicas: Vec::new(),
            queue_limit: 16_384,
            batch_commands: 4_096,
            batch_bytes: 8 << 20,
            heartbeat_ms: 100,
            election_min_ms: 400,
            election_max_ms: 800,
            snapshot_entries: 50_000,
            keep_entries: 10_000,
            cache_mib: 64,
        }
    }
}

/// Why a configuration cannot be run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// More replicas than this version runs.
    #[error(
        "consensus.replicas names {0} replicas: this version runs a group of one; replication between zones arrives \
         with the next version"
    )]
    Replicated(usize),
    /// The replica itself is not named.
    #[error("consensus.replicas does not name this replica, number {0}")]
    NotNamed(u64),
    /// A number out of its bounds.
    #[error("consensus.{field} is {value}: {wanted}")]
    OutOfBounds {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What it should be.
        wanted: &'static str,
    },
}

impl ConsensusConfig {
    /// Refuses what cannot be run.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.replicas.len() > 1 {
            return Err(ConfigError::Replicated(self.replicas.len()));
        }
        if !self.replicas.is_empty() && self.replicas.iter().all(|replica| replica.id != self.replica) {
            return Err(ConfigError::NotNamed(self.replica));
        }
        let in_bounds = |field, value: u64, ok: bool, wanted| match ok {
            true => Ok(()),
            false => Err(ConfigError::OutOfBounds { field, value, wanted }),
        };
        let (commands, bytes) = (self.batch_commands, self.batch_bytes);
        in_bounds("queue_limit", self.queue_limit as u64, self.queue_limit > 0, "must be at least 1")?;
        in_bounds(
            "batch_commands",
            commands as u64,
            (1..=MAX_BATCH_COMMANDS).contains(&commands),
            "1 to 65536",
        )?;
        in_bounds("batch_bytes", bytes as u64, (1..=MAX_BATCH_BYTES).contains(&bytes), "1 to 67108864")?;
        in_bounds("heartbeat_ms", self.heartbeat_ms, self.heartbeat_ms >= MIN_HEARTBEAT_MS, "at least 10")?;
        let patient = self.election_min_ms > self.heartbeat_ms * 2;
        in_bounds("election_min_ms", self.election_min_ms, patient, "more than two heartbeats")?;
        let spread = self.election_max_ms > self.election_min_ms;
        in_bounds("election_max_ms", self.election_max_ms, spread, "more than election_min_ms")?;
        in_bounds("snapshot_entries", self.snapshot_entries, self.snapshot_entries > 0, "at least 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(id: u64) -> ReplicaConfig {
        ReplicaConfig { id, address: format!("127.0.0.1:{id}") }
    }

    #[test]
    fn the_default_runs_and_more_than_one_replica_does_not() {
        assert_eq!(ConsensusConfig::default().validate(), Ok(()));
        let with = |replicas: Vec<ReplicaConfig>| ConsensusConfig { replicas, ..ConsensusConfig::default() };
        assert_eq!(with(vec![replica(1)]).validate(), Ok(()));
        assert_eq!(with(vec![replica(2)]).validate(), Err(ConfigError::NotNamed(1)));
        let three = with(vec![replica(1), replica(2), replica(3)]).validate().unwrap_err();
        assert!(three.to_string().contains("replication between zones arrives with the next version"));
    }

    #[test]
    fn numbers_out_of_bounds_are_named() {
        let default = ConsensusConfig::default();
        for config in [
            ConsensusConfig { queue_limit: 0, ..default.clone() },
            ConsensusConfig { batch_commands: 0, ..default.clone() },
            ConsensusConfig { batch_bytes: MAX_BATCH_BYTES + 1, ..default.clone() },
            ConsensusConfig { heartbeat_ms: 1, ..default.clone() },
            ConsensusConfig { election_min_ms: 150, ..default.clone() },
            ConsensusConfig { election_max_ms: 400, ..default.clone() },
            ConsensusConfig { snapshot_entries: 0, ..default.clone() },
        ] {
            assert!(matches!(config.validate(), Err(ConfigError::OutOfBounds { .. })), "{config:?}");
        }
    }
}
