//! Raft's messages over [`crate::net`].

use std::future::Future;

use futures::future::{Either, select};
use openraft::error::{
    Fatal, NetworkError, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, Snapshot, Vote};

use super::TypeConfig;
use crate::net::{CallError, Client, Request, Response};
use crate::replica::Replica;

/// How long a replica that cannot be reached is left alone: short, so that one that comes back catches up at once.
const RETRY: std::time::Duration = std::time::Duration::from_millis(100);

/// Makes the way to each replica.
#[derive(Clone)]
pub(super) struct Peers {
    /// None in a group of one, which calls nobody.
    pub(super) client: Option<Client>,
}

/// The way to one replica.
pub(super) struct Peer {
    id: u64,
    replica: Replica,
    client: Option<Client>,
}

type RpcError = RPCError<u64, Replica, RaftError<u64>>;

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, id: u64, replica: &Replica) -> Peer {
        Peer { id, replica: replica.clone(), client: self.client.clone() }
    }
}

impl Peer {
    async fn call(&self, request: &Request) -> Result<Response, RpcError> {
        let Some(client) = &self.client else {
            return Err(unreachable(&std::io::Error::other("nobody to call")));
        };
        client.call(self.id, &self.replica, request).await.map_err(|error| rpc_error(&error))
    }
}

impl RaftNetwork<TypeConfig> for Peer {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RpcError> {
        match self.call(&Request::Append(request)).await? {
            Response::Append(answer) => Ok(answer),
            other => Err(rpc_error(&CallError::Answer(format!("{other:?}")))),
        }
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

fn unreachable(error: &(impl std::error::Error + 'static)) -> RpcError {
    RPCError::Unreachable(Unreachable::new(error))
}
