//! One payment: the hub's lines on it against the decisions on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hansa_types::hash::Digest;
use hansa_types::uetr::Uetr;

use super::sort::Entry;
use super::{FindingKind, Reconciliation};

/// Lines that name a leg take decisions on that leg, first come, first served; lines that name none take any that is
/// left. What then is left over is a finding.
pub(super) fn payment(uetr: Uetr, entries: &[Entry], found: &mut Reconciliation) {
    let mut decisions: BTreeMap<Option<Digest>, VecDeque<&Entry>> = BTreeMap::new();
    for decision in entries.iter().filter(|entry| entry.decided) {
        decisions.entry(decision.leg).or_default().push_back(decision);
    }
    let lines = entries.iter().filter(|entry| !entry.decided);
    let (named, open): (Vec<&Entry>, Vec<&Entry>) = lines.partition(|line| line.leg.is_some());
    let mut count = |line: &Entry, decision: Option<&Entry>| match decision {
        Some(_) => found.matched += 1,
        None => found.add(FindingKind::Gap, Some(uetr), line.at),
    };
    for line in &named {
        count(line, decisions.get_mut(&line.leg).and_then(VecDeque::pop_front));
    }
    let mut left = decisions.into_values().flatten();
    for line in &open {
        count(line, left.next());
    }
    let legs: BTreeSet<Option<Digest>> = named.iter().map(|line| line.leg).collect();
    for decision in left {
        // A payment that is listed without legs is decided too often; of one listed by legs, another leg may be.
        let listed = !open.is_empty() || legs.contains(&decision.leg);
        let kind = if listed { FindingKind::Double } else { FindingKind::Extra };
        found.add(kind, Some(uetr), decision.at);
    }
}
