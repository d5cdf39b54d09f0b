//! The task that owns the swarm: it carries commands in, events out, and settles every message exactly once.

mod connections;
mod requests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures::StreamExt;
use libp2p::gossipsub::{self, MessageAcceptance, TopicHash};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm, identify, request_response};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

pub(crate) use self::connections::Connections;
use self::requests::Requests;
use crate::behaviour::{Behaviour, BehaviourEvent, PROTOCOL};
use crate::config::Limits;
use crate::copies::Copies;
use crate::error::{PublishError, RequestError};
use crate::exchange::{RequestId, Response};
use crate::gossip::DUPLICATE_CACHE;
use crate::message::{ContentIdFn, MessageId, Verdict, content_id};
use crate::metrics::{Metrics, PublishOutcome, UnaskedReason};
use crate::network::{Event, PeerStatus, Published};

/// How often overdue verdicts are looked for.
const TICK: Duration = Duration::from_secs(1);
/// How long shutting down waits for connections to close.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// Stands for "never" in a timer whose branch is switched off.
const NOT_DUE: Duration = Duration::from_secs(3600);

/// What a handle asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Publish { bytes: Vec<u8>, reply: oneshot::Sender<Result<Published, PublishError>> },
    Report { message: MessageId, verdict: Verdict },
    Request { peer: PeerId, bytes: Vec<u8>, reply: oneshot::Sender<Result<Vec<u8>, RequestError>> },
    Respond { request: RequestId, bytes: Vec<u8> },
    Members { members: BTreeMap<PeerId, Vec<Multiaddr>>, reply: oneshot::Sender<()> },
    Peers { reply: oneshot::Sender<Vec<PeerStatus>> },
    Shutdown,
}

/// The state of the task. The swarm is dropped before `commands`, which tells the handles that it is over.
pub(crate) struct Driver {
    swarm: Swarm<Behaviour>,
    topic: TopicHash,
    connections: Connections,
    copies: Copies,
    requests: Requests,
    content_id: ContentIdFn,
    limits: Limits,
    /// Messages that gossipsub holds for published though no queue took them, and since when.
    unsent: BTreeMap<MessageId, Instant>,
    /// Changes of status that found the event queue full; a later one replaces an earlier one about the same thing.
    backlog: VecDeque<Event>,
    events: mpsc::Sender<Event>,
    metrics: Metrics,
    commands: mpsc::Receiver<Command>,
}

