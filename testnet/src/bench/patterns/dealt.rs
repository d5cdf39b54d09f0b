//! Traffic dealt to banks: what each of them sees, and what its screener makes of that alone.

use hansa_screening::{History, Known, Screener};
use hansa_types::country::Country;
use hansa_types::id::Timestamp;
use hansa_types::model::Factors;
use hansa_types::payment::{Party, Payment};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::traffic::Traffic;

/// The half on which weights and thresholds are chosen, and the one that is reported.
pub(super) const HALVES: usize = 2;
pub(super) const CHOSEN_ON: usize = 0;
pub(super) const REPORTED: usize = 1;

/// Traffic, each account at one bank. A payment is seen by the debtor's bank, and by the creditor's if that is another.
pub(super) struct Dealt<'t> {
    pub(super) traffic: &'t Traffic,
    /// What all banks see, in time.
    pub(super) views: Vec<View>,
    bank_of: Vec<u32>,
    pub(super) banks: usize,
    country: Country,
}

/// A payment as one bank sees it: its place among all views, the payment's place in the traffic, and the bank.
#[derive(Clone, Copy)]
pub(super) struct View {
    pub(super) number: usize,
    pub(super) transfer: usize,
    pub(super) bank: u32,
}

impl<'t> Dealt<'t> {
    /// Each account to the bank that the data names, or to one of `banks` by `seed`.
    pub(super) fn new(traffic: &'t Traffic, banks: u32, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let deal = || traffic.accounts.iter().map(|_| rng.gen_range(0..banks)).collect();
        let bank_of: Vec<u32> = traffic.banks.clone().unwrap_or_else(deal);
        let banks = bank_of.iter().max().map_or(0, |last| *last as usize + 1);
        let country = Country::try_from("DE").expect("two capital letters are a country");
        let seen = traffic.transfers.iter().enumerate().flat_map(|(transfer, paid)| {
            let [debtors, creditors] = [paid.debtor, paid.creditor].map(|account| bank_of[account as usize]);
            let other = (creditors != debtors).then_some(creditors);
            std::iter::once(debtors).chain(other).map(move |bank| (transfer, bank))
        });
        let views = seen.enumerate().map(|(number, (transfer, bank))| View { number, transfer, bank });
        Self { traffic, views: views.collect(), bank_of, banks, country }
    }

    /// The bank of an account.
    pub(super) fn bank(&self, account: u32) -> u32 {
        self.bank_of[account as usize]
    }

    /// The payment's complete message: nothing is missing of it, and nothing in it tells a pattern.
    pub(super) fn payment(&self, transfer: usize) -> Payment {
        let paid = &self.traffic.transfers[transfer];
        let party = |account: u32| {
            let mut party = Party { name: Some(format!("Holder {account}")), ..Party::default() };
            party.address.country = Some(self.country);
            party
        };
        Payment {
            message_id: transfer.to_string(),
            settlement_amount: Some(paid.amount),
            debtor: party(paid.debtor),
            debtor_account: Some(self.traffic.accounts[paid.debtor as usize].clone()),
            creditor: party(paid.creditor),
            creditor_account: Some(self.traffic.accounts[paid.creditor as usize].clone()),
            ..Payment::default()
        }
    }

    /// When the payment is made.
    pub(super) fn at(&self, transfer: usize) -> Timestamp {
        Timestamp(self.traffic.transfers[transfer].at)
    }

    /// The factors of each view if every bank let everything pass.
    pub(super) fn factors(&self, screener: &Screener) -> Vec<Factors> {
        let mut histories = vec![History::default(); self.banks];
        let mut factors = Vec::new();
        for view in &self.views {
            let (payment, now) = (self.payment(view.transfer), self.at(view.transfer));
            let history = &mut histories[view.bank as usize];
            factors.push(screener.assess(&payment, history, Known::default(), now).decision.factors);
            history.observe(&screener.observation(&payment, now));
        }
        factors
    }
}

/// A value for every account at every bank.
pub(super) struct PerAccount<T> {
    banks: usize,
    values: Vec<T>,
}

impl<T: Clone + Default> PerAccount<T> {
    pub(super) fn new(dealt: &Dealt<'_>) -> Self {
        Self { banks: dealt.banks, values: vec![T::default(); dealt.banks * dealt.traffic.accounts.len()] }
    }

