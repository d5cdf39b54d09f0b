//! The Grain LFSR in self-shrinking mode, which generates Poseidon's round constants.
//!
//! Procedure: eprint 2019/458, appendix E, and hadeshash `generate_parameters_grain.sage`: 80 bits that
//! describe the instance, 160 clocks discarded, then pairs of bits of which the first decides whether the
//! second is output. Integers are read most significant bit first; those not below r are thrown away.

use std::collections::VecDeque;

use ark_ff::{BigInt, BigInteger, PrimeField};

use crate::field::Fr;

/// Bits of r, which is `n` in the paper.
const FIELD_BITS: u32 = 255;
/// The descriptor of a prime field.
const PRIME_FIELD: u32 = 1;
/// The descriptor the Filecoin parameters use for x^5 (hadeshash's published BLS12-381 instances use 0).
pub(super) const SBOX_FILECOIN: u32 = 1;
const STATE_BITS: usize = 80;
const DISCARDED: usize = 160;

/// A generator of field elements for one Poseidon instance.
pub(super) struct Grain {
    state: VecDeque<bool>,
}

impl Grain {
    /// The generator of the instance with this S-box descriptor, width and round numbers.
    pub(super) fn new(sbox: u32, width: u32, full_rounds: u32, partial_rounds: u32) -> Self {
        let mut state = VecDeque::with_capacity(STATE_BITS);
        let fields = [
            (PRIME_FIELD, 2),
            (sbox, 4),
            (FIELD_BITS, 12),
            (width, 12),
            (full_rounds, 10),
            (partial_rounds, 10),
            ((1 << 30) - 1, 30),
        ];
        for (value, bits) in fields {
            state.extend((0..bits).rev().map(|bit| (value >> bit) & 1 == 1));
        }
        let mut grain = Self { state };
        for _ in 0..DISCARDED {
            grain.clock();
        }
        grain
    }

    fn clock(&mut self) -> bool {
        let s = &self.state;
        let bit = s[62] ^ s[51] ^ s[38] ^ s[23] ^ s[13] ^ s[0];
        self.state.pop_front();
        self.state.push_back(bit);
        bit
    }

    fn next_bit(&mut self) -> bool {
        while !self.clock() {
            self.clock();
        }
        self.clock()
    }

    /// The next integer of 255 bits, big-endian bits first.
    pub(super) fn next_integer(&mut self) -> BigInt<4> {
        let mut integer = BigInt::<4>::zero();
        for _ in 0..FIELD_BITS {
            integer.mul2();
            integer.0[0] |= u64::from(self.next_bit());
        }
        integer
    }

    /// The next integer below r.
    pub(super) fn next_element(&mut self) -> Fr {
        loop {
            if let Some(element) = Fr::from_bigint(self.next_integer()) {
                return element;
            }
        }
    }
}
