//! The group that harm is done to: three replicas, their writers, and what is known of their log.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hansa_consensus::ConsensusConfig;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

use super::check::{self, Checker, Findings, answered};
use super::load::{Load, Running};
use crate::process::ProcessError;
use crate::replica::{Answer, News, Plan, PlanError, ReplicaProcess, Request, StartError, State, Wrapper};

/// How many replicas.
pub(super) const REPLICAS: u64 = 3;
/// How long anything that must happen may take on a loaded machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How often an operator's wish is repeated while the group is not ready for it.
const WISHES: u32 = 40;

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The log is not what it must be.
    #[error("{0}")]
    Found(Findings),
    /// A tool.
    #[error("`{command}` failed: {said}")]
    Tool {
        /// What was run.
        command: String,
        /// What it said.
        said: String,
    },
    /// The system.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What it said.
        source: io::Error,
    },
    /// A replica that did not start.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A replica that does not serve.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The layout of the group.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Something that must not happen.
pub(super) fn violation(what: String) -> Failure {
    Failure::Found(Findings { told: vec![what], ..Findings::default() })
}

/// What the system refused.
pub(super) fn io_failure(what: impl ToString) -> impl FnOnce(io::Error) -> Failure {
    move |source| Failure::Io { what: what.to_string(), source }
}

/// A group under load. Dropped, its processes are killed.
pub(super) struct Group {
    /// Where everything is.
    pub(super) plan: Plan,
    wrappers: BTreeMap<u64, Wrapper>,
    running: Arc<Running>,
    load: Load,
    checker: Checker,
}

impl Group {
    /// Founds a group on this machine's loopback.
    pub(super) fn local(dir: &Path, base: &ConsensusConfig) -> Result<Self, Failure> {
        Self::found(Plan::local(dir, REPLICAS, base)?, BTreeMap::new())
    }

    /// Founds the group that is laid out, each replica run by its wrapper, and starts to write to it.
    pub(super) fn found(plan: Plan, wrappers: BTreeMap<u64, Wrapper>) -> Result<Self, Failure> {
        let running = Arc::new(Running::default());
        let mut started = Vec::new();
        for id in plan.ids() {
            let wrapper = wrappers.get(&id).cloned().unwrap_or_default();
            started.push(Arc::new(ReplicaProcess::start(&plan, id, &wrapper)?));
        }
        for replica in &started {
            replica.ready()?;
            running.add(replica);
        }
        let load = Load::start(running.clone(), plan.ids().count() as u64);
        Ok(Self { plan, wrappers, running, load, checker: Checker::default() })
    }

    /// How many leaves were read and found right.
    pub(super) fn leaves(&self) -> u64 {
        self.checker.leaves()
    }

    /// The index of each key in the log, as of the last check.
    pub(super) fn keys(&self) -> &BTreeMap<u64, u64> {
        self.checker.keys()
    }

    /// The replica of that number, which must run.
    pub(super) fn replica(&self, id: u64) -> Result<Arc<ReplicaProcess>, Failure> {
        self.running.get(id).ok_or_else(|| violation(format!("replica {id} does not run")))
    }

    /// All that run.
    pub(super) fn replicas(&self) -> Vec<Arc<ReplicaProcess>> {
        self.running.all()
    }

    /// One that runs and is not `not`.
    pub(super) fn other(&self, not: u64) -> Result<Arc<ReplicaProcess>, Failure> {
        let other = self.running.all().into_iter().find(|replica| replica.id() != not);
        other.ok_or_else(|| violation(format!("none runs but replica {not}")))
    }

    /// Who leads.
    pub(super) fn leader(&self) -> Result<u64, Failure> {
        self.led(&*self.other(0)?, 0)
    }

    /// Who leads once it is not `not`, as `replica` sees it.
    pub(super) fn led(&self, replica: &ReplicaProcess, not: u64) -> Result<u64, Failure> {
        let leader = answered(replica, &Request::Led { not }, PATIENCE)?;
        leader.parse().map_err(|_| violation(format!("`{leader}` is no replica")))
    }

    /// The leader every other time, else any.
    pub(super) fn victim(&self, rng: &mut ChaCha20Rng) -> Result<u64, Failure> {
        let choice = rng.next_u64();
        if choice.is_multiple_of(2) { self.leader() } else { Ok(1 + (choice >> 1) % REPLICAS) }
    }

    /// How a replica stands.
    pub(super) fn state(&self, id: u64) -> Result<State, Failure> {
        let said = answered(&*self.replica(id)?, &Request::Status, PATIENCE)?;
        serde_json::from_str(&said).map_err(|error| violation(format!("`{said}` is no status: {error}")))
    }

    /// Waits until the group has acknowledged some more appends.
    pub(super) fn more(&self, count: u64) -> Result<(), Failure> {
        self.load.wait_for(count, PATIENCE).map_err(|got| {
            let seconds = PATIENCE.as_secs();
            violation(format!("the group acknowledged {got} appends of {count} awaited within {seconds} s"))
        })
    }

