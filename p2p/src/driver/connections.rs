//! Who is connected, who is dialled when, and what is counted when a connection fails or is refused.
//!
//! A member is given one connection. Gossipsub tells its subscriptions on the first one only, so when a member crashes
//! and comes back while its old connection has not timed out yet, it would never learn that anybody listens, and half
//! of what is sent would go into the dead connection. A second connection therefore ends both, and the member is
//! dialled afresh; that two dial each other at the same moment ends the same way, and then one of them yields.

use std::collections::BTreeMap;

use libp2p::connection_limits::Exceeded;
use libp2p::core::ConnectedPoint;
use libp2p::memory_connection_limits::MemoryUsageLimitExceeded;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionDenied, ConnectionId, DialError, ListenError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, allow_block_list};
use tokio::time::Instant;

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::metrics::{DeniedReason, Metrics};
use crate::network::Event;
use crate::redial::{Pauses, Redial};

/// The members and their connections.
pub(crate) struct Connections {
    members: BTreeMap<PeerId, MemberState>,
    redial: Redial,
}

struct MemberState {
    addresses: Vec<Multiaddr>,
    /// The other ends, oldest first.
    open: Vec<(ConnectionId, Multiaddr)>,
}

impl Connections {
    /// All `members` with an address are dialled, and dialled again when lost, as [`Redial`] says.
    pub(crate) fn new(own: PeerId, members: BTreeMap<PeerId, Vec<Multiaddr>>, pauses: Pauses) -> Self {
        let dialled = members.iter().filter(|(_, addresses)| !addresses.is_empty()).map(|(peer, _)| *peer);
        let redial = Redial::new(own, pauses, dialled, Instant::now());
        let idle = |(peer, addresses)| (peer, MemberState { addresses, open: Vec::new() });
        Self { members: members.into_iter().map(idle).collect(), redial }
    }

    /// Takes others for the members. Who is none any more is cut off and kept out by the gate; who is new is let in, and
    /// dialled if it has an address. Says who is gone.
    pub(super) fn set_members(
        &mut self,
        members: BTreeMap<PeerId, Vec<Multiaddr>>,
        swarm: &mut Swarm<Behaviour>,
        metrics: &Metrics,
    ) -> Vec<Event> {
        let now = Instant::now();
        let gone: Vec<PeerId> =
            self.members.keys().filter(|peer| !members.contains_key(peer)).copied().collect();
        let mut events = Vec::new();
        for peer in gone {
            tracing::info!(%peer, "no longer a member: cut off");
            swarm.behaviour_mut().members.disallow_peer(peer);
            self.redial.forget(&peer);
            let connected = self.members.remove(&peer).is_some_and(|state| !state.open.is_empty());
            if connected {
                metrics.peers_connected.dec();
                events.push(Event::PeerDisconnected(peer));
            }
        }
        for (peer, addresses) in members {
            if let Some(state) = self.members.get_mut(&peer) {
                state.addresses = addresses;
                continue;
            }
            tracing::info!(%peer, "a new member: let in");
            swarm.behaviour_mut().members.allow_peer(peer);
            if !addresses.is_empty() {
                self.redial.add(peer, now);
            }
            self.members.insert(peer, MemberState { addresses, open: Vec::new() });
        }
        swarm.behaviour_mut().limit_connections(self.members.len());
        events
    }

    /// Every member with the other end of its oldest connection.
    pub(super) fn members(&self) -> impl Iterator<Item = (&PeerId, Option<&Multiaddr>)> {
        self.members.iter().map(|(peer, state)| (peer, state.open.first().map(|(_, address)| address)))
    }

    pub(super) fn next_dial(&self) -> Option<Instant> {
        self.redial.next()
    }

