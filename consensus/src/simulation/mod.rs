//! A seeded simulation of the Raft group: the code that serves, on a virtual clock, a disk in memory and a network that
//! loses, doubles, delays and reorders, while replicas crash, pause and are cut off.
//!
//! Everything that happens follows from the seed: one thread, a paused clock, one source of random numbers. After each
//! event the [`check`](self::check) looks at all replicas; the first thing that must not be ends the run, and the same
//! seed ends it again in the same way. What the simulation leaves out: RocksDB and its checkpoints as folders, QUIC,
//! and tokio's own random choice (openraft makes one, when it backs off from an unreachable peer; here a peer that
//! cannot be reached is silent instead).

mod check;
mod client;
mod disk;
mod faults;
mod history;
mod network;
mod plant;
mod snapshots;
mod trace;
mod world;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub use self::plant::Plant;

use self::world::{REPLICAS, World};
use crate::raft::seeded;

/// How long faults happen.
const FAULTS: Duration = Duration::from_secs(15);
/// How long the group may take, once they have ended, until all replicas agree and every client has its answer.
const RECOVERY: Duration = Duration::from_secs(90);
/// How often it is looked whether they do.
const LOOK: Duration = Duration::from_millis(100);

/// A run in which nothing happened that must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// SHA-256 over the trace of all events: the same for the same seed.
    pub trace: [u8; 32],
    /// How many events there were.
    pub events: u64,
    /// How many records were acknowledged.
    pub acknowledged: u64,
    /// How many linearizable reads were answered.
    pub reads: u64,
    /// How many times a replica crashed.
    pub crashes: u64,
    /// How many leaders there were.
    pub leaders: u64,
    /// How many snapshots were installed.
    pub snapshots: u64,
    /// How many times the members changed.
    pub memberships: u64,
}

/// A run that broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The seed that repeats it.
    pub seed: u64,
    /// What must not be.
    pub what: String,
    /// SHA-256 over the trace up to there.
    pub trace: [u8; 32],
    /// The last events before it.
    pub events: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            writeln!(f, "  {event}")?;
        }
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

impl std::error::Error for Violation {}

/// Runs one seed, with a fault planted if one is given.
pub fn run(seed: u64, plant: Option<Plant>) -> Result<Report, Box<Violation>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the system");
    seeded(seed, || {
        let ended = runtime.block_on(async {
            let world = World::new(seed, plant);
            live(&world).await;
            world.end()
        });
        // What the tasks hold goes with them, under the same seed.
        drop(runtime);
        ended
    })
}

async fn live(world: &Arc<World>) {
    for id in REPLICAS {
        world.start(id).await;
    }
    world.found().await;
    let until = Instant::now() + FAULTS;
    let clients: Vec<_> =
        (0..world.scenario.clients).map(|n| tokio::spawn(client::run(world.clone(), n, until))).collect();
    faults::run(world, until).await;
    faults::end(world).await;
    let latest = Instant::now() + RECOVERY;
    while Instant::now() < latest && !world.violated() {
        if clients.iter().all(tokio::task::JoinHandle::is_finished) && world.agrees() {
            world.check_all();
            return;
        }
        sleep(LOOK).await;
    }
    world.violate("the faults have ended, and the group does not recover");
}
