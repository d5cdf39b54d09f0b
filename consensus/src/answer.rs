//! What this replica answers to others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use openraft::Snapshot;
use openraft::raft::AppendEntriesResponse;
use quinn::RecvStream;
use tokio::sync::{Mutex, OnceCell};

use crate::cluster::Cluster;
use crate::election::{Heard, would_vote};
use crate::error::ProposeError;
use crate::lock::KeyLock;
use crate::net::{
    Admin, Description, Handler, ProposeAnswer, Refused, Request, Response, SnapshotHead, receive,
    receive_keys,
};
use crate::proposer::Proposer;
use crate::raft::{LogId, Packed, Raft};
use crate::replica::{Incarnation, Levels};
use crate::state::StateMachine;

/// Everything that questions of other replicas are answered from.
pub(crate) struct Answers {
    pub(crate) id: u64,
    pub(crate) incarnation: Incarnation,
    pub(crate) levels: Levels,
    pub(crate) raft: Raft,
    pub(crate) state: Arc<StateMachine>,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) lock: Arc<KeyLock>,
    pub(crate) heard: Arc<Heard>,
    /// Set once this replica proposes; before that it only learns.
    pub(crate) serving: OnceCell<(Proposer, Arc<Cluster>)>,
    /// One snapshot is received at a time: they share a folder.
    pub(crate) receiving: Mutex<()>,
}

impl Handler for Answers {
    async fn handle(&self, from: u64, to: Incarnation, request: Request) -> Response {
        if matches!(request, Request::Describe) {
            return Response::Describe(self.describe().await);
        }
        if to != self.incarnation {
            return Response::Refused(Refused::OtherIncarnation(self.incarnation));
        }
        match self.answer(from, request).await {
            Ok(response) => response,
            Err(refused) => Response::Refused(refused),
        }
    }

    async fn take_snapshot(&self, to: Incarnation, head: SnapshotHead, files: &mut RecvStream) -> Response {
        if to != self.incarnation {
            return Response::Refused(Refused::OtherIncarnation(self.incarnation));
        }
        let _alone = self.receiving.lock().await;
        match self.install(head, files).await {
            Ok(response) => response,
            Err(refused) => {
                tracing::warn!(%refused, "a snapshot was not taken");
                Response::Refused(refused)
            }
        }
    }
}

impl Answers {
    pub(crate) async fn describe(&self) -> Description {
        let founded = self.raft.is_initialized().await.unwrap_or(true);
        let applied = self.raft.metrics().borrow().last_applied.map(|log_id| log_id.index);
        Description {
            id: self.id,
            incarnation: self.incarnation,
            founded,
            levels: self.levels,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            applied,
            size: self.state.size(),
            draining: self.draining.load(Ordering::Relaxed),
            keys_open: self.lock.is_open(),
        }
    }

    async fn answer(&self, from: u64, request: Request) -> Result<Response, Refused> {
        let failed = |error: &dyn std::fmt::Display| Refused::Failed(error.to_string());
        match request {
            Request::Append(append) => {
                self.heard.arrives(&self.raft, &append);
                let answer = self.raft.append_entries(append).await.map_err(|error| failed(&error))?;
                if !matches!(answer, AppendEntriesResponse::HigherVote(_)) {
                    self.heard.now();
                }
                Ok(Response::Append(answer))
            }
            Request::PreVote(last) => {
                self.known_candidate(from, last)?;
                let would = would_vote(&self.raft, &self.state, &self.heard, last).await;
                Ok(Response::PreVote(would))
            }
            Request::Vote(vote) => {
                self.known_candidate(from, vote.last_log_id)?;
                self.raft.vote(vote).await.map(Response::Vote).map_err(|error| failed(&error))
            }
            Request::Propose(proposals) => self.propose(proposals).await.map(Response::Propose),
            Request::ReadIndex => match self.raft.get_read_log_id().await {
                Ok((index, _)) => Ok(Response::ReadIndex(index)),
                Err(_) => Err(Refused::NotLeader),
            },
            Request::Elect => {
                self.raft.trigger().elect().await.map_err(|error| failed(&error))?;
                Ok(Response::Electing)
            }
            Request::Admin(admin) => self.administer(admin).await,
            // Both are answered before.
            Request::Describe | Request::Snapshot(_) => Err(Refused::Malformed("out of place".to_owned())),
        }
    }

    /// A replica that was let go may not know it yet.
    fn known_candidate(&self, from: u64, last: Option<LogId>) -> Result<(), Refused> {
        let metrics = self.raft.metrics();
        let membership = metrics.borrow().membership_config.clone();
        let listed = membership.membership().get_node(&from).is_some();
        let behind = last < *membership.log_id();
        if !listed && behind { Err(Refused::Stranger(from)) } else { Ok(()) }
    }

    async fn propose(&self, proposals: Vec<Vec<u8>>) -> Result<ProposeAnswer, Refused> {
        let (proposer, _) = self.serving.get().ok_or(Refused::NotLeader)?;
        for proposal in &proposals {
            Packed::check(proposal).map_err(|error| Refused::Malformed(error.to_string()))?;
        }
        let answers = join_all(proposals.into_iter().map(|proposal| proposer.forwarded(proposal))).await;
        let mut outcomes = Vec::with_capacity(answers.len());
        for answer in answers {
            match answer {
                Ok(outcome) => outcomes.push(outcome),
                Err(ProposeError::Busy { .. }) => return Ok(ProposeAnswer::Busy),
                Err(ProposeError::NotLeader | ProposeError::NoQuorum { .. }) => {
                    return Err(Refused::NotLeader);
                }
                Err(error) => return Err(Refused::Failed(error.to_string())),
            }
        }
        Ok(ProposeAnswer::Done(outcomes))
    }

    async fn administer(&self, admin: Admin) -> Result<Response, Refused> {
        let (_, cluster) = self.serving.get().ok_or(Refused::NotLeader)?;
        if !cluster.leads() {
            return Err(Refused::NotLeader);
        }
        Ok(Response::Admin(cluster.administer(admin).await))
    }

    async fn install(&self, head: SnapshotHead, files: &mut RecvStream) -> Result<Response, Refused> {
        let failed = |error: &dyn std::fmt::Display| Refused::Failed(error.to_string());
        let dir = self.raft.begin_receiving_snapshot().await.map_err(|error| failed(&error))?;
        receive(files, &head, &dir).await.map_err(|error| failed(&error))?;
        receive_keys(files, &self.state).await.map_err(|error| failed(&error))?;
        let snapshot = Snapshot { meta: head.meta, snapshot: dir };
        let installed = self.raft.install_full_snapshot(head.vote, snapshot).await;
        installed.map(Response::Snapshot).map_err(|error| failed(&error))
    }
}
