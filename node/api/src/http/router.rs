//! Which path goes where, and what each request passes through on the way.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use super::{frames, linger, routes, screening};
use crate::error::{Problem, ProblemKind};
use crate::guard;
use crate::logins::Origin;
use crate::shared::Shared;

/// The routes. Outermost a request is measured; then it gets a task and a deadline; under `/v1` its token is checked
/// before it takes one of the places for calls, and what looks at the log first sees what the group committed.
pub(crate) fn router(shared: Arc<Shared>, from: Origin) -> Router {
    let looking = Router::new()
        .route("/v1/payments/{uetr}/audit", get(routes::audit))
        .route("/v1/cases", get(routes::cases).post(routes::open_case))
        .route("/v1/cases/{number}/steps", post(routes::step_case))
        .route("/v1/cases/{number}/answers", post(routes::answer_case))
        .route("/v1/cases/{number}/reviews", post(routes::review_case))
        .route("/v1/cases/{number}/readings", post(routes::read_case))
        .route("/v1/cases/{number}/drafts", post(routes::draft_case))
        .route("/v1/alerts", get(routes::alerts))
        .route("/v1/signals", get(routes::signals))
        .route("/v1/signals/{id}/retract", post(routes::retract))
        .route("/v1/evidence", post(routes::evidence))
        .route("/v1/log/find", post(routes::find))
        .route("/v1/subjects/hold", post(routes::hold))
        .route("/v1/subjects/release", post(routes::release))
        .route("/v1/subjects/erase", post(routes::erase))
        .route("/v1/subjects/export", post(routes::export_subject))
        .route("/v1/records/expire", post(routes::expire))
        .route("/v1/records/scrub", post(routes::scrub))
        .route("/v1/governance", get(routes::governance))
        .route("/v1/governance/proposals", post(routes::propose))
        .route("/v1/governance/proposals/{digest}", get(routes::proposal))
        .route("/v1/governance/proposals/{digest}/paper", get(routes::ballot_paper))
        .route("/v1/governance/papers", post(routes::draft_paper))
        .route("/v1/governance/votes", post(routes::vote))
        .route("/v1/governance/messages", post(routes::take_in))
        .route("/v1/governance/amendments", get(routes::amendments))
        .route("/v1/forks", get(routes::forks))
        .route("/v1/disclosures/decisions/{bundle}", get(routes::disclose_decisions))
        .route("/v1/disclosures/trace", post(routes::disclose_trace))
        .route("/v1/backups", get(routes::backups).post(routes::back_up))
        .route("/v1/log/roots/{size}", get(routes::root_at))
        .route("/v1/status", get(routes::status))
        .merge(frames::router())
        .merge(screening::router())
        .route_layer(from_fn_with_state(Arc::clone(&shared), guard::catch_up));
    let v1 = Router::new()
        .route("/v1/payments", post(routes::submit))
        .route("/v1/cluster", get(routes::cluster).post(routes::administer))
        .merge(looking)
        .route_layer(from_fn_with_state(Arc::clone(&shared), guard::admit))
        .route_layer(from_fn_with_state((Arc::clone(&shared), from), guard::authenticate));
    let log = Router::new()
        .route("/v1/log/checkpoint", get(routes::log_checkpoint))
        .route("/v1/log/tile/{*path}", get(routes::log_tile))
        .route("/v1/log/proofs/{index}", get(routes::log_proof))
        .route_layer(from_fn_with_state(Arc::clone(&shared), guard::admit))
        .route_layer(from_fn_with_state(Arc::clone(&shared), guard::authenticate_auditor));
    Router::new()
        .route("/livez", get(routes::livez))
        .route("/readyz", get(routes::readyz))
        .route("/metrics", get(routes::metrics))
        .merge(v1)
        .merge(log)
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&shared), guard::detach))
        .layer(from_fn_with_state(Arc::clone(&shared), guard::measure))
        .layer(from_fn_with_state(Arc::clone(&shared), linger::discard_rest))
        .layer(from_fn(guard::never_stored))
        .with_state(shared)
}

async fn unknown_route(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at {}", uri.path()))
        .with_hint("the interface is /v1/payments, /v1/lists, /v1/customers, /v1/exceptions, /v1/frames, /v1/model, /v1/verdicts, /v1/cases, /v1/alerts, /v1/signals, /v1/evidence, /v1/backups, /v1/disclosures, /v1/forks, /v1/governance, /v1/log, /v1/subjects, /v1/records, /v1/status, /v1/cluster, /livez, /readyz and /metrics")
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(ProblemKind::MethodNotAllowed, format!("{} does not take {method}", uri.path()))
        .with_hint("the Allow header says which methods it takes")
}
