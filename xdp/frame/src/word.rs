//! A number that several CPUs, and the kernel and user space, change at once.
//!
//! The kernel has the instructions, yet Rust's BPF target denies that there is a compare-and-exchange, and LLVM selects
//! no plain atomic load or store below the fourth version of the instruction set. There the intrinsics are called as
//! they are, and an aligned word is loaded and stored whole anyway.

use core::sync::atomic::AtomicU64;

/// A shared 64-bit number. It gives no order to other accesses: whoever says by one that others may be read puts a fence
/// before it.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Word(AtomicU64);

impl Word {
    /// A word of this value.
    pub const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// The value.
    #[inline(always)]
    pub fn load(&self) -> u64 {
        atomic::load(&self.0)
    }

    /// Sets the value.
    #[inline(always)]
    pub fn store(&self, value: u64) {
        atomic::store(&self.0, value);
    }

    /// Adds, and returns what was there.
    #[inline(always)]
    pub fn fetch_add(&self, amount: u64) -> u64 {
        atomic::fetch_add(&self.0, amount)
    }

    /// Sets the value to `new` if it is `old`; false if it is not.
    #[inline(always)]
    pub fn exchange(&self, old: u64, new: u64) -> bool {
        atomic::exchange(&self.0, old, new)
    }
}

#[cfg(not(target_arch = "bpf"))]
mod atomic {
    use core::sync::atomic::Ordering::Relaxed;

    use super::AtomicU64;

    pub(super) fn load(word: &AtomicU64) -> u64 {
        word.load(Relaxed)
    }

    pub(super) fn store(word: &AtomicU64, value: u64) {
        word.store(value, Relaxed);
    }

    pub(super) fn fetch_add(word: &AtomicU64, amount: u64) -> u64 {
        word.fetch_add(amount, Relaxed)
    }

    pub(super) fn exchange(word: &AtomicU64, old: u64, new: u64) -> bool {
        word.compare_exchange(old, new, Relaxed, Relaxed).is_ok()
    }
}

#[cfg(target_arch = "bpf")]
#[expect(unsafe_code, reason = "the intrinsics take pointers")]
mod atomic {
    use core::intrinsics::AtomicOrdering::{Relaxed, SeqCst};
    use core::intrinsics::{atomic_cxchg, atomic_xadd};

    use super::AtomicU64;

    #[inline(always)]
    pub(super) fn load(word: &AtomicU64) -> u64 {
        // SAFETY: the pointer is a live word's, aligned as its type says; so are those below.
        unsafe { word.as_ptr().read_volatile() }
    }

    #[inline(always)]
    pub(super) fn store(word: &AtomicU64, value: u64) {
        // SAFETY: as above.
        unsafe { word.as_ptr().write_volatile(value) }
    }

    #[inline(always)]
    pub(super) fn fetch_add(word: &AtomicU64, amount: u64) -> u64 {
        // Of a relaxed addition LLVM makes the instruction that returns nothing, and takes the operand for the result.
        // SAFETY: as above.
        unsafe { atomic_xadd::<u64, u64, { SeqCst }>(word.as_ptr(), amount) }
    }

    #[inline(always)]
    pub(super) fn exchange(word: &AtomicU64, old: u64, new: u64) -> bool {
        // SAFETY: as above.
        unsafe { atomic_cxchg::<u64, { Relaxed }, { Relaxed }>(word.as_ptr(), old, new).1 }
    }
}
