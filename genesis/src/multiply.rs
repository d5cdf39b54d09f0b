//! Many points, each times a scalar of its own: what a contribution does.
//!
//! A scalar is written to a base B by which multiplying costs next to nothing (Gallant, Lambert, Vanstone, Crypto 2001;
//! Galbraith, Lin, Scott, Eurocrypt 2009): in G1 B = x^2, in G2 B = |x|, for x the curve's parameter. Its parts share
//! their doublings, and points in a chunk share the inversions of all their additions ([`hansa_prover::curve::sums`]).
//!
//! Scalars and what is derived from them are in locked memory; sums under way are wiped. The time depends on the
//! scalars, as with every tool of this kind: a contribution is made on a machine where nobody measures it.

use std::sync::OnceLock;

use ark_bls12_381::{Fq, Fq2, Fr, G1Affine, G2Affine, g1, g2};
use ark_ec::{
    AffineRepr,
    scalar_mul::glv::GLVConfig,
    short_weierstrass::{Affine, SWCurveConfig},
};
use ark_ff::{Field, PrimeField};
use hansa_prover::curve::sums::{Scratch, double_all, sum_groups};
use zeroize::Zeroize;

use crate::secret::{Locked, SecretError, wipe_stack};

/// Points multiplied together.
pub(crate) const CHUNK: usize = 1024;
/// |x|: the curve's parameter is negative.
const X: u64 = 0xd201_0000_0001_0000;
/// Bits of a digit, which is -8 to 8.
const BITS: usize = 4;
/// The largest size of a digit.
const LARGEST: usize = 1 << (BITS - 1);
/// Digits of all parts of a scalar: two of 128 bits, or four of 64, and a carry each.
const MAX_DIGITS: usize = 68;

/// A group with an endomorphism that multiplies by a base.
pub(crate) trait Group: SWCurveConfig<ScalarField = Fr> {
    /// How many parts a scalar has.
    const PARTS: usize;
    /// Digits of a part with its carry.
    const DIGITS: usize;
    /// The base times a point of the group.
    fn times_base(point: &Affine<Self>) -> Affine<Self>;
}

impl Group for g1::Config {
    const PARTS: usize = 2;
    const DIGITS: usize = 33;

    fn times_base(point: &G1Affine) -> G1Affine {
        // The endomorphism multiplies by -x^2.
        -Self::endomorphism_affine(point)
    }
}

impl Group for g2::Config {
    const PARTS: usize = 4;
    const DIGITS: usize = 17;

    fn times_base(point: &G2Affine) -> G2Affine {
        // psi multiplies by x (Bowe, 2019/814, section 3), which is negative.
        -psi(point)
    }
}

/// The untwisted Frobenius endomorphism of G2.
fn psi(point: &G2Affine) -> G2Affine {
    static FACTORS: OnceLock<(Fq2, Fq2)> = OnceLock::new();
    let (by_x, by_y) = FACTORS.get_or_init(|| {
        let twist = Fq2::new(Fq::ONE, Fq::ONE).inverse().expect("1 + u is not zero");
        let third = -Fq::ONE / Fq::from(3_u8);
        let half = -Fq::ONE / Fq::from(2_u8);
        (twist.pow(third.into_bigint()), twist.pow(half.into_bigint()))
    });
    let conjugate = |c: &Fq2| Fq2::new(c.c0, -c.c1);
    if point.is_zero() {
        *point
    } else {
        G2Affine::new_unchecked(conjugate(&point.x) * by_x, conjugate(&point.y) * by_y)
    }
}

/// Replaces each point by itself times the scalar that `scalar` writes for its number. Each is written once, in order.
pub(crate) fn multiply_each<G: Group>(
    points: &mut [Affine<G>],
    mut scalar: impl FnMut(usize, &mut Fr),
) -> Result<(), SecretError> {
    let mut digits = Locked::new([[0_i8; MAX_DIGITS]; CHUNK])?;
    let mut one = Locked::new(Fr::ONE)?;
    let mut room = Room::new();
    for (at, chunk) in points.chunks_mut(CHUNK).enumerate() {
        for (i, digits) in digits.iter_mut().take(chunk.len()).enumerate() {
            scalar(at * CHUNK + i, &mut one);
            split::<G>(&one, digits);
        }
        room.multiply(chunk, &digits);
    }
    wipe_stack();
    Ok(())
}

