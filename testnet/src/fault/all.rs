//! Every campaign, each in a process of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};

use super::campaign::CampaignError;
use super::group::{Failure, io_failure};
use crate::process::program;

/// How much of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Share {
    /// What every change must pass, in a few minutes.
    Ci,
    /// The full campaigns, in hours.
    Full,
}

/// How much, and where.
#[derive(Args, Clone, Debug)]
pub struct AllArgs {
    /// How many rounds of each campaign.
    #[arg(long, value_enum, default_value_t = Share::Ci)]
    pub share: Share,
    /// What every choice follows from.
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// The folder of the replicas and of the lists of rounds that have passed.
    #[arg(long, default_value = "testnet-data/fault", value_name = "DIR")]
    pub dir: PathBuf,
}

/// The campaigns, and how many rounds of each every change must pass.
const CAMPAIGNS: [(&str, u64); 8] = [
    ("kill", 20),
    ("power-cut", 5),
    ("pause", 1),
    ("partition", 1),
    ("full-disk", 1),
    ("bit-flip", 1),
    ("clock-offset", 1),
    ("rebuild", 1),
];

/// Runs all of them, whatever comes of each.
pub(super) fn run(args: &AllArgs) -> Result<(), CampaignError> {
    let mut failed = Vec::new();
    for (name, count) in CAMPAIGNS {
        if let Err(failure) = run_one(args, name, count) {
            failed.push(format!("{name} ({failure})"));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(CampaignError::Several(failed.join(", "))) }
}

fn run_one(args: &AllArgs, name: &str, count: u64) -> Result<(), Failure> {
    let mut command = Command::new(program("hansa-testnet")?);
    command.args(["fault", name, "--seed", &args.seed.to_string(), "--dir"]).arg(&args.dir);
    if args.share == Share::Ci {
        command.args(["--count", &count.to_string()]);
    }
    let status = command.stdin(Stdio::null()).status().map_err(io_failure(name))?;
    let said = || Failure::Tool { command: format!("hansa-testnet fault {name}"), said: status.to_string() };
    if status.success() { Ok(()) } else { Err(said()) }
}
