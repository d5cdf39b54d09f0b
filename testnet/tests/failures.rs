//! The rows of `docs/failures.md` that no other file of tests runs, and that every row is run by a test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::fleet::{At, Fleet};
use common::http::{bearer, request};
use common::message::{HARMLESS, LISTED, MULE, SUSPICIOUS, listed, to_b, uetr};
use common::{A, B, Group, samples, shifted, start_shifted};
use hansa_api::ClientError;
use hansa_api::model::{AnswerStatus, EvidenceRequest};
use hansa_consensus::ConsensusConfig;
use hansa_node::events::Event;
use hansa_testnet::consortium::{Bank, Consortium, List};
use hansa_testnet::demo;
use hansa_testnet::process::{NodeProcess, PATIENCE, client};
use hansa_types::decision::Verdict;
use hansa_types::record::RecordClass;

const JOURNAL: &str =
    "\n[payments]\nquorum_wait_ms = 200\n\n[payments.without_quorum]\ncbpr-plus = \"journal\"\n";

/// Kills all of bank A's replicas but one, and returns it with the others.
fn alone(fleet: &mut Fleet) -> (At, Vec<At>) {
    let leader = fleet.leader();
    let others = fleet.followers();
    others.iter().for_each(|at| fleet.kill(*at));
    let lost = |event: &Event| (*event == Event::Following).then_some(());
    fleet.node(leader).wait("following", lost).unwrap();
    (leader, others)
}

#[track_caller]
fn unavailable<T: std::fmt::Debug>(result: Result<T, ClientError>) {
    match result.unwrap_err() {
        ClientError::Refused(problem) => assert_eq!(problem.status, 503, "{}", problem.detail),
        other => panic!("{other}"),
    }
}

