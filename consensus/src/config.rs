//! The configuration of one replica.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hansa_types::country::Country;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::net::TlsConfig;
use crate::replica::Levels;

/// The most commands that may be packed into one entry.
const MAX_BATCH_COMMANDS: usize = 65_536;
/// The most bytes that may be packed into one entry.
const MAX_BATCH_BYTES: usize = 64 << 20;
/// The leader's lease in heartbeats.
const LEASE_HEARTBEATS: u64 = 2;
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
    /// The group as it is to be, of 1, 3 or 5 replicas with this one; empty for a group of this one alone. All of them
    /// found it together; once founded, the group itself knows its members.
    pub replicas: Vec<ReplicaConfig>,
    /// The certificates of replication; needed by a group of several.
    pub tls: Option<TlsConfig>,
    /// Where to listen for the other replicas, if it is not this replica's address.
    pub listen: Option<SocketAddr>,
    /// How many commands may wait before more are refused as busy.
    pub queue_limit: usize,
    /// The most commands packed into one entry, which costs one fsync.
    pub batch_commands: usize,
    /// The most bytes packed into one entry.
    pub batch_bytes: usize,
    /// How long a command waits for a leader with a quorum before it is given up, in milliseconds.
    pub propose_ms: u64,
    /// The leader's heartbeat in milliseconds.
    pub heartbeat_ms: u64,
    /// How long a follower hears no leader, at the least, before it stands for election, in milliseconds.
    pub election_min_ms: u64,
    /// How long at the most. Each waits for another time in between, so that not all stand at once.
    pub election_max_ms: u64,
    /// After how many entries a snapshot is taken and the log purged.
    pub snapshot_entries: u64,
    /// How many entries stay in the log behind a snapshot.
    pub keep_entries: u64,
    /// The cache of database blocks, in MiB.
    pub cache_mib: usize,
    /// Holds this replica back to an older version of the replicated state, to rehearse an upgrade.
    pub level_limit: Option<u32>,
    /// What the program understands: that of this release, unless a test stands in for another one.
    #[serde(skip)]
    pub release: Levels,
}

/// One replica of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaConfig {
    /// Its number.
    pub id: u64,
    /// Where it listens for the others: host and port.
    pub address: String,
    /// The failure domain that it stands in.
    #[serde(default)]
    pub zone: String,
    /// The country whose law reaches its disk (ISO 3166-1 alpha-2).
    pub jurisdiction: Option<Country>,
}

/// `[records]`: where records may lie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordsConfig {
    /// The countries in which replicas may stand; empty for no rule.
    pub jurisdictions: BTreeSet<Country>,
}

impl Default for ConsensusConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data/consensus"),
            replica: 1,
            replicas: Vec::new(),
            tls: None,
            listen: None,
            queue_limit: 16_384,
            batch_commands: 4_096,
            batch_bytes: 4 << 20,
            propose_ms: 5_000,
            heartbeat_ms: 100,
            election_min_ms: 300,
            election_max_ms: 450,
            snapshot_entries: 50_000,
            keep_entries: 10_000,
            cache_mib: 64,
            level_limit: None,
            release: Levels::OURS,
        }
    }
}

/// Why a configuration cannot be run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Only groups of these sizes can lose one replica more than the next smaller size.
    #[error("consensus.replicas names {0} replicas: name the group as it is to be, of 1, 3 or 5")]
    Count(usize),
    /// A replica is named twice.
    #[error("consensus.replicas names replica {0} twice")]
    Twice(u64),
    /// A replica stands where records must not lie.
    #[error(
        "replica {id} stands in {found}, and records.jurisdictions permits {permitted}: move it, or change the rule"
    )]
    Jurisdiction {
        /// Which replica.
        id: u64,
        /// Where it stands.
        found: String,
        /// Where replicas may stand.
        permitted: String,
    },
    /// The replica's own address cannot be listened on.
    #[error("consensus.replicas: {address} names no address to listen on; set consensus.listen")]
    Address {
        /// The address configured.
        address: String,
    },
    /// A version that this program does not have.
    #[error("consensus.level_limit is {0}: this program runs {ours}", ours = Levels::OURS)]
    LevelLimit(u32),
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
    pub fn validate(&self, records: &RecordsConfig) -> Result<(), ConfigError> {
        for (at, replica) in self.replicas.iter().enumerate() {
            if self.replicas[..at].iter().any(|other| other.id == replica.id) {
                return Err(ConfigError::Twice(replica.id));
            }
            records.permit(replica.id, replica.jurisdiction)?;
        }
        if !matches!(self.replicas.len(), 0 | 1 | 3 | 5) {
            return Err(ConfigError::Count(self.replicas.len()));
        }
        if !self.replicas.is_empty() && self.own().is_none() {
            return Err(ConfigError::NotNamed(self.replica));
        }
        if let Some(limit) = self.level_limit.filter(|limit| !self.release.includes(*limit)) {
            return Err(ConfigError::LevelLimit(limit));
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
        let patient = self.election_min_ms > self.heartbeat_ms * LEASE_HEARTBEATS;
        in_bounds("election_min_ms", self.election_min_ms, patient, "more than two heartbeats")?;
        let spread = self.election_max_ms > self.election_min_ms;
        in_bounds("election_max_ms", self.election_max_ms, spread, "more than election_min_ms")?;
        in_bounds("propose_ms", self.propose_ms, self.propose_ms > 0, "at least 1")?;
        in_bounds("snapshot_entries", self.snapshot_entries, self.snapshot_entries > 0, "at least 1")
    }

    /// This replica as it is configured.
    pub(crate) fn own(&self) -> Option<&ReplicaConfig> {
        self.replicas.iter().find(|replica| replica.id == self.replica)
    }

    /// Which versions of the state this replica admits to.
    pub(crate) fn levels(&self) -> Levels {
        Levels { newest: self.level_limit.unwrap_or(self.release.newest), ..self.release }
    }

    /// How long after it heard the leader a replica votes for nobody else.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms * LEASE_HEARTBEATS)
    }

    /// How long a leader goes on without hearing from a quorum.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.election_max_ms * 2)
    }

    /// How long a command waits for a leader.
    pub(crate) fn propose_time(&self) -> Duration {
        Duration::from_millis(self.propose_ms)
    }
}

