//! Many points, each times a scalar of its own: what a contribution does.
//!
//! A scalar is written to a base B by which multiplying costs next to nothing (Gallant, Lambert, Vanstone, Crypto 2001;
//! Galbraith, Lin, Scott, Eurocrypt 2009): in G1 B = x^2, in G2 B = |x|, for x the curve's parameter. Its parts share
//! their doublings. Where the processor has instructions for it, eight points are multiplied at a time (`vectors`), and
//! elsewhere a chunk shares the inversions of all its additions (`portable`).
//!
//! Scalars and what is derived from them are in locked memory; sums under way are wiped. The time depends on the
//! scalars, as with every tool of this kind: a contribution is made on a machine where nobody measures it.

#[cfg(target_arch = "x86_64")]
mod field;
mod portable;
#[cfg(target_arch = "x86_64")]
mod vectors;

use std::sync::OnceLock;

use ark_bls12_381::{Fq, Fq2, Fr, g1, g2};
use ark_ec::{
    AffineRepr,
    scalar_mul::glv::GLVConfig,
    short_weierstrass::{Affine, SWCurveConfig},
};
use ark_ff::{Field, PrimeField};
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

/// The digits of a scalar, part by part, each from the lowest.
type Digits = [i8; MAX_DIGITS];
/// What replaces each point of a chunk by itself times its scalar, or else none of them.
type Fast<G> = Box<dyn FnMut(&mut [Affine<G>], &[Digits; CHUNK]) -> Option<()>>;

/// A group with an endomorphism that multiplies by a base: a power of Frobenius, and a factor for x and for y.
pub(crate) trait Group:
    SWCurveConfig<ScalarField = Fr, BaseField: Field<BasePrimeField = Fq>>
{
    /// How many parts a scalar has.
    const PARTS: usize;
    /// Digits of a part with its carry.
    const DIGITS: usize;
    /// The factors.
    fn factors() -> (Self::BaseField, Self::BaseField);

    /// The base times a point of the group.
    fn times_base(point: &Affine<Self>) -> Affine<Self> {
        if point.is_zero() {
            return *point;
        }
        let (by_x, by_y) = Self::factors();
        Affine::new_unchecked(point.x.frobenius_map(1) * by_x, point.y.frobenius_map(1) * by_y)
    }
}

impl Group for g1::Config {
    const PARTS: usize = 2;
    const DIGITS: usize = 33;

    fn factors() -> (Fq, Fq) {
        // arkworks' endomorphism multiplies by -x^2.
        (Self::ENDO_COEFFS[0], -Fq::ONE)
    }
}

impl Group for g2::Config {
    const PARTS: usize = 4;
    const DIGITS: usize = 17;

    fn factors() -> (Fq2, Fq2) {
        static FACTORS: OnceLock<(Fq2, Fq2)> = OnceLock::new();
        *FACTORS.get_or_init(|| {
            // psi, the untwisted Frobenius endomorphism, multiplies by x, which is negative (Bowe, 2019/814, section 3).
            let twist = Fq2::new(Fq::ONE, Fq::ONE).inverse().expect("1 + u is not zero");
            let third = -Fq::ONE / Fq::from(3_u8);
            let half = -Fq::ONE / Fq::from(2_u8);
            (twist.pow(third.into_bigint()), -twist.pow(half.into_bigint()))
        })
    }
}

/// Replaces each point by itself times the scalar that `scalar` writes for its number. Each is written once, in order.
pub(crate) fn multiply_each<G: Group>(
    points: &mut [Affine<G>],
    scalar: impl FnMut(usize, &mut Fr),
) -> Result<(), SecretError> {
    multiply_with(fast(), points, scalar)
}

