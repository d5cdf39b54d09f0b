//! Backups of a real bank: made while it runs, practised, and restored by two officers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::command::{Ended, run, says};
use common::message::{HARMLESS, OTHER, to_b};
use common::{A, B, C, Group};
use hansa_api::model::{AnswerStatus, BackupView};
use hansa_node::events::Event;
use hansa_testnet::process::client;
use serde_json::Value;

/// Bank A with a `[backup]` section, two officers, and an identity that reads its backups.
struct Prepared {
    group: Group,
    identity: PathBuf,
}

impl Prepared {
    fn new() -> Self {
        let group = Group::create();
        let folder = group.folder.path().to_owned();
        let identity = folder.join("backup.identity");
        let made: Value = group.hansa(A, &["backup", "keygen", "--out", &text(&identity)]);
        let recipient = made["recipient"].as_str().unwrap().to_owned();
        let mut approvers = Vec::new();
        for officer in ["ada", "bob"] {
            let path = text(&folder.join(format!("{officer}.key")));
            let made: Value = group.hansa(A, &["backup", "keygen", "--officer", "--out", &path]);
            approvers.push(format!("{{ actor = \"{officer}\", key = {} }}", made["key"]));
        }
        let config = group.bank(A).config();
        let section = format!(
            "\n[backup]\nrecipients = [\"{recipient}\"]\nevery_minutes = 0\noff_site = \"off-site\"\napprovers = [{}]\n",
            approvers.join(", ")
        );
        fs::create_dir(group.bank(A).folder.join("off-site")).unwrap();
        fs::write(&config, fs::read_to_string(&config).unwrap() + &section).unwrap();
        Self { group, identity }
    }

    fn path(&self, backup: &BackupView) -> PathBuf {
        self.group.bank(A).folder.join("backups").join(&backup.file)
    }

    fn create(&self) -> BackupView {
        self.group.hansa(A, &["backup", "create"])
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let config = text(&self.group.bank(A).config());
        run("hansa", &[["--config", &config, "--json"].as_slice(), arguments].concat())
    }

    fn approve(&self, backup: &BackupView, officer: &str) -> PathBuf {
        let folder = self.group.folder.path();
        let (key, out) = (folder.join(format!("{officer}.key")), folder.join(format!("{officer}.approval")));
        let _ = fs::remove_file(&out);
        let (file, key) = (text(&self.path(backup)), text(&key));
        let approve = ["backup", "approve", &file, "--actor", officer, "--key", &key, "--reason", "drill"];
        let _: Value = self.group.hansa(A, &[approve.as_slice(), &["--out", &text(&out)]].concat());
        out
    }

    fn restore(&self, backup: &BackupView, approvals: &[&Path]) -> Ended {
        let (file, identity) = (text(&self.path(backup)), text(&self.identity));
        let mut arguments = vec!["backup", "restore", &file, "--identity", &identity];
        let approvals: Vec<String> = approvals.iter().map(|path| text(path)).collect();
        for approval in &approvals {
            arguments.extend(["--approval", approval]);
        }
        self.run(&arguments)
    }

    /// How often the others are asked to cosign.
    fn witnessed_every(&self, seconds: u32) {
        let config = self.group.bank(A).config();
        let written = fs::read_to_string(&config).unwrap();
        let other = |line: &str| match line.starts_with("witness_seconds = ") {
            true => format!("witness_seconds = {seconds}\n"),
            false => format!("{line}\n"),
        };
        fs::write(&config, written.lines().map(other).collect::<String>()).unwrap();
    }

