//! Requests under way in both directions: whose they are, and who waits for them.

use std::collections::BTreeMap;

use libp2p::request_response::{
    InboundRequestId, Message, OutboundFailure, OutboundRequestId, ResponseChannel,
};
use libp2p::{PeerId, request_response};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::config::Limits;
use crate::error::RequestError;
use crate::exchange::{Budgets, Exchange, RequestId, Response};
use crate::metrics::{Metrics, RequestOutcome, ServedOutcome};
use crate::network::Event;

type Reply = oneshot::Sender<Result<Vec<u8>, RequestError>>;

/// The requests of this node and of the others.
pub(super) struct Requests {
    asked: BTreeMap<OutboundRequestId, (PeerId, Reply)>,
    asked_at_once: usize,
    open: BTreeMap<RequestId, Open>,
    ids: BTreeMap<InboundRequestId, RequestId>,
    next: u64,
    budgets: Budgets,
}

/// A request that awaits the application's answer.
struct Open {
    from: PeerId,
    request: InboundRequestId,
    channel: ResponseChannel<Response>,
}

impl Requests {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            asked: BTreeMap::new(),
            asked_at_once: limits.requests_per_peer(),
            open: BTreeMap::new(),
            ids: BTreeMap::new(),
            next: 0,
            budgets: Budgets::new(limits),
        }
    }

    /// Sends a request, or tells the caller at once why not.
    pub(super) fn ask(
        &mut self,
        exchange: &mut Exchange,
        peer: PeerId,
        bytes: Vec<u8>,
        reply: Reply,
        metrics: &Metrics,
    ) {
        let refused = if !exchange.is_connected(&peer) {
            Some((RequestOutcome::NotConnected, RequestError::NotConnected(peer)))
        } else if self.asked.values().filter(|(asked, _)| *asked == peer).count() >= self.asked_at_once {
            Some((RequestOutcome::Busy, RequestError::Busy))
        } else {
            None
        };
        if let Some((outcome, error)) = refused {
            metrics.requested(outcome);
            // A caller that went away has no use for the reply.
            drop(reply.send(Err(error)));
            return;
        }
        let id = exchange.send_request(&peer, bytes);
        self.asked.insert(id, (peer, reply));
    }

    /// Gives the application's answer to a member that still waits for it.
    pub(super) fn answer(
        &mut self,
        exchange: &mut Exchange,
        id: RequestId,
        bytes: Vec<u8>,
        metrics: &Metrics,
    ) {
        let Some(open) = self.open.remove(&id) else { return };
        self.ids.remove(&open.request);
        self.budgets.close(&open.from);
        let sent = exchange.send_response(open.channel, Response::Answered(bytes)).is_ok();
        metrics.served(if sent { ServedOutcome::Answered } else { ServedOutcome::Lost });
    }

    /// Follows what the exchange says. A request to show the application is returned with what takes it back.
    pub(super) fn on_event(
        &mut self,
        event: request_response::Event<Vec<u8>, Response>,
        exchange: &mut Exchange,
        metrics: &Metrics,
    ) -> Option<Event> {
        use request_response::Event::{InboundFailure, Message as Arrived, OutboundFailure, ResponseSent};
        match event {
            Arrived { peer, message: Message::Request { request_id, request, channel }, .. } => {
                if !self.budgets.open(peer, Instant::now()) {
                    refuse(exchange, channel, metrics);
                    return None;
                }
                let id = RequestId(self.next);
                self.next += 1;
                self.ids.insert(request_id, id);
                self.open.insert(id, Open { from: peer, request: request_id, channel });
                return Some(Event::Request { id, from: peer, bytes: request });
            }
            Arrived { message: Message::Response { request_id, response }, .. } => {
                self.finish(request_id, response, metrics);
            }
            OutboundFailure { request_id, error, .. } => {
                tracing::debug!(%error, "a request failed");
                if let Some((_, reply)) = self.asked.remove(&request_id) {
                    let error = failed(&error);
                    metrics.requested(match error {
                        RequestError::TimedOut => RequestOutcome::TimedOut,
                        _ => RequestOutcome::Lost,
                    });
                    drop(reply.send(Err(error)));
                }
            }
            InboundFailure { peer, request_id, error, .. } => {
                tracing::debug!(%peer, %error, "a member's request was not answered");
                if let Some(open) = self.ids.remove(&request_id).and_then(|id| self.open.remove(&id)) {
                    self.budgets.close(&open.from);
                    metrics.served(ServedOutcome::Lost);
                }
            }
            ResponseSent { .. } => {}
        }
        None
    }

    /// The application cannot take the request that [`Requests::on_event`] returned.
    pub(super) fn turn_away(&mut self, exchange: &mut Exchange, id: RequestId, metrics: &Metrics) {
        let Some(open) = self.open.remove(&id) else { return };
        self.ids.remove(&open.request);
        self.budgets.close(&open.from);
        refuse(exchange, open.channel, metrics);
    }

    fn finish(&mut self, id: OutboundRequestId, response: Response, metrics: &Metrics) {
        let Some((_, reply)) = self.asked.remove(&id) else { return };
        let (outcome, result) = match response {
            Response::Answered(bytes) => (RequestOutcome::Answered, Ok(bytes)),
            Response::Busy => (RequestOutcome::Busy, Err(RequestError::Busy)),
        };
        metrics.requested(outcome);
        drop(reply.send(result));
    }
}

fn refuse(exchange: &mut Exchange, channel: ResponseChannel<Response>, metrics: &Metrics) {
    metrics.served(ServedOutcome::Busy);
    // An error says that the member has gone.
    drop(exchange.send_response(channel, Response::Busy));
}

fn failed(error: &OutboundFailure) -> RequestError {
    match error {
        OutboundFailure::Timeout => RequestError::TimedOut,
        OutboundFailure::UnsupportedProtocols => RequestError::Unsupported,
        OutboundFailure::DialFailure | OutboundFailure::ConnectionClosed | OutboundFailure::Io(_) => {
            RequestError::Lost(error.to_string())
        }
    }
}
