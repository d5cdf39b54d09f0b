//! A bank of three replicas: whichever is asked gives the one answer, and nothing is lost or doubled when the leader
//! dies.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::fleet::{At, Fleet};
use common::message::{HARMLESS, MULE, OTHER, SUSPICIOUS, Transfer, listed, to_b, uetr};
use common::{A, B};
use hansa_api::ClientError;
use hansa_api::model::{
    AnswerStatus, CaseAction, CaseAnswer, CaseFilter, CaseOpening, ClusterAction, ClusterRequest,
    ClusterResult, Direction, SignalState,
};
use hansa_node::events::Event;
use hansa_testnet::process::{PATIENCE, client, hansa};
use hansa_types::case::{AlertState, CaseState, Suspect};
use hansa_types::decision::Verdict;
use hansa_types::hash::Digest;
use hansa_types::record::RecordClass;

const ALL: [At; 3] = [(A, 1), (A, 2), (A, 3)];

fn officer() -> hansa_types::id::Actor {
    "officer".parse().unwrap()
}

/// An officer opens a case on the creditor at one replica and proposes to confirm it at another; a second one approves
/// there. Returns the signal's id.
fn signal(fleet: &Fleet, open: At, confirm: At, transfer: &Transfer) -> Digest {
    let opening = CaseOpening {
        uetr: transfer.uetr.unwrap(),
        leg: None,
        suspect: Suspect::Creditor,
        actor: officer(),
        note: "call".to_owned(),
    };
    let case = fleet.client(open).open_case(&opening).unwrap().case.number;
    let action = CaseAction {
        state: CaseState::Confirmed,
        actor: officer(),
        note: "confirmed".to_owned(),
        signal: Some("mule-account".parse().unwrap()),
        grounds: String::new(),
    };
    fleet.client(confirm).step_case(case, &action).unwrap();
    let second = CaseAnswer { approve: true, actor: "second".parse().unwrap(), note: String::new() };
    let confirmed = fleet.client(confirm).answer_case(case, &second).unwrap();
    confirmed.signal.and_then(|signal| signal.id).unwrap_or_else(|| panic!("{:?}", confirmed.note))
}

#[test]
fn every_replica_gives_the_one_answer() {
    let mut fleet = Fleet::running();
    let leader = fleet.leader();
    for (number, at) in ALL.into_iter().enumerate() {
        let transfer = to_b(number as u64, HARMLESS, MULE);
        let decided = fleet.pay(at, &transfer);
        assert_eq!(decided.status, AnswerStatus::Decided, "{at:?}");
        for other in ALL {
            let again = fleet.pay(other, &transfer);
            assert_eq!(again.status, AnswerStatus::Repeated, "{other:?}");
            assert_eq!(again.internal.unwrap().decision, decided.internal.as_ref().unwrap().decision);
            let changed = Transfer { amount: "76.20".to_owned(), ..transfer.clone() };
            assert_eq!(fleet.pay(other, &changed).status, AnswerStatus::Duplicate);
            let history = fleet.client(other).history(transfer.uetr.unwrap(), None).unwrap();
            let classes: Vec<_> = history.iter().map(|entry| entry.class).collect();
            assert_eq!(classes, [RecordClass::Decision, RecordClass::Refusal], "{other:?}");
        }
    }
    for at in ALL {
        let status = fleet.status(at);
        assert_eq!((status.raft.replica, status.raft.leads), (at.1, at == leader));
        assert_eq!((status.raft.replicas, status.raft.leader), (vec![1, 2, 3], Some(leader.1)));
        assert_eq!(status.peers.is_empty(), at != leader, "the leader alone speaks with other banks");
        assert_eq!(status.counters.payments.duplicates, 3, "{at:?}");
        assert_eq!(status.counters.payments.verdicts.values().sum::<u64>(), 3, "{at:?}");
        assert!(fleet.client(at).readiness().unwrap().ready);
    }
    let cluster = fleet.client(leader).cluster().unwrap();
    assert!(
        cluster.quorum && cluster.replicas.iter().all(|replica| replica.voter && replica.state.is_some())
    );
}

