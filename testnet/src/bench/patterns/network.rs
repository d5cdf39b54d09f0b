//! A consortium over time: payments come, alerts are worked, what is confirmed is signalled, other banks hold payments.
//!
//! It goes by day, which is an epoch, and by the product's limits. What the product leaves to people is assumed: an
//! officer works some of the alerts, days later, looks at both accounts, and confirms an account that her bank saw in a
//! pattern by then, and no other; she signals what the score held, as often as the product lets her. A signal counts at
//! a bank that holds the account or saw it lately, from the day after, until it expires: nobody closes its alert before.
//! A confirmation refuses nothing: what the account pays later is screened like anything else, alone or in a consortium,
//! so the two differ by signals and by nothing else. The payments are those of the data: what is held does not change
//! what comes later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hansa_node::COUNTERPARTY_WINDOW;
use hansa_types::case::{Alert, AlertState};
use hansa_types::hash::Digest;
use hansa_types::id::{Epoch, Timestamp};
use hansa_types::signal::{Category, Severity};
use hansa_types::subject::Subject;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::DAY;
use super::dealt::{Dealt, HALVES, PerAccount, Split, View};
use crate::consortium::{EPOCH_SECONDS, SIGNAL_LIFETIME, SIGNAL_LIMIT};

/// Days from an alert to its confirmation.
pub(super) const CONFIRM_DAYS: u64 = 2;
/// The share of alerts that officers come to work, one in so many.
pub(super) const WORKED_ONE_IN: u32 = 2;
/// Days for which an account is remembered that was seen in a payment.
const SEEN_DAYS: u64 = COUNTERPARTY_WINDOW / DAY;
const _: () =
    assert!(EPOCH_SECONDS as u64 == DAY, "limits and lifetimes are told in epochs, kept here by day");
const WORK_SEED: u64 = 33;

/// What a screener says of one view.
pub(super) struct Judged {
    /// The payment is held.
    pub(super) held: bool,
    /// The score alone would hold it, and may be signalled.
    pub(super) by_score: bool,
}

/// Who decides on payments.
pub(super) trait Judge {
    /// What becomes of a payment.
    fn judge(&mut self, view: View) -> Judged;
    /// An alert about `account` begins or ceases to count at `bank`.
    fn update(&mut self, bank: u32, account: u32, alert: &Alert);
}

/// What came of one half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Payments screened, each at every bank that sees it.
    pub(super) decisions: u64,
    /// How many of them were held.
    pub(super) alerts: u64,
    /// Patterns, each at every bank that sees a payment of it before its last.
    pub(super) at_banks: u64,
    /// How many of them that very bank held a payment of before the last.
    pub(super) flagged_at_banks: u64,
    /// Patterns of more than one payment.
    pub(super) patterns: u64,
    /// How many of them any bank held a payment of before the last.
    pub(super) flagged: u64,
}

impl Count {
    /// The two together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            decisions: self.decisions + other.decisions,
            alerts: self.alerts + other.alerts,
            at_banks: self.at_banks + other.at_banks,
            flagged_at_banks: self.flagged_at_banks + other.flagged_at_banks,
            patterns: self.patterns + other.patterns,
            flagged: self.flagged + other.flagged,
        }
    }

    /// Payments held of a thousand screened.
    pub(super) fn alerts_per_1000(&self) -> f64 {
        self.alerts as f64 * 1000.0 / self.decisions.max(1) as f64
    }
}

/// A signal that counts.
struct Signal {
    number: u64,
    sender: u32,
    account: u32,
    /// The last day on which it counts.
    last_day: u64,
    raised_at: BTreeSet<u32>,
}

/// An alert that waits to be worked.
struct Waiting {
    day: u64,
    bank: u32,
    accounts: [u32; 2],
    by_score: bool,
}

