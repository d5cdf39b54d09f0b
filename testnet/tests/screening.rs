//! Screening while a node runs: lists and customers that change under it, what is screened anew, exceptions, and decisions
//! explained and taken again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::path::{Path, PathBuf};

use common::command::{Ended, run};
use common::message::{HARMLESS, LISTED, OTHER, VICTIM, to_b, uetr};
use common::{A, Group, samples};
use hansa_api::model::{
    CaseList, CaseView, CustomerChangeView, CustomersView, ExceptionView, ListChangeView, ListEntryView,
    ListsView, ReplayView, WhyView,
};
use hansa_node::events::Event;
use hansa_testnet::process::client;
use hansa_types::decision::{Reason, Verdict};

const ACTOR: [&str; 2] = ["--actor", "officer"];
/// A row of our own form about whoever bears `name`.
fn row(id: &str, name: &str) -> String {
    format!("{id},person,FICTION-SANCTIONS,{name},,,,,,,,\n")
}

/// The samples' list with `more` rows, as a file in `folder`.
fn grown(folder: &Path, more: &str) -> PathBuf {
    let path = folder.join("grown.csv");
    let list = std::fs::read_to_string(samples().join("watchlist.csv")).unwrap();
    std::fs::write(&path, list + more).unwrap();
    path
}

fn import(group: &Group, file: &Path, date: &str, more: &[&str]) -> Result<ListChangeView, String> {
    let file = file.display().to_string();
    let mut arguments = vec!["--json", "lists", "import", "samples", &file, "--date", date];
    arguments.extend(ACTOR.iter().chain(more));
    let Ended { code, stdout, stderr } = hansa(group, &arguments);
    if code == 0 { Ok(serde_json::from_str(&stdout).unwrap()) } else { Err(stderr) }
}

fn hansa(group: &Group, arguments: &[&str]) -> Ended {
    let config = group.bank(A).config().display().to_string();
    run("hansa", &[&["--config", &config], arguments].concat())
}

fn rescreened(group: &mut Group, part: &str) -> u64 {
    let said = |event: &Event| match event {
        Event::Rescreened { cause, cases, .. } if cause.contains(part) => Some(*cases),
        _ => None,
    };
    group.node(A).wait("rescreened", said).unwrap()
}

/// The notes of every step of every case.
fn notes(group: &Group) -> Vec<String> {
    let all: CaseList = group.hansa(A, &["cases", "list"]);
    let shown = all.cases.iter().map(|case| {
        let number = case.number.to_string();
        group.hansa::<CaseView>(A, &[&["cases", "show", &number][..], &ACTOR].concat())
    });
    shown.flat_map(|case| case.steps).map(|step| step.note).collect()
}

