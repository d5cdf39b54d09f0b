//! The interfaces of a node, from binding to draining: HTTP and gRPC on loopback addresses, HTTP on a Unix socket too, a
//! drop folder, and Kafka.
//!
//! What limits connections, calls and times is the same for all of them. A call runs in a task of its own and is never
//! cut off half-way; draining waits for the calls, not for connections.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt as _, Chain, Join, ReadHalf, WriteHalf, join, split};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::config::ApiConfig;
use crate::error::ServeError;
use crate::files::{Files, FilesConfig};
use crate::kafka::{Kafka, KafkaConfig};
use crate::listen::{Connection, Listener};
use crate::logins::{LoginCounter, Origin};
use crate::metrics::ApiMetrics;
use crate::service::Service;
use crate::shared::Shared;
use crate::token::ApiToken;
use crate::{grpc, http};

/// The largest request head, in bytes; beyond it the connection is answered with 431.
const MAX_HEAD: usize = 64 << 10;
/// The most calls at once on one gRPC connection, streams among them.
const MAX_STREAMS: u32 = 256;
/// How many bytes of one call of a gRPC connection may wait to be read.
const STREAM_WINDOW: u32 = 64 << 10;
/// And of all its calls: those that are held up never hold up another.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MAX_STREAMS;
/// What a connection of HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long accepting pauses after the system refused a connection (typically: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Writes metrics in the text form, without an end mark.
pub type Beside = Arc<dyn Fn(&mut String) -> std::fmt::Result + Send + Sync>;

/// What the interfaces are wired to.
pub struct Wiring {
    /// The node.
    pub service: Arc<dyn Service>,
    /// Who holds it may call everything.
    pub token: ApiToken,
    /// Who holds it may read `/v1/log`; none, and only [`Self::token`] may.
    pub auditor: Option<ApiToken>,
    /// Every metric of the node, shown on `/metrics`.
    pub registry: Arc<Registry>,
    /// Metrics that come and go, and so have no place in a registry, shown after them.
    pub beside: Option<Beside>,
    /// Counts who presents which token.
    pub logins: Arc<LoginCounter>,
    /// The interfaces' own, registered in the same registry.
    pub metrics: ApiMetrics,
}

/// The interfaces, bound to their addresses and not yet answering.
pub struct Server {
    doors: Vec<Door>,
    address: SocketAddr,
    grpc: Option<SocketAddr>,
    files: Option<Files>,
    kafka: Option<Kafka>,
    config: ApiConfig,
    shared: Arc<Shared>,
}

/// One address, and what is spoken there.
struct Door {
    listener: Listener,
    protocol: Protocol,
    router: Router,
    shared: Arc<Shared>,
    /// A permit for each connection.
    places: Arc<Semaphore>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    /// With prior knowledge, as gRPC has it.
    Http2,
}

impl Server {
    /// Binds the configured addresses. Connections wait until [`Server::run`].
    ///
    /// # Errors
    /// [`ServeError::Config`], [`ServeError::Bind`] or [`ServeError::Socket`].
    pub async fn bind(config: ApiConfig, wiring: Wiring) -> Result<Self, ServeError> {
        config.check()?;
        let shared = Shared::new(&config, wiring);
        let (listener, address) = Listener::tcp("api.listen", config.listen).await?;
        let door = |listener, protocol, router| Door {
            listener,
            protocol,
            router,
            shared: Arc::clone(&shared),
            places: Arc::new(Semaphore::new(config.max_connections)),
        };
        let http = |from| http::router(Arc::clone(&shared), from);
        let mut doors = vec![door(listener, Protocol::Http1, http(Origin::Loopback))];
        if let Some(path) = &config.socket {
            doors.push(door(Listener::unix(path).await?, Protocol::Http1, http(Origin::Socket)));
        }
        let mut grpc = None;
        if let Some(listen) = config.grpc {
            let (listener, address) = Listener::tcp("api.grpc", listen).await?;
            grpc = Some(address);
            doors.push(door(listener, Protocol::Http2, grpc::router(Arc::clone(&shared))));
        }
        Ok(Self { doors, address, grpc, files: None, kafka: None, config, shared })
    }

    /// Takes messages in from a drop folder too, if one is configured.
    ///
    /// # Errors
    /// [`ServeError::Config`] or [`ServeError::Folder`].
    pub fn take_in_files(&mut self, config: &FilesConfig) -> Result<(), ServeError> {
        self.files = Files::open(config)?;
        Ok(())
    }

    /// Takes messages in from Kafka too, if brokers are configured, and customers: each replica of the bank reads all of
    /// these, in a group of its own number.
    ///
    /// # Errors
    /// [`ServeError::Config`] or [`ServeError::Kafka`].
    pub fn take_in_records(&mut self, config: &KafkaConfig, replica: u64) -> Result<(), ServeError> {
        self.kafka = Kafka::open(config, replica, self.config.body_limit)?;
        Ok(())
    }

