//! Packs waiting proposals into one Raft entry: openraft 0.9 syncs once per entry on the leader, so the entry, not the
//! command, is what costs an fsync.
//!
//! A proposal travels with the next entry. While entries are in flight the following ones gather, so batches grow with
//! the load and a lone proposal waits for nobody. Where another replica leads, the batch is forwarded to it and packed
//! there with others. Every command may come twice, so a batch whose answer is lost in a change of leaders is simply
//! delivered again, until its time is up. The queue is bounded; a full one is said, not waited for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::ClientWriteError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::command::Proposal;
use crate::config::ConsensusConfig;
use crate::error::ProposeError;
use crate::metrics::ConsensusMetrics;
use crate::net::{CallError, Client, ProposeAnswer, Refused, Request, Response};
use crate::outcome::Outcome;
use crate::raft::{Packed, Raft};
use crate::role::Role;

/// How many entries are in flight: while one is synced, the other is applied.
const IN_FLIGHT: usize = 2;
/// How long a batch waits before it looks for a leader again.
const RETRY: Duration = Duration::from_millis(20);
/// How long another leader may take over a forwarded batch before somebody else is asked.
const FORWARD: Duration = Duration::from_secs(2);

type Answer = oneshot::Sender<Result<Outcome, ProposeError>>;

/// The way into the queue.
#[derive(Clone)]
pub(crate) struct Proposer {
    queue: mpsc::Sender<Waiting>,
    paused: Arc<watch::Sender<bool>>,
    in_flight: Arc<Semaphore>,
    limit: usize,
    metrics: ConsensusMetrics,
}

/// A proposal in the queue and who waits for it.
struct Waiting {
    proposal: Vec<u8>,
    /// Another replica took this one for the leader. It is not passed on: that replica looks for the leader itself.
    forwarded: bool,
    answer: Answer,
}

/// The ways that a batch can take.
#[derive(Clone)]
pub(crate) struct Ways {
    pub(crate) raft: Raft,
    pub(crate) client: Option<Client>,
    pub(crate) role: watch::Receiver<Role>,
}

/// How much goes into one entry, and for how long.
#[derive(Clone, Copy)]
struct Limits {
    commands: usize,
    bytes: usize,
    time: Duration,
}

impl Proposer {
    /// Starts the task that packs and delivers.
    pub(crate) fn spawn(
        ways: Ways,
        config: &ConsensusConfig,
        metrics: ConsensusMetrics,
    ) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(config.queue_limit);
        let limits = Limits {
            commands: config.batch_commands,
            bytes: config.batch_bytes,
            time: config.propose_time(),
        };
        let (paused, pauses) = watch::channel(false);
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
        let delivery = Delivery { ways, pauses, limits, metrics: metrics.clone() };
        let task = tokio::spawn(delivery.run(waiting, in_flight.clone()));
        let proposer =
            Self { queue, paused: Arc::new(paused), in_flight, limit: config.queue_limit, metrics };
        (proposer, task)
    }

    /// Proposes a command and waits until it is committed and applied by the leader.
    pub(crate) async fn propose(&self, proposal: &Proposal) -> Result<Outcome, ProposeError> {
        let proposal = Packed::encode(proposal).map_err(|error| ProposeError::TooLarge(error.to_string()))?;
        self.enqueue(proposal, false).await
    }

    /// Takes in a proposal that another replica forwards; its form was checked.
    pub(crate) async fn forwarded(&self, proposal: Vec<u8>) -> Result<Outcome, ProposeError> {
        self.enqueue(proposal, true).await
    }

    async fn enqueue(&self, proposal: Vec<u8>, forwarded: bool) -> Result<Outcome, ProposeError> {
        let (answer, outcome) = oneshot::channel();
        self.queue.try_send(Waiting { proposal, forwarded, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                self.metrics.refused_busy.inc();
                ProposeError::Busy { limit: self.limit }
            }
            mpsc::error::TrySendError::Closed(_) => stopped("shut down"),
        })?;
        self.metrics.queued.set(i64::try_from(self.limit - self.queue.capacity()).unwrap_or(i64::MAX));
        outcome.await.unwrap_or_else(|_| Err(stopped("shut down")))
    }

    /// Proposes nothing more until the guard is dropped; what is in flight is waited for, until `time` is over.
    pub(crate) async fn pause(&self, time: Duration) -> Option<Pause> {
        let pause = Pause(self.paused.clone());
        pause.0.send_replace(true);
        let all = u32::try_from(IN_FLIGHT).expect("a handful");
        // Whoever waits for the pause to end has given its place back.
        let nothing_in_flight = timeout(time, self.in_flight.acquire_many(all)).await;
        nothing_in_flight.is_ok().then_some(pause)
    }
}

