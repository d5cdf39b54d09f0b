//! Benchmarks: one form and one list of names, for people as a table and for programs as a JSON object a line.
//!
//! A bench is a function from [`plan::Plan`] and peers to [`figure::Figure`]s; this file chooses which to run and how
//! to print. Computations are measured on one thread, groups of replicas on the whole machine, and a ratio comes from
//! alternating measurements of ours and the peer's in one run. A missed target is printed as missed and does not change
//! the exit status.

mod append;
mod ceremony;
mod ceremony_child;
mod child;
mod circuit;
mod decision;
mod failover;
mod figure;
mod fixture;
mod group;
mod load;
mod machine;
mod names;
mod page;
mod patterns;
mod payments;
mod peer;
mod plan;
mod prove;
mod replica;
mod sample;
mod table;
mod verify;
mod wire;
mod xdp;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use thiserror::Error;

pub use self::figure::{Bound, Figure, Measured, Of, Outcome, PeerFigure, Report, Target};
pub use self::machine::Machine;
pub(crate) use self::machine::commit;
pub use self::page::render_page;
pub use self::peer::PeerError;
use self::peer::Peers;
use self::plan::Plan;

/// Measures the product, beside its peers if asked, and prints the figures.
///
/// Example: `hansa-testnet bench prove verify --with-peers`
#[derive(Args, Clone, Debug, Default)]
pub struct BenchArgs {
    /// What to measure; everything when none is named
    #[arg(value_name = "NAME", value_enum)]
    pub names: Vec<BenchName>,
    /// Print one JSON object a line instead of a table
    #[arg(long)]
    pub json: bool,
    /// Use the sizes meant for publishing; the default ones finish within 50 seconds each
    #[arg(long)]
    pub thorough: bool,
    /// Build the peers of testnet/peers and measure against them (the first time takes minutes)
    #[arg(long)]
    pub with_peers: bool,
    /// Measure nothing: render the JSON lines of FILE, from a thorough run, as docs/benchmarks.md on the output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["names", "json", "thorough", "with_peers"])]
    pub page: Option<PathBuf>,
    /// Prove with the key in FILE in a process of its own, which the bench starts and asks
    #[arg(long, hide = true, value_name = "FILE")]
    pub prover_child: Option<PathBuf>,
    /// Index a million names made of those in FILE in a process of its own, which the bench starts and asks
    #[arg(long, hide = true, value_name = "FILE")]
    pub names_child: Option<PathBuf>,
    /// Run a ceremony in FOLDER in a process of its own, which the bench starts and asks
    #[arg(long, hide = true, value_name = "FOLDER")]
    pub ceremony_child: Option<PathBuf>,
    /// Run the replica that FILE describes in a process of its own, which the bench starts, loads and kills
    #[arg(long, hide = true, value_name = "FILE")]
    pub replica_child: Option<PathBuf>,
    /// Send or receive frames in a process of its own, which the bench starts and asks
    #[arg(long, hide = true, value_name = "ROLE")]
    pub xdp_child: Option<String>,
}

/// The benches there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum BenchName {
    /// Size of the circuit
    Circuit,
    /// Making a signal's proof
    Prove,
    /// Checking proofs, one by one and in batches
    Verify,
    /// Contributing to a ceremony, and verifying one
    Ceremony,
    /// Names against a watch list: how right, and how fast
    Names,
    /// From a pacs.008 to a decision
    Payments,
    /// Laundering patterns over several banks, each alone and with signals
    Patterns,
    /// Keeping decisions: three replicas, fsyncs, a long log
    AuditAppend,
    /// The death of the leader under load
    Failover,
    /// Frames in the driver: what each costs, and what a socket would
    Xdp,
}

impl BenchName {
    /// As the command line and the JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Circuit => "circuit",
            Self::Prove => "prove",
            Self::Verify => "verify",
            Self::Ceremony => "ceremony",
            Self::Names => "names",
            Self::Payments => "payments",
            Self::Patterns => "patterns",
            Self::AuditAppend => "audit-append",
            Self::Failover => "failover",
            Self::Xdp => "xdp",
        }
    }
}

