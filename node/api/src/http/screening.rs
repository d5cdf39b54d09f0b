//! The routes around screening: lists, customers, exceptions, and decisions explained and taken again.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use hansa_types::hash::Digest;
use hansa_types::uetr::Uetr;
use serde::Deserialize;

use super::extract::{Asked, Canonical, Json, Segment};
use super::routes::{Answer, App, LegQuery, json};
use crate::model::{
    ActorRequest, BacktestRequest, CustomerChanges, CustomerImport, DriftQuery, ExceptionList,
    ExceptionRequest, ListDiffQuery, ListImport, ModelReload, SampleQuery, VerdictsRequest,
    WithdrawalRequest,
};
use crate::shared::Shared;

/// The routes.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/lists", get(lists))
        .route("/v1/lists/{name}", post(import_list))
        .route("/v1/lists/{name}/fetch", post(fetch_list))
        .route("/v1/lists/{name}/diff", get(list_diff))
        .route("/v1/lists/{name}/entries", get(list_entry))
        .route("/v1/customers", get(customers).put(import_customers))
        .route("/v1/customers/changes", post(change_customers))
        .route("/v1/exceptions", get(exceptions).post(grant))
        .route("/v1/exceptions/{id}/withdraw", post(withdraw))
        .route("/v1/model", get(model))
        .route("/v1/model/reload", post(reload_model))
        .route("/v1/model/backtest", post(backtest))
        .route("/v1/model/drift", get(drift))
        .route("/v1/model/sample", get(sample))
        .route("/v1/verdicts", post(verdicts))
        .route("/v1/payments/{uetr}/why", get(why))
        .route("/v1/payments/{uetr}/replay", post(replay))
}

async fn lists(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.lists().await?)
}

async fn import_list(
    State(app): App,
    Segment(name): Segment<String>,
    Canonical(import): Canonical<ListImport>,
) -> Answer {
    json(StatusCode::OK, &app.service.import_list(name, import).await?)
}

async fn fetch_list(
    State(app): App,
    Segment(name): Segment<String>,
    Json(request): Json<ActorRequest>,
) -> Answer {
    json(StatusCode::OK, &app.service.fetch_list(name, request.actor).await?)
}

async fn list_diff(
    State(app): App,
    Segment(name): Segment<String>,
    Asked(query): Asked<ListDiffQuery>,
) -> Answer {
    json(StatusCode::OK, &app.service.list_diff(name, query).await?)
}

/// Which entry is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryQuery {
    id: String,
}

async fn list_entry(
    State(app): App,
    Segment(name): Segment<String>,
    Asked(query): Asked<EntryQuery>,
) -> Answer {
    json(StatusCode::OK, &app.service.list_entry(name, query.id).await?)
}

async fn customers(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.customers().await?)
}

async fn import_customers(State(app): App, Canonical(import): Canonical<CustomerImport>) -> Answer {
    json(StatusCode::OK, &app.service.import_customers(import).await?)
}

async fn change_customers(State(app): App, Json(changes): Json<CustomerChanges>) -> Answer {
    json(StatusCode::OK, &app.service.change_customers(changes).await?)
}

async fn exceptions(State(app): App) -> Answer {
    json(StatusCode::OK, &ExceptionList { exceptions: app.service.exceptions().await? })
}

async fn grant(State(app): App, Json(request): Json<ExceptionRequest>) -> Answer {
    json(StatusCode::CREATED, &app.service.grant(request).await?)
}

async fn withdraw(
    State(app): App,
    Segment(id): Segment<Digest>,
    Json(request): Json<WithdrawalRequest>,
) -> Answer {
    json(StatusCode::OK, &app.service.withdraw(id, request).await?)
}

async fn model(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.model().await?)
}

async fn reload_model(State(app): App, Json(request): Json<ModelReload>) -> Answer {
    json(StatusCode::OK, &app.service.reload_model(request).await?)
}

async fn backtest(State(app): App, Json(request): Json<BacktestRequest>) -> Answer {
    json(StatusCode::OK, &app.service.backtest(request).await?)
}

async fn drift(State(app): App, Asked(query): Asked<DriftQuery>) -> Answer {
    json(StatusCode::OK, &app.service.drift(query).await?)
}

async fn sample(State(app): App, Asked(query): Asked<SampleQuery>) -> Answer {
    json(StatusCode::OK, &app.service.sample(query).await?)
}

async fn verdicts(State(app): App, Json(request): Json<VerdictsRequest>) -> Answer {
    json(StatusCode::OK, &app.service.verdicts(request).await?)
}

async fn why(State(app): App, Segment(uetr): Segment<Uetr>, Asked(query): Asked<LegQuery>) -> Answer {
    json(StatusCode::OK, &app.service.why(uetr, query.leg()?).await?)
}

async fn replay(State(app): App, Segment(uetr): Segment<Uetr>, Asked(query): Asked<LegQuery>) -> Answer {
    json(StatusCode::OK, &app.service.replay(uetr, query.leg()?).await?)
}
