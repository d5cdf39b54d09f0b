//! When this replica stands for election.
//!
//! openraft 0.9 raises the term whenever its own timer ends. A replica that was let go while nobody could tell it, or
//! that comes back from behind a partition, would so push the group from term to term; with a second one that is as far
//! behind, no leader would last long enough to tell either. So a replica asks the others first whether they would vote
//! for it, and raises its term only if a quorum says so (PreVote: Ongaro, "Consensus: Bridging Theory and Practice",
//! section 9.6).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use openraft::{ServerState, Vote};
use rand::Rng;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::ConsensusConfig;
use crate::net::{Client, Request, Response};
use crate::raft::{self, LogId, Raft, TypeConfig, random};
use crate::state::StateMachine;
use crate::store::off_thread;

/// How long the others get to say whether they would vote.
const ASK: Duration = Duration::from_millis(100);

/// When a leader was last heard here, and how long it counts as heard.
pub(crate) struct Heard {
    last: Mutex<Option<Instant>>,
    lease: Duration,
}

impl Heard {
    pub(crate) fn new(config: &ConsensusConfig) -> Self {
        Self { last: Mutex::default(), lease: config.lease() }
    }

    /// A leader is heard now.
    pub(crate) fn now(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// A leader may be heard now: an append has come, and takes as long as the disk needs.
    pub(crate) fn arrives(&self, raft: &Raft, append: &AppendEntriesRequest<TypeConfig>) {
        if append.vote >= raft.metrics().borrow().vote {
            self.now();
        }
    }

    fn last(&self) -> Option<Instant> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn within(&self, time: Duration) -> bool {
        self.last().is_some_and(|last| last.elapsed() < time)
    }
}

/// What this replica stands for election with.
pub(crate) struct Election {
    id: u64,
    raft: Raft,
    state: Arc<StateMachine>,
    client: Option<Client>,
    heard: Arc<Heard>,
    draining: Arc<AtomicBool>,
    /// Silence after which it stands: at the least, and how much more by chance, so that not all stand at once.
    silence: Duration,
    spread: Duration,
}

impl Election {
    pub(crate) fn new(
        config: &ConsensusConfig,
        raft: Raft,
        state: Arc<StateMachine>,
        client: Option<Client>,
        heard: Arc<Heard>,
        draining: Arc<AtomicBool>,
    ) -> Self {
        let silence = Duration::from_millis(config.election_min_ms);
        let spread = Duration::from_millis(config.election_max_ms) - silence;
        Self { id: config.replica, raft, state, client, heard, draining, silence, spread }
    }

    /// Stands for election when it is time, and yields when another was voted for.
    pub(crate) fn spawn(self, votes: watch::Receiver<Option<Vote<u64>>>) -> [JoinHandle<()>; 2] {
        let yielding = tokio::spawn(yield_to(self.raft.clone(), self.state.clone(), votes));
        [tokio::spawn(self.run()), yielding]
    }

    /// Stands whenever no leader is heard for long enough and a quorum would have it, until Raft stops.
    async fn run(self) {
        let mut begun = Instant::now();
        loop {
            let silence = self.silence + random().gen_range(Duration::ZERO..=self.spread);
            sleep_until(self.heard.last().map_or(begun, |heard| heard.max(begun)) + silence).await;
            if self.raft.metrics().borrow().running_state.is_err() {
                return;
            }
            if self.heard.within(silence) {
                continue;
            }
            let wins = self.may_stand() && self.would_win().await;
            begun = Instant::now();
            if wins {
                tracing::info!("no leader is heard: this replica stands for election");
                if self.raft.trigger().elect().await.is_err() {
                    return;
                }
            } else {
                // Whoever asked in vain asks again after the time by chance alone.
                begun = begun.checked_sub(self.silence).unwrap_or(begun);
            }
        }
    }

    fn may_stand(&self) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let votes = metrics.membership_config.membership().voter_ids().any(|voter| voter == self.id);
        votes && metrics.state != ServerState::Leader && !self.draining.load(Ordering::Relaxed)
    }

    /// Whether a quorum, of each configuration if there are two, would vote for this replica.
    async fn would_win(&self) -> bool {
        let Some(last) = last_log_id(&self.state).await else { return false };
        let membership = self.raft.metrics().borrow().membership_config.clone();
        let membership = membership.membership();
        let mut willing = BTreeSet::from([self.id]);
        let wins = |willing: &BTreeSet<u64>| {
            let majority = |config: &BTreeSet<u64>| config.intersection(willing).count() * 2 > config.len();
            membership.get_joint_config().iter().all(majority)
        };
        let mut answers: FuturesUnordered<_> = membership
            .nodes()
            .filter(|(id, _)| **id != self.id)
            .map(|(id, replica)| async move {
                let client = self.client.as_ref()?;
                let answer = client.call(*id, replica, &Request::PreVote(last)).await;
                matches!(answer, Ok(Response::PreVote(true))).then_some(*id)
            })
            .collect();
        let asked = async {
            while !wins(&willing) {
                match answers.next().await {
                    Some(answer) => willing.extend(answer),
                    None => return false,
                }
            }
            true
        };
        timeout(ASK, asked).await.unwrap_or(false)
    }
}

/// Makes a leader yield once another replica has voted for a later one, as openraft itself would.
async fn yield_to(raft: Raft, state: Arc<StateMachine>, mut votes: watch::Receiver<Option<Vote<u64>>>) {
    while votes.changed().await.is_ok() {
        let voted = *votes.borrow_and_update();
        let (Some(Vote { leader_id, .. }), Some(last_log_id)) = (voted, last_log_id(&state).await) else {
            continue;
        };
        // It is refused within the lease of an election, and comes again with the next heartbeat.
        let vote = Vote::new(leader_id.term, leader_id.node_id);
        let _ = raft.vote(VoteRequest { vote, last_log_id }).await;
    }
}

/// Whether this replica would vote for one with this log: not while it leads or hears a leader, nor for a log that lacks
/// something.
pub(crate) async fn would_vote(
    raft: &Raft,
    state: &Arc<StateMachine>,
    heard: &Heard,
    last: Option<LogId>,
) -> bool {
    let leads = raft.metrics().borrow().state == ServerState::Leader;
    !leads && !heard.within(heard.lease) && last_log_id(state).await.is_some_and(|own| last >= own)
}

/// The last entry of the log; `None` if it cannot be read.
async fn last_log_id(state: &Arc<StateMachine>) -> Option<Option<LogId>> {
    let read = state.clone();
    off_thread(state.store(), move || raft::last_log_id(read.store())).await.flatten().ok()
}
