//! Signals between running banks: what stops one, what outlives a crash, and what ends an alert.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::collections::BTreeSet;

use common::command::{run, says};
use common::message::{EXIT, HARMLESS, LISTED, MULE, OTHER, SUSPICIOUS, Transfer, VICTIM, to_b, to_c, uetr};
use common::{A, B, C, Group};
use hansa_api::ClientError;
use hansa_api::model::{CaseAction, CaseFilter, CaseResult, Direction, LogQuery, SignalState};
use hansa_node::events::Event;
use hansa_testnet::process::client;
use hansa_types::case::{AlertState, CaseState};
use hansa_types::decision::{Disposition, Reason, Verdict};
use hansa_types::hash::{Digest, Field};
use hansa_types::id::Timestamp;
use hansa_types::record::RecordClass;
use hansa_types::uetr::Uetr;

/// The next payment out of the account is held at `at` for `signal` alone.
#[track_caller]
fn held(group: &Group, at: usize, transfer: &Transfer, signal: Digest) {
    let answer = group.pay(at, transfer);
    let internal = answer.internal.unwrap();
    assert_eq!(answer.verdict, Some(Verdict::Investigate), "never more than that for a signal alone");
    assert_eq!(internal.disposition, Some(Disposition::Hold));
    assert_eq!((internal.reasons, internal.signals), (vec![Reason::ConsortiumSignal], vec![signal]));
}

#[track_caller]
fn passes(group: &Group, at: usize, transfer: &Transfer) {
    let answer = group.pay(at, transfer);
    assert_eq!(answer.verdict, Some(Verdict::Clear), "{answer:?}");
}

fn alert_states(group: &Group, at: usize, signal: Digest) -> Vec<AlertState> {
    let alerts = client(group.bank(at)).unwrap().alerts().unwrap();
    alerts.iter().filter(|alert| alert.signal == signal).map(|alert| alert.state).collect()
}

/// Takes a case a step further.
fn step(
    group: &Group,
    at: usize,
    case: u64,
    state: CaseState,
    note: &str,
    signal: bool,
) -> Result<CaseResult, ClientError> {
    let signal = signal.then(|| "mule-account".parse().unwrap());
    let (actor, note, grounds) = ("officer".parse().unwrap(), note.to_owned(), String::new());
    let action = CaseAction { state, actor, note, signal, grounds };
    client(group.bank(at)).unwrap().step_case(case, &action)
}

/// What the node said when it refused.
#[track_caller]
fn conflict<T: std::fmt::Debug>(result: Result<T, ClientError>) -> String {
    match result.unwrap_err() {
        ClientError::Refused(problem) if problem.status == 409 => problem.detail,
        other => panic!("{other}"),
    }
}

/// How many records of a class the evidence on a payment holds.
fn records(group: &Group, at: usize, payment: Uetr, class: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("payment.evidence").display().to_string();
    let _: serde_json::Value = group.hansa(at, &["audit", "export", &payment.to_string(), "--out", &file]);
    let manifest = group.consortium.manifest().display().to_string();
    let verified = run("hansa-audit", &["verify", &file, "--manifest", &manifest]);
    assert_eq!(verified.code, 0, "{verified:?}");
    verified.stdout.lines().filter(|line| line.ends_with(&format!("is in the log: {class}"))).count()
}

#[test]
fn a_cleared_case_closes_its_alert_and_payments_pass_again() {
    let mut group = Group::running(&[A, B]);
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    let case = group.alerted(B, signal).expect("the account is held here");
    held(&group, B, &to_c(2, "180.00", MULE), signal);
    passes(&group, B, &to_c(3, "180.00", OTHER));
    // Money for the account is looked at as well.
    held(&group, B, &to_b(4, HARMLESS, MULE), signal);

    let refused = conflict(step(&group, B, case, CaseState::Cleared, " ", false));
    assert!(refused.contains("say why"), "{refused}");
    held(&group, B, &to_c(5, "180.00", MULE), signal);

    let cleared = step(&group, B, case, CaseState::Cleared, "inherited the money", false).unwrap();
    assert_eq!(cleared.case.state, CaseState::Cleared);
    assert_eq!(alert_states(&group, B, signal), [AlertState::Cleared]);
    passes(&group, B, &to_c(6, "180.00", MULE));
    // What was decided stays decided.
    held(&group, B, &to_c(2, "180.00", MULE), signal);

    group.stop(B);
    group.start(&[B]);
    assert_eq!(alert_states(&group, B, signal), [AlertState::Cleared]);
    passes(&group, B, &to_c(7, "180.00", MULE));

    // Taken up again, it is as it was: the signal still counts.
    step(&group, B, case, CaseState::Assigned, "forged papers", false).unwrap();
    assert_eq!(alert_states(&group, B, signal), [AlertState::Open]);
    held(&group, B, &to_c(8, "180.00", MULE), signal);
    step(&group, B, case, CaseState::Cleared, "they were not", false).unwrap();
    assert_eq!(alert_states(&group, B, signal), [AlertState::Cleared]);
}

