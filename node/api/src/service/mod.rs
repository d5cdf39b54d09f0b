//! What a node offers to whoever is outside, whatever the way in: the node implements this, each interface calls it.

mod frames;
mod screening;

use async_trait::async_trait;
use hansa_types::hash::Digest;
use hansa_types::id::Actor;
use hansa_types::uetr::Uetr;

pub use self::frames::FrameService;
pub use self::screening::ScreeningService;
use crate::audit::{AuditRequest, TransactionAudit};
use crate::error::Problem;
use crate::model::{
    AlertView, BackupList, CaseAction, CaseAnswer, CaseFilter, CaseList, CaseOpening, CaseReading,
    CaseResult, CaseReviewing, CaseView, ChangesView, ClusterRequest, ClusterResult, ClusterView,
    ErasureView, EvidenceRequest, ExpiryRequest, ExpiryView, ForkView, GovernanceView, HoldView, Leg,
    LogEntry, LogPage, LogQuery, MessageRequest, ProposalRequest, Readiness, RecordsStatus, RootView,
    SignalView, Status, SubjectAction, SubjectExport, SubjectQuestion, Submission, TraceRequest, VoteRequest,
};

/// A node as its interfaces see it.
///
/// A call runs to its end even when the caller has gone away or the deadline has passed: interfaces run it in a task of
/// its own, so an implementation is never cancelled half-way and may not rely on being dropped.
#[async_trait]
pub trait Service: FrameService + ScreeningService {
    /// Screens every payment of a pacs.008, pacs.009 or pacs.004 message (XML in UTF-8) and answers each, in the message's order, once its
    /// decision is durable in the log. A payment seen before with equal content gets its first decision again; the
    /// same key with other content is answered as a duplicate, which is not an error of the call.
    ///
    /// # Errors
    /// [`Problem::malformed`] for what is not such a message, [`Problem::unsupported_message`] for another message
    /// type, [`Problem::unavailable`] without a quorum.
    async fn submit(&self, message: Vec<u8>) -> Result<Submission, Problem>;

    /// As [`Self::submit`], for the payments at `places` in the message alone, counted from 0.
    ///
    /// # Errors
    /// As [`Self::submit`], and [`Problem::malformed`] for a place that the message does not have.
    async fn submit_part(&self, message: Vec<u8>, places: Vec<usize>) -> Result<Submission, Problem>;

    /// By what each payment of a message is to be ordered, in the message's order: payments of one key are decided one
    /// after the other, so that each counts those before it. It is the debtor's account; without one the creditor's, or
    /// else the payment itself.
    ///
    /// # Errors
    /// As [`Self::submit`], as far as it is about the message.
    fn order_keys(&self, message: &[u8]) -> Result<Vec<Digest>, Problem>;

    /// As [`Self::submit`], or [`Self::submit_part`] where places are named, answered as the scheme has it: a status
    /// report (pacs.002) with a status for each payment, nothing of the bank's own view.
    ///
    /// # Errors
    /// As these; [`Problem::conflict`] in shadow, where the rail is not answered.
    async fn report(&self, message: Vec<u8>, places: Option<Vec<usize>>) -> Result<String, Problem>;

    /// Everything that the log holds about a payment, in the log's order: of one leg, or of all.
    ///
    /// # Errors
    /// [`Problem::not_found`] if there is nothing.
    async fn history(&self, uetr: Uetr, leg: Option<Leg>) -> Result<Vec<LogEntry>, Problem>;

    /// The decision on a payment, with what it rests on and the proofs there are of it.
    ///
    /// # Errors
    /// As [`Self::evidence`].
    async fn transaction_audit(&self, request: AuditRequest) -> Result<TransactionAudit, Problem>;

    /// A page of the cases that the filter lets pass, by number, as a work list.
    async fn cases(&self, filter: CaseFilter) -> Result<CaseList, Problem>;

    /// Opens a case by hand, or adds the payment to the case about its subject that nobody decided on yet.
    ///
    /// # Errors
    /// [`Problem::not_found`] if the log does not hold the payment, [`Problem::conflict`] if the payment has no such
    /// account.
    async fn open_case(&self, opening: CaseOpening) -> Result<CaseResult, Problem>;

