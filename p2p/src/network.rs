//! Starting the network, and the handle and the events through which the node uses it.

use std::collections::BTreeMap;
use std::env;

use libp2p::gossipsub::IdentTopic;
use libp2p::{Multiaddr, PeerId};
use prometheus_client::registry::Registry;
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};

use crate::behaviour;
use crate::config::{Config, MAX_MEMBERS, is_quic};
use crate::driver::{Command, Connections, Driver};
use crate::error::{MembersError, PublishError, RequestError, RespondError, StartError, Stopped};
use crate::exchange::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, RequestId};
use crate::identity::Identity;
use crate::message::{ContentIdFn, MessageId, Verdict};
use crate::metrics::{self, NetworkMetrics};
use crate::redial::Pauses;

/// Commands the driver has not taken yet; callers beyond it wait.
const COMMAND_QUEUE: usize = 256;
/// Room in the event queue beyond the messages that can be undecided.
const STATUS_EVENTS: usize = 64;
/// The variable that makes libp2p-tls (as every rustls with its key log installed) write session keys to a file.
const KEY_LOG: &str = "SSLKEYLOGFILE";

/// Everything the network starts from.
pub struct Setup {
    /// Where to listen and how much to let in.
    pub config: Config,
    /// This node's key.
    pub identity: Identity,
    /// The manifest's members. This node may be among them and is skipped.
    pub members: Vec<Member>,
    /// The gossip topic; members with another do not hear one another.
    pub topic: String,
    /// Which messages carry the same content.
    pub content_id: ContentIdFn,
    /// Spreads the attempts to dial lost members.
    pub jitter_seed: u64,
}

impl Setup {
    /// Whether a network can be started from this, as far as can be told without starting one.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn check(&self) -> Result<(), StartError> {
        self.others().map(|_| ())
    }

    fn others(&self) -> Result<BTreeMap<PeerId, Vec<Multiaddr>>, StartError> {
        if env::var_os(KEY_LOG).is_some() {
            return Err(StartError::KeyLog);
        }
        self.config.check()?;
        check_members(&self.identity.peer_id(), self.members.clone())
    }
}

/// One bank's node, as the manifest and the configuration know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is; see [`peer_id`](crate::peer_id).
    pub peer_id: PeerId,
    /// Where to dial it; none if it only dials us.
    pub addresses: Vec<Multiaddr>,
}

/// What happens in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message to judge with [`NetworkHandle::report`], within [`VERDICT_DEADLINE`](crate::VERDICT_DEADLINE).
    Message {
        /// Names it in the report.
        id: MessageId,
        /// The member that forwarded it, who need not be its author.
        from: PeerId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A member asks this node alone; answer with [`NetworkHandle::respond`] within
    /// [`REQUEST_TIMEOUT`](crate::REQUEST_TIMEOUT).
    Request {
        /// Names it in the answer.
        id: RequestId,
        /// Who asks.
        from: PeerId,
        /// What.
        bytes: Vec<u8>,
    },
    /// A member has its first connection with this node.
    PeerConnected(PeerId),
    /// A member is connected and listens to the topic: what is published from now on reaches it.
    PeerSubscribed(PeerId),
    /// A member's last connection closed.
    PeerDisconnected(PeerId),
    /// The node can be dialled at this address.
    Listening(Multiaddr),
}

/// How the node stands with one member.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerStatus {
    /// The member.
    pub peer: PeerId,
    /// Whether there is a connection.
    pub connected: bool,
    /// The other end of the oldest connection.
    pub address: Option<Multiaddr>,
    /// Whether it is connected and listens to the topic.
    pub subscribed: bool,
    /// Its gossip score: negative after invalid messages. None before the first connection.
    pub score: Option<f64>,
}

/// What became of a published message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It was handed to at least one subscribed member's connection.
    Sent(MessageId),
    /// These very bytes were published or received before: the members have them.
    Known(MessageId),
}

/// The entry point.
pub struct Network;

impl Network {
    /// Starts listening and dialling in a task of the current Tokio runtime.
    ///
    /// The task ends at [`NetworkHandle::shutdown`], or when every handle or the event receiver is dropped: without a
    /// judge nothing may be forwarded. Once it has ended it may be started again with the same `metrics`.
    pub fn start(
        setup: Setup,
        metrics: &NetworkMetrics,
    ) -> Result<(NetworkHandle, mpsc::Receiver<Event>), StartError> {
        let members = setup.others()?;
        let runtime = runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;

        let mut registry = Registry::with_prefix(metrics::PREFIX);
        let peers: Vec<PeerId> = members.keys().copied().collect();
        let topic = IdentTopic::new(setup.topic);
        let mut swarm =
            behaviour::swarm(&setup.identity, &peers, &topic, &setup.config.limits, &mut registry)?;
        for address in setup.config.listen {
            if let Err(source) = swarm.listen_on(address.clone()) {
                return Err(StartError::Listen { address, source });
            }
        }

        metrics.show_libp2p(registry);
        let limits = setup.config.limits;
        let (to_driver, commands) = mpsc::channel(COMMAND_QUEUE);
        let undecided = limits.undecided_per_peer() + limits.requests_per_peer();
        let (events, from_driver) = mpsc::channel(peers.len().saturating_mul(undecided) + STATUS_EVENTS);
        let own = *swarm.local_peer_id();
        let handle =
            NetworkHandle { own, commands: to_driver, max_message_bytes: limits.max_message_bytes() };
        let pauses = Pauses { seed: setup.jitter_seed, base: limits.redial_base(), max: limits.redial_max() };
        let connections = Connections::new(own, members, pauses);
        let channels = (commands, events);
        let driver =
            Driver::new(swarm, topic.hash(), connections, setup.content_id, limits, channels, metrics.own());
        runtime.spawn(driver.run());
        Ok((handle, from_driver))
    }
}

