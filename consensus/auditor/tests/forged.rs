//! Evidence by a bank that lies in its own log: what is true verifies, and each forgery is refused for what it is.
//!
//! Every forgery is logged, signed and sealed again, so that nothing but the lie itself is wrong with it.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

mod common;

use common::*;
use hansa_audit_log::cosignature;
use hansa_audit_log::evidence::{AttachmentKind, Evidence};
use hansa_audit_log::fork::Fork;
use hansa_auditor::fork::{NoFork, forked};
use hansa_auditor::report::Report;
use hansa_auditor::verify::verify;
use hansa_prover::opening::DecisionOpening;
use hansa_types::codec::Encode;
use hansa_types::hash::Digest;
use hansa_types::id::Epoch;
use hansa_types::model::{FACTORS, Factors, Model, Score};
use hansa_types::record::{DecisionRecord, Record, RecordClass};
use hansa_types::signal::{PROOF_LENGTH, Signal};
use hansa_types::subject::SubjectKind;

const NOT_OPENED: &str = "nothing opens its decision commitment";
const NOT_TAGGED: &str = "nothing shows that its tag is of an account of the payment";
const NO_INTENT: &str = "no intent of the log precedes it";
const STALE: &str = "came after the decision that rests on it, or had expired";
const SCORE: &str = "score or version is not what the registered model gives";

#[track_caller]
fn refused(bundle: &Bundle, why: &str) {
    let error = bundle.verify().expect_err(why).to_string();
    assert!(error.contains(why), "refused, but for another reason: {error}");
}

/// [`refused`], of a bundle with one change.
#[track_caller]
fn refused_after(mut bundle: Bundle, why: &str, change: impl FnOnce(&mut Bundle)) {
    change(&mut bundle);
    refused(&bundle, why);
}

/// What is shown beside who cosigned, which is the same for every bundle here.
fn shown(report: &Report) -> Vec<(&str, &str)> {
    let shown = report.statements.iter().map(|statement| (statement.about, statement.shown.as_str()));
    shown.filter(|(about, _)| *about != "witness").collect()
}

fn named(signal: &Signal) -> String {
    format!("{} (low, mule-account)", signal.id())
}

#[test]
fn an_honest_decision_verifies() {
    let report = Bundle::plain().verify().unwrap();
    assert_eq!(
        shown(&report),
        [
            ("log", "record 1 is in the log: decision INVESTIGATE on payment -/M1/T1"),
            ("decision", "score 128 follows from its factors and registered model 1"),
        ]
    );
    assert_eq!((report.bank.as_str(), report.log_size, report.development), (SENDER, 3, true));
    assert_eq!(report.consortium, world().manifest.id());
}

/// The bundle with the cosignature of `bank`, by `key`.
fn cosigned(bank: &str, key: &LogKey) -> Vec<u8> {
    let mut evidence = Evidence::from_file(&Bundle::plain().seal()).unwrap();
    let name = world().manifest.witness_name(&bank.parse().unwrap());
    let line = cosignature::sign(evidence.checkpoint.unverified_text(), 1, &name, key).unwrap();
    evidence.checkpoint.add(line).unwrap();
    Evidence::new(evidence.checkpoint, evidence.records, evidence.attachments).to_file()
}

#[test]
fn who_cosigned_is_said() {
    let witness = |file: &[u8]| {
        let report = verify(file, &world().manifest).unwrap();
        report.statements.into_iter().find(|statement| statement.about == "witness").unwrap().shown
    };
    assert!(witness(&Bundle::plain().seal()).contains("cosigned by nobody, 1 are needed"));
    let by_receiver = witness(&cosigned(RECEIVER, &LogKey::cosigner(RECEIVER)));
    assert!(by_receiver.starts_with("the checkpoint is published: cosigned by"), "{by_receiver}");
    let itself = witness(&cosigned(SENDER, &LogKey::cosigner(SENDER)));
    assert!(itself.contains("cosigned by nobody"), "a bank is no witness of its own log: {itself}");
    // Of a foreign key nothing is known, so it counts for nothing.
    let foreign = witness(&cosigned(RECEIVER, &LogKey::cosigner(SENDER)));
    assert!(foreign.contains("cosigned by nobody"), "{foreign}");
}

