//! A bank's own replicas: how they stand, and what an operator wants of them.

use hansa_types::country::Country;
use hansa_types::id::Actor;
use serde::{Deserialize, Serialize};

/// The bank's group of replicas, as the one asked sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterView {
    /// The replica asked.
    pub replica: u64,
    /// The leader's number; none during an election.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<u64>,
    /// The term.
    pub term: u64,
    /// Whether anything can be committed.
    pub quorum: bool,
    /// The version of the replicated state in use.
    pub level: u32,
    /// Every replica.
    pub replicas: Vec<ReplicaView>,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaView {
    /// Its number.
    pub id: u64,
    /// Where the others reach it.
    pub address: String,
    /// The failure domain that it stands in.
    pub zone: String,
    /// The country whose law reaches its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<Country>,
    /// Whether it votes; a new one learns first.
    pub voter: bool,
    /// What it says of itself; none if it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ReplicaState>,
    /// Why it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<String>,
    /// How many entries it lacks, where the leader is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
}

/// What a replica says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaState {
    /// The program's version.
    pub version: String,
    /// The last entry applied; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// Entries of its audit log.
    pub log_size: u64,
    /// The newest version of the replicated state that it understands.
    pub newest_level: u32,
    /// Whether it takes no leadership, being drained.
    pub draining: bool,
}

/// What an operator wants of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterRequest {
    /// The operator's login.
    pub actor: Actor,
    /// What to do.
    pub action: ClusterAction,
}

/// A change of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClusterAction {
    /// Take a replica in that runs and waits for it.
    Join {
        /// Its number.
        replica: u64,
        /// Where the others reach it: host and port.
        address: String,
        /// The failure domain that it stands in.
        #[serde(default)]
        zone: String,
        /// The country whose law reaches its disk.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jurisdiction: Option<Country>,
    },
    /// Let a replica go, dead or alive.
    Leave {
        /// Its number.
        replica: u64,
    },
    /// Hand leadership over: to the replica named, or to the one that has most.
    Transfer {
        /// Its number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
    },
    /// Make the replica asked ready to be stopped: it hands leadership over and takes none.
    Drain,
    /// End what drain began.
    Undrain,
    /// Use the newest version of the replicated state that every replica understands.
    Finalize,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterResult {
    /// In words.
    pub done: String,
}
