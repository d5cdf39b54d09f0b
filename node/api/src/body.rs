//! Reading a request's body within its limit and its time.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use futures::StreamExt;
use tokio::time::timeout;

use crate::error::{Problem, ProblemKind};

/// The whole body, if it is at most `limit` bytes and arrives within `time`. A body that announces more is refused
/// before any of it is read.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    time: Duration,
) -> Result<Vec<u8>, Problem> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|value| *value != "identity") {
        let detail = format!("a body with Content-Encoding {encoding:?} is not taken");
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail).with_hint("send it uncompressed"));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    timeout(time, collect(body, limit)).await.unwrap_or_else(|_| {
        let detail = format!("the body did not arrive within {} s", time.as_secs_f64());
        Err(Problem::new(ProblemKind::RequestTimeout, detail).with_hint("send the whole request at once"))
    })
}

async fn collect(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| Problem::malformed(format!("the body broke off: {e}")))?;
        if chunk.len() > limit - bytes.len() {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large(limit: usize) -> Problem {
    Problem::new(ProblemKind::TooLarge, format!("the body has more than {limit} bytes"))
        .with_hint("send fewer payments in one message")
}