#[test]
fn two_checkpoints_of_one_size_prove_a_fork() {
    let manifest = &world().manifest;
    let note = |bundle: Bundle| Evidence::from_file(&bundle.seal()).unwrap().checkpoint;
    let mut other = Bundle::plain();
    other.class = Some(RecordClass::Case);
    let fork = Fork::new(note(Bundle::plain()), note(other));
    let report = forked(&fork.to_file(), manifest).unwrap();
    assert_eq!((report.bank.as_str(), report.size), (SENDER, 3));
    let sizes = Fork::new(note(Bundle::plain()), note(Bundle::honest_sender()));
    assert!(matches!(forked(&sizes.to_file(), manifest), Err(NoFork::Suspicion { sizes: [3, 5], .. })));
    let same = Fork::new(note(Bundle::plain()), note(Bundle::plain()));
    assert!(matches!(forked(&same.to_file(), manifest), Err(NoFork::File(_))));
}

#[test]
fn an_honest_sender_verifies() {
    let signal = honest_signal();
    let report = Bundle::honest_sender().verify().unwrap();
    let proof = format!("{} in record 3: the proof holds", named(&signal));
    let opens = format!("signal {} commits to the decision on -/M1/T1: score 128 >= 100", signal.id());
    let tag = format!("account {MULE} of the payment yields the tag of signal {}", signal.id());
    assert_eq!(
        shown(&report),
        [
            ("log", "record 1 is in the log: decision INVESTIGATE on payment -/M1/T1"),
            ("log", "record 2 is in the log: signal-intent"),
            ("log", "record 3 is in the log: signal-sent"),
            ("decision", "score 128 follows from its factors and registered model 1"),
            ("signal", proof.as_str()),
            ("opening", opens.as_str()),
            ("tag", tag.as_str()),
        ]
    );
    assert_eq!(report.bank.as_str(), SENDER);
}

#[test]
fn an_honest_receiver_verifies() {
    let signal = honest_signal();
    let proof = format!("{} in record 1: the proof holds", named(&signal));
    let tag = format!("account {MULE} of the payment (INVESTIGATE) yields the tag of signal {}", signal.id());
    for epoch in [EPOCH, EXPIRES] {
        let report = Bundle::receiver(within(epoch)).verify().unwrap();
        assert_eq!(
            shown(&report),
            [
                ("log", "record 1 is in the log: signal-received"),
                ("log", "record 2 is in the log: decision INVESTIGATE on payment -/M2/T1"),
                ("decision", "score 128 follows from its factors and registered model 1"),
                ("signal", proof.as_str()),
                ("tag", tag.as_str()),
            ]
        );
        assert_eq!(report.bank.as_str(), RECEIVER);
    }
}

#[test]
fn evidence_is_about_one_decision() {
    let none = "no decision is among the records";
    refused_after(Bundle::plain(), none, |bundle| bundle.records.clear());
    refused_after(Bundle::honest_sender(), none, |bundle| drop(bundle.records.remove(0)));
    let another = || Record::Decision(decide(payment("M9"), vec![], within(EPOCH)));
    for honest in [Bundle::plain(), Bundle::honest_sender(), Bundle::receiver(within(EPOCH))] {
        refused_after(honest, "several decisions are among the records", |bundle| {
            bundle.records.push(another());
        });
    }
}

#[test]
fn a_decision_is_on_the_payment_beside_it() {
    let other = "the decision is on another payment than the one beside it";
    let changes: [fn(&mut DecisionRecord); 4] = [
        |decided| decided.payment = payment("M9"),
        |decided| decided.payment.remittance.push("invoice 7".to_owned()),
        |decided| decided.decision.key = payment("M9").key(),
        |decided| decided.decision.content = payment("M9").content_hash(),
    ];
    for change in changes {
        for honest in [Bundle::plain(), Bundle::honest_sender(), Bundle::receiver(within(EPOCH))] {
            refused_after(honest, other, |bundle| change(bundle.decided()));
        }
    }
}

