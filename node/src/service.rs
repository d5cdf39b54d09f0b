//! The node as its interfaces see it: requests in, flows run, answers out.

use std::sync::Arc;

use async_trait::async_trait;
use hansa_api::audit::{AuditRequest, TransactionAudit};
use hansa_api::model::{
    AlertView, Anonymity, BackupList, CaseAction, CaseAnswer, CaseFilter, CaseList, CaseOpening, CaseReading,
    CaseResult, CaseReviewing, CaseView, ChangesView, Check, ClusterRequest, ClusterResult, ClusterView,
    ConsortiumView, Counters, Direction, ErasureView, EvidenceRequest, ExpiryRequest, ExpiryView, ForkView,
    GovernanceView, HoldView, Leg, LogEntry, LogPage, LogQuery, LogView, MessageRequest, PeerView,
    ProposalRequest, RaftView, Readiness, RecordsStatus, RootView, SignalCounters, SignalState, SignalView,
    Status, SubjectAction, SubjectExport, SubjectQuestion, Submission, TraceRequest, VoteRequest,
};
use hansa_api::{Problem, Service};
use hansa_audit_log::fork::{Finding, Fork, ForkError};
use hansa_audit_log::merkle::leaf_hash;
use hansa_consensus::ReadError;
use hansa_consensus::backup::BackupError;
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Epoch};
use hansa_types::payment::PaymentKey;
use hansa_types::record::Record;
use hansa_types::uetr::Uetr;

use crate::answers;
use crate::audit;
use crate::book::{OwnSignal, OwnState, ReceivedSignal};
use crate::casework;
use crate::cluster;
use crate::evidence::{self, ExportError};
use crate::flows::payment;
use crate::flows::retraction::{self, RetractError};
use crate::flows::witness;
use crate::frames::Frames;
use crate::governance;
use crate::journal::JournalError;
use crate::node::Node;
use crate::published;
use crate::screened;
use crate::terms::Term;

/// After how many seconds a caller may try again what consensus could not do.
pub(crate) const RETRY_SECONDS: u32 = 1;

/// The service over a running node.
pub(crate) struct NodeService(pub(crate) Arc<Node>);

#[async_trait]
impl Service for NodeService {
    async fn submit(&self, message: Vec<u8>) -> Result<Submission, Problem> {
        payment::submit(&self.0, &message, None).await
    }

    async fn submit_part(&self, message: Vec<u8>, places: Vec<usize>) -> Result<Submission, Problem> {
        payment::submit(&self.0, &message, Some(&places)).await
    }

    fn order_keys(&self, message: &[u8]) -> Result<Vec<Digest>, Problem> {
        payment::order_keys(message)
    }

    async fn report(&self, message: Vec<u8>, places: Option<Vec<usize>>) -> Result<String, Problem> {
        payment::report(&self.0, &message, places.as_deref()).await
    }

    async fn history(&self, uetr: Uetr, leg: Option<Leg>) -> Result<Vec<LogEntry>, Problem> {
        let published = self.published()?;
        let mut entries = Vec::new();
        for (index, leaf, record) in self.records(&uetr)? {
            if leg.as_ref().is_none_or(|leg| is_of_leg(&record, leg)) {
                entries.push(LogEntry::new(index, leaf, index < published, &record)?);
            }
        }
        if entries.is_empty() {
            return Err(Problem::not_found(format!("the log holds nothing on payment {uetr}")));
        }
        Ok(entries)
    }

    async fn transaction_audit(&self, request: AuditRequest) -> Result<TransactionAudit, Problem> {
        let key = self.one_leg(request.uetr, request.leg.as_ref())?;
        audit::transaction(&self.0, &key, request.zkp_proof)
    }

    async fn cases(&self, filter: CaseFilter) -> Result<CaseList, Problem> {
        casework::list(&self.0, &filter)
    }

    async fn open_case(&self, opening: CaseOpening) -> Result<CaseResult, Problem> {
        let key = self.one_leg(opening.uetr, opening.leg.as_ref())?;
        casework::open(&self.0, key, opening).await
    }

