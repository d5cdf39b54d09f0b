//! Many sums of affine points at once, sharing their field inversions.
//!
//! Adding two affine points takes one inversion, two multiplications and a squaring. Where many additions do not
//! depend on one another, Montgomery's trick (Montgomery 1987, section 10.3.1) replaces all their inversions by
//! one and three multiplications each: six multiplications an addition, where projective coordinates take eleven.

use ark_ec::{
    AffineRepr,
    short_weierstrass::{Affine, SWCurveConfig},
};
use ark_ff::{AdditiveGroup, Field};

/// Room for inversions, kept from call to call.
pub struct Scratch<F> {
    /// For each addition its denominator, and the product of all denominators before it.
    denominators: Vec<(F, F)>,
}

impl<F: Field> Default for Scratch<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Field> Scratch<F> {
    /// No room yet.
    #[must_use]
    pub fn new() -> Self {
        Self { denominators: Vec::new() }
    }

    /// Begins a batch.
    fn clear(&mut self) -> Product<'_, F> {
        self.denominators.clear();
        Product { denominators: &mut self.denominators, product: F::ONE }
    }

    /// Replaces every product by the inverse of its denominator, none of which is zero.
    fn invert(&mut self, product: F) {
        let mut inverse = product.inverse().expect("a product of elements that are not zero");
        for (denominator, before) in self.denominators.iter_mut().rev() {
            *before *= inverse;
            inverse *= *denominator;
        }
    }
}

/// The denominators of a batch as they come.
struct Product<'a, F> {
    denominators: &'a mut Vec<(F, F)>,
    product: F,
}

impl<F: Field> Product<'_, F> {
    fn push(&mut self, denominator: F) {
        self.denominators.push((denominator, self.product));
        self.product *= denominator;
    }
}

/// Replaces each group of points by its sum. `groups` are the lengths of the groups that lie one after the other
/// in `points`; afterwards `points` holds one point a group, the identity for an empty one.
///
/// Any points will do: equal ones, opposite ones and the identity are added as they should be.
pub fn sum_groups<P: SWCurveConfig>(
    points: &mut Vec<Affine<P>>,
    groups: &mut [usize],
    scratch: &mut Scratch<P::BaseField>,
) {
    debug_assert_eq!(points.len(), groups.iter().sum::<usize>(), "the groups cover the points");
    while groups.iter().any(|length| *length > 1) {
        halve(points, groups, scratch);
    }
    if groups.contains(&0) {
        let mut sums = std::mem::take(points).into_iter();
        points.extend(groups.iter().map(|length| match length {
            0 => Affine::identity(),
            _ => sums.next().expect("one point in a group that is not empty"),
        }));
    }
}

/// Adds the points of each group in pairs; an odd one stays.
fn halve<P: SWCurveConfig>(
    points: &mut Vec<Affine<P>>,
    groups: &mut [usize],
    scratch: &mut Scratch<P::BaseField>,
) {
    let mut denominators = scratch.clear();
    let mut rest = &points[..];
    for length in &*groups {
        let (group, others) = rest.split_at(*length);
        for pair in group.chunks_exact(2) {
            denominators.push(denominator(&pair[0], &pair[1]));
        }
        rest = others;
    }
    let product = denominators.product;
    scratch.invert(product);
    let mut inverses = scratch.denominators.iter().map(|(_, inverse)| inverse);
    let (mut read, mut write) = (0, 0);
    for length in groups {
        let end = read + *length;
        let start = write;
        while read + 1 < end {
            let inverse = inverses.next().expect("one inverse a pair");
            points[write] = add(&points[read], &points[read + 1], inverse);
            (read, write) = (read + 2, write + 1);
        }
        if read < end {
            points[write] = points[read];
            (read, write) = (read + 1, write + 1);
        }
        *length = write - start;
    }
    points.truncate(write);
}