#[test]
fn a_score_follows_from_factors_and_model() {
    let changes: [fn(&mut DecisionRecord); 5] = [
        |decided| decided.decision.score = Score(0),
        |decided| decided.decision.score.0 += 1,
        |decided| decided.decision.factors.0[3] += 1,
        |decided| decided.decision.model_version = 2,
        |decided| decided.decision.model = world().manifest.models[1].model.digest(),
    ];
    for change in changes {
        refused_after(Bundle::plain(), SCORE, |bundle| change(bundle.decided()));
        refused_after(Bundle::receiver(within(EPOCH)), SCORE, |bundle| change(bundle.decided()));
    }
}

#[test]
fn an_unregistered_model_is_said_to_be_unchecked() {
    let mut bundle = Bundle::plain();
    let model = Model { version: 1, weights: [7; FACTORS] };
    bundle.decided().decision.model = model.digest();
    bundle.decided().decision.score = Score(-5);
    let report = bundle.verify().unwrap();
    assert_eq!(
        shown(&report)[1],
        ("decision", "record 1: its model is not registered, so its score (-5) is not checked")
    );

    refused_after(Bundle::honest_sender(), "its commitment opens to another decision", |bundle| {
        bundle.decided().decision.model = model.digest();
    });
}

#[test]
fn signals_are_checked_with_the_key_that_the_manifest_pins() {
    let another = another_verifying_key();
    for honest in [Bundle::honest_sender(), Bundle::receiver(within(EPOCH))] {
        let attach = |keys: Vec<Vec<u8>>| {
            move |bundle: &mut Bundle| bundle.attach(AttachmentKind::VerifyingKey, &keys)
        };
        refused_after(honest.clone(), "the verifying key that the signals are checked with", attach(vec![]));
        refused_after(honest.clone(), "the verifying key's hash is", attach(vec![another.clone()]));
        refused_after(honest, "the verifying key's hash is", attach(vec![b"key".to_vec()]));
    }
}

#[test]
fn a_signal_without_a_true_proof_is_refused() {
    // Of the same sender and epoch, true, about something else.
    let opening = DecisionOpening { subject: secret(ALICE), ..opening(&decided_by_sender()) };
    let elsewhere = signal(&opening, 1, SubjectKind::Account);
    for (honest, at) in [(Bundle::honest_sender(), 2), (Bundle::receiver(within(EPOCH)), 0)] {
        refused_after(honest.clone(), "its proof: not the canonical encoding", |bundle| {
            bundle.signal(at).proof = [0; PROOF_LENGTH];
        });
        refused_after(honest.clone(), "its proof does not hold for what it says", |bundle| {
            bundle.signal(at).proof = elsewhere.proof;
        });
        refused_after(honest, "its proof does not hold for what it says", |bundle| {
            bundle.signal(at).share = elsewhere.share;
        });
    }
}

#[test]
fn a_commitment_is_opened_to_the_decision_shown() {
    let decided = decided_by_sender();
    let honest = opening(&decided);
    let another = decide(payment("M9"), vec![], within(EPOCH)).decision.id();
    let others = [
        DecisionOpening { decision: another, ..honest.clone() },
        DecisionOpening { factors: Factors([5; FACTORS]), ..honest.clone() },
        DecisionOpening { model: world().manifest.models[1].model.clone(), ..honest.clone() },
    ];
    refused_after(Bundle::honest_sender(), NOT_OPENED, |bundle| {
        bundle.attach(AttachmentKind::DecisionOpening, &[]);
    });
    for other in &others {
        refused_after(Bundle::honest_sender(), NOT_OPENED, |bundle| {
            bundle.attach(AttachmentKind::DecisionOpening, &[other.to_bytes()]);
        });
    }
    let factors = "its commitment opens to other factors or another model";
    let why = ["its commitment opens to another decision", factors, factors];
    for ((other, why), counter) in others.iter().zip(why).zip(2..) {
        refused(&Bundle::sender(signal(other, counter, SubjectKind::Account), other), why);
    }
}