impl Driver {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        topic: TopicHash,
        connections: Connections,
        content_id: ContentIdFn,
        limits: Limits,
        (commands, events): (mpsc::Receiver<Command>, mpsc::Sender<Event>),
        metrics: Metrics,
    ) -> Self {
        Self {
            swarm,
            topic,
            connections,
            copies: Copies::new(limits.undecided_per_peer()),
            requests: Requests::new(&limits),
            content_id,
            limits,
            unsent: BTreeMap::new(),
            backlog: VecDeque::new(),
            events,
            metrics,
            commands,
        }
    }

    /// Runs until told to stop, or nobody is left to talk to.
    pub(crate) async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let redial = self.connections.next_dial();
            let redial_at = redial.unwrap_or_else(|| Instant::now() + NOT_DUE);
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = self.commands.recv() => match command {
                    None | Some(Command::Shutdown) => break,
                    Some(command) => self.on_command(command),
                },
                () = room_in(&self.events), if !self.backlog.is_empty() => self.flush(),
                () = self.events.closed() => break,
                _ = tick.tick() => self.on_tick(Instant::now()),
                () = sleep_until(redial_at), if redial.is_some() => {
                    self.connections.dial_due(&mut self.swarm, &self.metrics);
                }
            }
        }
        self.close().await;
    }

    /// Says goodbye to every peer, so that they need not wait for the connection to time out.
    async fn close(&mut self) {
        self.connections.hang_up_all(&mut self.swarm);
        let goodbye = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        if timeout(SHUTDOWN_GRACE, goodbye).await.is_err() {
            tracing::warn!("some connections did not close in time; their peers will see them time out");
        }
        self.metrics.peers_connected.set(0);
        self.metrics.undecided.set(0);
    }

    fn on_command(&mut self, command: Command) {
        // A caller that went away has no use for the reply.
        match command {
            Command::Publish { bytes, reply } => drop(reply.send(self.publish(bytes))),
            Command::Report { message, verdict } => self.settle(message, verdict),
            Command::Request { peer, bytes, reply } => {
                let exchange = &mut self.swarm.behaviour_mut().exchange;
                self.requests.ask(exchange, peer, bytes, reply, &self.metrics);
            }
            Command::Respond { request, bytes } => {
                let exchange = &mut self.swarm.behaviour_mut().exchange;
                self.requests.answer(exchange, request, bytes, &self.metrics);
            }
            Command::Members { members, reply } => {
                for event in self.connections.set_members(members, &mut self.swarm, &self.metrics) {
                    self.tell(event);
                }
                let _ = reply.send(());
            }
            Command::Peers { reply } => drop(reply.send(self.peers())),
            Command::Shutdown => {}
        }
    }

    fn publish(&mut self, bytes: Vec<u8>) -> Result<Published, PublishError> {
        let id = MessageId::of(&bytes);
        let content = content_id(&self.content_id, &bytes);
        let published = self.swarm.behaviour_mut().gossip.publish(self.topic.clone(), bytes);
        let (outcome, result) = match published {
            Ok(_) => (PublishOutcome::Sent, Ok(Published::Sent(id))),
            Err(gossipsub::PublishError::Duplicate) if self.unsent.contains_key(&id) => (
                PublishOutcome::QueuesFull,
                Err(PublishError::QueuesFull { peers: self.subscribers().count() }),
            ),
            Err(gossipsub::PublishError::Duplicate) => (PublishOutcome::Known, Ok(Published::Known(id))),
            Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => {
                (PublishOutcome::NoSubscriber, Err(PublishError::NoSubscriber))
            }
            Err(gossipsub::PublishError::AllQueuesFull(peers)) => {
                self.unsent.insert(id, Instant::now());
                (PublishOutcome::QueuesFull, Err(PublishError::QueuesFull { peers }))
            }
            Err(other) => (PublishOutcome::Refused, Err(PublishError::Refused(other.to_string()))),
        };
        self.metrics.published(outcome);
        if matches!(result, Ok(Published::Sent(_))) {
            self.copies.accept(content);
        }
        result
    }

    fn subscribers(&self) -> impl Iterator<Item = &PeerId> {
        let peers = self.swarm.behaviour().gossip.all_peers();
        peers.filter(|(_, topics)| topics.contains(&&self.topic)).map(|(peer, _)| peer)
    }

    fn peers(&self) -> Vec<PeerStatus> {
        let gossip = &self.swarm.behaviour().gossip;
        let subscribed: Vec<&PeerId> = self.subscribers().collect();
        let status = |(peer, address): (&PeerId, Option<&Multiaddr>)| PeerStatus {
            peer: *peer,
            connected: address.is_some(),
            address: address.cloned(),
            subscribed: subscribed.contains(&peer),
            score: gossip.peer_score(peer),
        };
        self.connections.members().map(status).collect()
    }

    fn on_tick(&mut self, now: Instant) {
        for id in self.copies.overdue(now) {
            self.metrics.unasked(UnaskedReason::VerdictOverdue);
            self.settle(id, Verdict::Ignore);
        }
        self.unsent.retain(|_, since| now.saturating_duration_since(*since) < DUPLICATE_CACHE);
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => self.on_gossip(event),
            SwarmEvent::Behaviour(BehaviourEvent::Exchange(event)) => self.on_exchange(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => {
                if info.protocol_version != PROTOCOL {
                    tracing::warn!(peer = %peer_id, theirs = %info.protocol_version, ours = PROTOCOL,
                        "a member speaks another version");
                    self.metrics.other_protocol.inc();
                }
            }
            SwarmEvent::Behaviour(_) => {}
            event => {
                if let Some(event) = self.connections.on_swarm_event(event, &mut self.swarm, &self.metrics) {
                    self.tell(event);
                }
            }
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message, .. } => {
                self.on_message(propagation_source, message.data);
            }
            gossipsub::Event::Subscribed { peer_id, .. } => self.tell(Event::PeerSubscribed(peer_id)),
            gossipsub::Event::Unsubscribed { .. } => {}
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                tracing::warn!(peer = %peer_id, "a member does not speak gossipsub");
                self.metrics.other_protocol.inc();
            }
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                tracing::debug!(peer = %peer_id, "a member is too slow to receive everything");
                self.metrics.slow_peers.inc();
            }
        }
    }

    fn on_message(&mut self, from: PeerId, bytes: Vec<u8>) {
        self.metrics.received.inc();
        let id = MessageId::of(&bytes);
        if bytes.len() > self.limits.max_message_bytes() {
            self.metrics.unasked(UnaskedReason::TooLarge);
            return self.tell_gossip(id, from, Verdict::Reject);
        }
        let content = content_id(&self.content_id, &bytes);
        if let Err(reason) = self.copies.arrive(id, from, content, Instant::now()) {
            self.metrics.unasked(reason.into());
            return self.tell_gossip(id, from, Verdict::Ignore);
        }
        if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) =
            self.events.try_send(Event::Message { id, from, bytes })
        {
            self.metrics.unasked(UnaskedReason::ConsumerSlow);
            self.settle(id, Verdict::Ignore);
        }
        self.metrics.undecided.set(i64::try_from(self.copies.undecided()).unwrap_or(i64::MAX));
    }

    fn on_exchange(&mut self, event: request_response::Event<Vec<u8>, Response>) {
        let exchange = &mut self.swarm.behaviour_mut().exchange;
        let Some(event) = self.requests.on_event(event, exchange, &self.metrics) else { return };
        if let Err(TrySendError::Full(event) | TrySendError::Closed(event)) = self.events.try_send(event)
            && let Event::Request { id, .. } = event
        {
            self.requests.turn_away(exchange, id, &self.metrics);
        }
    }

    fn settle(&mut self, id: MessageId, verdict: Verdict) {
        if let Some((from, verdict)) = self.copies.settle(id, verdict) {
            self.tell_gossip(id, from, verdict);
        }
        self.metrics.undecided.set(i64::try_from(self.copies.undecided()).unwrap_or(i64::MAX));
    }

    fn tell_gossip(&mut self, id: MessageId, from: PeerId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        self.metrics.verdict(verdict);
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(&id.to_gossip(), &from, acceptance);
    }

    /// Passes a change of status on, now or when there is room.
    fn tell(&mut self, event: Event) {
        self.backlog.retain(|waiting| !replaces(&event, waiting));
        self.backlog.push_back(event);
        self.flush();
    }

    fn flush(&mut self) {
        while let Ok(permit) = self.events.try_reserve() {
            match self.backlog.pop_front() {
                Some(event) => permit.send(event),
                None => break,
            }
        }
    }
}

/// Returns when the queue has room, or nobody reads it any more.
async fn room_in(events: &mpsc::Sender<Event>) {
    drop(events.reserve().await);
}

/// Whether `later` makes `earlier` worthless to someone who has seen neither.
fn replaces(later: &Event, earlier: &Event) -> bool {
    use Event::{Listening, PeerConnected, PeerDisconnected, PeerSubscribed};
    match (later, earlier) {
        (PeerDisconnected(a), PeerConnected(b) | PeerDisconnected(b) | PeerSubscribed(b))
        | (PeerConnected(a), PeerConnected(b) | PeerDisconnected(b))
        | (PeerSubscribed(a), PeerSubscribed(b)) => a == b,
        (Listening(a), Listening(b)) => a == b,
        _ => false,
    }
}