    pub(super) fn at(&self, bank: u32, account: u32) -> &T {
        &self.values[account as usize * self.banks + bank as usize]
    }

    pub(super) fn at_mut(&mut self, bank: u32, account: u32) -> &mut T {
        &mut self.values[account as usize * self.banks + bank as usize]
    }
}

/// Which half each pattern and each payment belongs to: a pattern whole, a payment outside patterns with its debtor, who
/// goes with their pattern.
pub(super) struct Split {
    pub(super) patterns: Vec<usize>,
    pub(super) transfers: Vec<usize>,
}

impl Split {
    /// Two halves by `seed`.
    pub(super) fn halves(traffic: &Traffic, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let patterns: Vec<usize> = (0..traffic.patterns).map(|_| rng.gen_range(0..HALVES)).collect();
        let mut accounts: Vec<usize> = traffic.accounts.iter().map(|_| rng.gen_range(0..HALVES)).collect();
        let laundering = traffic.transfers.iter().filter_map(|paid| Some((paid, paid.pattern?)));
        for (paid, pattern) in laundering {
            for account in [paid.debtor, paid.creditor] {
                accounts[account as usize] = patterns[pattern as usize];
            }
        }
        let half = |pattern: Option<u32>, debtor: u32| {
            pattern.map_or(accounts[debtor as usize], |pattern| patterns[pattern as usize])
        };
        let transfers = traffic.transfers.iter().map(|paid| half(paid.pattern, paid.debtor)).collect();
        Self { patterns, transfers }
    }

    /// Everything is reported.
    pub(super) fn reported(traffic: &Traffic) -> Self {
        Self {
            patterns: vec![REPORTED; traffic.patterns],
            transfers: vec![REPORTED; traffic.transfers.len()],
        }
    }
}

#[cfg(test)]
mod tests {
    use hansa_screening::{Policy, RiskModel};

    use super::super::traffic::tests::traffic;
    use super::*;

    #[test]
    fn a_bank_sees_the_payments_of_its_accounts_and_no_others() {
        let traffic = traffic(&[(0, 1, 0, None), (1, 2, 1, None), (3, 4, 2, None)]);
        let dealt = Dealt::new(&traffic, 3, 7);
        for view in &dealt.views {
            let paid = &traffic.transfers[view.transfer];
            assert!([paid.debtor, paid.creditor].iter().any(|account| dealt.bank(*account) == view.bank));
        }
        let banks =
            |transfer: usize| dealt.views.iter().filter(move |view| view.transfer == transfer).count();
        for (at, paid) in traffic.transfers.iter().enumerate() {
            assert_eq!(banks(at), 1 + usize::from(dealt.bank(paid.debtor) != dealt.bank(paid.creditor)));
        }
    }

    #[test]
    fn no_factor_sees_what_the_data_says_of_patterns() {
        let rows = [(0, 1, 0, Some(0)), (2, 1, 0, Some(0)), (0, 1, 1, None), (1, 3, 2, Some(1))];
        let innocent = rows.map(|(debtor, creditor, day, _)| (debtor, creditor, day, None));
        let screener = Screener::new(Policy::default(), Vec::new(), RiskModel::default_model()).unwrap();
        let factors = |traffic: &Traffic| Dealt::new(traffic, 2, 7).factors(&screener);
        assert_eq!(factors(&traffic(&rows)), factors(&traffic(&innocent)));
    }

    #[test]
    fn the_halves_keep_patterns_whole_and_their_accounts_with_them() {
        let rows: Vec<_> =
            (0..400).map(|n| (n % 40, (n + 1) % 40 + 40, n, (n % 4 == 0).then_some(n % 40))).collect();
        let traffic = traffic(&rows);
        let split = Split::halves(&traffic, 5);
        let mut sizes = [0; HALVES];
        for (paid, half) in traffic.transfers.iter().zip(&split.transfers) {
            sizes[*half] += 1;
            assert!(paid.pattern.is_none_or(|pattern| split.patterns[pattern as usize] == *half));
        }
        assert!(sizes.iter().all(|size| *size > 100), "{sizes:?}");
    }
}
