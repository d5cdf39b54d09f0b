//! Problems as gRPC statuses: one code for each kind, with google.rpc's ErrorInfo and, where it helps, RetryInfo.

use std::time::Duration;

use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::proto;
use crate::error::{Problem, ProblemKind};

/// Who the reasons of ErrorInfo are of.
const DOMAIN: &str = "hansa";
/// What tells a client with a retry policy how long to wait (gRPC proposal A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The status code of a kind of problem.
pub(super) const fn code(kind: ProblemKind) -> Code {
    match kind {
        ProblemKind::Malformed | ProblemKind::UnsupportedMediaType | ProblemKind::UnsupportedMessage => {
            Code::InvalidArgument
        }
        // As tonic itself refuses what is larger still.
        ProblemKind::TooLarge => Code::OutOfRange,
        ProblemKind::Unauthenticated => Code::Unauthenticated,
        ProblemKind::Forbidden => Code::PermissionDenied,
        ProblemKind::NotFound => Code::NotFound,
        ProblemKind::MethodNotAllowed => Code::Unimplemented,
        ProblemKind::Conflict => Code::FailedPrecondition,
        ProblemKind::Duplicate => Code::AlreadyExists,
        ProblemKind::TooManyRequests => Code::ResourceExhausted,
        ProblemKind::Internal => Code::Internal,
        ProblemKind::Unavailable | ProblemKind::NotReady => Code::Unavailable,
        ProblemKind::RequestTimeout | ProblemKind::Deadline => Code::DeadlineExceeded,
    }
}

/// The name of a code, as google.rpc.Code spells it.
pub(super) const fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let Problem { kind, detail, hint, retry_after } = problem;
        let mut details = ErrorDetails::new();
        match hint {
            Some(hint) => details.set_error_info(kind.name(), DOMAIN, [("hint".to_owned(), hint)]),
            None => details.set_error_info(kind.name(), DOMAIN, []),
        };
        details.set_retry_info(retry_after.map(|seconds| Duration::from_secs(seconds.into())));
        let mut status = Self::with_error_details(code(kind), detail, details);
        if let Some(seconds) = retry_after {
            let pushback = AsciiMetadataValue::from(u64::from(seconds) * 1_000);
            status.metadata_mut().insert(PUSHBACK, pushback);
        }
        status
    }
}

/// What a stream says of one message that is refused.
impl From<Problem> for proto::Refusal {
    fn from(problem: Problem) -> Self {
        let Problem { kind, detail, hint, retry_after } = problem;
        Self {
            code: code(kind) as i32,
            reason: kind.name().to_owned(),
            detail,
            hint: hint.unwrap_or_default(),
            retry_after_seconds: retry_after,
        }
    }
}