    fn lose_data(&self) {
        fs::remove_dir_all(self.group.bank(A).folder.join("data")).unwrap();
        fs::create_dir(self.group.bank(A).folder.join("data")).unwrap();
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_bank_backs_up_practises_loses_its_disk_and_goes_on() {
    let mut prepared = Prepared::new();
    // Nobody cosigns what comes after the backup, however long this takes.
    prepared.witnessed_every(3_600);
    prepared.group.start(&[A, B, C]);
    let payment = to_b(1, HARMLESS, OTHER);
    let first = prepared.group.pay(A, &payment);
    let backup = prepared.create();
    assert!(backup.log_size > 0);

    // Off site it has not arrived yet; then it has.
    assert_eq!(prepared.run(&["backup", "list"]).code, 1);
    let (from, off_site) = (prepared.path(&backup), prepared.group.bank(A).folder.join("off-site"));
    fs::copy(&from, off_site.join(&backup.file)).unwrap();
    let listed = prepared.run(&["backup", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(
        (&listed["off_site"]["same"], &listed["backups"][0]["file"]),
        (&1.into(), &backup.file.clone().into())
    );

    let identity = text(&prepared.identity);
    let verified: Value =
        prepared.group.hansa(A, &["backup", "verify", &text(&from), "--identity", &identity]);
    assert_eq!(verified["manifest"]["log_size"], backup.log_size);
    let drilled: Value = prepared.group.hansa(A, &["backup", "drill", "--identity", &identity]);
    assert_eq!((&drilled["same_root"], &drilled["root"]), (&true.into(), &verified["manifest"]["root"]));
    assert!(drilled["recovery_seconds"].as_f64().unwrap() > 0.0);

    prepared.group.kill(A);
    let (ada, bob) = (prepared.approve(&backup, "ada"), prepared.approve(&backup, "bob"));
    says(&prepared.restore(&backup, &[&ada, &bob]).stderr, &["is not empty"]);
    prepared.lose_data();
    says(&prepared.restore(&backup, &[&ada]).stderr, &["2 different ones are needed"]);
    let restored = prepared.restore(&backup, &[&ada, &bob]);
    assert_eq!(restored.code, 0, "{restored:?}");

    prepared.group.start(&[A]);
    let unlocked = |event: &Event| matches!(event, Event::KeysUnlocked).then_some(());
    prepared.group.node(A).wait("keys unlocked", unlocked).unwrap();
    let again = prepared.group.pay(A, &payment);
    assert_eq!((again.status, again.verdict), (AnswerStatus::Repeated, first.verdict));
    let root = client(prepared.group.bank(A)).unwrap().root_at(backup.log_size).unwrap();
    assert_eq!(Value::from(root.root.to_string()), drilled["root"]);
    assert!(root.log_size > backup.log_size);

    // The same backup again, once the others have cosigned more: it is served, and signs nothing any more.
    prepared.group.stop(A);
    prepared.witnessed_every(1);
    prepared.group.start(&[A]);
    prepared.group.pay(A, &to_b(2, HARMLESS, OTHER));
    let size = client(prepared.group.bank(A)).unwrap().status().unwrap().log.size;
    let published = |event: &Event| match event {
        Event::CheckpointPublished { size: at, .. } if *at >= size => Some(()),
        _ => None,
    };
    prepared.group.node(A).wait("checkpoint published", published).unwrap();
    prepared.group.kill(A);
    prepared.lose_data();
    assert_eq!(prepared.restore(&backup, &[&ada, &bob]).code, 0);
    prepared.group.start(&[A]);
    let lost = |event: &Event| match event {
        Event::KeysLost { reason } => Some(reason.clone()),
        _ => None,
    };
    let reason = prepared.group.node(A).wait("keys lost", lost).unwrap();
    says(&reason, &["a witness cosigned", "restore a newer backup"]);
    assert_eq!(prepared.group.pay(A, &payment).status, AnswerStatus::Repeated);
    // What was published before it was lost is shown; nothing new is signed.
    let later = to_b(3, HARMLESS, OTHER);
    prepared.group.pay(A, &later);
    let out = text(&prepared.group.folder.path().join("none.evidence"));
    let unsigned = prepared.run(&["audit", "export", &later.uetr.unwrap().to_string(), "--out", &out]);
    assert_eq!(unsigned.code, 1, "{unsigned:?}");
    says(&unsigned.stderr, &["not signed"]);
}
