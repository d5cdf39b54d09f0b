//! Whole logs as a bank exports them: what is true holds, and whatever a bank changes, hides or doubles is said.

#![allow(clippy::unwrap_used, reason = "helpers of tests: what fails here fails the test")]

use std::fs;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::cosignature;
use hansa_audit_log::disclosure::{DisclosedKey, KEY_BYTES, header};
use hansa_audit_log::envelope::{Envelope, RecordsKey};
use hansa_audit_log::fork::{Finding as ForkFinding, Fork};
use hansa_audit_log::merkle::{Frontier, MemoryNodes, consistency_proof, leaf_hash};
use hansa_audit_log::note::{KeyType, SignedNote, VerifierKey};
use hansa_audit_log::policy::Policy;
use hansa_audit_log::tiles::{Tile, bundle, copy};
use hansa_auditor::compare::{CompareError, Link, compare};
use hansa_auditor::log::{Log, LogError, LogFolder};
use hansa_auditor::reconcile::{Finding, FindingKind, MAX_LISTED, ReconcileError, Reconciliation, reconcile};
use hansa_types::codec::Encode;
use hansa_types::decision::{Decision, Verdict};
use hansa_types::habits::Habits;
use hansa_types::hash::{Digest, PublicKey};
use hansa_types::id::Timestamp;
use hansa_types::model::{FACTORS, Factors, Score};
use hansa_types::payment::{Agent, Payment};
use hansa_types::record::{DecisionRecord, Operation, Record, RecordClass};
use hansa_types::sign::{SignError, Signer};
use hansa_types::uetr::Uetr;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const ORIGIN: &str = "hansa/test/bank-a";
const HERE: &str = "ALDRDEF0XXX";
const NEXT: &str = "BRCHFRP0XXX";
const OTHER: &str = "CEDRNLA0XXX";

struct LogKey(SigningKey);

impl Signer for LogKey {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

fn log_key() -> LogKey {
    LogKey(SigningKey::from_bytes(&[3; 32]))
}

fn log() -> Log {
    Log { bank: "bank-a".parse().unwrap(), origin: ORIGIN.into(), key: log_key().public_key(), policy: None }
}

/// The log of a bank that writes what it likes.
#[derive(Clone, Default)]
struct Bank {
    leaves: Vec<Envelope>,
    frontier: Frontier,
    nodes: MemoryNodes,
}

impl Bank {
    fn append(&mut self, class: RecordClass, record: &Record) {
        let mut rng = ChaCha20Rng::seed_from_u64(self.frontier.size());
        let leaf = RecordsKey::new([7; 32]).seal(ORIGIN, class, &record.to_bytes(), &mut rng).unwrap();
        let Self { frontier, nodes, leaves } = self;
        frontier.append(leaf_hash(leaf.as_bytes()), |id, hash| nodes.put(id, hash));
        leaves.push(leaf);
    }

    /// Decides payment `number` on the leg to `to`.
    fn decide(&mut self, number: u32, to: &str) {
        self.append(RecordClass::Decision, &Record::Decision(decided(payment(number, to))));
    }

    fn operate(&mut self) {
        let what = Operation { what: "test".into(), detail: String::new(), at: Timestamp(1) };
        self.append(RecordClass::Operation, &Record::Operation(what));
    }

    fn checkpoint(&self) -> (SignedNote, Checkpoint) {
        let (size, root) = (self.frontier.size(), self.frontier.root());
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root };
        (checkpoint.sign(&log_key()).unwrap(), checkpoint)
    }

