//! What an operator does with the group: look at it, take replicas in and let them go, hand leadership over, and
//! finalise an upgrade. Wishes are carried out by the leader, whichever replica they are told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use openraft::ChangeMembers;
use openraft::error::{ChangeMembershipError, ClientWriteError, RaftError};
use thiserror::Error;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::command::{BASE_LEVEL, Command, Proposal};
use crate::config::RecordsConfig;
use crate::lock::KeyLock;
use crate::net::{Admin, CallError, Client, Description, Request, Response};
use crate::outcome::Outcome;
use crate::proposer::Proposer;
use crate::raft::Raft;
use crate::replica::{Levels, Replica, text};
use crate::role::Role;
use crate::state::StateMachine;

/// How long a replica may take to say who it is.
const DESCRIBE: Duration = Duration::from_secs(2);
/// How long a new replica may take to catch up before it counts.
const CATCH_UP: Duration = Duration::from_secs(600);
/// A learner that lacks no more entries than this has caught up, as openraft counts it: under load it never has all.
const NEARLY: u64 = 5_000;
/// How long what is in flight may take before a hand-over is refused.
const DRAIN: Duration = Duration::from_secs(10);
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// The sizes of a group that can lose a replica more than the next smaller size.
const SIZES: [usize; 3] = [1, 3, 5];

/// Why a wish was not carried out.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ClusterError {
    /// Nobody leads with a quorum.
    #[error("no leader with a quorum: see `hansa cluster status`")]
    NoQuorum,
    /// It would be wrong.
    #[error("{0}")]
    Refused(String),
    /// It was tried.
    #[error("{0}; the group goes on as before")]
    Failed(String),
}

/// The group as one of its replicas sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterStatus {
    /// How the replica asked stands.
    pub role: Role,
    /// The version of the state in use.
    pub level: u32,
    /// Every replica.
    pub replicas: Vec<ReplicaStatus>,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// Its number.
    pub id: u64,
    /// What the membership says of it.
    pub replica: Replica,
    /// Whether it votes; a new one learns first.
    pub voter: bool,
    /// What it says of itself, or why it does not.
    pub description: Result<Description, String>,
    /// How many entries it lacks, where the leader is asked.
    pub behind: Option<u64>,
}

/// The leader's side.
pub(crate) struct Cluster {
    pub(crate) id: u64,
    pub(crate) raft: Raft,
    pub(crate) client: Option<Client>,
    pub(crate) role: watch::Receiver<Role>,
    pub(crate) proposer: Proposer,
    pub(crate) state: Arc<StateMachine>,
    pub(crate) records: RecordsConfig,
    pub(crate) levels: Levels,
    pub(crate) lease: Duration,
    pub(crate) lock: Arc<KeyLock>,
    pub(crate) draining: Arc<AtomicBool>,
    /// One change at a time.
    pub(crate) changing: Mutex<()>,
}

impl Cluster {
    pub(crate) fn leads(&self) -> bool {
        self.role.borrow().leads
    }

    /// Carries out a wish as the leader, and says what was done.
    pub(crate) async fn administer(&self, admin: Admin) -> Result<String, ClusterError> {
        match admin {
            Admin::Join { id, replica } => self.join(id, replica).await,
            Admin::Leave(id) => self.leave(id).await,
            Admin::Transfer(to) => self.transfer(to).await,
            Admin::Finalize => self.finalize().await,
        }
    }

    /// Asks every replica how it is.
    pub(crate) async fn status(&self) -> Result<ClusterStatus, crate::StoreError> {
        let metrics = self.raft.metrics().borrow().clone();
        let membership = metrics.membership_config.membership().clone();
        let voters: Vec<u64> = membership.voter_ids().collect();
        let last = metrics.last_log_index.unwrap_or(0);
        let replicas = membership.nodes().map(|(id, replica)| {
            let matched = metrics.replication.as_ref().and_then(|all| all.get(id).copied().flatten());
            let behind =
                metrics.replication.as_ref().map(|_| last - matched.map_or(0, |at| at.index.min(last)));
            let (id, replica, voter) = (*id, replica.clone(), voters.contains(id));
            async move {
                let description = self.describe(id, &replica).await;
                ReplicaStatus { id, replica, voter, description, behind }
            }
        });
        let replicas = join_all(replicas).await;
        Ok(ClusterStatus { role: self.role.borrow().clone(), level: self.state.level()?, replicas })
    }

