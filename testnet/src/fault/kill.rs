//! SIGKILL under load: nothing is flushed, nothing said to anybody.

use std::path::Path;

use hansa_consensus::ConsensusConfig;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

use super::campaign::Fault;
use super::group::{Failure, Group};

/// The appends between two blows, at the most.
const PACE: u64 = 150;
/// Every so many rounds the replica is killed again while it recovers.
const TWICE: u64 = 4;
/// Snapshots and purges come often, so that blows fall into them.
const SNAPSHOT_ENTRIES: u64 = 500;
/// Enough that a replica that was away for a moment catches up from the log: a snapshot takes longer than the group takes
/// to write as many entries again.
const KEPT_ENTRIES: u64 = 2_000;

pub(super) struct Kill(Group);

impl Fault for Kill {
    const NAME: &'static str = "kill";
    const FULL: u64 = 500;

    fn found(dir: &Path) -> Result<Self, Failure> {
        let base = ConsensusConfig {
            snapshot_entries: SNAPSHOT_ENTRIES,
            keep_entries: KEPT_ENTRIES,
            ..ConsensusConfig::default()
        };
        Group::local(dir, &base).map(Self)
    }

    fn round(&mut self, rng: &mut ChaCha20Rng) -> Result<(), Failure> {
        let Self(group) = self;
        group.some_more(rng, PACE)?;
        let victim = group.victim(rng)?;
        group.kill(victim)?;
        if rng.next_u64().is_multiple_of(TWICE) {
            let again = group.start(victim)?;
            group.some_more(rng, PACE)?;
            drop(again);
        }
        // The others go on without it.
        group.some_more(rng, PACE)?;
        group.restart(victim)
    }

    fn group(&mut self) -> &mut Group {
        &mut self.0
    }
}
