//! openraft's own storage suite, and what it does not try: the last key, a failing disk, broken-off installations.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hansa_types::codec::{Decode, Encode};
use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::testing::{StoreBuilder, Suite};
use openraft::{
    CommittedLeaderId, Entry, EntryPayload, Membership, RaftLogReader, RaftSnapshotBuilder, SnapshotMeta,
    StorageError, Vote,
};
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::watch;

use super::codec::{Applied, log_id_from_bytes, vote_from_bytes};
use super::log_store::LogStore;
use super::machine::Machine;
use super::*;
use crate::command::Proposal;
use crate::store::{Batch, Durability, RocksStore, StoreError, SubjectKeys, Table};
use crate::testing::{append, verifier};

const CACHE: usize = 1 << 20;

struct Opened {
    store: Arc<RocksStore>,
    state: Arc<StateMachine>,
    log: LogStore,
    machine: Machine,
}

fn open(dir: &Path) -> Result<Opened, StoreError> {
    let store = RocksStore::open(&dir.join("db"), CACHE)?;
    let snapshots = Snapshots::open(store.clone(), dir.join("snapshots"))?;
    let state = Arc::new(StateMachine::load(store.clone(), Arc::new(SubjectKeys::in_memory()), verifier())?);
    let metrics = ConsensusMetrics::register(&mut Registry::default());
    // The suite purges what was never applied.
    let log = LogStore::new(store.clone(), watch::channel(u64::MAX).1, metrics.clone());
    let (machine, _) = Machine::new(state.clone(), Arc::new(snapshots), broadcast::channel(16).0, metrics)?;
    Ok(Opened { store, state, log, machine })
}

fn temp() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn entry(index: u64) -> Entry<TypeConfig> {
    let proposal = Proposal { seen: None, command: append(index, index as u8, 0) };
    let command = Packed::encode(&proposal).unwrap();
    let log_id = LogId::new(CommittedLeaderId::new(1, 1), index);
    Entry { log_id, payload: EntryPayload::Normal(Packed::new([command.as_slice()].into_iter())) }
}

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, Machine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, Machine), StorageError<u64>> {
        let dir = temp();
        let replica = open(dir.path()).unwrap();
        Ok((dir, replica.log, replica.machine))
    }
}

#[test]
fn openrafts_storage_suite_passes() {
    Suite::test_all(Builder).unwrap();
}

#[tokio::test]
async fn the_greatest_index_is_truncated_and_read_like_any_other() {
    let dir = temp();
    let Opened { mut log, .. } = open(dir.path()).unwrap();
    log.blocking_append([entry(u64::MAX - 1), entry(u64::MAX)]).await.unwrap();
    assert_eq!(log.try_get_log_entries(u64::MAX - 1..=u64::MAX).await.unwrap().len(), 2);
    assert_eq!(log.try_get_log_entries(u64::MAX - 1..u64::MAX).await.unwrap().len(), 1);
    log.truncate(entry(u64::MAX).log_id).await.unwrap();
    assert_eq!(log.try_get_log_entries(..).await.unwrap(), [entry(u64::MAX - 1)]);
    log.purge(entry(u64::MAX - 1).log_id).await.unwrap();
    assert_eq!(log.try_get_log_entries(..).await.unwrap(), []);
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_log_id, Some(entry(u64::MAX - 1).log_id));
}

