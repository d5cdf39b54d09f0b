//! From all that is remembered to what the factors of one payment go by.

use hansa_types::habits::Habits;
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::payment::{Account, Payment};

use super::{CENTS, DAY, HOUR};
use crate::config::{Policy, Windows};
use crate::history::{Direction, History};

/// What the accounts of `payment` did before `now`, in the windows of `policy`.
pub(crate) fn of(payment: &Payment, history: &History, policy: &Policy, now: Timestamp) -> Habits {
    let [debtor, creditor] = payment.customer_accounts().map(|account| account.map(Account::digest));
    let look = Look { history, windows: &policy.windows, now: now.0 };
    let mut habits = Habits::default();
    if let Some(debtor) = &debtor {
        look.debtor(debtor, creditor, &mut habits);
    }
    if let Some(creditor) = &creditor {
        habits.payers = look.counterparties(creditor, debtor, Direction::In);
        habits.near_threshold = habits.near_threshold.max(look.near(creditor, Direction::In));
    }
    habits
}

struct Look<'a> {
    history: &'a History,
    windows: &'a Windows,
    now: u64,
}

impl Look<'_> {
    fn debtor(&self, debtor: &Digest, creditor: Option<Digest>, habits: &mut Habits) {
        let history = self.history;
        let velocity = self.now.saturating_sub(u64::from(self.windows.velocity_hours) * HOUR);
        let out = history.activity(debtor, velocity, self.now, Direction::Out);
        (habits.out_count, habits.out_sum) = (out.count, out.sum);
        habits.in_sum = history.activity(debtor, velocity, self.now, Direction::In).sum;
        habits.near_threshold = self.near(debtor, Direction::Out);
        (habits.payments_out, habits.mean_out) = history.mean_out(debtor).unwrap_or_default();
        habits.payments = history.payments(debtor);
        habits.last_seen = history.last_seen(debtor).map(Timestamp);
        habits.acquainted = creditor.is_some_and(|creditor| history.knows(debtor, &creditor));
        habits.payees = self.counterparties(debtor, creditor, Direction::Out);
        let hops = creditor.map_or(0, |c| history.hops_back(debtor, &c, self.pattern(), self.now));
        habits.hops_back = u8::try_from(hops).unwrap_or(u8::MAX);
    }

    fn pattern(&self) -> u64 {
        self.now.saturating_sub(u64::from(self.windows.pattern_days) * DAY)
    }

    fn near(&self, account: &Digest, direction: Direction) -> u32 {
        let (low, high) = below_threshold(self.windows);
        self.history.count_between(account, self.pattern(), self.now, direction, low, high)
    }

    /// Different counterparties within the pattern window, the other account of this payment included.
    fn counterparties(&self, account: &Digest, other: Option<Digest>, direction: Direction) -> u32 {
        let mut known = self.history.counterparties(account, self.pattern(), self.now, direction);
        known.extend(other);
        u32::try_from(known.len()).unwrap_or(u32::MAX)
    }
}

/// From which amount in cents, and below which, a payment is just below the reporting threshold.
pub(super) fn below_threshold(windows: &Windows) -> (u64, u64) {
    let high = windows.reporting_threshold.saturating_mul(CENTS);
    (high / 100 * (100 - u64::from(windows.structuring_percent)), high)
}