    async fn step_case(&self, number: u64, action: CaseAction) -> Result<CaseResult, Problem> {
        casework::step(self, number, action).await
    }

    async fn answer_case(&self, number: u64, answer: CaseAnswer) -> Result<CaseResult, Problem> {
        casework::answer(self, number, answer).await
    }

    async fn review_case(&self, number: u64, reviewing: CaseReviewing) -> Result<CaseResult, Problem> {
        casework::review(&self.0, number, reviewing).await
    }

    async fn read_case(&self, number: u64, reading: CaseReading) -> Result<CaseView, Problem> {
        casework::read(&self.0, number, reading).await.map(CaseView::from)
    }

    async fn draft_case(&self, number: u64, reading: CaseReading) -> Result<String, Problem> {
        casework::draft(&self.0, number, reading).await
    }

    async fn alerts(&self) -> Result<Vec<AlertView>, Problem> {
        let mut alerts: Vec<AlertView> =
            self.0.book().alerts.values().cloned().map(AlertView::from).collect();
        alerts.sort_by_key(|alert| alert.at);
        Ok(alerts)
    }

    async fn signals(&self) -> Result<Vec<SignalView>, Problem> {
        let book = self.0.book();
        let own = book.own.values().map(|own| self.own_view(own));
        let received = book.received.iter().map(|(id, received)| {
            let alerts = book.alerts.values().filter(|alert| alert.signal == *id);
            let mut view = self.received_view(*id, received);
            view.matches = alerts.clone().count() as u64;
            view.case = alerts.filter_map(|alert| alert.case).next();
            view
        });
        let mut signals: Vec<SignalView> = own.chain(received).collect();
        signals.sort_by_key(|signal| signal.at);
        Ok(signals)
    }

    async fn retract(&self, signal: Digest, actor: Actor) -> Result<SignalView, Problem> {
        match retraction::send(&self.0, signal, &actor).await {
            Ok(own) => Ok(self.own_view(&own)),
            Err(error @ RetractError::Unknown(_)) => Err(Problem::not_found(error.to_string())),
            Err(RetractError::Journal(error)) => Err(journal_problem(error)),
            Err(error) => Err(Problem::conflict(error.to_string())),
        }
    }

    async fn evidence(&self, request: EvidenceRequest) -> Result<Vec<u8>, Problem> {
        let key = self.one_leg(request.uetr, request.leg.as_ref())?;
        match evidence::export(&self.0, &key).await {
            Ok(evidence) => Ok(evidence.to_file()),
            Err(error @ ExportError::NoPayment(_)) => Err(Problem::not_found(error.to_string())),
            Err(ExportError::Journal(error)) => Err(journal_problem(error)),
            Err(error @ ExportError::Checkpoint(_)) => {
                Err(Problem::unavailable(error.to_string(), RETRY_SECONDS))
            }
            Err(error) => Err(Problem::internal(error.to_string())),
        }
    }

    async fn catch_up(&self) -> bool {
        self.0.catch_up().await
    }

    async fn governance(&self) -> Result<GovernanceView, Problem> {
        governance::view(&self.0)
    }

    async fn propose(&self, request: ProposalRequest) -> Result<ChangesView, Problem> {
        governance::propose(&self.0, request).await
    }

    async fn proposal(&self, digest: Digest) -> Result<ChangesView, Problem> {
        governance::show(&self.0, digest)
    }

    async fn vote(&self, request: VoteRequest) -> Result<ChangesView, Problem> {
        governance::vote(&self.0, request).await
    }

    async fn take_in(&self, request: MessageRequest) -> Result<GovernanceView, Problem> {
        governance::submit(&self.0, request).await
    }

    async fn ballot_paper(&self, digest: Digest, round: u16) -> Result<Vec<u8>, Problem> {
        governance::paper(&self.0, digest, round)
    }