/// What a bank knows of an account.
#[derive(Clone, Copy, Default)]
struct Known {
    /// It saw the account in a pattern.
    suspicious: bool,
    /// The last day on which it sent a signal about it.
    sent: Option<u64>,
    /// The last day on which it saw a payment of the account.
    seen: Option<u64>,
}

/// All banks as they stand.
struct Network<'n, J> {
    dealt: &'n Dealt<'n>,
    judge: &'n mut J,
    sharing: bool,
    waiting: VecDeque<Waiting>,
    accounts: PerAccount<Known>,
    signals: Vec<Signal>,
    sent: u64,
}

/// Runs the traffic through the banks, with signals or without, and counts by half.
pub(super) fn run(
    dealt: &Dealt<'_>,
    split: &Split,
    sharing: bool,
    judge: &mut impl Judge,
) -> [Count; HALVES] {
    let last = last_payments(dealt);
    let mut counts = patterns(dealt, split, &last);
    let mut flagged = BTreeSet::new();
    let mut network = Network {
        dealt,
        judge,
        sharing,
        waiting: VecDeque::new(),
        accounts: PerAccount::new(dealt),
        signals: Vec::new(),
        sent: 0,
    };
    let mut work = StdRng::seed_from_u64(WORK_SEED);
    let mut today = dealt.traffic.transfers.first().map_or(0, |paid| paid.at / DAY);
    for view in &dealt.views {
        let paid = &dealt.traffic.transfers[view.transfer];
        while today < paid.at / DAY {
            network.end_of_day(today);
            today += 1;
        }
        // Drawn for every payment, so that the same alerts are worked whatever else is held.
        let worked = work.gen_ratio(1, WORKED_ONE_IN);
        let held = network.screen(*view, worked);
        let count = &mut counts[split.transfers[view.transfer]];
        if !paid.doubtful {
            count.decisions += 1;
            count.alerts += u64::from(held);
        }
        if let Some(pattern) = paid.pattern.filter(|p| held && view.transfer < last[*p as usize]) {
            flagged.insert((pattern, view.bank));
        }
    }
    for (pattern, _) in &flagged {
        counts[split.patterns[*pattern as usize]].flagged_at_banks += 1;
    }
    let flagged: BTreeSet<u32> = flagged.into_iter().map(|(pattern, _)| pattern).collect();
    for pattern in flagged {
        counts[split.patterns[pattern as usize]].flagged += 1;
    }
    counts
}

/// The last payment of each pattern.
fn last_payments(dealt: &Dealt<'_>) -> Vec<usize> {
    let mut last = vec![0; dealt.traffic.patterns];
    for (at, paid) in dealt.traffic.transfers.iter().enumerate() {
        if let Some(pattern) = paid.pattern {
            last[pattern as usize] = at;
        }
    }
    last
}

/// How many patterns there are to flag, before anything is flagged.
fn patterns(dealt: &Dealt<'_>, split: &Split, last: &[usize]) -> [Count; HALVES] {
    let views = dealt.views.iter().filter_map(|view| {
        let pattern = dealt.traffic.transfers[view.transfer].pattern?;
        (view.transfer < last[pattern as usize]).then_some((pattern, view.bank))
    });
    let at_banks: BTreeSet<(u32, u32)> = views.collect();
    let patterns: BTreeSet<u32> = at_banks.iter().map(|(pattern, _)| *pattern).collect();
    let mut counts = [Count::default(); HALVES];
    at_banks.iter().for_each(|(pattern, _)| counts[split.patterns[*pattern as usize]].at_banks += 1);
    patterns.iter().for_each(|pattern| counts[split.patterns[*pattern as usize]].patterns += 1);
    counts
}