/// While it lives nothing is proposed.
pub(crate) struct Pause(Arc<watch::Sender<bool>>);

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

/// What became of one attempt.
enum Attempt {
    /// Everyone was answered.
    Settled,
    /// Not delivered, or nobody knows: again.
    Again(Vec<Waiting>),
}

#[derive(Clone)]
struct Delivery {
    ways: Ways,
    pauses: watch::Receiver<bool>,
    limits: Limits,
    metrics: ConsensusMetrics,
}

impl Delivery {
    async fn run(self, mut queue: mpsc::Receiver<Waiting>, in_flight: Arc<Semaphore>) {
        while let Some(first) = queue.recv().await {
            self.unpaused().await;
            // Waiting here, not after packing, lets the batch grow meanwhile.
            let Ok(permit) = in_flight.clone().acquire_owned().await else { return };
            let batch = gather(first, &mut queue, self.limits);
            self.metrics.batch_commands.observe(batch.len() as f64);
            self.metrics.queued.set(i64::try_from(queue.len()).unwrap_or(i64::MAX));
            tokio::spawn(self.clone().deliver(batch, permit));
        }
    }

    async fn unpaused(&self) {
        while *self.pauses.borrow() {
            sleep(RETRY).await;
        }
    }

    /// Delivers a batch, again and again until it is answered or its time is up.
    async fn deliver(mut self, mut batch: Vec<Waiting>, permit: OwnedSemaphorePermit) {
        let deadline = Instant::now() + self.limits.time;
        let mut place = Some(permit);
        loop {
            if *self.pauses.borrow() {
                // Whoever paused waits until nothing is in flight.
                place.take();
                self.unpaused().await;
            }
            let role = self.ways.role.borrow_and_update().clone();
            let attempt = match (role.stopped, role.leader) {
                (Some(reason), _) => return refuse(batch, &stopped(reason)),
                (None, Some(_)) if role.leads => self.write(batch, deadline).await,
                (None, Some(leader)) => self.forward(batch, leader).await,
                (None, None) => Attempt::Again(batch),
            };
            match attempt {
                Attempt::Settled => return,
                Attempt::Again(left) => batch = refuse_forwarded(left),
            }
            if batch.is_empty() {
                return;
            }
            if Instant::now() >= deadline {
                self.metrics.refused_no_quorum.inc_by(batch.len() as u64);
                let ms = u64::try_from(self.limits.time.as_millis()).unwrap_or(u64::MAX);
                return refuse(batch, &ProposeError::NoQuorum { ms });
            }
            // Looked at again rather than waited for: a watch wakes its waiters in random order, which no seed repeats.
            sleep(RETRY).await;
            if self.ways.role.has_changed().is_err() {
                return refuse(batch, &stopped("shut down"));
            }
        }
    }

