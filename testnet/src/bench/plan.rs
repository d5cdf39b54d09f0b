//! How often to measure, and measuring in turns.

use std::time::{Duration, Instant};

use super::BenchError;
use super::figure::PeerFigure;
use super::peer::Peer;
use super::sample::Sample;

/// The sizes of a run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Rounds of a slow measurement (a proof) that are taken whatever they cost.
    pub(super) least_rounds: usize,
    /// Rounds at the most.
    pub(super) most_rounds: usize,
    /// After this much time no further round begins, once the least are taken.
    pub(super) budget: Duration,
    /// Payments that are screened in one pass.
    pub(super) payments: usize,
    /// Payments of each set with patterns, from its first day on.
    pub(super) transfers: usize,
    /// How often accounts are dealt to banks.
    pub(super) deals: u64,
    /// Decisions appended in one round.
    pub(super) appends: u64,
    /// The length of the longest log.
    pub(super) entries: u64,
    /// How often the leader is killed.
    pub(super) failovers: usize,
    /// How many accounts are blocked where frames come from random ones.
    pub(super) blocked_accounts: &'static [u64],
    /// Log2 of the ceremony's size.
    pub(super) ceremony_power: u8,
    /// The sizes between which its growth is measured.
    pub(super) ceremony_growth: Option<(u8, u8)>,
}

impl Plan {
    /// Each bench within 50 s, with its preparation.
    pub(super) const DEFAULT: Self = Self {
        least_rounds: 5,
        most_rounds: 15,
        budget: Duration::from_secs(20),
        payments: 5_000,
        transfers: 20_000,
        deals: 1,
        appends: 10_000,
        entries: 100_000,
        failovers: 3,
        blocked_accounts: &[10_000, 1_000_000],
        ceremony_power: 10,
        ceremony_growth: None,
    };
    /// For publishing.
    pub(super) const THOROUGH: Self = Self {
        least_rounds: 25,
        most_rounds: 25,
        budget: Duration::ZERO,
        payments: 50_000,
        transfers: usize::MAX,
        deals: 5,
        appends: 50_000,
        entries: 10_000_000,
        failovers: 20,
        blocked_accounts: &[10_000, 1_000_000, 10_000_000],
        ceremony_power: 13,
        ceremony_growth: Some((12, 16)),
    };
}

/// What alternating measurements gave: ours, and the peer's if it was there.
pub(super) struct Alternated {
    /// Our times, in milliseconds.
    pub(super) ours: Sample,
    /// The peer's name and times, in milliseconds.
    pub(super) peer: Option<(String, Sample)>,
}

impl Alternated {
    /// The peer's median time in milliseconds.
    pub(super) fn peer_milliseconds(&self) -> Option<PeerFigure> {
        let (name, sample) = self.peer.as_ref()?;
        Some(PeerFigure { name: name.clone(), value: sample.median() })
    }

    /// The peer's operations per second at its median time.
    pub(super) fn peer_per_second(&self) -> Option<PeerFigure> {
        let peer = self.peer_milliseconds()?;
        (peer.value > 0.0).then(|| PeerFigure { value: 1e3 / peer.value, ..peer })
    }

    /// The same where each measurement was of `count` operations.
    pub(super) fn peer_rate(&self, count: u64) -> Option<PeerFigure> {
        let peer = self.peer_per_second()?;
        Some(PeerFigure { value: peer.value * count as f64, ..peer })
    }
}

impl Plan {
    /// Measures `ours` and the peer's `command` in turns, so that whatever else the machine does meets both. The first
    /// round warms up and is not counted.
    pub(super) fn alternate(
        &self,
        mut ours: impl FnMut() -> Result<Duration, BenchError>,
        mut peer: Option<(&mut Peer, &str)>,
    ) -> Result<Alternated, BenchError> {
        let ask = |peer: &mut Option<(&mut Peer, &str)>| match peer {
            Some((peer, command)) => peer.ask(command).map(Some),
            None => Ok(None),
        };
        ours()?;
        ask(&mut peer)?;
        let (mut own, mut others) = (Vec::new(), Vec::new());
        let start = Instant::now();
        while own.len() < self.least_rounds.max(1)
            || (own.len() < self.most_rounds && start.elapsed() < self.budget)
        {
            own.push(ours()?);
            others.extend(ask(&mut peer)?);
        }
        let name = peer.map(|(peer, _)| peer.name().to_owned());
        Ok(Alternated {
            ours: Sample::of_durations(&own).expect("the loop runs at least once"),
            peer: name.zip(Sample::of_durations(&others)),
        })
    }
}

/// Runs `operation` and times it.
pub(super) fn timed<T>(operation: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = operation();
    (value, start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_stop_at_the_budget_but_not_before_the_least() {
        let plan = Plan { least_rounds: 3, most_rounds: 9, budget: Duration::ZERO, ..Plan::DEFAULT };
        let mut calls = 0;
        let ours = || {
            calls += 1;
            Ok(Duration::from_millis(calls))
        };
        let measured = plan.alternate(ours, None).unwrap();
        assert_eq!(measured.ours, Sample::new(vec![2.0, 3.0, 4.0]).unwrap(), "the first one warms up");
        assert!(measured.peer_milliseconds().is_none());
    }

    #[test]
    fn a_failure_of_the_measured_code_ends_the_bench() {
        let plan = Plan::DEFAULT;
        let failure = || Err(BenchError::failed(super::super::BenchName::Prove, "no witness"));
        assert!(plan.alternate(failure, None).is_err());
    }
}