impl RecordsConfig {
    /// Refuses a replica that stands where records must not lie.
    pub(crate) fn permit(&self, id: u64, jurisdiction: Option<Country>) -> Result<(), ConfigError> {
        if self.jurisdictions.is_empty()
            || jurisdiction.is_some_and(|found| self.jurisdictions.contains(&found))
        {
            return Ok(());
        }
        let found = jurisdiction.map_or_else(|| "no jurisdiction".to_owned(), |found| found.to_string());
        let permitted: Vec<_> = self.jurisdictions.iter().map(Country::as_str).collect();
        Err(ConfigError::Jurisdiction { id, found, permitted: permitted.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(id: u64, jurisdiction: &str) -> ReplicaConfig {
        let jurisdiction = (!jurisdiction.is_empty()).then(|| jurisdiction.try_into().unwrap());
        ReplicaConfig { id, address: format!("127.0.0.1:{id}"), zone: format!("zone-{id}"), jurisdiction }
    }

    fn with(replicas: Vec<ReplicaConfig>) -> ConsensusConfig {
        ConsensusConfig { replicas, ..ConsensusConfig::default() }
    }

    #[test]
    fn the_default_runs_and_a_group_names_each_replica_once() {
        let no_rule = RecordsConfig::default();
        assert_eq!(ConsensusConfig::default().validate(&no_rule), Ok(()));
        let three = vec![replica(1, ""), replica(2, ""), replica(3, "")];
        assert_eq!(with(three).validate(&no_rule), Ok(()));
        assert_eq!(with(vec![replica(2, "")]).validate(&no_rule), Err(ConfigError::NotNamed(1)));
        assert_eq!(with(vec![replica(1, ""), replica(2, "")]).validate(&no_rule), Err(ConfigError::Count(2)));
        let twice = with(vec![replica(1, ""), replica(1, ""), replica(3, "")]).validate(&no_rule);
        assert_eq!(twice, Err(ConfigError::Twice(1)));
        let limited = ConsensusConfig { level_limit: Some(99), ..ConsensusConfig::default() };
        assert_eq!(limited.validate(&no_rule), Err(ConfigError::LevelLimit(99)));
    }

    #[test]
    fn a_zone_outside_the_permitted_jurisdictions_is_refused() {
        let rule = RecordsConfig { jurisdictions: ["DE", "FR"].map(|c| c.try_into().unwrap()).into() };
        assert_eq!(with(vec![replica(1, "DE"), replica(2, "FR"), replica(3, "DE")]).validate(&rule), Ok(()));
        for elsewhere in ["US", ""] {
            let refused = with(vec![replica(1, "DE"), replica(2, elsewhere), replica(3, "DE")]);
            let refused = refused.validate(&rule).unwrap_err();
            assert!(matches!(refused, ConfigError::Jurisdiction { id: 2, .. }), "{refused}");
            assert!(refused.to_string().contains("permits DE, FR"), "{refused}");
        }
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
            ConsensusConfig { election_max_ms: 300, ..default.clone() },
            ConsensusConfig { propose_ms: 0, ..default.clone() },
            ConsensusConfig { snapshot_entries: 0, ..default.clone() },
        ] {
            assert!(
                matches!(config.validate(&RecordsConfig::default()), Err(ConfigError::OutOfBounds { .. })),
                "{config:?}"
            );
        }
    }
}
