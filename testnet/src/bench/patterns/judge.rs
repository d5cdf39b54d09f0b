//! Who decides in the simulated banks: the screener itself, or, while thresholds are sought, its scores from before.

use hansa_screening::{ActiveAlerts, History, Known, Screener};
use hansa_types::case::{Alert, AlertState};
use hansa_types::decision::{Reason, Verdict};
use hansa_types::model::{Factors, Model};

use super::dealt::{Dealt, PerAccount, View};
use super::network::{Judge, Judged};

/// The product's screener at every bank, with each bank's own history and alerts.
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
        // The data is what happened: what is held is let go in the end.
        history.observe(&self.screener.observation(&payment, now));
        let by_score = decision.reasons.contains(&Reason::Score);
        Judged { held: decision.verdict != Verdict::Clear, by_score }
    }

    fn update(&mut self, bank: u32, _: u32, alert: &Alert) {
        self.alerts[bank as usize].update(alert);
    }
}

/// What the screener would decide by the scores that its views have, without computing them again.
pub(super) struct Scores {
    scores: Vec<i64>,
    threshold: i64,
    accounts: Vec<[u32; 2]>,
    /// How many alerts count about an account at a bank.
    alerts: PerAccount<u32>,
}

impl Scores {
    pub(super) fn new(dealt: &Dealt<'_>, factors: &[Factors], model: &Model) -> Self {
        let accounts = dealt.traffic.transfers.iter().map(|paid| [paid.debtor, paid.creditor]).collect();
        let scores = factors.iter().map(|factors| model.score(factors).0).collect();
        Self { scores, threshold: i64::MAX, accounts, alerts: PerAccount::new(dealt) }
    }

    /// The same before any alert, holding from `threshold` on.
    pub(super) fn from(&mut self, dealt: &Dealt<'_>, threshold: i64) -> &mut Self {
        self.alerts = PerAccount::new(dealt);
        self.threshold = threshold;
        self
    }

    /// Every score, in the order of the views.
    pub(super) fn scores(&self) -> &[i64] {
        &self.scores
    }
}

impl Judge for Scores {
    fn judge(&mut self, view: View) -> Judged {
        let by_score = self.scores[view.number] >= self.threshold;
        let alerted =
            self.accounts[view.transfer].iter().any(|account| *self.alerts.at(view.bank, *account) > 0);
        Judged { held: by_score || alerted, by_score }
    }

    fn update(&mut self, bank: u32, account: u32, alert: &Alert) {
        let alerts = self.alerts.at_mut(bank, account);
        match alert.state {
            AlertState::Open => *alerts += 1,
            _ => *alerts = alerts.saturating_sub(1),
        }
    }
}
