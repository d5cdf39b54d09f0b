//! The three Poseidon instances: widths, round numbers, round constants, MDS matrices.

use std::sync::OnceLock;

use ark_ff::Field;

use super::grain::{Grain, SBOX_FILECOIN};
use crate::field::Fr;

/// Full rounds of every instance, half of them before and half after the partial ones.
pub(super) const FULL_ROUNDS: usize = 8;

/// The width of a permutation: one capacity element and two, four or eight of rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// t = 3, up to two inputs.
    Three,
    /// t = 5, up to four inputs.
    Five,
    /// t = 9, up to eight inputs.
    Nine,
}

impl Width {
    /// The widest state.
    pub const MAX: usize = 9;
    /// The most inputs one hash takes.
    pub const MAX_INPUTS: usize = Self::MAX - 1;

    /// The narrowest width for `N` inputs, 1 to 8.
    #[must_use]
    pub const fn for_inputs<const N: usize>() -> Self {
        match N {
            0..=2 => Self::Three,
            3..=4 => Self::Five,
            _ => Self::Nine,
        }
    }

    /// Number of field elements in the state.
    #[must_use]
    pub const fn elements(self) -> usize {
        match self {
            Self::Three => 3,
            Self::Five => 5,
            Self::Nine => 9,
        }
    }

    /// Partial rounds for 128 bits, with the published margin (checked by the `security` tests).
    #[must_use]
    pub const fn partial_rounds(self) -> usize {
        match self {
            Self::Three => 55,
            Self::Five => 56,
            Self::Nine => 57,
        }
    }
}

/// One Poseidon instance.
pub struct Parameters {
    width: usize,
    full_rounds: usize,
    partial_rounds: usize,
    /// `width` constants a round.
    constants: Vec<Fr>,
    /// Row by row.
    mds: Vec<Fr>,
}

impl Parameters {
    /// The instance of a width, generated once in the life of the process.
    #[must_use]
    pub fn of(width: Width) -> &'static Self {
        static THREE: OnceLock<Parameters> = OnceLock::new();
        static FIVE: OnceLock<Parameters> = OnceLock::new();
        static NINE: OnceLock<Parameters> = OnceLock::new();
        let cell = match width {
            Width::Three => &THREE,
            Width::Five => &FIVE,
            Width::Nine => &NINE,
        };
        cell.get_or_init(|| Self::generate(width))
    }

    fn generate(width: Width) -> Self {
        let (t, partial_rounds) = (width.elements(), width.partial_rounds());
        let mut grain = Grain::new(SBOX_FILECOIN, t as u32, FULL_ROUNDS as u32, partial_rounds as u32);
        let constants = (0..t * (FULL_ROUNDS + partial_rounds)).map(|_| grain.next_element()).collect();
        let xs: Vec<Fr> = (0..t as u64).map(Fr::from).collect();
        let ys: Vec<Fr> = (t as u64..2 * t as u64).map(Fr::from).collect();
        Self::new(t, FULL_ROUNDS, partial_rounds, constants, cauchy(&xs, &ys))
    }

    pub(super) fn new(
        width: usize,
        full_rounds: usize,
        partial_rounds: usize,
        constants: Vec<Fr>,
        mds: Vec<Fr>,
    ) -> Self {
        assert_eq!(constants.len(), width * (full_rounds + partial_rounds), "one constant a lane and round");
        assert_eq!(mds.len(), width * width, "a square matrix");
        Self { width, full_rounds, partial_rounds, constants, mds }
    }

    /// Elements in the state.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// All rounds, full and partial.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.full_rounds + self.partial_rounds
    }

    /// Whether every lane of this round (counted from 0) has an S-box; else only lane 0 has one.
    #[must_use]
    pub fn is_full(&self, round: usize) -> bool {
        self.partial_rounds_left(round).is_none()
    }

    /// For a partial round, how many partial rounds follow it.
    #[must_use]
    pub fn partial_rounds_left(&self, round: usize) -> Option<usize> {
        let first = self.full_rounds / 2;
        let end = first + self.partial_rounds;
        (first..end).contains(&round).then(|| end - 1 - round)
    }

    /// The constants added to the lanes at the start of a round.
    #[must_use]
    pub fn round_constants(&self, round: usize) -> &[Fr] {
        &self.constants[round * self.width..(round + 1) * self.width]
    }

    /// One row of the MDS matrix: coefficients of the old lanes in the new lane `row`.
    #[must_use]
    pub fn mds_row(&self, row: usize) -> &[Fr] {
        &self.mds[row * self.width..(row + 1) * self.width]
    }
}

/// The Cauchy matrix 1 / (x_i + y_j), every square part of which is invertible when all x and -y differ.
pub(super) fn cauchy(xs: &[Fr], ys: &[Fr]) -> Vec<Fr> {
    xs.iter()
        .flat_map(|x| {
            ys.iter().map(move |y| (*x + y).inverse().expect("x_i + y_j is not 0: they are distinct"))
        })
        .collect()
}
