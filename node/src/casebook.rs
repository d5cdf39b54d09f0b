//! The cases as they now stand, and what is asked of them all the time: which is open about a subject, which deadline
//! ends next.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use hansa_types::case::{Case, CaseState};
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::subject::Subject;

/// The most cases that are looked at for one page: nobody else changes the book meanwhile.
const MAX_LOOKED_AT: usize = 10_000;

/// The bank's cases, every one in memory.
#[derive(Default)]
pub(crate) struct CaseBook {
    cases: BTreeMap<u64, Case>,
    /// Those that nobody decided on, by subject.
    undecided: BTreeMap<Digest, BTreeSet<u64>>,
    /// When deadlines end that are neither met nor marked.
    ending: BTreeSet<(Timestamp, u64)>,
    /// Cases with a deadline that is marked as over and not met.
    overdue: BTreeSet<u64>,
}

impl CaseBook {
    /// All of them.
    pub(crate) fn new(cases: impl IntoIterator<Item = Case>) -> Self {
        let mut book = Self::default();
        cases.into_iter().for_each(|case| book.set(case));
        book
    }

    /// One case.
    pub(crate) fn get(&self, number: u64) -> Option<&Case> {
        self.cases.get(&number)
    }

    /// By number.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Case> {
        self.cases.values()
    }

    /// The cases behind number `after` that are `wanted`, up to `limit`, and where the next page continues, if there may be
    /// more. Of many that are not wanted a page looks at so many and no more.
    pub(crate) fn page(
        &self,
        after: u64,
        limit: usize,
        wanted: impl Fn(&Case) -> bool,
    ) -> (Vec<&Case>, Option<u64>) {
        let mut found = Vec::new();
        let behind = self.cases.range((Bound::Excluded(after), Bound::Unbounded));
        for (before, (number, case)) in behind.enumerate() {
            if wanted(case) {
                found.push(case);
            }
            if found.len() >= limit || before + 1 >= MAX_LOOKED_AT {
                let more = self.next_number() > number + 1;
                return (found, more.then_some(*number));
            }
        }
        (found, None)
    }

    /// Takes in a case as it now stands.
    pub(crate) fn set(&mut self, case: Case) {
        self.remove(case.number);
        let number = case.number;
        if let Some(subject) = case.subject.as_ref().filter(|_| case.is_undecided()) {
            self.undecided.entry(subject.digest()).or_default().insert(number);
        }
        for deadline in case.open_deadlines() {
            if deadline.overdue.is_some() {
                self.overdue.insert(number);
            } else {
                self.ending.insert((deadline.due, number));
            }
        }
        self.cases.insert(number, case);
    }

    /// Forgets a case.
    pub(crate) fn remove(&mut self, number: u64) {
        let Some(case) = self.cases.remove(&number) else { return };
        self.overdue.remove(&number);
        for deadline in &case.deadlines {
            self.ending.remove(&(deadline.due, number));
        }
        let Some(subject) = case.subject.as_ref().map(Subject::digest) else { return };
        if let Some(numbers) = self.undecided.get_mut(&subject) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.undecided.remove(&subject);
            }
        }
    }

    /// The number of the next case.
    pub(crate) fn next_number(&self) -> u64 {
        self.cases.last_key_value().map_or(1, |(number, _)| number + 1)
    }

    /// The case about a subject that what comes in joins: the first that nobody decided on.
    pub(crate) fn undecided(&self, subject: Option<&Subject>) -> Option<&Case> {
        self.get(*self.undecided.get(&subject?.digest())?.first()?)
    }

    /// The cases of which a deadline has ended and is not marked yet.
    pub(crate) fn ended(&self, now: Timestamp) -> BTreeSet<u64> {
        self.ending.range(..=(now, u64::MAX)).map(|(_, number)| *number).collect()
    }

    /// How many cases have a deadline that is over and not met.
    pub(crate) fn overdue(&self) -> usize {
        self.overdue.len()
    }

    /// Whether a case is among them.
    pub(crate) fn is_overdue(&self, number: u64) -> bool {
        self.overdue.contains(&number)
    }

    /// How many stand in each state.
    pub(crate) fn by_state(&self) -> BTreeMap<CaseState, u64> {
        let mut counts = BTreeMap::new();
        for case in self.cases.values() {
            *counts.entry(case.state()).or_insert(0) += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use hansa_screening::case::{Ask, By, CasePolicy, CaseRules, Grounds, ask, mark_overdue, open};
    use hansa_types::case::{Deadline, Duty};
    use hansa_types::payment::Account;

    use super::*;

    fn subject() -> Subject {
        Subject::Account(Account::from_iban_text("DE89370400440532013000"))
    }

    fn case(number: u64) -> Case {
        let mut grounds = Grounds::of_signal(Digest([1; 32]), subject());
        let deadline = |due| Deadline {
            rule: format!("r{due}"),
            duty: Duty::Decide,
            due: Timestamp(due),
            met: None,
            overdue: None,
        };
        grounds.deadlines = vec![deadline(50), deadline(70)];
        open(number, grounds, "policy.test".parse().unwrap(), Timestamp(10), "")
    }

    #[test]
    fn the_first_undecided_case_about_a_subject_is_joined_until_it_is_decided() {
        let mut book = CaseBook::new([case(3), case(4)]);
        assert_eq!(book.next_number(), 5);
        let joined = |book: &CaseBook| book.undecided(Some(&subject())).map(|case| case.number);
        assert_eq!((joined(&book), book.undecided(None)), (Some(3), None));
        let clear = Ask { to: CaseState::Cleared, signal: None, grounds: String::new() };
        let by = By { actor: "officer.a".parse().unwrap(), at: Timestamp(20), note: "namesake".into() };
        let rules = CaseRules::new(CasePolicy::default()).unwrap();
        let cleared = ask(&rules, book.get(3).unwrap(), &clear, by, &[0xff; 32]).unwrap();
        book.set(cleared);
        assert_eq!(joined(&book), Some(4));
        assert_eq!(book.ended(Timestamp(1_000)), BTreeSet::from([4]), "a cleared case has no deadline");
        book.remove(4);
        assert_eq!((joined(&book), book.undecided.len(), book.ending.len()), (None, 0, 0));
        assert_eq!(book.by_state(), BTreeMap::from([(CaseState::Cleared, 1)]));
    }

    #[test]
    fn pages_follow_one_another_and_end() {
        let book = CaseBook::new((1..=7).map(case));
        let numbers =
            |(cases, next): (Vec<&Case>, _)| (cases.iter().map(|c| c.number).collect::<Vec<_>>(), next);
        let all = |after, limit| numbers(book.page(after, limit, |_| true));
        assert_eq!(all(0, 3), (vec![1, 2, 3], Some(3)));
        assert_eq!(all(3, 3), (vec![4, 5, 6], Some(6)));
        assert_eq!(all(6, 3), (vec![7], None));
        assert_eq!(all(4, 3), (vec![5, 6, 7], None), "a last page that is full is the last");
        assert_eq!(all(u64::MAX, 3), (vec![], None));
        assert_eq!(numbers(book.page(0, 2, |case| case.number % 3 == 0)), (vec![3, 6], Some(6)));

        let most = MAX_LOOKED_AT as u64;
        let many = CaseBook::new((1..=most + 2).map(case));
        let last = |after| numbers(many.page(after, 2, |case| case.number == most + 1));
        assert_eq!(last(0), (vec![], Some(most)), "a page that looked at enough says where to go on");
        assert_eq!(last(most), (vec![most + 1], None));
    }

    #[test]
    fn deadlines_end_in_their_order_and_are_marked_one_by_one() {
        let mut book = CaseBook::new([case(1)]);
        assert!(book.ended(Timestamp(49)).is_empty());
        for (now, left) in [(50, 1), (70, 0)] {
            assert_eq!(book.ended(Timestamp(now)), BTreeSet::from([1]));
            let marked = mark_overdue(book.get(1).unwrap(), Timestamp(now)).unwrap();
            book.set(marked);
            assert!(book.ended(Timestamp(now)).is_empty());
            assert_eq!((book.ending.len(), book.overdue(), book.is_overdue(1)), (left, 1, true));
        }
    }
}