    fn export(&self, folder: &Path) -> LogFolder {
        let (note, checkpoint) = self.checkpoint();
        let entries = |tile: &Tile| {
            let from = usize::try_from(tile.start()).unwrap();
            let mut bytes = Vec::new();
            for leaf in &self.leaves[from..from + usize::from(tile.width())] {
                bundle::push(&mut bytes, leaf.as_bytes()).unwrap();
            }
            Ok(bytes)
        };
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap())?;
            fs::write(path, bytes)
        };
        copy::<std::io::Error>(&note, &checkpoint, entries, put).unwrap();
        LogFolder::new(folder)
    }

    /// The keys of the decisions among the leaves that `shown` picks.
    fn disclose(&self, shown: impl Fn(u64) -> bool) -> Vec<u8> {
        let mut file = header(&self.checkpoint().0);
        for (index, leaf) in (0..).zip(&self.leaves) {
            if leaf.class() == RecordClass::Decision && shown(index) {
                file.extend(self.key(index).to_bytes());
            }
        }
        file
    }

    fn key(&self, index: u64) -> DisclosedKey {
        let salt = self.leaves[usize::try_from(index).unwrap()].salt();
        DisclosedKey { index, leaf_key: RecordsKey::new([7; 32]).leaf_key(&salt).disclose() }
    }
}

