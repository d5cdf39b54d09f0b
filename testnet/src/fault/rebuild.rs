//! The total loss of a replica, and its replacement from the others while they serve.

use std::path::Path;

use hansa_consensus::ConsensusConfig;
use rand_chacha::ChaCha20Rng;

use super::campaign::Fault;
use super::group::{Failure, Group};

/// The appends between two losses, at the most.
const PACE: u64 = 300;
/// The log is purged often, so that a new replica is sent a snapshot and then the rest.
const SNAPSHOT_ENTRIES: u64 = 50;
/// Enough that the rest is still in the log when the snapshot has been installed.
const KEPT_ENTRIES: u64 = 500;

pub(super) struct Rebuild(Group);

impl Fault for Rebuild {
    const NAME: &'static str = "rebuild";
    const FULL: u64 = 20;

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
        group.rebuild(victim)
    }

    fn group(&mut self) -> &mut Group {
        &mut self.0
    }
}