/// A sample of a node's metrics.
fn metric(bank: &Bank, sample: &str) -> u64 {
    let text = client(bank).unwrap().metrics().unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

#[test]
fn a_follower_dies_and_returns() {
    let mut fleet = Fleet::running();
    let (leader, follower) = (fleet.leader(), fleet.followers()[0]);
    fleet.kill(follower);
    for number in 1..=20 {
        assert_eq!(fleet.pay(leader, &to_b(number, HARMLESS, MULE)).status, AnswerStatus::Decided);
    }
    let cluster = fleet.client(leader).cluster().unwrap();
    let lost = cluster.replicas.iter().find(|replica| replica.id == follower.1).unwrap();
    assert!(cluster.quorum && lost.unreachable.is_some(), "{lost:?}");
    fleet.start(&[follower]);
    assert_eq!(fleet.pay(follower, &to_b(7, HARMLESS, MULE)).status, AnswerStatus::Repeated);
    let heads = [leader, follower].map(|at| fleet.status(at).log);
    assert_eq!((heads[0].size, heads[0].root), (heads[1].size, heads[1].root));
}

#[test]
fn without_a_quorum_payments_are_refused_and_reads_say_so() {
    let mut fleet = Fleet::running();
    let leader = fleet.leader();
    fleet.pay(leader, &to_b(1, HARMLESS, MULE));
    // Evidence has a checkpoint signed over what it shows.
    let wanted = EvidenceRequest { uetr: uetr(1), leg: None };
    assert!(!fleet.client(leader).evidence(&wanted).unwrap().is_empty());
    let (left, others) = alone(&mut fleet);
    unavailable(fleet.client(left).submit(to_b(2, HARMLESS, MULE).message().as_bytes(), true));
    let bank = fleet.bank(left).clone();
    let audit = format!("GET /v1/payments/{}/audit", uetr(1));
    let history = request(&bank, &audit, &[&bearer(&bank)], b"");
    assert!(history.status == 200 && history.stale, "{history:?}");
    assert!(!fleet.client(left).evidence(&wanted).unwrap().is_empty(), "under the checkpoint signed before");
    let readiness = fleet.client(left).readiness().unwrap();
    assert!(!readiness.ready && readiness.checks.iter().any(|check| check.name == "quorum" && !check.ok));
    assert_eq!(metric(&bank, "hansa_node_payments_without_quorum_total{policy=\"refuse\"}"), 1);
    assert!(!fleet.status(left).raft.quorum);

    fleet.start(&others);
    assert_eq!(fleet.pay(left, &to_b(1, HARMLESS, MULE)).status, AnswerStatus::Repeated);
    let second = fleet.pay(left, &to_b(2, HARMLESS, MULE));
    assert!(!second.provisional && second.verdict == Some(Verdict::Clear), "{second:?}");
    assert!(!request(&bank, &audit, &[&bearer(&bank)], b"").stale);
}

#[test]
fn without_a_quorum_payments_are_journalled_and_reconciled() {
    let mut fleet = Fleet::create();
    fleet.configure(A, |config| format!("{config}{JOURNAL}"));
    fleet.start(&[(A, 1), (A, 2), (A, 3)]);
    let before = fleet.pay((A, 1), &to_b(1, HARMLESS, MULE));
    let (left, others) = alone(&mut fleet);

    let repeated = fleet.pay(left, &to_b(1, HARMLESS, MULE));
    assert_eq!((repeated.status, repeated.provisional), (AnswerStatus::Repeated, before.provisional));
    let decided = fleet.pay(left, &to_b(2, HARMLESS, MULE));
    assert!(decided.provisional && decided.verdict == Some(Verdict::Clear), "{decided:?}");
    let id = decided.internal.as_ref().unwrap().decision;
    assert_eq!(decided.internal.unwrap().log_index, None);
    let same = fleet.pay(left, &to_b(2, HARMLESS, MULE));
    assert_eq!((same.status, same.provisional), (AnswerStatus::Repeated, true));
    assert_eq!(fleet.pay(left, &to_b(2, "76.20", MULE)).status, AnswerStatus::Duplicate);
    assert!(fleet.client(left).readiness().unwrap().ready, "payments are decided");
    assert_eq!(metric(fleet.bank(left), "hansa_node_decisions_provisional"), 1);

    // What was answered survives the replica that answered.
    fleet.kill(left);
    fleet.start(&[left]);
    let same = fleet.pay(left, &to_b(2, HARMLESS, MULE));
    assert_eq!((same.internal.unwrap().decision, same.provisional), (id, true));

    fleet.start(&others);
    let reconciled = |event: &Event| match event {
        Event::Reconciled { decisions, conflicts } => Some((*decisions, *conflicts)),
        _ => None,
    };
    assert_eq!(fleet.node(left).wait("reconciled", reconciled).unwrap(), (1, 0));
    for at in [left, others[0], others[1]] {
        let answer = fleet.pay(at, &to_b(2, HARMLESS, MULE));
        assert_eq!((answer.status, answer.provisional), (AnswerStatus::Repeated, false), "{at:?}");
        assert_eq!(answer.internal.unwrap().decision, id, "what was answered stands");
        assert_eq!(fleet.client(at).history(uetr(2), None).unwrap().len(), 1, "once");
    }
    let journal = fleet.bank(left).folder.join("data/consensus/without-quorum.journal");
    assert_eq!(fs::metadata(journal).unwrap().len(), 0, "nothing waits any more");
}

/// Held payments take turns; those in front of one must not cost it its scheme's time.
#[test]
fn held_payments_that_a_quorum_leaves_midway_are_journalled_together() {
    const HELD: u64 = 4;
    let mut fleet = Fleet::create();
    fleet.watch(A);
    fleet.configure(A, |config| format!("{config}{JOURNAL}"));
    fleet.start(&[(A, 1), (A, 2), (A, 3)]);
    let left = fleet.leader();
    fleet.followers().iter().for_each(|at| fleet.kill(*at));
    // The replica that is left does not know yet, so these are on their way to the log when it learns.
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for number in 1..=HELD {
            let client = fleet.client(left);
            scope.spawn(move || {
                let held = to_b(number, HARMLESS, listed(number));
                let answer = client.submit(held.message().as_bytes(), true).unwrap().payments.remove(0);
                assert!(answer.provisional && answer.verdict == Some(Verdict::Investigate), "{answer:?}");
            });
        }
    });
    let one = Duration::from_millis(ConsensusConfig::default().propose_ms);
    assert!(begun.elapsed() < 2 * one, "{:?}: one after the other", begun.elapsed());
}