/// Why a bench could not run. What is merely absent (a peer, data) is a skipped figure instead.
#[derive(Debug, Error)]
pub enum BenchError {
    /// A peer could not be built or asked.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The measured code itself failed: there is nothing to measure.
    #[error("{bench}: the measured operation failed: {reason}; run `make test` to find out why")]
    Failed {
        /// Which bench.
        bench: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The thread pool of one thread could not be made.
    #[error("no thread pool of one thread: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the page's input is not a report.
    #[error("line {line} is not a bench report ({reason}): give the output of `bench --thorough --json`")]
    Report {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The output was closed or is full.
    #[error("cannot write the result: {0}")]
    Write(#[from] std::io::Error),
}

impl BenchError {
    /// The measured code of `bench` failed with `reason`.
    fn failed(bench: BenchName, reason: impl std::fmt::Display) -> Self {
        Self::Failed { bench: bench.as_str(), reason: reason.to_string() }
    }
}

/// Runs what `args` asks for and prints it on standard output.
///
/// # Errors
/// If the measured code fails, a peer that was asked for cannot be built, or the output cannot be written.
pub fn run(args: &BenchArgs) -> Result<(), BenchError> {
    let mut out = std::io::stdout();
    if let Some(file) = &args.page {
        let lines = std::fs::read_to_string(file)
            .map_err(|source| BenchError::Read { path: file.clone(), source })?;
        out.write_all(render_page(&lines)?.as_bytes())?;
        return Ok(());
    }
    if let Some(config) = &args.replica_child {
        return replica::serve(config);
    }
    if let Some(role) = &args.xdp_child {
        return xdp::serve(role);
    }
    // The measured libraries use rayon's current pool: one thread, as the figures say.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    if let Some(key) = &args.prover_child {
        return pool.install(|| child::serve(key));
    }
    if let Some(file) = &args.names_child {
        return names::serve(file);
    }
    if let Some(folder) = &args.ceremony_child {
        return pool.install(|| ceremony_child::serve(folder));
    }
    let plan = if args.thorough { Plan::THOROUGH } else { Plan::DEFAULT };
    let mut peers = Peers::new(args.with_peers);
    let machine = Machine::this();
    let commit = commit();
    for name in selected(&args.names) {
        let figures = pool.install(|| measure(name, &plan, &mut peers))?;
        let report = Report {
            bench: name.as_str().to_owned(),
            commit: commit.clone(),
            profile: machine::profile().to_owned(),
            machine: machine.clone(),
            figures,
        };
        let text = if args.json { report.json_line() } else { table::render(&report) };
        out.write_all(text.as_bytes())?;
        out.flush()?;
    }
    Ok(())
}

/// The names asked for, each once and in the order asked; all of them if none.
fn selected(names: &[BenchName]) -> Vec<BenchName> {
    if names.is_empty() {
        return BenchName::value_variants().to_vec();
    }
    let mut once = Vec::new();
    for name in names {
        if !once.contains(name) {
            once.push(*name);
        }
    }
    once
}

fn measure(name: BenchName, plan: &Plan, peers: &mut Peers) -> Result<Vec<Figure>, BenchError> {
    match name {
        BenchName::Circuit => circuit::measure(),
        BenchName::Prove => prove::measure(plan, peers),
        BenchName::Verify => verify::measure(plan, peers),
        BenchName::Ceremony => ceremony::measure(plan, peers),
        BenchName::Names => names::measure(peers),
        BenchName::Payments => payments::measure(plan),
        BenchName::Patterns => patterns::measure(plan),
        BenchName::AuditAppend => append::measure(plan, peers),
        BenchName::Failover => failover::measure(plan),
        BenchName::Xdp => xdp::measure(plan),
    }
}

/// The package's own folder, where samples and peers lie.
fn package_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        bench: BenchArgs,
    }

    #[test]
    fn names_are_taken_once_and_in_order_and_none_means_all() {
        use BenchName::{Circuit, Prove, Verify};
        assert_eq!(selected(&[Verify, Prove, Verify]), [Verify, Prove]);
        assert_eq!(selected(&[]), BenchName::value_variants());
        assert_eq!(selected(&[Circuit]), [Circuit]);
    }

    #[test]
    fn the_command_line_spells_names_as_the_reports_do() {
        for name in BenchName::value_variants() {
            let parsed = Cli::try_parse_from(["x", name.as_str()]).unwrap();
            assert_eq!(parsed.bench.names, [*name]);
        }
        assert!(Cli::try_parse_from(["x", "nonsense"]).is_err());
        assert!(Cli::try_parse_from(["x", "prove", "--page", "f"]).is_err());
    }
}
