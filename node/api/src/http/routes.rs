//! One handler a route: read the request, call the service, write the answer.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hansa_types::hash::Digest;
use hansa_types::payment::AgentId;
use hansa_types::uetr::Uetr;
use serde::{Deserialize, Serialize};

use super::extract::{Asked, Json, Segment, Verbose, Xml};
use super::media::wants_xml;
use crate::error::{Problem, ProblemBody, ProblemKind};
use crate::model::{
    AlertList, CaseAction, CaseAnswer, CaseFilter, CaseOpening, CaseReading, CaseReviewing, ClusterRequest,
    EvidenceRequest, ExpiryRequest, ForkList, Leg, LogHistory, LogQuery, MessageRequest, ProposalRequest,
    Readiness, RetractRequest, SignalList, SubjectAction, SubjectQuestion, TraceRequest, VoteRequest,
};
use crate::shared::Shared;

/// The media type of `/metrics` (OpenMetrics 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) type App = State<Arc<Shared>>;
pub(super) type Answer = Result<Response, Problem>;

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let bytes =
        serde_json::to_vec(value).map_err(|e| Problem::internal(format!("the answer is no JSON: {e}")))?;
    Ok((status, [(CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// How much of an answer is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DetailQuery {
    detail: Option<Detail>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Detail {
    Internal,
}

/// JSON, or the scheme's own answer if XML is asked for: a pacs.002 says itself which payment is a duplicate.
pub(super) async fn submit(
    State(app): App,
    Asked(query): Asked<DetailQuery>,
    headers: HeaderMap,
    Xml(message): Xml,
) -> Answer {
    if wants_xml(&headers) {
        let report = app.service.report(message, None).await?;
        return Ok((StatusCode::OK, [(CONTENT_TYPE, "application/xml")], report).into_response());
    }
    let submission = app.service.submit(message).await?;
    let submission = match query.detail {
        Some(Detail::Internal) => submission,
        None => submission.outward(),
    };
    if !submission.is_single_duplicate() {
        return json(StatusCode::OK, &submission);
    }
    let problem = Problem::new(
        ProblemKind::Duplicate,
        "the payment's key was used before with other content",
    )
    .with_hint(
        "send a changed payment under a new reference; send the first one unchanged to read its answer again",
    );
    Ok(ProblemBody { submission: Some(submission), ..problem.into() }.into_response())
}

/// Which leg is asked for: both names or none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LegQuery {
    instructing: Option<AgentId>,
    instructed: Option<AgentId>,
}

impl LegQuery {
    pub(super) fn leg(self) -> Result<Option<Leg>, Problem> {
        match (self.instructing, self.instructed) {
            (Some(instructing), Some(instructed)) => Ok(Some(Leg { instructing, instructed })),
            (None, None) => Ok(None),
            _ => Err(Problem::malformed("a leg has two ends")
                .with_hint("give both `instructing` and `instructed`, or neither for every leg")),
        }
    }
}

pub(super) async fn audit(
    State(app): App,
    Segment(uetr): Segment<Uetr>,
    Asked(query): Asked<LegQuery>,
) -> Answer {
    let entries = app.service.history(uetr, query.leg()?).await?;
    json(StatusCode::OK, &LogHistory { uetr, entries })
}

pub(super) async fn cases(State(app): App, Asked(filter): Asked<CaseFilter>) -> Answer {
    json(StatusCode::OK, &app.service.cases(filter).await?)
}

pub(super) async fn open_case(State(app): App, Json(opening): Json<CaseOpening>) -> Answer {
    let result = app.service.open_case(opening).await?;
    let location = format!("/v1/cases/{}", result.case.number);
    Ok(([(LOCATION, location)], json(StatusCode::CREATED, &result)?).into_response())
}

pub(super) async fn step_case(
    State(app): App,
    Segment(number): Segment<u64>,
    Json(action): Json<CaseAction>,
) -> Answer {
    json(StatusCode::OK, &app.service.step_case(number, action).await?)
}

pub(super) async fn answer_case(
    State(app): App,
    Segment(number): Segment<u64>,
    Json(answer): Json<CaseAnswer>,
) -> Answer {
    json(StatusCode::OK, &app.service.answer_case(number, answer).await?)
}

pub(super) async fn review_case(
    State(app): App,
    Segment(number): Segment<u64>,
    Json(reviewing): Json<CaseReviewing>,
) -> Answer {
    json(StatusCode::OK, &app.service.review_case(number, reviewing).await?)
}

pub(super) async fn read_case(
    State(app): App,
    Segment(number): Segment<u64>,
    Json(reading): Json<CaseReading>,
) -> Answer {
    json(StatusCode::OK, &app.service.read_case(number, reading).await?)
}

pub(super) async fn draft_case(
    State(app): App,
    Segment(number): Segment<u64>,
    Json(reading): Json<CaseReading>,
) -> Answer {
    let draft = app.service.draft_case(number, reading).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], draft).into_response())
}

pub(super) async fn alerts(State(app): App) -> Answer {
    json(StatusCode::OK, &AlertList { alerts: app.service.alerts().await? })
}

pub(super) async fn signals(State(app): App) -> Answer {
    json(StatusCode::OK, &SignalList { signals: app.service.signals().await? })
}

pub(super) async fn retract(
    State(app): App,
    Segment(id): Segment<Digest>,
    Json(request): Json<RetractRequest>,
) -> Answer {
    json(StatusCode::OK, &app.service.retract(id, request.actor).await?)
}