#[test]
fn what_was_decided_otherwise_without_a_quorum_is_recorded() {
    let mut fleet = Fleet::create();
    fleet.configure(A, |config| format!("{config}{JOURNAL}"));
    fleet.start(&[(A, 1), (A, 2), (A, 3)]);
    let (left, others) = alone(&mut fleet);
    let given = fleet.pay(left, &to_b(1, HARMLESS, MULE));
    assert!(given.provisional && given.verdict == Some(Verdict::Clear), "{given:?}");
    fleet.kill(left);

    // The others know something that it did not.
    let limit = "amount_limit = { currency = \"EUR\", amount = \"1.00\" }\nbics = ";
    fleet.configure(A, |config| config.replacen("bics = ", limit, 1));
    fleet.start(&others);
    let stands = fleet.pay(others[0], &to_b(1, HARMLESS, MULE));
    assert_eq!((stands.status, stands.verdict), (AnswerStatus::Decided, Some(Verdict::Block)));

    fleet.start(&[left]);
    let conflict = |event: &Event| match event {
        Event::ReconcileConflict { index, .. } => Some(*index),
        _ => None,
    };
    let index = fleet.node(left).wait("conflict", conflict).unwrap();
    assert_eq!(Some(index), stands.internal.unwrap().log_index);
    let history = fleet.client(others[1]).history(uetr(1), None).unwrap();
    let classes: Vec<_> = history.iter().map(|entry| entry.class).collect();
    assert_eq!(classes, [RecordClass::Decision, RecordClass::Case, RecordClass::Operation]);
    let recorded = history[2].record.to_string();
    assert!(recorded.contains("reconcile-conflict") && recorded.contains("CLEAR"), "{recorded}");
    let answer = fleet.pay(left, &to_b(1, HARMLESS, MULE));
    assert_eq!(
        (answer.verdict, answer.provisional),
        (Some(Verdict::Block), false),
        "the log's decision stands"
    );
}

/// A small file system in memory over a bank's data folder. None where nothing may be mounted.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(bank: &Bank) -> Option<Self> {
        let folder = bank.folder.join("data");
        fs::create_dir_all(&folder).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(&folder).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        println!("SKIPPED: a disk that is full needs the right to mount one");
        None
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        let block = vec![1; 64 << 10];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, should a node of a failed test still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_replica_whose_disk_is_full_stops_and_the_others_go_on() {
    let mut fleet = Fleet::create();
    let all: [At; 3] = [(A, 1), (A, 2), (A, 3)];
    let Some(disk) = SmallDisk::mount(fleet.bank((A, 2))) else { return };
    fleet.start(&all);
    fleet.pay((A, 1), &to_b(1, HARMLESS, MULE));
    disk.fill();
    let mut sent = 1;
    // It fails with the next thing that it has to write.
    while fleet.status_of_process((A, 2)).is_none() {
        sent += 1;
        let through = if sent % 2 == 0 { (A, 1) } else { (A, 3) };
        let answer = fleet.client(through).submit(to_b(sent, HARMLESS, MULE).message().as_bytes(), true);
        assert!(answer.is_ok(), "{answer:?}");
    }
    let (status, log) = fleet.take((A, 2)).failed().unwrap();
    assert!(!status.success() && log.contains("check the disk"), "{status}: {log}");
    disk.empty();
    fleet.start(&[(A, 2)]);
    for number in 1..=sent {
        let again = fleet.pay((A, 2), &to_b(number, HARMLESS, MULE));
        assert_eq!(again.status, AnswerStatus::Repeated, "payment {number}");
    }
    drop(fleet);
}

