//! Factors of what the accounts did before. Each gives its value and what it rests on.

use super::habits::below_threshold;
use super::{CENTS, DAY, Inputs};

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

pub(super) fn velocity_count(inputs: &Inputs<'_>) -> Value {
    if !inputs.debtor {
        return none();
    }
    let count = u64::from(inputs.habits.out_count) + 1;
    (count, format!("payment {count} out of the account in {} hours", inputs.policy.windows.velocity_hours))
}

pub(super) fn velocity_sum(inputs: &Inputs<'_>) -> Value {
    if !inputs.debtor {
        return none();
    }
    let sum = inputs.habits.out_sum.saturating_add(inputs.cents);
    let text =
        format!("{} out of the account in {} hours", sum / CENTS, inputs.policy.windows.velocity_hours);
    (sum / CENTS / 1000, text)
}

pub(super) fn structuring(inputs: &Inputs<'_>) -> Value {
    let windows = &inputs.policy.windows;
    let (low, high) = below_threshold(windows);
    if inputs.cents < low || inputs.cents >= high {
        return none();
    }
    let count = u64::from(inputs.habits.near_threshold) + 1;
    let text = format!(
        "{count} of {} to {} within {} days",
        low / CENTS,
        windows.reporting_threshold,
        windows.pattern_days
    );
    (count, text)
}

pub(super) fn own_history(inputs: &Inputs<'_>) -> Value {
    let (count, mean) = (inputs.habits.payments_out, inputs.habits.mean_out);
    let tenths = inputs.cents.saturating_mul(10) / mean.max(1);
    if count < MEAN_PAYMENTS || tenths <= USUAL_TENTHS {
        return none();
    }
    (tenths, format!("{}.{} times the mean of {count} payments, {}", tenths / 10, tenths % 10, mean / CENTS))
}

pub(super) fn new_counterparty(inputs: &Inputs<'_>) -> Value {
    let payments = inputs.habits.payments;
    let habits = payments >= u64::from(inputs.policy.windows.habit_payments);
    if !(inputs.debtor && inputs.creditor && habits) || inputs.habits.acquainted {
        return none();
    }
    (1, format!("first payment to this account, after {payments} with others"))
}

pub(super) fn dormant(inputs: &Inputs<'_>) -> Value {
    let Some(seen) = inputs.habits.last_seen else { return none() };
    let days = inputs.now.saturating_sub(seen.0) / DAY;
    if days < u64::from(inputs.policy.windows.dormant_days) {
        return none();
    }
    (days / 30, format!("first payment after {days} days"))
}

pub(super) fn rapid_in_out(inputs: &Inputs<'_>) -> Value {
    let (came, went) = (inputs.habits.in_sum, inputs.habits.out_sum.saturating_add(inputs.cents));
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

pub(super) fn fan_in(inputs: &Inputs<'_>) -> Value {
    let (payers, days) = (u64::from(inputs.habits.payers), inputs.policy.windows.pattern_days);
    (payers.saturating_sub(USUAL_COUNTERPARTIES), format!("{payers} accounts paid into one in {days} days"))
}

pub(super) fn fan_out(inputs: &Inputs<'_>) -> Value {
    let (payees, days) = (u64::from(inputs.habits.payees), inputs.policy.windows.pattern_days);
    (payees.saturating_sub(USUAL_COUNTERPARTIES), format!("{payees} accounts paid from one in {days} days"))
}

pub(super) fn cycle(inputs: &Inputs<'_>) -> Value {
    let hops = inputs.habits.hops_back;
    let way = match hops {
        0 => return none(),
        1 => "directly",
        2 => "over one account",
        _ => "over two accounts",
    };
    let days = inputs.policy.windows.pattern_days;
    (hops.into(), format!("money came from the creditor's account to the debtor's within {days} days, {way}"))
}
