//! One value of each kind, the same in every run.

mod frames;
mod screening;

use std::collections::BTreeMap;

use hansa_types::case::{
    Alert, AlertState, Case, CaseAct, CaseDecision, CaseProposal, CaseReview, CaseState, CaseStep, Deadline,
    Duty, Suspect,
};
use hansa_types::decision::{Decision, Disposition, Finding, Reason, Verdict};
use hansa_types::governance::{Action, Difference};
use hansa_types::habits::Habits;
use hansa_types::hash::{Digest, Field};
use hansa_types::id::{Actor, Epoch, GatewayId, Timestamp};
use hansa_types::model::{Factors, Score};
use hansa_types::money::Money;
use hansa_types::payment::{Account, Agent, Payment, PaymentKey};
use hansa_types::record::{DecisionRecord, Record, RecordClass};
use hansa_types::signal::{Category, Severity, SignalBody};
use hansa_types::subject::{Subject, SubjectKind};
use hansa_types::uetr::Uetr;

pub(super) use self::frames::*;
pub(super) use self::screening::*;
use crate::model::*;

pub(super) const NOW: Timestamp = Timestamp(1_767_225_600);

pub(super) fn uetr() -> Uetr {
    "174c245f-2682-4291-ad67-2a41e530cd27".parse().unwrap()
}

pub(super) fn payment() -> Payment {
    let name = |name: &str| Some(name.to_owned());
    let mut payment = Payment {
        message_type: "pacs.008.001.08".to_owned(),
        message_id: "MSG-1".to_owned(),
        uetr: Some(uetr()),
        settlement_amount: Some(Money::parse("999999999999999999", "EUR").unwrap()),
        creditor_account: Some(account()),
        instructing_agent: agent("BKAADEFF"),
        instructed_agent: agent("BKBBFRPP"),
        ..Payment::default()
    };
    payment.debtor.name = name("Ada");
    payment.creditor.name = name("Mallory");
    payment
}

fn agent(bic: &str) -> Option<Agent> {
    Some(Agent { bic: Some(bic.try_into().unwrap()), ..Agent::default() })
}

fn account() -> Account {
    Account::from_iban_text("DE89370400440532013000")
}

pub(super) fn key() -> PaymentKey {
    payment().key()
}

pub(super) fn leg() -> Leg {
    match key() {
        PaymentKey::Uetr { instructing, instructed, .. } => Leg { instructing, instructed },
        PaymentKey::Reference { .. } => panic!("the sample has a UETR"),
    }
}

pub(super) fn decision() -> Decision {
    Decision {
        key: key(),
        content: payment().content_hash(),
        verdict: Verdict::Investigate,
        disposition: Some(Disposition::Hold),
        reasons: vec![Reason::ConsortiumSignal, Reason::Score],
        outward_code: Some("NARR".to_owned()),
        score: Score(420),
        factors: Factors::default(),
        model_version: 3,
        model: Digest([3; 32]),
        rules: Digest([8; 32]),
        lists: Vec::new(),
        signals: vec![Digest([5; 32])],
        exceptions: Vec::new(),
        frame: None,
        findings: vec![Finding {
            reason: Some(Reason::Score),
            listed: None,
            text: "score 420 of 400".to_owned(),
        }],
        decided_at: NOW,
    }
}

/// Stands for the decision's own digest, so that the vectors do not change with its encoding.
const DECISION: Digest = Digest([9; 32]);

pub(super) fn answer() -> PaymentAnswer {
    let answer = PaymentAnswer::of(&decision(), 41, false);
    let internal = answer.internal.map(|internal| InternalAnswer { decision: DECISION, ..internal });
    PaymentAnswer { internal, ..answer }
}

pub(super) fn decided() -> Submission {
    Submission { message_type: "pacs.008.001.08".to_owned(), payments: vec![answer()], shadow: false }
}

pub(super) fn log_entry() -> LogEntry {
    let record = Record::Decision(DecisionRecord {
        decision: decision(),
        payment: payment(),
        habits: Habits::default(),
    });
    LogEntry::new(41, Digest([7; 32]), true, &record).unwrap()
}

pub(super) fn actor() -> Actor {
    "olga@bank-a".parse().unwrap()
}

pub(super) fn opening() -> CaseOpening {
    CaseOpening {
        uetr: uetr(),
        leg: Some(leg()),
        suspect: Suspect::Creditor,
        actor: actor(),
        note: "customer called".to_owned(),
    }
}

