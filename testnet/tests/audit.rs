//! Evidence, and the commands around it: what is true verifies, what was changed does not, and programs can read it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::path::{Path, PathBuf};

use common::command::{Ended, run, says};
use common::message::{HARMLESS, MULE, OTHER, SUSPICIOUS, to_b, to_c, uetr};
use common::{A, B, Group, consortium, samples};
use hansa_testnet::process::client;
use hansa_types::uetr::Uetr;
use serde_json::Value;

/// Every so many bytes one is changed.
const STRIDE: usize = 97;

fn export(group: &Group, at: usize, payment: Uetr) -> PathBuf {
    let file = group.folder.path().join(format!("{at}-{payment}.evidence"));
    let out = file.display().to_string();
    let written: Value = group.hansa(at, &["audit", "export", &payment.to_string(), "--out", &out]);
    assert_eq!(written["bytes"], std::fs::metadata(&file).unwrap().len());
    file
}

fn verify(file: &Path, manifest: &Path) -> Ended {
    let (file, manifest) = (file.display().to_string(), manifest.display().to_string());
    run("hansa-audit", &["verify", &file, "--manifest", &manifest])
}

/// The bundle is refused, and the reason said.
#[track_caller]
fn refused(file: &Path, manifest: &Path, what: &str) -> String {
    let ended = verify(file, manifest);
    assert_eq!(ended.code, 1, "{what}: {ended:?}");
    assert!(ended.stdout.is_empty(), "{what}: {ended:?}");
    let reason = ended.stderr.trim().strip_prefix("hansa-audit: REFUSED: ").unwrap_or_default().to_owned();
    assert!(reason.len() > 10 && !reason.contains("panicked"), "{what}: {ended:?}");
    reason
}

/// Whatever is changed, cut off or added is noticed.
fn no_change_goes_unnoticed(file: &Path, manifest: &Path) {
    let bytes = std::fs::read(file).unwrap();
    let changed = file.with_extension("changed");
    let write = |bytes: &[u8]| std::fs::write(&changed, bytes).unwrap();
    for at in (0..bytes.len()).step_by(STRIDE) {
        let mut copy = bytes.clone();
        copy[at] ^= 1;
        write(&copy);
        refused(&changed, manifest, &format!("byte {at} of {} changed", bytes.len()));
        write(&bytes[..at]);
        refused(&changed, manifest, &format!("cut off at byte {at}"));
    }
    write(&[&bytes[..], b"\n"].concat());
    refused(&changed, manifest, "a byte more");
    write(&bytes);
    assert_eq!(verify(&changed, manifest).code, 0, "unchanged again it holds");
}