#[test]
fn a_signal_about_somebody_else_is_refused() {
    let alice = DecisionOpening { subject: secret(ALICE), ..opening(&decided_by_sender()) };
    let bundle = Bundle::sender(signal(&alice, 5, SubjectKind::Account), &alice);
    refused(&bundle, NOT_TAGGED);
    for transcripts in [vec![ALICE], vec![MULE, ALICE]] {
        refused_after(bundle.clone(), "a tag transcript is of no account of the payment", |bundle| {
            let transcripts: Vec<_> = transcripts.into_iter().map(|who| transcript(who).to_bytes()).collect();
            bundle.attach(AttachmentKind::TagTranscript, &transcripts);
        });
    }

    // Received about the mule, held against a payment that he has no part in.
    refused_after(Bundle::receiver(within(EPOCH)), "a tag transcript is of no account of the payment", |b| {
        let decided = b.decided();
        decided.payment.creditor_account = None;
        decided.decision.content = decided.payment.content_hash();
    });
}

#[test]
fn a_tag_is_shown_by_the_consortiums_key() {
    let (_, foreign) = transcript_under(&another_tag_key(), MULE);
    for honest in [Bundle::honest_sender(), Bundle::receiver(within(EPOCH))] {
        let attach = |transcripts: Vec<Vec<u8>>| {
            move |bundle: &mut Bundle| bundle.attach(AttachmentKind::TagTranscript, &transcripts)
        };
        refused_after(honest.clone(), NOT_TAGGED, attach(vec![]));
        refused_after(honest.clone(), NOT_TAGGED, attach(vec![transcript(BOB).to_bytes()]));
        let why = "the evaluation's proof does not hold for the manifest's tag key";
        refused_after(honest, why, attach(vec![foreign.to_bytes()]));
    }
}

#[test]
fn a_signal_sent_was_intended_before() {
    refused_after(Bundle::honest_sender(), NO_INTENT, |bundle| drop(bundle.records.remove(1)));
    refused_after(Bundle::honest_sender(), NO_INTENT, |bundle| bundle.records.swap(1, 2));
    let changes: [fn(&mut Record); 2] = [
        |record| {
            let Record::SignalIntent(intent) = record else { unreachable!("it is the second") };
            intent.decision = Digest([3; 32]);
        },
        |record| {
            let Record::SignalIntent(intent) = record else { unreachable!("it is the second") };
            intent.body.reply_key = [3; 32];
        },
    ];
    for change in changes {
        refused_after(Bundle::honest_sender(), NO_INTENT, |bundle| change(&mut bundle.records[1]));
    }
}

#[test]
fn a_decision_precedes_its_signal() {
    refused_after(Bundle::honest_sender(), NO_INTENT, |bundle| bundle.records.rotate_left(1));
    refused_after(Bundle::honest_sender(), NO_INTENT, |bundle| bundle.records.swap(0, 1));
}

#[test]
fn an_intent_about_another_decision_is_refused() {
    let mut unrelated = Bundle::honest_sender().records.remove(1);
    let Record::SignalIntent(intent) = &mut unrelated else { unreachable!("it is the second") };
    intent.decision = Digest([3; 32]);
    for (honest, at) in
        [(Bundle::plain(), 2), (Bundle::honest_sender(), 4), (Bundle::receiver(within(EPOCH)), 3)]
    {
        refused_after(honest, &format!("record {at} intends a signal about another decision"), |bundle| {
            bundle.records.push(unrelated.clone());
        });
    }
}

/// A signal that waits to be proved hides nothing: its intent is shown.
#[test]
fn an_intent_alone_verifies() {
    let mut bundle = Bundle::honest_sender();
    bundle.records.truncate(2);
    bundle.attachments.clear();
    let report = bundle.verify().unwrap();
    assert_eq!(shown(&report)[1], ("log", "record 2 is in the log: signal-intent"));
    assert!(shown(&report).iter().all(|(about, _)| ["log", "decision"].contains(about)));
}

