//! One bank's Raft group, its replicated state and its store.
//!
//! The third level of validity: whether something is *new*. A proposed [`Command`] is committed by the group, applied
//! alike on every replica, and answered with an [`Outcome`] once it is durable. What the state holds is the audit log
//! (sealed leaves and their Merkle tree), keyed indexes into it, encrypted current values, the bank's signal counters
//! and intents, and the nullifiers of all signals seen.
//!
//! A group has one, three or five replicas, each in a zone; [`net`] carries Raft between them, and any of them takes a
//! command and forwards it to the one that leads.

pub mod backup;
pub mod cluster;
pub mod command;
pub mod config;
pub mod error;
pub mod lock;
pub mod metrics;
pub mod net;
pub mod outcome;
pub mod replica;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;

mod answer;
mod barrier;
mod checkpoint;
mod election;
mod erasure;
mod group;
mod proposer;
mod queries;
mod raft;
mod role;
mod state;
mod store;

#[cfg(test)]
mod testing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hansa_audit_log::tiles::Tile;
use hansa_types::verify::SignalVerifier;
use prometheus_client::registry::Registry;
use tokio::sync::{Mutex, OnceCell, broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub use crate::cluster::{ClusterStatus, ReplicaStatus};
pub use crate::command::{Command, DocumentWrite, IndexTerm, Intent, Leaf, Proposal, SubjectRef, Unique};
pub use crate::config::{ConsensusConfig, RecordsConfig, ReplicaConfig};
pub use crate::erasure::{Residue, replay_erasures};
pub use crate::error::{
    BarrierError, CheckpointError, ClusterError, OpenError, ProposeError, ReadError, StoreError, UnlockError,
};
pub use crate::lock::{Locked, Restored, Unlocking, answers_needed};
pub use crate::outcome::Outcome;
pub use crate::role::Role;
pub use crate::state::{Change, Document, ErasedKey, PendingIntent, SignalState, TreeHead, Witnessed};
pub use crate::store::subject_key_name;

use crate::answer::Answers;
use crate::cluster::Cluster;
use crate::config::ConfigError;
use crate::election::{Election, Heard};
use crate::lock::KeyLock;
use crate::metrics::ConsensusMetrics;
use crate::net::{Admin, BindError, Client, Request, Response, Server, TlsError};
use crate::proposer::{Proposer, Ways, why_stopped};
use crate::raft::{Parts, Raft, Snapshots};
use crate::replica::{Incarnation, Replica};
use crate::state::StateMachine;
use crate::store::{Batch, Durability, RocksStore, Store, SubjectKeys, Table, read_u64};

/// Keys of [`Table::RaftMeta`].
pub(crate) const REPLICA_KEY: &[u8] = b"replica";
pub(crate) const INCARNATION_KEY: &[u8] = b"incarnation";
/// The folder of the database of subject keys, in the data folder.
pub(crate) const SUBJECT_KEYS: &str = "subject-keys";
/// How long the first election may take in a group of one, which nobody can disturb.
const ELECTION_SECONDS: u64 = 60;
/// How long a replica of a larger group waits for a leader when it starts; without one it serves what it may.
const LEADER_SECONDS: u64 = 10;
/// How long an operator's wish may take on the leader: a joining replica copies the whole log.
const ADMIN: Duration = Duration::from_secs(900);
/// How often it is looked whether the tasks have ended.
const ENDING: Duration = Duration::from_millis(1);
/// Changes that a slow follower of them may fall behind before it has to read everything again.
const CHANGES: usize = 1024;

/// One replica of the bank's group.
pub struct Consensus {
    config: ConsensusConfig,
    raft: Raft,
    state: Arc<StateMachine>,
    store: Arc<RocksStore>,
    proposer: Proposer,
    client: Option<Client>,
    cluster: Arc<Cluster>,
    role: watch::Receiver<Role>,
    changes: broadcast::Sender<Change>,
    draining: Arc<AtomicBool>,
    lock: Arc<KeyLock>,
    backing_up: Arc<std::sync::Mutex<()>>,
    tasks: Vec<JoinHandle<()>>,
}

/// How this replica stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This replica.
    pub replica: u64,
    /// Who leads, if anybody is known to.
    pub leader: Option<u64>,
    /// Whether commands can be committed.
    pub quorum: bool,
    /// Raft's term.
    pub term: u64,
    /// The index of the last Raft entry applied.
    pub applied: Option<u64>,
    /// How many leaves the audit log has.
    pub size: u64,
    /// Why this replica stopped, if it did.
    pub stopped: Option<String>,
}

