//! What accounts did before, in bounded windows: how often, how much, with whom.
//!
//! Pure and replayed: the same observations in the same order give the same windows, so a node rebuilds them from its
//! log. Amounts are in cents of the policy's reference currency, times in unix seconds. When more accounts or events
//! come than are kept, the oldest go and are counted.

mod cycle;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hansa_types::hash::Digest;

pub use cycle::{MAX_HOPS, MAX_VISITED};

/// The most accounts that are remembered.
pub const MAX_ACCOUNTS: usize = 200_000;
/// The most payments remembered of one account.
pub const MAX_EVENTS: usize = 256;
/// The most counterparties remembered of one account.
pub const MAX_COUNTERPARTIES: usize = 256;

/// A payment that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The account paid from, by its digest, if known.
    pub debtor: Option<Digest>,
    /// The account paid to.
    pub creditor: Option<Digest>,
    /// Cents of the reference currency.
    pub amount: u64,
    /// Unix seconds.
    pub at: u64,
}

/// Which way the money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Into the account.
    In,
    /// Out of it.
    Out,
}

/// One payment of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event {
    at: u64,
    amount: u64,
    direction: Direction,
    counterparty: Option<Digest>,
}

/// What is remembered of one account.
#[derive(Clone, Debug, Default)]
struct Window {
    events: VecDeque<Event>,
    counterparties: BTreeMap<Digest, u64>,
    last_seen: u64,
    payments_out: u64,
    sum_out: u64,
    payments: u64,
}

/// What an account did in a stretch of time, and before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Payments.
    pub count: u32,
    /// Their sum, in cents.
    pub sum: u64,
}

/// The windows of all accounts.
#[derive(Clone, Debug, Default)]
pub struct History {
    accounts: BTreeMap<Digest, Window>,
    by_age: BTreeSet<(u64, Digest)>,
    evicted_accounts: u64,
    evicted_events: u64,
}

impl History {
    /// Takes a payment into the windows of both accounts.
    pub fn observe(&mut self, seen: &Observation) {
        let sides =
            [(seen.debtor, seen.creditor, Direction::Out), (seen.creditor, seen.debtor, Direction::In)];
        for (account, counterparty, direction) in sides {
            if let Some(account) = account {
                self.record(account, Event { at: seen.at, amount: seen.amount, direction, counterparty });
            }
        }
    }

