//! The records of the node itself and of what is kept, frozen: a change here is another version of the record.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

use hansa_types::case::{
    Case, CaseAct, CaseDecision, CaseProposal, CaseReview, CaseState, CaseStep, Deadline, Duty,
    MAX_CASE_DECISIONS, MAX_CASE_SIGNALS, MAX_CASE_STEPS,
};
use hansa_types::codec::{Decode, Encode};
use hansa_types::decision::{Reason, Verdict};
use hansa_types::exception::Exception;
use hansa_types::frame::{FRAME_BYTES, FrameBlock};
use hansa_types::governance::{Choice, Message, SignedVote, Vote};
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::payment::{Account, Payment};
use hansa_types::record::{
    CaseReadRecord, CheckpointRecord, ConfigurationRecord, ConfigurationSection, ErasureRecord,
    ExceptionRecord, GovernanceMessageRecord, GovernanceRecord, HoldRecord, LoginRecord, Record, RecordClass,
    Withdrawal,
};
use hansa_types::sign::Signature;
use hansa_types::signal::Category;
use hansa_types::subject::Subject;
use hansa_types::uetr::Uetr;

/// A case in which everything is set that can be.
fn case() -> Case {
    let (id, at) = (Digest([3; 32]), Timestamp(1_767_225_600));
    let officer = |name: &str| name.parse().unwrap();
    let key = Payment { message_id: "M1".into(), ..Payment::default() }.key();
    let step = |act, state, actor, note: &str| CaseStep { act, state, actor, at, note: note.into() };
    let deadline =
        |rule: &str, duty, met| Deadline { rule: rule.into(), duty, due: at, met, overdue: Some(at) };
    Case {
        number: 7,
        subject: Some(Subject::Account(Account::from_iban_text("DE89370400440532013000"))),
        decisions: vec![CaseDecision { key, id, verdict: Verdict::Block, at }],
        signals: vec![id],
        verdict: Verdict::Block,
        reasons: vec![Reason::ListedIdentifier, Reason::ConsortiumSignal],
        lists: vec!["ofac-sdn".into()],
        conduct: true,
        deadlines: vec![
            deadline("ofac-blocked", Duty::Report, None),
            deadline("held", Duty::Decide, Some(at)),
        ],
        proposal: Some(CaseProposal {
            state: CaseState::Confirmed,
            signal: Some(Category::Scam),
            actor: officer("officer.a"),
            at,
        }),
        review: Some(CaseReview::Failed),
        steps: vec![
            step(CaseAct::Open, CaseState::Open, officer("policy.screening"), ""),
            step(CaseAct::Propose, CaseState::Open, officer("officer.a"), "seen"),
        ],
    }
}

fn records() -> Vec<Record> {
    let (digest, at) = (Digest([3; 32]), Timestamp(1_767_225_600));
    let actor = || "officer.a".parse().unwrap();
    let section =
        ConfigurationSection { name: "node".into(), digest, text: Some("bank = \"bank-a\"\n".into()) };
    let vote = Vote { parent: digest, number: 2, round: 1, choice: Choice::None };
    let vote =
        Message::Vote(SignedVote { bank: "bank-a".parse().unwrap(), vote, signature: Signature([7; 64]) });
    vec![
        Record::Governance(GovernanceRecord {
            consortium: digest,
            manifest: digest,
            previous: Some(digest),
            at,
        }),
        Record::Checkpoint(CheckpointRecord { size: 7, root: digest, note: "origin\n7\n".into(), at }),
        Record::Login(LoginRecord {
            token: "api".into(),
            from: "loopback".into(),
            accepted: false,
            calls: 3,
            since: Timestamp(1_767_225_000),
            at,
        }),
        Record::Configuration(ConfigurationRecord {
            replica: 1,
            digest,
            previous: None,
            changed: vec![section],
            at,
        }),
        Record::Erasure(ErasureRecord {
            subject: digest,
            records: 5,
            reason: "request 17".into(),
            actor: actor(),
            at,
        }),
        Record::Hold(HoldRecord { subject: digest, held: true, reason: "order".into(), actor: actor(), at }),
        Record::GovernanceMessage(GovernanceMessageRecord {
            id: digest,
            summary: "bank-a votes for nothing in round 1".into(),
            message: Some(vote),
            actor: Some(actor()),
            at,
        }),
        Record::Exception(ExceptionRecord { exception: exception(), withdrawn: None }),
        Record::Exception(ExceptionRecord {
            exception: Exception { since: Timestamp(1_767_000_000), ..exception() },
            withdrawn: Some(Withdrawal { actor: actor(), reason: "forged".into(), at }),
        }),
        Record::Case(case()),
        Record::CaseRead(CaseReadRecord { case: 7, subject: case().subject, actor: actor(), at }),
        Record::FrameBlock(FrameBlock {
            uetr: Uetr::from_random([7; 16]),
            frame: [9; FRAME_BYTES],
            key_id: 3,
            reason: "debtor-listed".into(),
            source: "192.0.2.9:4600".into(),
            at,
        }),
    ]
}

fn exception() -> Exception {
    Exception {
        subject: Subject::Account(Account::from_iban_text("DE89370400440532013000")),
        list: "ofac-sdn".into(),
        entry: "36".into(),
        content: Digest([3; 32]),
        actor: "officer.a".parse().unwrap(),
        reason: "born 1990; passport seen".into(),
        since: Timestamp(1_767_225_600),
        expires: Timestamp(1_798_761_600),
    }
}

/// Beyond their bounds they are refused, whoever wrote them.
#[test]
fn a_case_is_bounded() {
    let refused = |change: fn(&mut Case)| {
        let mut case = case();
        change(&mut case);
        Case::from_bytes(&case.to_bytes()).unwrap_err().to_string()
    };
    let many = |case: &mut Case| case.decisions = vec![case.decisions[0].clone(); MAX_CASE_DECISIONS + 1];
    assert!(refused(many).contains("decisions of a case"));
    let many = |case: &mut Case| case.signals = vec![Digest([1; 32]); MAX_CASE_SIGNALS + 1];
    assert!(refused(many).contains("signals of a case"));
    let many = |case: &mut Case| case.steps = vec![case.steps[0].clone(); MAX_CASE_STEPS + 1];
    assert!(refused(many).contains("steps of a case"));
}

#[test]
fn records_have_one_frozen_encoding() {
    let vector = include_str!("vectors/record.txt");
    let lines: String = records()
        .iter()
        .map(|record| format!("{} {}\n", record.class(), hex::encode(record.to_bytes())))
        .collect();
    assert_eq!(lines, vector, "the encoding differs from its vector; it is now:\n{lines}");
    for record in records() {
        assert_eq!(Record::from_bytes(&record.to_bytes()).unwrap(), record);
        assert_eq!(record.at(), Timestamp(1_767_225_600));
    }
}

#[test]
fn classes_keep_their_numbers() {
    let numbers: Vec<_> = RecordClass::ALL.iter().map(|class| class.number()).collect();
    assert_eq!(numbers, (1..=19).collect::<Vec<u8>>());
}
