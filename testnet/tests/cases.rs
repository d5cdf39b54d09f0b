//! Cases at running banks: they open with the decisions, end by two officers, and say what is due.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use common::command::{run, says};
use common::message::{HARMLESS, Holder, LISTED, MULE, OTHER, SUSPICIOUS, Transfer, listed, to_b, uetr};
use common::{A, Group, shifted, start_shifted};
use hansa_api::ClientError;
use hansa_api::model::{CaseAnswer, CaseFilter, CaseResult, CaseReviewing, CaseSummary, CaseView, LogQuery};
use hansa_node::events::Event;
use hansa_testnet::process::client;
use hansa_types::case::{CaseAct, CaseReview, CaseState, Duty};
use hansa_types::decision::{Disposition, Reason, Verdict};
use hansa_types::id::Actor;
use hansa_types::record::RecordClass;

/// The account of a listed person: blocked beyond doubt.
const FROZEN: Holder =
    Holder { name: "Malachite Brambleworth", iban: "GB82DOGW00999900991818", country: "GB" };

/// Bank A with more in its configuration, not running.
fn configured(cases: &str) -> Group {
    let group = Group::create();
    let config = group.bank(A).config();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n[cases]\n{cases}\n")).unwrap();
    group
}

fn cases(group: &Group) -> Vec<CaseSummary> {
    client(group.bank(A)).unwrap().cases(CaseFilter::default()).unwrap().cases
}

/// Waits for the next case that a decision opens or joins.
fn taken(group: &mut Group) -> (u64, bool) {
    let taken = |event: &Event| match event {
        Event::CaseTaken { case, opened } => Some((*case, *opened)),
        _ => None,
    };
    group.node(A).wait("a case", taken).unwrap()
}

fn officer(name: &str) -> Actor {
    name.parse().unwrap()
}

fn act(group: &Group, arguments: &[&str], actor: &str, note: &str) -> CaseResult {
    group.hansa(A, &[arguments, &["--actor", actor, "--note", note]].concat())
}

#[track_caller]
fn conflict<T: std::fmt::Debug>(result: Result<T, ClientError>, words: &str) {
    match result.unwrap_err() {
        ClientError::Refused(problem) if problem.status == 409 => {
            assert!(problem.detail.contains(words), "{problem:?}");
        }
        other => panic!("{other}"),
    }
}

fn records(group: &Group, class: RecordClass) -> usize {
    let query = LogQuery { class: Some(class), ..LogQuery::default() };
    client(group.bank(A)).unwrap().find(&query).unwrap().entries.len()
}

#[test]
fn a_held_payment_opens_one_case_and_the_next_joins_it() {
    let mut group = Group::running(&[A]);
    assert_eq!(group.pay(A, &to_b(1, HARMLESS, MULE)).verdict, Some(Verdict::Clear));
    assert!(cases(&group).is_empty(), "what is clear opens none");
    let held = group.pay(A, &to_b(2, HARMLESS, LISTED));
    assert_eq!(held.verdict, Some(Verdict::Investigate));
    assert_eq!(taken(&mut group), (1, true));
    group.pay(A, &to_b(3, HARMLESS, LISTED));
    assert_eq!(taken(&mut group), (1, false));
    let before = client(group.bank(A)).unwrap().status().unwrap().log.size;
    group.pay(A, &to_b(3, HARMLESS, LISTED));
    let after = client(group.bank(A)).unwrap().status().unwrap().log.size;
    assert_eq!(before, after, "the same payment again changes nothing");

    // Many at once, about the same and about another account: one case each.
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let client = client(group.bank(A)).unwrap();
            scope.spawn(move || {
                for n in 0..4 {
                    let creditor = if thread == 0 { Holder { iban: MULE.iban, ..LISTED } } else { LISTED };
                    let transfer = to_b(100 + 10 * thread + n, HARMLESS, creditor);
                    client.submit(transfer.message().as_bytes(), false).unwrap();
                }
            });
        }
    });
    let listed = |group: &Group| {
        let mut found: Vec<_> = cases(group).into_iter().map(|case| (case.number, case.decisions)).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(listed(&group), [(1, 14), (2, 4)]);
    let history = client(group.bank(A)).unwrap().history(uetr(3), None).unwrap();
    let classes: Vec<_> = history.iter().map(|entry| entry.class).collect();
    assert_eq!(classes[..2], [RecordClass::Decision, RecordClass::Case], "in one entry of the log");

    group.kill(A);
    group.start(&[A]);
    assert_eq!(listed(&group), [(1, 14), (2, 4)]);
    group.pay(A, &to_b(4, HARMLESS, LISTED));
    assert_eq!(taken(&mut group), (1, false));

    // Once it is decided on, what comes next opens another one.
    act(&group, &["cases", "clear", "1"], "officer.a", "a namesake");
    act(&group, &["cases", "approve", "1"], "officer.b", "");
    group.pay(A, &to_b(5, HARMLESS, LISTED));
    assert_eq!(taken(&mut group), (3, true));
}

