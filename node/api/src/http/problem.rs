//! Problems as answers: problem+json (RFC 9457) with the headers that go with each status.

use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::error::{Problem, ProblemBody, ProblemKind};

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (kind, retry_after) = (self.kind, self.retry_after);
        if kind == ProblemKind::Internal {
            tracing::error!(detail = self.detail, "internal error");
        }
        let mut response = ProblemBody::from(self.clone()).into_response();
        // Another interface that shares the guards says it in its own words.
        response.extensions_mut().insert(self);
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if kind == ProblemKind::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(kind, ProblemKind::TooLarge | ProblemKind::RequestTimeout) {
            // The rest of the body may still be under way: the connection is of no further use.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl IntoResponse for ProblemBody {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_else(|_| b"{}".to_vec());
        (status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response()
    }
}