/// What the slope of the line through two points is divided by; one where there is no such line.
fn denominator<P: SWCurveConfig>(p: &Affine<P>, q: &Affine<P>) -> P::BaseField {
    if p.is_zero() || q.is_zero() {
        return P::BaseField::ONE;
    }
    let run = q.x - p.x;
    if run != P::BaseField::ZERO {
        run
    } else if p.y == q.y && p.y != P::BaseField::ZERO {
        p.y.double()
    } else {
        P::BaseField::ONE
    }
}

/// The sum, given the inverse of [`denominator`].
fn add<P: SWCurveConfig>(p: &Affine<P>, q: &Affine<P>, inverse: &P::BaseField) -> Affine<P> {
    if p.is_zero() {
        return *q;
    }
    if q.is_zero() {
        return *p;
    }
    if p.x != q.x {
        return third(p, q.x, (q.y - p.y) * inverse);
    }
    if p.y != q.y || p.y == P::BaseField::ZERO {
        return Affine::identity();
    }
    double(p, inverse)
}

/// Twice a point that is not its own opposite, given the inverse of twice its y.
fn double<P: SWCurveConfig>(p: &Affine<P>, inverse: &P::BaseField) -> Affine<P> {
    let square = p.x.square();
    third(p, p.x, (square.double() + square + P::COEFF_A) * inverse)
}

/// The opposite of the third point of the curve on the line of this slope through p and a point with x.
fn third<P: SWCurveConfig>(p: &Affine<P>, x: P::BaseField, slope: P::BaseField) -> Affine<P> {
    let sum = slope.square() - p.x - x;
    Affine::new_unchecked(sum, slope * (p.x - sum) - p.y)
}

/// Doubles every point. None is its own opposite, but for the identity: the groups here have odd order.
pub fn double_all<P: SWCurveConfig>(points: &mut [Affine<P>], scratch: &mut Scratch<P::BaseField>) {
    let mut denominators = scratch.clear();
    for point in &*points {
        denominators.push(if point.is_zero() { P::BaseField::ONE } else { point.y.double() });
    }
    let product = denominators.product;
    scratch.invert(product);
    for (point, (_, inverse)) in points.iter_mut().zip(&scratch.denominators) {
        if !point.is_zero() {
            *point = double(point, inverse);
        }
    }
}

#[cfg(test)]
mod tests {
    use ark_bls12_381::{Fr, G1Affine, G1Projective, g1};
    use ark_ec::CurveGroup;
    use ark_ff::UniformRand;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::rng;

    /// Groups of small multiples of one point, so that equal, opposite and zero summands are frequent.
    fn groups() -> impl Strategy<Value = Vec<Vec<i64>>> {
        prop::collection::vec(prop::collection::vec(-2_i64..3, 0..9), 0..6)
    }

    fn multiple(k: i64) -> G1Affine {
        (G1Affine::generator() * Fr::from(k)).into_affine()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn sums_are_right_whatever_the_points(groups in groups()) {
            let mut points: Vec<G1Affine> = groups.concat().into_iter().map(multiple).collect();
            let mut lengths: Vec<usize> = groups.iter().map(Vec::len).collect();
            sum_groups::<g1::Config>(&mut points, &mut lengths, &mut Scratch::new());
            let sums: Vec<G1Affine> = groups.iter().map(|group| multiple(group.iter().sum())).collect();
            prop_assert_eq!(points, sums);
        }
    }

    #[test]
    fn doubling_is_adding_to_itself() {
        let mut rng = rng(1);
        let mut points: Vec<_> = (0..5).map(|_| G1Projective::rand(&mut rng).into_affine()).collect();
        points.insert(2, G1Affine::identity());
        let doubled: Vec<_> = points.iter().map(|p| (*p + *p).into_affine()).collect();
        double_all::<g1::Config>(&mut points, &mut Scratch::new());
        assert_eq!(points, doubled);
        double_all::<g1::Config>(&mut [], &mut Scratch::new());
    }
}
