//! The routes around frames.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};

use super::extract::Json;
use super::routes::{Answer, App, json};
use crate::model::{BlocklistQuestion, DriverRequest, FirewallRequest};
use crate::shared::Shared;

/// The routes.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/frames", get(frames))
        .route("/v1/frames/counters", get(counters))
        .route("/v1/frames/driver", post(change_driver))
        .route("/v1/frames/blocklist", post(blocklist))
        .route("/v1/frames/firewall", get(firewall).post(change_firewall))
}

async fn frames(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.frames().await?)
}

async fn counters(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.frame_counters().await?)
}

async fn change_driver(State(app): App, Json(request): Json<DriverRequest>) -> Answer {
    json(StatusCode::OK, &app.service.change_driver(request).await?)
}

async fn blocklist(State(app): App, Json(question): Json<BlocklistQuestion>) -> Answer {
    json(StatusCode::OK, &app.service.blocklist(question).await?)
}

async fn firewall(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.firewall().await?)
}

async fn change_firewall(State(app): App, Json(request): Json<FirewallRequest>) -> Answer {
    json(StatusCode::OK, &app.service.change_firewall(request).await?)
}
