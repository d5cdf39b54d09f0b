//! Whether what clients saw is linearizable.
//!
//! The log only grows, an append answers with its index and a read with the log's size, so each answered operation has
//! one place in the order of all: an append of index i is the step from i to i + 1 leaves, a read of size s lies between
//! the appends of s - 1 and s. A history of such operations is linearizable exactly if this order contradicts no two
//! operations of which one was answered before the other began. It is enough to remember the furthest place answered.

/// The operations of all clients so far.
#[derive(Default)]
pub(super) struct History {
    answered: u64,
}

/// An operation that has begun.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    /// How many leaves the log is known to have had.
    least: u64,
}

impl History {
    /// Begins an operation.
    pub(super) fn begin(&self) -> Begun {
        Begun { least: self.answered }
    }

    /// An append is answered with its index.
    pub(super) fn appended(&mut self, begun: Begun, index: u64) -> Result<(), String> {
        self.answered = self.answered.max(index + 1);
        if index < begun.least {
            return Err(format!(
                "not linearizable: appended as {index}, although a log of {} leaves was answered before it began",
                begun.least
            ));
        }
        Ok(())
    }

    /// A read is answered with the log's size.
    pub(super) fn read(&mut self, begun: Begun, size: u64) -> Result<(), String> {
        self.answered = self.answered.max(size);
        if size < begun.least {
            return Err(format!(
                "not linearizable: read {size} leaves, although {} were answered before it began",
                begun.least
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_at_once_may_take_any_order_and_later_ones_may_not() {
        let mut history = History::default();
        let (a, b, c) = (history.begin(), history.begin(), history.begin());
        history.appended(a, 1).unwrap();
        history.appended(b, 0).unwrap();
        history.read(c, 0).unwrap();
        let later = history.begin();
        assert!(history.read(later, 1).is_err(), "a stale read");
        history.read(later, 2).unwrap();
        assert!(history.appended(later, 1).is_err(), "an append into the past");
        history.appended(later, 2).unwrap();
        assert!(history.read(history.begin(), 2).is_err(), "an append that is lost");
        let ahead = history.begin();
        history.read(ahead, 9).unwrap();
        assert!(history.appended(history.begin(), 8).is_err(), "a read of what was not there yet");
    }
}
