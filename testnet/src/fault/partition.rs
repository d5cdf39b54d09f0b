//! Networks that lose what one replica sends to another, both ways or one, and links that are slow.

use std::path::Path;
use std::time::Duration;

use hansa_consensus::ConsensusConfig;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

use super::campaign::Fault;
use super::group::{Failure, Group, REPLICAS, violation};
use super::network;
use super::tool::{missing_programs, seclude};
use crate::replica::Plan;

/// The appends around a partition, at the most.
const PACE: u64 = 100;
/// How long a read during it may take to be refused.
const READ: Duration = Duration::from_secs(10);
/// A slow link, as `tc` reads it: a few hundred appends a second.
const SLOW: (&str, &str) = ("2mbit", "50ms");

pub(super) struct Partition(Group);

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// A replica from both others, both ways.
    Off,
    /// What it sends to both others.
    Mute,
    /// What both others send to it.
    Deaf,
    /// A replica from one other, both ways.
    Pair,
    /// What it sends to one other.
    OneWay,
    /// Nothing, but what it receives comes slowly.
    Slow,
}

const CUTS: [Cut; 6] = [Cut::Off, Cut::Mute, Cut::Deaf, Cut::Pair, Cut::OneWay, Cut::Slow];

impl Fault for Partition {
    const NAME: &'static str = "partition";
    const FULL: u64 = 30;

    fn missing() -> Option<String> {
        let programs = [("ip", "iproute2"), ("tc", "iproute2"), ("mount", "mount")];
        missing_programs(&programs).or_else(|| seclude(true))
    }

    fn found(dir: &Path) -> Result<Self, Failure> {
        network::build(REPLICAS)?;
        let addresses: Vec<String> = (1..=REPLICAS).map(network::address).collect();
        let plan = Plan::new(dir, &addresses, &ConsensusConfig::default())?;
        let wrappers = (1..=REPLICAS).map(|id| (id, network::wrapper(id))).collect();
        Group::found(plan, wrappers).map(Self)
    }

    fn round(&mut self, rng: &mut ChaCha20Rng) -> Result<(), Failure> {
        let Self(group) = self;
        group.some_more(rng, PACE)?;
        let (one, choice) = (group.victim(rng)?, rng.next_u64());
        let cut = CUTS[usize::try_from(choice % CUTS.len() as u64).unwrap_or_default()];
        let others: Vec<u64> = (1..=REPLICAS).filter(|id| *id != one).collect();
        let other = others[usize::from(choice & (1 << 32) != 0)];
        let ways: Vec<(u64, u64)> = match cut {
            Cut::Off => others.iter().flat_map(|other| [(one, *other), (*other, one)]).collect(),
            Cut::Mute => others.iter().map(|other| (one, *other)).collect(),
            Cut::Deaf => others.iter().map(|other| (*other, one)).collect(),
            Cut::Pair => vec![(one, other), (other, one)],
            Cut::OneWay => vec![(one, other)],
            Cut::Slow => vec![],
        };
        for (from, to) in &ways {
            network::cut(*from, *to)?;
        }
        if cut == Cut::Slow {
            network::slow(one, SLOW.0, SLOW.1)?;
        }
        let during = during(group, rng, cut, one);
        for (from, to) in &ways {
            network::mend(*from, *to)?;
        }
        if cut == Cut::Slow {
            network::restore(one)?;
        }
        during.map_err(|failure| violation(format!("{cut:?} of replica {one} ({ways:?}): {failure}")))
    }

    fn group(&mut self) -> &mut Group {
        &mut self.0
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        for replica in self.0.replicas() {
            let _ = self.0.kill(replica.id());
        }
        network::remove(REPLICAS);
    }
}

/// A majority is connected, so the group goes on; nobody reads what is out of date; who is cut off reads nothing.
fn during(group: &Group, rng: &mut ChaCha20Rng, cut: Cut, one: u64) -> Result<(), Failure> {
    group.some_more(rng, PACE)?;
    for replica in group.replicas() {
        let read = group.read_is_current(&replica, READ)?;
        if read && cut == Cut::Off && replica.id() == one {
            return Err(violation("it vouched for a read though cut off from all others".to_owned()));
        }
    }
    group.some_more(rng, PACE)
}
