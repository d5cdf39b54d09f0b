//! Records on a real node: found by everything they are about, kept as long as they must be, and then gone for good.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

mod common;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use common::command::run;
use common::message::{HARMLESS, MULE, OTHER, VICTIM, to_b, uetr};
use common::{A, Group};
use hansa_api::model::{FoundEntry, LogPage};
use hansa_audit_log::envelope::{Envelope, RecordsKey};
use hansa_audit_log::merkle::{leaf_hash, verify_inclusion};
use hansa_consensus::{Consensus, ConsensusConfig, RecordsConfig};
use hansa_keys::{KeyFolder, Purpose, Secret};
use hansa_types::hash::Digest;
use hansa_types::manifest::SignedManifest;
use hansa_types::signal::Signal;
use hansa_types::verify::{SignalRules, Verifier, VerifyError};
use prometheus_client::registry::Registry;
use serde_json::Value;

/// How often scrubbing is repeated until a purge that runs beside it is through.
const SCRUBS: usize = 60;

/// How often the record of the interface's use is looked for.
const LOGINS: usize = 600;

struct NoSignals;

impl SignalRules for NoSignals {}

impl Verifier<Signal> for NoSignals {
    fn verify(&self, _: &Signal) -> Result<(), VerifyError> {
        Err(VerifyError::Reject("no signals here".into()))
    }
}

fn find(group: &Group, arguments: &[&str]) -> Vec<FoundEntry> {
    let arguments: Vec<&str> = ["audit", "find"].into_iter().chain(arguments.iter().copied()).collect();
    group.hansa::<LogPage>(A, &arguments).entries
}

/// What `hansa` says when it refuses.
fn refused(group: &Group, arguments: &[&str]) -> String {
    let config = group.bank(A).config().display().to_string();
    let arguments: Vec<&str> = ["--config", &config].into_iter().chain(arguments.iter().copied()).collect();
    let ended = run("hansa", &arguments);
    assert_eq!(ended.code, 1, "{ended:?}");
    ended.stderr
}

fn erase(iban: &str) -> [&str; 8] {
    ["subject", "erase", "--account", iban, "--reason", "request 17", "--actor", "officer"]
}

fn configure(group: &Group, text: &str) {
    let mut file = std::fs::File::options().append(true).open(group.bank(A).config()).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// The store of a node that does not run, with every key that the bank has.
struct Opened {
    envelopes: Vec<Envelope>,
    subject_keys: Vec<(Digest, Vec<u8>)>,
    records: Secret,
    origin: String,
}

fn open(group: &Group) -> Opened {
    let bank = group.bank(A);
    let config =
        ConsensusConfig { data_dir: bank.folder.join("data/consensus"), ..ConsensusConfig::default() };
    let manifest = SignedManifest::open(&std::fs::read(group.consortium.manifest()).unwrap()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let consensus = Consensus::open(
            &config,
            &RecordsConfig::default(),
            Arc::new(NoSignals),
            &mut Registry::default(),
        )
        .await
        .unwrap();
        let head = consensus.head();
        let mut envelopes = Vec::new();
        for index in 0..head.size {
            let envelope = consensus.leaf(index).unwrap().unwrap();
            let path = consensus.inclusion(index, head.size).unwrap();
            verify_inclusion(&leaf_hash(envelope.as_bytes()), index, head.size, &path, &head.root).unwrap();
            envelopes.push(envelope);
        }
        let subject_keys = consensus.subject_keys_export().map(Result::unwrap).collect();
        consensus.shutdown().await;
        Opened {
            envelopes,
            subject_keys,
            records: KeyFolder::new(bank.folder.join("keys")).secret(Purpose::Records).unwrap(),
            origin: manifest.log_origin(&bank.id),
        }
    })
}

