//! The risk factors: at most sixteen numbers, each from the payment and its accounts' [`Habits`] alone.
//!
//! A slot, once published, keeps its meaning: registered models and proofs refer to it by number. Other banks' signals
//! are no factor; a rule of their own handles them.

mod behaviour;
pub mod fatf;
pub(crate) mod habits;
pub mod note;
mod particulars;
#[cfg(test)]
mod tests;

use hansa_types::codec_enum;
use hansa_types::habits::Habits;
use hansa_types::model::{FACTORS, Factors};
use hansa_types::payment::Payment;
use serde::Serialize;

use crate::config::Policy;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const CENTS: u64 = 100;

/// A risk factor. Its number is one more than its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factor {
    /// The best likeness to a listed name, in thousandths.
    ListMatch,
    /// Payments out of the debtor's account within the velocity window, this one included.
    VelocityCount,
    /// Their sum in thousands of the reference currency, rounded down.
    VelocitySum,
    /// Payments just below the reporting threshold on either account within the pattern window, this one included; 0
    /// if this one is not.
    Structuring,
    /// Zeros at the end of the amount's whole units, beyond the second.
    RoundAmount,
    /// The amount over the account's mean, in tenths; 0 up to twice the mean, and for accounts without habits.
    OwnHistory,
    /// 1 for a country on FATF's grey list, 5 on its black list, the highest of the payment's.
    Geography,
    /// 1 if an account with habits pays somebody for the first time.
    NewCounterparty,
    /// Months of thirty days since the debtor's account was last seen, if it was dormant.
    Dormant,
    /// The share, in percent, of what came into the debtor's account within the velocity window that this payment and
    /// those in the window take out again; 0 below half.
    RapidInOut,
    /// Different accounts that paid into the creditor's account within the pattern window, beyond three.
    FanIn,
    /// Different accounts that the debtor's account paid within the pattern window, beyond three.
    FanOut,
    /// How many of name, account and address the originator lacks.
    MissingOriginator,
    /// How many of debtor and creditor live in another country than their IBAN's.
    CountryMismatch,
    /// Banks between the debtor's and the creditor's, beyond one.
    AgentChain,
    /// Over how many payments within the pattern window the money goes back to where it came from: the creditor paid the
    /// debtor directly (1), or over one or two accounts in between (2, 3), as far as this bank sees.
    Cycle,
}
codec_enum!(Factor {
    ListMatch = 1, "list_match", VelocityCount = 2, "velocity_count", VelocitySum = 3, "velocity_sum",
    Structuring = 4, "structuring", RoundAmount = 5, "round_amount", OwnHistory = 6, "own_history",
    Geography = 7, "geography", NewCounterparty = 8, "new_counterparty", Dormant = 9, "dormant",
    RapidInOut = 10, "rapid_in_out", FanIn = 11, "fan_in", FanOut = 12, "fan_out",
    MissingOriginator = 13, "missing_originator", CountryMismatch = 14, "country_mismatch",
    AgentChain = 15, "agent_chain", Cycle = 16, "cycle",
});

impl Factor {
    /// Its place among the sixteen.
    pub fn slot(self) -> usize {
        usize::from(self.number()) - 1
    }

    /// What one unit of it is.
    pub fn unit(self) -> &'static str {
        match self {
            Self::ListMatch => "thousandths of likeness",
            Self::VelocityCount | Self::Structuring | Self::Cycle => "payments",
            Self::VelocitySum => "thousands of the reference currency",
            Self::RoundAmount => "zeros",
            Self::OwnHistory => "tenths of the mean",
            Self::Geography => "1 grey, 5 black",
            Self::NewCounterparty => "yes or no",
            Self::Dormant => "months",
            Self::RapidInOut => "percent",
            Self::FanIn | Self::FanOut => "accounts",
            Self::MissingOriginator => "missing values",
            Self::CountryMismatch => "parties",
            Self::AgentChain => "banks",
        }
    }
}

/// A factor that is not 0, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Which.
    pub factor: Factor,
    /// Its value, in the factor's unit.
    pub value: u16,
    /// What it rests on.
    pub text: String,
}

/// What factors are computed of.
pub(crate) struct Inputs<'a> {
    pub(crate) payment: &'a Payment,
    pub(crate) habits: &'a Habits,
    pub(crate) policy: &'a Policy,
    /// The best likeness to a listed name, in thousandths.
    pub(crate) list_match: u16,
    /// Unix seconds.
    pub(crate) now: u64,
    /// Whether a customer's account is paid from.
    pub(crate) debtor: bool,
    /// Whether a customer's account is paid to.
    pub(crate) creditor: bool,
    /// The settlement amount in cents of the reference currency.
    pub(crate) cents: u64,
}

impl<'a> Inputs<'a> {
    pub(crate) fn new(
        payment: &'a Payment,
        habits: &'a Habits,
        policy: &'a Policy,
        list_match: u16,
        now: u64,
    ) -> Self {
        let [debtor, creditor] = payment.customer_accounts().map(|account| account.is_some());
        Self {
            payment,
            habits,
            policy,
            list_match,
            now,
            debtor,
            creditor,
            cents: payment.settlement_amount.map_or(0, |money| policy.reference_cents(&money)),
        }
    }
}

/// The factors of a payment, and the evidence for those that are not 0.
pub(crate) fn compute(inputs: &Inputs<'_>) -> (Factors, Vec<Evidence>) {
    let mut factors = Factors([0; FACTORS]);
    let mut evidence = Vec::new();
    for factor in Factor::ALL.iter().copied() {
        let (value, text) = value(factor, inputs);
        let value = u16::try_from(value).unwrap_or(u16::MAX);
        factors.0[factor.slot()] = value;
        if value > 0 {
            evidence.push(Evidence { factor, value, text });
        }
    }
    (factors, evidence)
}

fn value(factor: Factor, inputs: &Inputs<'_>) -> (u64, String) {
    match factor {
        Factor::ListMatch => (u64::from(inputs.list_match), "a name resembles a listed name".to_owned()),
        Factor::VelocityCount => behaviour::velocity_count(inputs),
        Factor::VelocitySum => behaviour::velocity_sum(inputs),
        Factor::Structuring => behaviour::structuring(inputs),
        Factor::RoundAmount => particulars::round_amount(inputs),
        Factor::OwnHistory => behaviour::own_history(inputs),
        Factor::Geography => particulars::geography(inputs),
        Factor::NewCounterparty => behaviour::new_counterparty(inputs),
        Factor::Dormant => behaviour::dormant(inputs),
        Factor::RapidInOut => behaviour::rapid_in_out(inputs),
        Factor::FanIn => behaviour::fan_in(inputs),
        Factor::FanOut => behaviour::fan_out(inputs),
        Factor::MissingOriginator => particulars::missing_originator(inputs),
        Factor::CountryMismatch => particulars::country_mismatch(inputs),
        Factor::AgentChain => particulars::agent_chain(inputs),
        Factor::Cycle => behaviour::cycle(inputs),
    }
}
