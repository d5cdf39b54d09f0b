//! The methods: read the request, call the service, write the answer.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use hansa_types::payment::AgentId;
use tonic::{Request, Response, Status, Streaming};

use super::{proto, stream};
use crate::audit::AuditRequest;
use crate::error::{Problem, ProblemKind};
use crate::guard::overloaded;
use crate::model::Leg;
use crate::shared::Shared;

/// The service over what every call may need.
pub(super) struct Screening(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl proto::screening_server::Screening for Screening {
    type ScreenStreamStream =
        Pin<Box<dyn Stream<Item = Result<proto::ScreenStreamResponse, Status>> + Send + 'static>>;

    async fn screen(
        &self,
        request: Request<proto::ScreenRequest>,
    ) -> Result<Response<proto::ScreenResponse>, Status> {
        let proto::ScreenRequest { message, internal } = request.into_inner();
        let answer = screen(&self.0, message, internal).await.map_err(refused)?;
        Ok(Response::new(answer))
    }

    async fn report(
        &self,
        request: Request<proto::ReportRequest>,
    ) -> Result<Response<proto::ReportResponse>, Status> {
        let message = request.into_inner().message;
        let report = match within_limit(&self.0, &message) {
            Ok(()) => self.0.service.report(message, None).await,
            Err(problem) => Err(problem),
        };
        Ok(Response::new(proto::ReportResponse { report: report.map_err(refused)?.into_bytes() }))
    }

    async fn screen_stream(
        &self,
        request: Request<Streaming<proto::ScreenStreamRequest>>,
    ) -> Result<Response<Self::ScreenStreamStream>, Status> {
        let Ok(open) = Arc::clone(&self.0.streams).try_acquire_owned() else {
            self.0.metrics.http.overloaded();
            return Err(overloaded().into());
        };
        let answers = stream::begin(Arc::clone(&self.0), request.into_inner(), open);
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_transaction_audit(
        &self,
        request: Request<proto::GetTransactionAuditRequest>,
    ) -> Result<Response<proto::TransactionAudit>, Status> {
        let request = request.into_inner();
        let snapshot = request.include_model_snapshot;
        let request = asked(request).map_err(refused)?;
        let audit = self.0.service.transaction_audit(request).await.map_err(refused)?;
        Ok(Response::new(proto::TransactionAudit::of(audit, snapshot)))
    }
}

/// Screens one message within the limits of the interface.
pub(super) async fn screen(
    shared: &Shared,
    message: Vec<u8>,
    internal: bool,
) -> Result<proto::ScreenResponse, Problem> {
    within_limit(shared, &message)?;
    let submission = shared.service.submit(message).await?;
    Ok(match internal {
        true => submission.into(),
        false => submission.outward().into(),
    })
}

fn within_limit(shared: &Shared, message: &[u8]) -> Result<(), Problem> {
    if message.len() > shared.body_limit {
        let detail = format!("the message has {} bytes, more than {}", message.len(), shared.body_limit);
        return Err(
            Problem::new(ProblemKind::TooLarge, detail).with_hint("send fewer payments in one message")
        );
    }
    Ok(())
}

fn asked(request: proto::GetTransactionAuditRequest) -> Result<AuditRequest, Problem> {
    let proto::GetTransactionAuditRequest { uetr, include_zkp_proof, instructing, instructed, .. } = request;
    let named = |agent: &str| AgentId::named(agent);
    let leg = match (instructing.as_str(), instructed.as_str()) {
        ("", "") => None,
        ("", _) | (_, "") => {
            return Err(Problem::malformed("a leg has two ends")
                .with_hint("give both `instructing` and `instructed`, or neither"));
        }
        (instructing, instructed) => {
            Some(Leg { instructing: named(instructing), instructed: named(instructed) })
        }
    };
    let uetr = uetr.parse().map_err(|error| Problem::malformed(format!("uetr {uetr:?}: {error}")))?;
    Ok(AuditRequest { uetr, leg, zkp_proof: include_zkp_proof })
}

fn refused(problem: Problem) -> Status {
    if problem.kind == ProblemKind::Internal {
        tracing::error!(detail = problem.detail, "internal error");
    }
    problem.into()
}
