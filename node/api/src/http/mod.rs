//! The HTTP interface: HTTP/1.1 on a loopback address, from binding to draining.
//!
//! | route | takes | gives |
//! |---|---|---|
//! | `POST /v1/payments[?detail=internal]` | pacs.008, pacs.009 or pacs.004 as `application/xml` or `text/xml`; with `Accept: application/xml` the answer is a pacs.002 | [`Submission`](crate::model::Submission) |
//! | `GET /v1/payments/{uetr}/audit[?instructing=..&instructed=..]` | | [`LogHistory`](crate::model::LogHistory) |
//! | `GET /v1/cases[?state=..]` | | [`CaseList`](crate::model::CaseList) |
//! | `POST /v1/cases` | [`CaseOpening`](crate::model::CaseOpening) | 201, [`CaseResult`](crate::model::CaseResult) |
//! | `POST /v1/cases/{number}/steps` | [`CaseAction`](crate::model::CaseAction) | [`CaseResult`](crate::model::CaseResult) |
//! | `GET /v1/alerts` | | [`AlertList`](crate::model::AlertList) |
//! | `GET /v1/signals` | | [`SignalList`](crate::model::SignalList) |
//! | `POST /v1/signals/{id}/retract` | [`RetractRequest`](crate::model::RetractRequest) | [`SignalView`](crate::model::SignalView) |
//! | `POST /v1/evidence` | [`EvidenceRequest`](crate::model::EvidenceRequest) | the bundle, `application/octet-stream` |
//! | `GET /v1/disclosures/decisions/{bundle}` | | the keys of the decisions in that bundle, `application/octet-stream` |
//! | `POST /v1/disclosures/trace` | [`TraceRequest`](crate::model::TraceRequest) | the bank's trace secret of one epoch, `application/octet-stream` |
//! | `GET /v1/log/checkpoint` | | the signed checkpoint, `text/plain` |
//! | `GET /v1/log/tile/..` | | a tile (C2SP tlog-tiles), `application/octet-stream` |
//! | `GET /v1/log/proofs/{index}` | | that the entry is in the published log (C2SP tlog-proof), `text/plain` |
//! | `GET /v1/status` | | [`Status`](crate::model::Status) |
//! | `GET /v1/cluster` | | [`ClusterView`](crate::model::ClusterView) |
//! | `POST /v1/cluster` | [`ClusterRequest`](crate::model::ClusterRequest) | [`ClusterResult`](crate::model::ClusterResult) |
//! | `GET /livez` | | `ok` |
//! | `GET /readyz[?verbose]` | | [`Readiness`](crate::model::Readiness), or 503 |
//! | `GET /metrics` | | OpenMetrics text |
//!
//! Everything under `/v1` wants the bearer token; the auditor's token opens `/v1/log` and nothing else. `POST
//! /v1/payments` answers 200 when every payment was decided, now or before, and also when a message of several payments has duplicates among them: each answer has its own status. A
//! message of one payment that is a duplicate is answered with 409 and problem+json that carries the answer as
//! `submission`.
//!
//! What is read is no older than the call, on whichever replica of the bank: it first sees what the group committed.
//! Without a quorum it is answered all the same, with the header `Hansa-Stale: true`.

mod body;
mod extract;
mod guard;
mod linger;
mod media;
mod problem;
mod router;
mod routes;
mod screening;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

pub(crate) use self::problem::PROBLEM_JSON;

/// The media type of a request in the canonical encoding.
pub(crate) const CANONICAL: &str = "application/octet-stream";
use self::router::Shared;
use crate::config::ApiConfig;
use crate::error::ServeError;
use crate::logins::LoginCounter;
use crate::metrics::HttpMetrics;
use crate::service::Service;
use crate::token::ApiToken;

/// The largest request head, in bytes; beyond it the connection is answered with 431.
const MAX_HEAD: usize = 64 << 10;
/// How long accepting pauses after the system refused a connection (typically: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Writes metrics in the text form, without an end mark.
pub type Beside = Arc<dyn Fn(&mut String) -> std::fmt::Result + Send + Sync>;

/// What the interface is wired to.
pub struct Wiring {
    /// The node.
    pub service: Arc<dyn Service>,
    /// Who holds it may call `/v1`.
    pub token: ApiToken,
    /// Who holds it may read `/v1/log`; none, and only [`Self::token`] may.
    pub auditor: Option<ApiToken>,
    /// Every metric of the node, shown on `/metrics`.
    pub registry: Arc<Registry>,
    /// Metrics that come and go, and so have no place in a registry, shown after them.
    pub beside: Option<Beside>,
    /// Counts who presents which token.
    pub logins: Arc<LoginCounter>,
    /// The interface's own, registered in the same registry.
    pub metrics: HttpMetrics,
}

/// The interface, bound to its address and not yet answering.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    config: ApiConfig,
    router: Router,
    calls: Arc<Semaphore>,
}

impl Server {
    /// Binds the configured address. Connections wait until [`Server::run`].
    ///
    /// # Errors
    /// [`ServeError::Config`] or [`ServeError::Bind`].
    pub async fn bind(config: ApiConfig, wiring: Wiring) -> Result<Self, ServeError> {
        config.check()?;
        let failed = |source| ServeError::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let calls = Arc::new(Semaphore::new(config.max_requests));
        let router = router::router(Shared::new(&config, wiring, Arc::clone(&calls)));
        Ok(Self { listener, address, config, router, calls })
    }

    /// The address bound, with the port that the system chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` completes; then accepts nothing more and lets the calls under way finish, also those
    /// whose client has gone, for as long as `api.drain_ms` says.
    ///
    /// # Errors
    /// [`ServeError::Unfinished`] if that was not long enough.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let mut shutdown = pin!(shutdown);
        let places = Arc::new(Semaphore::new(self.config.max_connections));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            let (stream, place) = tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                accepted = self.accept(&places) => accepted,
            };
            let service = TowerToHyperService::new(self.router.clone());
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.config.header_time())
                .max_buf_size(MAX_HEAD)
                .serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            connections.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended");
                }
                drop(place);
            });
        }
        drop(self.listener);
        drain(&self.config, graceful, &self.calls).await
    }

    /// The next connection, once there is a place for it.
    async fn accept(&self, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
        let place = Arc::clone(places).acquire_owned().await.expect("nobody closes the semaphore");
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // Answers are small and waited for; if the system refuses, they are only later.
                    let _ = stream.set_nodelay(true);
                    return (stream, place);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Waits for connections and then for every call's permit, within one deadline.
async fn drain(config: &ApiConfig, graceful: GracefulShutdown, calls: &Semaphore) -> Result<(), ServeError> {
    let deadline = Instant::now() + config.drain_time();
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
