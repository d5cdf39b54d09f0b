//! Raft's messages over [`crate::net`].
//!
//! openraft 0.9.25 has two habits that are kept from it here. It ends what replicates to a replica as soon as that one
//! has voted for another leader, and stops altogether if an earlier answer then still makes it send a snapshot there: such
//! a vote is handed to [`crate::election`] instead. And it gives up an append after one heartbeat and sends its entries
//! again, over and over where a disk takes longer: an append outlives whoever waits for it, and the next one with the
//! same beginning waits for its answer instead of being sent.

use std::future::Future;
use std::time::Duration;

use futures::future::{Either, select};
use openraft::error::{
    Fatal, NetworkError, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, Snapshot, Vote};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{LogId, TypeConfig};
use crate::net::{CallError, Client, Request, Response};
use crate::replica::Replica;

/// How long a replica that cannot be reached is left alone: short, so that one that comes back catches up at once.
const RETRY: Duration = Duration::from_millis(100);

/// Makes the way to each replica.
#[derive(Clone)]
pub(super) struct Peers {
    /// None in a group of one, which calls nobody.
    pub(super) client: Option<Client>,
    /// Takes the votes of others for a leader after this one.
    pub(super) voted: watch::Sender<Option<Vote<u64>>>,
}

/// The way to one replica.
pub(super) struct Peer {
    id: u64,
    replica: Replica,
    client: Option<Client>,
    voted: watch::Sender<Option<Vote<u64>>>,
    under_way: Option<UnderWay>,
}

/// An append that is not answered yet.
struct UnderWay {
    vote: Vote<u64>,
    prev: Option<LogId>,
    last: Option<LogId>,
    answer: JoinHandle<Result<Response, CallError>>,
}

impl UnderWay {
    /// Whether the entries of `request` and these are of one log and begin at one place.
    fn begins_as(&self, request: &AppendEntriesRequest<TypeConfig>) -> bool {
        self.vote == request.vote && self.prev == request.prev_log_id
    }

    /// What its answer says of entries that begin as these did and end with `last`.
    fn answer_for(
        &self,
        last: Option<LogId>,
        answer: AppendEntriesResponse<u64>,
    ) -> AppendEntriesResponse<u64> {
        match answer {
            AppendEntriesResponse::Success if self.last < last => {
                AppendEntriesResponse::PartialSuccess(self.last)
            }
            // More may have arrived than is asked about now.
            AppendEntriesResponse::PartialSuccess(matching) if matching >= last => {
                AppendEntriesResponse::Success
            }
            answer => answer,
        }
    }
}

/// The replica has voted for a later leader.
#[derive(Debug, thiserror::Error)]
#[error("it has voted for {0}")]
struct Superseded(Vote<u64>);

/// The last entry that a request brings, or the one before its first.
fn last_of(request: &AppendEntriesRequest<TypeConfig>) -> Option<LogId> {
    request.entries.last().map_or(request.prev_log_id, |entry| Some(entry.log_id))
}

type RpcError = RPCError<u64, Replica, RaftError<u64>>;

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, id: u64, replica: &Replica) -> Peer {
        let (client, voted) = (self.client.clone(), self.voted.clone());
        Peer { id, replica: replica.clone(), client, voted, under_way: None }
    }
}

impl Peer {
    /// Sends an append, whoever waits for the answer.
    fn start(
        &self,
        client: Client,
        request: AppendEntriesRequest<TypeConfig>,
        last: Option<LogId>,
    ) -> UnderWay {
        let (vote, prev) = (request.vote, request.prev_log_id);
        let (id, replica, request) = (self.id, self.replica.clone(), Request::Append(request));
        let answer = tokio::spawn(async move { client.call(id, &replica, &request).await });
        UnderWay { vote, prev, last, answer }
    }

    /// Hands on that the replica has voted for a later leader.
    fn superseded(&self, vote: Vote<u64>) -> Superseded {
        self.voted.send_replace(Some(vote));
        Superseded(vote)
    }

    async fn call(&self, request: &Request) -> Result<Response, RpcError> {
        let client = self.client.as_ref().ok_or_else(nobody)?;
        client.call(self.id, &self.replica, request).await.map_err(|error| rpc_error(&error))
    }
}

impl RaftNetwork<TypeConfig> for Peer {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RpcError> {
        let last = last_of(&request);
        if self.under_way.as_ref().is_none_or(|under_way| !under_way.begins_as(&request)) {
            let client = self.client.clone().ok_or_else(nobody)?;
            self.under_way = Some(self.start(client, request, last));
        }
        // It stays until it is answered: whoever waits here may give up before.
        let Some(under_way) = &mut self.under_way else { return Err(nobody()) };
        let answer = (&mut under_way.answer).await;
        let answer = match answer.unwrap_or_else(|error| Err(CallError::Broken(error.to_string()))) {
            Ok(Response::Append(AppendEntriesResponse::HigherVote(vote))) => {
                Err(RPCError::Network(NetworkError::new(&self.superseded(vote))))
            }
            Ok(Response::Append(answer)) => Ok(under_way.answer_for(last, answer)),
            Ok(other) => Err(rpc_error(&CallError::Answer(format!("{other:?}")))),
            Err(error) => Err(rpc_error(&error)),
        };
        self.under_way = None;
        answer
    }

