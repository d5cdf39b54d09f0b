//! Derives the round numbers from the published inequalities, to check the constants in `parameters`.
//!
//! hadeshash `calc_round_numbers.py` (Python 2 version) as neptune uses it: field of 256 bits, M = 128,
//! x^5; the smallest number of S-boxes among secure pairs after the margin (two full rounds more, 7.5 %
//! partial rounds more).

use super::parameters::Width;

const FIELD_BITS: f32 = 256.0;
const SECURITY: f32 = 128.0;

fn is_secure(t: usize, full: usize, partial: usize) -> bool {
    let (t, partial) = (t as f32, partial as f32);
    let statistical = if SECURITY <= (FIELD_BITS - 3.0) * (t + 1.0) { 6.0 } else { 10.0 };
    let interpolation = 0.43 * SECURITY + t.log2() - partial;
    let groebner_1 = 0.21 * FIELD_BITS - partial;
    let groebner_2 = (0.14 * FIELD_BITS - 1.0 - partial) / (t - 1.0);
    [statistical, interpolation, groebner_1, groebner_2].iter().all(|needed| full as f32 >= needed.ceil())
}

fn round_numbers(t: usize) -> (usize, usize) {
    (2..=100)
        .step_by(2)
        .flat_map(|full| (4..200).map(move |partial| (full, partial)))
        .filter(|&(full, partial)| is_secure(t, full, partial))
        .map(|(full, partial)| (full + 2, (1.075 * partial as f32).ceil() as usize))
        .min_by_key(|&(full, partial)| (t * full + partial, full))
        .expect("a hundred full rounds are secure")
}

#[test]
fn round_numbers_are_the_published_ones() {
    for width in [Width::Three, Width::Five, Width::Nine] {
        assert_eq!(round_numbers(width.elements()), (super::parameters::FULL_ROUNDS, width.partial_rounds()));
    }
}