    /// Writes the batch as one entry: this replica leads.
    async fn write(&self, batch: Vec<Waiting>, deadline: Instant) -> Attempt {
        let packed = Packed::new(batch.iter().map(|waiting| waiting.proposal.as_slice()));
        let result = match self.ways.raft.client_write_ff(packed).await {
            Ok(result) => result,
            Err(error) => {
                refuse(batch, &stopped(error));
                return Attempt::Settled;
            }
        };
        match timeout_at(deadline, result).await {
            Ok(Ok(Ok(response))) => settle(batch, response.data),
            Ok(Ok(Err(ClientWriteError::ForwardToLeader(_)))) | Err(_) => Attempt::Again(batch),
            Ok(Ok(Err(error))) => {
                refuse(batch, &stopped(error));
                Attempt::Settled
            }
            Ok(Err(_)) => match why_stopped(&self.ways.raft) {
                Some(reason) => {
                    refuse(batch, &stopped(reason));
                    Attempt::Settled
                }
                // Leadership was lost with the entry under way.
                None => Attempt::Again(batch),
            },
        }
    }

    /// Hands the batch to the replica that leads.
    async fn forward(&mut self, batch: Vec<Waiting>, leader: u64) -> Attempt {
        let Some(client) = self.ways.client.clone() else { return Attempt::Again(batch) };
        let batch = refuse_forwarded(batch);
        let replica = self.ways.replica(leader);
        let Some(replica) = replica.filter(|_| !batch.is_empty()) else { return Attempt::Again(batch) };
        let request = Request::Propose(batch.iter().map(|waiting| waiting.proposal.clone()).collect());
        let mut asked = pin!(timeout(FORWARD, client.call(leader, &replica, &request)));
        let answer = loop {
            match timeout(RETRY, &mut asked).await {
                Ok(answer) => break answer,
                // A leader that died does not say so: another takes its place sooner than the connection is given up.
                Err(_) if self.ways.role.borrow().leader != Some(leader) => return Attempt::Again(batch),
                Err(_) => {}
            }
        };
        match answer {
            Ok(Ok(Response::Propose(ProposeAnswer::Done(outcomes)))) if outcomes.len() == batch.len() => {
                settle(batch, outcomes)
            }
            Ok(Ok(Response::Propose(ProposeAnswer::Busy))) => {
                self.metrics.refused_busy.inc_by(batch.len() as u64);
                refuse(batch, &ProposeError::Busy { limit: self.limits.commands });
                Attempt::Settled
            }
            Ok(Err(CallError::Refused(Refused::Malformed(reason)))) => {
                refuse(batch, &ProposeError::TooLarge(reason));
                Attempt::Settled
            }
            Ok(answer) => {
                tracing::debug!(leader, ?answer, "a batch was not taken; it is delivered again");
                Attempt::Again(batch)
            }
            Err(_) => Attempt::Again(batch),
        }
    }
}

fn gather(first: Waiting, queue: &mut mpsc::Receiver<Waiting>, limits: Limits) -> Vec<Waiting> {
    let mut bytes = first.proposal.len();
    let mut batch = vec![first];
    while batch.len() < limits.commands && bytes < limits.bytes {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.proposal.len();
        batch.push(next);
    }
    batch
}

/// Hands each caller its outcome. One that no longer waits loses nothing but the answer.
fn settle(batch: Vec<Waiting>, outcomes: Vec<Outcome>) -> Attempt {
    for (waiting, outcome) in batch.into_iter().zip(outcomes) {
        let _ = waiting.answer.send(Ok(outcome));
    }
    Attempt::Settled
}

fn refuse(batch: Vec<Waiting>, error: &ProposeError) {
    for waiting in batch {
        let _ = waiting.answer.send(Err(error.clone()));
    }
}

/// Sends back what other replicas forwarded here in vain, and returns the rest.
fn refuse_forwarded(batch: Vec<Waiting>) -> Vec<Waiting> {
    let (forwarded, own): (Vec<_>, Vec<_>) = batch.into_iter().partition(|waiting| waiting.forwarded);
    refuse(forwarded, &ProposeError::NotLeader);
    own
}

/// Why Raft no longer runs, if it does not.
pub(crate) fn why_stopped(raft: &Raft) -> Option<String> {
    raft.metrics().borrow().running_state.as_ref().err().map(ToString::to_string)
}

#[expect(clippy::needless_pass_by_value, reason = "errors are handed over where they are mapped")]
fn stopped(reason: impl ToString) -> ProposeError {
    ProposeError::Stopped(reason.to_string())
}
