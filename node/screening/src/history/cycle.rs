//! Whether money goes back to where it came from, as far as this bank sees: a bounded search against the flow.

use std::collections::BTreeMap;

use hansa_types::hash::Digest;

use super::{Direction, History};

/// The most payments over which money is followed back: directly, or over two accounts in between.
pub const MAX_HOPS: u64 = 3;
/// The most payments looked at in one search; where there are more, nothing is found rather than something at random.
pub const MAX_VISITED: usize = 4096;

impl History {
    /// Over how many payments, since `from`, money came from the creditor to the debtor of a payment made at `to`: the
    /// fewest of at most [`MAX_HOPS`], each no later than the one it led to; 0 if it did not, or if more than
    /// [`MAX_VISITED`] payments would have to be looked at. Times are in unix seconds.
    pub fn hops_back(&self, debtor: &Digest, creditor: &Digest, from: u64, to: u64) -> u64 {
        if debtor == creditor {
            return 0;
        }
        let mut visited = 0;
        // Accounts that the money may have come from, each with the last moment at which it can have had it.
        let mut reached = BTreeMap::from([(*debtor, to)]);
        for hop in 1..=MAX_HOPS {
            let mut earlier: BTreeMap<Digest, u64> = BTreeMap::new();
            for (account, until) in &reached {
                let events = self.accounts.get(account).map(|window| window.events.iter());
                for event in events.into_iter().flatten() {
                    visited += 1;
                    if visited > MAX_VISITED {
                        return 0;
                    }
                    let in_time = event.direction == Direction::In && (from..=*until).contains(&event.at);
                    let Some(payer) = event.counterparty.filter(|_| in_time) else { continue };
                    if payer == *creditor {
                        return hop;
                    }
                    let last = earlier.entry(payer).or_insert(event.at);
                    *last = event.at.max(*last);
                }
            }
            reached = earlier;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Observation;
    use super::*;

    fn account(id: u8) -> Digest {
        Digest([id; 32])
    }

    /// A history of `(debtor, creditor, at)`.
    fn history(payments: &[(u8, u8, u64)]) -> History {
        let mut history = History::default();
        for (debtor, creditor, at) in payments {
            let (debtor, creditor) = (Some(account(*debtor)), Some(account(*creditor)));
            history.observe(&Observation { debtor, creditor, amount: 100, at: *at });
        }
        history
    }

    fn hops(payments: &[(u8, u8, u64)]) -> u64 {
        history(payments).hops_back(&account(1), &account(2), 10, 99)
    }

    #[test]
    fn money_is_followed_back_over_at_most_two_accounts() {
        assert_eq!(hops(&[(2, 1, 20)]), 1);
        assert_eq!(hops(&[(2, 3, 20), (3, 1, 30)]), 2);
        assert_eq!(hops(&[(2, 3, 20), (3, 4, 30), (4, 1, 40)]), 3);
        assert_eq!(hops(&[(2, 3, 20), (3, 4, 30), (4, 5, 40), (5, 1, 50)]), 0);
        assert_eq!(hops(&[(2, 3, 20), (3, 1, 30), (2, 1, 15)]), 1, "the shortest way");
        assert_eq!(hops(&[(1, 2, 20)]), 0, "paid before, not paid back");
        assert_eq!(history(&[(1, 1, 20)]).hops_back(&account(1), &account(1), 0, 99), 0);
    }

    #[test]
    fn money_runs_forwards_and_within_the_window() {
        assert_eq!(hops(&[(2, 3, 40), (3, 1, 30)]), 0, "passed on before it came");
        assert_eq!(hops(&[(2, 3, 30), (3, 1, 30)]), 2, "within one second");
        assert_eq!(hops(&[(2, 1, 9)]), 0, "too long ago");
        // The account in between passed on once too early and once in time.
        assert_eq!(hops(&[(3, 1, 15), (2, 3, 20), (3, 1, 30)]), 2);
    }

    #[test]
    fn a_search_of_too_many_payments_finds_nothing() {
        // Accounts that paid the debtor, each paid 250 times by one that the creditor paid.
        let mut payments: Vec<(u8, u8, u64)> = Vec::new();
        for payee in 10..30 {
            payments.extend((0..250).map(|at| (200, payee, 20 + at / 10)));
            payments.push((payee, 1, 60));
        }
        payments.push((2, 200, 11));
        assert_eq!(hops(&payments), 0);
        let few = |(_, payee, _): &(u8, u8, u64)| *payee < 15 || *payee == 200;
        let few: Vec<_> = payments.iter().copied().filter(few).collect();
        assert_eq!(hops(&few), 3);
    }

    proptest! {
        #[test]
        fn what_is_found_is_a_way_in_time(
            payments in proptest::collection::vec((1_u8..6, 1_u8..6, 10_u64..30), 0..20)
        ) {
            let mut payments = payments;
            payments.sort_by_key(|(_, _, at)| *at);
            // All ways of at most three payments from 2 to 1, by brute force.
            let mut best = 0;
            for (hop, ways) in (1_u64..=3).zip([1_usize, 2, 3]) {
                if best == 0 && ways_exist(&payments, 2, 0, ways) {
                    best = hop;
                }
            }
            prop_assert_eq!(hops(&payments), best);
        }
    }

    fn ways_exist(payments: &[(u8, u8, u64)], payer: u8, since: u64, left: usize) -> bool {
        let mut next = payments.iter().filter(|(debtor, _, at)| *debtor == payer && *at >= since);
        match left {
            1 => next.any(|(_, creditor, _)| *creditor == 1),
            _ => next.any(|(_, creditor, at)| ways_exist(payments, *creditor, *at, left - 1)),
        }
    }
}
