//! What the audit log costs: durable decisions in three replicas beside etcd's durable writes, fsyncs, one decision
//! alone, and how all this stands when the log is long.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::figure::{Figure, Target};
use super::group::{self, Group};
use super::load;
use super::peer::Peers;
use super::plan::Plan;
use super::sample::Sample;
use super::{BenchError, BenchName};

/// Against etcd, where a higher ratio is better.
const APPEND: Target = Target::ratio_at_least(10.0);
const FSYNC_PER_DECISION: Target = Target::value_at_most(0.01);
/// One decision alone: so many fsyncs of this disk, and so much more, in milliseconds.
const SINGLE_FSYNCS: f64 = 3.0;
const SINGLE_MORE: f64 = 2.0;
const INCLUSION_PROOF: Target = Target::value_at_most(1.0);
/// What a decision costs in a log of full length over what it costs in a short one.
const GROWTH: Target = Target::value_at_most(1.5);

/// Replicas of the group, as many as etcd has members.
const REPLICAS: u64 = 3;
/// Clients that each wait for their answer; etcd is given the same.
const IN_FLIGHT: usize = 1_024;
/// Decisions appended one by one, each beside an fsync of this disk.
const SINGLE: usize = 100;
/// Bytes of such an fsync: about what a decision takes.
const FSYNC_BYTES: usize = 1_024;
/// The shortest log in which appending is measured.
const SHORTEST: u64 = 1_000;
/// Decisions over which it is measured at each length.
const WINDOW: u64 = 20_000;
/// Decisions that one question to a replica appends at the most: it answers within two minutes.
const CHUNK: u64 = 100_000;
/// Proofs and lookups at random places.
const READS: u64 = 1_000;

/// Fsyncs are the synced writes of the Raft log, which each replica counts; what RocksDB syncs in the background when a
/// memtable is full (some files in 100,000 decisions) is not among them.
pub(super) fn measure(plan: &Plan, peers: &mut Peers) -> Result<Vec<Figure>, BenchError> {
    let mut figures = replicated(plan, peers)?;
    figures.extend(long_log(plan)?);
    Ok(figures)
}

/// Three replicas.
pub(super) fn replicated(plan: &Plan, peers: &mut Peers) -> Result<Vec<Figure>, BenchError> {
    let scratch = group::scratch()?;
    let mut etcd = peers.etcd(scratch.path())?;
    let mut group = Group::start(REPLICAS, BenchName::AuditAppend.as_str())?;
    let leader = group.leader()?;
    let port = group.port(leader)?;
    let (mut next, count) = (0, plan.appends);
    let mut take = |count: u64| {
        next += count;
        next - count..next
    };

    load::append_all(port, take(count), IN_FLIGHT).map_err(failed)?;
    let (before, mut appended) = (group.sum("fsyncs")?, 0);
    let ours = || {
        appended += count;
        load::append_all(port, take(count), IN_FLIGHT).map_err(failed)
    };
    let command = format!("put {count} {IN_FLIGHT}");
    let measured = plan.alternate(ours, etcd.as_mut().map(|etcd| (etcd, command.as_str())))?;
    drop(etcd);
    let fsyncs = (group.sum("fsyncs")? - before) as f64 / appended as f64;
    let rate =
        measured.ours.map(|taken| count as f64 * 1e3 / taken).ok_or_else(|| failed("no time passed"))?;

    let (mut singles, mut syncs) = (Vec::new(), Vec::new());
    for _ in 0..SINGLE {
        singles.push(load::append_all(port, take(1), 1).map_err(failed)?);
        syncs.push(fsync(scratch.path())?);
    }
    let sample = |times: &[Duration]| Sample::of_durations(times).ok_or_else(|| failed("nothing was timed"));
    let (single, sync) = (sample(&singles)?, sample(&syncs)?);
    let single_target = Target::value_at_most(SINGLE_FSYNCS * sync.median() + SINGLE_MORE);
    Ok(vec![
        Figure::of_sample("audit.append", "per s", &rate)
            .beside(measured.peer_rate(count))
            .with_target(APPEND),
        Figure::exact("audit.fsync_per_decision", "", fsyncs).with_target(FSYNC_PER_DECISION),
        Figure::of_sample("audit.single_latency", "ms", &single).with_target(single_target),
        Figure::of_sample("audit.fsync", "ms", &sync),
    ])
}

/// One replica, whose log grows by powers of ten.
pub(super) fn long_log(plan: &Plan) -> Result<Vec<Figure>, BenchError> {
    let mut group = Group::start(1, BenchName::AuditAppend.as_str())?;
    let id = group.leader()?;
    let mut figures = Vec::new();
    let mut costs = Vec::new();
    for length in
        std::iter::successors(Some(SHORTEST), |n| n.checked_mul(10)).take_while(|n| *n <= plan.entries)
    {
        let mut size = group.ask(id, "size")?;
        while size < length {
            let count = CHUNK.min(length - size);
            group.ask(id, &format!("fill {count} {IN_FLIGHT}"))?;
            size += count;
        }
        let taken = group.ask(id, &format!("fill {WINDOW} {IN_FLIGHT}"))?;
        let cost = taken as f64 / 1e3 / WINDOW as f64;
        figures.push(Figure::exact(&format!("audit.append_at_1e{}", length.ilog10()), "us", cost));
        costs.push(cost);
    }
    if let (Some(first), Some(last)) = (costs.first(), costs.last()) {
        figures.push(Figure::exact("audit.append_growth", "times", last / first).with_target(GROWTH));
    }
    let mut reads = |command: &str| -> Result<f64, BenchError> {
        Ok(group.ask(id, &format!("{command} {READS}"))? as f64 / 1e6)
    };
    figures
        .push(Figure::exact("audit.inclusion_proof", "ms", reads("inclusion")?).with_target(INCLUSION_PROOF));
    figures.push(Figure::exact("audit.lookup", "ms", reads("lookup")?));
    figures.push(Figure::exact("audit.entries", "", group.ask(id, "size")? as f64));
    Ok(figures)
}

/// How long this disk takes to make a small append durable.
fn fsync(folder: &Path) -> Result<Duration, BenchError> {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("fsync"))?;
    file.write_all(&[1; FSYNC_BYTES])?;
    let start = Instant::now();
    file.sync_data()?;
    Ok(start.elapsed())
}

fn failed(reason: impl std::fmt::Display) -> BenchError {
    BenchError::failed(BenchName::AuditAppend, reason)
}
