//! Gossip between the consortium's banks: libp2p over QUIC, members only, judged before forwarded.
//!
//! Messages are opaque bytes here. The caller says which bytes carry the same content ([`ContentIdFn`]) and judges
//! each message ([`Verdict`]); nothing is forwarded before an [`Verdict::Accept`]. One member can also be asked directly
//! ([`NetworkHandle::request`]), within bounds of its own. One task owns the swarm
//! (`driver`), and [`NetworkHandle`] talks to it over a bounded channel: there is no lock around it.
//!
//! # One signal, many byte strings
//!
//! A proof can be spoilt by anyone on the way, and a valid Groth16 proof can be re-randomised into as many valid
//! ones as one likes. Both change the bytes and leave the content id as it is. Gossipsub remembers an id from the
//! first receipt until its duplicate cache forgets it, before any verdict, with no way to take it back, and even tells
//! its neighbours that it wants no more of it. Under content ids a spoilt copy would therefore suppress the honest
//! one everywhere. So there are two ids:
//!
//! - [`MessageId`], gossipsub's, is the digest of all bytes: a spoilt copy has another one and suppresses nothing.
//! - The content id deduplicates above gossipsub (`copies`): once one copy is accepted, every further copy is
//!   ignored unseen, so a node judges little and forwards at most one copy of a content. A rejected or ignored copy
//!   leaves no trace here: the next one is judged afresh.
//! - Until one is accepted, a member may have [`MAX_COPIES_PER_PEER`] copies of one content undecided, and
//!   `undecided_per_peer` messages in all. Both budgets belong to the forwarding member, so nobody can use up
//!   another's: the honest copy from an honest neighbour is always judged.
//!
//! What it costs: if a copy was accepted here, a later copy of the same content (say, proved again against a
//! replacement root) does not pass through this node; the members reach one another directly in the full mesh.

mod behaviour;
mod config;
mod copies;
mod driver;
mod error;
mod exchange;
mod gossip;
mod identity;
mod message;
mod metrics;
mod network;
mod redial;

pub use config::{Config, Limits, MAX_LISTEN_ADDRESSES, MAX_MEMBERS, socket_address};
pub use copies::{ACCEPTED_CONTENTS, MAX_COPIES_PER_PEER};
pub use error::{ConfigError, MembersError, PublishError, RequestError, RespondError, StartError, Stopped};
pub use exchange::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, REQUEST_TIMEOUT, RequestId};
pub use gossip::{DUPLICATE_CACHE, FULL_MESH_PEERS, VERDICT_DEADLINE};
pub use identity::{Identity, InvalidPeerKey, peer_id};
pub use libp2p::{Multiaddr, PeerId};
pub use message::{ContentIdFn, MessageId, Verdict};
pub use metrics::NetworkMetrics;
pub use network::{Event, Member, Network, NetworkHandle, PeerStatus, Published, Setup};