    async fn describe(&self, id: u64, replica: &Replica) -> Result<Description, String> {
        let Some(client) = self.client.as_ref().filter(|_| id != self.id) else {
            return Ok(Description {
                id: self.id,
                incarnation: replica.incarnation,
                founded: true,
                levels: self.levels,
                release: env!("CARGO_PKG_VERSION").to_owned(),
                applied: self.raft.metrics().borrow().last_applied.map(|log_id| log_id.index),
                size: self.state.size(),
                draining: self.draining.load(Ordering::Relaxed),
                keys_open: self.lock.is_open(),
            });
        };
        let ask = || timeout(DESCRIBE, client.call(id, replica, &Request::Describe));
        let answer = match ask().await {
            // A connection from before it was started again breaks at the first word.
            Ok(Err(CallError::Broken(_))) => ask().await,
            answer => answer,
        };
        match answer {
            Ok(Ok(Response::Describe(description))) => Ok(description),
            Ok(Ok(other)) => Err(format!("it answered {other:?}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {DESCRIBE:?}")),
        }
    }

    /// Takes a replica in: it learns what the group knows, and votes once the group has an odd number with it. While it
    /// learns, which may take long, other wishes are carried out.
    async fn join(&self, id: u64, replica: Replica) -> Result<String, ClusterError> {
        self.admit(id, replica).await?;
        self.catch_up(id).await?;
        self.promote().await.map(|voters| match voters.contains(&id) {
            true => format!("replica {id} has joined: {} replicas vote", voters.len()),
            false => format!(
                "replica {id} learns; it votes once another one has joined, as an even number gains nothing"
            ),
        })
    }

    /// Makes a replica a learner.
    async fn admit(&self, id: u64, mut replica: Replica) -> Result<(), ClusterError> {
        let _alone = self.changing.lock().await;
        self.records.permit(id, replica.jurisdiction).map_err(|error| refused(&error))?;
        let membership = self.membership();
        let description = self.describe(id, &replica).await.map_err(|reason| {
            refused(&format!("replica {id} at {} cannot be taken in: {reason}", replica.address))
        })?;
        replica.incarnation = description.incarnation;
        if description.id != id {
            return Err(refused(&format!("{} is replica {}, not {id}", replica.address, description.id)));
        }
        let level = self.state.level().map_err(|error| failed(&error))?;
        if !description.levels.includes(level) {
            let levels = description.levels;
            return Err(refused(&format!(
                "replica {id} runs versions {levels} of the state and the group uses {level}: install the group's release"
            )));
        }
        match membership.get_node(&id) {
            Some(known) if known.incarnation != replica.incarnation => {
                return Err(refused(&format!(
                    "the group knows replica {id} with another data folder: let that one leave first \
                     (`hansa cluster leave {id}`)"
                )));
            }
            Some(_) if description.founded => {}
            None if description.founded => {
                return Err(refused(&format!(
                    "replica {id} belongs to a group already: empty its data folder to let it join"
                )));
            }
            _ => {}
        }
        self.raft.add_learner(id, replica, false).await.map(|_| ()).map_err(change)
    }

