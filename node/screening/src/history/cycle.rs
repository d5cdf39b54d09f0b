//! Whether money goes back to where it came from, as far as this bank sees: a bounded search from both ends.

use hansa_types::hash::Digest;

use super::{Direction, History, Window};

/// The most payments over which money is followed back: directly, or over two accounts in between.
pub const MAX_HOPS: u64 = 3;
/// The most payments looked at in one search; where there are more, nothing is found rather than something at random.
pub const MAX_VISITED: usize = 1024;

/// Accounts at the other end of an account's payments, in order, each with the moment of one payment.
type Ends = Vec<(Digest, u64)>;

impl History {
    /// Over how many payments, since `from`, money came from the creditor to the debtor of a payment made at `to`: the
    /// fewest of at most [`MAX_HOPS`], each no later than the one it led to; 0 if it did not, or if more than
    /// [`MAX_VISITED`] payments would have to be looked at. Times are in unix seconds.
    pub fn hops_back(&self, debtor: &Digest, creditor: &Digest, from: u64, to: u64) -> u64 {
        self.search(debtor, creditor, from, to).unwrap_or(0)
    }

    /// None where there is too much to look at.
    fn search(&self, debtor: &Digest, creditor: &Digest, from: u64, to: u64) -> Option<u64> {
        let mut left = MAX_VISITED;
        // Money can go on from the first moment that it came, and must have come by the last moment that it went.
        let payees = self.ends(creditor, Direction::Out, from, to, u64::min, &mut left)?;
        if debtor == creditor || payees.is_empty() {
            return Some(0);
        }
        if came(&payees, debtor).is_some() {
            return Some(1);
        }
        let payers = self.ends(debtor, Direction::In, from, to, u64::max, &mut left)?;
        let in_time = |account: &Digest, went: u64| came(&payees, account).is_some_and(|came| came <= went);
        if payers.iter().any(|(payer, went)| in_time(payer, *went)) {
            return Some(2);
        }
        let between: Vec<(&Window, u64)> =
            payers.iter().filter_map(|(payer, went)| Some((self.accounts.get(payer)?, *went))).collect();
        // All of them or none: which payer is looked at first depends on digests, and must change nothing.
        left.checked_sub(between.iter().map(|(window, _)| window.events.len()).sum())?;
        let found = between.iter().any(|(window, went)| {
            window.events.iter().any(|event| {
                let passed = event.direction == Direction::In && event.at <= *went;
                passed && event.counterparty.is_some_and(|first| in_time(&first, event.at))
            })
        });
        Some(if found { MAX_HOPS } else { 0 })
    }

    /// The other ends of the account's payments one way between `from` and `to`; of several with one, the moment that
    /// `better` takes. None if that is more than may be looked at.
    fn ends(
        &self,
        account: &Digest,
        direction: Direction,
        from: u64,
        to: u64,
        better: fn(u64, u64) -> u64,
        left: &mut usize,
    ) -> Option<Ends> {
        let Some(window) = self.accounts.get(account) else { return Some(Ends::new()) };
        *left = left.checked_sub(window.events.len())?;
        let events = self.events(account, from, to, direction);
        let mut ends: Ends = events.filter_map(|event| Some((event.counterparty?, event.at))).collect();
        ends.sort_unstable();
        ends.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = better(kept.1, next.1);
            }
            same
        });
        Some(ends)
    }
}

/// The moment beside `account`, if it is among the ends.
fn came(ends: &Ends, account: &Digest) -> Option<u64> {
    ends.binary_search_by_key(account, |(end, _)| *end).ok().map(|at| ends[at].1)
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

    /// Accounts 10 to 29 paid the debtor, each paid many times by a stranger; the creditor's money came by `through`.
    fn busy_payers(through: u8) -> Vec<(u8, u8, u64)> {
        let mut payments: Vec<(u8, u8, u64)> = vec![(2, 200, 11)];
        for payer in 10..30 {
            payments.extend((0..100).map(|at| (201, payer, 20 + at / 10)));
            payments.push((payer, 1, 60));
        }
        payments.push((200, through, 50));
        payments
    }

    #[test]
    fn a_search_of_too_many_payments_finds_nothing_whichever_account_money_went_by() {
        for through in [10, 29] {
            let mut payments = busy_payers(through);
            assert_eq!(hops(&payments), 0);
            let few: Vec<_> = payments
                .iter()
                .copied()
                .filter(|(debtor, payer, _)| *debtor != 201 || *payer % 10 > 7)
                .collect();
            assert_eq!(hops(&few), 3);
            payments.push((2, 1, 12));
            assert_eq!(hops(&payments), 1, "what is near is found all the same");
        }
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
