//! How much one address may send: a counter that starts anew with each tick.

use crate::word::Word;

/// A tick is 2^30 ns (1.07 s): a shift, since the kernel program has no cheap division.
pub const TICK_BITS: u32 = 30;
/// The tick stands in the upper half of the word, what was spent in the lower.
const HALF: u32 = 32;

/// Spends `amount` of what one tick allows; false where it is used up.
#[inline(always)]
pub(crate) fn spend(word: &Word, now: u64, amount: u32, limit: u32) -> bool {
    let tick = now >> TICK_BITS & u64::from(u32::MAX);
    let old = word.load();
    let spent = if old >> HALF == tick {
        word.fetch_add(amount.into()) as u32
    } else if word.exchange(old, tick << HALF | u64::from(amount)) {
        0
    } else {
        // Another CPU began the tick.
        word.fetch_add(amount.into()) as u32
    };
    u64::from(spent) + u64::from(amount) <= limit.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_allows_its_limit_and_the_next_begins_anew() {
        let word = Word::new(0);
        let now = 5 << TICK_BITS;
        assert!(spend(&word, now, 11, 22));
        assert!(spend(&word, now + 1, 11, 22));
        assert!(!spend(&word, now + 2, 1, 22));
        assert!(spend(&word, now + (1 << TICK_BITS), 22, 22));
    }
}