impl Consensus {
    /// Opens the data folder, founding the group with the others if it is new, and returns once this replica serves:
    /// every command ever acknowledged is applied, or, in a group without a leader, what this replica knows is read.
    /// `verifier` is asked about every signal, on every replica.
    pub async fn open(
        config: &ConsensusConfig,
        records: &RecordsConfig,
        verifier: Arc<SignalVerifier>,
        registry: &mut Registry,
    ) -> Result<Self, OpenError> {
        config.validate(records)?;
        let metrics = ConsensusMetrics::register(registry);
        let owned = config.clone();
        let Opened { store, snapshots, state, incarnation } =
            tokio::task::spawn_blocking(move || open_store(&owned, verifier))
                .await
                .map_err(|error| OpenError::Raft(error.to_string()))??;
        let server = listen(config).await?;
        let client = server.as_ref().map(|server| server.client(state.clone()));
        let (changes, _) = broadcast::channel(CHANGES);
        let parts = Parts { store: store.clone(), state: state.clone(), snapshots, changes: changes.clone() };
        let (raft, votes) = raft::start(config, client.clone(), parts, metrics.clone()).await?;
        let (draining, lock, heard) =
            (Arc::<AtomicBool>::default(), Arc::new(KeyLock::new()), Arc::new(Heard::new(config)));
        let answers = Arc::new(Answers {
            id: config.replica,
            incarnation,
            levels: config.levels(),
            raft: raft.clone(),
            state: state.clone(),
            draining: draining.clone(),
            lock: lock.clone(),
            heard: heard.clone(),
            serving: OnceCell::new(),
            receiving: Mutex::new(()),
        });
        let mut tasks: Vec<_> = server.map(|server| server.run(answers.clone())).into_iter().collect();
        let first_level = group::enter(config, &answers, client.as_ref()).await?;
        let (role, following) = role::follow(&raft, config.patience(), metrics.clone());
        let ways = Ways { raft: raft.clone(), client: client.clone(), role: role.clone() };
        let (proposer, packing) = Proposer::spawn(ways, config, metrics.clone());
        let election =
            Election::new(config, raft.clone(), state.clone(), client.clone(), heard, draining.clone());
        tasks.extend([following, packing]);
        tasks.extend(election.spawn(votes));
        let cluster = Arc::new(Cluster {
            id: config.replica,
            raft: raft.clone(),
            client: client.clone(),
            role: role.clone(),
            proposer: proposer.clone(),
            state: state.clone(),
            records: records.clone(),
            levels: config.levels(),
            lease: config.lease(),
            lock: lock.clone(),
            draining: draining.clone(),
            changing: Mutex::new(()),
        });
        let _ = answers.serving.set((proposer.clone(), cluster.clone()));
        let consensus = Self {
            config: config.clone(),
            raft,
            state,
            store,
            proposer,
            client,
            cluster,
            role,
            changes,
            draining,
            lock,
            backing_up: Arc::default(),
            tasks,
        };
        consensus.wait_for_leader(first_level).await?;
        tracing::info!(replica = consensus.config.replica, size = consensus.size(), "consensus serves");
        Ok(consensus)
    }

    /// Proposes a command and waits until it is committed, applied, and hence durable on a quorum. Any number of
    /// callers may wait at once, on any replica; what waits together shares an fsync.
    pub async fn propose(&self, command: Command) -> Result<Outcome, ProposeError> {
        self.proposer.propose(&Proposal { seen: None, command }).await
    }

    /// As [`Consensus::propose`], for a command that was decided on after looking at documents and signals as they
    /// were when the log had `seen` leaves: if one changed since, the outcome is [`Outcome::Stale`].
    pub async fn propose_after(&self, seen: u64, command: Command) -> Result<Outcome, ProposeError> {
        self.proposer.propose(&Proposal { seen: Some(seen), command }).await
    }

    /// Returns once this replica has applied all that was committed in the group before the call: a read after it is
    /// linearizable, on whichever replica.
    pub async fn barrier(&self) -> Result<(), BarrierError> {
        self.ways().barrier(self.config.propose_time()).await
    }