/// The other members and their addresses, each listed once and each address one that can be dialled.
fn check_members(own: &PeerId, members: Vec<Member>) -> Result<BTreeMap<PeerId, Vec<Multiaddr>>, StartError> {
    if members.len() > MAX_MEMBERS {
        return Err(StartError::TooManyMembers { count: members.len(), most: MAX_MEMBERS });
    }
    let mut others = BTreeMap::new();
    for Member { peer_id, addresses } in members {
        if let Some(address) = addresses.iter().find(|address| !is_quic(address, Some(&peer_id))) {
            return Err(StartError::MemberAddress { peer: peer_id, address: address.clone() });
        }
        if others.insert(peer_id, addresses).is_some() {
            return Err(StartError::DuplicateMember(peer_id));
        }
    }
    others.remove(own);
    Ok(others)
}

/// How the node speaks to the network's task. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NetworkHandle {
    own: PeerId,
    commands: mpsc::Sender<Command>,
    max_message_bytes: usize,
}

impl NetworkHandle {
    /// Sends a message to the subscribed members. Delivery is not acknowledged.
    ///
    /// The content counts as accepted here: copies of it that others send are ignored.
    pub async fn publish(&self, bytes: Vec<u8>) -> Result<Published, PublishError> {
        if bytes.len() > self.max_message_bytes {
            return Err(PublishError::TooLarge { bytes: bytes.len(), limit: self.max_message_bytes });
        }
        self.ask(|reply| Command::Publish { bytes, reply }).await?
    }

    /// Gives the verdict on a message. One given twice, or after the deadline, changes nothing.
    pub async fn report(&self, message: MessageId, verdict: Verdict) -> Result<(), Stopped> {
        self.commands.send(Command::Report { message, verdict }).await.map_err(|_| Stopped)
    }

    /// Asks one member something, and returns its answer.
    pub async fn request(&self, peer: PeerId, bytes: Vec<u8>) -> Result<Vec<u8>, RequestError> {
        if bytes.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLarge { bytes: bytes.len(), limit: MAX_REQUEST_BYTES });
        }
        self.ask(|reply| Command::Request { peer, bytes, reply }).await?
    }

    /// Answers a member's request. One answered twice, or too late, changes nothing.
    pub async fn respond(&self, request: RequestId, bytes: Vec<u8>) -> Result<(), RespondError> {
        if bytes.len() > MAX_RESPONSE_BYTES {
            return Err(RespondError::TooLarge { bytes: bytes.len(), limit: MAX_RESPONSE_BYTES });
        }
        Ok(self.commands.send(Command::Respond { request, bytes }).await.map_err(|_| Stopped)?)
    }

    /// Makes these the members: who is no longer one is cut off before this returns and cannot connect again; who is new
    /// is dialled, and let in.
    ///
    /// # Errors
    /// [`MembersError`] if they cannot be members; nothing has changed then.
    pub async fn set_members(&self, members: Vec<Member>) -> Result<(), MembersError> {
        let members = check_members(&self.own, members)?;
        Ok(self.ask(|reply| Command::Members { members, reply }).await?)
    }

    /// How the node stands with every other member, in the order of their peer ids.
    pub async fn peers(&self) -> Result<Vec<PeerStatus>, Stopped> {
        self.ask(|reply| Command::Peers { reply }).await
    }

    /// Closes every connection and returns when the task has ended. QUIC keeps the port for a moment longer, to answer
    /// stray packets.
    pub async fn shutdown(&self) {
        // A full queue is waited for; an error means that the task has ended already.
        let _ = self.commands.send(Command::Shutdown).await;
        self.commands.closed().await;
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u8, address: &str) -> Member {
        let addresses = vec![address.parse().expect("a multiaddr")];
        Member { peer_id: Identity::from_seed(&[n; 32]).peer_id(), addresses }
    }

    #[test]
    fn members_are_listed_once_and_this_node_is_skipped() {
        let (own, other) =
            (member(1, "/ip4/10.0.0.1/udp/1/quic-v1"), member(2, "/ip4/10.0.0.2/udp/1/quic-v1"));
        let others = check_members(&own.peer_id, vec![own.clone(), other.clone()]).expect("two members");
        assert_eq!(others.into_keys().collect::<Vec<_>>(), vec![other.peer_id]);
        let twice = check_members(&own.peer_id, vec![other.clone(), other.clone()]);
        assert!(matches!(twice, Err(StartError::DuplicateMember(peer)) if peer == other.peer_id));
    }

    #[test]
    fn an_address_that_cannot_be_dialled_is_refused() {
        let own = member(1, "/ip4/10.0.0.1/udp/1/quic-v1").peer_id;
        let refused = check_members(&own, vec![member(2, "/ip4/10.0.0.2/tcp/1")]);
        assert!(matches!(refused, Err(StartError::MemberAddress { .. })));
    }

    #[test]
    fn starting_outside_a_runtime_is_an_error() {
        let setup = Setup {
            config: Config::default(),
            identity: Identity::from_seed(&[1; 32]),
            members: Vec::new(),
            topic: "t".to_owned(),
            content_id: std::sync::Arc::new(|_| None),
            jitter_seed: 0,
        };
        let metrics = NetworkMetrics::register(&mut Registry::default());
        assert!(matches!(Network::start(setup, &metrics), Err(StartError::NoRuntime)));
    }
}