    fn record(&mut self, account: Digest, event: Event) {
        let window = self.accounts.entry(account).or_default();
        self.by_age.remove(&(window.last_seen, account));
        window.last_seen = window.last_seen.max(event.at);
        window.payments += 1;
        if event.direction == Direction::Out {
            window.payments_out += 1;
            window.sum_out = window.sum_out.saturating_add(event.amount);
        }
        if let Some(counterparty) = event.counterparty {
            window.counterparties.insert(counterparty, event.at);
            if window.counterparties.len() > MAX_COUNTERPARTIES {
                let oldest =
                    window.counterparties.iter().min_by_key(|(id, at)| (**at, **id)).map(|(id, _)| *id);
                oldest.map(|id| window.counterparties.remove(&id));
                self.evicted_events += 1;
            }
        }
        window.events.push_back(event);
        if window.events.len() > MAX_EVENTS {
            window.events.pop_front();
            self.evicted_events += 1;
        }
        self.by_age.insert((window.last_seen, account));
        if self.accounts.len() > MAX_ACCOUNTS
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.accounts.remove(&oldest);
            self.evicted_accounts += 1;
        }
    }

    fn events(
        &self,
        account: &Digest,
        from: u64,
        to: u64,
        direction: Direction,
    ) -> impl Iterator<Item = &Event> {
        let events = self.accounts.get(account).map(|window| window.events.iter());
        events
            .into_iter()
            .flatten()
            .filter(move |event| event.direction == direction && event.at >= from && event.at <= to)
    }

    /// What went one way between `from` and `to`, both included.
    pub fn activity(&self, account: &Digest, from: u64, to: u64, direction: Direction) -> Activity {
        let mut activity = Activity::default();
        for event in self.events(account, from, to, direction) {
            activity.count += 1;
            activity.sum = activity.sum.saturating_add(event.amount);
        }
        activity
    }

    /// The different counterparties of payments one way between `from` and `to`.
    pub fn counterparties(
        &self,
        account: &Digest,
        from: u64,
        to: u64,
        direction: Direction,
    ) -> BTreeSet<Digest> {
        self.events(account, from, to, direction).filter_map(|event| event.counterparty).collect()
    }

    /// How many payments one way between `from` and `to` were of at least `low` and below `high` cents.
    pub fn count_between(
        &self,
        account: &Digest,
        from: u64,
        to: u64,
        direction: Direction,
        low: u64,
        high: u64,
    ) -> u32 {
        let events = self.events(account, from, to, direction);
        events.filter(|event| event.amount >= low && event.amount < high).count() as u32
    }

    /// Whether the account was seen paying or being paid by the counterparty.
    pub fn knows(&self, account: &Digest, counterparty: &Digest) -> bool {
        self.accounts.get(account).is_some_and(|window| window.counterparties.contains_key(counterparty))
    }

    /// How many payments the account was seen in.
    pub fn payments(&self, account: &Digest) -> u64 {
        self.accounts.get(account).map_or(0, |window| window.payments)
    }

    /// When the account was last seen.
    pub fn last_seen(&self, account: &Digest) -> Option<u64> {
        self.accounts.get(account).map(|window| window.last_seen)
    }

    /// How many payments went out of the account, and their mean in cents.
    pub fn mean_out(&self, account: &Digest) -> Option<(u64, u64)> {
        let window = self.accounts.get(account).filter(|window| window.payments_out > 0)?;
        Some((window.payments_out, window.sum_out / window.payments_out))
    }

    /// How many accounts are remembered.
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// How many accounts, and events or counterparties, were forgotten for want of room.
    pub fn evicted(&self) -> (u64, u64) {
        (self.evicted_accounts, self.evicted_events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Digest = Digest([1; 32]);
    const B: Digest = Digest([2; 32]);
    const C: Digest = Digest([3; 32]);

    fn paid(debtor: Digest, creditor: Digest, amount: u64, at: u64) -> Observation {
        Observation { debtor: Some(debtor), creditor: Some(creditor), amount, at }
    }

    #[test]
    fn windows_count_what_lies_within_them() {
        let mut history = History::default();
        for (creditor, amount, at) in [(B, 100, 10), (B, 200, 20), (C, 300, 30)] {
            history.observe(&paid(A, creditor, amount, at));
        }
        let activity = history.activity(&A, 15, 30, Direction::Out);
        assert_eq!(activity, Activity { count: 2, sum: 500 });
        assert_eq!(history.counterparties(&A, 0, 99, Direction::Out).len(), 2);
        assert_eq!(history.activity(&B, 0, 99, Direction::In).count, 2);
        assert_eq!(history.activity(&A, 0, 99, Direction::In), Activity::default());
        assert_eq!(history.mean_out(&A), Some((3, 200)));
        assert_eq!(history.count_between(&A, 0, 99, Direction::Out, 200, 300), 1);
        assert!(history.knows(&B, &A) && !history.knows(&B, &C));
        assert_eq!(history.last_seen(&A), Some(30));
    }

    #[test]
    fn what_exceeds_the_bounds_is_forgotten_and_counted() {
        let mut history = History::default();
        for at in 0..MAX_EVENTS as u64 + 10 {
            history.observe(&paid(A, B, 1, at));
        }
        assert_eq!(history.activity(&A, 0, 1000, Direction::Out).count as usize, MAX_EVENTS);
        assert_eq!(history.evicted(), (0, 20));
        assert_eq!(history.payments(&A), MAX_EVENTS as u64 + 10);
    }

    #[test]
    fn an_unknown_account_did_nothing() {
        let history = History::default();
        assert_eq!(history.activity(&A, 0, 99, Direction::Out), Activity::default());
        assert_eq!((history.payments(&A), history.last_seen(&A), history.mean_out(&A)), (0, None, None));
    }
}
