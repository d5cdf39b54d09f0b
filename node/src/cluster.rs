//! The bank's own replicas as the interfaces see them: how they stand, and what an operator changes.

use hansa_api::Problem;
use hansa_api::model::{
    ClusterAction, ClusterRequest, ClusterResult, ClusterView, ReplicaState, ReplicaView,
};
use hansa_consensus::replica::Replica;
use hansa_consensus::{ClusterError, ReplicaStatus};
use hansa_types::id::Actor;
use tokio::time::{Duration, timeout};

use crate::node::Node;
use crate::service::{RETRY_SECONDS, journal_problem};

/// How long a reader waits for a leader to be found before it is told what may be out of date.
const ELECTION: Duration = Duration::from_secs(1);
/// How long it waits for the leader's word.
const BARRIER: Duration = Duration::from_secs(2);

/// The group, each replica asked how it is.
pub(crate) async fn view(node: &Node) -> Result<ClusterView, Problem> {
    let consensus = node.journal.consensus();
    let status = consensus.cluster().await.map_err(|error| journal_problem(error.into()))?;
    Ok(ClusterView {
        replica: consensus.status().replica,
        leader: status.role.leader,
        term: status.role.term,
        quorum: status.role.quorum,
        level: status.level,
        replicas: status.replicas.into_iter().map(replica_view).collect(),
    })
}

fn replica_view(status: ReplicaStatus) -> ReplicaView {
    let ReplicaStatus { id, replica, voter, description, behind } = status;
    let (state, unreachable) = match description {
        Ok(said) => {
            let state = ReplicaState {
                version: said.release,
                applied: said.applied,
                log_size: said.size,
                newest_level: said.levels.newest,
                draining: said.draining,
            };
            (Some(state), None)
        }
        Err(reason) => (None, Some(reason)),
    };
    let Replica { address, zone, jurisdiction, .. } = replica;
    ReplicaView { id, address, zone, jurisdiction, voter, state, unreachable, behind }
}

/// Changes the group and logs who had it changed.
pub(crate) async fn administer(node: &Node, request: ClusterRequest) -> Result<ClusterResult, Problem> {
    let ClusterRequest { actor, action } = request;
    let consensus = node.journal.consensus();
    let (what, done) = match action {
        ClusterAction::Join { replica: id, address, zone, jurisdiction } => {
            let replica = Replica { address, zone, jurisdiction, ..Replica::default() };
            ("join", consensus.join(id, replica).await)
        }
        ClusterAction::Leave { replica } => ("leave", consensus.leave(replica).await),
        ClusterAction::Transfer { to } => ("transfer", consensus.transfer(to).await),
        ClusterAction::Drain => ("drain", consensus.drain().await),
        ClusterAction::Undrain => {
            consensus.undrain();
            ("undrain", Ok("this replica takes leadership again".to_owned()))
        }
        ClusterAction::Finalize => ("finalize", consensus.finalize().await),
    };
    let done = done.map_err(|error| cluster_problem(&error))?;
    log(node, what, &done, &actor).await;
    Ok(ClusterResult { done })
}

/// It is done, whether or not the log takes it: the group has changed.
async fn log(node: &Node, what: &str, done: &str, actor: &Actor) {
    let detail = format!("{done}; by {actor}");
    if let Err(error) = node.log_operation(&format!("cluster-{what}"), detail).await {
        tracing::error!(%error, what, done, %actor, "a change of the group is not in the log");
        node.metrics.lost("operation");
    }
}

fn cluster_problem(error: &ClusterError) -> Problem {
    match error {
        ClusterError::Refused(_) => Problem::conflict(error.to_string()),
        ClusterError::NoQuorum | ClusterError::Failed(_) => {
            Problem::unavailable(error.to_string(), RETRY_SECONDS)
        }
    }
}

impl Node {
    /// Brings the views up to what the group has committed by now. Without a quorum they may lack something, and the
    /// answer is no.
    pub(crate) async fn catch_up(&self) -> bool {
        let consensus = self.journal.consensus();
        let mut role = consensus.role();
        let led = role.wait_for(|role| role.quorum || role.stopped.is_some());
        let can = match timeout(ELECTION, led).await {
            Ok(Ok(role)) => role.quorum,
            _ => false,
        };
        let current = can && matches!(timeout(BARRIER, consensus.barrier()).await, Ok(Ok(())));
        // What this replica has applied is shown in any case.
        self.caught_up(consensus.size()).await && current
    }
}