impl<J: Judge> Network<'_, J> {
    /// Decides on a payment at one bank, says whether it is held, and if so puts it before an officer if `worked`.
    fn screen(&mut self, view: View, worked: bool) -> bool {
        let paid = &self.dealt.traffic.transfers[view.transfer];
        let (bank, accounts, day) = (view.bank, [paid.debtor, paid.creditor], paid.at / DAY);
        let Judged { held, by_score } = self.judge.judge(view);
        for account in accounts {
            let known = self.accounts.at_mut(bank, account);
            known.seen = Some(day);
            known.suspicious |= paid.pattern.is_some();
        }
        if held && worked {
            self.waiting.push_back(Waiting { day: day + CONFIRM_DAYS, bank, accounts, by_score });
        }
        held
    }

    /// Confirms what is due, sends and matches signals, lets old ones go.
    fn end_of_day(&mut self, today: u64) {
        let mut sent_today: BTreeMap<u32, u32> = BTreeMap::new();
        while self.waiting.front().is_some_and(|alert| alert.day <= today) {
            let Some(Waiting { bank, accounts, by_score, .. }) = self.waiting.pop_front() else { break };
            for account in accounts {
                let known = self.accounts.at_mut(bank, account);
                let sent = sent_today.entry(bank).or_default();
                let signals = self.sharing && by_score && known.suspicious && known.sent != Some(today);
                if signals && *sent < SIGNAL_LIMIT {
                    (*sent, known.sent) = (*sent + 1, Some(today));
                    self.sent += 1;
                    self.signals.push(Signal {
                        number: self.sent,
                        sender: bank,
                        account,
                        last_day: today + u64::from(SIGNAL_LIFETIME - 1),
                        raised_at: BTreeSet::new(),
                    });
                }
            }
        }
        self.matched(today);
        self.expired(today);
    }

    /// Raises each signal's alert at the other banks that hold its account, or saw it lately, and have none yet.
    fn matched(&mut self, today: u64) {
        for signal in &mut self.signals {
            let account = signal.account;
            let holder = self.dealt.bank(account);
            for bank in (0..self.dealt.banks as u32).filter(|bank| *bank != signal.sender) {
                let seen = self.accounts.at(bank, account).seen;
                let lately = seen.is_some_and(|day| today <= day + SEEN_DAYS);
                if (lately || bank == holder) && signal.raised_at.insert(bank) {
                    let alert = signal.alert(self.dealt, bank, AlertState::Open, today);
                    self.judge.update(bank, account, &alert);
                }
            }
        }
    }

    /// Lets go what does not count tomorrow.
    fn expired(&mut self, today: u64) {
        let (old, live) =
            std::mem::take(&mut self.signals).into_iter().partition(|signal| signal.last_day <= today);
        self.signals = live;
        let old: Vec<Signal> = old;
        for signal in old {
            for bank in &signal.raised_at {
                let alert = signal.alert(self.dealt, *bank, AlertState::Expired, today);
                self.judge.update(*bank, signal.account, &alert);
            }
        }
    }
}

