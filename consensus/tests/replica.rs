//! One replica as its node sees it: concurrent proposers, restarts, damage, checkpoints.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here fails the test")]

use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use hansa_audit_log::checkpoint::Checkpoint;
use hansa_audit_log::envelope::{Envelope, RecordsKey};
use hansa_audit_log::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use hansa_consensus::config::{ConfigError, ReplicaConfig};
use hansa_consensus::{
    CheckpointError, Command, Consensus, ConsensusConfig, Leaf, OpenError, Outcome, ProposeError,
    RecordsConfig, StoreError, Unique, Unlocking,
};
use hansa_types::hash::PublicKey;
use hansa_types::id::Epoch;
use hansa_types::record::RecordClass;
use hansa_types::sign::{SignError, Signer};
use hansa_types::signal::Signal;
use hansa_types::verify::{SignalRules, Verifier, VerifyError};
use prometheus_client::registry::Registry;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const ORIGIN: &str = "bank-a.example/audit";

struct RefuseAll;

impl SignalRules for RefuseAll {}

impl Verifier<Signal> for RefuseAll {
    fn verify(&self, _: &Signal) -> Result<(), VerifyError> {
        Err(VerifyError::Reject("these tests send no signals".to_owned()))
    }
}

fn config(dir: &Path) -> ConsensusConfig {
    ConsensusConfig { data_dir: dir.to_owned(), cache_mib: 1, ..ConsensusConfig::default() }
}

async fn open(config: &ConsensusConfig) -> Result<Arc<Consensus>, OpenError> {
    Consensus::open(config, &RecordsConfig::default(), Arc::new(RefuseAll), &mut Registry::default())
        .await
        .map(Arc::new)
}

fn envelope(seed: u64) -> Envelope {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let record = format!("decision {seed}");
    RecordsKey::new([7; 32])
        .seal(ORIGIN, RecordClass::Decision, record.as_bytes(), &mut rng)
        .expect("a short record fits")
}

fn append(seed: u64, key: u64, content: u8) -> Command {
    let mut unique = Unique { key: [0; 32], content: [content; 32] };
    unique.key[..8].copy_from_slice(&key.to_be_bytes());
    Command::Append { leaf: Leaf { unique, ..Leaf::new(envelope(seed)) }, follow_up: vec![] }
}

/// Opens the keys of a bank that nobody witnesses.
async fn unlock(consensus: &Consensus) {
    let leaf = Leaf::new(envelope(999_999));
    consensus.unlock(Unlocking { told: vec![], needed: 0, epoch: Epoch(1), leaf }).await.unwrap();
}

/// Runs one life of a process: whatever is left running when `life` ends is cut off, as by a kill.
fn one_life<T>(life: impl AsyncFnOnce() -> T) -> T {
    let runtime = Runtime::new().expect("a runtime starts");
    runtime.block_on(life())
}

struct Key(SigningKey);

impl Signer for Key {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

#[test]
fn of_many_proposers_of_one_key_one_appends_and_all_learn_where() {
    let dir = tempfile::tempdir().unwrap();
    one_life(async || {
        let consensus = open(&config(dir.path())).await.unwrap();
        let mut proposals = JoinSet::new();
        for seed in 0..200 {
            let consensus = consensus.clone();
            proposals.spawn(async move { consensus.propose(append(seed, seed % 4, 0)).await.unwrap() });
        }
        let outcomes = proposals.join_all().await;
        let appended = outcomes.iter().filter(|o| matches!(o, Outcome::Appended { .. })).count();
        let existing = outcomes.iter().filter(|o| matches!(o, Outcome::Existing { .. })).count();
        assert_eq!((appended, existing, consensus.size()), (4, 196, 4));
        assert!(matches!(consensus.propose(append(999, 0, 1)).await, Ok(Outcome::Conflict { .. })));
    });
}

#[test]
fn everything_acknowledged_is_there_once_after_each_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for life in 0..4u64 {
        let batch = one_life(async || {
            let consensus = open(&config(dir.path())).await.unwrap();
            for (seed, index) in &acknowledged {
                assert_eq!(consensus.leaf(*index).unwrap(), Some(envelope(*seed)), "life {life}");
                let again = consensus.propose(append(*seed + 1, *seed, 0)).await.unwrap();
                assert_eq!(again, Outcome::Existing { index: *index });
            }
            assert_eq!(consensus.size(), acknowledged.len() as u64);
            let mut proposals = JoinSet::new();
            for seed in life * 50..(life + 1) * 50 {
                let consensus = consensus.clone();
                proposals.spawn(async move {
                    match consensus.propose(append(seed, seed, 0)).await.unwrap() {
                        Outcome::Appended { index } => (seed, index),
                        other => panic!("{other:?}"),
                    }
                });
            }
            proposals.join_all().await
        });
        acknowledged.extend(batch);
    }
}