#[test]
fn a_blocked_payment_is_cleared_by_two_looked_at_by_a_third_and_due_again() {
    let mut group = configured("review_percent = 100\n[cases.regimes]\nsamples = 'ofac'");
    group.start(&[A]);
    let client = || client(group.bank(A)).unwrap();
    let blocked = group.pay(A, &to_b(1, HARMLESS, FROZEN)).internal.unwrap();
    assert_eq!(blocked.disposition, Some(Disposition::Freeze));
    let [case] = cases(&group).try_into().unwrap();
    assert_eq!(
        (case.verdict, &*case.reasons),
        (Verdict::Block, &[Reason::ListedIdentifier, Reason::ListedName, Reason::Score][..])
    );
    let due = case.due.clone().unwrap();
    assert_eq!((&*due.rule, due.duty), ("ofac-blocked", Duty::Report));
    let days = (due.due.0 - case.opened.0) / 86_400;
    assert!((13..=17).contains(&days), "ten business days are {days} days");

    let proposed = act(&group, &["cases", "clear", "1"], "officer.a", "another birth date");
    assert_eq!(proposed.case.state, CaseState::Open);
    assert!(proposed.note.unwrap().contains("hansa cases approve 1"));
    let answer = |actor: &str, approve| {
        let note = "looked at it".to_owned();
        client().answer_case(1, &CaseAnswer { approve, actor: officer(actor), note })
    };
    conflict(answer("officer.a", true), "another officer has to");
    conflict(answer("policy.screening", true), "the node's own policies");
    let proposals = client().cases(CaseFilter { proposed: true, ..CaseFilter::default() }).unwrap().cases;
    assert_eq!(proposals[0].proposal.as_ref().unwrap().actor, officer("officer.a"));
    let cleared = answer("officer.b", true).unwrap().case;
    assert_eq!((cleared.state, cleared.review), (CaseState::Cleared, Some(CaseReview::Waiting)));
    let acts: Vec<_> = cleared.steps.iter().map(|step| (step.act, step.actor.as_str())).collect();
    let expected = [
        (CaseAct::Open, "policy.screening"),
        (CaseAct::Propose, "officer.a"),
        (CaseAct::Approve, "officer.b"),
    ];
    assert_eq!(acts, expected);
    conflict(answer("officer.c", true), "nothing waits");

    let review = |actor: &str, passed| {
        let note = "the birth dates agree".to_owned();
        client().review_case(1, &CaseReviewing { passed, actor: officer(actor), note })
    };
    assert_eq!(client().cases(CaseFilter { review: true, ..CaseFilter::default() }).unwrap().cases.len(), 1);
    for actor in ["officer.a", "officer.b"] {
        conflict(review(actor, true), "another officer has to");
    }
    let failed = review("officer.c", false).unwrap().case;
    assert_eq!((failed.state, failed.review), (CaseState::Assigned, Some(CaseReview::Failed)));
    assert!(failed.deadlines.iter().any(|deadline| deadline.met.is_none()), "it is due again");
    conflict(review("officer.c", true), "does not wait for a review");
    let passed = group.pay(A, &to_b(2, HARMLESS, FROZEN));
    assert_eq!(passed.verdict, Some(Verdict::Block), "clearing a case releases nothing by itself");
    assert_eq!(cases(&group)[0].decisions, 2, "it is open, and what comes in joins it");
}

