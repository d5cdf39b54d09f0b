//! The records of the node itself and of what is kept, frozen: a change here is another version of the record.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

use hansa_types::codec::{Decode, Encode};
use hansa_types::exception::Exception;
use hansa_types::governance::{Choice, Message, SignedVote, Vote};
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::payment::Account;
use hansa_types::record::{
    CheckpointRecord, ConfigurationRecord, ConfigurationSection, ErasureRecord, ExceptionRecord,
    GovernanceMessageRecord, GovernanceRecord, HoldRecord, LoginRecord, Record, RecordClass, Withdrawal,
};
use hansa_types::sign::Signature;
use hansa_types::subject::Subject;

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
    assert_eq!(numbers, (1..=17).collect::<Vec<u8>>());
}
