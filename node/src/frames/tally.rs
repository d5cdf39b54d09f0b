//! What was counted by tables that may be replaced meanwhile, and begin at zero then.

use std::collections::BTreeMap;

use hansa_xdp::frame::Counter;

/// Sums since the node started.
#[derive(Debug, Default)]
pub(super) struct Tally {
    before: BTreeMap<Counter, u64>,
    total: BTreeMap<Counter, u64>,
    told: BTreeMap<Counter, u64>,
}

impl Tally {
    /// The tables in use have counted so much.
    pub(super) fn add(&mut self, counted: impl IntoIterator<Item = (Counter, u64)>) {
        for (counter, now) in counted {
            let before = self.before.insert(counter, now).unwrap_or(0);
            *self.total.entry(counter).or_default() += now.saturating_sub(before);
        }
    }

    /// Other tables are in use from here on.
    pub(super) fn begin_anew(&mut self) {
        self.before.clear();
    }

    /// What was counted since this was asked last.
    pub(super) fn news(&mut self) -> Vec<(Counter, u64)> {
        let news = self.total.iter().filter_map(|(counter, total)| {
            let told = self.told.insert(*counter, *total).unwrap_or(0);
            (*total > told).then(|| (*counter, total - told))
        });
        news.collect()
    }

    /// What was counted since the node started.
    pub(super) fn total(&self, counter: Counter) -> u64 {
        self.total.get(&counter).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use hansa_xdp::frame::Reason;

    use super::*;

    #[test]
    fn nothing_is_lost_or_told_twice_when_the_tables_are_replaced() {
        let counter = Counter::from(Reason::Stale);
        let mut tally = Tally::default();
        tally.add([(counter, 5)]);
        tally.add([(counter, 7)]);
        assert_eq!(tally.news(), [(counter, 7)]);
        assert_eq!(tally.news(), []);
        tally.add([(counter, 8)]);
        tally.begin_anew();
        tally.add([(counter, 2)]);
        assert_eq!((tally.news(), tally.total(counter)), (vec![(counter, 3)], 10));
    }
}