#[test]
fn snapshots_and_purges_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = ConsensusConfig { snapshot_entries: 20, keep_entries: 2, ..config(dir.path()) };
    let head = one_life(async || {
        let consensus = open(&config).await.unwrap();
        for seed in 0..100 {
            consensus.propose(append(seed, seed, 0)).await.unwrap();
        }
        consensus.snapshot().await.unwrap();
        consensus.barrier().await.unwrap();
        consensus.head()
    });
    one_life(async || {
        let consensus = open(&config).await.unwrap();
        assert_eq!(consensus.head(), head);
        assert_eq!(consensus.propose(append(1, 3, 0)).await.unwrap(), Outcome::Existing { index: 3 });
        assert_eq!(consensus.propose(append(100, 100, 0)).await.unwrap(), Outcome::Appended { index: 100 });
    });
    assert!(std::fs::read_dir(dir.path().join("snapshots")).unwrap().count() >= 1);
}

#[test]
fn checkpoints_are_recorded_signed_and_never_shrink() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key(SigningKey::from_bytes(&[5; 32]));
    let first = one_life(async || {
        let consensus = open(&config(dir.path())).await.unwrap();
        for seed in 0..7 {
            consensus.propose(append(seed, seed, 0)).await.unwrap();
        }
        assert!(matches!(consensus.sign_checkpoint(ORIGIN, &key).await, Err(CheckpointError::Locked(_))));
        unlock(&consensus).await;
        consensus.sign_checkpoint(ORIGIN, &key).await.unwrap()
    });
    let first_checkpoint = Checkpoint::open(&first, ORIGIN, &key.public_key()).unwrap();
    assert_eq!(first_checkpoint.size, 7);
    one_life(async || {
        let consensus = open(&config(dir.path())).await.unwrap();
        assert_eq!(consensus.published().unwrap(), Some(first));
        assert_eq!(consensus.last_checkpoint().unwrap().unwrap().size, 7);
        for seed in 7..12 {
            consensus.propose(append(seed, seed, 0)).await.unwrap();
        }
        unlock(&consensus).await;
        let note = consensus.sign_checkpoint(ORIGIN, &key).await.unwrap();
        let second = Checkpoint::open(&note, ORIGIN, &key.public_key()).unwrap();
        let proof = consensus.consistency(7, 12).unwrap();
        verify_consistency(7, 12, &first_checkpoint.root, &second.root, &proof).unwrap();
        let path = consensus.inclusion(9, 12).unwrap();
        verify_inclusion(&leaf_hash(envelope(9).as_bytes()), 9, 12, &path, &second.root).unwrap();
        let root = consensus.root_at(7).unwrap();
        let smaller = consensus.propose(Command::Checkpoint { size: 7, root }).await.unwrap();
        assert!(matches!(smaller, Outcome::CheckpointRefused(_)));
    });
}

