//! A node that follows a script: what a message says is what happens to it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hansa_types::hash::{Digest, digest};
use hansa_types::id::Actor;
use hansa_types::uetr::Uetr;
use tokio::sync::Semaphore;

use super::kafka::Replica;
use super::samples;
use crate::audit::{AuditRequest, TransactionAudit};
use crate::model::*;
use crate::{Problem, Service};

/// How long a test waits for what must happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The scripted service.
pub(super) struct Fake {
    /// What was called, with what.
    pub(super) calls: Mutex<Vec<String>>,
    pub(super) ready: AtomicBool,
    /// Whether it has seen all that the group committed.
    pub(super) current: AtomicBool,
    /// One that decides by what it has seen, instead of by the script.
    replica: Option<Replica>,
    /// How often a message failed that recovers.
    failures: AtomicU32,
    /// A permit for each call that has begun to hang.
    pub(super) entered: Semaphore,
    /// A permit for each call that may go on.
    pub(super) gate: Semaphore,
    /// A permit for each call that hung and finished.
    pub(super) finished: Semaphore,
}

impl Fake {
    /// One that follows the script, or decides as `replica` does.
    pub(super) fn new(replica: Option<Replica>) -> Self {
        Self {
            calls: Mutex::default(),
            ready: AtomicBool::new(true),
            current: AtomicBool::new(true),
            replica,
            failures: AtomicU32::new(0),
            entered: Semaphore::new(0),
            gate: Semaphore::new(0),
            finished: Semaphore::new(0),
        }
    }

    pub(super) fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    async fn hang(&self) {
        self.entered.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.finished.add_permits(1);
    }
}

#[async_trait]
impl Service for Fake {
    async fn report(&self, message: Vec<u8>, places: Option<Vec<usize>>) -> Result<String, Problem> {
        let places = places.map_or(String::new(), |places| format!(" at {places:?}"));
        self.note(format!("report on {} bytes{places}", message.len()));
        Ok("<Document/>".to_owned())
    }

    async fn submit_part(&self, message: Vec<u8>, places: Vec<usize>) -> Result<Submission, Problem> {
        self.note(format!("submit {places:?} of {} bytes", message.len()));
        let script = String::from_utf8_lossy(&message).into_owned();
        Ok(self.replica.as_ref().unwrap().submit(&script, Some(&places)))
    }

    fn order_keys(&self, message: &[u8]) -> Result<Vec<Digest>, Problem> {
        assert_ne!(message, b"panic", "as the script says");
        let account = |line: &str| digest("account", &[line.split(' ').next().unwrap().as_bytes()]);
        Ok(String::from_utf8_lossy(message).lines().map(account).collect())
    }

    async fn submit(&self, message: Vec<u8>) -> Result<Submission, Problem> {
        self.note(format!("submit {} bytes", message.len()));
        let script = String::from_utf8_lossy(&message).into_owned();
        if let Some(replica) = &self.replica {
            return Ok(replica.submit(&script, None));
        }
        let several =
            |payments| Ok(Submission { message_type: "pacs.008.001.08".to_owned(), payments, shadow: false });
        let (decision, key) = (samples::decision(), samples::key());
        match script.as_str() {
            "repeated" => several(vec![PaymentAnswer::of(&decision, 41, true)]),
            "duplicate" => several(vec![PaymentAnswer::duplicate(key)]),
            "mixed" => several(vec![samples::answer(), PaymentAnswer::duplicate(key)]),
            "malformed" => Err(Problem::malformed("DOCTYPE in line 2").with_hint("send it without")),
            "camt" => Err(Problem::unsupported_message("camt.053.001.08")),
            "busy" => Err(Problem::too_many_requests("100 a second are agreed", 7)),
            "recovers" if self.failures.fetch_add(1, Ordering::SeqCst) < 2 => {
                Err(Problem::unavailable("no quorum", 1))
            }
            "panic" => panic!("as the script says"),
            "hang" => {
                self.hang().await;
                Ok(samples::decided())
            }
            _ => Ok(samples::decided()),
        }
    }

    async fn history(&self, uetr: Uetr, leg: Option<Leg>) -> Result<Vec<LogEntry>, Problem> {
        self.note(format!("history {uetr} {}", leg.is_some_and(|leg| leg == samples::leg())));
        if uetr != samples::uetr() {
            return Err(Problem::not_found(format!("the log holds nothing about {uetr}")));
        }
        Ok(vec![samples::log_entry()])
    }

