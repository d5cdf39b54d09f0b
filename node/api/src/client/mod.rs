//! The other end of the HTTP interface, blocking: for the command line, the demo and tests.

mod frames;
mod screening;

use std::time::Duration;

use hansa_types::hash::Digest;
use hansa_types::id::Actor;
use hansa_types::subject::Subject;
use hansa_types::uetr::Uetr;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body, RequestBuilder};
use zeroize::Zeroizing;

use crate::error::{ProblemBody, ProblemKind};
use crate::http::PROBLEM_JSON;
use crate::model::{
    AlertList, AlertView, BackupList, CaseAction, CaseAnswer, CaseFilter, CaseList, CaseOpening, CaseReading,
    CaseResult, CaseReviewing, CaseView, ChangesView, ClusterRequest, ClusterResult, ClusterView,
    ErasureView, EvidenceRequest, ExpiryRequest, ExpiryView, ForkList, ForkView, GovernanceView, HoldView,
    Leg, LogEntry, LogHistory, LogPage, LogQuery, MessageRequest, ProposalRequest, Readiness, RecordsStatus,
    RetractRequest, RootView, SignalList, SignalView, Status, SubjectAction, SubjectExport, SubjectQuestion,
    Submission, TraceRequest, VoteRequest,
};
use crate::token::ApiToken;

/// How long one call may take; longer than the node's own deadline, which answers with more to say.
const CALL_TIME: Duration = Duration::from_secs(60);
/// How long a connection is kept for the next call: less than the node lets one idle (`api.header_ms`).
const IDLE_TIME: Duration = Duration::from_secs(5);
/// The largest answer read, in bytes.
const ANSWER_LIMIT: u64 = 64 << 20;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not the address of a node on this machine.
    #[error(
        "{0:?} is not a node's address: http:// and a loopback host are wanted, for example http://127.0.0.1:7400"
    )]
    Address(String),
    /// The node did not answer.
    #[error("no answer from {url}: {source}; is the node running, and is this its address?")]
    Unreachable {
        /// What was called.
        url: String,
        /// What the connection says.
        source: Box<ureq::Error>,
    },
    /// The node refused.
    #[error("{}: {}{}", .0.title, .0.detail, .0.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default())]
    Refused(Box<ProblemBody>),
    /// Something answered that is not this interface, or another version of it.
    #[error("{url} answered {status}, which cannot be read: {detail}; is it a node of this version?")]
    Unexpected {
        /// What was called.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What was wrong.
        detail: String,
    },
}

/// A node's HTTP interface, called from the same machine.
pub struct Client {
    agent: Agent,
    base: String,
    authorization: Zeroizing<String>,
}