    /// Takes a case one step further, or proposes it where the bank's policy wants a second officer. Confirming one may
    /// send a signal; the result then carries it, or says in its note why none was sent.
    ///
    /// # Errors
    /// [`Problem::not_found`] for an unknown number, [`Problem::conflict`] if the state may not follow.
    async fn step_case(&self, number: u64, action: CaseAction) -> Result<CaseResult, Problem>;

    /// Approves or declines what another officer proposed; what is approved happens as in [`Self::step_case`].
    ///
    /// # Errors
    /// [`Problem::not_found`] for an unknown number, [`Problem::conflict`] if nothing waits, or for who proposed it.
    async fn answer_case(&self, number: u64, answer: CaseAnswer) -> Result<CaseResult, Problem>;

    /// Says whether a case that was drawn for review was cleared rightly; if not, it is open anew.
    ///
    /// # Errors
    /// [`Problem::not_found`] for an unknown number, [`Problem::conflict`] if it does not wait, or for who cleared it.
    async fn review_case(&self, number: u64, reviewing: CaseReviewing) -> Result<CaseResult, Problem>;

    /// What is in a case, once the log says who reads it.
    ///
    /// # Errors
    /// [`Problem::not_found`] for an unknown number, [`Problem::unavailable`] if it cannot be recorded.
    async fn read_case(&self, number: u64, reading: CaseReading) -> Result<CaseView, Problem>;

    /// The neutral draft of a report on a case, as text, once the log says who reads it.
    ///
    /// # Errors
    /// As [`Self::read_case`].
    async fn draft_case(&self, number: u64, reading: CaseReading) -> Result<String, Problem>;

    /// The alerts, oldest first.
    async fn alerts(&self) -> Result<Vec<AlertView>, Problem>;

    /// The signals of this bank and of others, oldest first.
    async fn signals(&self) -> Result<Vec<SignalView>, Problem>;

    /// Takes back a signal that this bank sent.
    ///
    /// # Errors
    /// [`Problem::not_found`] for an unknown signal, [`Problem::conflict`] for one of another bank.
    async fn retract(&self, signal: Digest, actor: Actor) -> Result<SignalView, Problem>;

    /// The evidence bundle of a payment, in its own binary format, for `hansa-audit verify`.
    ///
    /// # Errors
    /// [`Problem::not_found`] if the log does not hold the payment, [`Problem::conflict`] if it went over several legs
    /// and the request names none.
    async fn evidence(&self, request: EvidenceRequest) -> Result<Vec<u8>, Problem>;

    /// Brings this replica up to what the bank's group has committed, so that what is read next is no older than the
    /// call. Says whether it could: without a quorum what is read may be out of date.
    async fn catch_up(&self) -> bool;

    /// The bank's group of replicas, each asked how it is.
    async fn cluster(&self) -> Result<ClusterView, Problem>;

    /// Changes the group, and says what was done.
    ///
    /// # Errors
    /// [`Problem::conflict`] if it would be wrong now, [`Problem::unavailable`] without a quorum.
    async fn administer(&self, request: ClusterRequest) -> Result<ClusterResult, Problem>;

    /// Looks records up by what they are about.
    ///
    /// # Errors
    /// [`Problem::malformed`] for a stretch of time that is too long or ends before it begins.
    async fn find(&self, query: LogQuery) -> Result<LogPage, Problem>;

    /// Places a legal hold on a subject's records, or lifts it.
    ///
    /// # Errors
    /// [`Problem::conflict`] if the subject is held already, or not held.
    async fn hold(&self, action: SubjectAction, held: bool) -> Result<HoldView, Problem>;

    /// Makes a subject's records unreadable for ever.
    ///
    /// # Errors
    /// [`Problem::not_found`] if nothing is held, [`Problem::conflict`] with every reason that forbids it.
    async fn erase(&self, action: SubjectAction) -> Result<ErasureView, Problem>;

    /// Everything that is held about a subject.
    async fn export_subject(&self, question: SubjectQuestion) -> Result<SubjectExport, Problem>;

    /// Lists or erases what is past retention.
    async fn expire(&self, request: ExpiryRequest) -> Result<ExpiryView, Problem>;

    /// Rewrites what may hold erased keys, and says how complete the erasures are.
    async fn scrub(&self) -> Result<RecordsStatus, Problem>;

