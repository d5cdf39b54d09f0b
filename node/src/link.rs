//! The network of banks as flows use it: there while this replica leads its bank's group, and gone while another does.
//!
//! A bank has one peer id, which follows the leader. The network therefore starts and stops with leadership; what is
//! asked of it in between is answered as stopped.

use std::sync::{Arc, PoisonError, RwLock};

use hansa_keys::Secret;
use hansa_p2p::{
    Config, Event, Identity, Member, MembersError, MessageId, Network, NetworkHandle, NetworkMetrics, PeerId,
    PeerStatus, PublishError, Published, RequestError, RequestId, RespondError, Setup, StartError, Stopped,
    Verdict,
};
use hansa_types::codec::Decode;
use hansa_types::signal::Gossip;
use tokio::sync::mpsc;

/// What the network is started with, each time anew.
pub(crate) struct Meeting {
    pub(crate) config: Config,
    /// The bank's peer identity.
    pub(crate) seed: Secret,
    pub(crate) topic: String,
    pub(crate) jitter_seed: u64,
    pub(crate) metrics: NetworkMetrics,
}

/// The network, while it runs.
pub(crate) struct Link {
    meeting: Meeting,
    handle: RwLock<Option<NetworkHandle>>,
    /// Who the members are, as governance last had it.
    members: RwLock<Vec<Member>>,
}

impl Link {
    /// A network that does not run yet.
    pub(crate) fn new(meeting: Meeting, members: Vec<Member>) -> Self {
        Self { meeting, handle: RwLock::default(), members: RwLock::new(members) }
    }

    /// Makes these the members, now and whenever the network starts. Whether that is a change.
    pub(crate) async fn set_members(&self, members: Vec<Member>) -> Result<bool, MembersError> {
        if *self.members.read().unwrap_or_else(PoisonError::into_inner) == members {
            return Ok(false);
        }
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = members.clone();
        match self.handle() {
            Ok(handle) => handle.set_members(members).await.map(|()| true),
            // It starts with them.
            Err(Stopped) => Ok(true),
        }
    }

    /// Refuses what the network could not be started with: a follower shall not find out when it comes to lead.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        self.setup().check()
    }

    /// Starts the network; returns what it tells.
    pub(crate) fn open(&self) -> Result<mpsc::Receiver<Event>, StartError> {
        let (handle, events) = Network::start(self.setup(), &self.meeting.metrics)?;
        *self.handle.write().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        Ok(events)
    }

    fn setup(&self) -> Setup {
        let Meeting { config, seed, topic, jitter_seed, .. } = &self.meeting;
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        Setup {
            config: config.clone(),
            identity: Identity::from_seed(seed.expose()),
            members: members.clone(),
            topic: topic.clone(),
            content_id: Arc::new(|bytes| Gossip::from_bytes(bytes).ok().map(|message| message.id())),
            jitter_seed: *jitter_seed,
        }
    }

    /// Says goodbye to the members and stops the network, if it runs.
    pub(crate) async fn close(&self) {
        let handle = self.handle.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle {
            handle.shutdown().await;
        }
    }

    /// Publishes a message.
    pub(crate) async fn publish(&self, bytes: Vec<u8>) -> Result<Published, PublishError> {
        self.handle()?.publish(bytes).await
    }

    /// Gives the verdict on a message.
    pub(crate) async fn report(&self, message: MessageId, verdict: Verdict) -> Result<(), Stopped> {
        self.handle()?.report(message, verdict).await
    }

    /// How this replica stands with every other member.
    pub(crate) async fn peers(&self) -> Result<Vec<PeerStatus>, Stopped> {
        self.handle()?.peers().await
    }

    /// Asks one member something, and returns its answer.
    pub(crate) async fn request(&self, peer: PeerId, bytes: Vec<u8>) -> Result<Vec<u8>, RequestError> {
        self.handle()?.request(peer, bytes).await
    }

    /// Answers a member's request.
    pub(crate) async fn respond(&self, request: RequestId, bytes: Vec<u8>) -> Result<(), RespondError> {
        self.handle()?.respond(request, bytes).await
    }

    fn handle(&self) -> Result<NetworkHandle, Stopped> {
        self.handle.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Stopped)
    }
}