/// Each subject has one case with all that came in about it, though officers work on all replicas at once.
#[test]
fn officers_on_all_replicas_do_not_get_into_one_anothers_way() {
    const CASES: u64 = 5;
    let fleet = Fleet::running();
    let numbers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (place, client) in ALL.map(|at| fleet.client(at)).into_iter().enumerate() {
            let numbers = &numbers;
            scope.spawn(move || {
                for n in 0..CASES {
                    let transfer = to_b(100 * (place as u64 + 1) + n, HARMLESS, MULE);
                    client.submit(transfer.message().as_bytes(), false).unwrap();
                    let opening = CaseOpening {
                        uetr: transfer.uetr.unwrap(),
                        leg: None,
                        suspect: if n == 0 { Suspect::Debtor } else { Suspect::Creditor },
                        actor: officer(),
                        note: String::new(),
                    };
                    let opened = client.open_case(&opening).unwrap();
                    numbers.lock().unwrap().push(opened.case.number);
                }
            });
        }
    });
    let mut numbers = numbers.into_inner().unwrap();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, [1, 2]);
    for at in ALL {
        let cases = fleet.client(at).cases(CaseFilter::default()).unwrap().cases;
        let mut decisions: Vec<_> = cases.iter().map(|case| case.decisions).collect();
        decisions.sort_unstable();
        assert_eq!(decisions, [3, 3 * (CASES - 1)], "{at:?}");
    }
}

/// Each opens a case of its own, so that every one makes those under way at the other replicas look again.
#[test]
fn held_payments_about_many_subjects_at_all_replicas_are_all_answered() {
    const AT_ONCE: u64 = 3;
    const EACH: u64 = 5;
    let mut fleet = Fleet::create();
    fleet.watch(A);
    fleet.start(&ALL);
    std::thread::scope(|scope| {
        for thread in 0..3 * AT_ONCE {
            let client = fleet.client(ALL[thread as usize % 3]);
            scope.spawn(move || {
                for number in (1000 * (thread + 1)..).take(EACH as usize) {
                    let held = to_b(number, HARMLESS, listed(number));
                    let answered = client.submit(held.message().as_bytes(), false).unwrap();
                    assert_eq!(answered.payments[0].verdict, Some(Verdict::Investigate));
                }
            });
        }
    });
    for at in ALL {
        let cases = fleet.client(at).cases(CaseFilter::default()).unwrap().cases;
        let numbers: Vec<u64> = cases.iter().map(|case| case.number).collect();
        assert_eq!(numbers, (1..=3 * AT_ONCE * EACH).collect::<Vec<_>>(), "{at:?}");
        assert!(cases.iter().all(|case| case.decisions == 1), "{cases:?}");
    }
}

/// What came of a payment that a client sent.
struct Sent {
    transfer: Transfer,
    decision: Digest,
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_when_the_leader_is_killed_under_load() {
    const BEFORE: u64 = 30;
    const AFTER: u64 = 60;
    let mut fleet = Fleet::running();
    let leader = fleet.leader();
    let followers = fleet.followers();
    let (next, stop) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicBool::new(false)));
    let acknowledged: Arc<Mutex<Vec<Sent>>> = Arc::default();
    let clients: Vec<_> = followers
        .iter()
        .chain([&leader])
        .map(|at| {
            let client = client(fleet.bank(*at)).unwrap();
            let (next, stop, acknowledged) = (next.clone(), stop.clone(), acknowledged.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let transfer = to_b(next.fetch_add(1, Ordering::Relaxed), HARMLESS, MULE);
                    let submission = match client.submit(transfer.message().as_bytes(), true) {
                        Ok(submission) => submission,
                        Err(ClientError::Unreachable { .. }) => return,
                        Err(_) => continue,
                    };
                    let decision = submission.payments[0].internal.as_ref().unwrap().decision;
                    acknowledged.lock().unwrap().push(Sent { transfer, decision });
                }
            })
        })
        .collect();
    let answered = |wanted: u64| {
        while (acknowledged.lock().unwrap().len() as u64) < wanted {
            std::thread::yield_now();
        }
    };
    answered(BEFORE);
    fleet.kill(leader);
    let killed_at = acknowledged.lock().unwrap().len() as u64;
    answered(killed_at + AFTER);
    stop.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_ne!(fleet.leader(), leader, "another one leads");

    fleet.start(&[leader]);
    let acknowledged = std::mem::take(&mut *acknowledged.lock().unwrap());
    for (n, Sent { transfer, decision }) in acknowledged.iter().enumerate() {
        let at = ALL[n % ALL.len()];
        let again = fleet.pay(at, transfer);
        assert_eq!(again.status, AnswerStatus::Repeated, "{at:?}: {}", transfer.uetr.unwrap());
        assert_eq!(again.internal.unwrap().decision, *decision);
        let history = fleet.client(at).history(transfer.uetr.unwrap(), None).unwrap();
        // So many payments that some are held: those have joined a case.
        let decided = history.iter().filter(|entry| entry.class == RecordClass::Decision);
        assert_eq!(decided.count(), 1, "{history:?}");
    }
    let heads: Vec<_> =
        ALL.map(|at| fleet.status(at).log).into_iter().map(|log| (log.size, log.root)).collect();
    assert!(heads.windows(2).all(|pair| pair[0] == pair[1]), "{heads:?}");
}

