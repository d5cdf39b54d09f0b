//! Faults, made on purpose, to see what they do.
//!
//! Each campaign founds a group of three replicas, each a process ([`crate::replica`]), appends to it from many
//! writers at once, does one kind of harm again and again, and after each round compares every replica's log with what
//! was acknowledged: nothing lost, nothing there twice, no leaf other than the one appended.

mod all;
mod campaign;
mod check;
mod clock;
mod disk;
mod flip;
mod group;
mod kill;
mod load;
mod network;
mod partition;
mod pause;
mod power;
mod progress;
mod rebuild;
mod simulate;
mod tool;

use clap::{Args, Subcommand};

pub use self::all::{AllArgs, Share};
pub use self::campaign::{CampaignError, RoundArgs};
pub use self::group::Failure;
pub use self::progress::ProgressError;
pub use self::simulate::{SeedRange, SimulateArgs, SimulateError};

/// Which fault.
#[derive(Args, Clone, Debug)]
pub struct FaultArgs {
    /// The campaign.
    #[command(subcommand)]
    pub campaign: Campaign,
}

/// What can be put to the test.
#[derive(Clone, Debug, Subcommand)]
pub enum Campaign {
    /// SIGKILL a replica under load, the leader every other time; it is started again. 500 rounds.
    #[command(after_help = "Example:\n  hansa-testnet fault kill --count 500")]
    Kill(RoundArgs),
    /// Cut the power of all replicas at once: what was not synced to their disks is gone. 100 rounds. Needs root.
    #[command(after_help = "Example:\n  hansa-testnet fault power-cut --count 100")]
    PowerCut(RoundArgs),
    /// Stop a replica for longer than an election takes, the leader every other time, and let it go on. 20 rounds.
    #[command(after_help = "Example:\n  hansa-testnet fault pause --count 20")]
    Pause(RoundArgs),
    /// Cut the network between replicas, both ways or one, or make it slow. 30 rounds. Needs root.
    #[command(after_help = "Example:\n  hansa-testnet fault partition --count 30")]
    Partition(RoundArgs),
    /// Fill a replica's disk, and free it again. 10 rounds. Needs root.
    #[command(after_help = "Example:\n  hansa-testnet fault full-disk --count 10")]
    FullDisk(RoundArgs),
    /// Flip a bit in a file of a stopped replica: it must be found, or do no harm. 100 rounds.
    #[command(after_help = "Example:\n  hansa-testnet fault bit-flip --count 100")]
    BitFlip(RoundArgs),
    /// Set a replica's clock wrong while it runs: nothing may come of it. 5 rounds. Needs libfaketime.
    #[command(after_help = "Example:\n  hansa-testnet fault clock-offset --count 5")]
    ClockOffset(RoundArgs),
    /// Lose a replica with its disk, and rebuild it from the others. 20 rounds.
    #[command(after_help = "Example:\n  hansa-testnet fault rebuild --count 20")]
    Rebuild(RoundArgs),
    /// All of these, one after the other.
    #[command(after_help = "Example:\n  hansa-testnet fault all --share ci")]
    All(AllArgs),
    /// Run one bank's group in a seeded simulation: crashes with loss of what was not synced, partitions, pauses, slow
    /// disks, changes of members, on a virtual clock. Every event is checked.
    #[command(
        after_help = "Examples:\n  hansa-testnet fault simulate --seeds 0..10000\n  hansa-testnet fault simulate --seeds 0..300 --plant vote-not-synced"
    )]
    Simulate(SimulateArgs),
}

/// Why a campaign failed.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// One that runs in rounds.
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    /// The simulation.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
}

/// Runs a campaign.
pub fn run(args: &FaultArgs) -> Result<(), FaultError> {
    match &args.campaign {
        Campaign::Kill(args) => campaign::run::<kill::Kill>(args)?,
        Campaign::PowerCut(args) => campaign::run::<power::PowerCut>(args)?,
        Campaign::Pause(args) => campaign::run::<pause::Pause>(args)?,
        Campaign::Partition(args) => campaign::run::<partition::Partition>(args)?,
        Campaign::FullDisk(args) => campaign::run::<disk::FullDisk>(args)?,
        Campaign::BitFlip(args) => campaign::run::<flip::BitFlip>(args)?,
        Campaign::ClockOffset(args) => campaign::run::<clock::ClockOffset>(args)?,
        Campaign::Rebuild(args) => campaign::run::<rebuild::Rebuild>(args)?,
        Campaign::All(args) => all::run(args)?,
        Campaign::Simulate(args) => simulate::run(args)?,
    }
    Ok(())
}
