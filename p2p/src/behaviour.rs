//! The swarm: who may connect and how often, what is spoken, over QUIC alone.

use std::convert::Infallible;
use std::time::Duration;

use libp2p::gossipsub::IdentTopic;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{
    PeerId, Swarm, SwarmBuilder, allow_block_list, connection_limits, identify, memory_connection_limits,
    quic,
};
use prometheus_client::registry::Registry;

use crate::config::Limits;
use crate::error::StartError;
use crate::exchange::{self, Exchange};
use crate::gossip::{self, Gossip};
use crate::identity::Identity;

/// What members tell one another they speak.
pub(crate) const PROTOCOL: &str = "hansa/1";
/// Without the version of the software: members need not know which bank has not been patched.
const AGENT: &str = "hansa";

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence after which a connection is given up. Generous, as a node may be short of processor time while it proves.
const IDLE_TIMEOUT_MS: u32 = 10_000;
const KEEP_ALIVE: Duration = Duration::from_secs(3);
const MAX_STREAMS: u32 = 32;
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// One, another that replaces it, and one more while those two close.
const CONNECTIONS_PER_MEMBER: u32 = 3;
/// Connections between members stay, whether or not a protocol uses them; a dead one ends by [`IDLE_TIMEOUT_MS`].
const UNUSED_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Everything the swarm runs, the gate first: what it refuses the others never see.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) members: allow_block_list::Behaviour<allow_block_list::AllowedPeers>,
    connections: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    identify: identify::Behaviour,
    pub(crate) gossip: Gossip,
    pub(crate) exchange: Exchange,
}

impl Behaviour {
    /// Bounds the connections for as many other members.
    pub(crate) fn limit_connections(&mut self, others: usize) {
        let (outgoing, established) = connection_counts(others);
        let limits = std::mem::take(self.connections.limits_mut());
        *self.connections.limits_mut() =
            limits.with_max_pending_outgoing(Some(outgoing)).with_max_established(Some(established));
    }
}

/// Builds the swarm for `others`, the members apart from this node. Needs a Tokio runtime.
pub(crate) fn swarm(
    identity: &Identity,
    others: &[PeerId],
    topic: &IdentTopic,
    limits: &Limits,
    registry: &mut Registry,
) -> Result<Swarm<Behaviour>, StartError> {
    let gossip = gossip::behaviour(topic, limits, registry)?;
    let built = SwarmBuilder::with_existing_identity(identity.keypair().clone())
        .with_tokio()
        .with_quic_config(quic_config)
        .with_behaviour(|keypair| {
            let mut members = allow_block_list::Behaviour::default();
            for peer in others {
                members.allow_peer(*peer);
            }
            Behaviour {
                members,
                connections: connection_limits::Behaviour::new(connection_limits(others.len(), limits)),
                memory: memory_connection_limits::Behaviour::with_max_bytes(
                    usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX),
                ),
                identify: identify::Behaviour::new(
                    identify::Config::new(PROTOCOL.to_owned(), keypair.public())
                        .with_agent_version(AGENT.to_owned())
                        .with_cache_size(0)
                        .with_hide_listen_addrs(true),
                ),
                gossip,
                exchange: exchange::behaviour(limits),
            }
        })
        .unwrap_or_else(|never: Infallible| match never {})
        .with_swarm_config(|config| config.with_idle_connection_timeout(UNUSED_TIMEOUT))
        .build();
    Ok(built)
}

fn quic_config(mut config: quic::Config) -> quic::Config {
    config.handshake_timeout = HANDSHAKE_TIMEOUT;
    config.max_idle_timeout = IDLE_TIMEOUT_MS;
    config.keep_alive_interval = KEEP_ALIVE;
    config.max_concurrent_stream_limit = MAX_STREAMS;
    config.max_stream_data = STREAM_WINDOW_BYTES;
    config.max_connection_data = CONNECTION_WINDOW_BYTES;
    config
}

fn connection_limits(others: usize, limits: &Limits) -> connection_limits::ConnectionLimits {
    let (outgoing, established) = connection_counts(others);
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits.pending_incoming))
        .with_max_pending_outgoing(Some(outgoing))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_MEMBER))
        .with_max_established(Some(established))
}

/// How many connections `others` may be dialled for, and have.
fn connection_counts(others: usize) -> (u32, u32) {
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    (others, others.saturating_mul(CONNECTIONS_PER_MEMBER))
}
