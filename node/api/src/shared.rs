//! What every call may need, whichever interface it came in by.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::config::ApiConfig;
use crate::error::Problem;
use crate::guard::failed;
use crate::logins::LoginCounter;
use crate::metrics::ApiMetrics;
use crate::server::{Beside, Wiring};
use crate::service::Service;
use crate::token::ApiToken;

/// What every call may need.
pub(crate) struct Shared {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) token: ApiToken,
    pub(crate) auditor: Option<ApiToken>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) beside: Option<Beside>,
    pub(crate) metrics: ApiMetrics,
    pub(crate) logins: Arc<LoginCounter>,
    /// A permit for each call under way.
    pub(crate) calls: Arc<Semaphore>,
    /// A permit for each gRPC stream.
    pub(crate) streams: Arc<Semaphore>,
    /// A permit for each message of a stream that is being decided: fewer than there are places for calls, so that
    /// streams, which wait for theirs, leave some to calls that do not wait.
    pub(crate) streamed: Arc<Semaphore>,
    /// Becomes true when nothing more is taken in.
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) body_limit: usize,
    pub(crate) body_time: Duration,
    pub(crate) request_time: Duration,
    pub(crate) stream_in_flight: usize,
}

impl Shared {
    pub(crate) fn new(config: &ApiConfig, wiring: Wiring) -> Arc<Self> {
        let Wiring { service, token, auditor, registry, beside, metrics, logins } = wiring;
        Arc::new(Self {
            service,
            token,
            auditor,
            registry,
            beside,
            metrics,
            logins,
            calls: Arc::new(Semaphore::new(config.max_requests)),
            streams: Arc::new(Semaphore::new(config.max_requests)),
            streamed: Arc::new(Semaphore::new((config.max_requests / 2).max(1))),
            stopping: watch::Sender::new(false),
            body_limit: config.body_limit,
            body_time: config.body_time(),
            request_time: config.request_time(),
            stream_in_flight: config.stream_in_flight,
        })
    }

    /// A place among the calls under way, waited for: for ways in that can hold their senders up.
    pub(crate) async fn place(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.calls).acquire_owned().await.expect("nobody closes the semaphore")
    }

    /// Runs a call in a task of its own, so that a panic in it is a problem of the call alone.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        tokio::spawn(call).await.unwrap_or_else(|error| Err(failed(&error)))
    }

    /// Whether `presented` is the auditor's token, if there is one.
    pub(crate) fn admits_auditor(&self, presented: &ApiToken) -> bool {
        self.auditor.as_ref().is_some_and(|auditor| auditor.admits(presented))
    }
}