    /// The address bound for HTTP, with the port that the system chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address bound for gRPC, if it is configured.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc
    }

    /// Answers until `shutdown` completes; then accepts nothing more and lets the calls under way finish, also those
    /// whose client has gone, for as long as `api.drain_ms` says.
    ///
    /// # Errors
    /// [`ServeError::Unfinished`] if that was not long enough.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { doors, files, kafka, config, shared, .. } = self;
        let mut takers = JoinSet::new();
        if let Some(files) = files {
            takers.spawn(files.run(Arc::clone(&shared)));
        }
        if let Some(kafka) = kafka {
            takers.spawn(kafka.run(Arc::clone(&shared)));
        }
        let graceful = GracefulShutdown::new();
        let mut connections: Vec<JoinSet<()>> = doors.iter().map(|_| JoinSet::new()).collect();
        {
            let mut shutdown = pin!(shutdown);
            let serving = doors
                .iter()
                .zip(&mut connections)
                .map(|(door, connections)| door.serve(&config, &graceful, connections));
            tokio::select! {
                biased;
                () = &mut shutdown => {}
                _ = futures::future::join_all(serving) => unreachable!("doors are open until all are shut"),
            }
        }
        drop(doors);
        shared.stopping.send_replace(true);
        let deadline = Instant::now() + config.drain_time();
        drain(&config, graceful, &shared.calls, deadline).await?;
        // What they have begun is finished by now, but for the last words on disk and to the broker.
        let taken_in = timeout_at(deadline, async { while takers.join_next().await.is_some() {} });
        if taken_in.await.is_err() {
            tracing::warn!(
                "files or records were still being settled at the end of draining; they come again"
            );
        }
        Ok(())
    }
}

impl Door {
    /// Takes connections and serves each in a task of its own, for ever.
    async fn serve(&self, config: &ApiConfig, graceful: &GracefulShutdown, connections: &mut JoinSet<()>) {
        loop {
            let (stream, place) = tokio::select! {
                biased;
                Some(_) = connections.join_next() => continue,
                accepted = self.accept() => accepted,
            };
            let service = TowerToHyperService::new(self.router.clone());
            let (protocol, patience, watcher) = (self.protocol, config.header_time(), graceful.watcher());
            let stopping = self.shared.stopping.subscribe();
            connections.spawn(async move {
                let ended = match protocol {
                    Protocol::Http1 => watcher.watch(http1_on(stream, service, patience)).await,
                    Protocol::Http2 => match begun(stream, patience, stopping).await {
                        Some(stream) => watcher.watch(http2_on(stream, service, patience)).await,
                        None => Ok(()),
                    },
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                drop(place);
            });
        }
    }

    /// The next connection, once there is a place for it.
    async fn accept(&self) -> (Connection, OwnedSemaphorePermit) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("nobody closes the semaphore");
        loop {
            match self.listener.accept().await {
                Ok(stream) => return (stream, place),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

type Routed = TowerToHyperService<Router>;

fn http1_on(
    stream: Connection,
    service: Routed,
    patience: Duration,
) -> http1::Connection<TokioIo<Connection>, Routed> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
}

/// A connection whose preface was read, and is read again from here.
type Begun = Join<Chain<&'static [u8], ReadHalf<Connection>>, WriteHalf<Connection>>;

/// The connection, if the other end begins HTTP/2 within `patience` and before the node stops: hyper waits for that
/// without end, and asks who is silent only afterwards whether it is still there.
async fn begun(stream: Connection, patience: Duration, mut stopping: watch::Receiver<bool>) -> Option<Begun> {
    let (mut reader, writer) = split(stream);
    let mut preface = [0; PREFACE.len()];
    let read = tokio::select! {
        read = timeout(patience, reader.read_exact(&mut preface)) => matches!(read, Ok(Ok(_))),
        _ = stopping.wait_for(|stopping| *stopping) => false,
    };
    (read && preface == *PREFACE).then(|| join(PREFACE.chain(reader), writer))
}

/// Who is silent is asked whether it is still there, and so may stay as long as it likes.
fn http2_on(
    stream: Begun,
    service: Routed,
    patience: Duration,
) -> http2::Connection<TokioIo<Begun>, Routed, TokioExecutor> {
    http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(patience)
        .keep_alive_timeout(patience)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD as u32)
        .serve_connection(TokioIo::new(stream), service)
}

/// Waits for connections and then for every call's permit, within one deadline.
async fn drain(
    config: &ApiConfig,
    graceful: GracefulShutdown,
    calls: &Semaphore,
    deadline: Instant,
) -> Result<(), ServeError> {
    // Leaves the calls a tenth: a client that never reads its answer must not hide that all calls are done.
    if timeout(config.drain_time().mul_f64(0.9), graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open at the end of draining and are cut");
    }
    let all = u32::try_from(config.max_requests).expect("check() bounds max_requests by 2^16");
    if timeout_at(deadline, calls.acquire_many(all)).await.is_err() {
        let calls = config.max_requests - calls.available_permits();
        return Err(ServeError::Unfinished { calls, seconds: config.drain_time().as_secs_f64() });
    }
    Ok(())
}
