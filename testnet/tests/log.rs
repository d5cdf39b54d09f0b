//! A whole log leaves a running node, and an auditor checks it without the node: every entry, every decision, no fork.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::command::{Ended, run, says};
use common::message::{HARMLESS, MULE, OTHER, to_b, uetr};
use common::{A, Group};
use hansa_api::{ApiToken, Client, ClientError};
use hansa_keys::{KeyFolder, Purpose};
use hansa_testnet::process::client;
use serde_json::Value;

/// What an auditor has of bank A.
struct Auditor {
    folder: PathBuf,
    manifest: PathBuf,
}

impl Auditor {
    fn of(group: &Group) -> Self {
        Self { folder: group.folder.path().join("audit"), manifest: group.consortium.manifest() }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Runs `hansa-audit` on bank A's log.
    fn audit(&self, arguments: &[&str]) -> Ended {
        let manifest = self.manifest.display().to_string();
        run("hansa-audit", &[arguments, &["--manifest", &manifest, "--bank", "bank-a"]].concat())
    }

    /// The bank exports its log and the keys of its decisions anew; returns what it says of each.
    fn receive(&self, group: &Group) -> (Value, Value) {
        fs::create_dir_all(&self.folder).unwrap();
        let keys = self.folder.join("decisions.keys");
        let _ = fs::remove_file(&keys);
        let log = self.log().display().to_string();
        let exported = group.hansa(A, &["audit", "export-log", &log]);
        let keys = keys.display().to_string();
        (exported, group.hansa(A, &["audit", "decisions", "--log", &log, "--out", &keys]))
    }

    fn reconcile(&self, hub: &[u64], more: &[&str]) -> Ended {
        let lines: String = hub.iter().map(|number| format!("{}\n", uetr(*number))).collect();
        fs::write(self.folder.join("hub.csv"), format!("uetr\n{lines}")).unwrap();
        let (hub, keys, log) = (self.path("hub.csv"), self.path("decisions.keys"), self.path("log"));
        self.audit(&[&["reconcile", &hub, "--decisions", &keys, "--log", &log], more].concat())
    }
}

/// Signs a checkpoint over all that is in the log: exporting evidence does.
fn publish(group: &Group, payment: u64) {
    let out = group.folder.path().join(format!("{payment}.evidence")).display().to_string();
    let _: Value = group.hansa(A, &["audit", "export", &uetr(payment).to_string(), "--out", &out]);
}

#[test]
fn a_log_is_exported_checked_and_reconciled() {
    let group = Group::running(&[A]);
    let auditor = Auditor::of(&group);
    group.pay(A, &to_b(1, HARMLESS, MULE));
    publish(&group, 1);
    auditor.receive(&group);
    fs::copy(auditor.log().join("checkpoint"), auditor.path("first.checkpoint")).unwrap();
    for payment in 2..=300 {
        group.pay(A, &to_b(payment, HARMLESS, OTHER));
    }
    publish(&group, 300);
    let (exported, disclosed) = auditor.receive(&group);
    assert_eq!(disclosed["decisions"], 300);
    let size = exported["size"].as_u64().unwrap();
    assert!(size > 300, "{exported}");

    let log = auditor.path("log");
    let verified = auditor.audit(&["fsck", &log]);
    assert_eq!(verified.code, 0, "{verified:?}");
    says(&verified.stdout, &["VERIFIED: the log of bank-a", exported["root"].as_str().unwrap()]);
    let json: Value = serde_json::from_str(&auditor.audit(&["--json", "fsck", &log]).stdout).unwrap();
    assert_eq!((&json["size"], &json["root"]), (&exported["size"], &exported["root"]));

    one_entry_is_proved(&group, &auditor, size);

    let all: Vec<u64> = (1..=300).collect();
    let found = auditor.reconcile(&all, &[]);
    assert_eq!(found.code, 0, "{found:?}");
    says(&found.stdout, &["RECONCILED", "300 payments, 300 decisions, 300 matched"]);
    let found = auditor.reconcile(&[&all[1..], &[301]].concat(), &[]);
    assert_eq!(found.code, 1, "{found:?}");
    let (gap, extra) = (format!("payment {}, line 301", uetr(301)), format!("payment {} of record", uetr(1)));
    says(&found.stdout, &["NOT RECONCILED", &gap, &extra]);
    says(&found.stderr, &["REFUSED", "1 gaps, 0 doubles, 1 extras, 0 hidden"]);
    assert_eq!(auditor.reconcile(&all[1..], &["--partial"]).code, 0);
    hidden_decisions_are_seen(&auditor, &all);
    checkpoints_are_compared(&auditor);
    damage_is_named(&auditor);
}

/// The bank leaves the last key out.
/// An entry with its proof verifies; another entry, or one that is not there yet, does not.
fn one_entry_is_proved(group: &Group, auditor: &Auditor, size: u64) {
    let prove = |index: u64, name: &str| {
        let (index, name) = (index.to_string(), auditor.path(name));
        run(
            "hansa",
            &[
                "--config",
                &group.bank(A).config().display().to_string(),
                "audit",
                "proof",
                &index,
                "--out",
                &name,
            ],
        )
    };
    assert_eq!(prove(17, "record").code, 0);
    assert_eq!(prove(280, "other").code, 0);
    let (proof, leaf) = (auditor.path("record.tlog-proof"), auditor.path("record.leaf"));
    let verified = auditor.audit(&["proof", &proof, "--leaf", &leaf]);
    assert_eq!(verified.code, 0, "{verified:?}");
    says(&verified.stdout, &["17"]);
    let refused = auditor.audit(&["proof", &proof, "--leaf", &auditor.path("other.leaf")]);
    assert_eq!(refused.code, 1, "{refused:?}");
    says(&prove(17, "record").stderr, &["record.leaf", "exists"]);
    says(&prove(size + 1_000, "beyond").stderr, &["the published log has", "none at"]);
}

fn hidden_decisions_are_seen(auditor: &Auditor, all: &[u64]) {
    let path = auditor.folder.join("decisions.keys");
    let keys = fs::read(&path).unwrap();
    fs::write(&path, &keys[..keys.len() - 40]).unwrap();
    let found = auditor.reconcile(all, &[]);
    assert_eq!(found.code, 1, "{found:?}");
    says(&found.stderr, &["1 gaps, 0 doubles, 0 extras, 1 hidden"]);
    fs::write(&path, keys).unwrap();
}

fn checkpoints_are_compared(auditor: &Auditor) {
    let (first, last, log) =
        (auditor.path("first.checkpoint"), auditor.path("log/checkpoint"), auditor.path("log"));
    let compared = auditor.audit(&["compare", &first, &last, "--log", &log]);
    assert_eq!(compared.code, 0, "{compared:?}");
    says(&compared.stdout, &["CONSISTENT: the log of bank-a grew from"]);
    says(&auditor.audit(&["compare", &last, &last]).stdout, &["SAME"]);
    let undecided = auditor.audit(&["compare", &first, &last]);
    assert_eq!(undecided.code, 1, "{undecided:?}");
    says(&undecided.stderr, &["--consistency", "--log"]);
    let manifest = auditor.manifest.display().to_string();
    let other = run("hansa-audit", &["compare", &first, &last, "--manifest", &manifest, "--bank", "bank-b"]);
    assert_eq!(other.code, 1, "another bank's log: {other:?}");
}

fn damage_is_named(auditor: &Auditor) {
    for name in ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"] {
        let path = auditor.log().join(name);
        let bytes = fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        fs::write(&path, flipped).unwrap();
        let refused = auditor.audit(&["fsck", &auditor.path("log")]);
        assert_eq!(refused.code, 1, "{refused:?}");
        says(&refused.stderr, &["REFUSED", name]);
        fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn an_auditors_token_reads_the_published_log_alone() {
    let group = Group::running(&[A]);
    group.pay(A, &to_b(1, HARMLESS, MULE));
    publish(&group, 1);
    let bank = group.bank(A);
    let token = KeyFolder::new(bank.folder.join("keys")).secret(Purpose::Auditor).unwrap();
    let auditor =
        Client::new(&format!("http://127.0.0.1:{}", bank.api_port), &ApiToken::new(*token.expose())).unwrap();
    let status = |refused: Result<Vec<u8>, ClientError>| match refused {
        Err(ClientError::Refused(problem)) => problem.status,
        other => unreachable!("{other:?}"),
    };
    let note = auditor.log_checkpoint().unwrap();
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    assert!(size > 0 && size < 200, "{note}");
    assert_eq!(auditor.log_tile(&format!("tile/0/000.p/{size}")).unwrap().len() as u64, 32 * size);
    assert!(!auditor.log_tile(&format!("tile/entries/000.p/{size}")).unwrap().is_empty());
    assert_eq!(status(auditor.log_tile("tile/0/000.p/200")), 404, "beyond the checkpoint");
    assert_eq!(status(auditor.log_tile("tile/0/0")), 404, "no tile's path");
    assert_eq!(status(auditor.log_tile("tile/1/000")), 404);
    assert_eq!(status(auditor.disclose_decisions(0)), 403);
    let node = client(bank).unwrap();
    let before = node.status().unwrap().log.size;
    assert_eq!(node.disclose_decisions(0).unwrap().len(), 40);
    assert_eq!(node.status().unwrap().log.size, before + 1, "that keys were given out is recorded");
    assert_eq!(status(node.disclose_decisions(1)), 404);
    assert!(Path::new(&bank.folder.join("keys/auditor.key")).is_file());
}