#[test]
fn a_list_is_swapped_while_the_node_runs_and_what_is_broken_is_refused() {
    let mut group = Group::running(&[A]);
    rescreened(&mut group, "every customer");
    let before = group.pay(A, &to_b(1, HARMLESS, OTHER));
    assert_eq!(before.verdict, Some(Verdict::Clear));
    let newer = grown(group.folder.path(), &row("HX-011", OTHER.name));

    let preview = import(&group, &newer, "2026-11-21", &["--preview"]).unwrap();
    assert_eq!((preview.taken, &preview.added[..]), (false, &["HX-011".to_owned()][..]));
    assert_eq!(group.pay(A, &to_b(2, HARMLESS, OTHER)).verdict, Some(Verdict::Clear), "only a preview");

    // Cut off, older, much shorter: the one in use stays, and everybody is told.
    let whole = std::fs::read(&newer).unwrap();
    let broken = group.folder.path().join("broken.csv");
    std::fs::write(&broken, &whole[..whole.len() - 20]).unwrap();
    let said = import(&group, &broken, "2026-11-21", &[]).unwrap_err();
    assert!(said.contains("line 12") && said.contains("the one in use stays"), "{said}");
    let refused = |event: &Event| matches!(event, Event::ListRefused { .. }).then_some(());
    group.node(A).wait("list refused", refused).unwrap();
    let said = import(&group, &newer, "2026-11-19", &[]).unwrap_err();
    assert!(said.contains("the one in use of 2026-11-20"), "{said}");
    let header = std::fs::read_to_string(&newer).unwrap().lines().take(4).collect::<Vec<_>>().join("\n");
    std::fs::write(&broken, header + "\n").unwrap();
    let said = import(&group, &broken, "2026-11-21", &[]).unwrap_err();
    assert!(said.contains("3 entries, the one in use 10"), "{said}");
    let status: ListsView = group.hansa(A, &["lists", "status"]);
    assert_eq!(status.lists[0].version.date.to_string(), "2026-11-20");
    assert!(status.lists[0].refused.as_ref().unwrap().contains("3 entries"), "{status:?}");

    // Taken over: the next payment is decided by it, and the last ones are looked at again.
    let taken = import(&group, &newer, "2026-11-21", &[]).unwrap();
    assert!(taken.taken && taken.to.entries == 11);
    let after = group.pay(A, &to_b(3, HARMLESS, OTHER));
    assert_eq!(after.verdict, Some(Verdict::Investigate));
    assert_eq!(rescreened(&mut group, "samples of 2026-11-21"), 2, "payments 1 and 2");
    let notes_of_both = notes(&group);
    assert_eq!(notes_of_both.iter().filter(|note| note.contains("HX-011")).count(), 2, "{notes_of_both:?}");
    let entry: ListEntryView = group.hansa(A, &["lists", "show", "samples", "HX-011"]);
    assert_eq!(entry.names[0].0, OTHER.name);
    let diff: ListChangeView = group.hansa(A, &["lists", "diff", "samples", "--from", "2026-11-20"]);
    assert_eq!((diff.added.len(), diff.removed.len()), (1, 0));

    // Each decision comes out again by the list that it was taken with, also after a restart, which keeps the newer list.
    group.stop(A);
    group.start(&[A]);
    for (number, verdict, date) in
        [(1, Verdict::Clear, "2026-11-20"), (3, Verdict::Investigate, "2026-11-21")]
    {
        let payment = uetr(number).to_string();
        let replay: ReplayView = group.hansa(A, &["replay", &payment]);
        assert!(replay.same && replay.replayed.verdict == verdict, "{replay:?}");
        assert_eq!(replay.decided.lists[0].date, date);
        let why: WhyView = group.hansa(A, &["why", &payment]);
        assert_eq!(why.summands.iter().map(|summand| summand.points).sum::<i64>(), why.decided.score);
        assert_eq!(why.today.verdict, Verdict::Investigate);
    }
    let again = group.pay(A, &to_b(1, HARMLESS, OTHER));
    assert_eq!(again.verdict, Some(Verdict::Clear), "what was answered stays answered");
    group.stop(A);
}

#[test]
fn a_list_is_fetched_from_its_source_and_a_node_that_does_not_run_begins_with_what_was_imported() {
    let mut group = Group::create();
    let source = group.folder.path().join("source.csv");
    let config = std::fs::read_to_string(group.bank(A).config()).unwrap();
    let fetch = format!("max_age_days = 1\n[screening.lists.fetch]\nmain = {source:?}\n\n[p2p.network]");
    std::fs::write(group.bank(A).config(), config.replacen("[p2p.network]", &fetch, 1)).unwrap();
    // Nothing is there yet: the node begins with the configuration's file, and says that it hears nothing new.
    group.start(&[A]);
    let refused = |event: &Event| matches!(event, Event::ListRefused { .. }).then_some(());
    group.node(A).wait("list refused", refused).unwrap();
    let ready = client(group.bank(A)).unwrap().readiness().unwrap();
    let lists = ready.checks.iter().find(|check| check.name == "lists").unwrap();
    assert!(!lists.ok && lists.detail.contains("no news of samples"), "{lists:?}");
    std::fs::copy(grown(group.folder.path(), &row("HX-011", OTHER.name)), &source).unwrap();
    let fetched: ListChangeView = group.hansa(A, &["lists", "fetch", "samples", "--actor", "officer"]);
    assert!(fetched.taken && fetched.added == ["HX-011"], "{fetched:?}");
    assert!(client(group.bank(A)).unwrap().readiness().unwrap().ready);
    assert_eq!(group.pay(A, &to_b(1, HARMLESS, OTHER)).verdict, Some(Verdict::Investigate));
    group.stop(A);

    let even = grown(group.folder.path(), &(row("HX-011", OTHER.name) + &row("HX-012", VICTIM.name)));
    std::fs::copy(&even, &source).unwrap();
    let stored = import(&group, &even, "2099-01-01", &[]).unwrap();
    assert_eq!(stored.added, ["HX-012"]);
    group.start(&[A]);
    let found = rescreened(&mut group, "samples of 2099-01-01");
    assert!(found >= 1, "the customer of that name and her payment: {found}");
    assert_eq!(group.pay(A, &to_b(2, HARMLESS, OTHER)).verdict, Some(Verdict::Investigate));
    group.stop(A);
}

