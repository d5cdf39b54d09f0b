//! Who used the interface, told by tokens: the first of an hour, and how often it was refused.
//!
//! Every call is too much for an audit log, and none is too little. The node takes what is due and records it; what is
//! waiting is bounded by its kinds, not by the calls.

use std::sync::{Mutex, PoisonError};

use hansa_types::id::Timestamp;

/// How long calls of one kind are counted before they are due again, in seconds.
pub const WINDOW: u64 = 3_600;

/// Calls of one kind, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logins {
    /// Whether the token was right.
    pub accepted: bool,
    /// How many.
    pub calls: u64,
    /// When the first came.
    pub since: Timestamp,
    /// When the last came.
    pub at: Timestamp,
}

/// Counts calls until they are taken.
#[derive(Debug, Default)]
pub struct LoginCounter(Mutex<[Kind; 2]>);

#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    waiting: Option<Logins>,
    taken: Option<Timestamp>,
}

impl LoginCounter {
    /// Notes a call.
    pub fn note(&self, accepted: bool, now: Timestamp) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = Logins { accepted, calls: 0, since: now, at: now };
        let waiting = kinds[usize::from(accepted)].waiting.get_or_insert(first);
        waiting.calls = waiting.calls.saturating_add(1);
        waiting.at = now;
    }

    /// Takes what is due: the first call of a kind at once, the ones after it an hour later.
    pub fn take(&self, now: Timestamp) -> Vec<Logins> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = |kind: &mut Kind| {
            if kind.taken.is_some_and(|taken| now.0 < taken.0.saturating_add(WINDOW)) {
                return None;
            }
            let due = kind.waiting.take()?;
            kind.taken = Some(now);
            Some(due)
        };
        kinds.iter_mut().filter_map(due).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_an_hour_is_due_at_once_and_the_rest_is_counted() {
        let counter = LoginCounter::default();
        assert_eq!(counter.take(Timestamp(0)), []);
        counter.note(true, Timestamp(10));
        let first = Logins { accepted: true, calls: 1, since: Timestamp(10), at: Timestamp(10) };
        assert_eq!(counter.take(Timestamp(11)), [first]);
        for at in 12..1_000 {
            counter.note(true, Timestamp(at));
        }
        assert_eq!(counter.take(Timestamp(11 + WINDOW - 1)), []);
        let rest = Logins { accepted: true, calls: 988, since: Timestamp(12), at: Timestamp(999) };
        assert_eq!(counter.take(Timestamp(11 + WINDOW)), [rest]);
    }

    #[test]
    fn a_burst_of_refusals_is_one_record_apart_from_what_was_accepted() {
        let counter = LoginCounter::default();
        for _ in 0..100 {
            counter.note(false, Timestamp(5));
        }
        counter.note(true, Timestamp(5));
        let due = counter.take(Timestamp(6));
        assert_eq!(
            due.iter().map(|kind| (kind.accepted, kind.calls)).collect::<Vec<_>>(),
            [(false, 100), (true, 1)]
        );
    }
}
