//! The replicated state as openraft's state machine.

use std::path::PathBuf;
use std::sync::Arc;

use hansa_types::codec::{Decode, Encode};
use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, Entry, EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageError,
    StorageIOError, StoredMembership,
};
use tokio::sync::{broadcast, watch};

use super::codec::Applied;
use super::{LogId, SnapshotStore, TypeConfig};
use crate::metrics::ConsensusMetrics;
use crate::outcome::Outcome;
use crate::replica::Replica;
use crate::state::{Change, StateMachine};
use crate::store::{StoreError, Table, off_thread};

/// The state machine with its snapshots.
pub(super) struct Machine {
    state: Arc<StateMachine>,
    snapshots: Arc<dyn SnapshotStore>,
    changes: broadcast::Sender<Change>,
    /// How many entries the state has; `None` after a failure.
    progress: Option<watch::Sender<u64>>,
    metrics: ConsensusMetrics,
}

impl Machine {
    pub(super) fn new(
        state: Arc<StateMachine>,
        snapshots: Arc<dyn SnapshotStore>,
        changes: broadcast::Sender<Change>,
        metrics: ConsensusMetrics,
    ) -> Result<(Self, watch::Receiver<u64>), StoreError> {
        let (progress, applied) = watch::channel(0);
        let machine = Self { state, snapshots, changes, progress: Some(progress), metrics };
        let stored = machine.applied()?;
        machine.has_applied(stored.log_id);
        Ok((machine, applied))
    }

    fn has_applied(&self, last: Option<LogId>) {
        self.metrics.log_size.set(i64::try_from(self.state.size()).unwrap_or(i64::MAX));
        if let Some(progress) = &self.progress {
            progress.send_replace(last.map_or(0, |log_id| log_id.index + 1));
        }
    }

    /// Tells whoever waits for the state that it waits in vain.
    fn failed<E>(&mut self, error: E) -> E {
        self.progress = None;
        error
    }

    fn applied(&self) -> Result<Applied, StoreError> {
        match self.state.applied()? {
            Some(bytes) => Applied::from_bytes(&bytes).map_err(|e| StoreError::corrupt(Table::State, e)),
            None => Ok(Applied::default()),
        }
    }
}

/// Applies entries, each in one batch, and tells `changes` of each: nobody may be listening.
fn apply(
    state: &StateMachine,
    changes: &broadcast::Sender<Change>,
    mut applied: Applied,
    entries: Vec<Entry<TypeConfig>>,
) -> Result<Vec<Vec<Outcome>>, (LogId, StoreError)> {
    let mut answers = Vec::with_capacity(entries.len());
    for entry in entries {
        let log_id = entry.log_id;
        applied.log_id = Some(log_id);
        let proposals = match entry.payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Normal(packed) => {
                packed.proposals().map_err(|e| (log_id, StoreError::corrupt(Table::RaftLog, e)))?
            }
            EntryPayload::Membership(membership) => {
                applied.membership = StoredMembership::new(Some(log_id), membership);
                Vec::new()
            }
        };
        let (outcomes, change) =
            state.apply(proposals, applied.to_bytes()).map_err(|error| (log_id, error))?;
        let _ = changes.send(change);
        answers.push(outcomes);
    }
    Ok(answers)
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotBuilder = Arc<dyn SnapshotStore>;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId>, StoredMembership<u64, Replica>), StorageError<u64>> {
        let applied = self.applied().map_err(|e| StorageIOError::read_state_machine(AnyError::new(&e)))?;
        Ok((applied.log_id, applied.membership))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Vec<Outcome>>, StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let applied = self.applied().map_err(|e| StorageIOError::read_state_machine(AnyError::new(&e)))?;
        let (state, changes) = (self.state.clone(), self.changes.clone());
        let entries: Vec<_> = entries.into_iter().collect();
        let last = entries.last().map(|entry| entry.log_id).or(applied.log_id);
        // Verifying proofs and writing batches would hold up the async threads.
        let answers = off_thread(self.state.store(), move || apply(&state, &changes, applied, entries))
            .await
            .map_err(|error| self.failed(StorageIOError::write_state_machine(AnyError::new(&error))))?
            .map_err(|(log_id, error)| self.failed(StorageIOError::apply(log_id, AnyError::new(&error))))?;
        self.has_applied(last);
        self.metrics.commands.inc_by(answers.iter().map(|outcomes| outcomes.len() as u64).sum());
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Arc<dyn SnapshotStore> {
        self.snapshots.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<PathBuf>, StorageError<u64>> {
        let dir = self.snapshots.receiving_dir();
        dir.map(Box::new).map_err(|e| StorageIOError::write_snapshot(None, AnyError::new(&e)).into())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, Replica>,
        snapshot: Box<PathBuf>,
    ) -> Result<(), StorageError<u64>> {
        let (snapshots, state, received) = (self.snapshots.clone(), self.state.clone(), meta.clone());
        off_thread(self.state.store(), move || snapshots.install(&state, &received, &snapshot))
            .await
            .flatten()
            .map_err(|error| StorageIOError::write_snapshot(Some(meta.signature()), AnyError::new(&error)))
            .map_err(|error| self.failed(error))?;
        self.has_applied(meta.last_log_id);
        let _ = self.changes.send(self.state.replaced());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError<u64>> {
        self.snapshots.current().map_err(|e| StorageIOError::read_snapshot(None, AnyError::new(&e)).into())
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Arc<dyn SnapshotStore> {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError<u64>> {
        let snapshots = self.clone();
        let snapshot = off_thread(self.store(), move || snapshots.build())
            .await
            .flatten()
            .map_err(|error| StorageIOError::write_snapshot(None, AnyError::new(&error)))?;
        Ok(snapshot)
    }
}
