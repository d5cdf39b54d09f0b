//! Decisions taken, looked at as many: under another model, against one another in time, near the threshold.

use std::ops::ControlFlow;
use std::sync::Arc;

use hansa_screening::RiskModel;
use hansa_screening::backtest::under;
use hansa_screening::drift::{Scored, Shift, psi};
use hansa_screening::factors::Factor;
use hansa_types::decision::{Decision, Verdict};
use hansa_types::id::Timestamp;
use hansa_types::record::{DecisionRecord, Record};

use crate::journal::JournalError;
use crate::node::Node;

/// How many decisions in a row must be older than asked for before the search goes no further back.
const OLDER: u32 = 1_000;
/// The most decisions that are looked at.
const MAX_DECISIONS: usize = 1_000_000;
/// How many payments are named.
const NAMED: usize = 20;

/// Shows decisions since `oldest`, newest first, until `visit` has enough.
pub(crate) fn newest_first(
    node: &Node,
    oldest: Timestamp,
    mut visit: impl FnMut(Decision) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    let mut older = 0;
    for index in (0..node.journal.consensus().size()).rev() {
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
            break;
        }
    }
    Ok(())
}

/// What a model would have made of the decisions since a moment.
#[derive(Debug, Default)]
pub(crate) struct Backtest {
    pub(crate) was: Vec<Scored>,
    pub(crate) is: Vec<Scored>,
    /// Payments that would be held and were not, and those that were and would not be: the first of them.
    pub(crate) newly_held: (u64, Vec<String>),
    pub(crate) no_longer: (u64, Vec<String>),
}

pub(crate) fn backtest(
    node: &Arc<Node>,
    model: &RiskModel,
    since: Timestamp,
) -> Result<Backtest, JournalError> {
    let mut test = Backtest::default();
    newest_first(node, since, |decision| {
        let (was, is) = (Scored::from(&decision), under(model, &decision));
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
        enough(test.was.len())
    })?;
    Ok(test)
}

/// How the decisions since `since` differ from those between `before` and then.
pub(crate) struct Drift {
    pub(crate) decisions: (usize, usize),
    /// None if either side has no decision.
    pub(crate) shift: Option<Shift>,
    /// The stability index of each factor that was ever not 0.
    pub(crate) factors: Vec<(Factor, f64)>,
}

pub(crate) fn drift(node: &Arc<Node>, before: Timestamp, since: Timestamp) -> Result<Drift, JournalError> {
    let mut sides: [Vec<Decision>; 2] = Default::default();
    let mut seen = 0;
    newest_first(node, before, |mut decision| {
        // Only numbers are compared.
        decision.findings.clear();
        sides[usize::from(decision.decided_at >= since)].push(decision);
        seen += 1;
        enough(seen)
    })?;
    let [older, newer] = &sides;
    let scored = |side: &[Decision]| side.iter().map(Scored::from).collect::<Vec<_>>();
    let shift =
        (!older.is_empty() && !newer.is_empty()).then(|| Shift::between(&scored(older), &scored(newer)));
    let factor = |factor: &Factor| {
        let values = |side: &[Decision]| {
            side.iter().map(|decision| i64::from(decision.factors.0[factor.slot()])).collect::<Vec<_>>()
        };
        let (before, after) = (values(older), values(newer));
        let used = before.iter().chain(&after).any(|value| *value != 0);
        used.then(|| (*factor, psi(&before, &after)))
    };
    let factors = Factor::ALL.iter().filter_map(factor).collect();
    Ok(Drift { decisions: (older.len(), newer.len()), shift, factors })
}

/// Payments near the threshold, to be looked at by a person.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Below it: what may have been missed.
    pub(crate) below: Vec<Decision>,
    /// At it and above: what may be held for nothing.
    pub(crate) above: Vec<Decision>,
}

/// Draws up to `count` payments of the decisions since `since` on either side of the threshold, within `points` of it. Who
/// is drawn follows from a secret of the bank: nobody can know or choose.
pub(crate) fn sample(
    node: &Arc<Node>,
    since: Timestamp,
    points: u32,
    count: usize,
) -> Result<Sample, JournalError> {
    let threshold = node.screening.current().model().hold_threshold.0;
    let points = i64::from(points);
    let mut sides: [Vec<([u8; 32], Decision)>; 2] = Default::default();
    let mut seen = 0;
    newest_first(node, since, |decision| {
        seen += 1;
        let distance = decision.score.0 - threshold;
        let scored_alone =
            decision.reasons.iter().all(|reason| *reason == hansa_types::decision::Reason::Score);
        if scored_alone && (-points..=points).contains(&distance) {
            let lot = node.journal.unique_of(b"sample", &[&decision.id().0]).key;
            let side = &mut sides[usize::from(distance >= 0)];
            side.push((lot, decision));
            if side.len() > count.saturating_mul(2) {
                keep_lowest(side, count);
            }
        }
        enough(seen)
    })?;
    let [below, above] = sides.map(|mut side| {
        keep_lowest(&mut side, count);
        side.into_iter().map(|(_, decision)| decision).collect()
    });
    Ok(Sample { below, above })
}

fn keep_lowest(side: &mut Vec<([u8; 32], Decision)>, count: usize) {
    side.sort_by_key(|(lot, _)| *lot);
    side.truncate(count);
}

fn enough(seen: usize) -> ControlFlow<()> {
    if seen >= MAX_DECISIONS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
