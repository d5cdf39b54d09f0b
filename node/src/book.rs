//! What the node works with between records: cases, alerts and signals as they now stand.
//!
//! The book is a copy in memory of what is kept beside the log. It follows the log (`crate::follow`): what any replica
//! committed is read again from this replica's store.

use std::collections::BTreeMap;

use hansa_consensus::SignalState;
use hansa_screening::{ActiveAlerts, Exceptions, Known};
use hansa_types::case::{Alert, AlertState, Case};
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::codec_enum;
use hansa_types::exception::Exception;
use hansa_types::hash::{Digest, Field};
use hansa_types::id::{Epoch, Timestamp};
use hansa_types::record::ScopeKey;
use hansa_types::signal::{Signal, SignalBody};
use hansa_types::subject::Subject;
use zeroize::Zeroizing;

use crate::casebook::CaseBook;
use crate::journal::{Collection, Journal, JournalError};

/// How far a signal of this bank has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OwnState {
    /// Committed, not yet with the network.
    Pending,
    /// With the network.
    Sent,
    /// Taken back.
    Retracted,
    /// Not sent while its epoch was accepted.
    Expired,
}
codec_enum!(OwnState {
    Pending = 1, "pending", Sent = 2, "sent", Retracted = 3, "retracted", Expired = 4, "expired",
});

/// A signal of this bank, and what takes it back.
#[derive(Clone)]
pub(crate) struct OwnSignal {
    /// [`Signal::id`].
    pub(crate) id: Digest,
    /// What it says.
    pub(crate) body: SignalBody,
    /// What its proof will show, known before it is proved.
    pub(crate) nullifier: Field,
    /// The case behind it.
    pub(crate) case: u64,
    /// How far it has come.
    pub(crate) state: OwnState,
    /// When it came there.
    pub(crate) at: Timestamp,
    /// Opens the retraction lock: a secret until it is published.
    pub(crate) preimage: Zeroizing<[u8; 32]>,
}

/// Another bank's signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReceivedSignal {
    /// What was received.
    pub(crate) signal: Signal,
    /// When.
    pub(crate) at: Timestamp,
    /// Taken back by its sender.
    pub(crate) retracted: bool,
    /// Another signal came under its nullifier.
    pub(crate) void: bool,
}

impl ReceivedSignal {
    /// Whether it can raise alerts in `epoch`.
    pub(crate) fn counts(&self, epoch: Epoch) -> bool {
        !self.retracted && !self.void && epoch <= self.signal.body.expires
    }
}

/// What names an alert: the signal, and the subject that it matched.
pub(crate) type AlertKey = (Digest, Digest);

/// The key of `alert`.
pub(crate) fn alert_key(alert: &Alert) -> AlertKey {
    (alert.signal, alert.subject.digest())
}

/// Cases, alerts and signals as they now stand.
#[derive(Default)]
pub(crate) struct Book {
    /// The cases.
    pub(crate) cases: CaseBook,
    /// By signal and subject.
    pub(crate) alerts: BTreeMap<AlertKey, Alert>,
    /// This bank's own, by id.
    pub(crate) own: BTreeMap<Digest, OwnSignal>,
    /// Other banks', by id.
    pub(crate) received: BTreeMap<Digest, ReceivedSignal>,
    /// The open ones among `alerts`, by subject, as screening looks them up.
    pub(crate) active: ActiveAlerts,
    /// Who was found not to be listed.
    pub(crate) exceptions: Exceptions,
    /// The size of the log up to which it shows every change.
    pub(crate) size: u64,
}

impl Book {
    /// Reads the book from what the journal keeps.
    pub(crate) fn load(journal: &Journal) -> Result<Self, JournalError> {
        // Before the rest: what is committed meanwhile may be in the book, and is told of again.
        let size = journal.consensus().size();
        let cases: Vec<Case> = journal.documents(Collection::Cases)?;
        let alerts: Vec<Alert> = journal.documents(Collection::Alerts)?;
        let own: Vec<OwnSignal> = journal.documents(Collection::OwnSignals)?;
        let exceptions: Vec<Exception> = journal.documents(Collection::Exceptions)?;
        let mut book = Self {
            cases: CaseBook::new(cases),
            active: ActiveAlerts::new(&alerts),
            exceptions: Exceptions::new(exceptions),
            alerts: alerts.into_iter().map(|alert| (alert_key(&alert), alert)).collect(),
            own: own.into_iter().map(|own| (own.id, own)).collect(),
            received: BTreeMap::new(),
            size,
        };
        journal.consensus().signals()?.into_iter().for_each(|stored| book.set_signal(stored));
        Ok(book)
    }