/// What this processor has instructions for.
fn fast<G: Group>() -> Option<Fast<G>> {
    #[cfg(target_arch = "x86_64")]
    {
        fn boxed<G: Group, const D: usize>() -> Option<Fast<G>> {
            let mut room = vectors::Room::<G, D>::new()?;
            Some(Box::new(move |points, digits| room.multiply(points, digits)))
        }
        match G::BaseField::extension_degree() {
            1 => boxed::<G, 1>(),
            _ => boxed::<G, 2>(),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    None
}

/// [`multiply_each`] with what is fast where there is such, and otherwise with what runs everywhere.
fn multiply_with<G: Group>(
    mut fast: Option<Fast<G>>,
    points: &mut [Affine<G>],
    mut scalar: impl FnMut(usize, &mut Fr),
) -> Result<(), SecretError> {
    let mut digits = Locked::new([[0; MAX_DIGITS]; CHUNK])?;
    let mut one = Locked::new(Fr::ONE)?;
    let mut room = portable::Room::new();
    for (at, chunk) in points.chunks_mut(CHUNK).enumerate() {
        for (i, digits) in digits.iter_mut().take(chunk.len()).enumerate() {
            scalar(at * CHUNK + i, &mut one);
            split::<G>(&one, digits);
        }
        if fast.as_mut().and_then(|fast| fast(chunk, &digits)).is_none() {
            room.multiply(chunk, &digits);
        }
    }
    wipe_stack();
    Ok(())
}

/// The digits of a scalar, part by part, each from the lowest.
fn split<G: Group>(scalar: &Fr, digits: &mut Digits) {
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
        let value = match G::PARTS {
            2 => u128::from(parts[2 * part]) + u128::from(parts[2 * part + 1]) * u128::from(X),
            _ => u128::from(parts[part]),
        };
        recode(value, &mut digits[part * G::DIGITS..][..G::DIGITS]);
    }
    limbs.zeroize();
    parts.zeroize();
}

/// The digits of a part.
fn recode(mut value: u128, digits: &mut [i8]) {
    let mut carry = 0;
    for digit in digits {
        let nibble = i8::try_from(value & 0xf).expect("four bits") + carry;
        value >>= BITS;
        carry = i8::from(nibble > 8);
        *digit = nibble - (carry << BITS);
    }
}

#[cfg(test)]
mod tests {
    use ark_bls12_381::{G1Affine, G1Projective, G2Affine, G2Projective};
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
        // Every point twice, and identities among them.
        let points: Vec<Affine<G>> =
            (0..count).map(|i| (one * Fr::from((i as u64 + 4) / 2 % 20)).into_affine()).collect();
        let expected: Vec<_> = points.iter().zip(&scalars).map(|(p, s)| (*p * s).into_affine()).collect();
        let mut digits = [[0; MAX_DIGITS]; CHUNK];
        digits.iter_mut().zip(&scalars).for_each(|(digits, scalar)| split::<G>(scalar, digits));
        if let Some(mut fast) = fast::<G>() {
            let mut points = points.clone();
            let first = &mut points[..count.min(CHUNK)];
            assert_eq!(fast(first, &digits), Some(()), "no scalar below the order needs the other way");
            assert_eq!(first, &expected[..first.len()]);
        }
        for fast in [None, fast::<G>()] {
            let mut points = points.clone();
            multiply_with(fast, &mut points, |i, scalar| *scalar = scalars[i]).unwrap();
            assert_eq!(points, expected);
        }
    }

    #[test]
    fn products_are_those_of_arkworks() {
        for count in [0, 1, 40, CHUNK + 3] {
            check::<g1::Config>(count);
            check::<g2::Config>(count.min(60));
        }
    }

    /// Digits that are none of a scalar's bring equal and opposite points together.
    #[test]
    fn what_vectors_cannot_add_is_left_as_it_was() {
        let Some(mut fast) = fast::<g1::Config>() else {
            println!("SKIPPED: this processor has no instructions for vectors");
            return;
        };
        let before = vec![G1Affine::generator(); 9];
        for sign in [1, -1] {
            let mut digits = [[0; MAX_DIGITS]; CHUNK];
            digits.iter_mut().for_each(|digits| digits[0] = 1);
            // x^2 times the point, then the base, which is x^2, times it.
            recode(u128::from(X) * u128::from(X), &mut digits[8][..g1::Config::DIGITS]);
            digits[8][g1::Config::DIGITS] = sign;
            let mut points = before.clone();
            assert_eq!(fast(&mut points, &digits), None);
            assert_eq!(points, before);
            portable::Room::new().multiply(&mut points, &digits);
            let sum = Fr::from(X).square() * Fr::from(1 + sign);
            assert_eq!(points[7..], [before[0], (before[0] * sum).into_affine()]);
        }
    }

    #[test]
    fn bases_are_what_is_said() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let p = G1Projective::rand(&mut rng);
        assert_eq!(g1::Config::times_base(&p.into_affine()), (p * Fr::from(X).square()).into_affine());
        let q = G2Projective::rand(&mut rng);
        assert_eq!(g2::Config::times_base(&q.into_affine()), (q * Fr::from(X)).into_affine());
        assert_eq!(g2::Config::times_base(&G2Affine::identity()), G2Affine::identity());
        assert_eq!(G1Projective::generator().double(), G1Projective::generator() * Fr::from(2_u8));
    }
}