    fn ways(&self) -> Ways {
        Ways { raft: self.raft.clone(), client: self.client.clone(), role: self.role.clone() }
    }

    /// How this replica stands in its group, now and whenever it changes.
    #[must_use]
    pub fn role(&self) -> watch::Receiver<Role> {
        self.role.clone()
    }

    /// What every applied entry changed, from now on. Whoever falls behind reads everything again.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// The group, each replica asked how it is.
    pub async fn cluster(&self) -> Result<ClusterStatus, StoreError> {
        self.cluster.status().await
    }

    /// Takes a replica in that runs and waits for it.
    pub async fn join(&self, id: u64, replica: Replica) -> Result<String, ClusterError> {
        self.administer(Admin::Join { id, replica }).await
    }

    /// Lets a replica go.
    pub async fn leave(&self, id: u64) -> Result<String, ClusterError> {
        self.administer(Admin::Leave(id)).await
    }

    /// Hands leadership to the replica named, or to the one that has most. Refused or failed, the leader stays.
    pub async fn transfer(&self, to: Option<u64>) -> Result<String, ClusterError> {
        self.administer(Admin::Transfer(to)).await
    }

    /// Uses the newest version of the state that every replica understands.
    pub async fn finalize(&self) -> Result<String, ClusterError> {
        self.administer(Admin::Finalize).await
    }

    /// Makes this replica ready to be stopped: it hands leadership over and takes none, until [`Consensus::undrain`].
    pub async fn drain(&self) -> Result<String, ClusterError> {
        self.draining.store(true, Ordering::Relaxed);
        let leads = self.role.borrow().leads;
        let done =
            if leads { self.transfer(None).await } else { Ok("this replica does not lead".to_owned()) };
        if done.is_err() {
            self.undrain();
        }
        done
    }

    /// Ends what [`Consensus::drain`] began.
    pub fn undrain(&self) {
        self.draining.store(false, Ordering::Relaxed);
    }

    /// Whether this replica is drained.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    async fn administer(&self, admin: Admin) -> Result<String, ClusterError> {
        // An election may be under way.
        let mut roles = self.role.clone();
        let led = roles.wait_for(|role| role.quorum && role.leader.is_some() || role.stopped.is_some());
        let role = match timeout(self.config.propose_time(), led).await {
            Ok(Ok(role)) => role.clone(),
            _ => return Err(ClusterError::NoQuorum),
        };
        let Some(leader) = role.leader.filter(|_| role.quorum) else { return Err(ClusterError::NoQuorum) };
        if role.leads {
            return self.cluster.administer(admin).await;
        }
        let (Some(client), Some(replica)) = (&self.client, self.ways().replica(leader)) else {
            return Err(ClusterError::NoQuorum);
        };
        match timeout(ADMIN, client.call(leader, &replica, &Request::Admin(admin))).await {
            Ok(Ok(Response::Admin(done))) => done,
            Ok(Ok(other)) => Err(ClusterError::Failed(format!("the leader answered {other:?}"))),
            Ok(Err(error)) => Err(ClusterError::Failed(format!("the leader, replica {leader}: {error}"))),
            Err(_) => Err(ClusterError::Failed(format!("the leader, replica {leader}, did not answer"))),
        }
    }

    /// Takes a snapshot of the state now, and lets the log before it be purged.
    pub async fn snapshot(&self) -> Result<(), ProposeError> {
        let trigger = self.raft.trigger().snapshot().await;
        trigger.map_err(|error| ProposeError::Stopped(error.to_string()))
    }

    /// Stops Raft; commands still waiting are answered as stopped.
    pub async fn shutdown(&self) {
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "Raft did not stop cleanly");
        }
        self.end();
        // Until they are gone they hold the database open.
        while !self.tasks.iter().all(JoinHandle::is_finished) {
            sleep(ENDING).await;
        }
    }

    /// Ends the tasks and closes the connections.
    fn end(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(client) = &self.client {
            client.close();
        }
    }

    /// Waits until this replica serves. A group of one has itself elected at once.
    async fn wait_for_leader(&self, first_level: Option<u32>) -> Result<(), OpenError> {
        let failed = || OpenError::Raft(why_stopped(&self.raft).unwrap_or_else(|| "shut down".to_owned()));
        let voters = self.raft.metrics().borrow().membership_config.membership().voter_ids().count();
        let alone = voters == 1;
        if alone && !self.role.borrow().leads {
            self.raft.trigger().elect().await.map_err(|_| failed())?;
        }
        let seconds = if alone { ELECTION_SECONDS } else { LEADER_SECONDS };
        let mut role = self.role.clone();
        let led = role.wait_for(|role| role.quorum || role.stopped.is_some());
        match timeout(Duration::from_secs(seconds), led).await {
            Ok(Ok(role)) if role.stopped.is_none() => {}
            Ok(_) => return Err(failed()),
            Err(_) if alone => return Err(OpenError::NoLeader { seconds }),
            Err(_) => {
                tracing::warn!("no leader with a quorum yet: what this replica knows may be out of date");
                return Ok(());
            }
        }
        let used = self.state.level()?;
        if let Some(level) = first_level.filter(|level| *level > used) {
            // Every founder asks for the same, so whoever leads, it is done once.
            let _ = self.propose(Command::Finalize { level }).await;
        }
        match self.barrier().await {
            Err(BarrierError::Stopped(reason)) => Err(OpenError::Raft(reason)),
            Err(error) if alone => Err(OpenError::Raft(error.to_string())),
            Ok(()) | Err(BarrierError::NoQuorum { .. }) => Ok(()),
        }
    }
}

