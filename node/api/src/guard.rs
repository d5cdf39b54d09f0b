//! What stands between a connection and a handler: measuring, a task of its own, the token, and a place.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hansa_types::id::Timestamp;
use tokio::time::timeout;

use crate::error::{Problem, ProblemKind};
use crate::logins::Origin;
use crate::shared::Shared;
use crate::token::ApiToken;

/// Seconds after which a client that was refused for overload should come again.
pub(crate) const RETRY_AFTER: u32 = 1;

/// The header of an answer that may be out of date.
pub(crate) const STALE: &str = "hansa-stale";

/// Lets a call see what the group committed before it, or marks its answer where that is not known.
pub(crate) async fn catch_up(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let current = shared.service.catch_up().await;
    let mut response = next.run(request).await;
    if !current {
        response.headers_mut().insert(STALE, HeaderValue::from_static("true"));
    }
    response
}

/// Tells whoever stands between that no answer may be kept.
pub(crate) async fn never_stored(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Counts and times an HTTP request under its route's pattern.
pub(crate) async fn measure(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (begun, in_flight) = (Instant::now(), shared.metrics.http.start());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let response = next.run(request).await;
    drop(in_flight);
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let status = response.status().as_u16();
    shared.metrics.http.answered(route, status, begun.elapsed());
    tracing::debug!(%method, route, status, "answered");
    response
}

/// Runs the rest in a task of its own: a client that hangs up, or a deadline that passes, does not stop a call
/// half-way, and a panic becomes an answer.
pub(crate) async fn detach(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let task = tokio::spawn(next.run(request));
    match timeout(shared.request_time, task).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => failed(&error).into_response(),
        Err(_) => late(&shared).into_response(),
    }
}

/// What a caller is told whose call takes too long.
pub(crate) fn late(shared: &Shared) -> Problem {
    let seconds = shared.request_time.as_secs_f64();
    let detail = format!("no answer within {seconds} s; what was asked may still be done");
    let problem = Problem::new(ProblemKind::Deadline, detail)
        .with_hint("send the same request again: a payment that was decided gets the same answer");
    Problem { retry_after: Some(RETRY_AFTER), ..problem }
}

/// What a caller is told for whom there is no place.
pub(crate) fn overloaded() -> Problem {
    Problem::unavailable("too many calls are under way", RETRY_AFTER)
        .with_hint("wait as long as it says; if it lasts, raise `api.max_requests`")
}

/// What a caller is told whose call failed in a way that nobody foresaw.
pub(crate) fn failed(error: &tokio::task::JoinError) -> Problem {
    tracing::error!(%error, "a handler failed");
    Problem::internal("the handler of this request failed; the node's own log says where")
}

/// Lets through who presents the token. The auditor's is known, and not for this.
pub(crate) async fn authenticate(
    State((shared, from)): State<(Arc<Shared>, Origin)>,
    request: Request,
    next: Next,
) -> Response {
    let token = presented(request.headers());
    let admitted = token.as_ref().is_some_and(|token| shared.token.admits(token));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    shared.logins.note(from, admitted, Timestamp(now));
    match token {
        Some(_) if admitted => next.run(request).await,
        Some(token) if shared.admits_auditor(&token) => {
            Problem::new(ProblemKind::Forbidden, "the auditor's token reads /v1/log and nothing else")
                .with_hint("ask the bank for what else is needed: evidence and disclosures are files")
                .into_response()
        }
        other => unauthenticated(other.is_some()),
    }
}

/// Lets through who presents the token or the auditor's.
pub(crate) async fn authenticate_auditor(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    match presented(request.headers()) {
        Some(token) if shared.token.admits(&token) || shared.admits_auditor(&token) => {
            next.run(request).await
        }
        other => unauthenticated(other.is_some()),
    }
}

fn unauthenticated(presented: bool) -> Response {
    let detail = if presented {
        "the token is not this node's"
    } else {
        "the header `Authorization: Bearer TOKEN` is missing, or its token is not 64 hexadecimal digits"
    };
    Problem::new(ProblemKind::Unauthenticated, detail)
        .with_hint("send the token, the third word of the file keys/api.key, as `Authorization: Bearer`")
        .into_response()
}

/// The token of the one Authorization header, if it has the form of one (RFC 6750 §2.1; the scheme in any case).
fn presented(headers: &HeaderMap) -> Option<ApiToken> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { ApiToken::parse(token).ok() } else { None }
}

/// Gives a call one of the places, or refuses it at once: a queue would only make every answer late.
pub(crate) async fn admit(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let Ok(place) = Arc::clone(&shared.calls).try_acquire_owned() else {
        shared.metrics.http.overloaded();
        return overloaded().into_response();
    };
    let response = next.run(request).await;
    drop(place);
    response
}