/// Committed and not published when its leader dies, a signal is proved by the next one: the same signal, once.
#[test]
fn a_signal_whose_leader_is_killed_before_it_left_arrives_once() {
    let mut fleet = Fleet::running();
    let leader = fleet.leader();
    let followers = fleet.followers();
    let transfer = to_b(1, SUSPICIOUS, MULE);
    fleet.pay(followers[0], &transfer);
    let signal = signal(&fleet, followers[0], followers[1], &transfer);
    let waiting = |event: &Event| matches!(event, Event::SignalWaiting { .. }).then_some(());
    fleet.node(leader).wait("signal waiting", waiting).unwrap();
    fleet.kill(leader);

    let next = fleet.leader();
    fleet.start(&[(B, 1)]);
    fleet.sent(next, signal);
    fleet.received((B, 1), signal);
    let received = fleet.client((B, 1)).signals().unwrap();
    assert_eq!(received.iter().map(|s| s.id).collect::<Vec<_>>(), [Some(signal)]);
    let history = fleet.client(next).history(uetr(1), None).unwrap();
    assert!(history.iter().any(|entry| entry.class == RecordClass::Case));

    // The old leader comes back as a follower, and takes the signal back: the leader tells the others.
    fleet.start(&[leader]);
    let own = fleet.client(leader).signals().unwrap();
    let states: Vec<_> = own.iter().map(|s| (s.id, s.direction, s.state)).collect();
    assert_eq!(states, [(Some(signal), Direction::Sent, SignalState::Published)]);
    let now = fleet.leader();
    let at = ALL.into_iter().find(|at| *at != now).unwrap();
    fleet.client(at).retract(signal, officer()).unwrap();
    let retracted =
        |e: &Event| matches!(e, Event::SignalRetracted { signal: s, .. } if *s == signal).then_some(());
    fleet.node((B, 1)).wait("retraction", retracted).unwrap();
    let alerts = fleet.client((B, 1)).alerts().unwrap();
    assert_eq!(alerts.iter().map(|alert| alert.state).collect::<Vec<_>>(), [AlertState::Retracted]);
}

/// Killed while it proves: nobody knows how far it came, and the next one proves the same again.
#[test]
fn a_signal_whose_leader_is_killed_while_it_proves_arrives_once() {
    let mut fleet = Fleet::running();
    fleet.start(&[(B, 1)]);
    fleet.met();
    let leader = fleet.leader();
    let followers = fleet.followers();
    let transfer = to_b(1, SUSPICIOUS, MULE);
    fleet.pay(followers[0], &transfer);
    let first = signal(&fleet, followers[0], followers[1], &transfer);
    fleet.kill(leader);
    fleet.received((B, 1), first);
    // The queue is worked off in order: when a later signal has come, nothing of the first is under way.
    let next = fleet.leader();
    let later = Transfer { amount: "9610.00".to_owned(), ..to_b(2, SUSPICIOUS, OTHER) };
    fleet.pay(next, &later);
    let second = signal(&fleet, next, next, &later);
    fleet.received((B, 1), second);
    // Both may be of one second, and are then listed in any order.
    let states = |at| {
        let mut states = fleet.client(at).signals().unwrap();
        states.sort_by_key(|signal| signal.id != Some(first));
        states.iter().map(|signal| (signal.id, signal.state)).collect::<Vec<_>>()
    };
    let both = |state| [(Some(first), state), (Some(second), state)];
    assert_eq!(states((B, 1)), both(SignalState::Verified));
    assert_eq!(states(next), both(SignalState::Published));
}

