//! Repeated measurements of one quantity: median, extremes, percentiles.

use std::time::Duration;

/// At least one measurement, sorted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample(Vec<f64>);

impl Sample {
    /// The measurements; none if there are none or one is not a finite number.
    pub(super) fn new(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() || !values.iter().all(|v| v.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        Some(Self(values))
    }

    /// A single measurement.
    pub(super) fn one(value: f64) -> Self {
        Self(vec![value])
    }

    /// Durations in milliseconds.
    pub(super) fn of_durations(durations: &[Duration]) -> Option<Self> {
        Self::new(durations.iter().map(|d| milliseconds(*d)).collect())
    }

    /// How many measurements; at least one.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest.
    pub(super) fn min(&self) -> f64 {
        self.0[0]
    }

    /// The largest.
    pub(super) fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// The middle one, or the mean of the middle two.
    pub(super) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 { self.0[middle] } else { f64::midpoint(self.0[middle - 1], self.0[middle]) }
    }

    /// The smallest measurement that at least `share` (0 to 1) of all do not exceed: the nearest-rank percentile.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let rank = (share.clamp(0.0, 1.0) * self.0.len() as f64).ceil() as usize;
        self.0[rank.saturating_sub(1).min(self.0.len() - 1)]
    }

    /// Each measurement taken through `f`, for example from a duration to a rate.
    pub(super) fn map(&self, f: impl Fn(f64) -> f64) -> Option<Self> {
        Self::new(self.0.iter().map(|v| f(*v)).collect())
    }
}

/// A duration in milliseconds.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_middle_two() {
        assert_eq!(sample(&[3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(sample(&[4.0, 1.0, 3.0, 2.0]).median(), 2.5);
        assert_eq!(Sample::one(7.0).median(), 7.0);
    }

    #[test]
    fn extremes_and_percentiles_are_measurements_that_were_taken() {
        let hundred = sample(&(1..=100).rev().map(f64::from).collect::<Vec<_>>());
        assert_eq!((hundred.min(), hundred.max(), hundred.len()), (1.0, 100.0, 100));
        assert_eq!(hundred.percentile(0.99), 99.0);
        assert_eq!(hundred.percentile(1.0), 100.0);
        assert_eq!(hundred.percentile(0.0), 1.0);
        assert_eq!(sample(&[1.0, 2.0]).percentile(0.99), 2.0);
    }

    #[test]
    fn nothing_measured_is_no_sample() {
        assert_eq!(Sample::new(vec![]), None);
        assert_eq!(Sample::new(vec![1.0, f64::NAN]), None);
        assert_eq!(Sample::one(0.0).map(|v| 1.0 / v), None);
        let durations = [Duration::from_micros(1500), Duration::from_millis(3)];
        assert_eq!(Sample::of_durations(&durations), Some(sample(&[1.5, 3.0])));
    }
}