#[test]
fn what_others_said_is_not_said_again() {
    let mut group = Group::running(&[A, B]);
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    let case = group.alerted(B, signal).unwrap();
    // A payment that is held for the signal alone joins its case, and says no more than the signal did.
    let payment = Transfer { instructing: common::message::ALDER, ..to_b(2, HARMLESS, MULE) };
    held(&group, B, &payment, signal);
    let refused = conflict(step(&group, B, case, CaseState::Confirmed, "", true));
    assert!(refused.contains("what another bank signalled alone"), "{refused}");
    assert_eq!(group.open_case(B, uetr(2)), case, "an officer finds the case that there is");

    // With grounds of its own the bank still has to have a score to prove.
    let case = case.to_string();
    let grounds = ["--grounds", "the customer admitted it", "--actor", "officer"];
    let confirm = ["cases", "confirm", &case, "--signal", "mule-account"].into_iter().chain(grounds);
    let _: CaseResult = group.hansa(B, &confirm.collect::<Vec<_>>());
    let confirmed: CaseResult = group.hansa(B, &["cases", "approve", &case, "--actor", "second"]);
    assert_eq!(confirmed.case.state, CaseState::Confirmed, "the confirmation stands");
    assert!(confirmed.case.steps.iter().any(|step| step.note.contains("the customer admitted it")));
    assert!(confirmed.signal.is_none(), "{confirmed:?}");
    assert!(confirmed.note.unwrap().contains("score"));
    assert!(group.signals(B).iter().all(|signal| signal.direction == Direction::Received));
}

