//! What the flows count, and how long their stages take.

mod frames;
mod screening;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hansa_api::model::StageTimes;
use hansa_p2p::Verdict as GossipVerdict;
use hansa_screening::Scheme;
use hansa_types::decision::Verdict;
use hansa_types::id::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use self::frames::FrameMetrics;
use self::screening::ScreeningMetrics;

/// Upper bounds in seconds: a microsecond's work to a scheme's time limit.
const BUCKETS: [f64; 14] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];
/// How many of the latest durations of a stage the status is computed from.
const REMEMBERED: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhatLabel {
    what: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SchemeLabel {
    scheme: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabel {
    policy: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: u16,
}

/// How this bank's checkpoints fare with its witnesses, and theirs with it.
#[derive(Default)]
struct WitnessMetrics {
    published_size: Gauge,
    published_at: Gauge,
    cosigners: Gauge,
    missed: Gauge,
    answers: Family<StatusLabel, Counter>,
    refusals: Family<StatusLabel, Counter>,
    forks: Family<WhatLabel, Counter>,
}

impl WitnessMetrics {
    fn register(&self, registry: &mut Registry) {
        for what in ["proof", "suspicion"] {
            drop(self.forks.get_or_create(&WhatLabel { what: what.to_owned() }));
        }
        for status in [409, 422] {
            drop(self.refusals.get_or_create(&StatusLabel { status }));
        }
        drop(self.answers.get_or_create(&StatusLabel { status: 200 }));
        registry.register(
            "published_size",
            "Entries that the last published checkpoint covers",
            self.published_size.clone(),
        );
        registry.register(
            "published_at",
            "When enough members last cosigned, in Unix seconds: alert on its age",
            self.published_at.clone(),
        );
        registry.register("cosigners", "Members that cosigned in the last interval", self.cosigners.clone());
        registry.register(
            "witness_missed",
            "Intervals in a row in which too few members cosigned: alert from 3",
            self.missed.clone(),
        );
        registry.register(
            "witness_answers",
            "Answers to members that asked for a cosignature, by tlog-witness status",
            self.answers.clone(),
        );
        registry.register(
            "witness_refusals",
            "Members that refused to cosign, by tlog-witness status: investigate any",
            self.refusals.clone(),
        );
        registry.register(
            "forks",
            "Logs found to have forked, by proof or suspicion: investigate any",
            self.forks.clone(),
        );
    }
}

/// What waits: signals to be proved and sent, and cases past their deadlines.
#[derive(Default)]
struct QueueMetrics {
    length: Gauge,
    backlogs: Counter,
    cases_overdue: Gauge,
}

impl QueueMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "signal_queue",
            "Signals committed and not yet with the network",
            self.length.clone(),
        );
        registry.register(
            "signal_backlogs",
            "Times that more signals came to wait than signalling.backlog says: alert on any",
            self.backlogs.clone(),
        );
        registry.register(
            "cases_overdue",
            "Cases with a deadline that is over and not met: alert on any",
            self.cases_overdue.clone(),
        );
    }
}

/// The node's own metrics; each sibling brings its own.
pub(crate) struct Metrics {
    payments: Family<VerdictLabel, Counter>,
    duplicates: Counter,
    gossip: Family<VerdictLabel, Counter>,
    lost: Family<WhatLabel, Counter>,
    without_quorum: Family<PolicyLabel, Counter>,
    deadlines: Family<SchemeLabel, Counter>,
    reconciled: Family<OutcomeLabel, Counter>,
    provisional: Gauge,
    queue: QueueMetrics,
    witness: WitnessMetrics,
    pub(crate) screening: ScreeningMetrics,
    pub(crate) frames: FrameMetrics,
    governance_refused: Counter,
    seconds: Family<StageLabel, Histogram, fn() -> Histogram>,
    recent: Mutex<BTreeMap<&'static str, Recent>>,
}

/// The latest durations of one stage, in microseconds, and how many there were in all.
#[derive(Default)]
struct Recent {
    count: u64,
    micros: Vec<u64>,
}

