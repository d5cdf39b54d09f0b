//! Where a node stands: identity, peers, replicas, log, counters, and whether it is ready.

use std::collections::BTreeMap;

use hansa_types::case::CaseState;
use hansa_types::decision::Verdict;
use hansa_types::hash::Digest;
use hansa_types::id::{BankId, Epoch};
use hansa_types::manifest::ANONYMITY_FLOOR;
use serde::{Deserialize, Serialize};

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whose node it is.
    pub bank: BankId,
    /// The program's version.
    pub version: String,
    /// The consortium it belongs to.
    pub consortium: ConsortiumView,
    /// The epoch by its clock; none before the consortium's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// How well senders are hidden.
    pub anonymity: Anonymity,
    /// The other members, where this replica leads.
    pub peers: Vec<PeerView>,
    /// The bank's own replicas.
    pub raft: RaftView,
    /// The audit log.
    pub log: LogView,
    /// What it has done.
    pub counters: Counters,
    /// How long each stage took, by the stage's name.
    pub stages: BTreeMap<String, StageTimes>,
}

/// A consortium, by its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsortiumView {
    /// Its name.
    pub name: String,
    /// The manifest's digest.
    pub id: Digest,
    /// Whether its keys come from a development setup, so that its proofs prove nothing to an outsider.
    pub development: bool,
}

/// How well the sender of a signal is hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anonymity {
    /// Among how many active members of the smallest gateway it may be any.
    pub active_members: u64,
    /// A warning, where they are too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Anonymity {
    /// The statement about a gateway of `active_members`, with a warning below [`ANONYMITY_FLOOR`].
    pub fn among(active_members: u64) -> Self {
        let few = active_members < ANONYMITY_FLOOR as u64;
        Self { active_members, note: few.then(|| "sender not anonymous".to_owned()) }
    }
}

/// Another member's node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Whose.
    pub bank: BankId,
    /// Its libp2p peer id.
    pub peer_id: String,
    /// Whether it is connected.
    pub connected: bool,
    /// Under which address, when connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// The bank's Raft group as this replica sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaftView {
    /// This replica's number.
    pub replica: u64,
    /// The replicas that vote, this one among them.
    #[serde(default)]
    pub replicas: Vec<u64>,
    /// Whether this replica leads: it alone speaks with other banks.
    #[serde(default)]
    pub leads: bool,
    /// Whether anything can be committed.
    #[serde(default)]
    pub quorum: bool,
    /// The leader's number; none during an election.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<u64>,
    /// The term.
    pub term: u64,
    /// The last entry applied; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
}

/// The audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogView {
    /// Entries integrated.
    pub size: u64,
    /// The root over them (RFC 6962).
    pub root: Digest,
    /// Entries under the latest signed checkpoint.
    pub checkpoint_size: u64,
}

/// What a node has done since its log began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Payments.
    pub payments: PaymentCounters,
    /// Cases by their present state.
    pub cases: BTreeMap<CaseState, u64>,
    /// Signals.
    pub signals: SignalCounters,
}

/// Payments, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentCounters {
    /// Decisions by verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Refused as duplicates.
    pub duplicates: u64,
}

/// Signals, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalCounters {
    /// This bank's that the network took.
    pub sent: u64,
    /// Other banks' that were verified and logged.
    pub verified: u64,
    /// Of those, the ones that matched a subject known here.
    pub matched: u64,
    /// Taken back, this bank's and others'.
    pub retracted: u64,
}

/// How long one stage took, in microseconds, over what the node remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTimes {
    /// How many runs.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// Whether payments may be sent to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether every check passes.
    pub ready: bool,
    /// The checks; left out of the answer unless asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

impl Readiness {
    /// Ready when every check passes.
    pub fn of(checks: Vec<Check>) -> Self {
        Self { ready: checks.iter().all(|check| check.ok), checks }
    }
}

/// One condition of being ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What is checked, in a word: `quorum`, `peers`, `lists`.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// The particulars, and what to do when it does not hold.
    pub detail: String,
}