#[test]
fn who_reads_a_case_is_recorded_once_an_hour() {
    let mut group = Group::running(&[A]);
    group.pay(A, &to_b(1, HARMLESS, LISTED));
    let (case, _) = taken(&mut group);
    let number = case.to_string();
    for _ in 0..2 {
        let shown: CaseView = group.hansa(A, &["cases", "show", &number, "--actor", "officer.a"]);
        assert_eq!((shown.number, shown.decisions.len()), (case, 1));
    }
    let reads = records(&group, RecordClass::CaseRead);
    // The hour may have turned in between.
    assert!((1..=2).contains(&reads), "{reads}");
    let draft = client(group.bank(A)).unwrap().draft_case(case, officer("officer.b")).unwrap();
    says(
        &draft,
        &["DRAFT. Not sent to anybody.", "75.20", OTHER.iban, LISTED.name, "list samples of 2026-11-20"],
    );
    assert!(!draft.contains("BRCHFRP0") && !draft.contains("bank-b"), "{draft}");
    assert_eq!(records(&group, RecordClass::CaseRead), reads + 1);
    let read = LogQuery { class: Some(RecordClass::CaseRead), ..LogQuery::default() };
    let entries = client(group.bank(A)).unwrap().find(&read).unwrap().entries;
    assert_eq!(entries.last().unwrap().record.as_ref().unwrap()["case_read"]["actor"], "officer.b");

    let config = group.bank(A).config().display().to_string();
    let file = group.folder.path().join("draft.txt").display().to_string();
    let written = run("hansa", &["--config", &config, "cases", "draft", "1", "--actor", "o", "--out", &file]);
    assert_eq!(written.code, 0, "{written:?}");
    assert!(std::fs::read_to_string(&file).unwrap().contains(LISTED.name));
    let again = run("hansa", &["--config", &config, "cases", "draft", "1", "--actor", "o", "--out", &file]);
    assert_eq!(again.code, 1, "a file that exists is not overwritten: {again:?}");
    let nobody = run("hansa", &["--config", &config, "cases", "show", "1"]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
    says(&nobody.stderr, &["--actor"]);
    let missing = client(group.bank(A)).unwrap().read_case(77, officer("officer.a")).unwrap_err();
    assert!(matches!(&missing, ClientError::Refused(problem) if problem.status == 404), "{missing}");
}

/// Held three days ago with two to decide: all seen to be over at the next start, said then, and not again.
#[test]
fn a_deadline_that_passes_is_said_once() {
    let Some(past) = shifted("-3d") else { return };
    let mut group = Group::create();
    let bank = group.bank(A).clone();
    group.put(A, start_shifted(&bank, &past));
    for number in 1..=3 {
        group.pay(A, &to_b(number, HARMLESS, listed(number)));
        assert_eq!(taken(&mut group), (number, true));
    }
    group.stop(A);

    group.start(&[A]);
    let over = |event: &Event| match event {
        Event::DeadlineOver { case, rule, duty, .. } => Some((*case, rule.clone(), *duty)),
        _ => None,
    };
    for case in 1..=3 {
        let said = group.node(A).wait("a deadline", over).unwrap();
        assert_eq!(said, (case, "cbpr-plus-held".to_owned(), Duty::Decide));
    }
    let overdue = CaseFilter { overdue: true, ..CaseFilter::default() };
    let page = client(&bank).unwrap().cases(CaseFilter { limit: Some(2), ..overdue }).unwrap();
    assert_eq!((page.cases.len(), page.next), (2, Some(2)));
    let last = client(&bank).unwrap().cases(CaseFilter { after: page.next, ..overdue }).unwrap();
    assert_eq!((last.cases.len(), last.next), (1, None));
    let none = client(&bank).unwrap().cases(CaseFilter { limit: Some(0), ..overdue }).unwrap_err();
    assert!(matches!(&none, ClientError::Refused(problem) if problem.status == 400), "{none}");
    let metrics = client(&bank).unwrap().metrics().unwrap();
    assert!(metrics.contains("hansa_node_cases_overdue 3\n"), "{metrics}");
    let marked = records(&group, RecordClass::Case);
    group.stop(A);
    group.start(&[A]);
    assert_eq!(records(&group, RecordClass::Case), marked, "it is marked in the log");
    let metrics = client(&bank).unwrap().metrics().unwrap();
    assert!(metrics.contains("hansa_node_cases_overdue 3\n"), "{metrics}");
    act(&group, &["cases", "confirm", "1"], "officer.a", "it is he");
    assert_eq!(client(&bank).unwrap().cases(overdue).unwrap().cases.len(), 2);
}

#[test]
fn nothing_is_signalled_until_a_gateway_is_named() {
    let mut group = Group::create();
    let config = group.bank(A).config();
    let text = std::fs::read_to_string(&config).unwrap();
    let (before, after) = text.split_once("[signalling]\ngateway = ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    std::fs::write(&config, format!("{before}{after}")).unwrap();
    group.start(&[A]);
    let transfer: Transfer = to_b(1, SUSPICIOUS, MULE);
    group.pay(A, &transfer);
    let case = group.open_case(A, uetr(1));
    let confirmed = group.confirm(A, case);
    assert_eq!((confirmed.case.state, &confirmed.signal), (CaseState::Confirmed, &None));
    assert!(confirmed.note.unwrap().contains("[signalling] names no gateway"));
    assert!(group.signals(A).is_empty());
}