    /// Waits until a learner has nearly everything.
    async fn catch_up(&self, id: u64) -> Result<(), ClusterError> {
        let deadline = Instant::now() + CATCH_UP;
        while self.behind(id).is_none_or(|behind| behind > NEARLY) {
            if !self.leads() {
                return Err(failed(&"another replica leads meanwhile: ask again"));
            }
            if Instant::now() > deadline {
                return Err(failed(&format!("replica {id} did not catch up within {CATCH_UP:?}")));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Lets every learner vote with which the group has an odd number; returns who votes.
    async fn promote(&self) -> Result<Vec<u64>, ClusterError> {
        let _alone = self.changing.lock().await;
        let membership = self.membership();
        let mut voters: Vec<u64> = membership.voter_ids().collect();
        let learners: Vec<u64> = membership.learner_ids().collect();
        let size = SIZES.into_iter().rev().find(|size| *size <= voters.len() + learners.len()).unwrap_or(1);
        if size > voters.len() {
            let promoted: Vec<u64> = learners.into_iter().take(size - voters.len()).collect();
            voters.extend(&promoted);
            let add = ChangeMembers::AddVoterIds(promoted.into_iter().collect());
            self.raft.change_membership(add, true).await.map_err(change)?;
        }
        Ok(voters)
    }

    /// Lets a replica go, dead or alive; a learner takes its place at once if there is one.
    async fn leave(&self, id: u64) -> Result<String, ClusterError> {
        let _alone = self.changing.lock().await;
        let membership = self.membership();
        if membership.get_node(&id).is_none() {
            return Err(refused(&format!("the group has no replica {id}")));
        }
        if id == self.id {
            return Err(refused(&format!("replica {id} leads: hand over first (`hansa cluster transfer`)")));
        }
        let mut voters: std::collections::BTreeSet<u64> = membership.voter_ids().collect();
        if voters.remove(&id) {
            let learner = membership.learner_ids().find(|learner| *learner != id);
            voters.extend(learner);
            self.raft.change_membership(voters.clone(), false).await.map_err(change)?;
        }
        let left = self.membership();
        if left.get_node(&id).is_some() {
            let remove = ChangeMembers::RemoveNodes([id].into());
            self.raft.change_membership(remove, false).await.map_err(change)?;
        }
        let voters = self.membership().voter_ids().count();
        let note =
            if SIZES.contains(&voters) { "" } else { ": let another join, as an even number gains nothing" };
        Ok(format!("replica {id} has left; {voters} replicas vote{note}"))
    }

    /// Hands leadership over. openraft 0.9 knows no such request: nothing more is proposed, the target catches up, the
    /// heartbeats stop, and once the lease of this leader is over the target stands for election.
    async fn transfer(&self, to: Option<u64>) -> Result<String, ClusterError> {
        let _alone = self.changing.lock().await;
        let (to, replica) = self.successor(to)?;
        let client =
            self.client.as_ref().ok_or_else(|| refused(&"a group of one has nobody to hand over to"))?;
        let description = self.describe(to, &replica).await;
        let description = description.map_err(|reason| refused(&format!("replica {to}: {reason}")))?;
        if description.draining {
            return Err(refused(&format!("replica {to} is drained")));
        }
        let _paused = self
            .proposer
            .pause(DRAIN)
            .await
            .ok_or_else(|| failed(&format!("commands were still under way after {DRAIN:?}")))?;
        let caught_up = async {
            while self.behind(to) != Some(0) {
                sleep(LOOK).await;
            }
        };
        if timeout(DRAIN, caught_up).await.is_err() {
            return Err(failed(&format!("replica {to} did not catch up within {DRAIN:?}")));
        }
        let silence = Silence::begin(&self.raft);
        sleep(self.lease).await;
        let asked = timeout(DESCRIBE, client.call(to, &replica, &Request::Elect)).await;
        let mut role = self.role.clone();
        let elected = timeout(self.lease * 4, role.wait_for(|role| role.leader == Some(to))).await;
        drop(silence);
        match elected {
            Ok(Ok(_)) => Ok(format!("replica {to} leads")),
            _ => Err(failed(&format!("replica {to} was not elected ({asked:?})"))),
        }
    }

    /// The voter to hand over to: the one wished for, or the one that has most.
    fn successor(&self, to: Option<u64>) -> Result<(u64, Replica), ClusterError> {
        let metrics = self.raft.metrics().borrow().clone();
        let membership = metrics.membership_config.membership();
        let voters: Vec<u64> = membership.voter_ids().filter(|voter| *voter != self.id).collect();
        let matched = |id: &u64| {
            metrics.replication.as_ref().and_then(|all| all.get(id).copied().flatten()).map(|at| at.index)
        };
        let to = match to {
            Some(to) if to == self.id => return Err(refused(&format!("replica {to} leads already"))),
            Some(to) if !voters.contains(&to) => {
                return Err(refused(&format!("replica {to} does not vote in this group")));
            }
            Some(to) => to,
            None => *voters
                .iter()
                .max_by_key(|id| matched(id))
                .ok_or_else(|| refused(&"a group of one has nobody to hand over to"))?,
        };
        let replica = membership.get_node(&to).cloned().unwrap_or_default();
        Ok((to, replica))
    }

    /// How many entries a replica lacks, as its leader knows; `None` before it has answered.
    fn behind(&self, id: u64) -> Option<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let matched = metrics.replication.as_ref()?.get(&id).copied().flatten()?;
        Some(metrics.last_log_index.unwrap_or(0).saturating_sub(matched.index))
    }

    /// Uses the newest version of the state that every replica understands.
    async fn finalize(&self) -> Result<String, ClusterError> {
        let _alone = self.changing.lock().await;
        let status = self.status().await.map_err(|error| failed(&error))?;
        let mut newest = self.levels.newest;
        for replica in &status.replicas {
            match &replica.description {
                Ok(description) => newest = newest.min(description.levels.newest),
                Err(reason) => {
                    return Err(refused(&format!(
                        "replica {} does not say what it understands ({reason}): every replica must run the new release",
                        replica.id
                    )));
                }
            }
        }
        if newest <= status.level {
            return Ok(format!(
                "version {} of the state is in use, and some replica knows no newer",
                status.level
            ));
        }
        let proposal = Proposal { seen: None, command: Command::Finalize { level: newest } };
        match self.proposer.propose(&proposal).await {
            Ok(Outcome::Finalized { level }) => {
                Ok(format!("version {level} of the state is in use from now on"))
            }
            Ok(other) => Err(failed(&format!("the group answered {other:?}"))),
            Err(error) => Err(failed(&error)),
        }
    }

    fn membership(&self) -> openraft::Membership<u64, Replica> {
        self.raft.metrics().borrow().membership_config.membership().clone()
    }
}

/// While it lives, this leader sends no heartbeats.
struct Silence(Raft);

impl Silence {
    fn begin(raft: &Raft) -> Self {
        raft.runtime_config().heartbeat(false);
        Self(raft.clone())
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.0.runtime_config().heartbeat(true);
    }
}

/// The group as it is founded: every replica with its data folder, at the version all of them know.
pub(crate) fn founding_level(levels: &[Levels]) -> u32 {
    levels.iter().map(|levels| levels.newest).min().unwrap_or(BASE_LEVEL)
}

fn refused(reason: &impl ToString) -> ClusterError {
    ClusterError::Refused(reason.to_string())
}

fn failed(reason: &impl ToString) -> ClusterError {
    ClusterError::Failed(reason.to_string())
}

fn change(error: RaftError<u64, ClientWriteError<u64, Replica>>) -> ClusterError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => ClusterError::NoQuorum,
        RaftError::APIError(ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(
            _,
        ))) => refused(&"another change of the group is under way: try again"),
        other => failed(&other),
    }
}

impl Encode for ClusterError {
    fn encode(&self, out: &mut Writer) {
        let (kind, reason) = match self {
            Self::NoQuorum => (1, ""),
            Self::Refused(reason) => (2, reason.as_str()),
            Self::Failed(reason) => (3, reason.as_str()),
        };
        out.u8(kind);
        out.bytes(crate::replica::bounded(reason));
    }
}

impl Decode for ClusterError {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let kind = input.u8()?;
        let reason = text(input, "reason")?;
        match kind {
            1 => Ok(Self::NoQuorum),
            2 => Ok(Self::Refused(reason)),
            3 => Ok(Self::Failed(reason)),
            other => Err(CodecError::invalid("wish", format!("{other} is not one of its failures"))),
        }
    }
}