    /// What is in force and what is open among the members.
    async fn governance(&self) -> Result<GovernanceView, Problem>;

    /// What a change would do; with an actor it is proposed, with this bank's vote.
    ///
    /// # Errors
    /// [`Problem::conflict`] if it does not fit what is in force, or the governance key is elsewhere.
    async fn propose(&self, request: ProposalRequest) -> Result<ChangesView, Problem>;

    /// What a proposal changes.
    ///
    /// # Errors
    /// [`Problem::not_found`] if it is neither open nor decided.
    async fn proposal(&self, digest: Digest) -> Result<ChangesView, Problem>;

    /// Gives this bank's vote.
    ///
    /// # Errors
    /// [`Problem::conflict`] if the bank has voted otherwise, or an earlier round may have decided otherwise.
    async fn vote(&self, request: VoteRequest) -> Result<ChangesView, Problem>;

    /// Takes in a message that was signed elsewhere.
    ///
    /// # Errors
    /// [`Problem::malformed`] for what is none, [`Problem::conflict`] for one that does not fit.
    async fn take_in(&self, request: MessageRequest) -> Result<GovernanceView, Problem>;

    /// The ballot paper of an open proposal for a round, as a file for an offline key.
    ///
    /// # Errors
    /// [`Problem::not_found`] if it is not open.
    async fn ballot_paper(&self, digest: Digest, round: u16) -> Result<Vec<u8>, Problem>;

    /// The ballot paper of a change that nobody has proposed yet, for a bank whose key is offline.
    ///
    /// # Errors
    /// [`Problem::malformed`] if it names an actor, as nothing is proposed; [`Problem::conflict`] if it does not fit.
    async fn draft_paper(&self, request: ProposalRequest) -> Result<Vec<u8>, Problem>;

    /// Every amendment, as a file for a bank that joins.
    async fn amendments(&self) -> Result<Vec<u8>, Problem>;

    /// The evidence that logs forked, or may have, by bank.
    async fn forks(&self) -> Result<Vec<ForkView>, Problem>;

    /// The checkpoint that this node published last, as a signed note.
    ///
    /// # Errors
    /// [`Problem::not_found`] before the first.
    async fn log_checkpoint(&self) -> Result<String, Problem>;

    /// A tile of the log by its path (C2SP tlog-tiles, `tile/...`), of the tree that is published.
    ///
    /// # Errors
    /// [`Problem::not_found`] for what is no tile's path, or beyond the checkpoint.
    async fn log_tile(&self, path: String) -> Result<Vec<u8>, Problem>;

    /// That the entry at `index` is in the log as published: a C2SP tlog-proof.
    ///
    /// # Errors
    /// [`Problem::not_found`] for an entry beyond the checkpoint.
    async fn log_proof(&self, index: u64) -> Result<String, Problem>;

    /// The keys of the decisions in the entry bundle at `bundle`, as they stand in a file of disclosures.
    ///
    /// # Errors
    /// [`Problem::not_found`] beyond the checkpoint.
    async fn disclose_decisions(&self, bundle: u64) -> Result<Vec<u8>, Problem>;

    /// The backups in the node's folder, and how making them goes.
    async fn backups(&self) -> Result<BackupList, Problem>;

    /// Begins a backup, unless one is being made, and answers at once.
    ///
    /// # Errors
    /// [`Problem::conflict`] if the configuration names nobody who could read it.
    async fn back_up(&self) -> Result<BackupList, Problem>;

    /// This bank's trace secret of one epoch, as a file: what a lawful order makes it show, and no more. That it was
    /// given out is recorded first.
    ///
    /// # Errors
    /// [`Problem::not_found`] for an epoch that the bank cannot have signalled in, [`Problem::malformed`] without a reason.
    async fn disclose_trace(&self, request: TraceRequest) -> Result<Vec<u8>, Problem>;

    /// The root of the log's first `size` entries.
    ///
    /// # Errors
    /// [`Problem::not_found`] if the log is shorter.
    async fn root_at(&self, size: u64) -> Result<RootView, Problem>;

    /// Where the node stands, with its counters.
    async fn status(&self) -> Result<Status, Problem>;

    /// Whether payments may be sent here now.
    async fn readiness(&self) -> Readiness;
}
