//! Weights by logistic regression, as a bank would fit them to its own confirmed cases.
//!
//! Newton's method with a small ridge. A factor is a risk: one that would weigh less than nothing is left out and the rest
//! fitted again. Deterministic: the same factors give the same weights.

use std::collections::BTreeMap;

use hansa_types::model::{FACTORS, Factors};

/// Points of a score for one unit of log odds.
const POINTS: f64 = 1000.0;
/// Keeps weights finite where a factor separates perfectly.
const RIDGE: f64 = 1.0;
const STEPS: usize = 25;
/// The intercept, after the factors.
const SIZE: usize = FACTORS + 1;

/// How often a payment with certain factors was innocent, and part of a pattern.
pub(super) type Tally = BTreeMap<[u16; FACTORS], [u64; 2]>;

/// Counts one view.
pub(super) fn tally(tally: &mut Tally, factors: &Factors, pattern: bool) {
    tally.entry(factors.0).or_default()[usize::from(pattern)] += 1;
}

/// Points per unit of each factor.
pub(super) fn weights(tally: &Tally) -> [i16; FACTORS] {
    let largest: [f64; FACTORS] =
        std::array::from_fn(|i| tally.keys().map(|factors| f64::from(factors[i])).fold(0.0, f64::max));
    let mut used: [bool; FACTORS] = std::array::from_fn(|i| largest[i] > 0.0);
    loop {
        let fitted = newton(tally, &largest, &used);
        let least = (0..FACTORS).filter(|i| used[*i]).min_by(|a, b| fitted[*a].total_cmp(&fitted[*b]));
        match least.filter(|i| fitted[*i] < 0.0) {
            Some(negative) => used[negative] = false,
            None => {
                return std::array::from_fn(|i| {
                    let weight = if used[i] { fitted[i] / largest[i] * POINTS } else { 0.0 };
                    // In range: what is above or below is as good as the bound.
                    weight.round().clamp(0.0, f64::from(i16::MAX)) as i16
                });
            }
        }
    }
}

/// The coefficients of the used factors, each scaled to at most 1.
fn newton(tally: &Tally, largest: &[f64; FACTORS], used: &[bool; FACTORS]) -> [f64; SIZE] {
    let mut weights = [0.0; SIZE];
    for _ in 0..STEPS {
        let mut slope: [f64; SIZE] =
            std::array::from_fn(|i| if i < FACTORS { -RIDGE * weights[i] } else { 0.0 });
        let mut curve = [[0.0; SIZE]; SIZE];
        (0..SIZE).for_each(|i| curve[i][i] = if i < FACTORS { RIDGE } else { 0.0 });
        for (factors, [innocent, pattern]) in tally {
            let values: [f64; SIZE] = std::array::from_fn(|i| match i < FACTORS {
                true if used[i] => f64::from(factors[i]) / largest[i],
                true => 0.0,
                false => 1.0,
            });
            let sum: f64 = values.iter().zip(&weights).map(|(value, weight)| value * weight).sum();
            let likely = 1.0 / (1.0 + (-sum).exp());
            let (all, pattern) = ((innocent + pattern) as f64, *pattern as f64);
            let spread = all * likely * (1.0 - likely);
            for i in (0..SIZE).filter(|i| values[*i] != 0.0) {
                slope[i] += (pattern - all * likely) * values[i];
                for j in 0..SIZE {
                    curve[i][j] += spread * values[i] * values[j];
                }
            }
        }
        let step = solve(curve, slope);
        weights.iter_mut().zip(step).for_each(|(weight, step)| *weight += step);
    }
    weights
}

/// Solves `matrix * x = right` by elimination; the matrix is positive definite, for the ridge makes it so.
fn solve(mut matrix: [[f64; SIZE]; SIZE], mut right: [f64; SIZE]) -> [f64; SIZE] {
    for at in 0..SIZE {
        let pivot = matrix[at];
        for below in at + 1..SIZE {
            let times = matrix[below][at] / pivot[at];
            (at..SIZE).for_each(|j| matrix[below][j] -= times * pivot[j]);
            right[below] -= times * right[at];
        }
    }
    let mut solution = [0.0; SIZE];
    for at in (0..SIZE).rev() {
        let rest: f64 = (at + 1..SIZE).map(|j| matrix[at][j] * solution[j]).sum();
        solution[at] = (right[at] - rest) / matrix[at][at];
    }
    solution
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[(u16, u16, [u64; 2])]) -> [i16; FACTORS] {
        let tally = rows.iter().map(|(first, second, counts)| {
            let mut factors = [0; FACTORS];
            (factors[0], factors[1]) = (*first, *second);
            (factors, *counts)
        });
        weights(&tally.collect())
    }

    #[test]
    fn weights_are_the_log_odds_of_a_unit() {
        // One in ten, and one in two with the factor: odds of 1/9 and of 1.
        let weights = of(&[(0, 0, [90_000, 10_000]), (1, 0, [50_000, 50_000])]);
        assert!((i32::from(weights[0]) - 2197).abs() <= 2, "ln 9 in thousandths, not {}", weights[0]);
        assert_eq!(weights[1..], [0; FACTORS - 1]);
    }

    #[test]
    fn what_speaks_for_innocence_weighs_nothing() {
        let weights = of(&[(0, 0, [900, 100]), (1, 0, [500, 500]), (0, 1, [999, 1]), (1, 1, [900, 100])]);
        assert!(weights[0] > 0);
        assert_eq!(weights[1], 0);
    }

    #[test]
    fn a_factor_that_separates_perfectly_stays_finite() {
        let weights = of(&[(0, 0, [1000, 0]), (4, 0, [0, 1000])]);
        assert!((500..10_000).contains(&weights[0]), "{}", weights[0]);
        assert_eq!(of(&[]), [0; FACTORS]);
    }
}