    async fn transaction_audit(&self, request: AuditRequest) -> Result<TransactionAudit, Problem> {
        self.note(format!("audit {} {} {}", request.uetr, request.leg.is_some(), request.zkp_proof));
        if request.uetr != samples::uetr() {
            return Err(Problem::not_found(format!("the log holds nothing about {}", request.uetr)));
        }
        Ok(super::grpc::audit(request.zkp_proof))
    }

    async fn cases(&self, filter: CaseFilter) -> Result<CaseList, Problem> {
        let CaseFilter { state, overdue, review, proposed, after, limit } = filter;
        self.note(format!("cases {state:?} {overdue} {review} {proposed} {after:?} {limit:?}"));
        Ok(samples::case_list())
    }

    async fn open_case(&self, opening: CaseOpening) -> Result<CaseResult, Problem> {
        self.note(format!("open {} {}", opening.suspect, opening.actor));
        Ok(CaseResult { case: samples::case().into(), signal: None, note: None })
    }

    async fn step_case(&self, number: u64, action: CaseAction) -> Result<CaseResult, Problem> {
        self.note(format!("step {number} {} {} {:?}", action.state, action.actor, action.note));
        match number {
            1 => Ok(samples::case_result()),
            2 => Err(Problem::conflict("case 2 is cleared").with_hint("open a new one")),
            _ => Err(Problem::not_found(format!("there is no case {number}"))),
        }
    }

    async fn answer_case(&self, number: u64, answer: CaseAnswer) -> Result<CaseResult, Problem> {
        self.note(format!("answer {number} {} {} {:?}", answer.approve, answer.actor, answer.note));
        Ok(samples::case_result())
    }

    async fn review_case(&self, number: u64, reviewing: CaseReviewing) -> Result<CaseResult, Problem> {
        self.note(format!("review {number} {} {} {:?}", reviewing.passed, reviewing.actor, reviewing.note));
        Ok(samples::case_result())
    }

    async fn read_case(&self, number: u64, reading: CaseReading) -> Result<CaseView, Problem> {
        self.note(format!("read {number} {}", reading.actor));
        Ok(samples::case().into())
    }

    async fn draft_case(&self, number: u64, reading: CaseReading) -> Result<String, Problem> {
        self.note(format!("draft {number} {}", reading.actor));
        Ok("DRAFT\n".to_owned())
    }

    async fn alerts(&self) -> Result<Vec<AlertView>, Problem> {
        Ok(vec![samples::alert()])
    }

    async fn signals(&self) -> Result<Vec<SignalView>, Problem> {
        Ok(vec![samples::signal()])
    }

    async fn retract(&self, signal: Digest, actor: Actor) -> Result<SignalView, Problem> {
        self.note(format!("retract {signal} {actor}"));
        Ok(SignalView { state: SignalState::Retracted, ..samples::signal() })
    }

    async fn evidence(&self, request: EvidenceRequest) -> Result<Vec<u8>, Problem> {
        self.note(format!("evidence {} {}", request.uetr, request.leg.is_some()));
        Ok(vec![0, 1, 2, 0xff])
    }

    async fn catch_up(&self) -> bool {
        self.replica.iter().for_each(Replica::catch_up);
        self.current.load(Ordering::SeqCst)
    }

    async fn governance(&self) -> Result<GovernanceView, Problem> {
        Ok(samples::governance())
    }

    async fn propose(&self, request: ProposalRequest) -> Result<ChangesView, Problem> {
        self.note(format!("propose {} {:?}", request.action.summary(), request.actor));
        Ok(samples::changes())
    }

    async fn proposal(&self, digest: Digest) -> Result<ChangesView, Problem> {
        self.note(format!("proposal {digest}"));
        Ok(samples::changes())
    }

    async fn vote(&self, request: VoteRequest) -> Result<ChangesView, Problem> {
        self.note(format!("vote {} in round {}", request.approve, request.round));
        Err(Problem::conflict("bank-a has voted otherwise"))
    }

    async fn take_in(&self, request: MessageRequest) -> Result<GovernanceView, Problem> {
        self.note(format!("take in {}", request.message));
        Ok(samples::governance())
    }

