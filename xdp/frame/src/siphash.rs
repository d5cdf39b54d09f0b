//! SipHash-2-4 with 128 bits of output (Aumasson and Bernstein 2012, and its reference implementation's long form).
//!
//! A keyed pseudo-random function that is short enough to run on each frame in the driver. It authenticates frames and
//! replies, and it makes the digests of accounts and agents.

use core::fmt;

/// A secret of 16 bytes. The key of zeros stands for none: no sender may have it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Key {
    k0: u64,
    k1: u64,
}

impl Key {
    /// The key of these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        let all = u128::from_le_bytes(bytes);
        Self { k0: all as u64, k1: (all >> 64) as u64 }
    }

    /// Whether there is a key at all.
    #[inline(always)]
    pub const fn is_none(&self) -> bool {
        self.k0 | self.k1 == 0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// The 128 bits of `bytes` under `key`.
pub fn hash(key: &Key, bytes: &[u8]) -> [u8; 16] {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut state = State::new(key);
    for word in words {
        state.absorb(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    state.absorb(u64::from_le_bytes(last) | (bytes.len() as u64) << 56);
    let [low, high] = state.finish();
    (u128::from(low) | u128::from(high) << 64).to_le_bytes()
}

/// [`hash`] of `COUNT` little-endian words, as two words.
#[inline(always)]
pub(crate) fn hash_words<const COUNT: usize>(key: &Key, word: impl Fn(usize) -> u64) -> [u64; 2] {
    let mut state = State::new(key);
    for at in 0..COUNT {
        state.absorb(word(at));
    }
    state.absorb((8 * COUNT as u64) << 56);
    state.finish()
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    #[inline(always)]
    fn new(key: &Key) -> Self {
        Self {
            v0: key.k0 ^ 0x736f_6d65_7073_6575,
            v1: key.k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            v2: key.k0 ^ 0x6c79_6765_6e65_7261,
            v3: key.k1 ^ 0x7465_6462_7974_6573,
        }
    }

    #[inline(always)]
    fn absorb(&mut self, word: u64) {
        self.v3 ^= word;
        self.rounds::<2>();
        self.v0 ^= word;
    }

    #[inline(always)]
    fn finish(mut self) -> [u64; 2] {
        self.v2 ^= 0xee;
        self.rounds::<4>();
        let low = self.v0 ^ self.v1 ^ self.v2 ^ self.v3;
        self.v1 ^= 0xdd;
        self.rounds::<4>();
        [low, self.v0 ^ self.v1 ^ self.v2 ^ self.v3]
    }

    #[inline(always)]
    fn rounds<const COUNT: usize>(&mut self) {
        for _ in 0..COUNT {
            self.v0 = self.v0.wrapping_add(self.v1);
            self.v2 = self.v2.wrapping_add(self.v3);
            self.v1 = self.v1.rotate_left(13) ^ self.v0;
            self.v3 = self.v3.rotate_left(16) ^ self.v2;
            self.v0 = self.v0.rotate_left(32);
            self.v2 = self.v2.wrapping_add(self.v1);
            self.v0 = self.v0.wrapping_add(self.v3);
            self.v1 = self.v1.rotate_left(17) ^ self.v2;
            self.v3 = self.v3.rotate_left(21) ^ self.v0;
            self.v2 = self.v2.rotate_left(32);
        }
    }
}