    pub(super) fn dial_due(&mut self, swarm: &mut Swarm<Behaviour>, metrics: &Metrics) {
        let now = Instant::now();
        for peer in self.redial.take_due(now) {
            let Some(state) = self.members.get(&peer) else { continue };
            let options = DialOpts::peer_id(peer).addresses(state.addresses.clone()).build();
            match swarm.dial(options) {
                // Connected or dialled already; when that ends, the member is due again.
                Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
                Err(error) => {
                    tracing::debug!(%peer, %error, "a member cannot be dialled");
                    metrics.dials_failed.inc();
                    self.redial.lost(&peer, now);
                }
            }
        }
    }

    pub(super) fn hang_up_all(&self, swarm: &mut Swarm<Behaviour>) {
        for peer in self.members.keys().filter(|peer| self.is_connected(peer)) {
            hang_up(swarm, *peer);
        }
    }

    fn is_connected(&self, peer: &PeerId) -> bool {
        self.members.get(peer).is_some_and(|state| !state.open.is_empty())
    }

    /// Follows what the swarm says of connections; gives what the node should hear of.
    pub(super) fn on_swarm_event(
        &mut self,
        event: SwarmEvent<BehaviourEvent>,
        swarm: &mut Swarm<Behaviour>,
        metrics: &Metrics,
    ) -> Option<Event> {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening");
                return Some(Event::Listening(address));
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                if self.is_connected(&peer_id) {
                    tracing::info!(peer = %peer_id, "a member connected anew: ending both connections, to start clean");
                    metrics.connections_replaced.inc();
                    hang_up(swarm, peer_id);
                }
                return self.opened(peer_id, connection_id, &endpoint, metrics);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, "a connection closed");
                return self.closed(peer_id, connection_id, metrics);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(%peer, %error, "a member could not be reached");
                metrics.dials_failed.inc();
                if let DialError::Denied { cause } = &error {
                    metrics.denied(denied_reason(cause));
                }
                if !self.is_connected(&peer) {
                    self.redial.lost(&peer, Instant::now());
                }
            }
            SwarmEvent::IncomingConnectionError { peer_id, send_back_addr, error, .. } => {
                tracing::debug!(peer = ?peer_id, from = %send_back_addr, %error, "an incoming connection failed");
                match error {
                    ListenError::Denied { cause } => metrics.denied(denied_reason(&cause)),
                    _ => drop(metrics.handshakes_failed.inc()),
                }
            }
            SwarmEvent::ListenerClosed { addresses, reason: Err(error), .. } => {
                tracing::error!(?addresses, %error, "no longer listening: restart the node");
                metrics.listeners_lost.inc();
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a listener failed for a moment");
            }
            _ => {}
        }
        None
    }

    fn opened(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
        metrics: &Metrics,
    ) -> Option<Event> {
        let state = self.members.get_mut(&peer)?;
        state.open.push((connection, endpoint.get_remote_address().clone()));
        self.redial.connected(&peer, Instant::now());
        (state.open.len() == 1).then(|| {
            metrics.peers_connected.inc();
            Event::PeerConnected(peer)
        })
    }

    fn closed(&mut self, peer: PeerId, connection: ConnectionId, metrics: &Metrics) -> Option<Event> {
        let state = self.members.get_mut(&peer)?;
        state.open.retain(|(open, _)| *open != connection);
        state.open.is_empty().then(|| {
            metrics.peers_connected.dec();
            self.redial.lost(&peer, Instant::now());
            Event::PeerDisconnected(peer)
        })
    }
}

fn hang_up(swarm: &mut Swarm<Behaviour>, peer: PeerId) {
    // An error says that it is not connected, which is what is wanted.
    let _ = swarm.disconnect_peer_id(peer);
}

fn denied_reason(cause: &ConnectionDenied) -> DeniedReason {
    if cause.downcast_ref::<allow_block_list::NotAllowed>().is_some() {
        DeniedReason::NotMember
    } else if cause.downcast_ref::<Exceeded>().is_some() {
        DeniedReason::ConnectionLimit
    } else if cause.downcast_ref::<MemoryUsageLimitExceeded>().is_some() {
        DeniedReason::MemoryLimit
    } else {
        DeniedReason::Other
    }
}
