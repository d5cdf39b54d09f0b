//! What the network counts. Names and meanings are fixed here; the registry is handed down.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::copies::Unasked;
use crate::message::Verdict;

/// Why a message never reached the application, or its verdict never reached gossipsub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum UnaskedReason {
    CopyOfAccepted,
    TooManyCopies,
    TooManyUndecided,
    ConsumerSlow,
    VerdictOverdue,
    TooLarge,
}

impl From<Unasked> for UnaskedReason {
    fn from(reason: Unasked) -> Self {
        match reason {
            Unasked::CopyOfAccepted => Self::CopyOfAccepted,
            Unasked::TooManyCopies => Self::TooManyCopies,
            Unasked::TooManyUndecided => Self::TooManyUndecided,
        }
    }
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum DeniedReason {
    NotMember,
    ConnectionLimit,
    MemoryLimit,
    Other,
}

/// What became of a message to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum PublishOutcome {
    Sent,
    Known,
    NoSubscriber,
    QueuesFull,
    Refused,
}

/// What became of a request of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum RequestOutcome {
    Answered,
    Busy,
    NotConnected,
    TimedOut,
    Lost,
}

/// What became of a request of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum ServedOutcome {
    Answered,
    Busy,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum VerdictLabel {
    Accept,
    Ignore,
    Reject,
}

impl From<Verdict> for VerdictLabel {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::Accept,
            Verdict::Ignore => Self::Ignore,
            Verdict::Reject => Self::Reject,
        }
    }
}

macro_rules! labels {
    ($($name:ident { $label:ident: $of:ty })*) => {$(
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(crate) struct $name { pub(crate) $label: $of }
    )*};
}
labels! {
    UnaskedLabels { reason: UnaskedReason }
    DeniedLabels { reason: DeniedReason }
    PublishLabels { outcome: PublishOutcome }
    VerdictLabels { verdict: VerdictLabel }
    RequestLabels { outcome: RequestOutcome }
    ServedLabels { outcome: ServedOutcome }
}

/// In front of every name.
pub(crate) const PREFIX: &str = "hansa_p2p";

/// The metrics of a network that may start and stop more than once: the network's own are registered once, libp2p's are
/// made anew at each start and shown by [`NetworkMetrics::encode_libp2p`].
#[derive(Clone, Debug)]
pub struct NetworkMetrics {
    own: Metrics,
    /// Those of the latest start: libp2p registers them itself, and a registry takes a name only once.
    libp2p: Arc<Mutex<Registry>>,
}

impl NetworkMetrics {
    /// Registers the network's own counters. Nothing is started.
    pub fn register(registry: &mut Registry) -> Self {
        let own = Metrics::register(registry.sub_registry_with_prefix(PREFIX));
        Self { own, libp2p: Arc::default() }
    }

    /// Writes libp2p's own metrics of the latest start, without an end mark.
    ///
    /// # Errors
    /// As [`encode_registry`].
    pub fn encode_libp2p(&self, out: &mut String) -> std::fmt::Result {
        encode_registry(out, &self.libp2p.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn own(&self) -> Metrics {
        self.own.clone()
    }

    /// Shows `registry` from now on.
    pub(crate) fn show_libp2p(&self, registry: Registry) {
        *self.libp2p.lock().unwrap_or_else(PoisonError::into_inner) = registry;
    }
}

/// The network's counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) peers_connected: Gauge,
    pub(crate) undecided: Gauge,
    pub(crate) received: Counter,
    unasked: Family<UnaskedLabels, Counter>,
    verdicts: Family<VerdictLabels, Counter>,
    published: Family<PublishLabels, Counter>,
    denied: Family<DeniedLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    served: Family<ServedLabels, Counter>,
    pub(crate) connections_replaced: Counter,
    pub(crate) dials_failed: Counter,
    pub(crate) handshakes_failed: Counter,
    pub(crate) listeners_lost: Counter,
    pub(crate) slow_peers: Counter,
    pub(crate) other_protocol: Counter,
}

impl Metrics {
    /// Registers everything under `registry`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let m = Self::default();
        // A counter that is there before it counts can be alerted on.
        drop(m.unasked.get_or_create(&UnaskedLabels { reason: UnaskedReason::ConsumerSlow }));
        drop(m.denied.get_or_create(&DeniedLabels { reason: DeniedReason::NotMember }));
        drop(m.published.get_or_create(&PublishLabels { outcome: PublishOutcome::NoSubscriber }));
        drop(m.served.get_or_create(&ServedLabels { outcome: ServedOutcome::Busy }));
        drop(m.requests.get_or_create(&RequestLabels { outcome: RequestOutcome::TimedOut }));
        for verdict in [VerdictLabel::Accept, VerdictLabel::Ignore, VerdictLabel::Reject] {
            drop(m.verdicts.get_or_create(&VerdictLabels { verdict }));
        }
        registry.register(
            "peers_connected",
            "Members with at least one connection",
            m.peers_connected.clone(),
        );
        registry.register(
            "messages_undecided",
            "Messages that await the node's verdict",
            m.undecided.clone(),
        );
        registry.register("messages_received", "Messages whose bytes were new", m.received.clone());
        registry.register(
            "messages_unasked",
            "Messages settled without the node's verdict, by reason; none is forwarded",
            m.unasked.clone(),
        );
        registry.register("verdicts", "Verdicts as told to gossipsub", m.verdicts.clone());
        registry.register("published", "Messages to publish, by what became of them", m.published.clone());
        registry.register("connections_denied", "Connections refused, by reason", m.denied.clone());
        registry.register(
            "requests",
            "Requests to single members, by what became of them",
            m.requests.clone(),
        );
        registry.register(
            "requests_served",
            "Requests of members, by what became of them; busy ones exceeded the member's own bounds",
            m.served.clone(),
        );
        registry.register(
            "connections_replaced",
            "Second connections of a member, which ended the first: after a crash, or when both dialled at once",
            m.connections_replaced.clone(),
        );
        registry.register("dials_failed", "Attempts to reach a member that failed", m.dials_failed.clone());
        registry.register(
            "handshakes_failed",
            "Incoming handshakes that failed",
            m.handshakes_failed.clone(),
        );
        registry.register("listeners_lost", "Listening addresses that failed", m.listeners_lost.clone());
        registry.register("slow_peers", "Reports of members too slow to receive", m.slow_peers.clone());
        registry.register(
            "other_protocol",
            "Connections that speak another protocol",
            m.other_protocol.clone(),
        );
        m
    }

    pub(crate) fn unasked(&self, reason: UnaskedReason) {
        self.unasked.get_or_create(&UnaskedLabels { reason }).inc();
    }

    pub(crate) fn verdict(&self, verdict: Verdict) {
        self.verdicts.get_or_create(&VerdictLabels { verdict: verdict.into() }).inc();
    }

    pub(crate) fn published(&self, outcome: PublishOutcome) {
        self.published.get_or_create(&PublishLabels { outcome }).inc();
    }

    pub(crate) fn requested(&self, outcome: RequestOutcome) {
        self.requests.get_or_create(&RequestLabels { outcome }).inc();
    }

    pub(crate) fn served(&self, outcome: ServedOutcome) {
        self.served.get_or_create(&ServedLabels { outcome }).inc();
    }

    pub(crate) fn denied(&self, reason: DeniedReason) {
        self.denied.get_or_create(&DeniedLabels { reason }).inc();
    }
}
