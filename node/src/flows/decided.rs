//! Decisions taken, looked at as many: under another model, against one another in time, near the threshold.

use std::ops::ControlFlow;
use std::sync::Arc;

use hansa_screening::RiskModel;
use hansa_screening::backtest::under;
use hansa_screening::drift::{Scored, Shift, psi};
use hansa_screening::factors::Factor;
use hansa_types::decision::{Decision, Reason, Verdict};
use hansa_types::id::Timestamp;
use hansa_types::model::{Factors, Score};
use hansa_types::record::{DecisionRecord, Record};

use crate::journal::JournalError;
use crate::node::Node;
use crate::terms::{DAY, Term};

/// How many decisions in a row must be older than asked for before the search goes no further back.
const OLDER: u32 = 1_000;
/// The most decisions that are looked at, on either side where two sides are compared.
const MAX_DECISIONS: usize = 500_000;
/// How many payments are named.
const NAMED: usize = 20;

/// Shows decisions since `oldest`, newest first and back from the index `from`, until `visit` has enough. Says whether it
/// had before all were shown.
fn newest_first(
    node: &Node,
    from: u64,
    oldest: Timestamp,
    mut visit: impl FnMut(Decision) -> ControlFlow<()>,
) -> Result<bool, JournalError> {
    let mut older = 0;
    for index in (0..from).rev() {
        let read = match node.journal.read(index) {
            Err(JournalError::Erased(_)) => None,
            read => read?,
        };
        let Some((_, Record::Decision(DecisionRecord { decision, .. }))) = read else { continue };
        if decision.decided_at < oldest {
            older += 1;
            if older >= OLDER {
                break;
            }
            continue;
        }
        older = 0;
        if visit(decision).is_break() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The end of the log.
fn newest(node: &Node) -> u64 {
    node.journal.consensus().size()
}

/// An index that what came about before `at` is below, as near as days tell.
fn after(node: &Node, at: Timestamp) -> Result<u64, JournalError> {
    for day in at.0 / DAY + 1..=node.now().0 / DAY {
        let term = node.journal.term(&Term::Day(day));
        if let Some(first) = node.journal.consensus().find_term(&term, 1)?.first() {
            // Records of a day may come in a little before the last of the day before.
            return Ok(newest(node).min(first + u64::from(OLDER)));
        }
    }
    Ok(newest(node))
}

fn current_threshold(node: &Node) -> Score {
    node.screening.current().model().hold_threshold
}

/// What a model would have made of the decisions since a moment.
#[derive(Debug, Default)]
pub(crate) struct Backtest {
    pub(crate) was: Vec<Scored>,
    pub(crate) is: Vec<Scored>,
    /// Payments that would be held and were not, and those that were and would not be: the first of them.
    pub(crate) newly_held: (u64, Vec<String>),
    pub(crate) no_longer: (u64, Vec<String>),
    /// There are more decisions than were looked at.
    pub(crate) truncated: bool,
}

pub(crate) fn backtest(
    node: &Arc<Node>,
    model: &RiskModel,
    since: Timestamp,
) -> Result<Backtest, JournalError> {
    let threshold = current_threshold(node);
    let mut test = Backtest::default();
    let truncated = newest_first(node, newest(node), since, |decision| {
        if test.was.len() >= MAX_DECISIONS {
            return ControlFlow::Break(());
        }
        let (was, is) = (Scored::of(&decision, threshold), under(model, &decision));
        let changed = match (was.verdict, is.verdict) {
            (Verdict::Clear, Verdict::Investigate) => Some(&mut test.newly_held),
            (Verdict::Investigate, Verdict::Clear) => Some(&mut test.no_longer),
            _ => None,
        };
        if let Some((count, named)) = changed {
            *count += 1;
            if named.len() < NAMED {
                named.push(decision.key.to_string());
            }
        }
        test.was.push(was);
        test.is.push(is);
        ControlFlow::Continue(())
    })?;
    Ok(Backtest { truncated, ..test })
}

/// How the decisions since `since` differ from those between `before` and then.
pub(crate) struct Drift {
    pub(crate) decisions: (usize, usize),
    /// None if either side has no decision.
    pub(crate) shift: Option<Shift>,
    /// The stability index of each factor that was ever not 0.
    pub(crate) factors: Vec<(Factor, f64)>,
    /// A side has more decisions than were looked at.
    pub(crate) truncated: bool,
}

/// What is compared of the decisions of one side.
#[derive(Default)]
struct Side {
    scored: Vec<Scored>,
    factors: Vec<Factors>,
}

impl Side {
    /// The newest decisions within a stretch of time, back from the index `from`; and whether there are more.
    fn read(
        node: &Node,
        from: u64,
        between: std::ops::Range<Timestamp>,
    ) -> Result<(Self, bool), JournalError> {
        let threshold = current_threshold(node);
        let mut side = Self::default();
        let truncated = newest_first(node, from, between.start, |decision| {
            if side.scored.len() >= MAX_DECISIONS {
                return ControlFlow::Break(());
            }
            if decision.decided_at < between.end {
                side.scored.push(Scored::of(&decision, threshold));
                side.factors.push(decision.factors);
            }
            ControlFlow::Continue(())
        })?;
        Ok((side, truncated))
    }

    fn values(&self, factor: Factor) -> Vec<i64> {
        self.factors.iter().map(|factors| i64::from(factors.0[factor.slot()])).collect()
    }
}

pub(crate) fn drift(node: &Arc<Node>, before: Timestamp, since: Timestamp) -> Result<Drift, JournalError> {
    let (newer, more) = Side::read(node, newest(node), since..Timestamp(u64::MAX))?;
    let (older, older_more) = Side::read(node, after(node, since)?, before..since)?;
    let both = !older.scored.is_empty() && !newer.scored.is_empty();
    let factor = |factor: &Factor| {
        let (before, after) = (older.values(*factor), newer.values(*factor));
        let used = before.iter().chain(&after).any(|value| *value != 0);
        used.then(|| (*factor, psi(&before, &after)))
    };
    Ok(Drift {
        decisions: (older.scored.len(), newer.scored.len()),
        shift: both.then(|| Shift::between(&older.scored, &newer.scored)),
        factors: Factor::ALL.iter().filter_map(factor).collect(),
        truncated: more || older_more,
    })
}

/// Payments near the threshold, to be looked at by a person.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Below it: what may have been missed.
    pub(crate) below: Vec<Decision>,
    /// At it and above: what may be held for nothing.
    pub(crate) above: Vec<Decision>,
    /// There are more decisions than were looked at.
    pub(crate) truncated: bool,
}

/// Draws up to `count` payments of the decisions since `since` on either side of the threshold, within `points` of it. Who
/// is drawn follows from a secret of the bank: nobody can know or choose.
pub(crate) fn sample(
    node: &Arc<Node>,
    since: Timestamp,
    points: u32,
    count: usize,
) -> Result<Sample, JournalError> {
    let Score(threshold) = current_threshold(node);
    let points = i64::from(points);
    let mut sides: [Vec<([u8; 32], Decision)>; 2] = Default::default();
    let mut seen = 0;
    let truncated = newest_first(node, newest(node), since, |decision| {
        if seen >= MAX_DECISIONS {
            return ControlFlow::Break(());
        }
        seen += 1;
        let distance = decision.score.0 - threshold;
        let scored_alone = decision.reasons.iter().all(|reason| *reason == Reason::Score);
        if scored_alone && (-points..=points).contains(&distance) {
            let lot = node.journal.unique_of(b"sample", &[&decision.id().0]).key;
            let side = &mut sides[usize::from(distance >= 0)];
            side.push((lot, decision));
            if side.len() > count.saturating_mul(2) {
                keep_lowest(side, count);
            }
        }
        ControlFlow::Continue(())
    })?;
    let [below, above] = sides.map(|mut side| {
        keep_lowest(&mut side, count);
        side.into_iter().map(|(_, decision)| decision).collect()
    });
    Ok(Sample { below, above, truncated })
}

fn keep_lowest(side: &mut Vec<([u8; 32], Decision)>, count: usize) {
    side.sort_by_key(|(lot, _)| *lot);
    side.truncate(count);
}
