//! Sums of multiples of points that are known beforehand.
//!
//! The bases of a proof are those of its key, so their multiples by powers of 2^W are computed once. A scalar is
//! then a sum of 256/W signed digits, each of which puts one precomputed point into the bucket of its size, and
//! all windows share one set of buckets (Brickell, Gordon, McCurley, Wilson, Eurocrypt '92; the
//! buckets are Pippenger's). Digits that are zero cost nothing, so a bit costs one addition.
//!
//! The time depends on the scalars, as it does with arkworks and blst. Whoever can time single proofs on the
//! machine that holds the secrets is not an adversary we defend against here.

use ark_bls12_381::Fr;
use ark_ec::{
    AffineRepr,
    short_weierstrass::{Affine, Projective, SWCurveConfig},
};
use ark_ff::{AdditiveGroup, BigInt, PrimeField};
use zeroize::{Zeroize, Zeroizing};

use super::sums::{Scratch, double_all, sum_groups};

/// Points gathered for one batch of additions: what fits the second-level cache beside the denominators.
const BATCH: usize = 4096;
/// Marks a digit below zero.
const NEGATIVE: u32 = 1 << 31;

/// The bases with their multiples. W is the number of bits of a digit, which balances the additions into buckets,
/// fewer with long digits, against those of the 2^(W - 1) buckets: 13 for thousands of bases, 5 for a few.
#[derive(Clone)]
pub(crate) struct Table<P: SWCurveConfig, const W: usize> {
    /// How many scalars a sum takes.
    scalars: usize,
    /// Which scalar each base belongs to: bases that are the identity are left out.
    columns: Vec<usize>,
    /// Window by window: each base times 2^(window * W).
    points: Vec<Affine<P>>,
}

impl<P: SWCurveConfig<ScalarField = Fr>, const W: usize> Table<P, W> {
    /// Digits of a scalar: its 255 bits and the carry of the highest signed digit.
    const WINDOWS: usize = 256_usize.div_ceil(W);
    /// Buckets: the sizes of signed digits that are not zero.
    const BUCKETS: usize = 1 << (W - 1);
    /// Buckets are summed by rows and columns of a square of this side.
    const SIDE: usize = {
        assert!(W % 2 == 1 && W < 16, "an even power of two is a square");
        1 << (W / 2)
    };

    /// The table of these bases, which lie in the group of prime order.
    pub(crate) fn new<'a>(bases: impl ExactSizeIterator<Item = &'a Affine<P>>) -> Self {
        let scalars = bases.len();
        let (columns, mut window): (Vec<usize>, Vec<Affine<P>>) =
            bases.copied().enumerate().filter(|(_, base)| !base.is_zero()).unzip();
        let mut points = Vec::with_capacity(columns.len() * Self::WINDOWS);
        let mut scratch = Scratch::new();
        for _ in 1..Self::WINDOWS {
            points.extend_from_slice(&window);
            for part in window.chunks_mut(BATCH) {
                (0..W).for_each(|_| double_all(part, &mut scratch));
            }
        }
        points.append(&mut window);
        Self { scalars, columns, points }
    }

    /// The sum of the bases times their scalars.
    ///
    /// # Panics
    /// If there is not one scalar a base (a programming error: both follow from the circuit).
    pub(crate) fn sum(&self, scalars: &[BigInt<4>]) -> Projective<P> {
        assert_eq!(scalars.len(), self.scalars, "one scalar a base");
        let (sorted, mut sizes) = self.sort(scalars);
        let mut buckets = Vec::with_capacity(Self::BUCKETS);
        let mut scratch = Scratch::new();
        let mut batch = Vec::with_capacity(2 * BATCH);
        let mut sorted = &sorted[..];
        let mut first = 0;
        while first < Self::BUCKETS {
            let (mut end, mut size) = (first, 0);
            while end < Self::BUCKETS && (end == first || size + sizes[end] <= BATCH) {
                size += sizes[end];
                end += 1;
            }
            batch.clear();
            let (entries, others) = sorted.split_at(size);
            sorted = others;
            // First the bare copies, then the signs: the loads miss the cache and overlap only if nothing waits.
            batch.extend(entries.iter().map(|entry| self.points[(entry & !NEGATIVE) as usize]));
            for (point, entry) in batch.iter_mut().zip(entries) {
                if entry & NEGATIVE != 0 {
                    *point = -*point;
                }
            }
            sum_groups(&mut batch, &mut sizes[first..end], &mut scratch);
            buckets.extend_from_slice(&batch);
            first = end;
        }
        let sum = Self::weighted(&buckets, &mut scratch);
        // What a bucket holds says which digits there were.
        batch.zeroize();
        buckets.zeroize();
        sum
    }

    /// The entries of all digits by bucket, and how many each bucket has.
    fn sort(&self, scalars: &[BigInt<4>]) -> (Zeroizing<Vec<u32>>, Vec<usize>) {
        let bases = self.columns.len();
        let mut sizes = vec![0; Self::BUCKETS];
        for column in &self.columns {
            digits::<W>(&scalars[*column], |_, size, _| sizes[size - 1] += 1);
        }
        let mut next: Vec<usize> = sizes
            .iter()
            .scan(0, |start, size| {
                *start += size;
                Some(*start - size)
            })
            .collect();
        let mut sorted = Zeroizing::new(vec![0_u32; sizes.iter().sum()]);
        for (base, column) in self.columns.iter().enumerate() {
            digits::<W>(&scalars[*column], |window, size, sign| {
                let index = u32::try_from(window * bases + base).expect("a table has fewer than 2^31 points");
                sorted[next[size - 1]] = index | sign;
                next[size - 1] += 1;
            });
        }
        (sorted, sizes)
    }

    /// Bucket i times i + 1, summed. With i = SIDE * row + column this is SIDE times the rows' sums by row number, the
    /// columns' by column number, and once the sum of all: two additions a bucket, all but a few shared.
    fn weighted(buckets: &[Affine<P>], scratch: &mut Scratch<P::BaseField>) -> Projective<P> {
        let side = Self::SIDE;
        let mut rows = buckets.to_vec();
        sum_groups(&mut rows, &mut vec![side; side], scratch);
        let mut columns: Vec<_> = (0..Self::BUCKETS).map(|i| buckets[side * (i % side) + i / side]).collect();
        sum_groups(&mut columns, &mut vec![side; side], scratch);
        let (mut by_row, all) = by_index(&rows);
        for _ in 0..side.ilog2() {
            by_row.double_in_place();
        }
        let sum = by_row + by_index(&columns).0 + all;
        rows.zeroize();
        columns.zeroize();
        sum
    }
}

