//! What another model would have made of decisions taken: the factors are on record, so its score is a sum of them.

use hansa_types::decision::{Decision, Reason, Verdict};

use crate::drift::Scored;
use crate::model::RiskModel;

/// What `model` makes of a decision that was taken: its score, and the verdict if that had been the score.
pub fn under(model: &RiskModel, decision: &Decision) -> Scored {
    let score = model.model.score(&decision.factors);
    let held = score >= model.hold_threshold;
    let otherwise = decision.reasons.iter().any(|reason| *reason != Reason::Score);
    let verdict = match (decision.verdict, otherwise) {
        (Verdict::Block, _) => Verdict::Block,
        (_, true) => decision.verdict,
        (_, false) if held => Verdict::Investigate,
        (_, false) => Verdict::Clear,
    };
    Scored::new(score, model.hold_threshold, verdict)
}

#[cfg(test)]
mod tests {
    use hansa_types::model::Score;
    use hansa_types::payment::Payment;

    use super::*;
    use crate::{History, Known, Policy, Screener};

    #[test]
    fn only_what_the_score_decided_changes() {
        let screener = Screener::new(Policy::default(), vec![], RiskModel::default_model()).unwrap();
        let now = hansa_types::id::Timestamp(1);
        let taken = screener.assess(&Payment::default(), &History::default(), Known::default(), now).decision;
        let of = |verdict, reasons: &[Reason], threshold| {
            let decision = Decision { verdict, reasons: reasons.to_vec(), ..taken.clone() };
            let model = RiskModel { hold_threshold: Score(threshold), ..RiskModel::default_model() };
            under(&model, &decision).verdict
        };
        // Nothing is known of the originator: the score is above 0.
        assert!(taken.score.0 > 0);
        assert_eq!(of(Verdict::Clear, &[], 1), Verdict::Investigate);
        assert_eq!(of(Verdict::Investigate, &[Reason::Score], 1_000_000), Verdict::Clear);
        assert_eq!(
            of(Verdict::Investigate, &[Reason::ListedName, Reason::Score], 1_000_000),
            Verdict::Investigate
        );
        assert_eq!(of(Verdict::Block, &[Reason::ListedIdentifier], 1_000_000), Verdict::Block);
    }
}
