//! Factors of what the accounts did before. Each gives its value and what it rests on.

use hansa_types::hash::Digest;

use super::Inputs;
use crate::history::{Activity, Direction};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const CENTS: u64 = 100;
/// Counterparties that are nothing unusual.
const USUAL_COUNTERPARTIES: u64 = 3;
/// The mean of an account counts from this many payments.
const MEAN_PAYMENTS: u64 = 3;
/// An amount up to this many tenths of the mean is nothing unusual.
const USUAL_TENTHS: u64 = 20;
/// A share of what came in that may well go out again, in percent.
const USUAL_SHARE: u64 = 50;

type Value = (u64, String);

fn none() -> Value {
    (0, String::new())
}

fn since(inputs: &Inputs<'_>, seconds: u64) -> u64 {
    inputs.now.saturating_sub(seconds)
}

fn velocity_window(inputs: &Inputs<'_>) -> u64 {
    u64::from(inputs.policy.windows.velocity_hours) * HOUR
}

fn pattern_window(inputs: &Inputs<'_>) -> u64 {
    u64::from(inputs.policy.windows.pattern_days) * DAY
}

fn activity(inputs: &Inputs<'_>, account: &Digest, window: u64, direction: Direction) -> Activity {
    inputs.history.activity(account, since(inputs, window), inputs.now, direction)
}

pub(super) fn velocity_count(inputs: &Inputs<'_>) -> Value {
    let Some(debtor) = &inputs.debtor else { return none() };
    let count = u64::from(activity(inputs, debtor, velocity_window(inputs), Direction::Out).count) + 1;
    (count, format!("payment {count} out of the account in {} hours", inputs.policy.windows.velocity_hours))
}

pub(super) fn velocity_sum(inputs: &Inputs<'_>) -> Value {
    let Some(debtor) = &inputs.debtor else { return none() };
    let sum =
        activity(inputs, debtor, velocity_window(inputs), Direction::Out).sum.saturating_add(inputs.cents);
    let text =
        format!("{} out of the account in {} hours", sum / CENTS, inputs.policy.windows.velocity_hours);
    (sum / CENTS / 1000, text)
}

pub(super) fn structuring(inputs: &Inputs<'_>) -> Value {
    let windows = &inputs.policy.windows;
    let high = windows.reporting_threshold.saturating_mul(CENTS);
    let low = high / 100 * (100 - u64::from(windows.structuring_percent));
    if inputs.cents < low || inputs.cents >= high {
        return none();
    }
    let from = since(inputs, pattern_window(inputs));
    let near = |account: &Option<Digest>, direction| {
        account.map_or(0, |a| inputs.history.count_between(&a, from, inputs.now, direction, low, high))
    };
    let before = near(&inputs.debtor, Direction::Out).max(near(&inputs.creditor, Direction::In));
    let count = u64::from(before) + 1;
    let text = format!(
        "{count} of {} to {} within {} days",
        low / CENTS,
        windows.reporting_threshold,
        windows.pattern_days
    );
    (count, text)
}

pub(super) fn own_history(inputs: &Inputs<'_>) -> Value {
    let Some((count, mean)) = inputs.debtor.and_then(|debtor| inputs.history.mean_out(&debtor)) else {
        return none();
    };
    let tenths = inputs.cents.saturating_mul(10) / mean.max(1);
    if count < MEAN_PAYMENTS || tenths <= USUAL_TENTHS {
        return none();
    }
    (tenths, format!("{}.{} times the mean of {count} payments, {}", tenths / 10, tenths % 10, mean / CENTS))
}

pub(super) fn new_counterparty(inputs: &Inputs<'_>) -> Value {
    let (Some(debtor), Some(creditor)) = (&inputs.debtor, &inputs.creditor) else { return none() };
    let payments = inputs.history.payments(debtor);
    let habits = payments >= u64::from(inputs.policy.windows.habit_payments);
    if !habits || inputs.history.knows(debtor, creditor) {
        return none();
    }
    (1, format!("first payment to this account, after {payments} with others"))
}

pub(super) fn dormant(inputs: &Inputs<'_>) -> Value {
    let Some(seen) = inputs.debtor.and_then(|debtor| inputs.history.last_seen(&debtor)) else {
        return none();
    };
    let days = inputs.now.saturating_sub(seen) / DAY;
    if days < u64::from(inputs.policy.windows.dormant_days) {
        return none();
    }
    (days / 30, format!("first payment after {days} days"))
}

pub(super) fn rapid_in_out(inputs: &Inputs<'_>) -> Value {
    let Some(debtor) = &inputs.debtor else { return none() };
    let came = activity(inputs, debtor, velocity_window(inputs), Direction::In).sum;
    let went =
        activity(inputs, debtor, velocity_window(inputs), Direction::Out).sum.saturating_add(inputs.cents);
    if came == 0 {
        return none();
    }
    let share = (went.saturating_mul(100) / came).min(100);
    if share < USUAL_SHARE {
        return none();
    }
    let hours = inputs.policy.windows.velocity_hours;
    (share, format!("{} came in and {} goes out within {hours} hours", came / CENTS, went / CENTS))
}

/// Different counterparties of an account within the pattern window, the other account of this payment included.
fn counterparties(
    inputs: &Inputs<'_>,
    account: &Digest,
    other: Option<&Digest>,
    direction: Direction,
) -> u64 {
    let from = since(inputs, pattern_window(inputs));
    let mut known = inputs.history.counterparties(account, from, inputs.now, direction);
    known.extend(other.copied());
    known.len() as u64
}

pub(super) fn fan_in(inputs: &Inputs<'_>) -> Value {
    let Some(creditor) = &inputs.creditor else { return none() };
    let payers = counterparties(inputs, creditor, inputs.debtor.as_ref(), Direction::In);
    let days = inputs.policy.windows.pattern_days;
    (payers.saturating_sub(USUAL_COUNTERPARTIES), format!("{payers} accounts paid into one in {days} days"))
}

pub(super) fn fan_out(inputs: &Inputs<'_>) -> Value {
    let Some(debtor) = &inputs.debtor else { return none() };
    let payees = counterparties(inputs, debtor, inputs.creditor.as_ref(), Direction::Out);
    let days = inputs.policy.windows.pattern_days;
    (payees.saturating_sub(USUAL_COUNTERPARTIES), format!("{payees} accounts paid from one in {days} days"))
}