pub(super) fn case() -> Case {
    let step =
        |act, state, at, note: &str| CaseStep { act, state, actor: actor(), at, note: note.to_owned() };
    let deadline = |rule: &str, duty, met| Deadline {
        rule: rule.to_owned(),
        duty,
        due: Timestamp(NOW.0 + 86_400),
        met,
        overdue: None,
    };
    let later = Timestamp(NOW.0 + 60);
    Case {
        number: 1,
        subject: Some(Subject::Account(account())),
        decisions: vec![CaseDecision { key: key(), id: DECISION, verdict: Verdict::Block, at: NOW }],
        signals: vec![Digest([6; 32])],
        verdict: Verdict::Block,
        reasons: vec![Reason::ListedIdentifier, Reason::Score],
        lists: vec!["ofac-sdn".to_owned()],
        conduct: true,
        deadlines: vec![
            deadline("ofac-blocked", Duty::Report, None),
            deadline("sct-held", Duty::Decide, Some(later)),
        ],
        proposal: Some(CaseProposal { state: CaseState::Reported, signal: None, actor: actor(), at: later }),
        review: None,
        steps: vec![
            step(CaseAct::Open, CaseState::Open, NOW, "customer called"),
            step(CaseAct::Assign, CaseState::Assigned, NOW, ""),
            step(CaseAct::Decide, CaseState::Confirmed, later, "fraud"),
            step(CaseAct::Propose, CaseState::Confirmed, later, "reported on paper"),
        ],
    }
}

pub(super) fn case_list() -> CaseList {
    CaseList { cases: vec![case_summary()], next: Some(41) }
}

pub(super) fn case_summary() -> CaseSummary {
    CaseSummary { review: Some(CaseReview::Waiting), ..CaseSummary::new(&case(), true) }
}

pub(super) fn case_action() -> CaseAction {
    CaseAction {
        state: CaseState::Confirmed,
        actor: actor(),
        note: "fraud".to_owned(),
        signal: Some(Category::MuleAccount),
        grounds: "forwarded within the hour".to_owned(),
    }
}

pub(super) fn case_answer() -> CaseAnswer {
    CaseAnswer { approve: true, actor: actor(), note: "agreed".to_owned() }
}

pub(super) fn case_reviewing() -> CaseReviewing {
    CaseReviewing { passed: false, actor: actor(), note: "another birth date".to_owned() }
}

pub(super) fn fork() -> ForkView {
    ForkView::new("bank-b".parse().unwrap(), true, [7, 7], NOW, Digest([7; 32]), b"HANSAFRK")
}

pub(super) fn signal() -> SignalView {
    let body = SignalBody {
        consortium: Digest([1; 32]),
        circuit: 1,
        gateway: GatewayId(1),
        epoch: Epoch(12),
        expires: Epoch(14),
        severity: Severity::Medium,
        subject: SubjectKind::Account,
        category: Category::MuleAccount,
        tag: Field([2; 32]),
        decision_commitment: Field([3; 32]),
        retraction_lock: Digest([4; 32]),
        reply_key: [5; 32],
    };
    let view = SignalView::new(Some(Digest([6; 32])), &body, Direction::Sent, SignalState::Published, NOW);
    SignalView { case: Some(1), ..view }
}

pub(super) fn alert() -> AlertView {
    AlertView::from(Alert {
        signal: Digest([6; 32]),
        subject: Subject::Account(account()),
        held_here: true,
        severity: Severity::Medium,
        category: Category::MuleAccount,
        expires: Epoch(14),
        state: AlertState::Open,
        case: Some(2),
        at: NOW,
    })
}

pub(super) fn case_result() -> CaseResult {
    CaseResult {
        case: case().into(),
        signal: Some(signal()),
        note: Some("signal 1 of 4 in this epoch".to_owned()),
    }
}

pub(super) fn status() -> Status {
    Status {
        bank: "bank-a".parse().unwrap(),
        version: "0.1.0".to_owned(),
        consortium: ConsortiumView { name: "demo".to_owned(), id: Digest([1; 32]), development: true },
        epoch: Some(Epoch(12)),
        anonymity: Anonymity::among(3),
        peers: vec![PeerView {
            bank: "bank-b".parse().unwrap(),
            peer_id: "12D3KooWtest".to_owned(),
            connected: true,
            address: Some("/ip4/127.0.0.1/udp/7501/quic-v1".to_owned()),
        }],
        raft: RaftView {
            replica: 1,
            replicas: vec![1, 2, 3],
            leads: true,
            quorum: true,
            leader: Some(1),
            term: 2,
            applied: Some(99),
        },
        log: LogView { size: 42, root: Digest([8; 32]), checkpoint_size: 40 },
        counters: Counters {
            payments: PaymentCounters {
                verdicts: BTreeMap::from([(Verdict::Clear, 30), (Verdict::Investigate, 2)]),
                duplicates: 1,
            },
            cases: BTreeMap::from([(CaseState::Confirmed, 1)]),
            signals: SignalCounters { sent: 1, verified: 2, matched: 1, retracted: 1 },
        },
        stages: BTreeMap::from([(
            "screen".to_owned(),
            StageTimes { count: 32, p50_us: 900, p99_us: 2_100, max_us: 2_500 },
        )]),
    }
}