/// The proof does not bind what kind of subject a signal says that it is about.
#[test]
fn a_tag_of_an_account_is_not_of_a_person() {
    let opening = opening(&decided_by_sender());
    let person = signal(&opening, 7, SubjectKind::Person);
    refused(&Bundle::sender(person.clone(), &opening), NOT_TAGGED);
    refused_after(Bundle::receiver(within(EPOCH)), NOT_TAGGED, |bundle| {
        bundle.decided().decision.signals = vec![person.id()];
        *bundle.signal(0) = person;
    });
}

#[test]
fn a_record_is_of_the_class_it_bears_in_the_clear() {
    refused_after(Bundle::plain(), "record 1 is of class decision, and was logged as operation", |bundle| {
        bundle.class = Some(RecordClass::Operation);
    });
}

#[test]
fn a_decision_rests_on_signals_received_before_it_that_counted() {
    let missing = "which no record of the bundle holds";
    let honest = || Bundle::receiver(within(EPOCH));
    refused_after(honest(), missing, |bundle| drop(bundle.records.remove(0)));
    refused_after(honest(), missing, |bundle| bundle.decided().decision.signals.push(Digest([3; 32])));
    refused_after(Bundle::plain(), missing, |bundle| {
        bundle.decided().decision.signals.push(honest_signal().id());
    });
    refused_after(honest(), STALE, |bundle| bundle.records.swap(0, 1));
    refused(&Bundle::receiver(within(Epoch(EXPIRES.0 + 1))), STALE);
}

#[test]
fn a_received_signal_that_the_decision_does_not_rest_on_is_refused() {
    let unrelated = "record 1 is a signal that the decision does not rest on";
    refused_after(Bundle::receiver(within(EPOCH)), unrelated, |bundle| {
        bundle.decided().decision.signals.clear();
    });
    // A second one beside the one that counts.
    let opening = DecisionOpening { subject: secret(BOB), ..opening(&decided_by_sender()) };
    let another = signal(&opening, 6, SubjectKind::Account);
    refused_after(Bundle::receiver(within(EPOCH)), unrelated, |bundle| {
        bundle.records.insert(0, received(another));
    });
}

#[test]
fn the_log_is_a_members_own() {
    let manifest = &world().manifest;
    let bundle = Bundle::honest_sender();
    let refused = |origin: &str, key: &str, why: &str| {
        let error = verify(&bundle.seal_as(origin, &LogKey::of(key)), manifest).expect_err(why).to_string();
        assert!(error.contains(why), "refused, but for another reason: {error}");
    };
    let own = manifest.log_origin(&SENDER.parse().unwrap());
    refused("hansa/forged/gamma", SENDER, "which is no member's");
    refused("hansa/other/alpha", SENDER, "which is no member's");
    refused(&own, RECEIVER, "no known key has signed the note");
    refused(&own, "stranger", "no known key has signed the note");
    assert!(verify(&bundle.seal_as(&own, &LogKey::of(SENDER)), manifest).is_ok());
}

#[test]
fn text_of_others_stays_on_its_line() {
    let lines = |message_id: &str| {
        let mut bundle = Bundle::plain();
        *bundle.decided() = decide(payment(message_id), vec![], within(EPOCH));
        bundle.verify().unwrap().to_string()
    };
    let harmless = lines("M1");
    let text = lines("M1\n  tag       all is well\r\u{1b}[2J\u{202e}\u{2028}\u{85}");
    assert_eq!(text.lines().count(), harmless.lines().count(), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !(c.is_control() || ('\u{200b}'..='\u{206f}').contains(&c))));
    let line = text.lines().find(|line| line.contains("payment -/M1")).unwrap();
    assert!(
        line.ends_with(r"M1\u{a}  tag       all is well\u{d}\u{1b}[2J\u{202e}\u{2028}\u{85}/T1"),
        "{line}"
    );
}
