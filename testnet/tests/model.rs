//! The model while a node runs: tried, reloaded, watched and taken back; and a node that only shadows another screener.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::path::PathBuf;

use common::command::run;
use common::message::{HARMLESS, LISTED, MULE, OTHER, Transfer, message, to_b, uetr};
use common::{A, Group};
use hansa_api::model::{BacktestView, DriftView, ModelView, SampleView};
use hansa_node::events::Event;
use hansa_testnet::process::client;
use hansa_types::decision::Verdict;
use serde_json::Value;

/// How many payments a comparison of models needs on either side.
const ENOUGH: u64 = 200;
/// Holds nothing of what the tests send.
const MILD: &str = "version = 1\nhold_threshold = 1000\n[weights]\nagent_chain = 20\n";
/// Holds everything.
const WILD: &str = "version = 2\nhold_threshold = 1\n[weights]\nvelocity_count = 15\n";
/// Holds nothing either, and weighs otherwise.
const OTHERWISE: &str = "version = 3\nhold_threshold = 2000\n[weights]\nagent_chain = 30\n";

/// A bank with this model and more screening configuration; nothing runs yet.
fn bank(model: &str, more: &str) -> (Group, PathBuf) {
    let group = Group::create();
    let file = group.bank(A).folder.join("model.toml");
    std::fs::write(&file, model).unwrap();
    let config = std::fs::read_to_string(group.bank(A).config()).unwrap();
    let section = format!("[screening]\nmodel = \"model.toml\"\n{more}\n\n[screening.policy]");
    let config = config.replacen("[screening.policy]", &section, 1);
    std::fs::write(group.bank(A).config(), config).unwrap();
    (group, file)
}

/// Decides on payments numbered from `first` on; returns how many are not CLEAR.
fn pay_many(group: &Group, first: u64, count: u64) -> usize {
    let client = client(group.bank(A)).unwrap();
    let transfers: Vec<Transfer> = (first..first + count).map(|n| to_b(n, HARMLESS, OTHER)).collect();
    let held = transfers.chunks(50).map(|some| {
        let answer = client.submit(message(some).as_bytes(), false).unwrap();
        answer.payments.iter().filter(|payment| payment.verdict != Some(Verdict::Clear)).count()
    });
    held.sum()
}

fn told(group: &mut Group, wanted: &str) -> (u32, u32) {
    let said = |event: &Event| match event {
        Event::Model { what, from, to, .. } if what == wanted => Some((*from, *to)),
        _ => None,
    };
    group.node(A).wait(wanted, said).unwrap()
}

#[test]
fn a_model_that_decides_much_otherwise_is_taken_back_and_stays_so() {
    let (mut group, file) = bank(MILD, "");
    group.start(&[A]);
    assert_eq!(pay_many(&group, 0, ENOUGH), 0);

    // Tried before it is used: everything would be held.
    let wild = group.folder.path().join("wild.toml");
    std::fs::write(&wild, WILD).unwrap();
    let wild = wild.display().to_string();
    let tried: BacktestView = group.hansa(A, &["model", "backtest", &wild]);
    assert_eq!((tried.decisions, tried.newly_held), (ENOUGH, ENOUGH));
    assert!(tried.was.alerts_per_1000 == 0.0 && tried.is.alerts_per_1000 == 1000.0, "{tried:?}");
    assert_eq!(tried.newly_held_payments.len(), 20);

    std::fs::write(&file, WILD).unwrap();
    let reloaded: ModelView = group.hansa(A, &["model", "reload", "--actor", "officer"]);
    assert!(reloaded.version == 2 && reloaded.watched_until.is_some() && !reloaded.registered);
    told(&mut group, "model-changed");
    assert_eq!(pay_many(&group, 1_000, ENOUGH), ENOUGH as usize);
    assert_eq!(told(&mut group, "model-rolled-back"), (2, 1));
    let status: ModelView = group.hansa(A, &["model", "status"]);
    assert!(status.version == 1 && status.watched_until.is_none());
    assert_eq!(pay_many(&group, 2_000, 1), 0);

    // The file still names the model that was taken back: a start does not bring it back.
    group.stop(A);
    group.start(&[A]);
    assert_eq!(group.hansa::<ModelView>(A, &["model", "status"]).version, 1);
    let drift: DriftView = group.hansa(A, &["model", "drift", "--days", "1"]);
    assert!(drift.decisions == (0, 2 * ENOUGH + 1) && drift.psi.is_none(), "{drift:?}");
    let sample: SampleView = group.hansa(A, &["model", "sample", "--points", "1000", "--count", "3"]);
    assert!(sample.below.len() == 3 && sample.threshold == 1000, "{sample:?}");
    let again: SampleView = group.hansa(A, &["model", "sample", "--points", "1000", "--count", "3"]);
    assert_eq!(again, sample, "who is drawn does not depend on who asks");

    let none: DriftView = group.hansa(A, &["model", "drift", "--days", "0", "--reference", "1"]);
    assert_eq!(none.decisions, (2 * ENOUGH + 1, 0));

    // Whoever wants it all the same says so.
    let kept = ["model", "reload", "--unwatched", "--actor", "officer"];
    let reloaded: ModelView = group.hansa(A, &kept);
    assert!(reloaded.version == 2 && reloaded.watched_until.is_none(), "{reloaded:?}");
    assert_eq!(pay_many(&group, 3_000, 1), 1);

    // A broken file is refused, and the model in use stays.
    std::fs::write(&file, "version = 4").unwrap();
    let config = group.bank(A).config().display().to_string();
    let ended = run("hansa", &["--config", &config, "model", "reload", "--actor", "officer"]);
    assert!(ended.code == 1 && ended.stderr.contains("stays"), "{ended:?}");
    assert_eq!(group.hansa::<ModelView>(A, &["model", "status"]).version, 2);
    group.stop(A);
}

