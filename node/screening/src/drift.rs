//! Whether scores are distributed as they were: the population stability index, and shares.
//!
//! The index is the symmetric Kullback-Leibler divergence of two histograms over the deciles of the first (Siddiqi, *Credit
//! Risk Scorecards*, 2006, ch. 9: below 0.1 stable, above 0.25 shifted). It judges models and never payments: nothing here is
//! part of a decision.

use hansa_types::decision::{Decision, Verdict};
use hansa_types::model::Score;
use serde::Serialize;

/// From which index on a distribution counts as shifted.
pub const SHIFTED: f64 = 0.25;
/// By which factor the share of payments that are held, or blocked, may change.
const SHARE_FACTOR: f64 = 2.0;
/// By which share of all payments it must change besides, so that one more among few is no shift.
const SHARE_CHANGE: f64 = 0.01;
/// Into how many bins the reference is cut.
const BINS: usize = 10;
const MILLION: i64 = 1_000_000;
/// What an empty bin counts as, so that the logarithm exists.
const EMPTY: f64 = 1e-4;

/// What is remembered of one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scored {
    /// The score in millionths of the threshold, so that two models that differ in scale alone score alike.
    pub score: i64,
    /// What was concluded.
    pub verdict: Verdict,
}

impl Scored {
    /// A score and a verdict, where payments are held from `threshold` on.
    pub fn new(score: Score, threshold: Score, verdict: Verdict) -> Self {
        Self { score: score.0.saturating_mul(MILLION) / threshold.0.max(1), verdict }
    }

    /// What is remembered of a decision.
    pub fn of(decision: &Decision, threshold: Score) -> Self {
        Self::new(decision.score, threshold, decision.verdict)
    }
}

/// How one distribution differs from another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shift {
    /// The population stability index of the scores.
    pub psi: f64,
    /// The share of payments held or blocked, before and after.
    pub alerts: (f64, f64),
    /// The share of payments blocked, before and after.
    pub blocks: (f64, f64),
}

impl Shift {
    /// Compares two sets of decisions, neither empty.
    pub fn between(before: &[Scored], after: &[Scored]) -> Self {
        let scores = |all: &[Scored]| all.iter().map(|scored| scored.score).collect::<Vec<_>>();
        let share = |all: &[Scored], least: Verdict| {
            all.iter().filter(|scored| scored.verdict >= least).count() as f64 / all.len().max(1) as f64
        };
        let shares = |least| (share(before, least), share(after, least));
        Self {
            psi: psi(&scores(before), &scores(after)),
            alerts: shares(Verdict::Investigate),
            blocks: shares(Verdict::Block),
        }
    }

    /// Whether it is more than chance and small changes make.
    pub fn is_large(&self) -> bool {
        let changed = |(before, after): (f64, f64)| {
            let (low, high) = if before < after { (before, after) } else { (after, before) };
            high - low > SHARE_CHANGE && high > low * SHARE_FACTOR
        };
        self.psi > SHIFTED || changed(self.alerts) || changed(self.blocks)
    }
}

/// The population stability index of `after` against `before`, over the deciles of `before`.
pub fn psi(before: &[i64], after: &[i64]) -> f64 {
    if before.is_empty() || after.is_empty() {
        return 0.0;
    }
    let edges = edges(before);
    let (expected, actual) = (shares(before, &edges), shares(after, &edges));
    let term = |(e, a): (&f64, &f64)| {
        let (e, a) = (e.max(EMPTY), a.max(EMPTY));
        (a - e) * (a / e).ln()
    };
    expected.iter().zip(&actual).map(term).sum()
}

/// The upper edges of the bins but the last, ascending, each once: where many scores are alike there are fewer bins.
fn edges(scores: &[i64]) -> Vec<i64> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable();
    let mut edges: Vec<i64> =
        (1..BINS).map(|bin| sorted[(bin * sorted.len() / BINS).min(sorted.len() - 1)]).collect();
    edges.dedup();
    edges
}

fn shares(scores: &[i64], edges: &[i64]) -> Vec<f64> {
    let mut counts = vec![0u64; edges.len() + 1];
    for score in scores {
        counts[edges.partition_point(|edge| edge < score)] += 1;
    }
    counts.into_iter().map(|count| count as f64 / scores.len() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(scores: impl IntoIterator<Item = i64>) -> Vec<Scored> {
        let verdict = |score| if score >= 1000 { Verdict::Investigate } else { Verdict::Clear };
        scores.into_iter().map(|score| Scored { score, verdict: verdict(score) }).collect()
    }

    #[test]
    fn the_same_distribution_is_no_shift_and_a_moved_one_is() {
        let before = scored(0..1000);
        assert!(psi(&[1, 2, 3], &[1, 2, 3]) == 0.0);
        let same = Shift::between(&before, &scored((0..1000).step_by(3)));
        assert!(same.psi < 0.01 && !same.is_large(), "{same:?}");
        let moved = Shift::between(&before, &scored(500..1500));
        assert!(moved.psi > SHIFTED && moved.is_large() && moved.alerts == (0.0, 0.5), "{moved:?}");
    }

    #[test]
    fn a_model_of_another_scale_is_no_shift() {
        let scored = |scale: i64| {
            let all =
                (0..1000).map(|score| Scored::new(Score(score * scale), Score(900 * scale), Verdict::Clear));
            all.collect::<Vec<_>>()
        };
        assert_eq!(scored(1), scored(7));
        assert_eq!(Shift::between(&scored(1), &scored(1000)).psi, 0.0);
        assert_eq!(Scored::new(Score(i64::MAX), Score(0), Verdict::Clear).score, i64::MAX, "no overflow");
    }

    #[test]
    fn a_known_index_comes_out() {
        // Two bins of a half each against a quarter and three: (0.25 - 0.5) ln 0.5 + (0.75 - 0.5) ln 1.5.
        let before: Vec<i64> = [0; 50].into_iter().chain([9; 50]).collect();
        let after: Vec<i64> = [0; 25].into_iter().chain([9; 75]).collect();
        let expected = -0.25 * 0.5f64.ln() + 0.25 * 1.5f64.ln();
        assert!((psi(&before, &after) - expected).abs() < 1e-9, "{}", psi(&before, &after));
    }

    #[test]
    fn few_alerts_more_are_no_shift() {
        let before = scored((0..1000).map(|at| if at < 2 { 2000 } else { 0 }));
        let after = scored((0..1000).map(|at| if at < 6 { 2000 } else { 0 }));
        assert!(!Shift::between(&before, &after).is_large(), "0.2 % to 0.6 %");
        let many = scored((0..1000).map(|at| if at < 60 { 2000 } else { 0 }));
        assert!(Shift::between(&before, &many).is_large(), "0.2 % to 6 %");
        assert_eq!(psi(&[], &[1]), 0.0);
    }
}