/// The cases of one bank whose signals cannot leave: nobody else runs.
#[test]
fn signals_that_must_not_be_sent_are_refused_with_a_note() {
    let mut group = Group::running(&[A]);

    // A list hit is between the bank and its authority.
    let hit = group.pay(A, &to_b(1, "2310.00", LISTED));
    let internal = hit.internal.unwrap();
    assert_eq!((hit.verdict, &*internal.reasons), (Some(Verdict::Investigate), &[Reason::ListedName][..]));
    assert!(internal.score.0 >= 100, "with the hit the score reaches a severity");
    let opened = |event: &Event| match event {
        Event::CaseTaken { case, opened: true } => Some(*case),
        _ => None,
    };
    let case = group.node(A).wait("a case", opened).unwrap();
    let refused = conflict(step(&group, A, case, CaseState::Confirmed, "", true));
    assert!(refused.contains("list hits") && refused.contains("--grounds"), "{refused}");

    // Other grounds do not make the score without the hit any higher.
    let number = case.to_string();
    let grounds = ["--grounds", "a mule by the branch's account", "--actor", "officer"];
    let confirm = ["cases", "confirm", &number, "--signal", "mule-account"].into_iter().chain(grounds);
    let _: CaseResult = group.hansa(A, &confirm.collect::<Vec<_>>());
    let confirmed: CaseResult = group.hansa(A, &["cases", "approve", &number, "--actor", "second"]);
    assert_eq!((confirmed.case.state, &confirmed.signal), (CaseState::Confirmed, &None));
    let note = confirmed.note.unwrap();
    assert!(note.contains("no signal") && note.contains("list hits"), "{note}");

    // A score that is too low cannot be proved to be high.
    let low = group.pay(A, &to_b(2, HARMLESS, MULE));
    let score = low.internal.unwrap().score.0;
    assert!(score < 100, "{score}");
    let case = group.open_case(A, uetr(2));
    let confirmed = group.confirm(A, case);
    assert_eq!((confirmed.case.state, &confirmed.signal), (CaseState::Confirmed, &None));
    let note = confirmed.note.unwrap();
    assert!(note.contains(&format!("the score {score} is below")) && note.contains("100"), "{note}");
    assert!(group.signals(A).is_empty());

    // A signal goes with a confirmation, and a case is confirmed once.
    group.pay(A, &to_b(3, SUSPICIOUS, MULE));
    let case = group.open_case(A, uetr(3));
    let refused = conflict(step(&group, A, case, CaseState::Assigned, "", true));
    assert!(refused.contains("only a confirmed case"), "{refused}");
    let first = group.confirm(A, case).signal.unwrap();
    assert_eq!((first.direction, first.state), (Direction::Sent, SignalState::Pending));
    let refused = conflict(step(&group, A, case, CaseState::Confirmed, "", false));
    assert!(refused.contains(&format!("case {case} is confirmed: it cannot become confirmed")), "{refused}");
    // Asked again for its signal, it is told that there is one.
    let again = group.confirm(A, case);
    assert_eq!((again.case.state, &again.signal), (CaseState::Confirmed, &None));
    assert!(again.note.unwrap().contains("this subject was signalled in this epoch"));

    // One signal per subject and epoch.
    group.pay(A, &to_b(4, "9610.00", MULE));
    let second = group.open_case(A, uetr(4));
    let confirmed = group.confirm(A, second);
    assert_eq!((confirmed.case.state, &confirmed.signal), (CaseState::Confirmed, &None));
    let note = confirmed.note.unwrap();
    assert!(note.contains("this subject was signalled in this epoch"), "{note}");

    let signals = group.signals(A);
    assert_eq!(signals.iter().map(|signal| signal.id).collect::<Vec<_>>(), [first.id]);
    group.waiting(A);
    let status = client(group.bank(A)).unwrap().status().unwrap();
    assert_eq!(status.counters.signals.sent, 0, "nobody heard it");
    assert_eq!(status.counters.cases.get(&CaseState::Confirmed), Some(&4));
}

#[test]
fn a_signal_survives_kills_of_its_sender_before_it_left() {
    let mut group = Group::running(&[A, B, C]);
    group.stop(B);
    group.stop(C);
    let alone = |event: &Event| matches!(event, Event::PeerDisconnected { connected: 0, .. }).then_some(());
    group.node(A).wait("nobody connected", alone).unwrap();
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    group.waiting(A);
    group.kill(A);

    // Alone again, it still has the very signal, and cannot send it.
    group.start(&[A]);
    let own = group.signals(A);
    assert_eq!(
        own.iter().map(|s| (s.id, s.state)).collect::<Vec<_>>(),
        [(Some(signal), SignalState::Pending)]
    );
    group.waiting(A);
    group.kill(A);

    group.start(&[B, C]);
    group.start(&[A]);
    group.sent(A, signal);
    group.received(B, signal);
    group.received(C, signal);
    assert!(group.alerted(B, signal).is_some());
    held(&group, B, &to_c(2, "180.00", MULE), signal);

    // The queue is worked off in order: when a later signal has left, nothing of the first is waiting.
    let later = group.signal(A, &to_b(3, "9620.00", OTHER));
    group.sent(A, later);
    group.received(B, later);
    group.received(C, later);
    assert_eq!(records(&group, A, uetr(1), "signal-intent"), 1);
    assert_eq!(records(&group, A, uetr(1), "signal-sent"), 1);
    assert_eq!(records(&group, B, uetr(2), "signal-received"), 1);
    for at in [B, C] {
        let received: Vec<_> = group.signals(at).iter().map(|s| (s.id.unwrap(), s.state)).collect();
        assert_eq!(received.len(), 2, "{received:?}");
        assert!(
            received
                .iter()
                .all(|(id, state)| [signal, later].contains(id) && *state == SignalState::Verified)
        );
    }
    let status = client(group.bank(A)).unwrap().status().unwrap();
    assert_eq!(status.counters.signals.sent, 2);
}

