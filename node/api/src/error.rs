//! What can go wrong: a [`Problem`] with one call, a [`ServeError`] with the interface as a whole.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::model::{Check, Submission};

/// What sort of problem it is: each has one HTTP status and one stable name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// The request cannot be read.
    Malformed,
    /// No valid token.
    Unauthenticated,
    /// The token is valid, and not for this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The thing exists, but not with this method.
    MethodNotAllowed,
    /// The client took too long to send its request.
    RequestTimeout,
    /// The state of things forbids it.
    Conflict,
    /// The payment's key was decided on other content.
    Duplicate,
    /// The request is too large.
    TooLarge,
    /// The body is of a type that this route does not take.
    UnsupportedMediaType,
    /// A message of a type that this node does not screen.
    UnsupportedMessage,
    /// This client asks too often.
    TooManyRequests,
    /// The node is at fault.
    Internal,
    /// Not now: no quorum, too much under way, going down.
    Unavailable,
    /// The answer took too long; what was asked may still be done.
    Deadline,
    /// A check of readiness fails.
    NotReady,
}

impl ProblemKind {
    /// The HTTP status, the stable name in the type URI, and the title (RFC 9457 §3.1).
    const fn facts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Malformed => (400, "malformed", "The request cannot be read"),
            Self::Unauthenticated => (401, "unauthenticated", "A valid token is needed"),
            Self::Forbidden => (403, "forbidden", "Not allowed with this token"),
            Self::NotFound => (404, "not-found", "Not found"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "Method not allowed"),
            Self::RequestTimeout => (408, "request-timeout", "The request took too long to arrive"),
            Self::Conflict => (409, "conflict", "Not possible in the present state"),
            Self::Duplicate => (409, "duplicate", "Duplicate payment"),
            Self::TooLarge => (413, "too-large", "The request is too large"),
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "Unsupported media type"),
            Self::UnsupportedMessage => (422, "unsupported-message", "Unsupported message type"),
            Self::TooManyRequests => (429, "too-many-requests", "Too many requests"),
            Self::Internal => (500, "internal", "Internal error"),
            Self::Unavailable => (503, "unavailable", "Not available now"),
            Self::Deadline => (503, "deadline", "The answer took too long"),
            Self::NotReady => (503, "not-ready", "Not ready"),
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.facts().0
    }

    /// The title: the same for every problem of the kind.
    pub const fn title(self) -> &'static str {
        self.facts().2
    }

    /// The stable name.
    pub const fn name(self) -> &'static str {
        self.facts().1
    }

    /// Whether the same request may be answered later: the request itself is not at fault.
    pub(crate) const fn may_pass(self) -> bool {
        match self {
            Self::RequestTimeout
            | Self::TooManyRequests
            | Self::Internal
            | Self::Unavailable
            | Self::Deadline
            | Self::NotReady => true,
            Self::Malformed
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Conflict
            | Self::Duplicate
            | Self::TooLarge
            | Self::UnsupportedMediaType
            | Self::UnsupportedMessage => false,
        }
    }

    /// The type URI. It names the kind and is not meant to be fetched.
    pub fn uri(self) -> String {
        format!("urn:hansa:problem:{}", self.name())
    }
}

/// Why a call was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", kind.title())]
pub struct Problem {
    /// What sort of problem.
    pub kind: ProblemKind,
    /// What happened, this time.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// After how many seconds to try again, where that helps.
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem of `kind`.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), hint: None, retry_after: None }
    }

    /// The same problem with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The request, or the message in it, cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Malformed, detail)
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::NotFound, detail)
    }

    /// The present state forbids it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, detail)
    }

    /// The message is well formed but of a type that is not screened.
    pub fn unsupported_message(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::UnsupportedMessage, detail)
    }

    /// This client asks too often; it may try again after `retry_after` seconds.
    pub fn too_many_requests(detail: impl Into<String>, retry_after: u32) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(ProblemKind::TooManyRequests, detail) }
    }

    /// It cannot be done now, and may be tried again after `retry_after` seconds.
    pub fn unavailable(detail: impl Into<String>, retry_after: u32) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(ProblemKind::Unavailable, detail) }
    }

    /// The node is at fault.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Internal, detail)
    }
}

/// A problem as it crosses the wire: `application/problem+json` (RFC 9457) with the extension members `hint`,
/// `submission` (only with `duplicate`) and `checks` (only with `not-ready`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemBody {
    /// The kind's URI.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind's title.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, this time.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The answer on a payment that was refused as a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<Submission>,
    /// The checks of readiness, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

impl From<Problem> for ProblemBody {
    fn from(problem: Problem) -> Self {
        Self {
            kind: problem.kind.uri(),
            title: problem.kind.title().to_owned(),
            status: problem.kind.status(),
            detail: problem.detail,
            hint: problem.hint,
            submission: None,
            checks: Vec::new(),
        }
    }
}

/// Why the interface does not start, or did not stop in order.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; choose another address in `{setting}`, or stop what holds it"
    )]
    Bind {
        /// The key that names it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The Unix socket cannot be listened on.
    #[error("cannot listen on the socket {path}: {source}")]
    Socket {
        /// `api.socket`.
        path: PathBuf,
        /// Why not.
        source: SocketError,
    },
    /// The drop folder cannot be used.
    #[error("the folder {path} (`files.dir`): {source}; the node must be allowed to write in it")]
    Folder {
        /// `files.dir`.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The Kafka clients do not start.
    #[error("Kafka: {0}; see the section `[kafka]`")]
    Kafka(rdkafka::error::KafkaError),
    /// Calls were still running when the time for draining was over.
    #[error(
        "{calls} calls were still running after {seconds} s of draining; what they decided is in the log"
    )]
    Unfinished {
        /// How many.
        calls: usize,
        /// `api.drain_ms`, in seconds.
        seconds: f64,
    },
}

/// Why a Unix socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another process listens there.
    #[error("another process listens there: stop it, or choose another path in `api.socket`")]
    Taken,
    /// Something else is there.
    #[error("there is a file that is no socket: move it away, or choose another path in `api.socket`")]
    NotASocket,
    /// The system refuses.
    #[error("{0}; the folder must exist, and the node must be allowed to write in it")]
    Io(std::io::Error),
}
