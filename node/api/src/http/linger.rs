//! Lets a client that is still sending read why it was refused.
//!
//! Closing a connection with unread data in it resets it, and the client loses an answer that is already on its way
//! (RFC 9112 §9.6). So what a handler leaves of a body is read and thrown away, within bounds.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::EXPECT;
use axum::middleware::Next;
use axum::response::Response;
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::shared::Shared;

/// How many bytes of one body are thrown away at most.
const MAX_DISCARDED: usize = 256 << 20;

/// Has the rest of the body discarded wherever it is dropped.
pub(super) async fn discard_rest(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // Who asks first is only told to go on by the first read: nothing comes if there is none.
    let coming = !request.headers().contains_key(EXPECT);
    let time = shared.body_time;
    let request = request
        .map(|body| Body::from_stream(Lingering { rest: Some(body.into_data_stream()), coming, time }));
    next.run(request).await
}

/// A body that is discarded when dropped before its end.
struct Lingering {
    /// None once it has ended or failed.
    rest: Option<BodyDataStream>,
    /// Whether the client is sending.
    coming: bool,
    /// For how long to discard.
    time: Duration,
}

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let next = rest.poll_next_unpin(context);
        self.coming = true;
        if matches!(next, Poll::Ready(None | Some(Err(_)))) {
            self.rest = None;
        }
        next
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(rest) = self.rest.take().filter(|_| self.coming) else { return };
        // Without a runtime the process is going down, and every connection with it.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(timeout(self.time, discard(rest)));
    }
}

async fn discard(mut rest: BodyDataStream) {
    let mut left = MAX_DISCARDED;
    while let Some(Ok(chunk)) = rest.next().await {
        let Some(less) = left.checked_sub(chunk.len()) else { return };
        left = less;
    }
}
