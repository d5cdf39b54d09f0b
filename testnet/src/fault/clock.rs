//! A wall clock that is wrong and jumps: nobody may take notice, as Raft counts on the monotonic clock alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hansa_consensus::ConsensusConfig;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

use super::campaign::Fault;
use super::group::{Failure, Group, PATIENCE, REPLICAS, io_failure, violation};
use crate::replica::{Plan, Wrapper};

/// The farthest a clock is set off, in seconds, either way.
const FARTHEST: u64 = 3 * 24 * 3600;
/// How near the clock must come to what it was set to, in seconds.
const NEAR: u64 = 30;
/// The appends while it is wrong.
const PACE: u64 = 300;
/// Elections are made rare, so that a new term means that a clock was taken notice of, not that the machine is slow.
const ELECTION_MS: (u64, u64) = (5_000, 6_000);

pub(super) struct ClockOffset(Group);

impl Fault for ClockOffset {
    const NAME: &'static str = "clock-offset";
    const FULL: u64 = 5;

    fn missing() -> Option<String> {
        match library() {
            Some(_) => None,
            None => Some("libfaketime is not installed (Debian: faketime)".to_owned()),
        }
    }

    fn found(dir: &Path) -> Result<Self, Failure> {
        let (election_min_ms, election_max_ms) = ELECTION_MS;
        let base = ConsensusConfig { election_min_ms, election_max_ms, ..ConsensusConfig::default() };
        let plan = Plan::local(dir, REPLICAS, &base)?;
        let mut wrappers = BTreeMap::new();
        for id in plan.ids() {
            set(&plan, id, 0)?;
            let variable = |name: &str, value: String| (name.to_owned(), value);
            let environment = vec![
                variable("LD_PRELOAD", library().unwrap_or_default().display().to_string()),
                variable("FAKETIME_TIMESTAMP_FILE", clock(&plan, id).display().to_string()),
                variable("FAKETIME_CACHE_DURATION", "1".to_owned()),
                variable("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ];
            wrappers.insert(id, Wrapper { program: Vec::new(), environment });
        }
        Group::found(plan, wrappers).map(Self)
    }

    fn round(&mut self, rng: &mut ChaCha20Rng) -> Result<(), Failure> {
        let Self(group) = self;
        group.some_more(rng, PACE)?;
        let victim = group.victim(rng)?;
        let before = group.state(victim)?;
        let far = i64::try_from(rng.next_u64() % FARTHEST).unwrap_or_default();
        let offset = if rng.next_u64().is_multiple_of(2) { far } else { -far };
        set(&group.plan, victim, offset)?;
        let deadline = Instant::now() + PATIENCE;
        while !shows(group.state(victim)?.clock, offset) {
            if Instant::now() > deadline {
                return Err(violation(format!(
                    "the clock of replica {victim} was not set off by {offset} s"
                )));
            }
            group.more(1)?;
        }
        group.more(PACE)?;
        let after = group.state(victim)?;
        if (after.term, after.leader) != (before.term, before.leader) {
            return Err(violation(format!(
                "the clock of replica {victim} was set off by {offset} s, and the group went from {before:?} to {after:?}"
            )));
        }
        Ok(())
    }

    fn group(&mut self) -> &mut Group {
        &mut self.0
    }
}

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?;
    let mut found =
        folders.filter_map(Result::ok).map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    found.find(|library| library.is_file())
}

fn clock(plan: &Plan, id: u64) -> PathBuf {
    plan.folder(id).join("clock")
}

/// Sets a replica's clock off by some seconds.
fn set(plan: &Plan, id: u64, offset: i64) -> Result<(), Failure> {
    let (path, new) = (clock(plan, id), plan.folder(id).join("clock.new"));
    fs::write(&new, format!("{offset:+}\n"))
        .and_then(|()| fs::rename(&new, &path))
        .map_err(io_failure(path.display()))
}

fn shows(clock: u64, offset: i64) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    now.saturating_add_signed(offset).abs_diff(clock) < NEAR
}
