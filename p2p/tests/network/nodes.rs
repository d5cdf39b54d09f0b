//! Nodes of a small consortium on loopback, and waiting for what they say.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use hansa_p2p::{
    Config, Event, Identity, Member, MessageId, Multiaddr, Network, NetworkHandle, NetworkMetrics, PeerId,
    PeerStatus, Setup, Verdict,
};
use hansa_types::hash::digest;
use libp2p::multiaddr::Protocol;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Far above what anything here takes; a test that meets it has failed.
const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const ANY_PORT: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// A started node.
pub(crate) struct Node {
    pub(crate) handle: NetworkHandle,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) address: Multiaddr,
    pub(crate) peer: PeerId,
    registry: Registry,
    metrics: NetworkMetrics,
}

/// Node `n`'s key.
pub(crate) fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

/// Node `n` as a member that dials us, or that we dial at `address`.
pub(crate) fn member(n: u8, address: Option<&Multiaddr>) -> Member {
    Member { peer_id: identity(n).peer_id(), addresses: address.cloned().into_iter().collect() }
}

/// What `n` starts from: quick redials, and `content|anything` for a message.
pub(crate) fn setup(n: u8, listen: &str, members: Vec<Member>) -> Setup {
    let mut config = Config { listen: vec![listen.parse().expect("a multiaddr")], ..Config::default() };
    config.limits.redial_base_ms = 20;
    config.limits.redial_max_ms = 200;
    Setup {
        config,
        identity: identity(n),
        members,
        topic: "hansa/test/signals/1".to_owned(),
        content_id: Arc::new(|bytes| {
            let end = bytes.iter().position(|byte| *byte == b'|')?;
            Some(digest("test", &[&bytes[..end]]))
        }),
        jitter_seed: n.into(),
    }
}

impl Node {
    pub(crate) async fn start(n: u8, members: Vec<Member>) -> Self {
        Self::from_setup(setup(n, ANY_PORT, members)).await
    }

    pub(crate) async fn from_setup(setup: Setup) -> Self {
        let peer = setup.identity.peer_id();
        let mut registry = Registry::default();
        let metrics = NetworkMetrics::register(&mut registry);
        let (handle, mut events) = Network::start(setup, &metrics).expect("starts");
        let Some(Event::Listening(address)) = within(events.recv()).await else {
            panic!("not listening first")
        };
        Self { handle, events, address, peer, registry, metrics }
    }

    /// Stops the network and starts it again in this process, on another port.
    pub(crate) async fn restart(&mut self, setup: Setup) {
        self.handle.shutdown().await;
        let (handle, events) = Network::start(setup, &self.metrics).expect("starts again");
        (self.handle, self.events) = (handle, events);
        let Event::Listening(address) = self.event().await else { panic!("not listening first") };
        self.address = address;
    }

    /// libp2p's own metrics as text.
    pub(crate) fn libp2p_metrics(&self) -> String {
        let mut text = String::new();
        self.metrics.encode_libp2p(&mut text).expect("text");
        text
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Event {
        within(self.events.recv()).await.expect("the network runs")
    }

    /// Waits for `wanted`, passing over changes of status but over no message.
    pub(crate) async fn until(&mut self, wanted: Event) {
        loop {
            let event = self.event().await;
            if event == wanted {
                return;
            }
            assert!(!matches!(event, Event::Message { .. }), "{event:?} before {wanted:?}");
        }
    }

    /// The next message, passing over changes of status.
    pub(crate) async fn message(&mut self) -> (MessageId, PeerId, Vec<u8>) {
        loop {
            if let Event::Message { id, from, bytes } = self.event().await {
                return (id, from, bytes);
            }
        }
    }

    /// Waits for the next message, which must be `bytes`, and judges it; gives who forwarded it.
    pub(crate) async fn judge(&mut self, bytes: &[u8], verdict: Verdict) -> PeerId {
        let (id, from, received) = self.message().await;
        assert_eq!(String::from_utf8_lossy(&received), String::from_utf8_lossy(bytes));
        self.handle.report(id, verdict).await.expect("the network runs");
        from
    }

    pub(crate) async fn publish(&self, bytes: &[u8]) {
        let published = within(self.handle.publish(bytes.to_vec())).await;
        assert_eq!(published, Ok(hansa_p2p::Published::Sent(MessageId::of(bytes))));
    }

    pub(crate) async fn status(&self, peer: PeerId) -> PeerStatus {
        let peers = within(self.handle.peers()).await.expect("the network runs");
        peers.into_iter().find(|status| status.peer == peer).expect("a member")
    }

    /// The value of a sample in the Prometheus text form, 0 if absent.
    pub(crate) fn metric(&self, sample: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("text");
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().expect("a count"))
    }
}

/// Awaits with patience.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("happens in time")
}

/// Waits until each of two nodes knows that what it publishes reaches the other.
pub(crate) async fn joined(a: &mut Node, b: &mut Node) {
    let (to_b, to_a) = (Event::PeerSubscribed(b.peer), Event::PeerSubscribed(a.peer));
    tokio::join!(a.until(to_b), b.until(to_a));
}

/// Waits until QUIC has let go of a port: after the last connection closed it still answers stray packets for a moment.
pub(crate) async fn released(address: &Multiaddr) {
    let mut parts = address.iter();
    let (Some(Protocol::Ip4(ip)), Some(Protocol::Udp(port))) = (parts.next(), parts.next()) else {
        panic!("{address} is not what tests listen on")
    };
    within(async {
        while UdpSocket::bind((ip, port)).is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Three nodes in a line: 1 and 3 know only 2.
pub(crate) async fn line() -> [Node; 3] {
    let mut middle = Node::start(2, vec![member(1, None), member(3, None)]).await;
    let mut first = Node::start(1, vec![member(2, Some(&middle.address))]).await;
    joined(&mut first, &mut middle).await;
    let mut last = Node::start(3, vec![member(2, Some(&middle.address))]).await;
    joined(&mut last, &mut middle).await;
    [first, middle, last]
}
