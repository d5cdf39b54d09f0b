//! Factors and weights as sixteen bits each, packed; and the score that reaches the threshold.
//!
//! No wrap-around: a factor is below 2^16 and a weight between -2^15 and 2^15 - 1, so the sum of sixteen
//! products lies strictly between -2^35 and 2^35. With the threshold a `u32`, `score - threshold` is above
//! -2^36. A negative value is therefore r minus less than 2^36, and r has 255 bits: it has no representation
//! in [`SCORE_BITS`] = 35 bits. A true margin is below 2^35 and has one.

use hansa_types::model::FACTORS;

use super::constant;
use crate::{
    field::Fr,
    r1cs::{Builder, Relation, Wire},
};

/// Bits of a factor and of an offset weight.
pub const VALUE_BITS: usize = 16;
/// How many values one field element packs.
pub const PACKED: usize = 8;
/// Bits of the margin between score and threshold.
pub const SCORE_BITS: usize = 35;
/// What is added to a weight so that it is never negative.
pub const WEIGHT_OFFSET: u64 = 1 << 15;

/// A weight as the circuit holds it: `w + 2^15`.
#[must_use]
pub fn offset(weight: i16) -> u16 {
    // Adding 2^15 to a number in two's complement flips its highest bit.
    weight.cast_unsigned() ^ (1 << 15)
}

/// Sixteen values of sixteen bits, and the two field elements that hash them.
pub(super) struct Packed<W> {
    values: [W; FACTORS],
    /// Values 0 to 7, lowest first, then 8 to 15.
    pub(super) elements: [W; FACTORS / PACKED],
}

impl<W: Wire> Packed<W> {
    /// Allocates the values and states that each has sixteen bits, which makes the packing unique.
    pub(super) fn range_checked<B: Builder<Wire = W>>(builder: &mut B, values: [u16; FACTORS]) -> Self {
        let values = values.map(|value| {
            let wire = builder.witness(Fr::from(value));
            builder.range(Relation::Ranges, &wire, VALUE_BITS);
            wire
        });
        let weights: [Fr; PACKED] = std::array::from_fn(|i| Fr::from(1_u128 << (VALUE_BITS * i)));
        let elements = std::array::from_fn(|half| {
            let values = &values[half * PACKED..(half + 1) * PACKED];
            let sum = W::weighted_sum(weights.into_iter().zip(values));
            builder.rewitness(Relation::Ranges, &sum)
        });
        Self { values, elements }
    }
}

/// States `sum (W_i - 2^15) * f_i >= threshold`.
pub(super) fn reaches<B: Builder>(
    builder: &mut B,
    threshold: &B::Wire,
    factors: &Packed<B::Wire>,
    weights: &Packed<B::Wire>,
) {
    let offset = constant::<B::Wire>(WEIGHT_OFFSET);
    let mut score = constant::<B::Wire>(0);
    for (factor, weight) in factors.values.iter().zip(&weights.values) {
        let points = builder.product(Relation::Score, &weight.minus(&offset), factor);
        score = score.plus(&points);
    }
    builder.range(Relation::Score, &score.minus(threshold), SCORE_BITS);
}