impl Opened {
    /// Tries to open a leaf with the records key alone and with every one and two of the subject keys there are.
    fn opens(&self, index: u64) -> bool {
        let wrapping = self.records.derive(b"hansa/subject-keys/v1");
        let unwrap = |wrapped: &Vec<u8>| {
            let key = wrapping.unwrap_committed(b"hansa/subject-key/v1", wrapped).unwrap();
            Secret::from_bytes(key.as_slice().try_into().unwrap())
        };
        let keys: Vec<Secret> = self.subject_keys.iter().map(|(_, wrapped)| unwrap(wrapped)).collect();
        let envelope = &self.envelopes[index as usize];
        let with = |others: &[Secret]| {
            let joined = self.records.joined_with(b"hansa/records-of-subjects/v1", others);
            RecordsKey::new(*joined.expose()).open(&self.origin, envelope).is_ok()
        };
        let alone = RecordsKey::new(*self.records.expose()).open(&self.origin, envelope).is_ok();
        let pairs = keys.iter().flat_map(|a| keys.iter().map(move |b| vec![a.clone(), b.clone()]));
        alone
            || keys.iter().any(|key| with(std::slice::from_ref(key)))
            || pairs.into_iter().any(|pair| with(&pair))
    }
}

/// Whether a file below `folder` holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.map(|entry| entry.unwrap().path()).any(|path| {
        // What the database removes meanwhile holds nothing.
        holds(&path, bytes)
            || std::fs::read(&path).is_ok_and(|file| file.windows(bytes.len()).any(|window| window == bytes))
    })
}

#[test]
fn records_are_found_by_everything_they_are_about_page_by_page() {
    let group = Group::running(&[A]);
    for number in 1..=5 {
        group.pay(A, &to_b(number, HARMLESS, if number == 3 { OTHER } else { MULE }));
    }
    group.open_case(A, uetr(3));
    let decisions =
        |entries: &[FoundEntry]| entries.iter().filter(|entry| entry.class.name() == "decision").count();
    assert_eq!(decisions(&find(&group, &["--account", VICTIM.iban])), 5);
    assert_eq!(decisions(&find(&group, &["--account", MULE.iban])), 4);
    let other = find(&group, &["--account", OTHER.iban]);
    assert_eq!(other.iter().map(|entry| entry.class.name()).collect::<Vec<_>>(), ["decision", "case"]);
    assert_eq!(find(&group, &["--account", OTHER.iban, "--class", "case"]).len(), 1);
    assert_eq!(decisions(&find(&group, &["--uetr", &uetr(2).to_string()])), 1);
    assert!(find(&group, &["--uetr", &uetr(9).to_string()]).is_empty());
    let far = ["audit", "find", "--since", "2026-01-01", "--until", "4102444800"];
    assert!(refused(&group, &far).contains("more than 3700 days"));

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (since, until) = ((now - 3_600).to_string(), (now + 3_600).to_string());
    assert_eq!(decisions(&find(&group, &["--since", &since, "--until", &until])), 5);
    assert!(find(&group, &["--until", &since, "--since", &(now - 7_200).to_string()]).is_empty());

    let mut pages = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut arguments = vec!["audit", "find", "--account", VICTIM.iban, "--limit", "2"];
        if let Some(after) = &after {
            arguments.extend(["--after", after]);
        }
        let page: LogPage = group.hansa(A, &arguments);
        pages.extend(page.entries.iter().map(|entry| entry.index));
        match page.next {
            Some(next) => after = Some(next.to_string()),
            None => break,
        }
    }
    assert_eq!(pages, find(&group, &["--account", VICTIM.iban]).iter().map(|e| e.index).collect::<Vec<_>>());
    for class in ["operation", "configuration", "governance"] {
        assert!(!find(&group, &["--class", class]).is_empty(), "{class}");
    }
    // The use of the interface is recorded by the next tick.
    assert!((0..LOGINS).any(|_| !find(&group, &["--class", "login"]).is_empty()));
    let exported: Value = group.hansa(A, &["subject", "export", "--account", OTHER.iban]);
    assert_eq!(exported["entries"].as_array().unwrap().len(), 2);
}

