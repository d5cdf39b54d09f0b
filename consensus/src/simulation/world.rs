//! All replicas with their disks and the links between them, and the one source of chance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hansa_types::signal::Signal;
use hansa_types::verify::{SignalRules, Verifier, VerifyError};
use openraft::ServerState;
use prometheus_client::registry::Registry;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{OnceCell, broadcast};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::check::Checker;
use super::disk::Disk;
use super::network::{Network, identity};
use super::plant::Plant;
use super::snapshots::{Files, MemorySnapshots};
use super::{Report, Violation};
use crate::answer::Answers;
use crate::cluster::Cluster;
use crate::config::{ConsensusConfig, RecordsConfig};
use crate::election::{Election, Heard};
use crate::lock::KeyLock;
use crate::metrics::ConsensusMetrics;
use crate::net::Client;
use crate::proposer::{Proposer, Ways};
use crate::raft::{self, Parts, Raft};
use crate::replica::Incarnation;
use crate::role;
use crate::state::{StateMachine, TreeHead};
use crate::store::SubjectKeys;
use crate::store::memory::MemoryStore;

/// All replicas there may be.
pub(super) const REPLICAS: std::ops::RangeInclusive<u64> = 1..=5;
/// The members at the start.
pub(super) const FOUNDERS: std::ops::RangeInclusive<u64> = 1..=3;

/// How long a replica goes on trying to deliver a command, in milliseconds.
const PROPOSE_MS: u64 = 1_500;

/// How bad this run is.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) clients: u64,
    /// The longest that a client thinks, in milliseconds.
    pub(super) think_ms: u64,
    /// Messages lost, of a thousand.
    loss: u64,
    /// Messages doubled, of a thousand.
    doubled: u64,
    delay_ms: u64,
    disk_ms: u64,
    snapshot_entries: u64,
    keep_entries: u64,
    /// The longest pause between two faults, in milliseconds.
    pub(super) calm_ms: u64,
}

/// What is counted.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) acknowledged: u64,
    pub(super) reads: u64,
    pub(super) crashes: u64,
    pub(super) snapshots: u64,
    pub(super) memberships: u64,
}

/// A replica that runs.
#[derive(Clone)]
pub(super) struct Replica {
    pub(super) life: u64,
    pub(super) raft: Raft,
    pub(super) proposer: Proposer,
    pub(super) ways: Ways,
    pub(super) answers: Arc<Answers>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) state: Arc<StateMachine>,
    pub(super) disk: Arc<Disk>,
    tasks: Arc<[JoinHandle<()>; 4]>,
}

/// Where a replica is.
enum Place {
    Down(MemoryStore),
    Starts,
    Up(Box<Replica>),
}

/// What is wrong at the moment.
#[derive(Default)]
pub(super) struct Weather {
    /// The directions in which nothing passes.
    pub(super) cut: BTreeSet<(u64, u64)>,
    pub(super) paused: BTreeMap<u64, Instant>,
    /// Slow disks, with their longest delay in milliseconds.
    pub(super) slow: BTreeMap<u64, u64>,
    /// The faults have ended: nothing is lost any more.
    pub(super) fair: bool,
}

/// The simulated world.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) plant: Option<Plant>,
    pub(super) scenario: Scenario,
    pub(super) files: Arc<Files>,
    random: Mutex<StdRng>,
    checker: Mutex<Checker>,
    weather: Mutex<Weather>,
    places: Mutex<BTreeMap<u64, Place>>,
    counts: Mutex<Counts>,
    lives: Mutex<u64>,
    /// What was acknowledged: unique key and index.
    acknowledged: Mutex<BTreeMap<[u8; 32], u64>>,
}

/// Believes every signal; none is sent.
struct Believe;

impl SignalRules for Believe {}