    async fn draft_paper(&self, request: ProposalRequest) -> Result<Vec<u8>, Problem> {
        governance::draft_paper(&self.0, request)
    }

    async fn amendments(&self) -> Result<Vec<u8>, Problem> {
        Ok(governance::chain(&self.0))
    }

    async fn cluster(&self) -> Result<ClusterView, Problem> {
        cluster::view(&self.0).await
    }

    async fn administer(&self, request: ClusterRequest) -> Result<ClusterResult, Problem> {
        cluster::administer(&self.0, request).await
    }

    async fn find(&self, query: LogQuery) -> Result<LogPage, Problem> {
        answers::find(&self.0, &query)
    }

    async fn hold(&self, action: SubjectAction, held: bool) -> Result<HoldView, Problem> {
        answers::hold(&self.0, action, held).await
    }

    async fn erase(&self, action: SubjectAction) -> Result<ErasureView, Problem> {
        answers::erase(&self.0, action).await
    }

    async fn export_subject(&self, question: SubjectQuestion) -> Result<SubjectExport, Problem> {
        answers::export(&self.0, &question)
    }

    async fn expire(&self, request: ExpiryRequest) -> Result<ExpiryView, Problem> {
        answers::expire(&self.0, request).await
    }

    async fn scrub(&self) -> Result<RecordsStatus, Problem> {
        answers::scrub(&self.0).await
    }

    async fn forks(&self) -> Result<Vec<ForkView>, Problem> {
        let kept = witness::kept(&self.0).map_err(journal_problem)?;
        let view = |kept: witness::KeptFork| {
            let wrong = |error: ForkError| Problem::internal(error.to_string());
            let fork = Fork::from_file(&kept.file).map_err(wrong)?;
            let manifest = self.0.manifest();
            let member = manifest.members.get(&kept.bank);
            let member = member.ok_or_else(|| Problem::internal(format!("{} is no member", kept.bank)))?;
            let origin = self.0.manifest().log_origin(&kept.bank);
            let (proved, sizes) = match fork.verify(&member.log_key, &origin).map_err(wrong)? {
                Finding::Proof { size, .. } => (true, [size; 2]),
                Finding::Suspicion { sizes } => (false, sizes),
            };
            Ok(ForkView::new(kept.bank, proved, sizes, kept.at, fork.id(), &kept.file))
        };
        kept.into_iter().map(view).collect()
    }

    async fn log_checkpoint(&self) -> Result<String, Problem> {
        Ok(published::checkpoint(&self.0)?.0.to_string())
    }

    async fn log_proof(&self, index: u64) -> Result<String, Problem> {
        published::proof(&self.0, index).map(|proof| proof.to_string())
    }

    async fn log_tile(&self, path: String) -> Result<Vec<u8>, Problem> {
        published::tile(&self.0, &path).await
    }

    async fn disclose_decisions(&self, bundle: u64) -> Result<Vec<u8>, Problem> {
        published::decisions(&self.0, bundle).await
    }

    async fn backups(&self) -> Result<BackupList, Problem> {
        self.0.backups.list().map_err(|error| Problem::internal(error.to_string()))
    }

    async fn back_up(&self) -> Result<BackupList, Problem> {
        self.0.backups.ask().map_err(|error| match error {
            BackupError::Config(_) => Problem::conflict(error.to_string()),
            error => Problem::internal(error.to_string()),
        })
    }

    async fn disclose_trace(&self, request: TraceRequest) -> Result<Vec<u8>, Problem> {
        answers::disclose_trace(&self.0, request).await
    }

    async fn root_at(&self, size: u64) -> Result<RootView, Problem> {
        let consensus = self.0.journal.consensus();
        let root = consensus.root_at(size).map_err(|error| match error {
            ReadError::BeyondLog { .. } => Problem::not_found(error.to_string()),
            error => Problem::internal(error.to_string()),
        })?;
        Ok(RootView { size, root: Digest(root), log_size: consensus.size() })
    }

