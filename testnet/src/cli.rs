//! The developer's command line.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use hansa_api::model::Status;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{BenchArgs, BenchError};
use crate::consortium::{Bank, Consortium, CreateError, List};
use crate::demo::{self, DemoArgs, DemoError};
use crate::docs::{self, DocsArgs, DocsError};
use crate::fault::{self, FaultArgs, FaultError};
use crate::process::{NodeProcess, ProcessError, hansa};
use crate::replica::{self, ReplicaArgs, ReplicaError};

/// A whole consortium of banks on one machine.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "hansa-testnet", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `hansa-testnet` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow money that no bank alone would stop through three banks.
    #[command(after_help = "Example:\n  hansa-testnet demo --keep /tmp/hansa-demo")]
    Demo(DemoArgs),
    /// Make a consortium of three banks in a folder, or use the one there, and start its nodes.
    #[command(
        after_help = "Example:\n  hansa-testnet up --dir testnet-data\n  hansa --config testnet-data/bank-a/hansa.toml status"
    )]
    Up {
        /// Which consortium.
        #[command(flatten)]
        dir: Dir,
        /// How many replicas each bank has, when the consortium is made.
        #[arg(long, default_value = "1", value_parser = ["1", "3", "5"])]
        replicas: String,
    },
    /// Stop the nodes of a folder.
    #[command(after_help = "Example:\n  hansa-testnet down --dir testnet-data")]
    Down(Dir),
    /// Where the nodes of a folder stand.
    #[command(after_help = "Example:\n  hansa-testnet status --dir testnet-data --json")]
    Status {
        /// Which consortium.
        #[command(flatten)]
        dir: Dir,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Measure, side by side with peers.
    #[command(after_help = "Example:\n  hansa-testnet bench prove verify --with-peers")]
    Bench(BenchArgs),
    /// Put the log to the test: faults on purpose.
    #[command(after_help = "Example:\n  hansa-testnet fault kill --count 500")]
    Fault(FaultArgs),
    /// Run one replica of a bank's log alone, for faults and figures; it is asked on standard input.
    #[command(hide = true)]
    Replica(ReplicaArgs),
    /// Write the generated pages of docs/, or check that they are up to date.
    #[command(after_help = "Example:\n  hansa-testnet docs --check")]
    Docs(DocsArgs),
}

/// Where the consortium is.
#[derive(Clone, Debug, clap::Args)]
pub struct Dir {
    /// The consortium's folder.
    #[arg(long, default_value = "testnet-data", value_name = "DIR")]
    dir: PathBuf,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The demo.
    #[error("the story broke off: {0}")]
    Demo(#[from] DemoError),
    /// A benchmark.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// A fault campaign.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// A replica.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The pages.
    #[error(transparent)]
    Docs(#[from] DocsError),
    /// A node is up already.
    #[error("{0} is running: `hansa-testnet down` stops it")]
    Running(String),
    /// The consortium.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A node.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Cli {
    /// Carries out the command.
    pub fn execute(self) -> Result<(), CliError> {
        match self.command {
            Command::Demo(args) => Ok(demo::run(&args)?),
            Command::Up { dir, replicas } => up(&dir.dir, replicas.parse().unwrap_or(1)),
            Command::Down(Dir { dir }) => down(&dir),
            Command::Status { dir, json } => status(&dir.dir, json),
            Command::Bench(args) => Ok(crate::bench::run(&args)?),
            Command::Fault(args) => Ok(fault::run(&args)?),
            Command::Replica(args) => Ok(replica::run(&args)?),
            Command::Docs(args) => Ok(docs::run(&args)?),
        }
    }
}

fn pid_file(bank: &Bank) -> PathBuf {
    bank.folder.join("node.pid")
}

/// The process that `up` started for the bank, if it still runs: the number alone may be another's by now.
fn running(bank: &Bank) -> Option<Pid> {
    let pid: u32 = std::fs::read_to_string(pid_file(bank)).ok()?.trim().parse().ok()?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let ours = bank.config().display().to_string();
    let named = command.split(|byte| *byte == 0).any(|argument| argument == ours.as_bytes());
    named.then(|| i32::try_from(pid).ok().map(Pid::from_raw)).flatten()
}

/// The bank, and which of its replicas where it is not the first.
fn name(bank: &Bank) -> String {
    if bank.replica == 1 { bank.id.to_string() } else { format!("{} replica {}", bank.id, bank.replica) }
}

fn up(dir: &Path, replicas: usize) -> Result<(), CliError> {
    let consortium = match Consortium::open(dir) {
        Ok(consortium) => consortium,
        Err(CreateError::None(_)) => {
            let lists = [const { Vec::<List>::new() }; 3];
            Consortium::create_replicated(dir, demo::customers(), lists, [replicas; 3])?
        }
        Err(error) => return Err(error.into()),
    };
    let all = || consortium.replicas.iter().flatten();
    if let Some(bank) = all().find(|bank| running(bank).is_some()) {
        return Err(CliError::Running(bank.id.to_string()));
    }
    let mut nodes = Vec::new();
    for bank in all() {
        let node = NodeProcess::start(bank, &["--development"])?;
        let path = pid_file(bank);
        std::fs::write(&path, node.id().to_string()).map_err(|source| CliError::File { path, source })?;
        nodes.push(node);
    }
    for node in &mut nodes {
        node.ready()?;
    }
    for node in &mut nodes {
        // A bank's other replicas speak with nobody.
        if node.client()?.status().map_err(ProcessError::from)?.raft.leads {
            node.joined(2)?;
        }
    }
    for (node, bank) in nodes.into_iter().zip(all()) {
        node.detach();
        println!("{} is ready: hansa --config {} status", name(bank), bank.config().display());
    }
    Ok(())
}

fn down(dir: &Path) -> Result<(), CliError> {
    for bank in Consortium::open(dir)?.replicas.iter().flatten() {
        let stopped = running(bank).is_some_and(|pid| kill(pid, Signal::SIGTERM).is_ok());
        println!("{} {}", name(bank), if stopped { "was told to stop" } else { "is not running" });
    }
    Ok(())
}

fn status(dir: &Path, json: bool) -> Result<(), CliError> {
    let statuses: Vec<(Bank, Result<Status, ProcessError>)> = Consortium::open(dir)?
        .replicas
        .into_iter()
        .flatten()
        .map(|bank| (bank.clone(), hansa(&bank, &["status"])))
        .collect();
    if json {
        let list: Vec<_> = statuses.iter().map(|(bank, status)| {
            serde_json::json!({ "bank": bank.id, "replica": bank.replica, "up": status.is_ok(), "status": status.as_ref().ok() })
        }).collect();
        println!("{}", serde_json::to_string_pretty(&list).expect("a status has only strings as keys"));
        return Ok(());
    }
    for (bank, status) in statuses {
        match status {
            Ok(status) => {
                let connected = status.peers.iter().filter(|peer| peer.connected).count();
                println!("{}: up, {connected} peers, {} log entries", name(&bank), status.log.size);
            }
            Err(error) => println!("{}: down ({error})", name(&bank)),
        }
    }
    Ok(())
}
