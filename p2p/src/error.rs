//! What can go wrong, one enum per operation; each message says what to do.

use std::io;

use libp2p::{Multiaddr, PeerId, TransportError};

/// Why a [`Config`](crate::Config) is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A number outside its bounds.
    #[error("p2p.network.limits.{field} is {value}; it must be from {least} to {most}")]
    Limit {
        /// The setting.
        field: &'static str,
        /// What it was set to.
        value: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
    /// Too many listening addresses.
    #[error("p2p.network.listen names {count} addresses; at most {most} are allowed")]
    TooManyAddresses {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// An address of another form.
    #[error("{address}: write it as /ip4/ADDRESS/udp/PORT/quic-v1 (or ip6; only QUIC, and no names)")]
    Address {
        /// The address.
        address: Multiaddr,
    },
}

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment asks for session keys to be written down, and libp2p-tls would.
    #[error("SSLKEYLOGFILE is set, and libp2p would write every session key to it: unset it and start again")]
    KeyLog,
    /// Started outside of a runtime.
    #[error("the network runs as a Tokio task: start it inside a runtime with I/O and time enabled")]
    NoRuntime,
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// More members than the node is made for.
    #[error("{count} members; at most {most} are supported")]
    TooManyMembers {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// Two members share a peer id.
    #[error("two members have the peer id {0}: each bank's node needs a key of its own")]
    DuplicateMember(PeerId),
    /// A member's address that cannot be dialled.
    #[error(
        "address {address} of member {peer}: write it as /ip4/ADDRESS/udp/PORT/quic-v1, with no other peer id"
    )]
    MemberAddress {
        /// The member.
        peer: PeerId,
        /// The address.
        address: Multiaddr,
    },
    /// A listening address that could not be bound.
    #[error(
        "cannot listen on {address}: {source}; is another node running, or the address another machine's?"
    )]
    Listen {
        /// The address.
        address: Multiaddr,
        /// What the transport said.
        source: TransportError<io::Error>,
    },
    /// Gossipsub refused what it was given.
    #[error("gossipsub refuses its settings: {0}")]
    Gossip(String),
}

/// Why a message was not published. Keep it queued unless it is too large.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Larger than the consortium carries.
    #[error(
        "the message has {bytes} bytes; at most {limit} are carried (p2p.network.limits.max_message_bytes)"
    )]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Nobody would have received it.
    #[error("no member is connected and subscribed: keep the message and publish again when one is")]
    NoSubscriber,
    /// Every queue was full. Gossipsub holds these very bytes for published until its duplicate cache forgets them.
    #[error(
        "the queues to all {peers} subscribed members are full: publish again in two minutes, or proved afresh"
    )]
    QueuesFull {
        /// To how many members it was tried.
        peers: usize,
    },
    /// Gossipsub refused it for another reason.
    #[error("gossipsub did not publish: {0}")]
    Refused(String),
    /// The driver is gone.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a request has no answer. Ask again later unless it is too large.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Larger than the network carries.
    #[error("the request has {bytes} bytes; at most {limit} are carried")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// There is no connection.
    #[error("member {0} is not connected: ask again when it is")]
    NotConnected(PeerId),
    /// Too many requests at once or in a minute, here or at the member.
    #[error("too many requests are open with this member or were sent within a minute: ask more slowly")]
    Busy,
    /// No answer in time. The member may have got the request.
    #[error("the member did not answer in time")]
    TimedOut,
    /// The connection ended. The member may have got the request.
    #[error("the connection ended before the answer: {0}")]
    Lost(String),
    /// The member's release knows no requests.
    #[error("the member does not take requests: it runs an earlier release")]
    Unsupported,
    /// The driver is gone.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why an answer was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RespondError {
    /// Larger than the network carries.
    #[error("the answer has {bytes} bytes; at most {limit} are carried")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The driver is gone.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why others were not made the members.
#[derive(Debug, thiserror::Error)]
pub enum MembersError {
    /// They cannot be members.
    #[error(transparent)]
    Members(#[from] StartError),
    /// The driver is gone.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The network was shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the network has stopped")]
pub struct Stopped;