impl Drop for Consensus {
    fn drop(&mut self) {
        self.end();
    }
}

struct Opened {
    store: Arc<RocksStore>,
    snapshots: Arc<Snapshots>,
    state: Arc<StateMachine>,
    incarnation: Incarnation,
}

fn open_store(config: &ConsensusConfig, verifier: Arc<SignalVerifier>) -> Result<Opened, OpenError> {
    let dir = config.data_dir.join("db");
    std::fs::create_dir_all(&dir)
        .map_err(|source| OpenError::Folder { dir: dir.display().to_string(), source })?;
    let store = RocksStore::open(&dir, config.cache_mib << 20)?;
    let incarnation = check_owner(&*store, config.replica)?;
    let snapshots = Arc::new(Snapshots::open(store.clone(), config.data_dir.join("snapshots"))?);
    let keys = Arc::new(SubjectKeys::open(&config.data_dir.join(SUBJECT_KEYS))?);
    let state = Arc::new(StateMachine::load(store.clone(), keys, verifier)?);
    let (found, known) = (state.level()?, config.levels());
    if !known.includes(found) {
        return Err(OpenError::Level { found, known });
    }
    Ok(Opened { store, snapshots, state, incarnation })
}

/// Listens for other replicas, if there are any or are to be.
async fn listen(config: &ConsensusConfig) -> Result<Option<Server>, OpenError> {
    let Some(own) = config.own() else { return Ok(None) };
    let tls = match &config.tls {
        Some(tls) => tls,
        None if config.replicas.len() > 1 => return Err(BindError::Tls(TlsError::Missing).into()),
        None => return Ok(None),
    };
    let address: SocketAddr = match config.listen {
        Some(address) => address,
        None => {
            let resolved =
                tokio::net::lookup_host(&own.address).await.ok().and_then(|mut found| found.next());
            resolved.ok_or_else(|| ConfigError::Address { address: own.address.clone() })?
        }
    };
    Ok(Some(Server::bind(address, tls, config.replica)?))
}

/// Marks a new data folder, refuses one of another replica, and returns which folder it is.
fn check_owner(store: &dyn Store, replica: u64) -> Result<Incarnation, OpenError> {
    let number = |key| store.get(Table::RaftMeta, key)?.map(|b| read_u64(Table::RaftMeta, &b)).transpose();
    match number(REPLICA_KEY)? {
        Some(found) if found != replica => Err(OpenError::OtherReplica { found, wanted: replica }),
        Some(_) => Ok(Incarnation(number(INCARNATION_KEY)?.unwrap_or_default())),
        None => {
            let incarnation = Incarnation::random();
            let mut batch = Batch::default();
            batch.put(Table::RaftMeta, REPLICA_KEY, replica.to_be_bytes());
            batch.put(Table::RaftMeta, INCARNATION_KEY, incarnation.0.to_be_bytes());
            store.write(batch, Durability::Synced)?;
            Ok(incarnation)
        }
    }
}