/// Calls `each` with window, size (1 to 2^(W - 1)) and sign of every digit that is not zero.
fn digits<const W: usize>(scalar: &BigInt<4>, mut each: impl FnMut(usize, usize, u32)) {
    let limbs = scalar.0;
    if limbs == [0; 4] {
        return;
    }
    let half = 1 << (W - 1);
    let mut carry = 0;
    for window in 0..256_usize.div_ceil(W) {
        let (limb, shift) = (window * W / 64, window * W % 64);
        let mut bits = limbs[limb] >> shift;
        if shift + W > 64 {
            bits |= limbs.get(limb + 1).map_or(0, |next| next << (64 - shift));
        }
        let digit = (bits as usize & ((1 << W) - 1)) + carry;
        carry = usize::from(digit > half);
        if carry == 1 {
            if digit < 1 << W {
                each(window, (1 << W) - digit, NEGATIVE);
            }
        } else if digit > 0 {
            each(window, digit, 0);
        }
    }
    debug_assert_eq!(carry, 0, "a scalar has at most 255 bits");
}

/// The sum of the points times their index, and their sum.
fn by_index<P: SWCurveConfig>(points: &[Affine<P>]) -> (Projective<P>, Projective<P>) {
    let (mut weighted, mut all) = (Projective::ZERO, Projective::ZERO);
    for point in points.iter().rev() {
        weighted += all;
        all += point;
    }
    (weighted, all)
}

/// The integers of field elements, as a sum takes them.
pub(crate) fn integers(elements: &[Fr]) -> Zeroizing<Vec<BigInt<4>>> {
    Zeroizing::new(elements.iter().map(|element| element.into_bigint()).collect())
}

#[cfg(test)]
mod tests {
    use ark_bls12_381::{G1Affine, G1Projective, G2Affine, G2Projective, g1, g2};
    use ark_ec::{CurveGroup, VariableBaseMSM};
    use ark_ff::{Field, UniformRand};
    use rand::Rng;

    use super::*;
    use crate::testing::rng;

    /// Zero, bits, small, minus one, and any scalar.
    fn scalars(count: usize, rng: &mut impl Rng) -> Vec<Fr> {
        let mut scalar = |i: usize| match i % 8 {
            0 => Fr::ZERO,
            1 => Fr::ONE,
            2 => -Fr::ONE,
            3 => Fr::from(4096_u64),
            4 => Fr::from(4097_u64),
            5 => Fr::from(rng.r#gen::<u16>()),
            _ => Fr::rand(rng),
        };
        (0..count).map(&mut scalar).collect()
    }

    #[test]
    fn sums_are_those_of_arkworks_in_g1() {
        let mut rng = rng(2);
        let mut bases: Vec<G1Affine> = (0..300).map(|_| G1Projective::rand(&mut rng).into_affine()).collect();
        // Repeated bases, opposite ones and the identity.
        bases[7] = bases[15];
        bases[23] = -bases[31];
        bases[9] = G1Affine::identity();
        let table = Table::<g1::Config, 13>::new(bases.iter());
        for _ in 0..3 {
            let scalars = scalars(300, &mut rng);
            let expected = G1Projective::msm(&bases, &scalars).unwrap();
            assert_eq!(table.sum(&integers(&scalars)), expected);
        }
        assert_eq!(table.sum(&integers(&[Fr::ZERO; 300])), G1Projective::ZERO);
    }

    #[test]
    fn sums_are_those_of_arkworks_in_g2() {
        let mut rng = rng(3);
        let bases: Vec<G2Affine> = (0..20).map(|_| G2Projective::rand(&mut rng).into_affine()).collect();
        let table = Table::<g2::Config, 5>::new(bases.iter());
        let scalars = scalars(20, &mut rng);
        assert_eq!(table.sum(&integers(&scalars)), G2Projective::msm(&bases, &scalars).unwrap());
    }

    /// One bucket that exceeds the batch.
    #[test]
    fn a_thousand_equal_digits() {
        let bases = vec![G1Affine::generator(); 2 * BATCH];
        let table = Table::<g1::Config, 13>::new(bases.iter());
        let sum = table.sum(&integers(&vec![Fr::ONE; 2 * BATCH]));
        assert_eq!(sum, G1Affine::generator() * Fr::from(2 * BATCH as u64));
    }

    #[test]
    fn digits_make_up_the_scalar() {
        let mut rng = rng(4);
        for scalar in [-Fr::ONE, Fr::ZERO, Fr::rand(&mut rng), Fr::rand(&mut rng)] {
            let mut sum = Fr::ZERO;
            digits::<13>(&scalar.into_bigint(), |window, size, sign| {
                let part = Fr::from(2_u8).pow([(window * 13) as u64]) * Fr::from(size as u64);
                sum += if sign == 0 { part } else { -part };
            });
            assert_eq!(sum, scalar);
        }
    }
}
