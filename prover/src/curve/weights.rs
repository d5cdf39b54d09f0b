//! Random weights of at least 128 bits that are cheap to multiply points of G1 by.
//!
//! A weight is `u + v * lambda`, with lambda the eigenvalue of the endomorphism (x, y) -> (beta x, y) (Gallant,
//! Lambert, Vanstone, Crypto 2001), and u and v made of [`DIGITS`] digits in base 16, each drawn evenly from the
//! fifteen values -7 to 8 without 0. The fifteen differ modulo 16, so different digits are different integers, all
//! below 2^68 in size; and no combination of that size is zero modulo r except the trivial one (the shortest
//! vector of the endomorphism's lattice has 127 bits). There are therefore 15^34 > 2^132 different weights, equally
//! likely, none of them zero.

use ark_bls12_381::{Fr, G1Affine, G1Projective, g1};
use ark_ec::scalar_mul::glv::GLVConfig;
use ark_ff::AdditiveGroup;
use rand::RngCore;

use super::sums::{Scratch, double_all, sum_groups};

/// Base-16 digits of u and of v.
const DIGITS: usize = 17;
/// Bits of a digit.
const BITS: usize = 4;
/// The largest size of a digit.
const LARGEST: usize = 8;

/// A weight: the digits of u and v, lowest first.
pub(crate) struct Weight([[i8; DIGITS]; 2]);

impl Weight {
    /// As many weights as wanted, which must be unpredictable to whoever made what they weigh.
    pub(crate) fn random(count: usize, rng: &mut dyn RngCore) -> Vec<Self> {
        let mut nibbles = Nibbles { rng, bytes: [0; 256], next: 512 };
        (0..count).map(|_| Self([0; 2].map(|_| [0; DIGITS].map(|_: i32| nibbles.digit())))).collect()
    }

    /// The weight as a scalar.
    pub(crate) fn scalar(&self) -> Fr {
        let sixteen = Fr::from(1_u8 << BITS);
        let [u, v] = self
            .0
            .map(|digits| digits.iter().rev().fold(Fr::ZERO, |sum, digit| sum * sixteen + Fr::from(*digit)));
        u + v * g1::Config::LAMBDA
    }
}

/// Random digits from buffered bytes.
struct Nibbles<'a> {
    rng: &'a mut dyn RngCore,
    bytes: [u8; 256],
    next: usize,
}

impl Nibbles<'_> {
    fn digit(&mut self) -> i8 {
        loop {
            if self.next == 2 * self.bytes.len() {
                self.rng.fill_bytes(&mut self.bytes);
                self.next = 0;
            }
            let nibble = (self.bytes[self.next / 2] >> (BITS * (self.next % 2))) & 0xf;
            self.next += 1;
            if nibble != 0 {
                return i8::try_from(nibble).expect("four bits") - if nibble > 8 { 16 } else { 0 };
            }
        }
    }
}

/// (beta x, y), which is lambda times the point if that is in the subgroup.
fn endomorphism(point: &G1Affine) -> G1Affine {
    g1::Config::endomorphism_affine(point)
}

fn signed(point: &G1Affine, digit: i8) -> G1Affine {
    if digit < 0 { -*point } else { *point }
}

/// Each point times its weight. The points are in the subgroup and not the identity.
pub(crate) fn multiply_each(points: &[G1Affine], weights: &[Weight]) -> Vec<G1Affine> {
    let mut scratch = Scratch::new();
    let multiples = multiples(points, &mut scratch);
    let digit = |point: usize, half: usize, at: usize| {
        let digit = weights[point].0[half][at];
        let multiple = &multiples[usize::from(digit.unsigned_abs()) - 1][point];
        let multiple = signed(multiple, digit);
        if half == 0 { multiple } else { endomorphism(&multiple) }
    };
    let mut sums: Vec<G1Affine> = Vec::new();
    for at in (0..DIGITS).rev() {
        for _ in 0..BITS {
            double_all(&mut sums, &mut scratch);
        }
        let mut terms = Vec::with_capacity(3 * points.len());
        for point in 0..points.len() {
            terms.extend(sums.get(point));
            terms.extend([digit(point, 0, at), digit(point, 1, at)]);
        }
        let mut groups = vec![if sums.is_empty() { 2 } else { 3 }; points.len()];
        sum_groups(&mut terms, &mut groups, &mut scratch);
        sums = terms;
    }
    sums
}