fn uetr(number: u32) -> Uetr {
    let mut bytes = [0x5a; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Uetr::from_random(bytes)
}

fn payment(number: u32, to: &str) -> Payment {
    let agent = |bic: &str| Some(Agent { bic: Some(bic.try_into().unwrap()), ..Agent::default() });
    Payment {
        message_id: format!("M{number}"),
        uetr: Some(uetr(number)),
        instructing_agent: agent(HERE),
        instructed_agent: agent(to),
        ..Payment::default()
    }
}

fn decided(payment: Payment) -> DecisionRecord {
    let decision = Decision {
        key: payment.key(),
        content: payment.content_hash(),
        verdict: Verdict::Clear,
        disposition: None,
        reasons: vec![],
        outward_code: None,
        score: Score(0),
        factors: Factors([0; FACTORS]),
        model_version: 1,
        model: Digest([1; 32]),
        rules: Digest([8; 32]),
        lists: vec![],
        signals: vec![],
        exceptions: vec![],
        frame: None,
        findings: vec![],
        decided_at: Timestamp(5),
    };
    DecisionRecord { decision, payment, habits: Habits::default() }
}

/// A bank that decided the payments 0 to `count`, with other records between them.
fn bank(count: u32) -> Bank {
    let mut bank = Bank::default();
    for number in 0..count {
        bank.decide(number, NEXT);
        if number % 7 == 3 {
            bank.operate();
        }
    }
    bank
}

fn list(numbers: impl IntoIterator<Item = u32>) -> String {
    std::iter::once("uetr".to_owned())
        .chain(numbers.into_iter().map(|n| uetr(n).to_string()))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The hub's list against the bank's log, with the keys given.
fn compared(bank: &Bank, keys: &[u8], hub: &str) -> Result<Reconciliation, ReconcileError> {
    let folder = tempfile::tempdir().unwrap();
    let exported = bank.export(folder.path());
    reconcile(&log(), &exported, (Path::new("keys"), keys), hub.as_bytes(), false)
}

#[test]
fn a_whole_log_verifies_and_the_first_thing_altered_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let exported = bank(300).export(folder.path());
    let (_, checkpoint) = log().fsck(&exported, |_, _| Ok(())).unwrap();
    assert_eq!(checkpoint.size, 343);
    assert!(log().report(&checkpoint).to_string().starts_with("VERIFIED: the log of bank-a: 343 entries"));
    let names =
        ["tile/0/000", "tile/0/001.p/87", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/87"];
    for name in names {
        let path = folder.path().join(name);
        let bytes = fs::read(&path).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 2;
            fs::write(&path, flipped).unwrap();
            let refused = log().fsck(&exported, |_, _| Ok(())).unwrap_err().to_string();
            assert!(refused.contains(name), "{name}: {refused}");
        }
        fs::write(&path, [&bytes[..], b"x"].concat()).unwrap();
        assert!(log().fsck(&exported, |_, _| Ok(())).unwrap_err().to_string().contains(name));
        fs::remove_file(&path).unwrap();
        assert!(log().fsck(&exported, |_, _| Ok(())).unwrap_err().to_string().contains(name));
        fs::write(&path, bytes).unwrap();
    }
    let other = Log { key: PublicKey([9; 32]), ..log() };
    assert!(matches!(other.fsck(&exported, |_, _| Ok(())), Err(LogError::Checkpoint { .. })));
    fs::write(exported.checkpoint(), bank(299).checkpoint().0.to_string()).unwrap();
    assert!(matches!(log().fsck(&exported, |_, _| Ok(())), Err(LogError::Fsck(_))));
}

#[test]
fn checkpoints_are_compared_by_proof_or_by_the_log() {
    let (small, large) = (bank(10), bank(300));
    let empty = Bank::default();
    let proof = consistency_proof(&large.nodes, small.frontier.size(), large.frontier.size()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let links = [Link::Proof(proof.clone()), Link::Folder(large.export(folder.path()))];
    for link in &links {
        for (a, b) in [(&small, &large), (&large, &small)] {
            let same = compare(&log(), a.checkpoint(), b.checkpoint(), Some(link)).unwrap();
            assert_eq!((same.old, same.new), (11, 343));
        }
    }
    let same = compare(&log(), large.checkpoint(), large.checkpoint(), None).unwrap();
    assert!(same.to_string().starts_with("SAME"));
    compare(&log(), empty.checkpoint(), large.checkpoint(), None).unwrap();
    let undecided = compare(&log(), small.checkpoint(), large.checkpoint(), None);
    assert!(matches!(undecided, Err(CompareError::Undecided { old: 11, new: 343 })));
    let mut wrong = proof;
    wrong[0][0] ^= 1;
    let refused = compare(&log(), small.checkpoint(), large.checkpoint(), Some(&Link::Proof(wrong)));
    assert!(matches!(refused, Err(CompareError::Proof(_))));
    let short = tempfile::tempdir().unwrap();
    let link = Link::Folder(small.export(short.path()));
    let refused = compare(&log(), small.checkpoint(), large.checkpoint(), Some(&link));
    assert!(matches!(refused, Err(CompareError::Short { size: 11, .. })), "{refused:?}");
}

#[test]
fn a_fork_is_told_with_both_notes() {
    let large = bank(300);
    let folder = tempfile::tempdir().unwrap();
    let link = Link::Folder(large.export(folder.path()));
    let mut other = Bank::default();
    other.operate();
    for number in 0..20 {
        other.decide(number, NEXT);
    }
    let mut longer = other.clone();
    (0..322).for_each(|_| longer.operate());
    assert_eq!(longer.frontier.size(), 343);
    for (a, b, link) in
        [(&other, &large, Some(&link)), (&large, &longer, None), (&other, &longer, Some(&link))]
    {
        let Err(CompareError::Fork { evidence, size }) =
            compare(&log(), a.checkpoint(), b.checkpoint(), link)
        else {
            unreachable!("a fork")
        };
        let read = Fork::from_file(&evidence.to_file()).unwrap();
        let shown = read.verify(&log().key, ORIGIN).unwrap();
        let proved = matches!(shown, ForkFinding::Proof { size: proved, .. } if proved == size);
        assert_eq!(
            proved,
            a.frontier.size() == b.frontier.size(),
            "two notes prove a fork at one size alone"
        );
    }
}

/// A witness that two policies name: one wants it, the other wants another.
#[test]
fn a_policy_wants_its_cosignatures() {
    let folder = tempfile::tempdir().unwrap();
    let exported = bank(10).export(folder.path());
    let witness = LogKey(SigningKey::from_bytes(&[4; 32]));
    let vkey = |kind, name: &str, key: PublicKey| VerifierKey::new(kind, name, key).unwrap();
    let policy = |name: &str| {
        let (signer, witness) = (
            vkey(KeyType::Ed25519, ORIGIN, log_key().public_key()),
            vkey(KeyType::Cosignature, name, witness.public_key()),
        );
        let text = format!("log {signer}\nwitness w {witness}\nquorum w\n");
        Log { policy: Some(Policy::parse(text.as_bytes()).unwrap()), ..log() }
    };
    let (one, other) = (policy("hansa/test/witness/b"), policy("hansa/test/witness/c"));
    let missing = |log: &Log| matches!(log.fsck(&exported, |_, _| Ok(())), Err(LogError::Policy { .. }));
    assert!(missing(&one) && missing(&other), "nobody has cosigned");
    let (mut note, checkpoint) = bank(10).checkpoint();
    note.add(cosignature::sign(&checkpoint.to_string(), 9, "hansa/test/witness/b", &witness).unwrap())
        .unwrap();
    fs::write(exported.checkpoint(), note.to_string()).unwrap();
    assert!(!missing(&one) && missing(&other));
}

#[test]
fn every_payment_with_one_decision_reconciles() {
    let bank = bank(300);
    let all = bank.disclose(|_| true);
    let found = compared(&bank, &all, &list((0..300).rev())).unwrap();
    assert!(found.holds(), "{found}");
    assert_eq!((found.payments, found.decisions, found.matched, found.log_size), (300, 300, 300, 343));
    assert!(found.to_string().starts_with("RECONCILED"));
}

#[test]
fn gaps_doubles_extras_and_what_is_hidden_are_listed() {
    let mut bank = bank(20);
    bank.decide(4, NEXT);
    let doubled = bank.frontier.size() - 1;
    let keys = bank.disclose(|index| index != 2);
    // Payment 2 (leaf 2) is hidden, 77 was never decided, 9 is not in the list, 4 was decided twice.
    let found = compared(&bank, &keys, &list((0..20).filter(|n| *n != 9).chain([77]))).unwrap();
    let finding = |kind, number: Option<u32>, at| Finding { kind, uetr: number.map(uetr), at };
    let mut findings = found.findings.clone();
    findings.sort_by_key(|finding| (finding.kind, finding.at));
    assert_eq!(
        findings,
        [
            finding(FindingKind::Gap, Some(2), 4),
            finding(FindingKind::Gap, Some(77), 21),
            finding(FindingKind::Double, Some(4), doubled),
            finding(FindingKind::Extra, Some(9), 10),
            finding(FindingKind::Hidden, None, 2),
        ]
    );
    assert!(!found.holds());
    let text = found.to_string();
    for said in
        ["NOT RECONCILED", "2 gaps, 1 doubles, 1 extras, 1 hidden", "record 2 is a decision that is not"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn legs_are_told_apart_where_the_list_names_them() {
    let mut bank = bank(3);
    bank.decide(1, OTHER);
    let keys = bank.disclose(|_| true);
    let rows = |rows: &[&str]| {
        let row = |row: &&str| {
            let (number, leg) = row.split_once(',').unwrap();
            format!("{},{leg}\n", uetr(number.parse().unwrap()))
        };
        format!("uetr,instructing,instructed\n{}", rows.iter().map(row).collect::<String>())
    };
    let next = format!("{HERE},{NEXT}");
    let line = |number: u32, leg: &str| format!("{number},{leg}");
    let [zero, one, two] = [0, 1, 2].map(|number| line(number, &next));
    let second = format!("1,{HERE},{OTHER}");
    let found = compared(&bank, &keys, &rows(&[&zero, &one, &two, &second])).unwrap();
    assert!(found.holds(), "{found}");
    let found = compared(&bank, &keys, &rows(&[&zero, &one, &two])).unwrap();
    assert_eq!((found.matched, found.extras, found.doubles), (3, 1, 0));
    let found = compared(&bank, &keys, &rows(&[&zero, &one, &one, &two, "1,,"])).unwrap();
    assert_eq!((found.matched, found.gaps, found.extras), (4, 1, 0));
    let found = compared(&bank, &keys, &list([0, 1, 2])).unwrap();
    assert_eq!((found.matched, found.doubles), (3, 1), "without legs one decision a line is expected");
    assert!(compared(&bank, &keys, &list([0, 1, 1, 2])).unwrap().holds());
}

#[test]
fn a_list_of_a_part_of_the_time_may_lack_payments() {
    let bank = bank(30);
    let folder = tempfile::tempdir().unwrap();
    let exported = bank.export(folder.path());
    let keys = bank.disclose(|_| true);
    let hub = list(10..20);
    let found =
        reconcile(&log(), &exported, (Path::new("keys"), keys.as_slice()), hub.as_bytes(), true).unwrap();
    assert!(found.holds() && found.findings.is_empty(), "{found}");
    assert_eq!((found.matched, found.extras), (10, 20));
    assert!(!compared(&bank, &keys, &hub).unwrap().holds());
}

#[test]
fn what_is_listed_is_bounded_and_what_is_counted_is_not() {
    let bank = bank(1);
    let many = u32::try_from(MAX_LISTED).unwrap() + 5;
    let found = compared(&bank, &bank.disclose(|_| true), &list(0..=many)).unwrap();
    assert_eq!((found.gaps, found.findings.len()), (u64::from(many), MAX_LISTED));
    assert!(found.to_string().ends_with("and 5 more"));
}

#[test]
fn keys_that_show_something_else_are_refused() {
    let mut bank = bank(10);
    let all = bank.disclose(|_| true);
    let hub = list(0..10);
    let refused = |keys: &[u8]| compared(&bank, keys, &hub).unwrap_err();
    let start = all.len() - 10 * KEY_BYTES;
    let with = |keys: &[DisclosedKey]| {
        let mut file = all[..start].to_vec();
        keys.iter().for_each(|key| file.extend(key.to_bytes()));
        file
    };
    // Leaf 4 is an operation; leaf 11 does not exist.
    assert!(matches!(refused(&with(&[bank.key(4)])), ReconcileError::NotADecision(4)));
    assert!(matches!(refused(&with(&[bank.key(1), bank.key(0)])), ReconcileError::NotADecision(0)));
    assert!(matches!(refused(&with(&[bank.key(1), bank.key(1)])), ReconcileError::NotADecision(1)));
    let beyond = DisclosedKey { index: 11, ..bank.key(1) };
    assert!(matches!(refused(&with(&[beyond])), ReconcileError::NotADecision(11)));
    let exchanged = DisclosedKey { index: 1, ..bank.key(0) };
    assert!(matches!(refused(&with(&[exchanged])), ReconcileError::Envelope { index: 1, .. }));
    assert!(matches!(refused(&all[..all.len() - 1]), ReconcileError::Disclosures(_)));
    assert!(matches!(refused(&all[1..]), ReconcileError::Disclosures(_)));
    assert!(matches!(refused(&all[..5]), ReconcileError::Io { .. }));
    let earlier = Bank::default().disclose(|_| true);
    assert!(matches!(
        refused(&[&earlier[..], &all[start..]].concat()),
        ReconcileError::OtherCheckpoint { .. }
    ));

    let lie = DecisionRecord { payment: payment(99, NEXT), ..decided(payment(10, NEXT)) };
    bank.append(RecordClass::Decision, &Record::Decision(lie));
    let false_one = compared(&bank, &bank.disclose(|_| true), &hub).unwrap_err();
    assert!(matches!(false_one, ReconcileError::FalseDecision(11)), "{false_one}");
}

#[test]
fn lists_that_cannot_be_read_are_refused_by_line() {
    let bank = bank(2);
    let keys = bank.disclose(|_| true);
    let good = uetr(0);
    for (hub, line) in [
        (String::new(), 1),
        (format!("{good}\n"), 1),
        (format!("uetr,leg\n{good},x\n"), 1),
        (format!("uetr\n{good}\nnot-a-uetr\n"), 3),
        (format!("uetr,instructing,instructed\n{good},{HERE},\n"), 2),
        (format!("uetr\n{good}\n{good},x\n"), 3),
    ] {
        match compared(&bank, &keys, &hub) {
            Err(ReconcileError::Hub { line: found, .. }) => assert_eq!(found, line, "{hub}"),
            other => unreachable!("{hub}: {other:?}"),
        }
    }
}
