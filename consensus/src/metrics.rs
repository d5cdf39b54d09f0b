//! What a replica counts and measures.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Handles to the metrics, registered under the registry's prefix.
#[derive(Clone, Debug)]
pub struct ConsensusMetrics {
    /// Commands committed and applied.
    pub commands: Counter,
    /// Commands refused because the queue was full.
    pub refused_busy: Counter,
    /// Commands in one entry.
    pub batch_commands: Histogram,
    /// How long a synced write took.
    pub fsync_seconds: Histogram,
    /// Leaves in the audit log.
    pub log_size: Gauge,
    /// Commands waiting to be packed.
    pub queued: Gauge,
    /// Commands given up because no leader with a quorum took them.
    pub refused_no_quorum: Counter,
    /// Whether this replica leads.
    pub leads: Gauge,
    /// Whether commands can be committed.
    pub has_quorum: Gauge,
    /// How often another leader was seen.
    pub leader_changes: Counter,
    /// Raft's term.
    pub term: Gauge,
}

impl ConsensusMetrics {
    /// Registers the metrics; the caller chooses the prefix by a sub-registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            commands: Counter::default(),
            refused_busy: Counter::default(),
            batch_commands: Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            fsync_seconds: Histogram::new(exponential_buckets(0.000_1, 2.0, 14)),
            log_size: Gauge::default(),
            queued: Gauge::default(),
            refused_no_quorum: Counter::default(),
            leads: Gauge::default(),
            has_quorum: Gauge::default(),
            leader_changes: Counter::default(),
            term: Gauge::default(),
        };
        registry.register("commands", "Commands committed and applied", metrics.commands.clone());
        let help = "Commands refused because the queue was full";
        registry.register("commands_refused_busy", help, metrics.refused_busy.clone());
        registry.register("batch_commands", "Commands packed into one entry", metrics.batch_commands.clone());
        let help = "Duration of a synced write of the Raft log";
        registry.register_with_unit("fsync", help, Unit::Seconds, metrics.fsync_seconds.clone());
        registry.register("log_size", "Leaves in the audit log", metrics.log_size.clone());
        registry.register("queued", "Commands waiting to be packed", metrics.queued.clone());
        let help = "Commands given up because no leader with a quorum took them in time";
        registry.register("commands_refused_no_quorum", help, metrics.refused_no_quorum.clone());
        registry.register("leads", "1 if this replica leads its group", metrics.leads.clone());
        registry.register("has_quorum", "1 if commands can be committed", metrics.has_quorum.clone());
        registry.register("leader_changes", "Times another leader was seen", metrics.leader_changes.clone());
        registry.register("term", "Raft's term", metrics.term.clone());
        metrics
    }
}
