//! What the accounts of a payment did before, as far as the factors go by it.
//!
//! A decision is recorded with it: what a node remembers of the past changes with every payment, and the same decision
//! can be taken again from the record alone, years later.

use serde::Serialize;

use crate::codec_struct;
use crate::id::Timestamp;

/// The past of a payment's accounts, before the payment. Amounts are in cents of the bank's reference currency, and the
/// windows are those of its policy. All is 0 for accounts that were never seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Habits {
    /// Payments out of the debtor's account within the velocity window.
    pub out_count: u32,
    /// Their sum.
    pub out_sum: u64,
    /// The sum that came into the debtor's account within the velocity window.
    pub in_sum: u64,
    /// Payments just below the reporting threshold within the pattern window: out of the debtor's account or into the
    /// creditor's, whichever is more.
    pub near_threshold: u32,
    /// All payments out of the debtor's account that are remembered.
    pub payments_out: u64,
    /// Their mean.
    pub mean_out: u64,
    /// All payments of the debtor's account, either way.
    pub payments: u64,
    /// When the debtor's account was last seen.
    pub last_seen: Option<Timestamp>,
    /// Whether debtor and creditor paid one another before.
    pub acquainted: bool,
    /// Different accounts that paid into the creditor's account within the pattern window, this debtor's included.
    pub payers: u32,
    /// Different accounts that the debtor's account paid within the pattern window, this creditor's included.
    pub payees: u32,
    /// Over how many payments within the pattern window money came from the creditor's account to the debtor's; 0 if it did
    /// not, as far as this bank sees.
    pub hops_back: u8,
}
codec_struct!(Habits {
    out_count,
    out_sum,
    in_sum,
    near_threshold,
    payments_out,
    mean_out,
    payments,
    last_seen,
    acquainted,
    payers,
    payees,
    hops_back
});
