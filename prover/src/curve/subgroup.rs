//! Whether many points of the curve of G1 are all in its subgroup of prime order, with [`ROUNDS`] checks for all.
//!
//! Each round sums all points with random coefficients -1, 0 or 1 and checks the sum alone. If a point is outside the
//! subgroup then, whatever the rest of the sum is, at most one of its three coefficients brings the sum inside: if
//! two did, their difference times the point, that is once or twice the point, would be inside, and with it the
//! point, for the subgroup's index in the curve is odd (it is 3 * 11^2 * 10177^2 * 859267^2 * 52437899^2). So a round
//! misses with probability at most 1/3, and all of them together with less than 2^-128. This needs no weights in the
//! group's order, which small factors of the index would defeat, and no long multiplications.
//!
//! Four points at a time, the sums over all their coefficients are made once, so a round adds one of them for each
//! four points (Pippenger's and the four Russians' idea).

use ark_bls12_381::{Fq, G1Affine};
use rand::RngCore;

use super::{
    native::is_in_g1,
    sums::{Scratch, sum_groups},
};

/// Rounds: 3^-81 < 2^-128.
const ROUNDS: usize = 81;
/// Points whose coefficients are drawn together: one of 3^4 = 81 values, -40 to 40 in balanced base 3.
const BLOCK: usize = 4;
/// The largest value: the digits 1111.
const LARGEST: usize = 40;
/// Rounds summed in one batch of additions.
const ROUNDS_AT_ONCE: usize = 27;
/// From this many points on it is quicker than to check each.
const WORTHWHILE: usize = 128;

/// Whether all the points of the curve are in the subgroup; wrong about others with probability below 2^-128 if
/// `rng` is unpredictable to whoever chose them.
pub fn all_in_g1(points: &[G1Affine], rng: &mut dyn RngCore) -> bool {
    if points.len() < WORTHWHILE {
        return points.iter().all(is_in_g1);
    }
    let mut scratch = Scratch::new();
    let blocks = points.len().div_ceil(BLOCK);
    let combinations = combinations(points, blocks, &mut scratch);
    let mut random = Random { rng, bytes: [0; 256], next: 256 };
    (0..ROUNDS / ROUNDS_AT_ONCE).all(|_| {
        let mut terms = Vec::with_capacity(ROUNDS_AT_ONCE * blocks);
        for _ in 0..ROUNDS_AT_ONCE {
            terms.extend((0..blocks).map(|block| {
                let value = random.value();
                let size = usize::from(value.unsigned_abs());
                let sum = size.checked_sub(1).map_or(G1Affine::identity(), |at| combinations[at][block]);
                if value < 0 { -sum } else { sum }
            }));
        }
        sum_groups(&mut terms, &mut [blocks; ROUNDS_AT_ONCE], &mut scratch);
        terms.iter().all(is_in_g1)
    })
}

/// For each value 1 to 40, for each block, the sum of its points with the value's digits as coefficients. The value
/// 3^k + u, with u smaller than half of 3^k in size, is point k and what u gives.
fn combinations(points: &[G1Affine], blocks: usize, scratch: &mut Scratch<Fq>) -> Vec<Vec<G1Affine>> {
    let mut combinations = vec![Vec::new(); LARGEST];
    let mut power = 1;
    for k in 0..BLOCK {
        let point = |block: usize| points.get(BLOCK * block + k).copied().unwrap_or(G1Affine::identity());
        combinations[power - 1] = (0..blocks).map(point).collect();
        for u in 1..=power / 2 {
            let (known, rest) = (&combinations[power - 1], &combinations[u - 1]);
            let mut pairs: Vec<_> =
                known.iter().zip(rest).flat_map(|(point, rest)| [*point, *rest, *point, -*rest]).collect();
            sum_groups(&mut pairs, &mut vec![2; 2 * blocks], scratch);
            combinations[power + u - 1] = pairs.iter().copied().step_by(2).collect();
            combinations[power - u - 1] = pairs.iter().copied().skip(1).step_by(2).collect();
        }
        power *= 3;
    }
    combinations
}

/// Random values from buffered bytes.
struct Random<'a> {
    rng: &'a mut dyn RngCore,
    bytes: [u8; 256],
    next: usize,
}

impl Random<'_> {
    /// One of the 81 values from -40 to 40, each as likely as another.
    fn value(&mut self) -> i8 {
        loop {
            if self.next == self.bytes.len() {
                self.rng.fill_bytes(&mut self.bytes);
                self.next = 0;
            }
            let byte = self.bytes[self.next];
            self.next += 1;
            // 243 is three times 81.
            if byte < 243 {
                return i8::try_from(byte % 81).expect("below 81") - 40;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ark_bls12_381::{Fq, Fr};
    use ark_ec::{AffineRepr, CurveGroup};
    use ark_ff::{AdditiveGroup, MontFp};

    use super::*;
    use crate::{points::tests::outside_g1, testing::rng};

    fn inside(count: usize) -> Vec<G1Affine> {
        (1..=count as u64).map(|k| (G1Affine::generator() * Fr::from(k)).into_affine()).collect()
    }

    #[test]
    fn points_of_the_subgroup_pass() {
        for count in [0, 1, WORTHWHILE - 1, WORTHWHILE, WORTHWHILE + 1, WORTHWHILE + 3, 300] {
            assert!(all_in_g1(&inside(count), &mut rng(50)), "{count}");
        }
    }

    /// One outside, wherever it stands; also one of order three, which a single random sum misses one time in three.
    #[test]
    fn one_point_outside_is_found() {
        let three = G1Affine::new_unchecked(Fq::ZERO, MontFp!("2"));
        assert!(three.is_on_curve() && (three + three + three).into_affine().is_zero());
        let shifted = (outside_g1() + three).into_affine();
        for count in [1, WORTHWHILE, WORTHWHILE + 2] {
            for outside in [three, -three, outside_g1(), shifted] {
                for at in [0, count / 2, count - 1] {
                    let mut points = inside(count);
                    points[at] = outside;
                    assert!(!all_in_g1(&points, &mut rng(51)), "{at} of {count}");
                }
            }
        }
    }

    /// Points outside whose sum is inside.
    #[test]
    fn points_outside_do_not_hide_one_another() {
        let mut points = inside(WORTHWHILE);
        (points[3], points[90]) = (outside_g1(), -outside_g1());
        assert!(!all_in_g1(&points, &mut rng(52)));
        let three = G1Affine::new_unchecked(Fq::ZERO, MontFp!("2"));
        assert!(!all_in_g1(&vec![three; 3 * WORTHWHILE], &mut rng(53)));
    }

    #[test]
    fn combinations_have_the_digits_of_their_number() {
        let points = inside(6);
        let combinations = combinations(&points, 2, &mut Scratch::new());
        for (i, sums) in combinations.iter().enumerate() {
            let (mut value, mut expected) = (i as i64 + 1, [Fr::ZERO; 2]);
            for k in 0..BLOCK {
                let digit = (value + 1).rem_euclid(3) - 1;
                value = (value - digit) / 3;
                expected[0] += Fr::from(digit) * Fr::from(k as u64 + 1);
                if k < 2 {
                    expected[1] += Fr::from(digit) * Fr::from(k as u64 + 5);
                }
            }
            assert_eq!(value, 0);
            for (sum, expected) in sums.iter().zip(expected) {
                assert_eq!(*sum, (G1Affine::generator() * expected).into_affine());
            }
        }
    }
}