    async fn ballot_paper(&self, digest: Digest, round: u16) -> Result<Vec<u8>, Problem> {
        self.note(format!("paper {digest} {round}"));
        Ok(vec![7])
    }

    async fn draft_paper(&self, request: ProposalRequest) -> Result<Vec<u8>, Problem> {
        self.note(format!("draft {}", request.action.summary()));
        Ok(vec![9])
    }

    async fn amendments(&self) -> Result<Vec<u8>, Problem> {
        Ok(vec![8])
    }

    async fn cluster(&self) -> Result<ClusterView, Problem> {
        Ok(samples::cluster())
    }

    async fn administer(&self, request: ClusterRequest) -> Result<ClusterResult, Problem> {
        self.note(format!("administer {} {:?}", request.actor, request.action));
        match request.action {
            ClusterAction::Drain => Err(Problem::conflict("a group of one has nobody to hand over to")),
            _ => Ok(ClusterResult { done: "replica 4 has joined".to_owned() }),
        }
    }

    async fn find(&self, query: LogQuery) -> Result<LogPage, Problem> {
        self.note(format!("find {:?} after {:?}", query.class, query.after));
        Ok(LogPage { entries: vec![samples::found()], next: Some(41) })
    }

    async fn hold(&self, action: SubjectAction, held: bool) -> Result<HoldView, Problem> {
        self.note(format!("hold {} {held}", action.actor));
        Ok(HoldView { subject: Digest([7; 32]), held, index: 12 })
    }

    async fn erase(&self, action: SubjectAction) -> Result<ErasureView, Problem> {
        self.note(format!("erase {}", action.actor));
        Err(Problem::conflict("entry 41 is kept until 2031"))
    }

    async fn export_subject(&self, question: SubjectQuestion) -> Result<SubjectExport, Problem> {
        self.note(format!("export {}", question.subject.kind()));
        let entries = vec![samples::found()];
        Ok(SubjectExport { subject: Digest([7; 32]), hold: None, kept_until: None, entries })
    }

    async fn expire(&self, request: ExpiryRequest) -> Result<ExpiryView, Problem> {
        self.note(format!("expire {}", request.erase));
        Ok(ExpiryView { expired: vec![Digest([7; 32])], erased: 0, removed: 0, next: None })
    }

    async fn scrub(&self) -> Result<RecordsStatus, Problem> {
        self.note("scrub".to_owned());
        Ok(RecordsStatus { erased: 2, in_raft_log: 1, missing: vec![] })
    }

    async fn forks(&self) -> Result<Vec<ForkView>, Problem> {
        Ok(vec![samples::fork()])
    }

    async fn log_checkpoint(&self) -> Result<String, Problem> {
        self.note("checkpoint".to_owned());
        Ok("the checkpoint\n".to_owned())
    }

    async fn log_proof(&self, index: u64) -> Result<String, Problem> {
        self.note(format!("proof {index}"));
        Ok("the proof\n".to_owned())
    }

    async fn log_tile(&self, path: String) -> Result<Vec<u8>, Problem> {
        self.note(format!("tile {path}"));
        if path.ends_with(".p/9") {
            Err(Problem::not_found("beyond the checkpoint"))
        } else {
            Ok(vec![3; 32])
        }
    }

    async fn disclose_decisions(&self, bundle: u64) -> Result<Vec<u8>, Problem> {
        self.note(format!("disclose {bundle}"));
        Ok(vec![4; 40])
    }

    async fn backups(&self) -> Result<BackupList, Problem> {
        Ok(samples::backups())
    }

    async fn back_up(&self) -> Result<BackupList, Problem> {
        self.note("back up".to_owned());
        Ok(BackupList { running: true, ..samples::backups() })
    }

    async fn disclose_trace(&self, request: TraceRequest) -> Result<Vec<u8>, Problem> {
        self.note(format!("disclose epoch {} {}", request.epoch, request.actor));
        Ok(vec![5; 44])
    }

    async fn root_at(&self, size: u64) -> Result<RootView, Problem> {
        match size {
            0..=42 => Ok(RootView { size, root: Digest([4; 32]), log_size: 42 }),
            _ => Err(Problem::not_found(format!("the log has 42 entries, not {size}"))),
        }
    }

    async fn status(&self) -> Result<Status, Problem> {
        Ok(samples::status())
    }

    async fn readiness(&self) -> Readiness {
        samples::readiness(self.ready.load(Ordering::SeqCst))
    }
}