#[test]
fn a_challenger_is_scored_beside_the_model_and_decides_nothing() {
    let (mut group, file) = bank(MILD, "challenger = \"challenger.toml\"");
    std::fs::write(file.with_file_name("challenger.toml"), WILD).unwrap();
    group.start(&[A]);
    assert_eq!(pay_many(&group, 0, 3), 0);
    let metrics = common::http::get(group.bank(A), "/metrics").body;
    assert!(metrics.contains("hansa_node_challenger_total{outcome=\"only-challenger\"} 3"), "{metrics}");
    std::fs::write(&file, OTHERWISE).unwrap();
    let reloaded: ModelView = group.hansa(A, &["model", "reload", "--actor", "officer"]);
    assert!(reloaded.version == 3 && reloaded.challenger == Some(2));
    group.stop(A);
}

#[test]
fn a_node_in_shadow_answers_no_rail_and_is_compared_with_who_does() {
    let mut group = Group::create();
    let config = std::fs::read_to_string(group.bank(A).config()).unwrap();
    let shadow =
        config.replacen("[screening.policy]", "[screening]\nmode = \"shadow\"\n\n[screening.policy]", 1);
    std::fs::write(group.bank(A).config(), shadow).unwrap();
    group.start(&[A]);
    let node = client(group.bank(A)).unwrap();
    for (number, creditor) in [(1, OTHER), (2, LISTED), (3, LISTED)] {
        let answer = node.submit(to_b(number, HARMLESS, creditor).message().as_bytes(), false).unwrap();
        assert!(answer.shadow && answer.payments[0].verdict.is_none(), "{answer:?}");
        assert!(answer.payments[0].outward_code.is_none());
    }
    let refused = node.report(to_b(4, HARMLESS, MULE).message().as_bytes()).unwrap_err().to_string();
    assert!(refused.contains("shadow"), "{refused}");

    let file = group.folder.path().join("incumbent.csv");
    let line = |number, alert| format!("{},{alert}\n", uetr(number));
    let lines = [line(1, "yes"), line(2, "yes"), line(3, "no"), line(9, "no")].concat();
    std::fs::write(&file, format!("uetr,alert\n{lines}")).unwrap();
    let out = group.folder.path().join("differences.csv");
    let (file, out) = (file.display().to_string(), out.display().to_string());
    let found: Value = group.hansa(A, &["shadow", "compare", &file, "--out", &out]);
    let number = |name: &str| found[name].as_u64().unwrap();
    assert_eq!((number("payments"), number("missing"), number("both")), (3, 1, 1));
    assert_eq!((number("only_ours"), number("only_theirs"), number("neither")), (1, 1, 0));
    let written = std::fs::read_to_string(&out).unwrap();
    assert!(written.contains(&format!("{},ours,INVESTIGATE", uetr(3))), "{written}");
    assert!(written.contains("listed-name") && written.lines().count() == 3, "{written}");
    group.stop(A);
}
