//! A disk that fills up: the replica must refuse and stop with its reason, the others go on, and with room again it
//! comes back and catches up.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hansa_consensus::ConsensusConfig;
use rand_chacha::ChaCha20Rng;

use super::campaign::Fault;
use super::group::{Failure, Group, REPLICAS, io_failure, violation};
use super::tool::{seclude, text, tool};
use crate::replica::{News, Plan};

/// The size of each replica's disk, as `mount` reads it: less than RocksDB would set aside for its write-ahead log, so
/// that the log needs new room with each append.
const DISK: &str = "size=48m";
/// What the ballast leaves, in bytes.
const LEFT: u64 = 128 << 10;
/// The appends around it, at the most.
const PACE: u64 = 150;
/// What the program says where its log ends: the reason, and that nothing is written any more.
const REASON: &str = "No space left on device";

pub(super) struct FullDisk {
    group: Group,
    mounts: Vec<PathBuf>,
}

impl Fault for FullDisk {
    const NAME: &'static str = "full-disk";
    const FULL: u64 = 10;

    fn missing() -> Option<String> {
        seclude(false)
    }

    fn found(dir: &Path) -> Result<Self, Failure> {
        let plan = Plan::local(dir, REPLICAS, &ConsensusConfig::default())?;
        let mut mounts = Vec::new();
        for id in plan.ids() {
            let data = plan.data(id);
            tool("mount", ["-t", "tmpfs", "-o", DISK, "none", &text(&data)])?;
            mounts.push(data);
        }
        Ok(Self { group: Group::found(plan, BTreeMap::new())?, mounts })
    }

    fn round(&mut self, rng: &mut ChaCha20Rng) -> Result<(), Failure> {
        let group = &self.group;
        group.some_more(rng, PACE)?;
        let victim = group.victim(rng)?;
        let replica = group.replica(victim)?;
        let ballast = group.plan.data(victim).join("ballast");
        fill(&ballast).map_err(io_failure(ballast.display()))?;
        match group.news(&replica)? {
            News::Stopped(reason) if reason.contains(REASON) => {}
            other => {
                return Err(violation(format!("replica {victim} said {other:?} when its disk was full")));
            }
        }
        group.ended(victim);
        let status = replica.wait().map_err(io_failure("wait"))?;
        let words = replica.last_words();
        if status.code() != Some(1) || words.contains("panicked") {
            return Err(violation(format!(
                "replica {victim} ended with {status} when its disk was full: {words}"
            )));
        }
        // The others go on.
        group.some_more(rng, PACE)?;
        std::fs::remove_file(&ballast).map_err(io_failure(ballast.display()))?;
        group.restart(victim)
    }

    fn group(&mut self) -> &mut Group {
        &mut self.group
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        for replica in self.group.replicas() {
            // One that is gone already lets go of its mount as well.
            let _ = self.group.kill(replica.id());
        }
        for mount in &self.mounts {
            let _ = tool("umount", [mount]);
        }
    }
}

/// Takes all room but a little.
fn fill(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let block = vec![0; 64 << 10];
    let mut written = 0;
    loop {
        match file.write(&block) {
            Ok(bytes) => written += bytes as u64,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
            Err(error) => return Err(error),
        }
    }
    file.set_len(written.saturating_sub(LEFT))
}
