//! Multiplication with arkworks' arithmetic, on any processor: in affine coordinates, and all additions of a chunk that
//! do not depend on one another share an inversion ([`hansa_prover::curve::sums`]).

use ark_ec::short_weierstrass::Affine;
use hansa_prover::curve::sums::{Scratch, double_all, sum_groups};
use zeroize::Zeroize;

use super::{BITS, CHUNK, Digits, Group, LARGEST};

/// Buffers for a chunk.
pub(super) struct Room<G: Group> {
    scratch: Scratch<G::BaseField>,
    /// For each part, for each size of a digit, that multiple of each point.
    multiples: Vec<Affine<G>>,
    terms: Vec<Affine<G>>,
    sums: Vec<Affine<G>>,
    groups: Vec<usize>,
}

impl<G: Group> Room<G> {
    pub(super) fn new() -> Self {
        Self {
            scratch: Scratch::new(),
            multiples: Vec::new(),
            terms: Vec::new(),
            sums: Vec::new(),
            groups: Vec::new(),
        }
    }

    pub(super) fn multiply(&mut self, points: &mut [Affine<G>], digits: &[Digits; CHUNK]) {
        let count = points.len();
        self.tabulate(points);
        self.sums.clear();
        self.sums.resize(count, Affine::identity());
        for digit in (0..G::DIGITS).rev() {
            if digit + 1 < G::DIGITS {
                (0..BITS).for_each(|_| double_all(&mut self.sums, &mut self.scratch));
            }
            self.terms.clear();
            for (i, digits) in digits.iter().take(count).enumerate() {
                self.terms.push(self.sums[i]);
                for part in 0..G::PARTS {
                    let digit = digits[part * G::DIGITS + digit];
                    self.terms.push(match usize::from(digit.unsigned_abs()) {
                        0 => Affine::identity(),
                        size => {
                            let multiple = self.multiples[(part * LARGEST + size - 1) * count + i];
                            if digit < 0 { -multiple } else { multiple }
                        }
                    });
                }
            }
            self.groups.clear();
            self.groups.resize(count, G::PARTS + 1);
            sum_groups(&mut self.terms, &mut self.groups, &mut self.scratch);
            std::mem::swap(&mut self.sums, &mut self.terms);
        }
        points.copy_from_slice(&self.sums);
    }

    /// Once to eight times each point, and that times the powers of the base.
    fn tabulate(&mut self, points: &[Affine<G>]) {
        let count = points.len();
        self.multiples.clear();
        self.multiples.extend_from_slice(points);
        for size in 2..=LARGEST {
            self.terms.clear();
            let last = &self.multiples[(size - 2) * count..];
            self.terms.extend(last.iter().zip(points).flat_map(|(last, one)| [*last, *one]));
            self.groups.clear();
            self.groups.resize(count, 2);
            sum_groups(&mut self.terms, &mut self.groups, &mut self.scratch);
            self.multiples.extend_from_slice(&self.terms);
        }
        for part in 1..G::PARTS {
            let last = (part - 1) * LARGEST * count;
            for i in last..last + LARGEST * count {
                self.multiples.push(G::times_base(&self.multiples[i]));
            }
        }
    }
}

impl<G: Group> Drop for Room<G> {
    fn drop(&mut self) {
        // Sums under way say which digits there were.
        self.terms.zeroize();
        self.sums.zeroize();
    }
}