#[test]
fn a_signal_whose_sender_is_killed_as_it_is_heard_counts_once() {
    let mut group = Group::running(&[A, B]);
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    group.received(B, signal);
    // Whether it was logged as sent by now is open; afterwards it is, once.
    group.kill(A);
    group.start(&[A]);
    if group.signals(A)[0].state == SignalState::Pending {
        group.sent(A, signal);
    }
    let own = group.signals(A);
    assert_eq!(
        own.iter().map(|s| (s.id, s.state)).collect::<Vec<_>>(),
        [(Some(signal), SignalState::Published)]
    );
    assert_eq!(records(&group, A, uetr(1), "signal-sent"), 1);

    let later = group.signal(A, &to_b(2, "9620.00", OTHER));
    group.received(B, later);
    assert_eq!(records(&group, A, uetr(1), "signal-sent"), 1);
    let received: Vec<_> = group.signals(B).iter().map(|s| s.id.unwrap()).collect();
    assert_eq!(received, [signal, later]);
    assert_eq!(alert_states(&group, B, signal), [AlertState::Open]);
}

#[test]
fn an_alert_survives_restart_and_kill_of_its_bank() {
    let mut group = Group::running(&[A, B]);
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    let case = group.alerted(B, signal).unwrap();
    held(&group, B, &to_c(2, "180.00", MULE), signal);
    group.stop(B);
    group.start(&[B]);
    held(&group, B, &to_c(3, "180.00", MULE), signal);
    passes(&group, B, &to_c(4, "180.00", OTHER));
    group.kill(B);
    group.start(&[B]);
    held(&group, B, &to_c(5, "180.00", MULE), signal);
    assert_eq!(alert_states(&group, B, signal), [AlertState::Open]);
    let open = CaseFilter { state: Some(CaseState::Open), ..CaseFilter::default() };
    let cases = client(group.bank(B)).unwrap().cases(open).unwrap().cases;
    assert_eq!(
        cases.iter().map(|case| (case.number, case.signals.clone(), case.decisions)).collect::<Vec<_>>(),
        [(case, vec![signal], 3)],
        "each payment held for the signal is in its case"
    );
}

/// A counterparty that becomes known after the signal came is matched as well, and never makes a case.
#[test]
fn a_counterparty_met_after_the_signal_is_matched() {
    let mut group = Group::running(&[A, C]);
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    group.received(C, signal);
    assert!(alert_states(&group, C, signal).is_empty(), "bank C never saw the account");
    let first = Transfer { debtor: MULE, creditor: EXIT, ..to_c(2, "180.00", MULE) };
    passes(&group, C, &first);
    assert_eq!(group.alerted(C, signal), None, "a counterparty opens no case");
    held(&group, C, &to_c(3, "180.00", MULE), signal);
    let innocent = Transfer { debtor: VICTIM, ..to_c(4, "180.00", MULE) };
    passes(&group, C, &innocent);
}