impl Client {
    /// A client of the node at `base`, for example `http://127.0.0.1:7400`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`] unless it is plain HTTP on a loopback host: the token must not cross a network.
    pub fn new(base: &str, token: &ApiToken) -> Result<Self, ClientError> {
        let base = base.trim_end_matches('/');
        if !is_local(base) {
            return Err(ClientError::Address(base.to_owned()));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // A proxy of the environment is not for calls within the machine, and would see the token.
            .proxy(None)
            .timeout_global(Some(CALL_TIME))
            .max_idle_age(IDLE_TIME)
            .build();
        let authorization = Zeroizing::new(format!("Bearer {}", *token.to_hex()));
        Ok(Self { agent: config.into(), base: base.to_owned(), authorization })
    }

    /// Submits a pacs.008 message and gives the answers, with the bank's internal view if `internal`. A duplicate is an
    /// answer, not an error.
    ///
    /// # Errors
    /// See [`ClientError`]; so for every call below.
    pub fn submit(&self, message: &[u8], internal: bool) -> Result<Submission, ClientError> {
        let url = format!("{}/v1/payments{}", self.base, if internal { "?detail=internal" } else { "" });
        let request = self.authorized(self.agent.post(&url)).header("Content-Type", "application/xml");
        match read(&url, request.send(message)) {
            Err(ClientError::Refused(problem)) if problem.kind == ProblemKind::Duplicate.uri() => {
                let problem = *problem;
                match problem.submission {
                    Some(submission) => Ok(submission),
                    None => Err(ClientError::Refused(Box::new(problem))),
                }
            }
            other => other,
        }
    }

    /// Submits a message, and gives the scheme's answer: a pacs.002.
    pub fn report(&self, message: &[u8]) -> Result<String, ClientError> {
        let url = format!("{}/v1/payments", self.base);
        let request = self.authorized(self.agent.post(&url)).header("Content-Type", "application/xml");
        let (status, body) = bytes(&url, request.header("Accept", "application/xml").send(message))?;
        let not_text =
            |e: std::string::FromUtf8Error| ClientError::Unexpected { url, status, detail: e.to_string() };
        String::from_utf8(body).map_err(not_text)
    }

    /// What the log holds about a payment, of one leg or all.
    pub fn history(&self, uetr: Uetr, leg: Option<&Leg>) -> Result<Vec<LogEntry>, ClientError> {
        let url = format!("{}/v1/payments/{uetr}/audit", self.base);
        let request = screening::on_leg(self.authorized(self.agent.get(&url)), leg);
        read::<LogHistory>(&url, request.call()).map(|history| history.entries)
    }

    /// A page of the cases that the filter lets pass.
    pub fn cases(&self, filter: CaseFilter) -> Result<CaseList, ClientError> {
        let url = format!("{}/v1/cases", self.base);
        let mut request = self.authorized(self.agent.get(&url));
        if let Some(state) = filter.state {
            request = request.query("state", state.name());
        }
        let set = [("overdue", filter.overdue), ("review", filter.review), ("proposed", filter.proposed)];
        for (name, _) in set.into_iter().filter(|(_, set)| *set) {
            request = request.query(name, "true");
        }
        let page = [("after", filter.after), ("limit", filter.limit.map(|limit| limit as u64))];
        for (name, number) in page.into_iter().filter_map(|(name, number)| Some((name, number?))) {
            request = request.query(name, number.to_string());
        }
        read(&url, request.call())
    }

    /// Opens a case.
    pub fn open_case(&self, opening: &CaseOpening) -> Result<CaseResult, ClientError> {
        self.post("/v1/cases", opening)
    }

    /// Takes a case a step further.
    pub fn step_case(&self, number: u64, action: &CaseAction) -> Result<CaseResult, ClientError> {
        self.post(&format!("/v1/cases/{number}/steps"), action)
    }

    /// Approves or declines what another officer proposed.
    pub fn answer_case(&self, number: u64, answer: &CaseAnswer) -> Result<CaseResult, ClientError> {
        self.post(&format!("/v1/cases/{number}/answers"), answer)
    }

    /// Says whether a case was cleared rightly.
    pub fn review_case(&self, number: u64, reviewing: &CaseReviewing) -> Result<CaseResult, ClientError> {
        self.post(&format!("/v1/cases/{number}/reviews"), reviewing)
    }

    /// What is in a case; that `actor` reads it is recorded.
    pub fn read_case(&self, number: u64, actor: Actor) -> Result<CaseView, ClientError> {
        self.post(&format!("/v1/cases/{number}/readings"), &CaseReading { actor })
    }

    /// The draft of a report on a case; that `actor` reads it is recorded.
    pub fn draft_case(&self, number: u64, actor: Actor) -> Result<String, ClientError> {
        let url = format!("{}/v1/cases/{number}/drafts", self.base);
        let request = self.authorized(self.agent.post(&url)).send_json(CaseReading { actor });
        let (status, body) = bytes(&url, request)?;
        String::from_utf8(body).map_err(|e| ClientError::Unexpected { url, status, detail: e.to_string() })
    }

    /// The alerts.
    pub fn alerts(&self) -> Result<Vec<AlertView>, ClientError> {
        self.get::<AlertList>("/v1/alerts").map(|list| list.alerts)
    }

    /// The signals, sent and received.
    pub fn signals(&self) -> Result<Vec<SignalView>, ClientError> {
        self.get::<SignalList>("/v1/signals").map(|list| list.signals)
    }

    /// Takes back a signal that this bank sent.
    pub fn retract(&self, signal: Digest, actor: Actor) -> Result<SignalView, ClientError> {
        self.post(&format!("/v1/signals/{signal}/retract"), &RetractRequest { actor })
    }

    /// The evidence bundle of a payment.
    pub fn evidence(&self, request: &EvidenceRequest) -> Result<Vec<u8>, ClientError> {
        let url = format!("{}/v1/evidence", self.base);
        bytes(&url, self.authorized(self.agent.post(&url)).send_json(request)).map(|(_, body)| body)
    }

    /// The bank's trace secret of one epoch, as a file for whoever ordered it.
    pub fn disclose_trace(&self, request: &TraceRequest) -> Result<Vec<u8>, ClientError> {
        let url = format!("{}/v1/disclosures/trace", self.base);
        bytes(&url, self.authorized(self.agent.post(&url)).send_json(request)).map(|(_, body)| body)
    }

    /// The bank's group of replicas.
    pub fn cluster(&self) -> Result<ClusterView, ClientError> {
        self.get("/v1/cluster")
    }

    /// Changes the group. Taking a replica in lasts as long as copying the log.
    pub fn administer(&self, request: &ClusterRequest) -> Result<ClusterResult, ClientError> {
        self.post("/v1/cluster", request)
    }

    /// A page of what the log holds under the query.
    pub fn find(&self, query: &LogQuery) -> Result<LogPage, ClientError> {
        self.post("/v1/log/find", query)
    }

    /// Places a legal hold on a subject's records, or lifts it.
    pub fn hold(&self, action: &SubjectAction, held: bool) -> Result<HoldView, ClientError> {
        self.post(if held { "/v1/subjects/hold" } else { "/v1/subjects/release" }, action)
    }

    /// Makes a subject's records unreadable for ever.
    pub fn erase(&self, action: &SubjectAction) -> Result<ErasureView, ClientError> {
        self.post("/v1/subjects/erase", action)
    }

    /// Everything that is held about a subject.
    pub fn export_subject(&self, subject: Subject) -> Result<SubjectExport, ClientError> {
        self.post("/v1/subjects/export", &SubjectQuestion { subject })
    }

    /// Lists or erases what is past retention.
    pub fn expire(&self, request: &ExpiryRequest) -> Result<ExpiryView, ClientError> {
        self.post("/v1/records/expire", request)
    }

    /// Rewrites what may hold erased keys, and says how complete the erasures are.
    pub fn scrub(&self) -> Result<RecordsStatus, ClientError> {
        self.post("/v1/records/scrub", &())
    }

    /// The evidence of forks that the node keeps.
    pub fn forks(&self) -> Result<Vec<ForkView>, ClientError> {
        self.get::<ForkList>("/v1/forks").map(|list| list.forks)
    }

    /// The checkpoint that the node published last.
    pub fn log_checkpoint(&self) -> Result<String, ClientError> {
        self.text("/v1/log/checkpoint")
    }

    /// That the entry at `index` is in the log as published: a C2SP tlog-proof.
    pub fn log_proof(&self, index: u64) -> Result<String, ClientError> {
        self.text(&format!("/v1/log/proofs/{index}"))
    }

    fn text(&self, path: &str) -> Result<String, ClientError> {
        let url = format!("{}{path}", self.base);
        let (status, body) = bytes(&url, self.authorized(self.agent.get(&url)).call())?;
        String::from_utf8(body).map_err(|e| ClientError::Unexpected { url, status, detail: e.to_string() })
    }

    /// A tile of the log by its path, which begins with `tile/`.
    pub fn log_tile(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.bytes(&format!("/v1/log/{path}"))
    }

    /// The keys of the decisions in one entry bundle of the log.
    pub fn disclose_decisions(&self, bundle: u64) -> Result<Vec<u8>, ClientError> {
        self.bytes(&format!("/v1/disclosures/decisions/{bundle}"))
    }

    /// What is in force and what is open among the members.
    pub fn governance(&self) -> Result<GovernanceView, ClientError> {
        self.get("/v1/governance")
    }

    /// What a change would do; with an actor it is proposed.
    pub fn propose(&self, request: &ProposalRequest) -> Result<ChangesView, ClientError> {
        self.post("/v1/governance/proposals", request)
    }

    /// What an open or decided proposal changes.
    pub fn proposal(&self, digest: &Digest) -> Result<ChangesView, ClientError> {
        self.get(&format!("/v1/governance/proposals/{digest}"))
    }

    /// Gives the bank's vote.
    pub fn vote(&self, request: &VoteRequest) -> Result<ChangesView, ClientError> {
        self.post("/v1/governance/votes", request)
    }

    /// Hands in a message that was signed elsewhere.
    pub fn take_in(&self, request: &MessageRequest) -> Result<GovernanceView, ClientError> {
        self.post("/v1/governance/messages", request)
    }

    /// The ballot paper of an open proposal, for an offline key.
    pub fn ballot_paper(&self, digest: &Digest, round: u16) -> Result<Vec<u8>, ClientError> {
        self.bytes(&format!("/v1/governance/proposals/{digest}/paper?round={round}"))
    }

    /// The ballot paper of a change that nobody has proposed yet.
    pub fn draft_paper(&self, request: &ProposalRequest) -> Result<Vec<u8>, ClientError> {
        let url = format!("{}/v1/governance/papers", self.base);
        bytes(&url, self.authorized(self.agent.post(&url)).send_json(request)).map(|(_, body)| body)
    }

    /// Every amendment, for a bank that joins.
    pub fn amendments(&self) -> Result<Vec<u8>, ClientError> {
        self.bytes("/v1/governance/amendments")
    }

    /// The backups in the node's folder, and how making them goes.
    pub fn backups(&self) -> Result<BackupList, ClientError> {
        self.get("/v1/backups")
    }

    /// Begins a backup; see [`BackupList::attempts`] for when it is done.
    pub fn back_up(&self) -> Result<BackupList, ClientError> {
        let url = format!("{}/v1/backups", self.base);
        read(&url, self.authorized(self.agent.post(&url)).send_empty())
    }

    /// The root of the log's first `size` entries.
    pub fn root_at(&self, size: u64) -> Result<RootView, ClientError> {
        self.get(&format!("/v1/log/roots/{size}"))
    }

    /// Where the node stands.
    pub fn status(&self) -> Result<Status, ClientError> {
        self.get("/v1/status")
    }

    /// Whether the node is ready, with every check. Not being ready is an answer, not an error.
    pub fn readiness(&self) -> Result<Readiness, ClientError> {
        match self.get("/readyz?verbose") {
            Err(ClientError::Refused(problem)) if problem.kind == ProblemKind::NotReady.uri() => {
                Ok(Readiness { ready: false, checks: problem.checks })
            }
            other => other,
        }
    }

    /// The metrics as OpenMetrics text.
    pub fn metrics(&self) -> Result<String, ClientError> {
        let url = format!("{}/metrics", self.base);
        let (status, body) = bytes(&url, self.agent.get(&url).call())?;
        String::from_utf8(body).map_err(|e| ClientError::Unexpected { url, status, detail: e.to_string() })
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let url = format!("{}{path}", self.base);
        bytes(&url, self.authorized(self.agent.get(&url)).call()).map(|(_, body)| body)
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let url = format!("{}{path}", self.base);
        read(&url, self.authorized(self.agent.get(&url)).call())
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let url = format!("{}{path}", self.base);
        read(&url, self.authorized(self.agent.post(&url)).send_json(body))
    }

    fn authorized<T>(&self, request: RequestBuilder<T>) -> RequestBuilder<T> {
        request.header("Authorization", self.authorization.as_str())
    }
}

/// Whether `base` is `http://` and a loopback host, with nothing behind the port.
fn is_local(base: &str) -> bool {
    let bare = |uri: Uri| uri.path_and_query().is_none_or(|path| path.as_str() == "/");
    is_loopback(base) && base.parse().is_ok_and(bare)
}

/// Whether it is plain HTTP to this very machine.
pub(crate) fn is_loopback(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    uri.scheme_str() == Some("http") && loopback && !user
}

/// The answer's JSON.
fn read<T: DeserializeOwned>(
    url: &str,
    answer: Result<Response<Body>, ureq::Error>,
) -> Result<T, ClientError> {
    let (status, body) = bytes(url, answer)?;
    serde_json::from_slice(&body).map_err(|e| ClientError::Unexpected {
        url: url.to_owned(),
        status,
        detail: e.to_string(),
    })
}

/// The answer's status and body, if it is a success.
fn bytes(url: &str, answer: Result<Response<Body>, ureq::Error>) -> Result<(u16, Vec<u8>), ClientError> {
    let unreachable = |source| ClientError::Unreachable { url: url.to_owned(), source: Box::new(source) };
    let mut answer = answer.map_err(unreachable)?;
    let status = answer.status();
    let media =
        answer.headers().get("Content-Type").and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let body = answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec().map_err(unreachable)?;
    if status.is_success() {
        return Ok((status.as_u16(), body));
    }
    let unexpected =
        |detail| ClientError::Unexpected { url: url.to_owned(), status: status.as_u16(), detail };
    if media != PROBLEM_JSON {
        return Err(unexpected(format!("the answer is {media:?}, not {PROBLEM_JSON}")));
    }
    let problem = serde_json::from_slice(&body).map_err(|e| unexpected(e.to_string()))?;
    Err(ClientError::Refused(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_loopback_addresses_are_called() {
        for good in ["http://127.0.0.1:7400", "http://localhost:1", "http://[::1]:7400", "http://127.0.0.1"] {
            assert!(is_local(good), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:7400",
            "https://127.0.0.1",
            "http://example.com",
            "http://10.0.0.1:7400",
            "http://127.0.0.1@example.com",
            "http://localhost@127.0.0.1",
            "http://127.0.0.1:7400/v1",
            "http://127.0.0.1.example.com",
        ] {
            assert!(!is_local(bad), "{bad}");
        }
    }
}
