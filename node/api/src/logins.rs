//! Who used the interface, told by tokens: the first of an hour, and how often it was refused.
//!
//! Every call is too much for an audit log, and none is too little. The node takes what is due and records it; what is
//! waiting is bounded by its kinds, not by the calls.

use std::sync::{Mutex, PoisonError};

use hansa_types::id::Timestamp;

/// How long calls of one kind are counted before they are due again, in seconds.
pub const WINDOW: u64 = 3_600;

/// From what kind of address calls come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A loopback address, for HTTP or gRPC.
    Loopback,
    /// The Unix socket.
    Socket,
}

impl Origin {
    const ALL: [Self; 2] = [Self::Loopback, Self::Socket];

    /// As the log names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Socket => "socket",
        }
    }
}

/// Calls of one kind, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logins {
    /// Where they came from.
    pub from: Origin,
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
pub struct LoginCounter(Mutex<[[Kind; 2]; Origin::ALL.len()]>);

#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    waiting: Option<Logins>,
    taken: Option<Timestamp>,
}

impl LoginCounter {
    /// Notes a call.
    pub fn note(&self, from: Origin, accepted: bool, now: Timestamp) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = Logins { from, accepted, calls: 0, since: now, at: now };
        let waiting = kinds[from as usize][usize::from(accepted)].waiting.get_or_insert(first);
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
        kinds.iter_mut().flatten().filter_map(due).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_an_hour_is_due_at_once_and_the_rest_is_counted() {
        let counter = LoginCounter::default();
        assert_eq!(counter.take(Timestamp(0)), []);
        let from = Origin::Loopback;
        counter.note(from, true, Timestamp(10));
        let first = Logins { from, accepted: true, calls: 1, since: Timestamp(10), at: Timestamp(10) };
        assert_eq!(counter.take(Timestamp(11)), [first]);
        for at in 12..1_000 {
            counter.note(from, true, Timestamp(at));
        }
        assert_eq!(counter.take(Timestamp(11 + WINDOW - 1)), []);
        let rest = Logins { from, accepted: true, calls: 988, since: Timestamp(12), at: Timestamp(999) };
        assert_eq!(counter.take(Timestamp(11 + WINDOW)), [rest]);
    }

    #[test]
    fn a_burst_of_refusals_is_one_record_apart_from_what_was_accepted() {
        let counter = LoginCounter::default();
        for _ in 0..100 {
            counter.note(Origin::Loopback, false, Timestamp(5));
        }
        counter.note(Origin::Loopback, true, Timestamp(5));
        counter.note(Origin::Socket, false, Timestamp(5));
        let due = counter.take(Timestamp(6));
        assert_eq!(
            due.iter().map(|kind| (kind.from.name(), kind.accepted, kind.calls)).collect::<Vec<_>>(),
            [("loopback", false, 100), ("loopback", true, 1), ("socket", false, 1)]
        );
    }
}
