//! Packs waiting commands into one Raft entry: openraft 0.9 syncs once per entry on the leader, so the entry, not the
//! command, is what costs an fsync.
//!
//! A command travels with the next entry. While entries are in flight the following commands gather, so batches grow
//! with the load and a lone command waits for nobody. The queue is bounded; a full one is said, not waited for.

use std::sync::Arc;

use openraft::error::ClientWriteError;
use openraft::raft::ClientWriteResult;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::command::Command;
use crate::config::ConsensusConfig;
use crate::error::ProposeError;
use crate::metrics::ConsensusMetrics;
use crate::outcome::Outcome;
use crate::raft::{Packed, Raft, TypeConfig};

/// How many entries are in flight: while one is synced, the other is applied.
const IN_FLIGHT: usize = 2;

/// The way into the queue.
#[derive(Clone)]
pub(crate) struct Proposer {
    queue: mpsc::Sender<Waiting>,
    limit: usize,
    metrics: ConsensusMetrics,
}

/// A command in the queue and who waits for it.
struct Waiting {
    command: Vec<u8>,
    answer: oneshot::Sender<Result<Outcome, ProposeError>>,
}

/// How much goes into one entry.
#[derive(Clone, Copy)]
struct Limits {
    commands: usize,
    bytes: usize,
}

impl Proposer {
    /// Starts the task that packs and proposes.
    pub(crate) fn spawn(
        raft: Raft,
        config: &ConsensusConfig,
        metrics: ConsensusMetrics,
    ) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(config.queue_limit);
        let limits = Limits { commands: config.batch_commands, bytes: config.batch_bytes };
        let task = tokio::spawn(run(raft, waiting, limits, metrics.clone()));
        (Self { queue, limit: config.queue_limit, metrics }, task)
    }

    /// Proposes a command and waits until it is committed and applied.
    pub(crate) async fn propose(&self, command: &Command) -> Result<Outcome, ProposeError> {
        let command =
            Packed::encode_command(command).map_err(|error| ProposeError::TooLarge(error.to_string()))?;
        let (answer, outcome) = oneshot::channel();
        self.queue.try_send(Waiting { command, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                self.metrics.refused_busy.inc();
                ProposeError::Busy { limit: self.limit }
            }
            mpsc::error::TrySendError::Closed(_) => stopped("shut down"),
        })?;
        self.metrics.queued.set(i64::try_from(self.limit - self.queue.capacity()).unwrap_or(i64::MAX));
        outcome.await.unwrap_or_else(|_| Err(stopped("shut down")))
    }
}

async fn run(raft: Raft, mut queue: mpsc::Receiver<Waiting>, limits: Limits, metrics: ConsensusMetrics) {
    let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
    while let Some(first) = queue.recv().await {
        // Waiting here, not after packing, lets the batch grow meanwhile.
        let Ok(permit) = in_flight.clone().acquire_owned().await else { return };
        let batch = gather(first, &mut queue, limits);
        metrics.batch_commands.observe(batch.len() as f64);
        metrics.queued.set(i64::try_from(queue.len()).unwrap_or(i64::MAX));
        let packed = Packed::new(batch.iter().map(|waiting| waiting.command.as_slice()));
        let answers: Vec<_> = batch.into_iter().map(|waiting| waiting.answer).collect();
        match raft.client_write_ff(packed).await {
            Ok(result) => {
                tokio::spawn(finish(raft.clone(), result, answers, permit));
            }
            Err(error) => refuse(answers, &stopped(error)),
        }
    }
}

fn gather(first: Waiting, queue: &mut mpsc::Receiver<Waiting>, limits: Limits) -> Vec<Waiting> {
    let mut bytes = first.command.len();
    let mut batch = vec![first];
    while batch.len() < limits.commands && bytes < limits.bytes {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.command.len();
        batch.push(next);
    }
    batch
}

/// Hands each caller its outcome once the entry is applied.
async fn finish(
    raft: Raft,
    result: oneshot::Receiver<ClientWriteResult<TypeConfig>>,
    answers: Vec<oneshot::Sender<Result<Outcome, ProposeError>>>,
    permit: OwnedSemaphorePermit,
) {
    let result = result.await;
    drop(permit);
    match result {
        Ok(Ok(response)) => {
            for (answer, outcome) in answers.into_iter().zip(response.data) {
                // A caller that no longer waits loses nothing but the answer.
                let _ = answer.send(Ok(outcome));
            }
        }
        Ok(Err(ClientWriteError::ForwardToLeader(to))) => {
            refuse(answers, &ProposeError::NotLeader { leader: to.leader_id });
        }
        Ok(Err(error)) => refuse(answers, &stopped(error)),
        Err(_) => refuse(answers, &stopped(why_stopped(&raft))),
    }
}

fn refuse(answers: Vec<oneshot::Sender<Result<Outcome, ProposeError>>>, error: &ProposeError) {
    for answer in answers {
        let _ = answer.send(Err(error.clone()));
    }
}

/// Why Raft no longer runs.
pub(crate) fn why_stopped(raft: &Raft) -> String {
    match &raft.metrics().borrow().running_state {
        Ok(()) => "shut down".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "errors are handed over where they are mapped")]
fn stopped(reason: impl ToString) -> ProposeError {
    ProposeError::Stopped(reason.to_string())
}
