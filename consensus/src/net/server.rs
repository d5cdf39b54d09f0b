//! Answers other replicas: who has no certificate of the bank's authority for a replica gets no further than the
//! handshake.

use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use hansa_types::codec::Encode;
use quinn::{
    Connection, Endpoint, EndpointConfig, Incoming, MtuDiscoveryConfig, RecvStream, SendStream, TokioRuntime,
    TransportConfig, VarInt,
};
use rustls::pki_types::CertificateDer;
use tokio::task::JoinHandle;

use super::client::{Client, Quic};
use super::message::{MAX_MESSAGE, Refused, Request, Response, SnapshotHead, decode_request};
use super::snapshot::read_frame;
use super::tls::{self, TlsConfig, TlsError};
use crate::replica::Incarnation;
use crate::state::StateMachine;

/// Requests under way on one connection.
const STREAMS: u32 = 256;
/// What one stream may have on the way, in bytes: a batch of commands without waiting.
const STREAM_WINDOW: u32 = 8 << 20;
/// What one connection may have on the way, in bytes.
const CONNECTION_WINDOW: u32 = 64 << 20;
/// Silence after which a connection is given up.
const IDLE: Duration = Duration::from_secs(3);
/// How often a silent connection says that it lives.
const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// A round trip is assumed to take this long until one was measured.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(20);
/// The largest datagram tried, for networks with jumbo frames; discovery settles for less where it must. quinn hands
/// ten of them to the kernel at once, which takes no more than 65,487 bytes and drops what is longer without a word.
const LARGEST_DATAGRAM: u16 = 6_500;
/// Closes a connection whose certificate names no replica.
const NO_REPLICA: VarInt = VarInt::from_u32(1);

/// What answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers a request of replica `from`, meant for the data folder `to`.
    fn handle(&self, from: u64, to: Incarnation, request: Request) -> impl Future<Output = Response> + Send;

    /// Takes the snapshot whose files follow on `files`.
    fn take_snapshot(
        &self,
        to: Incarnation,
        head: SnapshotHead,
        files: &mut RecvStream,
    ) -> impl Future<Output = Response> + Send;
}

/// The listening side of a replica.
pub(crate) struct Server {
    endpoint: Endpoint,
}

impl Server {
    /// Listens on `address` with the certificates of `config`.
    pub(crate) fn bind(address: SocketAddr, config: &TlsConfig, replica: u64) -> Result<Self, BindError> {
        let mut tls = tls::load(config, replica)?;
        let transport = Arc::new(transport());
        tls.server.transport_config(transport.clone());
        tls.client.transport_config(transport);
        let failed = |source: std::io::Error| BindError::Address { address, reason: source.to_string() };
        let mut config = EndpointConfig::default();
        config.max_udp_payload_size(LARGEST_DATAGRAM).expect("it is above QUIC's least, 1200 bytes");
        let socket = UdpSocket::bind(address).map_err(failed)?;
        let mut endpoint =
            Endpoint::new(config, Some(tls.server), socket, Arc::new(TokioRuntime)).map_err(failed)?;
        endpoint.set_default_client_config(tls.client);
        Ok(Self { endpoint })
    }

    /// The calling side on the same port, for the replica with this state.
    pub(crate) fn client(&self, state: Arc<StateMachine>) -> Client {
        Arc::new(Quic::new(self.endpoint.clone(), state))
    }

    /// Answers until the endpoint is closed.
    pub(crate) fn run<H: Handler>(self, handler: Arc<H>) -> JoinHandle<()> {
        tokio::spawn(async move {
            while let Some(incoming) = self.endpoint.accept().await {
                tokio::spawn(serve(incoming, handler.clone()));
            }
        })
    }
}

/// Why a replica does not listen.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BindError {
    /// The certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address.
    #[error("replication cannot listen on {address}: {reason}")]
    Address {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
}

fn transport() -> TransportConfig {
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(LARGEST_DATAGRAM);
    let mut transport = TransportConfig::default();
    transport
        .mtu_discovery_config(Some(discovery))
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(u64::from(CONNECTION_WINDOW))
        .initial_rtt(FIRST_ROUND_TRIP)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IDLE.try_into().expect("seconds fit QUIC's milliseconds")));
    transport
}

async fn serve<H: Handler>(incoming: Incoming, handler: Arc<H>) {
    let remote = incoming.remote_address();
    let connection = match incoming.await {
        Ok(connection) => connection,
        Err(error) => return tracing::warn!(%remote, %error, "a connection for replication was refused"),
    };
    let Some(from) = caller(&connection) else {
        tracing::warn!(%remote, "a connection for replication shows a certificate that names no replica");
        return connection.close(NO_REPLICA, b"the certificate names no replica");
    };
    while let Ok((send, receive)) = connection.accept_bi().await {
        tokio::spawn(answer(from, send, receive, handler.clone()));
    }
}

fn caller(connection: &Connection) -> Option<u64> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    tls::replica_of(chain.first()?)
}

async fn answer<H: Handler>(from: u64, mut send: SendStream, mut receive: RecvStream, handler: Arc<H>) {
    let response = match read_frame(&mut receive, MAX_MESSAGE).await {
        Err(reason) => return tracing::debug!(from, reason, "a request broke off"),
        Ok(bytes) => match decode_request(&bytes) {
            Err(error) => {
                tracing::warn!(from, %error, "a replica sent a request that does not decode");
                Response::Refused(Refused::Malformed(error.to_string()))
            }
            Ok((to, Request::Snapshot(head))) => handler.take_snapshot(to, head, &mut receive).await,
            Ok((to, request)) => handler.handle(from, to, request).await,
        },
    };
    // Who asked may be gone by now.
    if send.write_all(&response.to_bytes()).await.is_ok() && send.finish().is_ok() {
        let _ = send.stopped().await;
    }
}