    async fn vote(&mut self, request: VoteRequest<u64>, _: RPCOption) -> Result<VoteResponse<u64>, RpcError> {
        match self.call(&Request::Vote(request)).await? {
            Response::Vote(answer) => Ok(answer),
            other => Err(rpc_error(&CallError::Answer(format!("{other:?}")))),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote<u64>,
        snapshot: Snapshot<TypeConfig>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<TypeConfig, Fatal<u64>>> {
        let failed = |error: &CallError| match error {
            CallError::Broken(_) => StreamingError::Network(NetworkError::new(error)),
            _ => StreamingError::Unreachable(Unreachable::new(error)),
        };
        let Some(client) = &self.client else {
            return Err(failed(&CallError::Connect("nobody to call".to_owned())));
        };
        let sending = client.send_snapshot(self.id, &self.replica, vote, snapshot);
        match select(sending, std::pin::pin!(cancel)).await {
            Either::Left((Ok(answered), _)) if answered > vote => {
                Err(StreamingError::Network(NetworkError::new(&self.superseded(answered))))
            }
            Either::Left((Ok(vote), _)) => Ok(SnapshotResponse { vote }),
            Either::Left((Err(error), _)) => {
                tracing::warn!(replica = self.id, %error, "a snapshot was not delivered; it is tried again");
                Err(failed(&error))
            }
            Either::Right((closed, _)) => Err(closed.into()),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(RETRY))
    }
}

/// What Raft makes of a failed call: it leaves alone for a while who cannot be reached, and tries others again at once.
fn rpc_error(error: &CallError) -> RpcError {
    match error {
        CallError::Address(_) | CallError::Connect(_) | CallError::Refused(_) => unreachable(error),
        _ => RPCError::Network(NetworkError::new(error)),
    }
}

/// A group of one calls nobody.
fn nobody() -> RpcError {
    unreachable(&std::io::Error::other("nobody to call"))
}

fn unreachable(error: &(impl std::error::Error + 'static)) -> RpcError {
    RPCError::Unreachable(Unreachable::new(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::BoxFuture;
    use openraft::{CommittedLeaderId, Entry, EntryPayload};
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;
    use crate::net::Wire;

    type Answers = Vec<oneshot::Receiver<AppendEntriesResponse<u64>>>;

    /// Counts what is sent, and answers when the test says so.
    struct Slow {
        sent: AtomicUsize,
        answers: Mutex<Answers>,
    }

    impl Wire for Slow {
        fn call<'a>(
            &'a self,
            _: u64,
            _: &'a Replica,
            _: &'a Request,
        ) -> BoxFuture<'a, Result<Response, CallError>> {
            self.sent.fetch_add(1, Ordering::SeqCst);
            let answer = self.answers.lock().unwrap().remove(0);
            Box::pin(async { Ok(Response::Append(answer.await.unwrap())) })
        }

        fn send_snapshot<'a>(
            &'a self,
            _: u64,
            _: &'a Replica,
            _: Vote<u64>,
            _: Snapshot<TypeConfig>,
        ) -> BoxFuture<'a, Result<Vote<u64>, CallError>> {
            unreachable!("no snapshot is sent")
        }

        fn close(&self) {}
    }

    fn at(index: u64) -> Option<LogId> {
        Some(LogId::new(CommittedLeaderId::new(1, 1), index))
    }

    fn append(prev: u64, last: u64) -> AppendEntriesRequest<TypeConfig> {
        let entry = |index| Entry { log_id: at(index).unwrap(), payload: EntryPayload::Blank };
        AppendEntriesRequest {
            vote: Vote::new_committed(1, 1),
            prev_log_id: at(prev),
            entries: (prev + 1..=last).map(entry).collect(),
            leader_commit: None,
        }
    }

    fn option() -> RPCOption {
        RPCOption::new(Duration::from_millis(1))
    }

    #[tokio::test(start_paused = true)]
    async fn an_append_that_was_given_up_is_waited_for_and_not_sent_again() {
        let (first, first_answer) = oneshot::channel();
        let (second, second_answer) = oneshot::channel();
        let wire = std::sync::Arc::new(Slow {
            sent: AtomicUsize::new(0),
            answers: Mutex::new(vec![first_answer, second_answer]),
        });
        let (voted, _) = watch::channel(None);
        let mut peers = Peers { client: Some(wire.clone()), voted };
        let mut peer = peers.new_client(2, &Replica::default()).await;
        for last in [5, 7] {
            let given_up = timeout(Duration::from_millis(1), peer.append_entries(append(3, last), option()));
            assert!(given_up.await.is_err());
        }
        first.send(AppendEntriesResponse::Success).unwrap();
        let answer = peer.append_entries(append(3, 7), option()).await.unwrap();
        assert!(matches!(answer, AppendEntriesResponse::PartialSuccess(last) if last == at(5)), "{answer:?}");
        assert_eq!(wire.sent.load(Ordering::SeqCst), 1);

        // What begins elsewhere is another append; one that asks about less has its answer.
        assert!(
            timeout(Duration::from_millis(1), peer.append_entries(append(5, 7), option())).await.is_err()
        );
        assert_eq!(wire.sent.load(Ordering::SeqCst), 2);
        second.send(AppendEntriesResponse::Success).unwrap();
        let answer = peer.append_entries(append(5, 5), option()).await.unwrap();
        assert!(matches!(answer, AppendEntriesResponse::Success), "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_vote_for_a_later_leader_is_handed_on_and_does_not_end_the_replication() {
        let (answer, answers) = oneshot::channel();
        let wire = Slow { sent: AtomicUsize::new(0), answers: Mutex::new(vec![answers]) };
        let (voted, votes) = watch::channel(None);
        let mut peers = Peers { client: Some(std::sync::Arc::new(wire)), voted };
        let mut peer = peers.new_client(2, &Replica::default()).await;
        let later = Vote::new(2, 3);
        answer.send(AppendEntriesResponse::HigherVote(later)).unwrap();
        let answer = peer.append_entries(append(3, 5), option()).await;
        assert!(matches!(answer, Err(RPCError::Network(_))), "{answer:?}");
        assert_eq!(*votes.borrow(), Some(later));
    }
}
