//! Writers that never stop: each appends one key after the other at replicas chosen at random, and tries again
//! elsewhere until the key is acknowledged. What was acknowledged is remembered with its index.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::replica::{Answer, Content, ReplicaProcess, Request};

/// Appends under way at once.
const WRITERS: u64 = 16;
/// How long a writer waits for one replica before it asks another: a paused one answers nothing.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a writer that was refused waits for news of the group before it tries again.
const RETRY: Duration = Duration::from_millis(20);

/// The replicas that run, shared by those who start and end them and those who ask them.
#[derive(Default)]
pub(super) struct Running {
    processes: Mutex<BTreeMap<u64, Arc<ReplicaProcess>>>,
    changed: Condvar,
}

impl Running {
    /// Adds a replica that was started.
    pub(super) fn add(&self, process: &Arc<ReplicaProcess>) {
        locked(&self.processes).insert(process.id(), process.clone());
        self.changed.notify_all();
    }

    /// Takes a replica out that is to end.
    pub(super) fn remove(&self, id: u64) -> Option<Arc<ReplicaProcess>> {
        locked(&self.processes).remove(&id)
    }

    /// One of them.
    pub(super) fn get(&self, id: u64) -> Option<Arc<ReplicaProcess>> {
        locked(&self.processes).get(&id).cloned()
    }

    /// All of them, by number.
    pub(super) fn all(&self) -> Vec<Arc<ReplicaProcess>> {
        locked(&self.processes).values().cloned().collect()
    }

    /// One at random, once there is one; `None` if there is none for a while.
    fn any(&self, rng: &mut ChaCha20Rng) -> Option<Arc<ReplicaProcess>> {
        let processes = locked(&self.processes);
        let waited = self.changed.wait_timeout_while(processes, RETRY, |processes| processes.is_empty());
        let (processes, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let count = u64::try_from(processes.len()).ok().filter(|count| *count > 0)?;
        let nth = usize::try_from(rng.next_u64() % count).unwrap_or_default();
        processes.values().nth(nth).cloned()
    }

    /// Waits until a replica is added, or a moment.
    fn breathe(&self) {
        drop(self.changed.wait_timeout(locked(&self.processes), RETRY));
    }
}

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// Index by key.
    all: BTreeMap<u64, u64>,
    /// Since [`Load::fresh`] was last asked.
    fresh: Vec<(u64, u64)>,
    /// The greatest index.
    newest: Option<u64>,
    /// Answers that no append can have.
    wrong: Vec<String>,
}

struct Shared {
    running: Arc<Running>,
    seed: u64,
    next_key: AtomicU64,
    stop: AtomicBool,
    acknowledged: Mutex<Acknowledged>,
    more: Condvar,
}

/// The writers. Dropped, they stop.
pub(super) struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts to write to whatever runs.
    pub(super) fn start(running: Arc<Running>, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            running,
            seed,
            next_key: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            acknowledged: Mutex::default(),
            more: Condvar::new(),
        });
        let writers = (0..WRITERS).map(|writer| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.write(writer))
        });
        Self { writers: writers.collect(), shared }
    }

    /// How many appends were acknowledged.
    pub(super) fn count(&self) -> u64 {
        locked(&self.shared.acknowledged).all.len() as u64
    }

    /// Waits until `count` more appends are acknowledged; returns how many were if that takes too long.
    pub(super) fn wait_for(&self, count: u64, patience: Duration) -> Result<(), u64> {
        let (deadline, mut acknowledged) = (Instant::now() + patience, locked(&self.shared.acknowledged));
        let start = acknowledged.all.len() as u64;
        loop {
            let got = acknowledged.all.len() as u64 - start;
            let left = deadline.saturating_duration_since(Instant::now());
            if got >= count {
                return Ok(());
            }
            if left.is_zero() {
                return Err(got);
            }
            let waited = self.shared.more.wait_timeout(acknowledged, left);
            acknowledged = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Keys and indexes acknowledged since the last time.
    pub(super) fn fresh(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut locked(&self.shared.acknowledged).fresh)
    }

    /// All keys and indexes acknowledged.
    pub(super) fn all(&self) -> Vec<(u64, u64)> {
        locked(&self.shared.acknowledged).all.iter().map(|(key, index)| (*key, *index)).collect()
    }

    /// The greatest index acknowledged.
    pub(super) fn newest(&self) -> Option<u64> {
        locked(&self.shared.acknowledged).newest
    }

    /// Answers that no append can have.
    pub(super) fn wrong(&self) -> Vec<String> {
        locked(&self.shared.acknowledged).wrong.clone()
    }

    /// Stops and waits for what is under way.
    pub(super) fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for writer in self.writers.drain(..) {
            let _ = writer.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn write(&self, writer: u64) {
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed ^ writer);
        while !self.stop.load(Ordering::Relaxed) {
            let key = self.next_key.fetch_add(1, Ordering::Relaxed);
            let content = Content { key, seed: rng.next_u64() };
            while !self.stop.load(Ordering::Relaxed) {
                let Some(replica) = self.running.any(&mut rng) else { continue };
                match replica.ask(&Request::Append(content), PATIENCE) {
                    Some(Answer::Error(_) | Answer::Gone) => self.running.breathe(),
                    Some(answer) => {
                        self.note(key, &answer, replica.id());
                        break;
                    }
                    None => {}
                }
            }
        }
    }

    fn note(&self, key: u64, answer: &Answer, replica: u64) {
        let mut acknowledged = locked(&self.acknowledged);
        match answer.index() {
            Some(index) => {
                acknowledged.all.insert(key, index);
                acknowledged.fresh.push((key, index));
                acknowledged.newest = acknowledged.newest.max(Some(index));
            }
            None => acknowledged
                .wrong
                .push(format!("replica {replica} answered `{answer}` to the first append of key {key}")),
        }
        drop(acknowledged);
        self.more.notify_all();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