    /// Waits for as many more appends as the seed says.
    pub(super) fn some_more(&self, rng: &mut ChaCha20Rng, most: u64) -> Result<(), Failure> {
        self.more(1 + rng.next_u64() % most)
    }

    /// SIGKILL.
    pub(super) fn kill(&self, id: u64) -> Result<(), Failure> {
        let replica = self.running.remove(id);
        replica.map_or(Ok(()), |replica| replica.kill()).map_err(io_failure(format!("kill replica {id}")))
    }

    /// Takes a replica out that has ended by itself.
    pub(super) fn ended(&self, id: u64) {
        self.running.remove(id);
    }

    /// Starts a replica; writers ask it once it serves.
    pub(super) fn start(&self, id: u64) -> Result<Arc<ReplicaProcess>, Failure> {
        let wrapper = self.wrappers.get(&id).cloned().unwrap_or_default();
        Ok(Arc::new(ReplicaProcess::start(&self.plan, id, &wrapper)?))
    }

    /// Waits until a started replica serves.
    pub(super) fn serves(&self, replica: &Arc<ReplicaProcess>) -> Result<(), Failure> {
        replica.ready()?;
        self.running.add(replica);
        Ok(())
    }

    /// Starts a replica and waits until it serves.
    pub(super) fn restart(&self, id: u64) -> Result<(), Failure> {
        self.serves(&self.start(id)?)
    }

    /// What is read on a replica now holds everything acknowledged before, or is refused. Returns whether it was read.
    pub(super) fn read_is_current(
        &self,
        replica: &ReplicaProcess,
        patience: Duration,
    ) -> Result<bool, Failure> {
        let newest = self.load.newest();
        let Some(Answer::Ok(head)) = replica.ask(&Request::Read, patience) else { return Ok(false) };
        let size = check::size_of(&head)?;
        match newest {
            Some(index) if index >= size => Err(violation(format!(
                "a linearizable read on replica {} saw {size} leaves after leaf {index} was acknowledged",
                replica.id()
            ))),
            _ => Ok(true),
        }
    }

    /// Replaces a replica that was lost: an empty folder under its number joins once the old one was let go.
    pub(super) fn rebuild(&self, id: u64) -> Result<(), Failure> {
        self.kill(id)?;
        super::tool::empty(&self.plan.data(id))?;
        let other = self.other(id)?;
        self.led(&other, id)?;
        let replica = self.start(id)?;
        self.wish(&other, &Request::Leave(id), "has left")?;
        self.join(&other, &replica)
    }

    /// Has a started replica with an empty folder taken in.
    pub(super) fn join(&self, asked: &ReplicaProcess, replica: &Arc<ReplicaProcess>) -> Result<(), Failure> {
        self.wish(asked, &self.joining(replica.id()), "has joined")?;
        self.serves(replica)
    }

    /// The wish that a replica be taken in.
    pub(super) fn joining(&self, id: u64) -> Request {
        let named = self.plan.replicas.iter().find(|named| named.id == id);
        let address = named.map(|named| named.address.clone()).unwrap_or_default();
        Request::Join { id, address, zone: format!("zone-{id}") }
    }

    /// Has an operator's wish carried out; a group that is busy with another or has no leader is asked again.
    fn wish(&self, replica: &ReplicaProcess, wish: &Request, done: &str) -> Result<(), Failure> {
        let mut said = String::new();
        for _ in 0..WISHES {
            match replica.ask(wish, PATIENCE) {
                Some(Answer::Ok(answer)) if answer.contains(done) => return Ok(()),
                Some(Answer::Error(error)) if error.contains("has no replica") => return Ok(()),
                Some(answer) => said = answer.to_string(),
                None => return Err(violation(format!("`{wish}` was not answered in time"))),
            }
            // As good a moment as any: the group does something.
            self.more(1)?;
        }
        Err(violation(format!("`{wish}`: {said}")))
    }

    /// Compares every replica's log with what was acknowledged so far.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        let fresh = self.load.fresh();
        self.checker.check(&self.running.all(), &fresh)?;
        match self.load.wrong().first() {
            Some(wrong) => Err(violation(wrong.clone())),
            None => Ok(()),
        }
    }

    /// Stops the writers and reads every replica's log from the beginning; returns how much was acknowledged.
    pub(super) fn end(&mut self) -> Result<u64, Failure> {
        self.load.stop();
        Checker::default().check(&self.running.all(), &self.load.all())?;
        Ok(self.load.count())
    }

    /// What a replica says unasked, within the usual patience.
    pub(super) fn news(&self, replica: &ReplicaProcess) -> Result<News, Failure> {
        let seconds = PATIENCE.as_secs();
        let silent = || violation(format!("replica {} said nothing for {seconds} s", replica.id()));
        replica.news(PATIENCE).ok_or_else(silent)
    }
}