/// Nobody hears them: they wait in the log, it is said, and all leave once somebody is there. On a lawful order the bank
/// shows which are its own.
#[test]
fn signals_that_pile_up_are_said_and_a_disclosed_secret_finds_them() {
    let mut group = Group::create();
    let config = group.bank(A).config();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[signalling]\n", "[signalling]\nbacklog = 1\nprovers = 2\n"))
        .unwrap();
    group.start(&[A]);
    let mut wanted = BTreeSet::new();
    for (number, amount, creditor) in [(1, SUSPICIOUS, MULE), (2, "9610.00", OTHER)] {
        group.pay(A, &to_b(number, amount, creditor));
        let case = group.open_case(A, uetr(number));
        wanted.extend(group.confirm(A, case).signal.unwrap().id);
    }
    let backed_up = |event: &Event| match event {
        Event::SignalsBackedUp { waiting } => Some(*waiting),
        _ => None,
    };
    assert_eq!(group.node(A).wait("a backlog", backed_up).unwrap(), 2);
    group.start(&[B]);
    let mut received = BTreeSet::new();
    while received.len() < wanted.len() {
        let another = |event: &Event| match event {
            Event::SignalReceived { signal, .. } if !received.contains(signal) => Some(*signal),
            _ => None,
        };
        let signal = group.node(B).wait("another signal", another).unwrap();
        received.insert(signal);
    }
    assert_eq!(received, wanted);

    let path = |name: &str| group.folder.path().join(name).display().to_string();
    let epoch = client(group.bank(A)).unwrap().status().unwrap().epoch.unwrap();
    let disclose = |epoch: String, reason: &str, out: &str| {
        let config = group.bank(A).config().display().to_string();
        let order = ["--actor", "officer.a", "--reason", reason, "--out", out, "--epoch", &epoch];
        run("hansa", &[&["--config", &config, "signals", "disclose"][..], &order].concat())
    };
    let (trace, bundle) = (path("epoch.trace"), path("payment.evidence"));
    assert_eq!(disclose(epoch.to_string(), " ", &trace).code, 1);
    says(&disclose("60000".to_owned(), "order 17", &trace).stderr, &["no trace commitment for epoch 60000"]);
    assert_eq!(disclose(epoch.to_string(), "order 17 of the court", &trace).code, 0);
    let _: serde_json::Value = group.hansa(A, &["audit", "export", &uetr(2).to_string(), "--out", &bundle]);
    let manifest = group.consortium.manifest().display().to_string();
    let traced = run("hansa-audit", &["trace", &trace, "--manifest", &manifest, &bundle]);
    assert_eq!(traced.code, 0, "{traced:?}");
    says(&traced.stdout, &["DISCLOSED: the trace secret of bank-a", "sent by bank-a, its number 1"]);
    let altered = run("hansa-audit", &["trace", &bundle, "--manifest", &manifest]);
    assert_eq!(altered.code, 1, "{altered:?}");
    says(&altered.stderr, &["no disclosure"]);
}

/// The nullifier that a found record names.
fn nullifier(record: &serde_json::Value) -> Option<Field> {
    match record {
        serde_json::Value::Object(fields) => fields
            .get("nullifier")
            .and_then(|named| named.as_str()?.parse().ok())
            .or_else(|| fields.values().find_map(nullifier)),
        _ => None,
    }
}

#[test]
fn what_is_recorded_of_a_signal_is_found_by_tag_nullifier_time_and_class() {
    use RecordClass::{Retraction, SignalIntent, SignalReceived, SignalSent};
    let mut group = Group::running(&[A, B]);
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    group.alerted(B, signal).expect("the account is held here");
    let tag = group.signals(B).into_iter().find(|view| view.id == Some(signal)).unwrap().tag;
    let found = |group: &Group, at: usize, query: &LogQuery| {
        let page = client(group.bank(at)).unwrap().find(query).unwrap();
        page.entries.into_iter().map(|entry| (entry.class, entry.record.unwrap())).collect::<Vec<_>>()
    };
    let classes = |found: &[(RecordClass, serde_json::Value)]| {
        found.iter().map(|(class, _)| *class).collect::<Vec<_>>()
    };
    let by_tag = LogQuery { tag: Some(tag), ..LogQuery::default() };
    assert_eq!(classes(&found(&group, A, &by_tag)), [SignalIntent, SignalSent]);
    let received = found(&group, B, &by_tag);
    assert_eq!(classes(&received), [SignalReceived]);

    let by_nullifier = LogQuery { nullifier: nullifier(&received[0].1), ..LogQuery::default() };
    assert!(by_nullifier.nullifier.is_some(), "{received:?}");
    assert_eq!(classes(&found(&group, A, &by_nullifier)), [SignalSent]);
    client(group.bank(A)).unwrap().retract(signal, "officer".parse().unwrap()).unwrap();
    let retracted =
        |e: &Event| matches!(e, Event::SignalRetracted { signal: s, .. } if *s == signal).then_some(());
    group.node(B).wait("retraction", retracted).unwrap();
    assert_eq!(classes(&found(&group, A, &by_nullifier)), [SignalSent, Retraction]);
    assert_eq!(classes(&found(&group, B, &by_nullifier)), [SignalReceived, Retraction]);

    let of_class = LogQuery { class: Some(SignalReceived), ..by_nullifier.clone() };
    assert_eq!(classes(&found(&group, B, &of_class)), [SignalReceived]);
    let later = LogQuery { since: Some(Timestamp(4_000_000_000)), ..by_nullifier };
    assert!(found(&group, B, &later).is_empty());
}
