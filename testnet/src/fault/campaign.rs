//! A campaign: rounds of one fault, each with its own seed, on a group that is founded anew every so many rounds.
//!
//! Rounds are noted once their group has passed its last check, by commit, so a campaign that was broken off goes on.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use hansa_types::hash::{Digest, digest};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::check::Findings;
use super::group::{Failure, Group};
use super::progress::{Progress, ProgressError};
use crate::bench::commit;

/// After how many rounds the group is founded anew: logs stay short enough to be read whole.
const ROUNDS_OF_GROUP: usize = 20;
/// After how many rounds a line says how far it is.
const SAY_EVERY: u64 = 5;
const DOMAIN: &str = "hansa-testnet/fault-round/v1";

/// How long, and where.
#[derive(Args, Clone, Debug)]
pub struct RoundArgs {
    /// How many rounds; the full campaign if not given.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// What every choice of the campaign follows from.
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// The folder of the replicas and of the list of rounds that have passed; those are not run again.
    #[arg(long, default_value = "testnet-data/fault", value_name = "DIR")]
    pub dir: PathBuf,
}

/// Why a campaign failed.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// A round.
    #[error(
        "{name}: round {round}: {failure}
the replicas' logs are in {dir}; the same rounds again: hansa-testnet fault \
         {name} --seed {seed}"
    )]
    Round {
        /// The fault.
        name: &'static str,
        /// Which round.
        round: u64,
        /// The campaign's seed.
        seed: u64,
        /// What happened.
        failure: Box<Failure>,
        /// The group's folder.
        dir: PathBuf,
    },
    /// The group was not founded, or not ended.
    #[error("{name}: {failure}; the replicas' logs are in {dir}")]
    Group {
        /// The fault.
        name: &'static str,
        /// What happened.
        failure: Box<Failure>,
        /// The group's folder.
        dir: PathBuf,
    },
    /// The list of rounds.
    #[error(transparent)]
    Progress(#[from] ProgressError),
    /// Some of all campaigns.
    #[error("failed: {0}")]
    Several(String),
}

/// One kind of harm.
pub(super) trait Fault: Sized {
    /// The verb.
    const NAME: &'static str;
    /// How many rounds the full campaign has.
    const FULL: u64;

    /// What this machine lacks for it, if anything. May go on in a new process that has what is needed.
    fn missing() -> Option<String> {
        None
    }

    /// Founds a group in a new folder.
    fn found(dir: &Path) -> Result<Self, Failure>;

    /// Does the harm once and undoes it; the log is checked after it.
    fn round(&mut self, rng: &mut ChaCha20Rng) -> Result<(), Failure>;

    /// The group.
    fn group(&mut self) -> &mut Group;

    /// What else is to be said at the end: counts by name.
    fn tallies(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// Runs the rounds that have not passed yet.
pub(super) fn run<F: Fault>(args: &RoundArgs) -> Result<(), CampaignError> {
    let (name, seed) = (F::NAME, args.seed);
    if let Some(reason) = F::missing() {
        println!("SKIPPED: fault {name}: {reason}");
        return Ok(());
    }
    let count = args.count.unwrap_or(F::FULL);
    let mut progress = Progress::open(&args.dir.join(format!("{name}-{seed}.txt")), commit())?;
    let left: Vec<u64> = (0..count).filter(|round| !progress.has(*round)).collect();
    println!("{name}: {} of {count} rounds are left", left.len());
    let dir = args.dir.join(name).join(seed.to_string());
    let (start, mut tally) = (Instant::now(), Tally::default());
    for rounds in left.chunks(ROUNDS_OF_GROUP) {
        if let Err(error) = run_group::<F>(&dir, seed, rounds, &mut tally) {
            if let CampaignError::Round { failure, .. } | CampaignError::Group { failure, .. } = &error
                && let Failure::Found(Findings { lost, doubled, .. }) = &**failure
            {
                println!("{name}: {} of {count} passed, {lost} lost, {doubled} doubled", tally.rounds);
            }
            return Err(error);
        }
        for round in rounds {
            progress.add(*round)?;
        }
        println!(
            "{name}: {} of {count} passed, {} s",
            progress.count(&(0..count)),
            start.elapsed().as_secs()
        );
    }
    println!("{name}: {count} of {count} passed, 0 lost, 0 doubled{}", tally.text());
    Ok(())
}

/// What was seen in this run.
#[derive(Default)]
struct Tally {
    rounds: u64,
    acknowledged: u64,
    others: Vec<(&'static str, u64)>,
}

impl Tally {
    fn add(&mut self, others: Vec<(&'static str, u64)>) {
        for (name, more) in others {
            match self.others.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += more,
                None => self.others.push((name, more)),
            }
        }
    }

    fn text(&self) -> String {
        let mut text = match self.acknowledged {
            0 => String::new(),
            count => format!("; {count} appends acknowledged in {} rounds", self.rounds),
        };
        for (name, count) in &self.others {
            let _ = write!(text, ", {count} {name}");
        }
        text
    }
}

fn run_group<F: Fault>(
    dir: &Path,
    seed: u64,
    rounds: &[u64],
    tally: &mut Tally,
) -> Result<(), CampaignError> {
    let name = F::NAME;
    let of_group = |failure| CampaignError::Group { name, failure: Box::new(failure), dir: dir.to_owned() };
    super::tool::clear(dir).map_err(of_group)?;
    let mut fault = F::found(dir).map_err(of_group)?;
    for round in rounds {
        let Digest(seeded) = digest(DOMAIN, &[name.as_bytes(), &seed.to_be_bytes(), &round.to_be_bytes()]);
        let passed = fault.round(&mut ChaCha20Rng::from_seed(seeded)).and_then(|()| fault.group().check());
        passed.map_err(|failure| CampaignError::Round {
            name,
            round: *round,
            seed,
            failure: Box::new(failure),
            dir: dir.to_owned(),
        })?;
        tally.rounds += 1;
        if tally.rounds.is_multiple_of(SAY_EVERY) {
            println!("{name}: round {round} passed, {} leaves", fault.group().leaves());
        }
    }
    tally.acknowledged += fault.group().end().map_err(of_group)?;
    tally.add(fault.tallies());
    drop(fault);
    super::tool::clear(dir).map_err(of_group)
}
