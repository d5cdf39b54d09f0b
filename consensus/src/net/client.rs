//! Asks other replicas: one connection each, made when it is needed and again when it broke.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hansa_types::codec::{CodecError, Decode};
use openraft::raft::SnapshotResponse;
use openraft::{Snapshot, Vote};
use quinn::{Connection, Endpoint, VarInt};
use thiserror::Error;
use tokio::sync::Mutex;

use super::message::{MAX_MESSAGE, Refused, Request, Response, SnapshotHead, encode_request};
use super::snapshot::{self, Files, SendError};
use super::tls;
use crate::raft::TypeConfig;
use crate::replica::Replica;
use crate::state::StateMachine;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);

/// Why a replica gave no answer.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// The address names no host.
    #[error("{0} names no host and port")]
    Address(String),
    /// There is no connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// It answered that it will not.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It answered what does not decode, or another question.
    #[error("its answer is not one to the question: {0}")]
    Answer(String),
    /// The snapshot's files could not be read.
    #[error("the snapshot cannot be sent: {0}")]
    Files(String),
}

/// How requests reach other replicas. Whoever calls bounds the time.
pub(crate) trait Wire: Send + Sync + 'static {
    /// Asks replica `id` and waits for the answer.
    fn call<'a>(
        &'a self,
        id: u64,
        to: &'a Replica,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Response, CallError>>;

    /// Sends a snapshot, and waits until the replica has installed it.
    fn send_snapshot<'a>(
        &'a self,
        id: u64,
        to: &'a Replica,
        vote: Vote<u64>,
        snapshot: Snapshot<TypeConfig>,
    ) -> BoxFuture<'a, Result<Vote<u64>, CallError>>;

    /// Ends every call.
    fn close(&self);
}

/// The way to other replicas.
pub(crate) type Client = Arc<dyn Wire>;

/// Asks over QUIC.
pub(super) struct Quic {
    endpoint: Endpoint,
    /// Whose subject keys go with a snapshot.
    state: Arc<StateMachine>,
    slots: Mutex<BTreeMap<(u64, String), Slot>>,
}

/// One connection, or the place for one: who needs it first makes it, the others wait.
type Slot = Arc<Mutex<Option<Connection>>>;

impl Quic {
    /// Calls from `endpoint`, which has a client configuration.
    pub(super) fn new(endpoint: Endpoint, state: Arc<StateMachine>) -> Self {
        Self { endpoint, state, slots: Mutex::default() }
    }

    async fn ask(&self, id: u64, to: &Replica, request: &Request) -> Result<Response, CallError> {
        let (mut send, mut receive) = self.open(id, to).await?;
        let bytes = encode_request(to.incarnation, request);
        snapshot::write_frame(&mut send, &bytes).await.map_err(|error| broken(&error))?;
        send.finish().map_err(|error| broken(&error))?;
        answer(&receive.read_to_end(MAX_MESSAGE).await.map_err(|error| broken(&error))?)
    }

    /// Sends the files in chunks, and the subject keys.
    async fn send(
        &self,
        id: u64,
        to: &Replica,
        vote: Vote<u64>,
        snapshot: Snapshot<TypeConfig>,
    ) -> Result<Vote<u64>, CallError> {
        let files = Files::list(&snapshot.snapshot).map_err(|error| CallError::Files(error.to_string()))?;
        let head = SnapshotHead { vote, meta: snapshot.meta, files: files.list.clone() };
        let (mut send, mut receive) = self.open(id, to).await?;
        let bytes = encode_request(to.incarnation, &Request::Snapshot(head));
        snapshot::write_frame(&mut send, &bytes).await.map_err(|error| broken(&error))?;
        let sent = match snapshot::send(&mut send, files).await {
            Ok(()) => snapshot::send_keys(&mut send, &self.state).await,
            failed => failed,
        };
        match sent {
            Ok(()) => send.finish().map_err(|error| broken(&error))?,
            Err(SendError::File(reason)) => return Err(CallError::Files(reason)),
            // The other side may have said why before it closed.
            Err(SendError::Stream(_)) => {}
        }
        match answer(&receive.read_to_end(MAX_MESSAGE).await.map_err(|error| broken(&error))?)? {
            Response::Snapshot(SnapshotResponse { vote }) => Ok(vote),
            other => Err(CallError::Answer(format!("{other:?}"))),
        }
    }

    async fn open(&self, id: u64, to: &Replica) -> Result<(quinn::SendStream, quinn::RecvStream), CallError> {
        let connection = self.connection(id, &to.address).await?;
        connection.open_bi().await.map_err(|error| broken(&error))
    }

    async fn connection(&self, id: u64, address: &str) -> Result<Connection, CallError> {
        let slot = self.slots.lock().await.entry((id, address.to_owned())).or_default().clone();
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| connection.close_reason().is_none()) {
            return Ok(connection.clone());
        }
        let connection = tokio::time::timeout(CONNECT, self.connect(id, address))
            .await
            .map_err(|_| CallError::Connect(format!("{address} did not answer in {CONNECT:?}")))??;
        *slot = Some(connection.clone());
        Ok(connection)
    }

    async fn connect(&self, id: u64, address: &str) -> Result<Connection, CallError> {
        let failed = |error: &dyn std::fmt::Display| CallError::Connect(format!("{address}: {error}"));
        let resolved: Vec<SocketAddr> =
            tokio::net::lookup_host(address).await.map_err(|error| failed(&error))?.collect();
        let local = self.endpoint.local_addr().map_err(|error| failed(&error))?;
        // An endpoint on IPv4 cannot send to IPv6.
        let reachable = resolved.into_iter().find(|found| found.is_ipv4() || local.is_ipv6());
        let target = reachable.ok_or_else(|| CallError::Address(address.to_owned()))?;
        let connecting = self.endpoint.connect(target, &tls::name(id)).map_err(|error| failed(&error))?;
        connecting.await.map_err(|error| failed(&error))
    }
}

impl Wire for Quic {
    fn call<'a>(
        &'a self,
        id: u64,
        to: &'a Replica,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Response, CallError>> {
        Box::pin(self.ask(id, to, request))
    }

    fn send_snapshot<'a>(
        &'a self,
        id: u64,
        to: &'a Replica,
        vote: Vote<u64>,
        snapshot: Snapshot<TypeConfig>,
    ) -> BoxFuture<'a, Result<Vote<u64>, CallError>> {
        Box::pin(self.send(id, to, vote, snapshot))
    }

    fn close(&self) {
        self.endpoint.close(VarInt::from_u32(0), b"stopped");
    }
}

fn answer(bytes: &[u8]) -> Result<Response, CallError> {
    match Response::from_bytes(bytes).map_err(|error: CodecError| CallError::Answer(error.to_string()))? {
        Response::Refused(refused) => Err(refused.into()),
        response => Ok(response),
    }
}

fn broken(error: &impl ToString) -> CallError {
    CallError::Broken(error.to_string())
}