    /// Reads one value again that was written beside the log.
    pub(crate) fn refresh_document(
        &mut self,
        journal: &Journal,
        collection: u8,
        key: &[u8],
    ) -> Result<(), JournalError> {
        if collection == Collection::Cases as u8 {
            let Ok(number) = key.try_into().map(u64::from_be_bytes) else { return Ok(()) };
            match journal.read_document(Collection::Cases, key)? {
                Some(case) => self.cases.set(case),
                None => self.cases.remove(number),
            }
        } else if collection == Collection::Alerts as u8 {
            match journal.read_document(Collection::Alerts, key)? {
                Some(alert) => self.set_alert(alert),
                None => self.remove_alert(journal, key),
            }
        } else if collection == Collection::OwnSignals as u8 {
            let Ok(id) = key.try_into().map(Digest) else { return Ok(()) };
            match journal.read_document(Collection::OwnSignals, key)? {
                Some(own) => self.own.insert(id, own),
                None => self.own.remove(&id),
            };
        } else if collection == Collection::Exceptions as u8 {
            let Ok(id) = key.try_into().map(Digest) else { return Ok(()) };
            match journal.read_document(Collection::Exceptions, key)? {
                Some(exception) => self.exceptions.insert(exception),
                None => self.exceptions.remove(&id),
            }
        }
        Ok(())
    }

    /// Reads again what is known of a nullifier.
    pub(crate) fn refresh_signal(
        &mut self,
        journal: &Journal,
        scope: &ScopeKey,
        nullifier: &Field,
    ) -> Result<(), JournalError> {
        if let Some(stored) = journal.consensus().signal(scope, nullifier)? {
            self.set_signal(stored);
        }
        Ok(())
    }

    /// Takes in what is known of a nullifier; of one that two signals carry, both. This bank's own are kept elsewhere.
    fn set_signal(&mut self, stored: SignalState) {
        let SignalState { signal, double, at, own, retracted } = stored;
        if own {
            return;
        }
        let (void, retracted) = (double.is_some(), retracted.is_some());
        if void {
            // A third signal under the nullifier, for which the evidence of two has no place, is as void.
            self.under_nullifier(&signal).for_each(|other| other.void = true);
        }
        for signal in [Some(signal), double].into_iter().flatten() {
            self.received.insert(signal.id(), ReceivedSignal { signal, at, retracted, void });
        }
    }

    /// What a payment is decided on beside lists, model and policy.
    pub(crate) fn known(&self) -> Known<'_> {
        Known { alerts: &self.active, exceptions: &self.exceptions, frame: None }
    }

    /// Takes in an alert as it now stands.
    pub(crate) fn set_alert(&mut self, alert: Alert) {
        self.active.update(&alert);
        self.alerts.insert(alert_key(&alert), alert);
    }

    /// The signals received that carry the nullifier of `signal`.
    fn under_nullifier(&mut self, signal: &Signal) -> impl Iterator<Item = &mut ReceivedSignal> {
        let (gateway, epoch, nullifier) = (signal.body.gateway, signal.body.epoch, signal.nullifier);
        self.received.values_mut().filter(move |other| {
            let other = &other.signal;
            other.nullifier == nullifier && other.body.gateway == gateway && other.body.epoch == epoch
        })
    }

    /// Forgets an alert whose value is gone.
    fn remove_alert(&mut self, journal: &Journal, key: &[u8]) {
        let gone = |(signal, subject): &AlertKey| {
            key.strip_prefix(&signal.0[..]).is_some_and(|rest| rest == journal.subject_key(subject))
        };
        let Some(alert) =
            self.alerts.keys().find(|key| gone(key)).copied().and_then(|key| self.alerts.remove(&key))
        else {
            return;
        };
        self.active.update(&Alert { state: AlertState::Expired, ..alert });
    }

    /// The open alerts of a signal.
    pub(crate) fn open_alerts(&self, signal: Digest) -> impl Iterator<Item = &Alert> {
        self.alerts.values().filter(move |alert| alert.signal == signal && alert.state == AlertState::Open)
    }

    /// Whether a signal received can raise alerts in `epoch`.
    pub(crate) fn received_counts(&self, signal: Digest, epoch: Epoch) -> bool {
        self.received.get(&signal).is_some_and(|received| received.counts(epoch))
    }

    /// Whether the subject matched a signal already, whatever became of the alert.
    pub(crate) fn has_alert(&self, signal: Digest, subject: &Subject) -> bool {
        self.alerts.contains_key(&(signal, subject.digest()))
    }
}

impl Encode for OwnSignal {
    fn encode(&self, out: &mut Writer) {
        self.id.encode(out);
        self.body.encode(out);
        self.nullifier.encode(out);
        self.case.encode(out);
        self.state.encode(out);
        self.at.encode(out);
        out.raw(self.preimage.as_ref());
    }
}

impl Decode for OwnSignal {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            id: Decode::decode(input)?,
            body: Decode::decode(input)?,
            nullifier: Decode::decode(input)?,
            case: Decode::decode(input)?,
            state: Decode::decode(input)?,
            at: Decode::decode(input)?,
            preimage: Zeroizing::new(input.array()?),
        })
    }
}
