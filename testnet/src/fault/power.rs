//! A power cut of all zones at once: every replica is stopped where it stands, and starts again from what its disk
//! had been given.
//!
//! Each replica's folder is an ext4 file system in an image file, and the images lie on XFS, which copies a file at
//! once by sharing its blocks. A copy holds what ext4 had written and not what it kept in memory for later: the state
//! of a disk whose power went at that moment. A file that was written and not synced just before must be gone, else
//! the cut was none.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use hansa_consensus::ConsensusConfig;
use rand_chacha::ChaCha20Rng;

use super::campaign::Fault;
use super::group::{Failure, Group, REPLICAS, io_failure, violation};
use super::tool::{missing_programs, seclude, text, tool};
use crate::replica::Plan;

/// The size of the XFS file system and of each image; files with holes.
const OUTER_BYTES: u64 = 4 << 30;
const IMAGE_BYTES: u64 = 512 << 20;
/// The appends between two cuts, at the most.
const PACE: u64 = 300;
/// Snapshots and purges come often, so that cuts fall into them.
const SNAPSHOT_ENTRIES: u64 = 50;
const SYNCED: &str = "synced";
const NOT_SYNCED: &str = "not-synced";

pub(super) struct PowerCut {
    group: Group,
    outer: PathBuf,
}

impl Fault for PowerCut {
    const NAME: &'static str = "power-cut";
    const FULL: u64 = 100;

    fn missing() -> Option<String> {
        let programs =
            [("mkfs.xfs", "xfsprogs"), ("mkfs.ext4", "e2fsprogs"), ("mount", "mount"), ("losetup", "mount")];
        missing_programs(&programs).or_else(|| seclude(false)).or_else(|| {
            let free = tool("losetup", ["--find"]);
            free.err().map(|error| format!("no loop device: {error}"))
        })
    }

    fn found(dir: &Path) -> Result<Self, Failure> {
        let base = ConsensusConfig {
            snapshot_entries: SNAPSHOT_ENTRIES,
            keep_entries: 5,
            ..ConsensusConfig::default()
        };
        let plan = Plan::local(dir, REPLICAS, &base)?;
        let (file, outer) = (plan.dir.join("outer.img"), plan.dir.join("outer"));
        sparse(&file, OUTER_BYTES)?;
        tool("mkfs.xfs", ["-q", "-m", "reflink=1", &text(&file)])?;
        std::fs::create_dir_all(&outer).map_err(io_failure(outer.display()))?;
        mount(&file, &outer)?;
        for id in plan.ids() {
            let image = image(&outer, id);
            sparse(&image, IMAGE_BYTES)?;
            tool("mkfs.ext4", ["-q", "-E", "nodiscard", &text(&image)])?;
            mount(&image, &plan.data(id))?;
        }
        Ok(Self { group: Group::found(plan, BTreeMap::new())?, outer })
    }

    fn round(&mut self, rng: &mut ChaCha20Rng) -> Result<(), Failure> {
        let Self { group, outer } = self;
        group.some_more(rng, PACE)?;
        let replicas = group.replicas();
        for replica in &replicas {
            let data = group.plan.data(replica.id());
            write(&data.join(SYNCED), true)?;
            write(&data.join(NOT_SYNCED), false)?;
        }
        // Nobody hears of what a replica does after its own cut.
        for replica in &replicas {
            replica.pause().map_err(io_failure("SIGSTOP"))?;
        }
        for replica in &replicas {
            let (image, cut) = (image(outer, replica.id()), outer.join("cut"));
            tool("cp", ["--reflink=always", &text(&image), &text(&cut)])?;
            group.kill(replica.id())?;
            let data = group.plan.data(replica.id());
            tool("umount", [&data])?;
            std::fs::rename(&cut, &image).map_err(io_failure(cut.display()))?;
            mount(&image, &data)?;
            was_cut(&data)?;
        }
        let starting = replicas.iter().map(|replica| group.start(replica.id()));
        let started = starting.collect::<Result<Vec<_>, _>>()?;
        started.iter().try_for_each(|replica| group.serves(replica))
    }

    fn group(&mut self) -> &mut Group {
        &mut self.group
    }
}

impl Drop for PowerCut {
    fn drop(&mut self) {
        for replica in self.group.replicas() {
            let _ = self.group.kill(replica.id());
        }
        // What cannot be unmounted goes with this process's namespace.
        for id in self.group.plan.ids() {
            let _ = tool("umount", [self.group.plan.data(id)]);
        }
        let _ = tool("umount", [&self.outer]);
    }
}

fn image(outer: &Path, id: u64) -> PathBuf {
    outer.join(format!("replica-{id}.img"))
}

fn sparse(path: &Path, bytes: u64) -> Result<(), Failure> {
    File::create(path).and_then(|file| file.set_len(bytes)).map_err(io_failure(path.display()))
}

fn mount(image: &Path, to: &Path) -> Result<(), Failure> {
    tool("mount", ["-o", "loop", &text(image), &text(to)]).map(|_| ())
}

fn write(path: &Path, sync: bool) -> Result<(), Failure> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(b"written before the cut")?;
        if sync { file.sync_all() } else { Ok(()) }
    });
    written.map_err(io_failure(path.display()))
}

/// What was synced is there, what was not is gone; both are removed.
fn was_cut(data: &Path) -> Result<(), Failure> {
    let length = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |file| file.len());
    if length(SYNCED) == 0 {
        return Err(violation(format!("the disk of {} lost a file that was synced", data.display())));
    }
    if length(NOT_SYNCED) > 0 {
        return Err(violation(format!(
            "the disk of {} kept a file that was not synced: no cut",
            data.display()
        )));
    }
    for name in [SYNCED, NOT_SYNCED] {
        // The one that was not synced may not even have its name.
        let _ = std::fs::remove_file(data.join(name));
    }
    Ok(())
}
