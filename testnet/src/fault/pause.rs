//! SIGSTOP for longer than an election: the replica wakes up in a group that went on without it, and may believe for a
//! moment that it still leads.

use std::path::Path;
use std::time::Duration;

use hansa_consensus::ConsensusConfig;
use rand_chacha::ChaCha20Rng;

use super::campaign::Fault;
use super::group::{Failure, Group, io_failure};

/// The appends around a pause, at the most.
const PACE: u64 = 150;
/// How long the first read after waking up may take.
const READ: Duration = Duration::from_secs(10);

pub(super) struct Pause(Group);

impl Fault for Pause {
    const NAME: &'static str = "pause";
    const FULL: u64 = 20;

    fn found(dir: &Path) -> Result<Self, Failure> {
        Group::local(dir, &ConsensusConfig::default()).map(Self)
    }

    fn round(&mut self, rng: &mut ChaCha20Rng) -> Result<(), Failure> {
        let Self(group) = self;
        group.some_more(rng, PACE)?;
        let victim = group.victim(rng)?;
        let replica = group.replica(victim)?;
        replica.pause().map_err(io_failure("SIGSTOP"))?;
        let passed = group.other(victim).and_then(|other| {
            group.led(&other, victim)?;
            group.some_more(rng, PACE)
        });
        replica.resume().map_err(io_failure("SIGCONT"))?;
        passed?;
        group.read_is_current(&replica, READ)?;
        Ok(())
    }

    fn group(&mut self) -> &mut Group {
        &mut self.0
    }
}
