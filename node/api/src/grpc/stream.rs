//! `ScreenStream`: many messages over one call, a bounded number of them at a time.
//!
//! Back-pressure is not reading: while as many messages are being decided as may be, or the answers are not taken, the
//! next message stays where it is, and HTTP/2's flow control holds the sender up. All streams share half of the places for
//! calls, and a message waits for one of them before its stream is read on; so there is never more of a stream in memory
//! than what is being decided and one message, and the number of streams is bounded too.

use std::sync::Arc;

use futures::channel::mpsc::{Receiver, Sender, channel};
use futures::{SinkExt, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use super::proto::screen_stream_response::Outcome;
use super::proto::{ScreenStreamRequest, ScreenStreamResponse};
use super::screening::screen;
use super::status::{code, name_of};
use super::{SCREEN_STREAM, proto};
use crate::error::Problem;
use crate::guard::{RETRY_AFTER, failed, late, overloaded};
use crate::shared::Shared;

/// The longest id of a request, in bytes.
const MAX_ID: usize = 128;

type Answer = Result<ScreenStreamResponse, Status>;

/// Reads `requests` in a task of its own, and gives the answers as they come.
pub(super) fn begin(
    shared: Arc<Shared>,
    requests: Streaming<ScreenStreamRequest>,
    open: OwnedSemaphorePermit,
) -> impl Stream<Item = Answer> + Send + 'static {
    // A message keeps its place until its answer is taken in here, so this much is never waited for in vain.
    let (answers, taken): (_, Receiver<Answer>) = channel(0);
    tokio::spawn(async move {
        read(shared, requests, answers).await;
        drop(open);
    });
    taken
}

/// Takes in messages until the caller ends the stream, or the node stops.
async fn read(
    shared: Arc<Shared>,
    mut requests: Streaming<ScreenStreamRequest>,
    mut answers: Sender<Answer>,
) {
    let places = Arc::new(Semaphore::new(shared.stream_in_flight));
    let mut stopping = shared.stopping.subscribe();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes the semaphore");
        let next = tokio::select! {
            biased;
            () = stopped(&mut stopping) => Err(going_down().into()),
            next = requests.message() => next,
        };
        match next {
            Ok(Some(request)) => {
                let turn = timeout(shared.request_time, Arc::clone(&shared.streamed).acquire_owned()).await;
                let turn = turn.map(|turn| turn.expect("nobody closes the semaphore")).ok();
                tokio::spawn(answer(Arc::clone(&shared), request, answers.clone(), turn, place));
            }
            Ok(None) => return,
            Err(status) => {
                // The answers to what was read before come first.
                let all = u32::try_from(shared.stream_in_flight).expect("check() bounds it by 2^16");
                drop(place);
                let _ = places.acquire_many(all).await;
                // Whoever broke the stream off does not read this.
                let _ = answers.send(Err(status)).await;
                return;
            }
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // The sender lives as long as the interfaces.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn going_down() -> Problem {
    Problem::unavailable("the node stops, and takes in nothing more", RETRY_AFTER)
        .with_hint("send what was not answered to another replica, or again when the node is back")
}

/// Decides one message and hands its answer over; only then another one is read in its stead.
async fn answer(
    shared: Arc<Shared>,
    request: ScreenStreamRequest,
    mut answers: Sender<Answer>,
    turn: Option<OwnedSemaphorePermit>,
    place: OwnedSemaphorePermit,
) {
    let ScreenStreamRequest { id, message, internal } = request;
    let decided = match turn {
        Some(turn) => decide(&shared, &id, message, internal, turn).await,
        None => Err(overloaded()),
    };
    let (outcome, code) = match decided {
        Ok(answer) => (Outcome::Answer(answer), Code::Ok),
        Err(problem) => {
            let code = code(problem.kind);
            (Outcome::Refusal(problem.into()), code)
        }
    };
    shared.metrics.grpc.streamed(SCREEN_STREAM, name_of(code));
    // Whoever hung up does not read it; what was decided is in the log.
    let _ = answers.send(Ok(ScreenStreamResponse { id, outcome: Some(outcome) })).await;
    drop(place);
}

async fn decide(
    shared: &Arc<Shared>,
    id: &str,
    message: Vec<u8>,
    internal: bool,
    turn: OwnedSemaphorePermit,
) -> Result<proto::ScreenResponse, Problem> {
    if id.len() > MAX_ID {
        return Err(Problem::malformed(format!("the id has {} bytes, more than {MAX_ID}", id.len())));
    }
    let waiting = timeout(shared.request_time, Arc::clone(&shared.calls).acquire_owned());
    let call = waiting.await.map_err(|_| overloaded())?.expect("nobody closes the semaphore");
    let deciding = Arc::clone(shared);
    let task = tokio::spawn(async move {
        let answer = screen(&deciding, message, internal).await;
        drop((call, turn));
        answer
    });
    match timeout(shared.request_time, task).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(late(shared)),
    }
}