    async fn status(&self) -> Result<Status, Problem> {
        let node = &self.0;
        let peers = self.peers().await;
        let raft = node.journal.consensus().status();
        let head = node.journal.consensus().head();
        let epoch = self.epoch();
        let active = |gateway| {
            let manifest = node.manifest();
            let active = manifest.active_members(gateway, epoch.unwrap_or(Epoch(0)));
            active.map_or(0, Iterator::count) as u64
        };
        let active = node.gateway.map_or(0, active);
        Ok(Status {
            bank: node.bank.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            consortium: ConsortiumView {
                name: node.manifest().name.clone(),
                id: node.context().consortium(),
                development: node.manifest().development,
            },
            epoch,
            anonymity: Anonymity::among(active),
            peers,
            raft: RaftView {
                replica: raft.replica,
                replicas: node.journal.consensus().voters(),
                leads: node.leads(),
                quorum: raft.quorum,
                leader: raft.leader,
                term: raft.term,
                applied: raft.applied,
            },
            log: LogView { size: head.size, root: Digest(head.root), checkpoint_size: self.published()? },
            counters: self.counters()?,
            stages: node.metrics.stages(),
        })
    }

    async fn readiness(&self) -> Readiness {
        let node = &self.0;
        let check = |name: &str, ok, detail: String| Check { name: name.to_owned(), ok, detail };
        let raft = node.journal.consensus().status();
        let consensus = node.journal.consensus();
        let quorum = consensus.is_ready();
        let epoch = self.epoch();
        let mut checks = vec![
            check(
                "quorum",
                quorum || (raft.stopped.is_none() && node.payments.journals()),
                raft.stopped.unwrap_or_else(|| match (quorum, raft.leader) {
                    (true, Some(leader)) => format!("replica {leader} leads"),
                    _ => "no leader with a quorum: see `hansa cluster status`".to_owned(),
                }),
            ),
            check(
                "drained",
                !consensus.is_draining(),
                "`hansa cluster undrain` ends what `hansa cluster drain` began".to_owned(),
            ),
            check(
                "epoch",
                epoch.is_some(),
                epoch.map_or("epoch 0 has not begun".into(), |e| format!("epoch {e}")),
            ),
        ];
        checks.extend(screened::checks(node));
        checks.extend(node.frames.as_ref().map(Frames::check));
        Readiness::of(checks)
    }
}

impl NodeService {
    fn epoch(&self) -> Option<Epoch> {
        self.0.manifest().epochs.at(self.0.now())
    }

    fn published(&self) -> Result<u64, Problem> {
        let consensus = self.0.journal.consensus();
        let problem = |error: hansa_consensus::StoreError| journal_problem(error.into());
        if self.0.manifest().witnesses.quorum == 0 {
            return Ok(consensus.last_checkpoint().map_err(problem)?.map_or(0, |head| head.size));
        }
        let published = consensus.witnessed(self.0.journal.origin()).map_err(problem)?;
        Ok(published.map_or(0, |published| published.seen.size))
    }

    /// The records under a UETR, with index and leaf hash.
    fn records(&self, uetr: &Uetr) -> Result<Vec<(u64, Digest, Record)>, Problem> {
        let journal = &self.0.journal;
        let mut records = Vec::new();
        for index in journal.find(Term::Uetr(uetr)).map_err(journal_problem)? {
            match journal.read(index) {
                Ok(Some((envelope, record))) => {
                    records.push((index, Digest(leaf_hash(envelope.as_bytes())), record));
                }
                Ok(None) | Err(JournalError::Erased(_)) => {}
                Err(error) => return Err(journal_problem(error)),
            }
        }
        Ok(records)
    }

