//! `fault simulate`: the seeded simulation of a bank's group over many seeds.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use clap::Args;
use hansa_consensus::simulation::{self, Plant, Report, Violation};

use super::progress::{Progress, ProgressError};
use crate::bench::commit;

/// After how many seeds a line says how far it is.
const SAY_EVERY: u64 = 500;

/// Which seeds.
#[derive(Args, Clone, Debug)]
pub struct SimulateArgs {
    /// The seeds, from the first up to but not with the last.
    #[arg(long, default_value = "0..10000", value_name = "A..B")]
    pub seeds: SeedRange,
    /// Plant a fault, to see it found: the first violation ends the run with exit code 1, as any does.
    #[arg(long, value_name = "FAULT", long_help = plants())]
    pub plant: Option<Plant>,
    /// Where it is noted which seeds have run clean at which commit; those are not run again.
    #[arg(long, default_value = "testnet-data/simulation.txt", value_name = "FILE")]
    pub progress: PathBuf,
    /// How many seeds run at once; as many as there are processors if not given.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Run the seeds again that have run, and print the hash of each one's trace.
    #[arg(long)]
    pub again: bool,
}

fn plants() -> String {
    let names = Plant::ALL.map(Plant::name).join(", ");
    format!(
        "Plant a fault, to see it found: the first violation ends the run with exit code 1, as any does. One of {names}"
    )
}

/// A range of seeds, as `A..B`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedRange(pub Range<u64>);

impl FromStr for SeedRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}` is no range of seeds: write A..B, as in 0..10000");
        let (first, end) = text.split_once("..").ok_or_else(wanted)?;
        let (first, end) = (first.parse().map_err(|_| wanted())?, end.parse().map_err(|_| wanted())?);
        if first < end { Ok(Self(first..end)) } else { Err(wanted()) }
    }
}

/// Why the simulation failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// Something happened that must not.
    #[error("{0}\nrun it again: hansa-testnet fault simulate --again --seeds {seed}..{next}{plant}", seed = .0.seed,
        next = .0.seed + 1, plant = .1.map(|plant| format!(" --plant {plant}")).unwrap_or_default())]
    Violation(Box<Violation>, Option<Plant>),
    /// The file of seeds that have run.
    #[error(transparent)]
    Progress(#[from] ProgressError),
}

/// Runs the seeds that have not run yet.
pub(super) fn run(args: &SimulateArgs) -> Result<(), SimulateError> {
    let seeds = args.seeds.0.clone();
    let mut progress = match args.plant {
        None => Some(Progress::open(&args.progress, commit())?),
        Some(_) => None, // runs with a planted fault say nothing about the commit
    };
    let done = |seed| !args.again && progress.as_ref().is_some_and(|progress| progress.has(seed));
    let left: Vec<u64> = seeds.clone().filter(|seed| !done(*seed)).collect();
    println!(
        "simulate {}..{}: {} of {} seeds are left",
        seeds.start,
        seeds.end,
        left.len(),
        seeds.clone().count()
    );
    let (start, mut total) = (Instant::now(), Total::default());
    each(&left, args, |ended| {
        let report = ended.map_err(|violation| SimulateError::Violation(violation, args.plant))?;
        if let Some(progress) = progress.as_mut().filter(|progress| !progress.has(report.seed)) {
            progress.add(report.seed)?;
        }
        if args.again {
            println!("seed {}: trace {}", report.seed, hex(&report.trace));
        }
        total.add(&report);
        if total.seeds % SAY_EVERY == 0 {
            println!("{} seeds in {} s", total.seeds, start.elapsed().as_secs());
        }
        Ok(())
    })?;
    let clean = progress.map_or(total.seeds, |progress| progress.count(&seeds));
    println!("{clean} seeds clean at commit {}; in this run {total}", commit());
    Ok(())
}

/// Runs the seeds on several threads and hands over what comes of each, until that fails.
fn each(
    seeds: &[u64],
    args: &SimulateArgs,
    mut take: impl FnMut(Result<Report, Box<Violation>>) -> Result<(), SimulateError>,
) -> Result<(), SimulateError> {
    let threads = args.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let (next, plant) = (AtomicU64::new(0), args.plant);
    thread::scope(|scope| {
        let (sender, ended) = mpsc::channel();
        for _ in 0..threads.max(1) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    // The receiver is gone after a violation.
                    if sender.send(simulation::run(*seed, plant)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        ended.into_iter().try_for_each(&mut take)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What happened in all runs.
#[derive(Default)]
struct Total {
    seeds: u64,
    events: u64,
    acknowledged: u64,
    reads: u64,
    crashes: u64,
    leaders: u64,
    snapshots: u64,
    memberships: u64,
}

impl Total {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.events += report.events;
        self.acknowledged += report.acknowledged;
        self.reads += report.reads;
        self.crashes += report.crashes;
        self.leaders += report.leaders;
        self.snapshots += report.snapshots;
        self.memberships += report.memberships;
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} seeds, {} events, {} records acknowledged, {} linearizable reads, {} crashes, {} leaders, {} snapshots \
             installed, {} changes of members",
            self.seeds,
            self.events,
            self.acknowledged,
            self.reads,
            self.crashes,
            self.leaders,
            self.snapshots,
            self.memberships
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read_as_a_range() {
        assert_eq!("3..5".parse(), Ok(SeedRange(3..5)));
        for wrong in ["", "5", "5..5", "6..5", "a..b", "1..2..3", "-1..2"] {
            assert!(wrong.parse::<SeedRange>().unwrap_err().contains("0..10000"), "{wrong}");
        }
    }

    #[test]
    fn a_planted_fault_fails_the_command_and_a_clean_range_is_not_run_twice() {
        let dir = tempfile::tempdir().unwrap();
        let args = |seeds, plant| SimulateArgs {
            seeds: SeedRange(seeds),
            plant,
            progress: dir.path().join("progress.txt"),
            threads: None,
            again: false,
        };
        let planted = run(&args(0..300, Some(Plant::UniqueForgotten))).unwrap_err().to_string();
        assert!(planted.contains("--plant unique-forgotten"), "{planted}");
        run(&args(0..3, None)).unwrap();
        let lines = std::fs::read_to_string(dir.path().join("progress.txt")).unwrap();
        assert_eq!(lines.lines().filter(|line| line.ends_with(" clean")).count(), 3);
    }
}