#[test]
fn a_full_queue_and_a_stopped_replica_are_said() {
    let dir = tempfile::tempdir().unwrap();
    one_life(async || {
        let config = ConsensusConfig { queue_limit: 4, batch_commands: 1, ..config(dir.path()) };
        let consensus = open(&config).await.unwrap();
        let mut proposals = JoinSet::new();
        for seed in 0..300 {
            let consensus = consensus.clone();
            proposals.spawn(async move { consensus.propose(append(seed, seed, 0)).await });
        }
        let answers = proposals.join_all().await;
        let busy = answers.iter().filter(|a| **a == Err(ProposeError::Busy { limit: 4 })).count() as u64;
        let appended = answers.iter().filter(|a| matches!(a, Ok(Outcome::Appended { .. }))).count() as u64;
        assert_eq!((busy + appended, appended), (300, consensus.size()));
        assert!(busy > 0, "300 at once overfill a queue of 4");
        assert!(consensus.is_ready());
        consensus.shutdown().await;
        assert!(matches!(consensus.propose(append(1, 1, 0)).await, Err(ProposeError::Stopped(_))));
        assert!(consensus.barrier().await.is_err());
        assert!(!consensus.is_ready());
    });
}

#[test]
fn a_status_and_metrics_tell_how_the_replica_stands() {
    let dir = tempfile::tempdir().unwrap();
    one_life(async || {
        let mut registry = Registry::default();
        let verifier = Arc::new(RefuseAll);
        let consensus =
            Consensus::open(&config(dir.path()), &RecordsConfig::default(), verifier, &mut registry)
                .await
                .unwrap();
        consensus.propose(append(1, 1, 0)).await.unwrap();
        let status = consensus.status();
        assert_eq!((status.replica, status.leader, status.size, status.stopped), (1, Some(1), 1, None));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in ["commands_total 1", "log_size 1", "batch_commands_count 1"] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    });
}

#[test]
fn what_cannot_be_run_or_read_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    one_life(async || {
        let replica =
            |id| ReplicaConfig { id, address: String::new(), zone: String::new(), jurisdiction: None };
        let others = ConsensusConfig { replicas: [2, 3, 4].map(replica).to_vec(), ..config(dir.path()) };
        assert!(matches!(open(&others).await, Err(OpenError::Config(ConfigError::NotNamed(1)))));
        let consensus = open(&config(dir.path())).await.unwrap();
        assert!(matches!(open(&config(dir.path())).await, Err(OpenError::Store(StoreError::Open { .. }))));
        consensus.propose(append(1, 1, 0)).await.unwrap();
    });
    one_life(async || {
        let other = ConsensusConfig { replica: 2, ..config(dir.path()) };
        assert!(matches!(open(&other).await, Err(OpenError::OtherReplica { found: 1, wanted: 2 })));
    });
}

#[test]
fn a_damaged_database_is_refused_and_never_served() {
    let files = |dir: &Path, name: &str| -> Vec<std::path::PathBuf> {
        let all = std::fs::read_dir(dir.join("db")).unwrap().map(|file| file.unwrap().path());
        all.filter(|path| path.to_string_lossy().contains(name)).collect()
    };
    for (name, damage) in [
        ("MANIFEST", Damage::Flip),
        ("MANIFEST", Damage::Truncate),
        ("CURRENT", Damage::Truncate),
        (".log", Damage::Flip),
    ] {
        let dir = tempfile::tempdir().unwrap();
        one_life(async || {
            let consensus = open(&config(dir.path())).await.unwrap();
            for seed in 0..20 {
                consensus.propose(append(seed, seed, 0)).await.unwrap();
            }
        });
        let damaged = files(dir.path(), name);
        assert!(!damaged.is_empty(), "{name}");
        damaged.iter().for_each(|path| damage.apply(path));
        let refused = one_life(async || open(&config(dir.path())).await.err());
        assert!(matches!(refused, Some(OpenError::Store(_))), "{name} {damage:?}: {refused:?}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip,
    Truncate,
}

impl Damage {
    fn apply(self, path: &Path) {
        let mut bytes = std::fs::read(path).expect("the file is there");
        let middle = bytes.len() / 2;
        match self {
            Self::Flip if bytes.is_empty() => {}
            Self::Flip => bytes[middle] ^= 0x10,
            Self::Truncate => bytes.truncate(3),
        }
        std::fs::write(path, bytes).expect("the file can be written");
    }
}
