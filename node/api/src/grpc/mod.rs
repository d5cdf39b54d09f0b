//! The gRPC interface: `proto/hansa/v1/screening.proto` over HTTP/2, on a loopback address.
//!
//! Calls pass the same guards as HTTP's: measuring, a task of their own with a deadline, the token, a place. What the
//! guards refuse is a [`Problem`](crate::Problem), which leaves as a gRPC status ([`status`]).

mod client;
mod convert;
mod screening;
mod status;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Uri;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tonic::Status;

pub use self::client::{Client, ConnectError, connect};
use self::proto::screening_server::ScreeningServer;
use self::screening::Screening;
use self::status::name_of;
use crate::error::{Problem, ProblemKind};
use crate::logins::Origin;
use crate::shared::Shared;
use crate::{body, guard};

/// What is generated from the interface's definition.
#[allow(
    missing_docs,
    clippy::all,
    clippy::too_many_lines,
    unused_qualifications,
    reason = "generated code; its words are in the .proto file"
)]
pub mod proto {
    tonic::include_proto!("hansa.v1");
}

/// What a request has beside the message in it, at most: names and lengths.
const ENVELOPE: usize = 4 << 10;
/// What stands before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
const SCREEN: &str = "/hansa.v1.Screening/Screen";
const REPORT: &str = "/hansa.v1.Screening/Report";
pub(crate) const SCREEN_STREAM: &str = "/hansa.v1.Screening/ScreenStream";
const GET_TRANSACTION_AUDIT: &str = "/hansa.v1.Screening/GetTransactionAudit";

/// The methods. Outermost a problem gets its form; then a call is measured and gets a task and a deadline; its token is
/// checked before it takes one of the places for calls; and its message must arrive in time. Of a stream, only its
/// beginning is such a call.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let server = ScreeningServer::new(Screening(Arc::clone(&shared)))
        .max_decoding_message_size(shared.body_limit.saturating_add(ENVELOPE));
    let looking = Router::new()
        .route_service(GET_TRANSACTION_AUDIT, server.clone())
        .route_layer(from_fn_with_state(Arc::clone(&shared), guard::catch_up));
    Router::new()
        .route_service(SCREEN, server.clone())
        .route_service(REPORT, server.clone())
        .merge(looking)
        .route_layer(from_fn_with_state(Arc::clone(&shared), whole))
        .route_service(SCREEN_STREAM, server)
        .route_layer(from_fn_with_state(Arc::clone(&shared), guard::admit))
        .route_layer(from_fn_with_state((Arc::clone(&shared), Origin::Loopback), guard::authenticate))
        .fallback(unknown_method)
        .layer(from_fn_with_state(Arc::clone(&shared), guard::detach))
        .layer(from_fn(in_grpc))
        .layer(from_fn_with_state(shared, measure))
}

/// Has the one message of a call arrive within its limit and its time, as HTTP has bodies.
async fn whole(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let limit = shared.body_limit.saturating_add(ENVELOPE + PREFIX);
    match body::read(&parts.headers, body, limit, shared.body_time).await {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(problem) => problem.into_response(),
    }
}

async fn unknown_method(uri: Uri) -> Problem {
    Problem::new(ProblemKind::MethodNotAllowed, format!("there is no method {}", uri.path()))
        .with_hint("the service is hansa.v1.Screening: Screen, Report, ScreenStream and GetTransactionAudit")
}

/// Gives what a guard refused the form of a gRPC status.
async fn in_grpc(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => Status::from(problem).into_http(),
        None => response,
    }
}

/// Counts and times a call under its method. A status that comes after the answer is not waited for: a unary answer is
/// whole by then, and the answers of a stream are counted one by one.
async fn measure(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (begun, in_flight) = (Instant::now(), shared.metrics.grpc.start());
    let method = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    drop(in_flight);
    let method = method.as_ref().map_or("unmatched", MatchedPath::as_str);
    let code = Status::from_header_map(response.headers()).map_or(tonic::Code::Ok, |status| status.code());
    shared.metrics.grpc.answered(method, name_of(code), begun.elapsed());
    tracing::debug!(method, ?code, "answered");
    response
}