#[expect(clippy::too_many_lines, reason = "the life of one record, in its order")]
#[test]
fn retention_and_holds_keep_a_record_and_an_erased_one_is_gone_with_all_other_keys_at_hand() {
    let mut group = Group::running(&[A]);
    group.pay(A, &to_b(1, HARMLESS, MULE));
    group.pay(A, &to_b(2, HARMLESS, OTHER));
    let kept = find(&group, &["--account", MULE.iban])[0].index;
    let reasons = refused(&group, &erase(MULE.iban));
    assert!(reasons.contains(&format!("entry {kept} (decision) is kept until")), "{reasons}");

    group.stop(A);
    let before = open(&group);
    assert!(before.opens(kept), "with the keys of both its subjects");
    configure(&group, "\n[records.retention]\ndecision = 0\nlisted-decision = 0\n");
    group.start(&[A]);
    assert_eq!(find(&group, &["--class", "configuration"]).len(), 2, "recorded because it changed");

    let hold = |verb: &'static str| {
        ["subject", verb, "--account", VICTIM.iban, "--reason", "court order", "--actor", "officer"]
    };
    group.hansa::<Value>(A, &hold("hold"));
    let reasons = refused(&group, &erase(MULE.iban));
    assert!(reasons.contains("names a subject under the legal hold"), "{reasons}");
    assert!(refused(&group, &erase(VICTIM.iban)).contains("the subject is under the legal hold"));
    group.hansa::<Value>(A, &hold("release"));

    let erased: Value = group.hansa(A, &erase(MULE.iban));
    assert_eq!(erased["records"], 1);
    assert!(refused(&group, &erase(MULE.iban)).contains("no record is held"));
    let found = find(&group, &["--uetr", &uetr(1).to_string()]);
    assert_eq!(
        found.iter().map(|e| (e.index, e.erased, e.record.is_none())).collect::<Vec<_>>(),
        [(kept, true, true)]
    );
    assert!(find(&group, &["--account", MULE.iban]).is_empty());
    assert!(!find(&group, &["--uetr", &uetr(2).to_string()])[0].erased);

    // The last snapshot, with the files of before, is replaced a little after a scrub.
    let wrapped: Vec<Vec<u8>> = before.subject_keys.iter().map(|(_, wrapped)| wrapped.clone()).collect();
    let data = group.bank(A).folder.join("data");
    let mut left = Vec::new();
    for round in 0..SCRUBS {
        group.pay(A, &to_b(100 + round as u64, HARMLESS, OTHER));
        group.hansa::<Value>(A, &["records", "scrub"]);
        left = wrapped.iter().filter(|key| holds(&data, key)).cloned().collect();
        if left.len() < wrapped.len() {
            break;
        }
    }
    assert_eq!(left.len(), wrapped.len() - 1, "one key is gone from every file, and the others are there");

    group.stop(A);
    let after = open(&group);
    let gone: Vec<_> = before.subject_keys.iter().filter(|key| !after.subject_keys.contains(key)).collect();
    assert_eq!(gone.len(), 1);
    assert!(!left.contains(&gone[0].1));
    assert_eq!(
        after.envelopes[kept as usize], before.envelopes[kept as usize],
        "its place and proof are kept"
    );
    assert!(!after.opens(kept), "with every other key of the bank");
    assert!(!holds(&data, MULE.iban.as_bytes()));

    group.start(&[A]);
    assert!(find(&group, &["--uetr", &uetr(1).to_string()])[0].erased);
    assert!(
        refused(&group, &["audit", "export", &uetr(1).to_string(), "--out", "/dev/null"])
            .contains("no decision")
    );
    let again: Value = group.hansa(A, &["audit", "show", &uetr(2).to_string()]);
    assert!(again.as_array().is_some_and(|entries| !entries.is_empty()));

    // What lists and model said is there for as long as a decision cites them, and then what is past its time goes.
    let lists = data.join("consensus/archive/lists");
    assert_eq!(std::fs::read_dir(&lists).unwrap().count(), 1);
    let status: Value = group.hansa(A, &["records", "scrub"]);
    assert_eq!((&status["missing"], &status["in_raft_log"]), (&serde_json::json!([]), &serde_json::json!(0)));
    let listed: Value = group.hansa(A, &["records", "expire", "--actor", "officer"]);
    assert_eq!(listed["expired"].as_array().unwrap().len(), 2, "both other accounts");
    let expired: Value = group.hansa(A, &["records", "expire", "--actor", "officer", "--erase"]);
    assert_eq!(expired["erased"], 2);
    assert!(find(&group, &["--uetr", &uetr(2).to_string()])[0].erased);
    assert_eq!(std::fs::read_dir(&lists).unwrap().count(), 1, "the lists in use stay");
}