impl Signal {
    /// The alert that it raises at `bank`.
    fn alert(&self, dealt: &Dealt<'_>, bank: u32, state: AlertState, today: u64) -> Alert {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&self.number.to_be_bytes());
        Alert {
            signal: Digest(id),
            subject: Subject::Account(dealt.traffic.accounts[self.account as usize].clone()),
            held_here: dealt.bank(self.account) == bank,
            severity: Severity::Low,
            category: Category::Laundering,
            expires: Epoch(u32::try_from(self.last_day).unwrap_or(u32::MAX)),
            state,
            case: None,
            at: Timestamp(today * DAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::traffic::Traffic;
    use super::super::traffic::tests::traffic;
    use super::*;

    /// Holds the payments of one transfer by score, and whatever alerts are about.
    struct Holding<'t> {
        traffic: &'t Traffic,
        by_score: usize,
        alerted: BTreeSet<(u32, u32)>,
    }

    impl Judge for Holding<'_> {
        fn judge(&mut self, view: View) -> Judged {
            let paid = &self.traffic.transfers[view.transfer];
            let by_score = view.transfer == self.by_score;
            let alerted =
                [paid.debtor, paid.creditor].iter().any(|a| self.alerted.contains(&(view.bank, *a)));
            Judged { held: by_score || alerted, by_score }
        }

        fn update(&mut self, bank: u32, account: u32, alert: &Alert) {
            match alert.state {
                AlertState::Open => self.alerted.insert((bank, account)),
                _ => self.alerted.remove(&(bank, account)),
            };
        }
    }

    const PAYERS: u32 = 9;

    /// A mule at a bank of its own that is paid from nine others: innocently at first, so that they know the account, and
    /// then again as a pattern, so many days apart.
    fn mule(days_apart: u32) -> Traffic {
        let innocent = (0..PAYERS).map(|payer| (payer, PAYERS, 0, None));
        let legs = (0..PAYERS).map(|payer| (payer, PAYERS, 1 + payer * days_apart, Some(0)));
        Traffic { banks: Some((0..=PAYERS).collect()), ..traffic(&innocent.chain(legs).collect::<Vec<_>>()) }
    }

    /// The first payment of the pattern whose alert an officer works, at one of its two banks at least: the draws do not
    /// depend on anything else.
    fn first_worked() -> usize {
        let mut work = StdRng::seed_from_u64(WORK_SEED);
        let mut worked = (0..).map(|view| (view / 2, work.gen_ratio(1, WORKED_ONE_IN)));
        worked.find(|(at, worked)| *worked && *at >= PAYERS as usize).unwrap().0
    }

    fn count(traffic: &Traffic, sharing: bool) -> Count {
        let dealt = Dealt::new(traffic, 0, 0);
        let mut holding = Holding { traffic, by_score: first_worked(), alerted: BTreeSet::new() };
        run(&dealt, &Split::reported(traffic), sharing, &mut holding)[super::super::dealt::REPORTED]
    }

    #[test]
    fn a_confirmed_mule_is_flagged_where_only_the_signal_tells_of_it() {
        let traffic = mule(3);
        let (single, consortium) = (count(&traffic, false), count(&traffic, true));
        assert_eq!((single.decisions, single.at_banks, single.patterns), (36, 9, 1));
        assert_eq!((single.flagged, consortium.flagged), (1, 1), "whoever signals has flagged it already");
        assert!(consortium.flagged_at_banks > single.flagged_at_banks, "{single:?} {consortium:?}");
        assert_eq!(single.alerts, 2, "the payment that the score holds, at both its banks");
    }

    #[test]
    fn a_signal_counts_until_its_last_day_and_no_longer() {
        // Signalled days after the payment, which is one of its lifetime.
        let last = u32::try_from(CONFIRM_DAYS).unwrap() + SIGNAL_LIFETIME - 1;
        let flagged = |days_apart, sharing| count(&mule(days_apart), sharing).flagged_at_banks;
        assert!(flagged(last, true) > flagged(last, false));
        assert_eq!(flagged(last + 1, true), flagged(last + 1, false));
    }

    #[test]
    fn a_payment_in_doubt_is_neither_an_alert_nor_none() {
        let mut traffic = mule(3);
        let before = count(&traffic, false);
        let held = &mut traffic.transfers[first_worked()];
        (held.pattern, held.doubtful) = (None, true);
        let after = count(&traffic, false);
        assert_eq!((after.decisions, after.alerts, after.flagged), (before.decisions - 2, 0, 0));
    }

    #[test]
    fn a_signal_comes_too_late_for_what_happens_before_the_alert_is_worked() {
        let traffic = mule(0);
        assert_eq!(count(&traffic, false), count(&traffic, true));
    }

    #[test]
    fn the_last_payment_of_a_pattern_is_too_late() {
        let mut traffic = mule(3);
        traffic.transfers.truncate(first_worked() + 1);
        let count = count(&traffic, true);
        assert_eq!((count.alerts, count.flagged), (2, 0));
    }
}