#[test]
fn a_bank_whose_only_disk_is_full_refuses_and_stops() {
    let mut group = Group::create();
    let bank = group.bank(B).clone();
    let Some(disk) = SmallDisk::mount(&bank) else { return };
    group.start(&[B]);
    group.pay(B, &to_b(1, HARMLESS, MULE));
    disk.fill();
    let mut acknowledged = 1;
    let refused = loop {
        let transfer = to_b(acknowledged + 1, HARMLESS, MULE);
        match client(&bank).unwrap().submit(transfer.message().as_bytes(), true) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    match refused {
        ClientError::Refused(problem) => assert_eq!(problem.status, 503, "{}", problem.detail),
        ClientError::Unreachable { .. } => {}
        other => panic!("{other}"),
    }
    let (status, log) = group.take(B).failed().unwrap();
    assert!(!status.success() && log.contains("check the disk"), "{status}: {log}");
    disk.empty();
    group.start(&[B]);
    for number in 1..=acknowledged {
        assert_eq!(group.pay(B, &to_b(number, HARMLESS, MULE)).status, AnswerStatus::Repeated);
    }
    drop(group);
}

#[test]
fn a_payment_that_is_not_decided_in_its_schemes_time_is_refused_and_decided_all_the_same() {
    let mut group = Group::create();
    let bank = group.bank(A).clone();
    let config = fs::read_to_string(bank.config()).unwrap();
    let config = config.replacen("bics = ", "scheme = \"sct-inst\"\nbics = ", 1);
    // No time at all: nothing is decided within it.
    fs::write(bank.config(), config + "\n[payments]\ndeadline_ms = { sct-inst = 0 }\n").unwrap();
    group.start(&[A]);
    let transfer = to_b(1, HARMLESS, MULE);
    unavailable(client(&bank).unwrap().submit(transfer.message().as_bytes(), true));
    let scheme = |event: &Event| match event {
        Event::DeadlineMissed { scheme, .. } => Some(*scheme),
        _ => None,
    };
    assert_eq!(group.node(A).wait("deadline missed", scheme).unwrap(), hansa_screening::Scheme::SctInst);
    assert_eq!(metric(&bank, "hansa_node_deadlines_missed_total{scheme=\"sct-inst\"}"), 1);
    let deadline = Instant::now() + PATIENCE;
    let entry = loop {
        match client(&bank).unwrap().history(uetr(1), None) {
            Ok(entries) => break entries,
            Err(_) => assert!(Instant::now() < deadline, "it is not decided"),
        }
    };
    assert_eq!(entry.len(), 1);
    group.stop(A);
}

#[test]
fn an_old_list_is_screened_against_and_cited() {
    let folder = tempfile::tempdir().unwrap();
    let toml = format!(
        "[[screening.lists]]\nname = \"old\"\ndate = \"2001-02-03\"\nformat = \"csv\"\npath = {:?}\n\n",
        samples().join("watchlist.csv")
    );
    let lists = [vec![List { toml }], vec![], vec![]];
    let consortium = Consortium::create(&folder.path().join("c"), demo::customers(), lists).unwrap();
    let mut node = NodeProcess::start(&consortium.banks[A], &["--development"]).unwrap();
    node.ready().unwrap();
    let transfer = to_b(1, HARMLESS, LISTED);
    let answer = node.client().unwrap().submit(transfer.message().as_bytes(), true).unwrap();
    assert_eq!(answer.payments[0].verdict, Some(Verdict::Investigate));
    let history = node.client().unwrap().history(uetr(1), None).unwrap();
    let decision = history[0].record.to_string();
    assert!(decision.contains("2001-02-03"), "{decision}");
}

#[test]
fn a_clock_before_the_first_epoch_stops_signals_and_not_payments() {
    let Some(variables) = shifted("-3d") else { return };
    let mut group = Group::create();
    let bank = group.bank(A).clone();
    group.put(A, start_shifted(&bank, &variables));
    group.pay(A, &to_b(1, SUSPICIOUS, MULE));
    let case = group.open_case(A, uetr(1));
    let confirmed = group.confirm(A, case);
    assert!(confirmed.signal.is_none(), "{confirmed:?}");
    let readiness = client(&bank).unwrap().readiness().unwrap();
    let failing: Vec<_> =
        readiness.checks.iter().filter(|check| !check.ok).map(|c| c.name.as_str()).collect();
    assert_eq!(failing, ["epoch"]);
}

#[test]
fn a_clock_that_is_ahead_makes_signals_that_others_ignore() {
    let Some(variables) = shifted("+3d") else { return };
    let mut group = Group::create();
    let bank = group.bank(A).clone();
    group.start(&[B]);
    group.put(A, start_shifted(&bank, &variables));
    group.node(A).joined(1).unwrap();
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    group.sent(A, signal);
    let ignored = "hansa_node_gossip_total{verdict=\"ignore\"}";
    let deadline = Instant::now() + PATIENCE;
    while metric(group.bank(B), ignored) == 0 {
        assert!(Instant::now() < deadline, "the signal of another epoch was not judged");
    }
    assert!(group.signals(B).is_empty());
}

/// The page is about this release: a row without a test, or with one that is gone, is not.
#[test]
fn every_row_of_the_page_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../docs/failures.md")).unwrap();
    let tests: BTreeSet<String> = fs::read_dir(root.join("tests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .flat_map(|path| {
            let file = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            let names: Vec<String> = text
                .split("#[test]\n")
                .skip(1)
                .filter_map(|rest| Some(rest.split_once("fn ")?.1.split_once('(')?.0.to_owned()))
                .collect();
            names.into_iter().map(move |name| format!("{file}::{name}"))
        })
        .collect();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() >= 10, "{rows:?}");
    for row in rows {
        let named: Vec<&str> = row.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
        let not_built = row.contains("| not built");
        assert!(!named.is_empty() || not_built, "no test runs this row: {row}");
        for name in named {
            assert!(tests.contains(name), "{name} does not exist: {row}");
        }
    }
}