impl Metrics {
    /// Registers the metrics.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            payments: Family::default(),
            duplicates: Counter::default(),
            gossip: Family::default(),
            lost: Family::default(),
            without_quorum: Family::default(),
            deadlines: Family::default(),
            reconciled: Family::default(),
            provisional: Gauge::default(),
            queue: QueueMetrics::default(),
            witness: WitnessMetrics::default(),
            screening: ScreeningMetrics::default(),
            frames: FrameMetrics::default(),
            governance_refused: Counter::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            recent: Mutex::default(),
        };
        metrics.begin();
        let registry = registry.sub_registry_with_prefix("hansa_node");
        registry.register("payments", "Payments decided, by verdict", metrics.payments.clone());
        registry.register(
            "duplicates",
            "Payments refused because their key was decided on other content",
            metrics.duplicates.clone(),
        );
        registry.register(
            "governance_refused",
            "Messages of governance from other members that do not fit the rules: investigate any",
            metrics.governance_refused.clone(),
        );
        registry.register("gossip", "Messages of other members, by verdict", metrics.gossip.clone());
        registry.register(
            "lost",
            "What could not be done and is not queued, by what it was: investigate any",
            metrics.lost.clone(),
        );
        registry.register(
            "payments_without_quorum",
            "Payments while no quorum stood, by what the scheme's policy says: alert on any",
            metrics.without_quorum.clone(),
        );
        registry.register(
            "deadlines_missed",
            "Payments not decided within their scheme's time, by scheme: alert on any",
            metrics.deadlines.clone(),
        );
        registry.register(
            "reconciled",
            "Decisions taken without a quorum, by whether the log took them or contradicts them",
            metrics.reconciled.clone(),
        );
        registry.register(
            "decisions_provisional",
            "Decisions taken without a quorum that the log does not hold yet",
            metrics.provisional.clone(),
        );
        metrics.queue.register(registry);
        metrics.witness.register(registry);
        metrics.screening.register(registry);
        metrics.frames.register(registry);
        registry.register("stage_seconds", "How long each stage of a flow took", metrics.seconds.clone());
        metrics
    }

    /// A counter that is there before it counts can be alerted on.
    fn begin(&self) {
        for verdict in Verdict::ALL {
            drop(self.payments.get_or_create(&VerdictLabel { verdict: verdict.to_string() }));
        }
        for verdict in [GossipVerdict::Accept, GossipVerdict::Ignore, GossipVerdict::Reject] {
            drop(self.gossip.get_or_create(&VerdictLabel { verdict: gossip_name(verdict) }));
        }
        for what in ["signal", "expired-signal", "counterparty", "operation"] {
            drop(self.lost.get_or_create(&WhatLabel { what: what.to_owned() }));
        }
        for scheme in Scheme::ALL {
            drop(self.deadlines.get_or_create(&SchemeLabel { scheme: scheme.to_string() }));
        }
        for policy in ["refuse", "journal"] {
            drop(self.without_quorum.get_or_create(&PolicyLabel { policy: policy.to_owned() }));
        }
        for outcome in ["logged", "conflict"] {
            drop(self.reconciled.get_or_create(&OutcomeLabel { outcome: outcome.to_owned() }));
        }
        for stage in ["parse", "screen", "log", "frame", "prove", "verify"] {
            drop(self.seconds.get_or_create(&StageLabel { stage: stage.to_owned() }));
        }
    }

    /// A payment was not decided within its scheme's time.
    pub(crate) fn deadline_missed(&self, scheme: Scheme) {
        self.deadlines.get_or_create(&SchemeLabel { scheme: scheme.to_string() }).inc();
    }

    /// A payment was decided.
    pub(crate) fn payment(&self, verdict: Verdict) {
        self.payments.get_or_create(&VerdictLabel { verdict: verdict.to_string() }).inc();
    }

    /// A payment was refused as a duplicate.
    pub(crate) fn duplicate(&self) {
        self.duplicates.inc();
    }

    /// A message of another member was judged.
    pub(crate) fn gossip(&self, verdict: GossipVerdict) {
        self.gossip.get_or_create(&VerdictLabel { verdict: gossip_name(verdict) }).inc();
    }

    /// Something could not be done and is not queued.
    pub(crate) fn lost(&self, what: &str) {
        self.lost.get_or_create(&WhatLabel { what: what.to_owned() }).inc();
    }

    /// A payment came while no quorum stood.
    pub(crate) fn without_quorum(&self, policy: &str) {
        self.without_quorum.get_or_create(&PolicyLabel { policy: policy.to_owned() }).inc();
    }

    /// A decision taken without a quorum was taken to the log.
    pub(crate) fn reconciled(&self, conflict: bool) {
        let outcome = if conflict { "conflict" } else { "logged" };
        self.reconciled.get_or_create(&OutcomeLabel { outcome: outcome.to_owned() }).inc();
    }

    /// How many decisions wait for a quorum.
    pub(crate) fn provisional(&self, waiting: usize) {
        self.provisional.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// So many cases have a deadline that is over.
    pub(crate) fn cases_overdue(&self, cases: usize) {
        self.queue.cases_overdue.set(i64::try_from(cases).unwrap_or(i64::MAX));
    }

    /// How many signals wait.
    pub(crate) fn queue(&self, length: usize) {
        self.queue.length.set(i64::try_from(length).unwrap_or(i64::MAX));
    }

    /// More signals wait than should.
    pub(crate) fn backed_up(&self) {
        self.queue.backlogs.inc();
    }

    /// A checkpoint of this size was published.
    pub(crate) fn cosigned(&self, size: u64, cosigners: usize, at: Timestamp) {
        self.witness.published_size.set(i64::try_from(size).unwrap_or(i64::MAX));
        self.witness.published_at.set(i64::try_from(at.0).unwrap_or(i64::MAX));
        self.witness_missed(0, cosigners);
    }

    /// Too few cosigned for so many intervals in a row; in the last one, so many did.
    pub(crate) fn witness_missed(&self, intervals: u32, cosigners: usize) {
        self.witness.missed.set(intervals.into());
        self.witness.cosigners.set(i64::try_from(cosigners).unwrap_or(i64::MAX));
    }

    /// Another member's request was answered.
    pub(crate) fn witness_answered(&self, status: u16) {
        self.witness.answers.get_or_create(&StatusLabel { status }).inc();
    }

    /// A witness refused this bank's checkpoint.
    pub(crate) fn witness_refused(&self, status: u16) {
        self.witness.refusals.get_or_create(&StatusLabel { status }).inc();
    }

    /// A member told something of governance that does not fit the rules.
    pub(crate) fn governance_refused(&self) {
        self.governance_refused.inc();
    }

    /// A log has forked, or is suspected.
    pub(crate) fn fork(&self, proved: bool) {
        let what = if proved { "proof" } else { "suspicion" };
        self.witness.forks.get_or_create(&WhatLabel { what: what.to_owned() }).inc();
    }

    /// A stage took so long.
    pub(crate) fn stage(&self, stage: &'static str, took: Duration) {
        self.seconds.get_or_create(&StageLabel { stage: stage.to_owned() }).observe(took.as_secs_f64());
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let Recent { count, micros } = recent.entry(stage).or_default();
        let slot = *count as usize % REMEMBERED;
        let value = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        *count += 1;
        match micros.get_mut(slot) {
            Some(oldest) => *oldest = value,
            None => micros.push(value),
        }
    }

    /// How long each stage took lately.
    pub(crate) fn stages(&self) -> BTreeMap<String, StageTimes> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().map(|(stage, recent)| ((*stage).to_owned(), recent.times())).collect()
    }
}

fn gossip_name(verdict: GossipVerdict) -> String {
    format!("{verdict:?}").to_lowercase()
}

impl Recent {
    fn times(&self) -> StageTimes {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let at =
            |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
        StageTimes {
            count: self.count,
            p50_us: at(50).copied().unwrap_or(0),
            p99_us: at(99).copied().unwrap_or(0),
            max_us: sorted.last().copied().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_remember_the_latest_and_count_all() {
        let metrics = Metrics::register(&mut Registry::default());
        for micros in 0..=(REMEMBERED as u64) {
            metrics.stage("screen", Duration::from_micros(micros));
        }
        let times = metrics.stages()["screen"];
        assert_eq!(times.count, REMEMBERED as u64 + 1);
        assert_eq!(times.max_us, REMEMBERED as u64, "the newest replaced the oldest");
        assert!(times.p50_us <= times.p99_us && times.p99_us <= times.max_us);
    }
}