impl Verifier<Signal> for Believe {
    fn verify(&self, _: &Signal) -> Result<(), VerifyError> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) fn new(seed: u64, plant: Option<Plant>) -> Arc<Self> {
        let mut random = StdRng::seed_from_u64(seed);
        let scenario = Scenario {
            clients: random.gen_range(2..=5),
            think_ms: random.gen_range(5..=200),
            loss: if random.gen_bool(0.3) { 0 } else { random.gen_range(0..=150) },
            doubled: random.gen_range(0..=100),
            delay_ms: random.gen_range(2..=40),
            disk_ms: random.gen_range(0..=8),
            snapshot_entries: random.gen_range(4..=40),
            keep_entries: random.gen_range(0..=10),
            calm_ms: random.gen_range(200..=3000),
        };
        let places = REPLICAS.map(|id| (id, Place::Down(MemoryStore::default()))).collect();
        let mut checker = Checker::new();
        checker.note(format_args!("seed {seed}: {scenario:?}"));
        Arc::new(Self {
            seed,
            plant,
            scenario,
            files: Arc::default(),
            random: Mutex::new(random),
            checker: Mutex::new(checker),
            weather: Mutex::default(),
            places: Mutex::new(places),
            counts: Mutex::default(),
            lives: Mutex::default(),
            acknowledged: Mutex::default(),
        })
    }

    pub(super) fn checker(&self) -> MutexGuard<'_, Checker> {
        lock(&self.checker)
    }

    pub(super) fn weather(&self) -> MutexGuard<'_, Weather> {
        lock(&self.weather)
    }

    pub(super) fn violated(&self) -> bool {
        self.checker().violation().is_some()
    }

    pub(super) fn violate(&self, what: impl std::fmt::Display) {
        self.checker().violate(what);
    }

    pub(super) fn count(&self, what: impl FnOnce(&mut Counts)) {
        what(&mut lock(&self.counts));
    }

    /// A number from 0 to `most`.
    pub(super) fn draw(&self, most: u64) -> u64 {
        lock(&self.random).gen_range(0..=most)
    }

    pub(super) fn millis(&self, most: u64) -> Duration {
        Duration::from_millis(self.draw(most))
    }

    fn chance(&self, per_mille: u64) -> bool {
        self.draw(999) < per_mille
    }

    /// Whether the network doubles the next message.
    pub(super) fn doubles(&self) -> bool {
        self.chance(self.scenario.doubled) && !self.weather().fair
    }

    /// How long the next message takes, or that it is lost.
    pub(super) fn sends(&self, from: u64, to: u64) -> Option<Duration> {
        let (lost, delay) = (self.chance(self.scenario.loss), self.millis(self.scenario.delay_ms));
        let straggles = self.chance(20);
        let weather = self.weather();
        let lost = (lost && !weather.fair) || weather.cut.contains(&(from, to));
        (!lost).then_some(if straggles && !weather.fair { delay * 20 } else { delay })
    }

    /// Whether a message that is on its way is not cut off.
    pub(super) fn passes(&self, from: u64, to: u64) -> bool {
        !self.weather().cut.contains(&(from, to))
    }

    /// Whether that process is the one that runs.
    pub(super) fn lives(&self, replica: u64, life: u64) -> bool {
        self.replica(replica).is_some_and(|replica| replica.life == life)
    }

    pub(super) async fn wait_while_paused(&self, replica: u64) {
        let until = self.weather().paused.get(&replica).copied();
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    pub(super) fn disk_latency(&self, replica: u64) -> (Duration, Duration) {
        let slow = self.weather().slow.get(&replica).copied();
        let most = slow.unwrap_or(self.scenario.disk_ms);
        let (before, after) = (self.millis(most), self.millis(most));
        let paused = self.weather().paused.get(&replica).copied();
        let rest = paused.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        (before, after + rest)
    }

    /// A replica that runs.
    pub(super) fn replica(&self, id: u64) -> Option<Replica> {
        match lock(&self.places).get(&id) {
            Some(Place::Up(replica)) => Some((**replica).clone()),
            _ => None,
        }
    }

    /// The replicas that run.
    pub(super) fn up(&self) -> Vec<u64> {
        REPLICAS.filter(|id| self.replica(*id).is_some()).collect()
    }

    /// The replica that leads in the latest term, as far as one can see from outside.
    pub(super) fn leader(&self) -> Option<(u64, Replica)> {
        let leads = |id| {
            let replica = self.replica(id)?;
            let (state, vote) = {
                let metrics = replica.raft.metrics();
                let metrics = metrics.borrow();
                (metrics.state, metrics.vote.leader_id)
            };
            (state == ServerState::Leader).then_some((vote, id, replica))
        };
        let latest = REPLICAS.filter_map(leads).max_by_key(|(vote, ..)| *vote);
        latest.map(|(_, id, replica)| (id, replica))
    }

    /// Starts a replica that is down.
    pub(super) async fn start(self: &Arc<Self>, id: u64) {
        let memory = {
            let mut places = lock(&self.places);
            match places.insert(id, Place::Starts) {
                Some(Place::Down(memory)) => memory,
                Some(other) => {
                    places.insert(id, other);
                    return;
                }
                None => return,
            }
        };
        self.checker().starts(id, &memory);
        let life = {
            let mut lives = lock(&self.lives);
            *lives += 1;
            *lives
        };
        let disk = Arc::new(Disk::new(id, memory, self.clone()));
        match self.process(id, life, disk.clone()).await {
            Ok(replica) => {
                lock(&self.places).insert(id, Place::Up(Box::new(replica)));
            }
            Err(error) => self.violate(format_args!("replica {id} does not start: {error}")),
        }
    }

    /// What [`crate::Consensus::open`] does, on this disk and this network.
    async fn process(self: &Arc<Self>, id: u64, life: u64, disk: Arc<Disk>) -> Result<Replica, String> {
        let config = ConsensusConfig {
            replica: id,
            snapshot_entries: self.scenario.snapshot_entries,
            keep_entries: self.scenario.keep_entries,
            propose_ms: PROPOSE_MS,
            ..ConsensusConfig::default()
        };
        let state = StateMachine::load(disk.clone(), Arc::new(SubjectKeys::in_memory()), Arc::new(Believe))
            .map_err(|e| e.to_string())?;
        let state = Arc::new(state);
        let snapshots = Arc::new(MemorySnapshots::new(id, disk.clone(), self.files.clone()));
        let metrics = ConsensusMetrics::register(&mut Registry::default());
        let client: Option<Client> = Some(Arc::new(Network { world: self.clone(), from: id, life }));
        let changes = broadcast::channel(1).0;
        let parts = Parts { store: disk.clone(), state: state.clone(), snapshots, changes };
        let raft = raft::start(&config, client.clone(), parts, metrics.clone()).await;
        let (raft, votes) = raft.map_err(|e| e.to_string())?;
        let (role, following) = role::follow(&raft, config.patience(), metrics.clone());
        let ways = Ways { raft: raft.clone(), client: client.clone(), role: role.clone() };
        let (proposer, packing) = Proposer::spawn(ways.clone(), &config, metrics);
        let (draining, lock) = (Arc::new(AtomicBool::new(false)), Arc::new(KeyLock::new()));
        let heard = Arc::new(Heard::new(&config));
        let cluster = Arc::new(Cluster {
            id,
            raft: raft.clone(),
            client: client.clone(),
            role,
            proposer: proposer.clone(),
            state: state.clone(),
            records: RecordsConfig::default(),
            levels: config.levels(),
            lease: config.lease(),
            draining: draining.clone(),
            lock: lock.clone(),
            changing: tokio::sync::Mutex::default(),
        });
        let answers = Arc::new(Answers {
            id,
            incarnation: Incarnation(id),
            levels: config.levels(),
            raft: raft.clone(),
            state: state.clone(),
            draining: draining.clone(),
            lock,
            heard: heard.clone(),
            serving: OnceCell::new_with(Some((proposer.clone(), cluster.clone()))),
            receiving: tokio::sync::Mutex::default(),
        });
        let election = Election::new(&config, raft.clone(), state.clone(), client, heard, draining);
        let [standing, yielding] = election.spawn(votes);
        let tasks = Arc::new([following, packing, standing, yielding]);
        Ok(Replica { life, raft, proposer, ways, answers, cluster, state, disk, tasks })
    }

    /// Founds the group of the first members.
    pub(super) async fn found(&self) {
        let Some(first) = self.replica(*FOUNDERS.start()) else { return };
        let members: BTreeMap<u64, _> = FOUNDERS.map(|id| (id, identity(id))).collect();
        if let Err(error) = first.raft.initialize(members).await {
            self.violate(format_args!("the group is not founded: {error}"));
        }
    }

    /// Kills a replica: a part of what was not synced is lost.
    pub(super) fn crash(&self, id: u64) {
        let Some(replica) = self.replica(id) else { return };
        if let Err(error) = &replica.raft.metrics().borrow().running_state {
            self.violate(format_args!("replica {id} had stopped by itself: {error}"));
        }
        let unsynced = replica.disk.unsynced();
        let kept = self.draw(unsynced as u64) as usize;
        self.checker().note(format_args!("replica {id} crashes and keeps {kept} of {unsynced} writes"));
        self.count(|counts| counts.crashes += 1);
        replica.tasks.iter().for_each(JoinHandle::abort);
        lock(&self.places).insert(id, Place::Down(replica.disk.crash(kept)));
        // Its tasks find the disk gone; this lets those end that wait for messages.
        tokio::spawn(async move { replica.raft.shutdown().await });
    }

    /// Remembers what was acknowledged.
    pub(super) fn acknowledge(&self, key: [u8; 32], index: u64) {
        self.count(|counts| counts.acknowledged += 1);
        lock(&self.acknowledged).insert(key, index);
    }

    /// Something that was acknowledged, if anything was.
    pub(super) fn any_acknowledged(&self) -> Option<([u8; 32], u64)> {
        let all = lock(&self.acknowledged);
        let place = all.len().checked_sub(1).map(|last| self.draw(last as u64) as usize)?;
        all.iter().nth(place).map(|(key, index)| (*key, *index))
    }

    /// The members, as the leader knows them.
    pub(super) fn members(&self) -> BTreeSet<u64> {
        let Some((_, leader)) = self.leader() else { return BTreeSet::new() };
        let metrics = leader.raft.metrics();
        metrics.borrow().membership_config.voter_ids().collect()
    }

    /// Whether all members have applied the same.
    pub(super) fn agrees(&self) -> bool {
        let position = |id| -> Option<(Option<u64>, TreeHead)> {
            let replica = self.replica(id)?;
            let applied = replica.raft.metrics().borrow().last_applied.map(|log_id| log_id.index);
            Some((applied, replica.state.head()))
        };
        let members = self.members();
        let positions: Vec<_> = members.iter().map(|id| position(*id)).collect();
        !members.is_empty() && positions.iter().all(|p| p.is_some() && *p == positions[0])
    }

    /// Looks at everything once more, at rest.
    pub(super) fn check_all(&self) {
        for id in REPLICAS {
            let Some(replica) = self.replica(id) else { continue };
            if let Err(error) = &replica.raft.metrics().borrow().running_state {
                self.violate(format_args!("replica {id} has stopped by itself: {error}"));
            }
        }
        for id in self.members() {
            let Some(replica) = self.replica(id) else { continue };
            for (key, index) in lock(&self.acknowledged).iter() {
                let found = replica.state.find_unique(key);
                if found != Ok(Some(*index)) {
                    self.violate(format_args!("{index} was acknowledged, replica {id} has {found:?}"));
                }
            }
        }
    }

    /// Ends the run.
    pub(super) fn end(&self) -> Result<Report, Box<Violation>> {
        // The replicas' disks know the world: they would keep one another for ever.
        lock(&self.places).clear();
        let (checker, counts) = (self.checker(), *lock(&self.counts));
        let trace = checker.trace.digest();
        if let Some(what) = checker.violation() {
            let events = checker.trace.last();
            return Err(Box::new(Violation { seed: self.seed, what: what.to_owned(), trace, events }));
        }
        Ok(Report {
            seed: self.seed,
            trace,
            events: checker.trace.count(),
            acknowledged: counts.acknowledged,
            reads: counts.reads,
            crashes: counts.crashes,
            leaders: checker.leaders(),
            snapshots: counts.snapshots,
            memberships: counts.memberships,
        })
    }
}
