//! Why a payment was decided as it was: the score as a sum, and the least that would have changed the verdict.

use hansa_types::decision::{Reason, Verdict};
use hansa_types::habits::Habits;
use hansa_types::id::Timestamp;
use hansa_types::model::Score;
use hansa_types::payment::Payment;
use serde::Serialize;

use crate::factors::Factor;
use crate::screener::{Assessment, Known, Screener};

/// One summand of a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summand {
    /// Which factor.
    pub factor: Factor,
    /// Its value.
    pub value: u16,
    /// What one unit of it is.
    pub unit: &'static str,
    /// Points for each unit.
    pub weight: i16,
    /// Value times weight.
    pub points: i64,
    /// What it rests on; empty for a factor that is 0.
    pub evidence: String,
}

/// A change of one factor alone that would bring the score to the other side of the threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// Which factor.
    pub factor: Factor,
    /// Its value now.
    pub value: u16,
    /// The nearest value that flips it.
    pub to: u16,
}

/// What the verdict would be if one reason fell away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Without {
    /// The reason.
    pub reason: Reason,
    /// The verdict without it.
    pub verdict: Verdict,
}

/// Why a payment is decided as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Why {
    /// The decision, with everything behind it.
    pub assessment: Assessment,
    /// The score's summands, the largest first; those that are 0 are left out.
    pub summands: Vec<Summand>,
    /// From which score the payment is held.
    pub threshold: Score,
    /// The changes of one factor that would bring the score across the threshold, the fewest units first.
    pub flips: Vec<Flip>,
    /// What each reason alone decides.
    pub without: Vec<Without>,
}

/// Explains the decision that `screener` takes on a payment.
pub fn explain(
    screener: &Screener,
    payment: &Payment,
    habits: Habits,
    known: Known<'_>,
    now: Timestamp,
) -> Why {
    let assessment = screener.judge(payment, habits, known, now);
    let without = assessment.decision.reasons.iter().map(|&reason| {
        let other = screener.judge_without(Some(reason), payment, habits, known, now);
        Without { reason, verdict: other.decision.verdict }
    });
    Why {
        without: without.collect(),
        summands: summands(screener, &assessment),
        flips: flips(screener, &assessment),
        threshold: screener.model().hold_threshold,
        assessment,
    }
}

fn summands(screener: &Screener, assessment: &Assessment) -> Vec<Summand> {
    let weights = &screener.model().model.weights;
    let summand = |factor: &Factor| {
        let slot = factor.slot();
        let evidence = assessment.evidence.iter().find(|evidence| evidence.factor == *factor);
        Summand {
            factor: *factor,
            value: assessment.decision.factors.0[slot],
            unit: factor.unit(),
            weight: weights[slot],
            points: assessment.contributions[slot],
            evidence: evidence.map(|evidence| evidence.text.clone()).unwrap_or_default(),
        }
    };
    let mut summands: Vec<_> = Factor::ALL.iter().map(summand).filter(|summand| summand.value > 0).collect();
    summands.sort_by_key(|summand| (std::cmp::Reverse(summand.points.abs()), summand.factor));
    summands
}

fn flips(screener: &Screener, assessment: &Assessment) -> Vec<Flip> {
    let model = screener.model();
    let (score, threshold) = (assessment.decision.score.0, model.hold_threshold.0);
    let held = score >= threshold;
    // Held, it must lose so many points; else it must gain so many.
    let missing = if held { score - threshold + 1 } else { threshold - score };
    let flip = |factor: &Factor| {
        let (weight, value) =
            (model.model.weights[factor.slot()], assessment.decision.factors.0[factor.slot()]);
        if weight == 0 {
            return None;
        }
        let units = missing.unsigned_abs().div_ceil(u64::from(weight.unsigned_abs())).cast_signed();
        let up = (weight > 0) != held;
        let to = if up { i64::from(value) + units } else { i64::from(value) - units };
        Some(Flip { factor: *factor, value, to: u16::try_from(to).ok()? })
    };
    let mut flips: Vec<Flip> = Factor::ALL.iter().filter_map(flip).collect();
    flips.sort_by_key(|flip| (flip.to.abs_diff(flip.value), flip.factor));
    flips
}