/// The digits of a scalar, part by part, each from the lowest.
fn split<G: Group>(scalar: &Fr, digits: &mut [i8; MAX_DIGITS]) {
    let mut limbs = scalar.into_bigint().0;
    let mut parts = [0_u64; 4];
    for part in &mut parts {
        let mut rest = 0_u128;
        for limb in limbs.iter_mut().rev() {
            let dividend = (rest << 64) | u128::from(*limb);
            *limb = u64::try_from(dividend / u128::from(X)).expect("the rest is below the divisor");
            rest = dividend % u128::from(X);
        }
        *part = u64::try_from(rest).expect("below the divisor");
    }
    for part in 0..G::PARTS {
        let mut value = match G::PARTS {
            2 => u128::from(parts[2 * part]) + u128::from(parts[2 * part + 1]) * u128::from(X),
            _ => u128::from(parts[part]),
        };
        let mut carry = 0;
        for digit in &mut digits[part * G::DIGITS..(part + 1) * G::DIGITS] {
            let nibble = i8::try_from(value & 0xf).expect("four bits") + carry;
            value >>= BITS;
            carry = i8::from(nibble > 8);
            *digit = nibble - (carry << BITS);
        }
    }
    limbs.zeroize();
    parts.zeroize();
}

/// Buffers for a chunk.
struct Room<G: Group> {
    scratch: Scratch<G::BaseField>,
    /// For each part, for each size of a digit, that multiple of each point.
    multiples: Vec<Affine<G>>,
    terms: Vec<Affine<G>>,
    sums: Vec<Affine<G>>,
    groups: Vec<usize>,
}

impl<G: Group> Room<G> {
    fn new() -> Self {
        Self {
            scratch: Scratch::new(),
            multiples: Vec::new(),
            terms: Vec::new(),
            sums: Vec::new(),
            groups: Vec::new(),
        }
    }

    fn multiply(&mut self, points: &mut [Affine<G>], digits: &[[i8; MAX_DIGITS]; CHUNK]) {
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

#[cfg(test)]
mod tests {
    use ark_bls12_381::{G1Projective, G2Projective};
    use ark_ec::{CurveGroup, PrimeGroup};
    use ark_ff::{AdditiveGroup, UniformRand};
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    fn check<G: Group>(count: usize)
    where
        ark_ec::short_weierstrass::Projective<G>: UniformRand,
    {
        let mut rng = ChaCha20Rng::seed_from_u64(count as u64);
        let mut scalars: Vec<Fr> = (0..count).map(|_| Fr::rand(&mut rng)).collect();
        let special = [
            Fr::ZERO,
            Fr::ONE,
            -Fr::ONE,
            Fr::from(X),
            Fr::from(X).square(),
            Fr::from(8_u8),
            Fr::from(u64::MAX),
        ];
        scalars.iter_mut().zip(special).for_each(|(scalar, special)| *scalar = special);
        let one = ark_ec::short_weierstrass::Projective::<G>::rand(&mut rng).into_affine();
        let mut points: Vec<Affine<G>> =
            (0..count).map(|i| (one * Fr::from(i as u64 / 2)).into_affine()).collect();
        let expected: Vec<_> = points.iter().zip(&scalars).map(|(p, s)| (*p * s).into_affine()).collect();
        multiply_each(&mut points, |i, scalar| *scalar = scalars[i]).unwrap();
        assert_eq!(points, expected);
    }

    #[test]
    fn products_are_those_of_arkworks() {
        for count in [0, 1, 40, CHUNK + 3] {
            check::<g1::Config>(count);
            check::<g2::Config>(count.min(60));
        }
    }

    #[test]
    fn bases_are_what_is_said() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let p = G1Projective::rand(&mut rng);
        assert_eq!(g1::Config::times_base(&p.into_affine()), (p * Fr::from(X).square()).into_affine());
        let q = G2Projective::rand(&mut rng);
        assert_eq!(g2::Config::times_base(&q.into_affine()), (q * Fr::from(X)).into_affine());
        assert_eq!(psi(&G2Affine::identity()), G2Affine::identity());
        assert_eq!(G1Projective::generator().double(), G1Projective::generator() * Fr::from(2_u8));
    }
}
