//! Who leads, as this replica sees it, and whether a quorum stands behind.

use std::time::Duration;

use openraft::ServerState;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::metrics::ConsensusMetrics;
use crate::raft::Raft;

/// How this replica stands in its group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Who leads, if anybody is known to.
    pub leader: Option<u64>,
    /// Raft's term.
    pub term: u64,
    /// Whether it is this replica.
    pub leads: bool,
    /// Whether commands can be committed: somebody leads, and, where it is this replica, enough others answer it.
    pub quorum: bool,
    /// Why this replica stopped, if it did.
    pub stopped: Option<String>,
}

/// Follows the role until Raft stops. `patience` is how long a leader goes on without hearing from a quorum.
pub(crate) fn follow(
    raft: &Raft,
    patience: Duration,
    metrics: ConsensusMetrics,
) -> (watch::Receiver<Role>, JoinHandle<()>) {
    let mut changes = raft.metrics();
    let (sender, receiver) = watch::channel(role(raft, patience));
    let raft = raft.clone();
    let task = tokio::spawn(async move {
        let mut tick = tokio::time::interval(patience / 2);
        loop {
            tokio::select! {
                biased; // a random choice could not be repeated from a seed
                changed = changes.changed() => if changed.is_err() { break },
                _ = tick.tick() => {}
            }
            let now = role(&raft, patience);
            metrics.leads.set(i64::from(now.leads));
            metrics.has_quorum.set(i64::from(now.quorum));
            metrics.term.set(i64::try_from(now.term).unwrap_or(i64::MAX));
            sender.send_if_modified(|last| {
                if last.leader != now.leader && now.leader.is_some() {
                    metrics.leader_changes.inc();
                }
                let modified = *last != now;
                *last = now;
                modified
            });
        }
        // Raft is gone: nobody is led by this replica any more.
        sender.send_modify(|role| {
            (role.leads, role.quorum, role.leader) = (false, false, None);
            role.stopped.get_or_insert_with(|| "shut down".to_owned());
        });
    });
    (receiver, task)
}

fn role(raft: &Raft, patience: Duration) -> Role {
    let metrics = raft.metrics();
    let metrics = metrics.borrow();
    let stopped = metrics.running_state.as_ref().err().map(ToString::to_string);
    let leads = metrics.state == ServerState::Leader && stopped.is_none();
    let alone = metrics.membership_config.membership().voter_ids().count() == 1;
    let heard = metrics.millis_since_quorum_ack.is_some_and(|ms| u128::from(ms) <= patience.as_millis());
    let leader = metrics.current_leader.filter(|_| stopped.is_none());
    Role {
        leader,
        term: metrics.current_term,
        leads,
        quorum: if leads { alone || heard } else { leader.is_some() },
        stopped,
    }
}
