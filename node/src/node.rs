//! What every flow works with: the parts of one running node.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use hansa_api::LoginCounter;
use hansa_consensus::Outcome;
use hansa_keys::{KeyFolder, Secret};
use hansa_p2p::{Event as NetworkEvent, PeerId};
use hansa_prover::secrets::MemberSecrets;
use hansa_prover::verify::Context;
use hansa_screening::CaseRules;
use hansa_types::id::{Actor, BankId, GatewayId, Timestamp};
use hansa_types::manifest::{Manifest, SignedManifest};
use hansa_types::record::{LoginRecord, Operation, Record};
use hansa_types::sign::Signer;
use tokio::sync::{Notify, watch};

use crate::archive::Archive;
use crate::backup::Backups;
use crate::book::Book;
use crate::change::Changing;
use crate::config::PaymentsConfig;
use crate::customers::CustomerFile;
use crate::events::{Event, Events};
use crate::flows::model::Watching;
use crate::flows::payment::{InFlight, Past, Seen};
use crate::flows::proving::Proving;
use crate::flows::rescreen::Rescreening;
use crate::flows::tags::Tags;
use crate::flows::witness::Cosigning;
use crate::frames::Frames;
use crate::governed::Governed;
use crate::journal::{Journal, JournalError};
use crate::link::Link;
use crate::members::Addresses;
use crate::metrics::Metrics;
use crate::provisional::Provisional;
use crate::retention::Retention;
use crate::screening::Screening;

/// One running node. Whoever needs both locks `past` before `book`.
pub(crate) struct Node {
    pub(crate) bank: BankId,
    /// The rules in force, and what is open.
    pub(crate) governed: Arc<Governed>,
    /// What the founders signed, as their file has it.
    pub(crate) founders: SignedManifest,
    /// Where the governance key is, if it is here.
    pub(crate) keys: KeyFolder,
    /// The gateway that signals are shared through; none, and nothing is shared.
    pub(crate) gateway: Option<GatewayId>,
    pub(crate) proving: Proving,
    pub(crate) secrets: MemberSecrets,
    pub(crate) log_key: Box<dyn Signer>,
    pub(crate) witness_key: Secret,
    pub(crate) cosigning: Cosigning,
    pub(crate) journal: Journal,
    /// What payments are screened with.
    pub(crate) screening: Screening,
    /// What opens a case, and what takes two officers.
    pub(crate) cases: CaseRules,
    /// The lists, models and rules that decisions cite.
    pub(crate) archive: Archive,
    /// How long records are kept.
    pub(crate) retention: Retention,
    /// Calls of the interface, until they are recorded.
    pub(crate) logins: Arc<LoginCounter>,
    pub(crate) customers: CustomerFile,
    /// The last decisions, and a model under watch.
    pub(crate) watching: Watching,
    /// What is screened anew.
    pub(crate) rescreening: Rescreening,
    pub(crate) past: Mutex<Past>,
    pub(crate) in_flight: InFlight,
    pub(crate) payments: PaymentsConfig,
    /// Where frames are taken in, if they are.
    pub(crate) frames: Option<Frames>,
    /// Decisions taken without a quorum.
    pub(crate) provisional: Provisional,
    pub(crate) tags: Tags,
    pub(crate) book: RwLock<Book>,
    /// Up to which size of the log `past` and `book` show it.
    pub(crate) followed: watch::Sender<u64>,
    /// Whose turn it is to change cases, alerts or signals here.
    pub(crate) changing: Changing,
    pub(crate) network: Link,
    /// Where the configuration says that members are.
    pub(crate) addresses: Addresses,
    /// Who is connected and hears what is published.
    pub(crate) connected: Mutex<BTreeSet<PeerId>>,
    /// Wakes the queue of signals.
    pub(crate) outbox: Notify,
    /// Wakes the tagging of counterparties seen in payments.
    pub(crate) seen: Seen,
    pub(crate) backups: Backups,
    pub(crate) metrics: Metrics,
    pub(crate) events: Events,
}

impl Node {
    /// The time. Flows take it from here and pass it on.
    pub(crate) fn now(&self) -> Timestamp {
        now()
    }

    /// The manifest in force now.
    pub(crate) fn manifest(&self) -> Arc<Manifest> {
        self.governed.manifest(self.now())
    }

    /// What proofs are about, in every epoch.
    pub(crate) fn context(&self) -> Arc<Context> {
        self.governed.context()
    }

    pub(crate) fn book(&self) -> RwLockReadGuard<'_, Book> {
        // The book is changed by whole insertions, so a panic elsewhere leaves it whole.
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn book_mut(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this replica leads its group, and so speaks for the bank.
    pub(crate) fn leads(&self) -> bool {
        let role = self.journal.consensus().role();
        let role = role.borrow();
        role.leads && role.quorum
    }

    /// Logs what the node or an operator did.
    pub(crate) async fn log_operation(&self, what: &str, detail: String) -> Result<Outcome, JournalError> {
        let operation = Operation { what: what.to_owned(), detail, at: self.now() };
        self.journal.append(&Record::Operation(operation)).await
    }

    /// Logs who used the interface since it was asked last, as far as it is due.
    pub(crate) async fn log_logins(&self) -> Result<(), JournalError> {
        for logins in self.logins.take(self.now()) {
            let record = LoginRecord {
                token: "api".to_owned(),
                from: logins.from.name().to_owned(),
                accepted: logins.accepted,
                calls: logins.calls,
                since: logins.since,
                at: logins.at,
            };
            self.journal.append(&Record::Login(record)).await?;
        }
        Ok(())
    }

    /// Tells the world what the network reports about itself.
    pub(crate) fn network_changed(&self, event: NetworkEvent) {
        match event {
            NetworkEvent::Listening(address) => {
                self.events.emit(&Event::Listening { address: address.to_string() });
            }
            NetworkEvent::PeerSubscribed(peer) => {
                let connected = self.with_connected(|peers| peers.insert(peer));
                self.emit_peer(peer, |bank| Event::PeerConnected { bank, connected });
                self.outbox.notify_one();
            }
            NetworkEvent::PeerDisconnected(peer) => {
                let connected = self.with_connected(|peers| peers.remove(&peer));
                self.emit_peer(peer, |bank| Event::PeerDisconnected { bank, connected });
            }
            NetworkEvent::PeerConnected(_) | NetworkEvent::Message { .. } | NetworkEvent::Request { .. } => {}
        }
    }

    /// Nobody is connected any more: this replica left the network.
    pub(crate) fn network_left(&self) {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether anybody hears what is published.
    pub(crate) fn is_heard(&self) -> bool {
        self.with_connected(|_| false) > 0
    }

    /// Whether a member's node is connected and listens.
    pub(crate) fn is_connected(&self, peer: &PeerId) -> bool {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner).contains(peer)
    }

    /// Changes who is connected, and says how many are.
    fn with_connected(&self, change: impl FnOnce(&mut BTreeSet<PeerId>) -> bool) -> usize {
        let mut peers = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut peers);
        peers.len()
    }

    fn emit_peer(&self, peer: PeerId, event: impl FnOnce(BankId) -> Event) {
        if let Some(bank) = self.bank_of(&peer) {
            self.events.emit(&event(bank));
        }
    }
}

/// The system's time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since.map_or(0, |elapsed| elapsed.as_secs()))
}

/// The system's time as frames count it: nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |elapsed| u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
}

/// The actor of what a named policy does by itself.
pub(crate) fn policy_actor(policy: &str) -> Actor {
    format!("policy.{policy}").parse().expect("policies are named within the alphabet of actors")
}
