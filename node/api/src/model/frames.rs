//! Frames: where they are screened, what was counted, who may send, and which accounts are blocked.

use hansa_types::iban::Iban;
use hansa_types::id::{Actor, Timestamp};
use serde::{Deserialize, Serialize};

/// How this replica screens frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FramesView {
    /// The address and UDP port that gateways send them to.
    pub listen: String,
    /// Where they are screened first.
    pub path: FramePath,
    /// The interface that the configuration names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The kernel program, where it screens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramView>,
    /// Why the socket screens although an interface is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_socket: Option<String>,
    /// The port of the other members' nodes that only their addresses reach; none where it is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_port: Option<u16>,
    /// How many accounts are blocked.
    pub accounts: u64,
    /// How many there is room for.
    pub room: u64,
    /// How many BLOCKs wait to be durable.
    pub waiting: u64,
}

/// Where frames are screened first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FramePath {
    /// In the interface's driver, or in the network stack before a socket.
    Driver,
    /// On the socket.
    Socket,
}

/// The kernel program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramView {
    /// Its id, as `bpftool prog show id` takes it.
    pub id: u32,
    /// `native` or `generic`.
    pub mode: String,
    /// Why it is not in the driver itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_generic: Option<String>,
    /// Whether it stays when the node ends.
    pub pinned: bool,
}

/// What is to happen to the kernel program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverRequest {
    /// What.
    pub action: DriverAction,
    /// Who wants it.
    pub actor: Actor,
}

/// What can happen to the kernel program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriverAction {
    /// It is loaded and attached; one that is attached already gives place to it between two packets.
    Attach,
    /// It is taken off: the socket screens until the node starts again or the program is attached.
    Detach,
}

/// A counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameCounter {
    /// What it is called, also in the metrics.
    pub name: String,
    /// What it counts.
    pub counts: String,
    /// By the kernel program since the node started.
    pub driver: u64,
    /// On the socket since the node started.
    pub socket: u64,
}

/// Every counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameCounters {
    /// Reasons of verdicts first.
    pub counters: Vec<FrameCounter>,
}

/// Whether an account is blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlocklistQuestion {
    /// Which.
    pub account: Iban,
}

/// Whether an account is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlocklistAnswer {
    /// Whether frames from it and to it are.
    pub blocked: bool,
}

/// Who may send what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallView {
    /// What is said of each network; of those around an address the narrowest holds. Nothing else may send.
    pub rules: Vec<FirewallRule>,
}

/// What is said of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallRule {
    /// What it is about.
    pub traffic: Traffic,
    /// The network, as `ADDRESS/BITS`.
    pub network: String,
    /// Whether it may send.
    pub allowed: bool,
    /// The operator who said so; none where the configuration does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<OperatorRule>,
}

/// Who said so, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRule {
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What a network may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Traffic {
    /// Frames, as a gateway.
    Frames,
    /// Packets to the peers' port, as another member's node.
    Peers,
}

/// A change of who may send what, on this replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirewallRequest {
    /// What it is about.
    pub traffic: Traffic,
    /// The network, as `ADDRESS` or `ADDRESS/BITS`.
    pub network: String,
    /// What is said of it.
    pub action: FirewallAction,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub actor: Actor,
}

/// What can be said of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirewallAction {
    /// It may send.
    Allow,
    /// It may not.
    Deny,
    /// What an operator said of it before holds no longer; the configuration does again.
    Forget,
}