#[tokio::test]
async fn after_the_first_failed_write_nothing_is_written() {
    let dir = temp();
    let Opened { mut log, store, state, .. } = open(dir.path()).unwrap();
    log.blocking_append([entry(1)]).await.unwrap();
    store.fail_next_write();
    assert!(log.save_vote(&Vote::new(2, 1)).await.is_err());
    let poisoned = log.blocking_append([entry(2)]).await.unwrap_err();
    assert!(poisoned.to_string().contains("nothing is written until a restart"), "{poisoned}");
    assert!(log.save_vote(&Vote::new(3, 1)).await.is_err());
    assert!(matches!(state.apply(vec![], vec![]), Err(StoreError::Poisoned(_))));
    drop((log, store, state));
    let mut log = open(dir.path()).unwrap().log;
    assert_eq!(log.read_vote().await.unwrap(), None);
    assert_eq!(log.try_get_log_entries(..).await.unwrap(), [entry(1)]);
    log.blocking_append([entry(2)]).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_carries_the_state_and_nothing_of_the_replica() {
    let (leader_dir, follower_dir) = (temp(), temp());
    let mut leader = open(leader_dir.path()).unwrap();
    leader.log.save_vote(&Vote::new(5, 1)).await.unwrap();
    leader.machine.apply((1..=20).map(entry)).await.unwrap();
    let first = leader.machine.get_snapshot_builder().await.build_snapshot().await.unwrap();
    leader.machine.apply((21..=25).map(entry)).await.unwrap();
    let snapshot = leader.machine.get_snapshot_builder().await.build_snapshot().await.unwrap();
    assert_eq!(snapshot.meta.last_log_id, Some(entry(25).log_id));
    assert!(!first.snapshot.exists(), "one snapshot is kept");

    let mut follower = open(follower_dir.path()).unwrap();
    follower.log.save_vote(&Vote::new(4, 2)).await.unwrap();
    follower.machine.apply((90..=99).map(entry)).await.unwrap();
    let received = follower.machine.begin_receiving_snapshot().await.unwrap();
    std::fs::remove_dir(&*received).unwrap();
    copy(&snapshot.snapshot, &received);
    follower.machine.install_snapshot(&snapshot.meta, received).await.unwrap();
    assert_eq!(follower.state.head(), leader.state.head());
    assert_eq!(follower.state.find_unique(&[95; 32]).unwrap(), None, "the follower's own state is gone");
    assert_eq!(follower.state.find_unique(&[25; 32]).unwrap(), Some(24));
    assert_eq!(follower.log.read_vote().await.unwrap(), Some(Vote::new(4, 2)));
    assert_eq!(follower.machine.get_current_snapshot().await.unwrap().unwrap().meta, snapshot.meta);

    drop(follower);
    let mut reopened = open(follower_dir.path()).unwrap();
    assert_eq!(reopened.state.head(), leader.state.head());
    assert_eq!(reopened.machine.applied_state().await.unwrap().0, Some(entry(25).log_id));
}

#[tokio::test]
async fn a_snapshot_taken_under_load_is_read_with_its_write_ahead_log() {
    let (leader_dir, follower_dir) = (temp(), temp());
    let mut leader = open(leader_dir.path()).unwrap();
    leader.machine.apply((1..=5).map(entry)).await.unwrap();
    leader.log.save_vote(&Vote::new(1, 1)).await.unwrap();
    // As when entries are applied between RocksDB's flush and its links: nothing is flushed, all is in the log.
    let (last_log_id, last_membership) = leader.machine.applied_state().await.unwrap();
    let meta = SnapshotMeta { last_log_id, last_membership, snapshot_id: "s-load".to_owned() };
    let mut follower = open(follower_dir.path()).unwrap();
    let received = follower.machine.begin_receiving_snapshot().await.unwrap();
    std::fs::remove_dir(&*received).unwrap();
    copy(&leader_dir.path().join("db"), &received);
    follower.machine.install_snapshot(&meta, received).await.unwrap();
    assert_eq!(follower.state.head(), leader.state.head());
    assert_eq!(follower.state.size(), 5);
}

#[tokio::test]
async fn a_broken_off_installation_is_finished_at_the_next_start() {
    let (leader_dir, follower_dir) = (temp(), temp());
    let mut leader = open(leader_dir.path()).unwrap();
    leader.machine.apply((1..=5).map(entry)).await.unwrap();
    let snapshot = leader.machine.get_snapshot_builder().await.build_snapshot().await.unwrap();

    let mut follower = open(follower_dir.path()).unwrap();
    follower.machine.apply((1..=2).map(entry)).await.unwrap();
    copy(&snapshot.snapshot, &follower_dir.path().join("snapshots").join(&snapshot.meta.snapshot_id));
    let mut batch = Batch::default();
    let applied =
        Applied { log_id: snapshot.meta.last_log_id, membership: snapshot.meta.last_membership.clone() };
    let marker = [snapshot.meta.snapshot_id.to_bytes(), applied.to_bytes()].concat();
    batch.put(Table::RaftMeta, b"installing".as_slice(), marker);
    batch.delete_range(Table::Leaves, [], u64::MAX.to_be_bytes());
    follower.store.write(batch, Durability::Synced).unwrap();
    drop(follower);

    let mut reopened = open(follower_dir.path()).unwrap();
    assert_eq!(reopened.state.head(), leader.state.head());
    assert!(reopened.state.leaf(4).unwrap().is_some());
    assert_eq!(reopened.machine.get_current_snapshot().await.unwrap().unwrap().meta, snapshot.meta);
}

#[tokio::test]
async fn a_snapshot_that_is_not_what_it_was_announced_as_is_refused() {
    let (leader_dir, follower_dir) = (temp(), temp());
    let mut leader = open(leader_dir.path()).unwrap();
    leader.machine.apply((1..=5).map(entry)).await.unwrap();
    let snapshot = leader.machine.get_snapshot_builder().await.build_snapshot().await.unwrap();
    let mut follower = open(follower_dir.path()).unwrap();
    let mut meta = snapshot.meta.clone();
    meta.last_log_id = Some(entry(6).log_id);
    assert!(follower.machine.install_snapshot(&meta, snapshot.snapshot).await.is_err());
    assert_eq!(follower.state.size(), 0);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn entries_of_each_kind_read_back() {
    let log_id = LogId::new(CommittedLeaderId::new(7, 2), 9);
    let members = vec![BTreeSet::from([1, 2]), BTreeSet::from([2, 3])];
    let nodes = BTreeMap::from([1, 2, 3, 4].map(|id| {
        (id, Replica { address: format!("host-{id}"), zone: "z".to_owned(), ..Replica::default() })
    }));
    let membership = EntryPayload::Membership(Membership::new(members, nodes));
    for entry in
        [entry(3), Entry { log_id, payload: EntryPayload::Blank }, Entry { log_id, payload: membership }]
    {
        let bytes = entry_to_bytes(&entry);
        assert_eq!(entry_from_bytes(&bytes).unwrap(), entry);
        for cut in 0..bytes.len() {
            assert!(entry_from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for version in [None, Some(2)] {
            if let (Some(first), Some(version)) = (bytes.first_mut(), version) {
                *first = version;
            }
            if let Ok(Entry { payload: EntryPayload::Normal(packed), .. }) = entry_from_bytes(&bytes) {
                let _ = packed.proposals();
            }
            let _ = Applied::from_bytes(&bytes);
            let _ = vote_from_bytes(&bytes);
            let _ = log_id_from_bytes(&bytes);
        }
    }
}

/// A snapshot that has arrived lets openraft purge before it is installed.
#[tokio::test]
async fn nothing_is_purged_that_the_state_does_not_have() {
    let store = Arc::new(crate::store::memory::MemoryStore::default());
    let metrics = ConsensusMetrics::register(&mut Registry::default());
    let (applied, progress) = watch::channel(3);
    let mut log = LogStore::new(store.clone(), progress, metrics);
    let purged = || {
        let stored = store.get(Table::RaftMeta, log_store::PURGED).unwrap();
        stored.map(|bytes| log_id_from_bytes(&bytes).unwrap().index)
    };
    let at = |index| LogId::new(CommittedLeaderId::new(1, 1), index);
    log.purge(at(2)).await.unwrap();
    assert_eq!(purged(), Some(2), "entries 0 to 2 are in the state");
    let mut waiting = Box::pin(log.purge(at(3)));
    assert!(futures::poll!(&mut waiting).is_pending());
    assert_eq!(purged(), Some(2));
    applied.send_replace(4);
    waiting.await.unwrap();
    assert_eq!(purged(), Some(3));
    let mut in_vain = Box::pin(log.purge(at(9)));
    assert!(futures::poll!(&mut in_vain).is_pending());
    drop(applied);
    assert!(in_vain.await.is_err(), "the state machine has failed");
}