#[test]
fn customers_who_come_are_screened_and_a_broken_file_changes_nothing() {
    let mut group = Group::running(&[A]);
    rescreened(&mut group, "every customer");
    let path = group.bank(A).folder.join("customers.csv");
    let one = std::fs::read_to_string(&path).unwrap();
    // Whoever writes the file has it read.
    let listed = format!("{one}{},{},,FR\n", LISTED.iban, LISTED.name);
    std::fs::write(&path, &listed).unwrap();
    assert_eq!(rescreened(&mut group, "1 customers changed"), 1);
    let noted = notes(&group);
    assert!(noted.iter().any(|note| note.contains("HX-001")), "{noted:?}");
    std::fs::write(&path, "account,name\n").unwrap();
    let refused = |event: &Event| matches!(event, Event::CustomersRefused { .. }).then_some(());
    group.node(A).wait("customers refused", refused).unwrap();
    let status: CustomersView = group.hansa(A, &["customers", "status"]);
    assert!(status.accounts == 2 && status.refused.is_some(), "{status:?}");

    // A whole file by command: fewer only if forced.
    let file = group.folder.path().join("import.csv");
    std::fs::write(&file, &one).unwrap();
    let file = file.display().to_string();
    let command = ["customers", "import", &file, "--actor", "feed"];
    let ended = hansa(&group, &command);
    assert!(ended.code == 1 && ended.stderr.contains("force"), "{ended:?}");
    let done: CustomerChangeView = group.hansa(A, &[&command[..], &["--force"]].concat());
    assert_eq!((done.closed, done.accounts), (1, 1));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), one);
    group.stop(A);
}

#[test]
fn an_exception_is_granted_for_one_account_shown_and_withdrawn() {
    let mut group = Group::running(&[A]);
    let held = group.pay(A, &to_b(1, HARMLESS, LISTED));
    assert_eq!(held.verdict, Some(Verdict::Investigate));
    let grant = [
        "exceptions",
        "grant",
        "samples",
        "HX-001",
        "--account",
        LISTED.iban,
        "--reason",
        "born 1990; passport seen",
    ];
    let said = hansa(&group, &[&grant[..], &ACTOR, &["--days", "1000"]].concat());
    assert!(said.code == 1 && said.stderr.contains("1 to 366 days"), "{said:?}");
    let granted: ExceptionView = group.hansa(A, &[&grant[..], &ACTOR].concat());
    assert!(granted.holds);
    let again = hansa(&group, &[&grant[..], &ACTOR].concat());
    assert!(again.code == 1 && again.stderr.contains("withdraw it first"), "{again:?}");

    assert_eq!(group.pay(A, &to_b(2, HARMLESS, LISTED)).verdict, Some(Verdict::Clear));
    // It survives a restart, and the decision that rests on it comes out again.
    group.stop(A);
    group.start(&[A]);
    let replay: ReplayView = group.hansa(A, &["replay", &uetr(2).to_string()]);
    assert!(replay.same, "{replay:?}");
    let why: WhyView = group.hansa(A, &["why", &uetr(1).to_string()]);
    assert_eq!(why.today.verdict, Verdict::Clear, "today the exception counts");
    assert!(why.without.iter().any(|w| w.reason == Reason::ListedName && w.verdict == Verdict::Clear));

    let id = granted.id.to_string();
    let withdraw = ["exceptions", "withdraw", &id, "--reason", "passport forged"];
    let withdrawn: ExceptionView = group.hansa(A, &[&withdraw[..], &ACTOR].concat());
    assert!(!withdrawn.holds);
    let left: Vec<ExceptionView> = group.hansa(A, &["exceptions", "list"]);
    assert_eq!(left.len(), 0);
    // Whoever was let pass under it is looked at again.
    let noted = notes(&group);
    assert!(noted.iter().any(|note| note.contains("was withdrawn: passport forged")), "{noted:?}");
    assert_eq!(group.pay(A, &to_b(3, HARMLESS, LISTED)).verdict, Some(Verdict::Investigate));
    group.stop(A);
}