    /// The one payment that `uetr` means, on the leg named if one is.
    pub(crate) fn one_leg(&self, uetr: Uetr, leg: Option<&Leg>) -> Result<PaymentKey, Problem> {
        let decided = self.records(&uetr)?.into_iter().filter_map(|(_, _, record)| match record {
            Record::Decision(record) => Some(record.decision.key),
            _ => None,
        });
        let keys: Vec<PaymentKey> = decided.filter(|key| leg.is_none_or(|leg| leg.contains(key))).collect();
        match keys.as_slice() {
            [key] => Ok(key.clone()),
            [] => Err(Problem::not_found(format!("the log holds no decision on payment {uetr}"))),
            keys => Err(Problem::conflict(format!("payment {uetr} went over {} legs here", keys.len()))
                .with_hint("name the leg by its instructing and instructed agents")),
        }
    }

    pub(crate) fn own_view(&self, own: &OwnSignal) -> SignalView {
        let state = match own.state {
            OwnState::Retracted => SignalState::Retracted,
            OwnState::Sent if self.epoch().is_some_and(|epoch| epoch > own.body.expires) => {
                SignalState::Expired
            }
            OwnState::Sent => SignalState::Published,
            OwnState::Pending => SignalState::Pending,
            OwnState::Expired => SignalState::Expired,
        };
        let view = SignalView::new(Some(own.id), &own.body, Direction::Sent, state, own.at);
        SignalView { case: Some(own.case), ..view }
    }

    fn received_view(&self, id: Digest, received: &ReceivedSignal) -> SignalView {
        let body = &received.signal.body;
        let state = match received {
            ReceivedSignal { void: true, .. } => SignalState::Void,
            ReceivedSignal { retracted: true, .. } => SignalState::Retracted,
            _ if self.epoch().is_some_and(|epoch| epoch > body.expires) => SignalState::Expired,
            _ => SignalState::Verified,
        };
        SignalView::new(Some(id), body, Direction::Received, state, received.at)
    }

    async fn peers(&self) -> Vec<PeerView> {
        let statuses = self.0.network.peers().await.unwrap_or_default();
        let view = |status: hansa_p2p::PeerStatus| {
            let bank = self.0.bank_of(&status.peer)?;
            let address = status.address.map(|address| address.to_string());
            Some(PeerView {
                bank: bank.clone(),
                peer_id: status.peer.to_string(),
                connected: status.connected,
                address,
            })
        };
        statuses.into_iter().filter_map(view).collect()
    }

    fn counters(&self) -> Result<Counters, Problem> {
        let payments = self.0.past().counters.clone();
        let book = self.0.book();
        let sent =
            book.own.values().filter(|own| matches!(own.state, OwnState::Sent | OwnState::Retracted)).count()
                as u64;
        let retracted_own = book.own.values().filter(|own| own.state == OwnState::Retracted).count();
        let retracted = book.received.values().filter(|received| received.retracted).count() + retracted_own;
        let matched: std::collections::BTreeSet<_> = book.alerts.values().map(|alert| alert.signal).collect();
        Ok(Counters {
            payments,
            cases: book.cases.by_state(),
            signals: SignalCounters {
                sent,
                verified: book.received.len() as u64,
                matched: matched.len() as u64,
                retracted: retracted as u64,
            },
        })
    }
}

fn is_of_leg(record: &Record, leg: &Leg) -> bool {
    match record {
        Record::Decision(record) => leg.contains(&record.decision.key),
        Record::Refusal(refusal) => leg.contains(&refusal.key),
        Record::Case(case) => case.decisions.iter().any(|decision| leg.contains(&decision.key)),
        _ => false,
    }
}

/// What went wrong with the log, as a caller is told.
pub(crate) fn journal_problem(error: JournalError) -> Problem {
    match error {
        error @ (JournalError::Propose(_)
        | JournalError::Provisional(_)
        | JournalError::Behind
        | JournalError::Contended) => Problem::unavailable(error.to_string(), RETRY_SECONDS),
        JournalError::Seal(error) => Problem::malformed(error.to_string()),
        error @ JournalError::Erased(_) => Problem::conflict(error.to_string()),
        error @ JournalError::KeysChanging => Problem::unavailable(error.to_string(), RETRY_SECONDS),
        error => {
            tracing::error!(%error, "the log cannot be used");
            Problem::internal(error.to_string())
        }
    }
}