pub(super) async fn evidence(State(app): App, Json(request): Json<EvidenceRequest>) -> Answer {
    let bundle = app.service.evidence(request).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], bundle).into_response())
}

pub(super) async fn find(State(app): App, Json(query): Json<LogQuery>) -> Answer {
    json(StatusCode::OK, &app.service.find(query).await?)
}

pub(super) async fn hold(State(app): App, Json(action): Json<SubjectAction>) -> Answer {
    json(StatusCode::OK, &app.service.hold(action, true).await?)
}

pub(super) async fn release(State(app): App, Json(action): Json<SubjectAction>) -> Answer {
    json(StatusCode::OK, &app.service.hold(action, false).await?)
}

pub(super) async fn erase(State(app): App, Json(action): Json<SubjectAction>) -> Answer {
    json(StatusCode::OK, &app.service.erase(action).await?)
}

pub(super) async fn export_subject(State(app): App, Json(question): Json<SubjectQuestion>) -> Answer {
    json(StatusCode::OK, &app.service.export_subject(question).await?)
}

pub(super) async fn expire(State(app): App, Json(request): Json<ExpiryRequest>) -> Answer {
    json(StatusCode::OK, &app.service.expire(request).await?)
}

pub(super) async fn scrub(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.scrub().await?)
}

pub(super) async fn forks(State(app): App) -> Answer {
    json(StatusCode::OK, &ForkList { forks: app.service.forks().await? })
}

pub(super) async fn governance(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.governance().await?)
}

pub(super) async fn propose(State(app): App, Json(request): Json<ProposalRequest>) -> Answer {
    json(StatusCode::OK, &app.service.propose(request).await?)
}

pub(super) async fn proposal(State(app): App, Segment(digest): Segment<Digest>) -> Answer {
    json(StatusCode::OK, &app.service.proposal(digest).await?)
}

pub(super) async fn vote(State(app): App, Json(request): Json<VoteRequest>) -> Answer {
    json(StatusCode::OK, &app.service.vote(request).await?)
}

pub(super) async fn take_in(State(app): App, Json(request): Json<MessageRequest>) -> Answer {
    json(StatusCode::OK, &app.service.take_in(request).await?)
}

/// Which round a ballot paper is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoundQuery {
    #[serde(default)]
    round: u16,
}

pub(super) async fn ballot_paper(
    State(app): App,
    Segment(digest): Segment<Digest>,
    Asked(query): Asked<RoundQuery>,
) -> Answer {
    let paper = app.service.ballot_paper(digest, query.round).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], paper).into_response())
}

pub(super) async fn draft_paper(State(app): App, Json(request): Json<ProposalRequest>) -> Answer {
    let paper = app.service.draft_paper(request).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], paper).into_response())
}

pub(super) async fn amendments(State(app): App) -> Answer {
    let chain = app.service.amendments().await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], chain).into_response())
}

pub(super) async fn disclose_trace(State(app): App, Json(request): Json<TraceRequest>) -> Answer {
    let disclosure = app.service.disclose_trace(request).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], disclosure).into_response())
}

/// The keys of the decisions in one bundle of the log.
pub(super) async fn disclose_decisions(State(app): App, Segment(bundle): Segment<u64>) -> Answer {
    let keys = app.service.disclose_decisions(bundle).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], keys).into_response())
}

pub(super) async fn log_checkpoint(State(app): App) -> Answer {
    let note = app.service.log_checkpoint().await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

pub(super) async fn log_proof(State(app): App, Segment(index): Segment<u64>) -> Answer {
    let proof = app.service.log_proof(index).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], proof).into_response())
}

pub(super) async fn log_tile(State(app): App, Segment(path): Segment<String>) -> Answer {
    let tile = app.service.log_tile(format!("tile/{path}")).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], tile).into_response())
}

pub(super) async fn backups(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.backups().await?)
}

pub(super) async fn back_up(State(app): App) -> Answer {
    json(StatusCode::ACCEPTED, &app.service.back_up().await?)
}

pub(super) async fn root_at(State(app): App, Segment(size): Segment<u64>) -> Answer {
    json(StatusCode::OK, &app.service.root_at(size).await?)
}

pub(super) async fn status(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.status().await?)
}

pub(super) async fn cluster(State(app): App) -> Answer {
    json(StatusCode::OK, &app.service.cluster().await?)
}

pub(super) async fn administer(State(app): App, Json(request): Json<ClusterRequest>) -> Answer {
    json(StatusCode::OK, &app.service.administer(request).await?)
}

/// The process answers; nothing more is said.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(app): App, Verbose(verbose): Verbose) -> Answer {
    let Readiness { ready, checks } = app.service.readiness().await;
    let failing: Vec<_> = checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect();
    let failing = failing.join(", ");
    let checks = if verbose { checks } else { Vec::new() };
    if ready {
        return json(StatusCode::OK, &Readiness { ready, checks });
    }
    let problem = Problem::new(ProblemKind::NotReady, format!("these checks fail: {failing}"))
        .with_hint("ask /readyz?verbose for the particulars");
    Ok(ProblemBody { checks, ..problem.into() }.into_response())
}

pub(super) async fn metrics(State(app): App) -> Answer {
    use prometheus_client::encoding::text::{encode_eof, encode_registry};
    let mut text = String::new();
    encode_registry(&mut text, &app.registry)
        .and_then(|()| app.beside.as_ref().map_or(Ok(()), |beside| beside(&mut text)))
        .and_then(|()| encode_eof(&mut text))
        .map_err(|e| Problem::internal(format!("the metrics cannot be written: {e}")))?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}
