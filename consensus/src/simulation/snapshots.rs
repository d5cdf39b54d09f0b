//! Snapshots as copies in memory, under the paths that folders would have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hansa_types::codec::Decode;
use openraft::{Snapshot, SnapshotMeta};

use super::disk::Disk;
use crate::raft::{Applied, SnapshotStore, TypeConfig};
use crate::replica::Replica;
use crate::state::{APPLIED, StateMachine};
use crate::store::memory::Tables;
use crate::store::{Batch, Durability, Store, StoreError, Table};

/// Key of [`Table::RaftMeta`].
const CURRENT: &[u8] = b"snapshot";
/// What the name of a snapshot that arrives begins with.
const RECEIVING: &str = "receiving-";

/// The file systems of all replicas.
#[derive(Default)]
pub(super) struct Files(Mutex<BTreeMap<PathBuf, Tables>>);

impl Files {
    pub(super) fn copy(&self, from: &Path, to: &Path) -> bool {
        let Some(tables) = self.get(from) else { return false };
        self.put(to, tables);
        true
    }

    fn get(&self, path: &Path) -> Option<Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    fn put(&self, path: &Path, tables: Tables) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), tables);
    }

    /// Removes a replica's snapshots but one, and those that arrive.
    fn keep_only(&self, dir: &Path, kept: &Path) {
        let arrives = |path: &Path| path.to_string_lossy().contains(RECEIVING);
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|path, _| !path.starts_with(dir) || path == kept || arrives(path));
    }

    fn remove(&self, path: &Path) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }
}

/// The snapshots of one replica.
pub(super) struct MemorySnapshots {
    dir: PathBuf,
    disk: Arc<Disk>,
    files: Arc<Files>,
    received: AtomicU64,
}

impl MemorySnapshots {
    pub(super) fn new(replica: u64, disk: Arc<Disk>, files: Arc<Files>) -> Self {
        Self { dir: PathBuf::from(format!("replica-{replica}")), disk, files, received: AtomicU64::new(0) }
    }

    fn describe(&self, id: &str, applied: Applied) -> Snapshot<TypeConfig> {
        let meta = SnapshotMeta {
            last_log_id: applied.log_id,
            last_membership: applied.membership,
            snapshot_id: id.to_owned(),
        };
        Snapshot { meta, snapshot: Box::new(self.dir.join(id)) }
    }

    fn missing(path: &Path) -> StoreError {
        StoreError::Snapshot { path: path.display().to_string(), reason: "it is not there".to_owned() }
    }
}

impl SnapshotStore for MemorySnapshots {
    fn store(&self) -> &dyn Store {
        &*self.disk
    }

    fn build(&self) -> Result<Snapshot<TypeConfig>, StoreError> {
        let tables = self.disk.replicated();
        let applied = applied_in(&tables)?;
        let index = applied.log_id.map_or(0, |log_id| log_id.index);
        let id = (0u32..)
            .map(|n| format!("s-{index}-{n}"))
            .find(|id| self.files.get(&self.dir.join(id)).is_none())
            .ok_or_else(|| Self::missing(&self.dir))?;
        let path = self.dir.join(&id);
        self.files.put(&path, tables);
        let mut batch = Batch::default();
        batch.put(Table::RaftMeta, CURRENT, id.as_bytes());
        self.disk.write(batch, Durability::Synced)?;
        self.files.keep_only(&self.dir, &path);
        Ok(self.describe(&id, applied))
    }

    fn receiving_dir(&self) -> Result<PathBuf, StoreError> {
        let number = self.received.fetch_add(1, Ordering::Relaxed);
        Ok(self.dir.join(format!("{RECEIVING}{number}")))
    }

    fn install(
        &self,
        state: &StateMachine,
        meta: &SnapshotMeta<u64, Replica>,
        received: &Path,
    ) -> Result<(), StoreError> {
        let tables = self.files.get(received).ok_or_else(|| Self::missing(received))?;
        let applied = applied_in(&tables)?;
        if applied.log_id != meta.last_log_id || applied.membership != meta.last_membership {
            let reason = "it does not hold the entry and membership it was announced with".to_owned();
            return Err(StoreError::Snapshot { path: received.display().to_string(), reason });
        }
        let path = self.dir.join(&meta.snapshot_id);
        self.files.put(&path, tables.clone());
        self.files.remove(received);
        let mut batch = Batch::default();
        for table in Table::replicated() {
            if let Some((last, _)) = self.disk.last(table)? {
                batch.delete_range(table, [], last);
            }
        }
        for (table, pairs) in tables {
            pairs.into_iter().for_each(|(key, value)| batch.put(table, key, value));
        }
        batch.put(Table::RaftMeta, CURRENT, meta.snapshot_id.as_bytes());
        state.replace(|| self.disk.write(batch, Durability::Synced))?;
        self.files.keep_only(&self.dir, &path);
        Ok(())
    }

    fn current(&self) -> Result<Option<Snapshot<TypeConfig>>, StoreError> {
        let Some(id) = self.disk.get(Table::RaftMeta, CURRENT)? else { return Ok(None) };
        let id = String::from_utf8(id).map_err(|e| StoreError::corrupt(Table::RaftMeta, e))?;
        let Some(tables) = self.files.get(&self.dir.join(&id)) else { return Ok(None) };
        Ok(Some(self.describe(&id, applied_in(&tables)?)))
    }
}

fn applied_in(tables: &Tables) -> Result<Applied, StoreError> {
    match tables.get(&Table::State).and_then(|pairs| pairs.get(APPLIED)) {
        Some(bytes) => Applied::from_bytes(bytes).map_err(|e| StoreError::corrupt(Table::State, e)),
        None => Ok(Applied::default()),
    }
}
