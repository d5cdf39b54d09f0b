//! Poseidon over the BLS12-381 scalar field: `P(domain, inputs..)`, natively and as constraints.
//!
//! The permutation is the original Poseidon (Grassi et al., eprint 2019/458) with x^5, widths 3, 5 and 9 and
//! the Filecoin (neptune) parameters: round numbers of the published security script with its margin, round
//! constants from the published Grain procedure, Cauchy MDS matrix 1/(x_i + y_j) with x = 0..t, y = t..2t.
//! Nothing is vendored: [`parameters`] generates all of it, tests compare it with published vectors.
//!
//! # The hash (frozen)
//!
//! For n inputs, 1 <= n <= 8, the width t is the smallest of 3, 5, 9 with t > n. The state is
//! `[capacity, input_1, .., input_n, 0, .., 0]` with
//! `capacity = n * 2^64 + domain`; the result is element 1 of the permuted state. With domain 0 this is
//! neptune's `ConstantLength(n)` hash, whose published vectors therefore test ours.

pub mod gadget;
mod grain;
pub mod parameters;
#[cfg(test)]
mod security;
#[cfg(test)]
mod tests;

use ark_ff::{AdditiveGroup, BigInt, PrimeField};

use self::parameters::{Parameters, Width};
use crate::field::Fr;

/// What a hash is for: keeps the hashes of one role from being read as those of another.
///
/// The numbers are those of the statement ([`crate::circuit`]) and frozen with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Domain {
    /// `pk = P(1, sk)`.
    PublicKey = 1,
    /// `leaf = P(2, pk, limit, trace commitment)`.
    MemberLeaf = 2,
    /// `trace commitment = P(3, t_e)`.
    Trace = 3,
    /// `a1 = P(4, t_e, scope, counter)`.
    Share = 4,
    /// `nullifier = P(5, a1)`.
    Nullifier = 5,
    /// `M = P(6, version, W1, W2)`.
    Model = 6,
    /// `tag = P(7, u, scope)`.
    Tag = 7,
    /// `D = P(8, u, F1, F2, M, decision id, salt)`.
    Decision = 8,
    /// `scope = P(9, consortium, circuit version, verifying key hash, gateway, epoch)`.
    Scope = 9,
    /// `node = P(10, child 0, .., child 3)` of the arity-4 trees.
    TreeNode = 10,
}

/// The capacity element of a hash of `inputs` elements: `inputs * 2^64 + domain`.
pub(crate) fn capacity(domain: u8, inputs: usize) -> Fr {
    Fr::from_bigint(BigInt::new([u64::from(domain), inputs as u64, 0, 0]))
        .expect("below 2^72, so below the field's order")
}

/// `P(domain, inputs..)` over one to eight inputs.
///
/// The count is a compile-time constant so that no input from outside can choose it.
#[must_use]
pub fn hash<const N: usize>(domain: Domain, inputs: [Fr; N]) -> Fr {
    hash_raw(domain as u8, inputs)
}

/// [`hash`] with a bare domain number; 0 gives neptune's `ConstantLength` hash.
fn hash_raw<const N: usize>(domain: u8, inputs: [Fr; N]) -> Fr {
    const { assert!(N >= 1 && N <= Width::MAX_INPUTS, "Poseidon here takes one to eight inputs") };
    let parameters = Parameters::of(Width::for_inputs::<N>());
    let mut state = vec![Fr::ZERO; parameters.width()];
    state[0] = capacity(domain, N);
    state[1..=N].copy_from_slice(&inputs);
    permute(parameters, &mut state);
    state[1]
}

/// The Poseidon permutation: half of the full rounds, all partial rounds, the other half.
///
/// # Panics
/// If the state's length is not the parameters' width (a programming error: lengths here are constants).
fn permute(parameters: &Parameters, state: &mut [Fr]) {
    assert_eq!(state.len(), parameters.width(), "the state has the permutation's width");
    for round in 0..parameters.rounds() {
        for (lane, constant) in state.iter_mut().zip(parameters.round_constants(round)) {
            *lane += constant;
        }
        let boxes = if parameters.is_full(round) { state.len() } else { 1 };
        for lane in &mut state[..boxes] {
            *lane = sbox(*lane);
        }
        mix(parameters, state);
    }
}

/// x^5, a permutation of the field since 5 does not divide r - 1.
fn sbox(x: Fr) -> Fr {
    let x2 = x * x;
    x2 * x2 * x
}

fn mix(parameters: &Parameters, state: &mut [Fr]) {
    let mut mixed = [Fr::ZERO; Width::MAX];
    for (row, out) in mixed.iter_mut().enumerate().take(state.len()) {
        *out = parameters.mds_row(row).iter().zip(state.iter()).map(|(m, s)| *m * s).sum();
    }
    state.copy_from_slice(&mixed[..state.len()]);
}
