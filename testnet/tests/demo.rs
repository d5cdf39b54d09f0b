//! The demo passes, and each of its steps can fail: spoilt for real, it is noticed in that step and for that reason.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::sync::{Mutex, PoisonError};

use common::command::{Ended, run, says};

/// The bounds for the whole story.
const MOST_SECONDS: u64 = 120;
const MOST_SIGNALS: u64 = 20;

/// Demos run one at a time: each starts three nodes, which would only slow one another down.
static TURN: Mutex<()> = Mutex::new(());

fn demo(arguments: &[&str]) -> Ended {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let arguments: Vec<&str> = ["demo"].into_iter().chain(arguments.iter().copied()).collect();
    run("hansa-testnet", &arguments)
}

/// The number of the last step that was told.
fn last_step(told: &str) -> u32 {
    let number = |line: &str| line.split_once(". ")?.0.parse::<u32>().ok();
    told.lines().filter_map(number).next_back().unwrap_or(0)
}

/// The story breaks off in `step`, for `reasons`.
#[track_caller]
fn breaks_off(sabotage: &str, step: u32, reasons: &[&str]) {
    let mut arguments = vec!["--sabotage", sabotage];
    if sabotage != "ceremony" {
        arguments.push("--development-keys");
    }
    let ended = demo(&arguments);
    assert_eq!(ended.code, 1, "{ended:?}");
    says(&ended.stderr, &["the story broke off"]);
    says(&ended.stderr, reasons);
    assert_eq!(last_step(&ended.stdout), step, "{ended:?}");
    assert!(!ended.stdout.contains("Every step was observed"), "{ended:?}");
}

/// The cells of a row of the closing table.
fn row(told: &str, name: &str) -> Vec<String> {
    let cells = told.lines().find_map(|line| line.trim_start().strip_prefix(name)).unwrap_or_default();
    cells.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_demo_passes() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let keep = kept.display().to_string();
    let ended = demo(&["--keep", &keep]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let told = &ended.stdout;
    let closing = told.split("What the nodes say at the end").nth(1).unwrap();
    assert_eq!(row(closing, "bank-a"), ["bank-b", "bank-c"], "the table names all three banks: {closing}");
    for name in ["payments CLEAR", "payments INVESTIGATE", "payments BLOCK", "cases", "log entries"] {
        assert_eq!(row(closing, name).len(), 3, "{name}: {closing}");
    }
    for name in ["signals sent", "signals verified", "signals matched", "signals retracted"] {
        let counts: Vec<u64> = row(closing, name).iter().map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(counts.len(), 3, "{name}: {closing}");
        assert!((1..=MOST_SIGNALS).contains(&counts.iter().sum::<u64>()), "{name}: {closing}");
    }
    let took = told.split("Every step was observed, in ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(took.unwrap().parse::<u64>().unwrap() <= MOST_SECONDS, "{took:?} s");

    let places = [
        "bank-a's frames were screened in the driver of hxdp0",
        "bank-a's frames were screened on the socket (",
    ];
    assert!(places.iter().any(|place| closing.contains(place)), "{closing}");

    let report = closing.split("the ceremony's report: ").nth(1).and_then(|rest| rest.lines().next());
    says(&std::fs::read_to_string(report.unwrap()).unwrap(), &["bank-c", "3 institutions that attested"]);

    // What was kept still shows what it showed, without any node.
    let manifest = kept.join("manifest.hansa").display().to_string();
    let evidence = kept.join("bank-b/payment.evidence").display().to_string();
    let verified = run("hansa-audit", &["verify", &evidence, "--manifest", &manifest]);
    assert_eq!(verified.code, 0, "{verified:?}");
    says(&verified.stdout, &["VERIFIED: evidence from the log of bank-b"]);

    let again = demo(&["--keep", &keep]);
    assert_eq!(again.code, 1, "{again:?}");
    says(&again.stderr, &["exists: name a folder that does not"]);
}

#[test]
fn a_changed_contribution_to_the_ceremony_is_noticed() {
    breaks_off("ceremony", 2, &["contribute", "bank-c", "phase2-0002.hansa"]);
}

#[test]
fn a_changed_manifest_is_noticed() {
    breaks_off("manifest", 3, &["bank-a ended", "does not fit this manifest"]);
}

#[test]
fn a_node_that_refuses_development_keys_is_noticed() {
    breaks_off("development", 3, &["bank-c ended", "development = true", "--development"]);
}

#[test]
fn a_bank_that_may_not_signal_is_noticed() {
    breaks_off("gateway", 4, &["no signal", "[signalling] names no gateway"]);
}

#[test]
fn a_bank_that_screens_against_no_list_is_noticed() {
    breaks_off("watchlist", 6, &["INVESTIGATE listed-name expected", "CLEAR"]);
}

#[test]
fn a_frame_that_is_not_blocked_is_noticed() {
    breaks_off("limit", 7, &["EUR 50000.01 should be answered BLOCK", "PRE-SCREENED"]);
}

#[test]
fn acknowledged_payments_that_are_lost_are_noticed() {
    breaks_off("database", 8, &["was acknowledged before the kill and is not in the log"]);
}

#[test]
fn changed_evidence_is_noticed() {
    breaks_off("evidence", 9, &["hansa-audit verify", "REFUSED: "]);
}

#[test]
fn a_bank_that_is_gone_at_the_end_is_noticed() {
    breaks_off("table", 10, &["bank-c", "status", "is the node running"]);
}
