//! The bank's screening policy: thresholds, scheme, windows. Everything has a default; unknown keys are refused.

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::bic::Bic;
use hansa_types::decision::Verdict;
use hansa_types::iban::Iban;
use hansa_types::money::{Money, UNITS_PER_ONE};
use hansa_types::payment::FindingKind;
use hansa_types::{codec_enum, codec_struct};
use serde::Deserialize;

use crate::names::DEFAULT_THRESHOLD;

/// The rules that a payment is answered under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// Correspondent banking over SWIFT.
    CbprPlus,
    /// The SEPA credit transfer.
    Sct,
    /// The instant SEPA credit transfer.
    SctInst,
    /// The Federal Reserve's instant payments.
    FedNow,
}
codec_enum!(Scheme {
    CbprPlus = 1, "cbpr-plus", Sct = 2, "sct", SctInst = 3, "sct-inst", FedNow = 4, "fednow",
});

/// The reason given when a payment would be held and the scheme's clock does not allow it. Both are true of any hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum HoldReject {
    /// No reason is stated.
    #[default]
    Unspecified,
    /// A regulatory reason, whichever.
    Regulatory,
}
codec_enum!(HoldReject { Unspecified = 1, "MS03", Regulatory = 2, "RR04" });

/// The policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// The scheme of payments that do not say theirs ([`Scheme::of`]).
    pub scheme: Scheme,
    /// The reason of the reject that a hold becomes where the scheme has no interim status.
    pub hold_reject: HoldReject,
    /// The bank's own BICs: they tell in which role it handles a payment.
    pub bics: Vec<Bic>,
    /// From which likeness, in thousandths, a name is a hit.
    pub name_threshold: u16,
    /// Lists, by name, that a scheme's payments are not screened against: EU lists for instant euro transfers (Reg.
    /// 260/2012 art. 5d), where customers are screened instead.
    pub skip_lists: BTreeMap<Scheme, BTreeSet<String>>,
    /// Which missing values lead to [`Policy::missing_data`]; others are noted.
    pub required: BTreeSet<FindingKind>,
    /// What missing data leads to.
    pub missing_data: Verdict,
    /// What values lead to that cannot be right.
    pub invalid_data: Verdict,
    /// Above this, payments are refused.
    pub amount_limit: Option<Money>,
    /// Accounts from and to which nothing is paid.
    pub blocked_accounts: BTreeSet<Iban>,
    /// What one unit of a currency is worth, in thousandths of the reference currency. One of a currency that is not
    /// here counts as one.
    pub rates: BTreeMap<String, u32>,
    /// The windows of behaviour.
    pub windows: Windows,
}
codec_struct!(Policy {
    scheme,
    hold_reject,
    bics,
    name_threshold,
    skip_lists,
    required,
    missing_data,
    invalid_data,
    amount_limit,
    blocked_accounts,
    rates,
    windows
});

impl Default for Policy {
    fn default() -> Self {
        Self {
            scheme: Scheme::CbprPlus,
            hold_reject: HoldReject::default(),
            bics: Vec::new(),
            name_threshold: DEFAULT_THRESHOLD,
            skip_lists: BTreeMap::new(),
            required: BTreeSet::from([
                FindingKind::MissingAmount,
                FindingKind::MissingDebtorName,
                FindingKind::MissingDebtorAccount,
                FindingKind::MissingCreditorName,
                FindingKind::MissingCreditorAccount,
            ]),
            missing_data: Verdict::Investigate,
            invalid_data: Verdict::Investigate,
            amount_limit: None,
            blocked_accounts: BTreeSet::new(),
            rates: [
                ("EUR", 1000),
                ("USD", 900),
                ("GBP", 1150),
                ("CHF", 1050),
                ("JPY", 6),
                ("RON", 200),
                ("DKK", 134),
            ]
            .map(|(currency, rate)| (currency.to_owned(), rate))
            .into(),
            windows: Windows::default(),
        }
    }
}

/// How far back each factor looks, and what it takes for unusual.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Windows {
    /// Hours of velocity, and of money that comes and goes.
    pub velocity_hours: u32,
    /// Days of structuring, fan-in, fan-out and cycles.
    pub pattern_days: u32,
    /// Days without a payment after which an account is dormant.
    pub dormant_days: u32,
    /// The reporting threshold that structuring stays below, in whole units of the reference currency.
    pub reporting_threshold: u64,
    /// How close below the threshold counts, in percent of it.
    pub structuring_percent: u8,
    /// Payments that an account must have been seen in before its habits count.
    pub habit_payments: u32,
}
codec_struct!(Windows {
    velocity_hours,
    pattern_days,
    dormant_days,
    reporting_threshold,
    structuring_percent,
    habit_payments
});

impl Default for Windows {
    fn default() -> Self {
        Self {
            velocity_hours: 24,
            pattern_days: 7,
            dormant_days: 180,
            reporting_threshold: 10_000,
            structuring_percent: 10,
            habit_payments: 5,
        }
    }
}

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A likeness beyond a thousand thousandths, or so low that all names are alike.
    #[error("name_threshold = {0}: use 600 to 1000")]
    NameThreshold(u16),
    /// A percentage beyond a hundred.
    #[error("windows.structuring_percent = {0}: use 1 to 100")]
    Percent(u8),
    /// A window of no length.
    #[error("windows.{0} = 0: use at least 1")]
    NoWindow(&'static str),
}

impl Policy {
    /// Checks what the types do not.
    pub fn validate(&self) -> Result<(), PolicyError> {
        if !(600..=1000).contains(&self.name_threshold) {
            return Err(PolicyError::NameThreshold(self.name_threshold));
        }
        let windows = &self.windows;
        if !(1..=100).contains(&windows.structuring_percent) {
            return Err(PolicyError::Percent(windows.structuring_percent));
        }
        let lengths = [
            ("velocity_hours", windows.velocity_hours),
            ("pattern_days", windows.pattern_days),
            ("dormant_days", windows.dormant_days),
        ];
        match lengths.iter().find(|(_, length)| *length == 0) {
            Some((name, _)) => Err(PolicyError::NoWindow(name)),
            None => Ok(()),
        }
    }

    /// An amount in cents of the reference currency.
    pub fn reference_cents(&self, money: &Money) -> u64 {
        let rate = u128::from(self.rates.get(money.currency().as_str()).copied().unwrap_or(1000));
        // Units and rate are bounded to 10^23 and 2^32: the product fits.
        u64::try_from(money.units() * rate / (UNITS_PER_ONE * 10)).unwrap_or(u64::MAX)
    }
}