/// Once, twice, .. eight times each point.
fn multiples(points: &[G1Affine], scratch: &mut Scratch<ark_bls12_381::Fq>) -> Vec<Vec<G1Affine>> {
    let mut multiples = vec![points.to_vec()];
    for n in 2..=LARGEST {
        let mut next = if n % 2 == 0 {
            let mut half = multiples[n / 2 - 1].clone();
            double_all(&mut half, scratch);
            half
        } else {
            let last = &multiples[n - 2];
            let mut pairs: Vec<_> = last.iter().zip(points).flat_map(|(last, one)| [*last, *one]).collect();
            sum_groups(&mut pairs, &mut vec![2; points.len()], scratch);
            pairs
        };
        next.shrink_to_fit();
        multiples.push(next);
    }
    multiples
}

/// The sum of the points times their weights. The points are in the subgroup.
pub(crate) fn weighted_sum(points: &[G1Affine], weights: &[Weight]) -> G1Projective {
    let images: Vec<G1Affine> = points.iter().map(endomorphism).collect();
    let mut scratch = Scratch::new();
    let mut sum = G1Projective::ZERO;
    for at in (0..DIGITS).rev() {
        for _ in 0..BITS {
            sum.double_in_place();
        }
        let mut buckets = [const { Vec::new() }; LARGEST];
        for (half, points) in [points, &images].into_iter().enumerate() {
            for (point, weight) in points.iter().zip(weights) {
                let digit = weight.0[half][at];
                buckets[usize::from(digit.unsigned_abs()) - 1].push(signed(point, digit));
            }
        }
        let mut sizes: Vec<usize> = buckets.iter().map(Vec::len).collect();
        let mut buckets = buckets.concat();
        sum_groups(&mut buckets, &mut sizes, &mut scratch);
        let mut above = G1Projective::ZERO;
        for bucket in buckets.iter().rev() {
            above += bucket;
            sum += above;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use ark_bls12_381::G1Projective;
    use ark_ec::{AffineRepr, CurveGroup};
    use ark_ff::UniformRand;

    use super::*;
    use crate::testing::rng;

    #[test]
    fn multiples_and_sums_are_those_of_the_scalars() {
        let mut rng = rng(40);
        for count in [0, 1, 5] {
            let points: Vec<G1Affine> =
                (0..count).map(|_| G1Projective::rand(&mut rng).into_affine()).collect();
            let weights = Weight::random(count, &mut rng);
            let expected: Vec<G1Projective> =
                points.iter().zip(&weights).map(|(point, weight)| *point * weight.scalar()).collect();
            assert_eq!(multiply_each(&points, &weights), G1Projective::normalize_batch(&expected));
            assert_eq!(weighted_sum(&points, &weights), expected.iter().sum::<G1Projective>());
        }
    }

    #[test]
    fn equal_and_opposite_points_are_no_exception() {
        let g = G1Affine::generator();
        let weights = Weight::random(3, &mut rng(41));
        let points = [g, g, -g];
        let expected: G1Projective =
            points.iter().zip(&weights).map(|(point, weight)| *point * weight.scalar()).sum();
        assert_eq!(weighted_sum(&points, &weights), expected);
        assert_eq!(multiply_each(&points, &weights).iter().sum::<G1Projective>(), expected);
    }

    #[test]
    fn digits_are_fifteen_values_about_equally_often() {
        let mut counts = [0_u32; 16];
        for weight in Weight::random(1000, &mut rng(42)) {
            for digit in weight.0.concat() {
                counts[usize::try_from(digit + 7).unwrap()] += 1;
            }
        }
        let [zeros] = [counts[7]];
        assert_eq!(zeros, 0);
        let even = 34_000 / 15;
        let others = counts.iter().enumerate().filter(|(digit, _)| *digit != 7);
        assert!(others.map(|(_, count)| count.abs_diff(even)).all(|off| off < even / 5), "{counts:?}");
    }
}
