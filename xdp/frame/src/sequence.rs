//! The window of sequence numbers that tells a frame from its copy, without locks and across CPUs.
//!
//! Each word covers [`SEQUENCES_PER_SLOT`] consecutive numbers: 16 bits say which were seen, 48 say which block of 16
//! it is. A block has one slot (its number modulo [`SLOTS`]), and a slot only ever moves to later blocks, so a number
//! that was taken is never taken again; one older than its slot's block is refused. One compare-and-exchange does it.

use core::cmp::Ordering;

use crate::word::Word;

/// Sequence numbers that one word covers.
pub const SEQUENCES_PER_SLOT: u64 = 16;
/// Words of one key: the window is 2,048 numbers wide.
pub const SLOTS: usize = 128;
/// Attempts at one word before a frame is refused; each failure means that another CPU took a number of the same block.
const MAX_ATTEMPTS: usize = 4;

/// The window of one key.
pub type SequenceWindow = [Word; SLOTS];

/// The slot of `sequence` in its key's window.
#[inline(always)]
pub(crate) const fn slot(sequence: u64) -> usize {
    (sequence / SEQUENCES_PER_SLOT) as usize % SLOTS
}

/// Takes `sequence` in its slot's word: `Some` of the numbers that are now known to be missing, or `None` where it was
/// taken before or is too old.
#[inline(always)]
pub(crate) fn take(word: &Word, sequence: u64) -> Option<u64> {
    let block = sequence / SEQUENCES_PER_SLOT;
    let bit = 1 << (sequence % SEQUENCES_PER_SLOT);
    for _ in 0..MAX_ATTEMPTS {
        let old = word.load();
        let old_block = old >> SEQUENCES_PER_SLOT;
        let (new, missing) = if old_block == block {
            if old & bit != 0 {
                return None;
            }
            (old | bit, 0)
        } else if old_block > block {
            return None;
        } else {
            (block << SEQUENCES_PER_SLOT | bit, missing(old, block))
        };
        if word.exchange(old, new) {
            return Some(missing);
        }
    }
    None
}

/// Gives `sequence` back: the datagram goes to the socket path, which takes it again.
#[inline(always)]
pub(crate) fn release(word: &Word, sequence: u64) {
    let old = word.load();
    if old >> SEQUENCES_PER_SLOT == sequence / SEQUENCES_PER_SLOT {
        // A failure means that another number of the block was taken meanwhile; this one then stays taken, and its
        // sender hears REFUSED instead of a verdict, which permits nothing.
        let _ = word.exchange(old, old & !(1 << (sequence % SEQUENCES_PER_SLOT)));
    }
}

/// Takes over what another word of the same slot has seen: the later block's numbers, or those of both.
pub fn join(word: &Word, other: u64) {
    loop {
        let own = word.load();
        let joined = match (own >> SEQUENCES_PER_SLOT).cmp(&(other >> SEQUENCES_PER_SLOT)) {
            Ordering::Less => other,
            Ordering::Equal => own | other,
            Ordering::Greater => own,
        };
        if joined == own || word.exchange(own, joined) {
            return;
        }
    }
}

/// How many numbers never came, now that the slot of `old` moves on to `block`: those of its own block, and all of the
/// blocks between that would have had this slot. A slot that was never used misses none.
#[inline(always)]
fn missing(old: u64, block: u64) -> u64 {
    if old == 0 {
        return 0;
    }
    let skipped = (block - (old >> SEQUENCES_PER_SLOT)) / SLOTS as u64 - 1;
    u64::from((!old as u16).count_ones()) + skipped * SEQUENCES_PER_SLOT
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One key's window, and what the whole is counted to miss.
    fn window() -> [Word; SLOTS] {
        [const { Word::new(0) }; SLOTS]
    }

    #[test]
    fn each_number_is_taken_once_in_any_order() {
        let window = window();
        for sequence in [5_u64, 3, 4, 100, 99, 2047, 0, 1] {
            assert_eq!(take(&window[slot(sequence)], sequence), Some(0), "{sequence}");
            assert_eq!(take(&window[slot(sequence)], sequence), None, "{sequence} again");
        }
    }

    #[test]
    fn what_is_older_than_the_window_is_refused() {
        let window = window();
        let later = 5 + SEQUENCES_PER_SLOT * SLOTS as u64;
        assert!(take(&window[slot(5)], 5).is_some());
        assert!(take(&window[slot(later)], later).is_some());
        assert_eq!(take(&window[slot(6)], 6), None);
    }

    #[test]
    fn missing_numbers_are_counted_once_their_block_is_left() {
        let window = window();
        let lap = SEQUENCES_PER_SLOT * SLOTS as u64;
        let mut missed = 0;
        for sequence in (0..3 * lap).filter(|n| n % 100 != 7) {
            missed += take(&window[slot(sequence)], sequence).expect("each is new");
        }
        assert_eq!(missed, (0..2 * lap).filter(|n| n % 100 == 7).count() as u64);
        let far = 10 * lap;
        let of_its_own_block =
            (2 * lap..2 * lap + SEQUENCES_PER_SLOT).filter(|n| n % 100 == 7).count() as u64;
        assert_eq!(take(&window[slot(far)], far), Some(of_its_own_block + 7 * SEQUENCES_PER_SLOT));
    }

    #[test]
    fn what_either_of_two_words_saw_is_seen_by_both() {
        let (one, other) = (window(), window());
        for (window, sequence) in [(&one, 3), (&other, 5), (&other, 3)] {
            take(&window[0], sequence);
        }
        join(&one[0], other[0].load());
        assert_eq!([3, 5].map(|sequence| take(&one[0], sequence)), [None, None]);
        assert_eq!(take(&one[0], 4), Some(0));
        let lap = SEQUENCES_PER_SLOT * SLOTS as u64;
        take(&other[0], lap);
        join(&one[0], other[0].load());
        join(&other[0], one[0].load());
        assert_eq!([4, lap].map(|sequence| take(&one[0], sequence)), [None, None]);
        assert_eq!(one[0].load(), other[0].load());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let window = window();
        assert!(take(&window[slot(9)], 9).is_some());
        release(&window[slot(9)], 9);
        assert!(take(&window[slot(9)], 9).is_some());
        release(&window[slot(9)], 9 + SEQUENCES_PER_SLOT * SLOTS as u64);
        assert_eq!(take(&window[slot(9)], 9), None);
    }
}