#[test]
fn evidence_of_a_plain_payment() {
    let group = Group::running(&[A]);
    group.pay(A, &to_b(1, HARMLESS, MULE));
    group.pay(A, &to_b(2, HARMLESS, OTHER));
    let file = export(&group, A, uetr(1));
    let manifest = group.consortium.manifest();
    let verified = verify(&file, &manifest);
    assert_eq!(verified.code, 0, "{verified:?}");
    let payment = format!("decision CLEAR on payment {}", uetr(1));
    says(&verified.stdout, &["VERIFIED: evidence from the log of bank-a", &payment, "development set-up"]);
    assert!(!verified.stdout.contains(&uetr(2).to_string()), "another payment is nobody's business");

    no_change_goes_unnoticed(&file, &manifest);

    // Another consortium may have the same names; it has other keys.
    let other = tempfile::tempdir().unwrap();
    let stranger = consortium(&other.path().join("other"));
    let reason = refused(&file, &stranger.manifest(), "another consortium's manifest");
    assert!(reason.contains("sign") || reason.contains("key"), "{reason}");
    refused(&file, &file, "a bundle as manifest");
    refused(&manifest, &manifest, "a manifest as bundle");
    refused(Path::new("/nonexistent/payment.evidence"), &manifest, "no file");

    let out = file.display().to_string();
    let config = group.bank(A).config().display().to_string();
    let again = run("hansa", &["--config", &config, "audit", "export", &uetr(2).to_string(), "--out", &out]);
    assert_eq!(again.code, 1, "a file that is there is not overwritten: {again:?}");
    assert_eq!(verify(&file, &manifest).code, 0);
    let none = group.folder.path().join("none.evidence");
    let out = none.display().to_string();
    let unknown =
        run("hansa", &["--config", &config, "audit", "export", &uetr(9).to_string(), "--out", &out]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    says(&unknown.stderr, &["holds no decision"]);
    assert!(!none.exists());
}

#[test]
fn evidence_of_a_signal_on_both_sides() {
    let mut group = Group::running(&[A, B]);
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    group.alerted(B, signal).unwrap();
    group.sent(A, signal);
    group.pay(B, &to_c(2, "180.00", MULE));
    group.pay(B, &to_c(3, "190.00", MULE));
    let manifest = group.consortium.manifest();
    let (a, b) = (export(&group, A, uetr(1)), export(&group, B, uetr(2)));

    let verified = verify(&a, &manifest);
    assert_eq!(verified.code, 0, "{verified:?}");
    let opens = format!("signal {signal} commits to the decision on {}", uetr(1));
    says(
        &verified.stdout,
        &["decision CLEAR", "signal-intent", "signal-sent", "the proof holds", &opens, "yields the tag"],
    );
    let verified = verify(&b, &manifest);
    assert_eq!(verified.code, 0, "{verified:?}");
    let held = format!("decision INVESTIGATE on payment {}", uetr(2));
    says(
        &verified.stdout,
        &[&held, "signal-received", "the proof holds", &signal.to_string(), "yields the tag"],
    );
    assert!(
        !verified.stdout.contains(&uetr(3).to_string()),
        "nor the other payment held for it: {verified:?}"
    );

    no_change_goes_unnoticed(&a, &manifest);
    no_change_goes_unnoticed(&b, &manifest);
}

#[test]
fn evidence_while_a_signal_waits() {
    let mut group = Group::running(&[A]);
    group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    group.waiting(A);
    let file = export(&group, A, uetr(1));
    let verified = verify(&file, &group.consortium.manifest());
    assert_eq!(verified.code, 0, "{verified:?}");
    says(&verified.stdout, &["decision CLEAR", "signal-intent"]);
    assert!(!verified.stdout.contains("signal-sent"), "{verified:?}");
}

#[test]
fn show_prints_bundles_and_manifests_and_refuses_anything_else() {
    let group = Group::running(&[A]);
    group.pay(A, &to_b(1, HARMLESS, MULE));
    let file = export(&group, A, uetr(1)).display().to_string();
    let manifest = group.consortium.manifest().display().to_string();

    let shown = run("hansa-audit", &["show", &file]);
    assert_eq!(shown.code, 0, "{shown:?}");
    says(&shown.stdout, &["NOT VERIFIED", "hansa/testnet/bank-a", "records at"]);
    let shown: Value = serde_json::from_str(&run("hansa-audit", &["--json", "show", &file]).stdout).unwrap();
    assert_eq!(shown["records"].as_array().map(Vec::len), Some(1));

    let shown = run("hansa-audit", &["show", &manifest]);
    assert_eq!(shown.code, 0, "{shown:?}");
    says(&shown.stdout, &["testnet", "bank-a", "bank-b", "bank-c", "development", "fraud"]);
    let shown: Value =
        serde_json::from_str(&run("hansa-audit", &["show", &manifest, "--json"]).stdout).unwrap();
    assert_eq!(shown["development"], true);

    let config = group.bank(A).config().display().to_string();
    let neither = run("hansa-audit", &["show", &config]);
    assert_eq!(neither.code, 1, "{neither:?}");
    assert!(neither.stdout.is_empty() && neither.stderr.contains("REFUSED: "), "{neither:?}");
    assert_eq!(run("hansa-audit", &["verify", &file]).code, 2, "without a manifest: wrong usage");
}

/// Every command that prints data, with `--json`.
#[test]
fn programs_can_read_what_every_command_prints() {
    let mut group = Group::running(&[A, B]);
    let signal = group.signal(A, &to_b(1, SUSPICIOUS, MULE));
    group.alerted(B, signal).unwrap();
    group.sent(A, signal);
    group.pay(A, &to_b(2, HARMLESS, OTHER));
    let at = |at: usize, arguments: &[&str]| -> Value { group.hansa(at, arguments) };
    let officer = ["--actor", "officer", "--note", "seen"];
    let step = |case: &str, verb: &str| {
        let arguments = ["cases", verb, case].into_iter().chain(officer).collect::<Vec<_>>();
        at(A, &arguments)
    };
    let payment = uetr(2).to_string();
    let open = ["cases", "open", &payment, "--suspect", "debtor"];
    let opened = at(A, &open.into_iter().chain(officer).collect::<Vec<_>>());
    assert_eq!(opened["case"]["state"], "open");
    let number = opened["case"]["number"].to_string();
    for (verb, state) in [("assign", "assigned"), ("confirm", "confirmed"), ("report", "confirmed")] {
        assert_eq!(step(&number, verb)["case"]["state"], state);
    }
    let second = ["--actor", "second", "--note", "seen too"];
    let answer = |verb: &str| at(A, &["cases", verb, &number].into_iter().chain(second).collect::<Vec<_>>());
    let cases = |filter: &[&str]| at(A, &[&["cases", "list"], filter].concat())["cases"].clone();
    assert_eq!(cases(&["--proposed"])[0]["proposal"]["state"], "reported");
    assert_eq!(answer("decline")["case"]["state"], "confirmed");
    step(&number, "report");
    assert_eq!(answer("approve")["case"]["state"], "reported");
    assert_eq!(at(A, &["cases", "show", &number, "--actor", "second"])["steps"][3]["act"], "propose");
    let draft =
        at(A, &["cases", "draft", &number, "--actor", "second"])["draft"].as_str().unwrap().to_owned();
    assert!(draft.starts_with("DRAFT. Not sent to anybody.\n") && draft.contains(&payment), "{draft}");
    let again = at(A, &open.into_iter().chain(officer).collect::<Vec<_>>());
    assert_eq!(step(&again["case"]["number"].to_string(), "clear")["case"]["state"], "cleared");
    assert_eq!(cases(&[]).as_array().map(Vec::len), Some(3));
    assert_eq!(cases(&["--state", "cleared"]).as_array().map(Vec::len), Some(1));
    assert_eq!(cases(&["--state", "open"]), Value::Array(vec![]));

    assert_eq!(at(A, &["signals", "list"])[0]["id"], signal.to_string());
    assert_eq!(at(A, &["signals", "list"])[0]["state"], "published");
    assert_eq!(at(B, &["signals", "list"])[0]["state"], "verified");
    assert_eq!(at(B, &["alerts", "list"])[0]["state"], "open");
    assert_eq!(at(A, &["alerts", "list"]), Value::Array(vec![]));
    let retracted = at(A, &["signals", "retract", &signal.to_string(), "--actor", "officer"]);
    assert_eq!(retracted["state"], "retracted");
    assert_eq!(at(A, &["status"])["bank"], "bank-a");
    assert_eq!(at(A, &["audit", "show", &payment])[0]["class"], "decision");
    let file = export(&group, A, uetr(2)).display().to_string();

    let manifest = group.consortium.manifest().display().to_string();
    let verified = run("hansa-audit", &["verify", &file, "--manifest", &manifest, "--json"]);
    let verified: Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!((&verified["bank"], &verified["development"]), (&Value::from("bank-a"), &Value::from(true)));
    let folder = group.consortium.folder.display().to_string();
    let status = run("hansa-testnet", &["status", "--dir", &folder, "--json"]);
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    let up: Vec<_> = status.as_array().unwrap().iter().map(|bank| bank["up"].as_bool().unwrap()).collect();
    assert_eq!(up, [true, true, false]);
    client(group.bank(B)).unwrap().metrics().unwrap().lines().last().filter(|end| *end == "# EOF").unwrap();
}

/// The commands that need no node.
#[test]
fn screen_and_init_print_json_and_say_by_their_exit_codes_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let bank = folder.path().join("bank-x").display().to_string();
    let init = [
        "--json",
        "init",
        &bank,
        "--bank",
        "bank-x",
        "--institution",
        "Bank X",
        "--parent",
        "5493001KJTIIGC8Y1R12",
        "--epochs",
        "2",
    ];
    let made = run("hansa", &init);
    assert_eq!(made.code, 0, "{made:?}");
    let member: Value = serde_json::from_str(&made.stdout).unwrap();
    assert_eq!(member["traces"].as_object().map(serde_json::Map::len), Some(2));
    let again = run("hansa", &init);
    assert_eq!(again.code, 1, "{again:?}");
    says(&again.stderr, &["exists"]);

    let list = samples().join("watchlist.csv").display().to_string();
    let config = folder.path().join("none.toml").display().to_string();
    let screen = |files: &[&str]| {
        let files: Vec<String> =
            files.iter().map(|f| samples().join("messages").join(f).display().to_string()).collect();
        let head = ["--json", "screen", "--list", &list, "--date", "2026-11-20"];
        let arguments: Vec<&str> = head.into_iter().chain(files.iter().map(String::as_str)).collect();
        run("hansa", &arguments)
    };
    let (clear, named, refused) = ("01-clear-domestic.xml", "10-listed-name-exact.xml", "51-doctype.xml");
    for (files, code) in [(&[clear][..], 0), (&[clear, named], 10), (&[named, refused], 12)] {
        let screened = screen(files);
        assert_eq!(screened.code, code, "{files:?}: {screened:?}");
        let json: Value = serde_json::from_str(&screened.stdout).unwrap();
        assert_eq!(json.as_array().map(Vec::len), Some(files.len()));
    }
    let none = run("hansa", &["--config", &config, "status"]);
    assert_eq!(none.code, 1, "{none:?}");
    says(&none.stderr, &["hansa init"]);
    assert_eq!(run("hansa", &["bogus"]).code, 2);
}
