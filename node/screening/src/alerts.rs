//! Which subjects other members have signalled, as far as it counts now.

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::case::{Alert, AlertState};
use hansa_types::hash::Digest;
use hansa_types::payment::{PartyRole, Payment};
use hansa_types::subject::Subject;

/// The open alerts, by subject. Built of the bank's alerts, and kept as they change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActiveAlerts {
    signals: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl ActiveAlerts {
    /// No alert.
    pub const NONE: Self = Self { signals: BTreeMap::new() };

    /// The open ones among `alerts`.
    pub fn new<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Self {
        let mut active = Self::default();
        alerts.into_iter().for_each(|alert| active.update(alert));
        active
    }

    /// Takes an alert in as it stands now: an open one counts from here on, any other no longer.
    pub fn update(&mut self, alert: &Alert) {
        let subject = alert.subject.digest();
        if alert.state == AlertState::Open {
            self.signals.entry(subject).or_default().insert(alert.signal);
        } else if let Some(signals) = self.signals.get_mut(&subject) {
            signals.remove(&alert.signal);
            if signals.is_empty() {
                self.signals.remove(&subject);
            }
        }
    }

    /// The signals about `subject`.
    pub fn of(&self, subject: &Subject) -> impl Iterator<Item = Digest> {
        self.signals.get(&subject.digest()).into_iter().flatten().copied()
    }

    /// The signals about an account or organisation of the payment, each with what it is about.
    pub fn of_payment(&self, payment: &Payment) -> Vec<(&'static str, Digest)> {
        if self.signals.is_empty() {
            return Vec::new();
        }
        let accounts = payment.accounts().filter_map(|(role, account)| {
            let what = match role {
                PartyRole::Debtor => "debtor account",
                PartyRole::Creditor => "creditor account",
                PartyRole::UnderlyingDebtor => "underlying debtor account",
                PartyRole::UnderlyingCreditor => "underlying creditor account",
                _ => return None,
            };
            Some((what, Subject::Account(account.clone())))
        });
        let organisations = payment.parties().filter_map(|(role, party)| {
            let what = match role {
                PartyRole::Debtor => "debtor organisation",
                PartyRole::Creditor => "creditor organisation",
                PartyRole::UnderlyingDebtor => "underlying debtor organisation",
                PartyRole::UnderlyingCreditor => "underlying creditor organisation",
                _ => return None,
            };
            Some((what, Subject::Organisation(party.lei?)))
        });
        let mut signals: Vec<_> = accounts
            .chain(organisations)
            .flat_map(|(what, subject)| {
                self.of(&subject).map(move |signal| (what, signal)).collect::<Vec<_>>()
            })
            .collect();
        // A return names both ends twice: a signal that was told of one of them is told once.
        let mut told = BTreeSet::new();
        signals.retain(|(_, signal)| told.insert(*signal));
        signals
    }

    /// How many signals count.
    pub fn len(&self) -> usize {
        self.signals.values().map(BTreeSet::len).sum()
    }

    /// Whether none counts.
    pub fn is_empty(&self) -> bool {
        self.signals.is_empty()
    }
}