pub(super) fn readiness(ready: bool) -> Readiness {
    let check = |name: &str, ok, detail: &str| Check { name: name.to_owned(), ok, detail: detail.to_owned() };
    Readiness::of(vec![
        check("quorum", true, "1 of 1 replicas"),
        check("lists", ready, "ofac-sdn of 2024-05-03"),
    ])
}

/// A group one of whose replicas is gone.
pub(super) fn cluster() -> ClusterView {
    let replica = |id: u64, jurisdiction: &str| ReplicaView {
        id,
        address: format!("10.0.{id}.1:4500"),
        zone: format!("zone-{id}"),
        jurisdiction: Some(jurisdiction.try_into().unwrap()),
        voter: true,
        state: None,
        unreachable: None,
        behind: None,
    };
    let state = ReplicaState {
        version: "0.1.0".to_owned(),
        applied: Some(99),
        log_size: 100,
        newest_level: 1,
        draining: false,
    };
    let there = ReplicaView { state: Some(state), behind: Some(0), ..replica(1, "DE") };
    let gone = ReplicaView { unreachable: Some("no answer within 2s".to_owned()), ..replica(2, "FR") };
    ClusterView { replica: 1, leader: Some(1), term: 2, quorum: true, level: 1, replicas: vec![there, gone] }
}

pub(super) fn joining() -> ClusterRequest {
    ClusterRequest {
        actor: actor(),
        action: ClusterAction::Join {
            replica: 4,
            address: "10.0.4.1:4500".to_owned(),
            zone: "zone-4".to_owned(),
            jurisdiction: Some("NL".try_into().unwrap()),
        },
    }
}

/// An erased entry, as it is found.
pub(super) fn found() -> FoundEntry {
    FoundEntry {
        index: 41,
        class: RecordClass::Decision,
        leaf: Digest([5; 32]),
        published: true,
        erased: true,
        record: None,
    }
}

/// A request about a subject.
pub(super) fn subject_action() -> SubjectAction {
    let account = Account::from_iban_text("DE89370400440532013000");
    SubjectAction { subject: Subject::Account(account), reason: "request 17".to_owned(), actor: actor() }
}

/// Four members, one of them shut out, with a model proposed and one registered.
pub(super) fn governance() -> GovernanceView {
    let member = |n: u8| MemberView {
        bank: format!("bank-{n}").parse().unwrap(),
        institution: format!("Bank {n}"),
        revoked: n == 4,
        last_trace: Some(Epoch(30)),
    };
    let voters = vec!["bank-1".parse().unwrap()];
    let proposal = ProposalView {
        digest: Digest([1; 32]),
        summary: "register model 3".to_owned(),
        by: "bank-1".parse().unwrap(),
        activates: Epoch(8),
        wanted: 3,
        votes: vec![RoundView { round: 0, banks: voters.clone() }],
    };
    let amendment = AmendmentView {
        number: 1,
        digest: Digest([2; 32]),
        summary: "register model 2".to_owned(),
        activates: Epoch(6),
        votes: voters,
    };
    let root = MemberRoot { gateway: GatewayId(1), active: 3, root: Field([4; 32]) };
    GovernanceView {
        consortium: Digest([5; 32]),
        number: 1,
        head: Digest([6; 32]),
        epoch: Epoch(7),
        activates: Epoch(6),
        institutions: 4,
        quorum: 3,
        majority: 3,
        bound: 2,
        members: (1..=4).map(member).collect(),
        proposals: vec![proposal],
        amendments: vec![amendment],
        equivocated: vec![],
        member_roots: vec![root],
        registry_root: Field([9; 32]),
    }
}

pub(super) fn changes() -> ChangesView {
    let change = Difference {
        what: "tag threshold".to_owned(),
        before: Some("1".to_owned()),
        after: Some("3".to_owned()),
    };
    ChangesView {
        digest: Digest([1; 32]),
        summary: "remove bank-4".to_owned(),
        parent: Digest([6; 32]),
        number: 2,
        activates: Epoch(8),
        changes: vec![change],
        remarks: vec![],
        decided: false,
    }
}

pub(super) fn proposal_request() -> ProposalRequest {
    ProposalRequest { action: Action::RetireModel(3), activates: Some(Epoch(8)), actor: Some(actor()) }
}

pub(super) fn vote_request() -> VoteRequest {
    VoteRequest { proposal: Digest([1; 32]), approve: false, round: 2, actor: actor() }
}

pub(super) fn backups() -> BackupList {
    let made = BackupView {
        file: "hansa-bank_a-41-1767225600.backup.age".to_owned(),
        log_size: 41,
        taken: NOW,
        bytes: 4096,
        sha256: Digest([8; 32]),
    };
    let last = BackupAttempt { at: NOW, micros: 1500, made: Some(made.clone()), error: None };
    BackupList { running: false, attempts: 1, last: Some(last), overdue: false, backups: vec![made] }
}
