//! The Raft log and vote on a store: vote, append, truncate and purge are all synced, in one batch each, off the
//! async threads.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, ControlFlow, RangeBounds};
use std::sync::Arc;
use std::time::Instant;

use hansa_types::codec::CodecError;
use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{AnyError, Entry, LogState, OptionalSend, RaftLogReader, StorageError, StorageIOError, Vote};
use tokio::sync::watch;

use super::codec::{
    entry_from_bytes, entry_log_id, entry_to_bytes, log_id_from_bytes, log_id_to_bytes, vote_from_bytes,
    vote_to_bytes,
};
use super::{LogId, TypeConfig};
use crate::metrics::ConsensusMetrics;
use crate::store::{Batch, Durability, Store, StoreError, Table, off_thread};

/// Keys of [`Table::RaftMeta`].
pub(crate) const VOTE: &[u8] = b"vote";
pub(super) const PURGED: &[u8] = b"purged";
/// The most bytes of entries read for one message to a peer.
const MAX_READ_BYTES: usize = 8 << 20;

/// The log store.
#[derive(Clone)]
pub(super) struct LogStore {
    store: Arc<dyn Store>,
    /// How many entries the state has; closed once the state machine failed.
    applied: watch::Receiver<u64>,
    metrics: ConsensusMetrics,
}

impl LogStore {
    pub(super) fn new(
        store: Arc<dyn Store>,
        applied: watch::Receiver<u64>,
        metrics: ConsensusMetrics,
    ) -> Self {
        Self { store, applied, metrics }
    }

    /// Makes of a leader that was stopped a replica like any other, before Raft starts. openraft would let it lead on in
    /// its old term with what it knows to be committed, which is what it had applied: a read would miss the rest.
    pub(super) async fn resign(&mut self, replica: u64) -> Result<(), StorageError<u64>> {
        match self.read_vote().await? {
            Some(vote) if vote.committed && vote.leader_id.node_id == replica => {
                self.save_vote(&Vote::new(vote.leader_id.term, replica)).await
            }
            _ => Ok(()),
        }
    }

    async fn write(&self, batch: Batch) -> Result<(), StoreError> {
        let (store, metrics) = (self.store.clone(), self.metrics.clone());
        let write = move || {
            let start = Instant::now();
            let written = store.write(batch, Durability::Synced);
            metrics.fsync_seconds.observe(start.elapsed().as_secs_f64());
            written
        };
        off_thread(&*self.store, write).await?
    }

    /// Reads entries from `start` on, before `end` if given, until `limit` bytes were read; one at the least.
    fn read(&self, start: u64, end: Option<u64>, limit: usize) -> Result<Vec<Entry<TypeConfig>>, StoreError> {
        let (mut entries, mut bytes, mut damage) = (Vec::new(), 0, None);
        self.store.scan(Table::RaftLog, &start.to_be_bytes(), &mut |key, value| {
            let beyond = end.is_some_and(|end| key >= end.to_be_bytes().as_slice());
            if beyond || (bytes >= limit && !entries.is_empty()) {
                return ControlFlow::Break(());
            }
            bytes += value.len();
            match entry_from_bytes(value) {
                Ok(entry) if entry.log_id.index.to_be_bytes() == *key => entries.push(entry),
                Ok(_) => {
                    damage = Some(StoreError::corrupt(Table::RaftLog, "an entry lies under another's key"));
                }
                Err(error) => damage = Some(StoreError::corrupt(Table::RaftLog, error)),
            }
            if damage.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        damage.map_or(Ok(entries), Err)
    }
}

fn meta<T>(
    store: &dyn Store,
    key: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, CodecError>,
) -> Result<Option<T>, StoreError> {
    let stored = store.get(Table::RaftMeta, key)?;
    stored.map(|bytes| decode(&bytes).map_err(|e| StoreError::corrupt(Table::RaftMeta, e))).transpose()
}

/// The last entry in a store, or the last one purged if there is none after it.
pub(crate) fn last_log_id(store: &dyn Store) -> Result<Option<LogId>, StoreError> {
    match store.last(Table::RaftLog)? {
        Some((_, entry)) => {
            entry_log_id(&entry).map(Some).map_err(|e| StoreError::corrupt(Table::RaftLog, e))
        }
        None => meta(store, PURGED, log_id_from_bytes),
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<TypeConfig>>, StorageError<u64>> {
        let start = match range.start_bound() {
            Bound::Included(start) => Some(*start),
            Bound::Excluded(start) => start.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let end = match range.end_bound() {
            // A range that ends with the last number there is has no end to compare with.
            Bound::Included(end) => end.checked_add(1),
            Bound::Excluded(end) => Some(*end),
            Bound::Unbounded => None,
        };
        let Some(start) = start else { return Ok(Vec::new()) };
        self.read(start, end, usize::MAX).map_err(read_error)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry<TypeConfig>>, StorageError<u64>> {
        self.read(start, Some(end), MAX_READ_BYTES).map_err(read_error)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError<u64>> {
        let state = || {
            let last_purged_log_id = meta(&*self.store, PURGED, log_id_from_bytes)?;
            Ok(LogState { last_purged_log_id, last_log_id: last_log_id(&*self.store)? })
        };
        state().map_err(read_error)
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), StorageError<u64>> {
        let mut batch = Batch::default();
        batch.put(Table::RaftMeta, VOTE, vote_to_bytes(vote));
        self.write(batch).await.map_err(|e| StorageIOError::write_vote(AnyError::new(&e)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError<u64>> {
        meta(&*self.store, VOTE, vote_from_bytes)
            .map_err(|e| StorageIOError::read_vote(AnyError::new(&e)).into())
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut batch = Batch::default();
        for entry in entries {
            batch.put(Table::RaftLog, entry.log_id.index.to_be_bytes(), entry_to_bytes(&entry));
        }
        match self.write(batch).await {
            Ok(()) => {
                callback.log_io_completed(Ok(()));
                Ok(())
            }
            Err(error) => {
                callback.log_io_completed(Err(io::Error::other(error.clone())));
                Err(write_error(&error))
            }
        }
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError<u64>> {
        let mut batch = Batch::default();
        batch.delete_range(Table::RaftLog, log_id.index.to_be_bytes(), u64::MAX.to_be_bytes());
        self.write(batch).await.map_err(|e| write_error(&e))
    }

    /// openraft asks for this as soon as a snapshot has arrived that holds the entries, and installs it beside. A crash
    /// between the two would leave a replica with neither, so the state is waited for.
    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError<u64>> {
        let in_state = self.applied.wait_for(|applied| *applied > log_id.index).await.is_ok();
        if !in_state {
            return Err(write_error(&StoreError::Write("the state machine has failed".to_owned())));
        }
        let mut batch = Batch::default();
        batch.delete_range(Table::RaftLog, 0u64.to_be_bytes(), log_id.index.to_be_bytes());
        batch.put(Table::RaftMeta, PURGED, log_id_to_bytes(&log_id));
        self.write(batch).await.map_err(|e| write_error(&e))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "passed to map_err by name")]
fn read_error(error: StoreError) -> StorageError<u64> {
    StorageIOError::read_logs(AnyError::new(&error)).into()
}

fn write_error(error: &StoreError) -> StorageError<u64> {
    StorageIOError::write_logs(AnyError::new(error)).into()
}