#[test]
fn leadership_is_handed_over_and_the_bank_is_heard_from_where_it_went() {
    let mut fleet = Fleet::running();
    fleet.start(&[(B, 1)]);
    fleet.met();
    let before = fleet.leader();
    let request = ClusterRequest { actor: officer(), action: ClusterAction::Drain };
    let done = fleet.client(before).administer(&request).unwrap();
    assert!(done.done.contains("leads"), "{}", done.done);
    let following = |event: &Event| (*event == Event::Following).then_some(());
    fleet.node(before).wait("following", following).unwrap();
    let now = fleet.leader();
    assert_ne!(now, before);
    assert!(!fleet.client(before).readiness().unwrap().ready, "drained");
    fleet.node(now).joined(1).unwrap();

    // A drained replica still answers, and what it takes goes to the others.
    let transfer = to_b(1, SUSPICIOUS, MULE);
    fleet.pay(before, &transfer);
    let signal = signal(&fleet, before, now, &transfer);
    fleet.sent(now, signal);
    fleet.received((B, 1), signal);

    let request = ClusterRequest { actor: officer(), action: ClusterAction::Undrain };
    fleet.client(before).administer(&request).unwrap();
    let back = ClusterRequest { actor: officer(), action: ClusterAction::Transfer { to: Some(before.1) } };
    fleet.client(now).administer(&back).unwrap();
    assert_eq!(fleet.leader(), before);
    fleet.node(before).joined(1).unwrap();
    fleet.stop(now);
    assert_eq!(fleet.pay(before, &transfer).status, AnswerStatus::Repeated);
}

/// As the operator guide has it: let it go, start it empty, take it in.
#[test]
fn a_replica_that_lost_its_disk_is_replaced() {
    let mut fleet = Fleet::running();
    let leader = fleet.leader();
    let lost = fleet.followers()[0];
    for number in 1..=10 {
        fleet.pay(leader, &to_b(number, HARMLESS, MULE));
    }
    fleet.kill(lost);
    std::fs::remove_dir_all(fleet.bank(lost).folder.join("data")).unwrap();
    let id = lost.1.to_string();
    let operator = |arguments: &[&str]| {
        let actor = ["--actor", "ops.a"];
        let arguments: Vec<&str> = ["cluster"].iter().chain(arguments).chain(&actor).copied().collect();
        hansa::<ClusterResult>(fleet.bank(leader), &arguments).map(|result| result.done)
    };
    assert!(operator(&["leave", "--id", &id]).unwrap().contains("has left"));
    let address = format!("127.0.0.1:{}", fleet.bank(lost).raft_port);
    let elsewhere = ["join", "--id", &id, "--address", &address, "--jurisdiction", "US"];
    let refused = operator(&elsewhere).unwrap_err().to_string();
    assert!(refused.contains("records.jurisdictions permits"), "{refused}");

    let bank = fleet.bank(leader).clone();
    fleet.launch(lost);
    let join = [
        "join",
        "--id",
        &id,
        "--address",
        &address,
        "--zone",
        "z",
        "--jurisdiction",
        "DE",
        "--actor",
        "ops.a",
    ];
    let join: Vec<&str> = ["cluster"].iter().chain(&join).copied().collect();
    // It has to listen before it can be taken in.
    let deadline = std::time::Instant::now() + PATIENCE;
    let joined = loop {
        match hansa::<ClusterResult>(&bank, &join) {
            Ok(result) => break result.done,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
    };
    assert!(joined.contains("has joined: 3 replicas vote"), "{joined}");
    fleet.node(lost).ready().unwrap();
    assert_eq!(fleet.pay(lost, &to_b(5, HARMLESS, MULE)).status, AnswerStatus::Repeated);
    let heads = [leader, lost].map(|at| fleet.status(at).log);
    assert_eq!((heads[0].size, heads[0].root), (heads[1].size, heads[1].root));
}
