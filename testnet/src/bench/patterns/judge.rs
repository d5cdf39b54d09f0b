//! The simulated banks: the product's screener at every one, with the history and the alerts that this bank has.

use hansa_screening::{ActiveAlerts, History, Known, Screener};
use hansa_types::case::Alert;
use hansa_types::decision::{Reason, Verdict};

use super::dealt::{Dealt, View};
use super::network::{Judge, Judged};
use crate::consortium::THRESHOLDS;

pub(super) struct Banks<'b> {
    dealt: &'b Dealt<'b>,
    screener: &'b Screener,
    histories: Vec<History>,
    alerts: Vec<ActiveAlerts>,
}

impl<'b> Banks<'b> {
    pub(super) fn new(dealt: &'b Dealt<'b>, screener: &'b Screener) -> Self {
        let (histories, alerts) =
            (vec![History::default(); dealt.banks], vec![ActiveAlerts::default(); dealt.banks]);
        Self { dealt, screener, histories, alerts }
    }
}

impl Judge for Banks<'_> {
    fn judge(&mut self, view: View) -> Judged {
        let (payment, now) = (self.dealt.payment(view.transfer), self.dealt.at(view.transfer));
        let (history, alerts) = (&mut self.histories[view.bank as usize], &self.alerts[view.bank as usize]);
        let known = Known { alerts, ..Known::default() };
        let decision = self.screener.assess(&payment, history, known, now).decision;
        let held = decision.verdict != Verdict::Clear;
        // As the node has it: what is held is no part of an account's history, whatever becomes of it later.
        if !held {
            history.observe(&self.screener.observation(&payment, now));
        }
        let severe = decision.score.0 >= i64::from(THRESHOLDS.low);
        Judged { held, by_score: severe && decision.reasons.contains(&Reason::Score) }
    }

    fn update(&mut self, bank: u32, _: u32, alert: &Alert) {
        self.alerts[bank as usize].update(alert);
    }
}

#[cfg(test)]
mod tests {
    use hansa_screening::{Policy, RiskModel};
    use hansa_types::model::Score;

    use super::super::traffic::tests::traffic;
    use super::*;

    /// Whether each of three payments of one account on one day is held for its score, from `threshold` on, and whether
    /// that may be signalled; and how many payments the bank remembers in the end.
    fn judged(threshold: i64) -> (Vec<(bool, bool)>, u64) {
        let traffic = traffic(&[(0, 1, 0, None), (0, 2, 0, None), (0, 3, 0, None)]);
        let dealt = Dealt::new(&traffic, 1, 7);
        let model = RiskModel { hold_threshold: Score(threshold), ..RiskModel::default_model() };
        let screener = Screener::new(Policy::default(), Vec::new(), model).unwrap();
        let mut banks = Banks::new(&dealt, &screener);
        let judged = dealt.views.iter().map(|view| {
            let Judged { held, by_score } = banks.judge(*view);
            (held, by_score)
        });
        let judged = judged.collect();
        let account = traffic.accounts[0].digest();
        (judged, banks.histories[0].payments(&account))
    }

    #[test]
    fn what_is_held_is_no_part_of_an_accounts_history() {
        let (passed, remembered) = judged(i64::MAX);
        assert_eq!((passed, remembered), (vec![(false, false); 3], 3));
        let (held, remembered) = judged(1);
        let count = held.iter().filter(|(held, _)| *held).count() as u64;
        assert!(count > 0);
        assert_eq!(remembered, 3 - count);
    }

    #[test]
    fn what_no_severity_is_reached_by_is_not_signalled() {
        let (judged, _) = judged(1);
        assert!(judged.iter().any(|(held, by_score)| *held && !by_score), "{judged:?}");
    }
}
