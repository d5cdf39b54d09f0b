//! The HTTP interface: HTTP/1.1, on a loopback address and on a Unix socket.
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

mod extract;
mod frames;
mod linger;
mod media;
mod problem;
mod router;
mod routes;
mod screening;

pub(crate) use self::problem::PROBLEM_JSON;
pub(crate) use self::router::router;

/// The media type of a request in the canonical encoding.
pub(crate) const CANONICAL: &str = "application/octet-stream";
