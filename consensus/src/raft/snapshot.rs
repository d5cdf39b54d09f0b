//! Snapshots as RocksDB checkpoints: a folder of hard links, whatever the size of the state.
//!
//! A checkpoint says itself which entry it ends with, so it may be taken while entries are applied. Installing one
//! exchanges the replicated tables; a marker, synced before and removed with the last batch, makes a crash between
//! start over from the same folder.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hansa_types::codec::{Decode, Encode};
use hansa_types::codec_struct;
use openraft::{Snapshot, SnapshotMeta};

use super::TypeConfig;
use super::codec::Applied;
use crate::replica::Replica;
use crate::state::{self, StateMachine};
use crate::store::{Batch, Durability, RocksStore, Store, StoreError, Table};

/// Keys of [`Table::RaftMeta`].
pub(super) const CURRENT: &[u8] = b"snapshot";
pub(super) const INSTALLING: &[u8] = b"installing";
/// How many bytes are copied in one batch.
const COPY_BYTES: usize = 4 << 20;
/// What every snapshot's name begins with, so that none is taken for another folder.
const ID_PREFIX: &str = "s-";
/// The longest id taken from a peer.
const MAX_ID: usize = 100;
/// The folder in which a snapshot from a peer arrives.
const RECEIVING: &str = "receiving";

/// Where a replica keeps its snapshots. Calls block like those of its store.
pub(crate) trait SnapshotStore: Send + Sync + 'static {
    /// The store whose state they are of.
    fn store(&self) -> &dyn Store;

    /// Takes a snapshot of the state as it is applied now.
    fn build(&self) -> Result<Snapshot<TypeConfig>, StoreError>;

    /// An empty folder for a snapshot that a peer sends.
    fn receiving_dir(&self) -> Result<PathBuf, StoreError>;

    /// Replaces the state by the snapshot in `received`.
    fn install(
        &self,
        state: &StateMachine,
        meta: &SnapshotMeta<u64, Replica>,
        received: &Path,
    ) -> Result<(), StoreError>;

    /// The snapshot in use.
    fn current(&self) -> Result<Option<Snapshot<TypeConfig>>, StoreError>;
}

/// The snapshot in use, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Current {
    /// The name of its folder, which is also its id.
    id: String,
    /// The last entry in it, and the membership.
    applied: Applied,
}
codec_struct!(Current { id, applied });

/// The folder of snapshots beside the database.
#[derive(Clone)]
pub(crate) struct Snapshots {
    store: Arc<RocksStore>,
    dir: PathBuf,
}

impl Snapshots {
    /// Uses `dir`, finishes an installation that a crash broke off, and removes folders that are not in use.
    pub(crate) fn open(store: Arc<RocksStore>, dir: PathBuf) -> Result<Self, StoreError> {
        let snapshots = Self { store, dir };
        fs::create_dir_all(&snapshots.dir).map_err(|e| io_error(&snapshots.dir, &e))?;
        if let Some(bytes) = snapshots.store.get(Table::RaftMeta, INSTALLING)? {
            snapshots.copy(&decode(&bytes)?)?;
        }
        let current = snapshots.recorded()?;
        snapshots.remove_all_but(current.as_ref())?;
        Ok(snapshots)
    }

    fn recorded(&self) -> Result<Option<Current>, StoreError> {
        let Some(bytes) = self.store.get(Table::RaftMeta, CURRENT)? else { return Ok(None) };
        let current = decode(&bytes)?;
        // A folder that is gone costs a new snapshot, no data.
        Ok(Some(current).filter(|current| self.dir.join(&current.id).is_dir()))
    }

    fn describe(&self, current: &Current) -> Snapshot<TypeConfig> {
        let meta = SnapshotMeta {
            last_log_id: current.applied.log_id,
            last_membership: current.applied.membership.clone(),
            snapshot_id: current.id.clone(),
        };
        Snapshot { meta, snapshot: Box::new(self.dir.join(&current.id)) }
    }

    /// Exchanges the replicated tables for those of the snapshot, and records it as the one in use.
    fn copy(&self, current: &Current) -> Result<(), StoreError> {
        let source = RocksStore::open_checkpoint(&self.dir.join(&current.id))?;
        let mut batch = Batch::default();
        for table in Table::replicated() {
            if let Some((last, _)) = self.store.last(table)? {
                batch.delete_range(table, [], last);
            }
        }
        self.store.write(batch, Durability::Ordered)?;
        for table in Table::replicated() {
            self.copy_table(&source, table)?;
        }
        let mut batch = Batch::default();
        batch.put(Table::RaftMeta, CURRENT, current.to_bytes());
        batch.delete(Table::RaftMeta, INSTALLING);
        self.store.write(batch, Durability::Synced)
    }

    fn copy_table(&self, source: &RocksStore, table: Table) -> Result<(), StoreError> {
        let (mut batch, mut bytes, mut failed) = (Batch::default(), 0, None);
        source.scan(table, &[], &mut |key, value| {
            batch.put(table, key, value);
            bytes += key.len() + value.len();
            if bytes < COPY_BYTES {
                return ControlFlow::Continue(());
            }
            bytes = 0;
            match self.store.write(std::mem::take(&mut batch), Durability::Ordered) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or_else(|| self.store.write(batch, Durability::Ordered), Err)
    }

    /// Moves a complete folder to its name and makes the move durable.
    fn keep(&self, from: &Path, current: &Current) -> Result<(), StoreError> {
        let to = self.dir.join(&current.id);
        if from != to {
            remove(&to)?;
            match fs::rename(from, &to) {
                // A folder on another file system, or one that its owner still needs, is copied.
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy_dir(from, &to)?,
                other => other.map_err(|e| io_error(from, &e))?,
            }
        }
        sync_files(&to)?;
        sync(&to)?;
        sync(&self.dir)
    }

    /// An id that no folder has, so that a snapshot of the same entry never replaces one being read.
    fn unused_id(&self, index: &str) -> Result<String, StoreError> {
        (0u32..)
            .map(|n| safe_id(&format!("{index}-{n}")))
            .find(|id| !self.dir.join(id).exists())
            .ok_or_else(|| io_error(&self.dir, &io::Error::other("no name is left for a snapshot")))
    }

    fn remove_all_but(&self, current: Option<&Current>) -> Result<(), StoreError> {
        for entry in fs::read_dir(&self.dir).map_err(|e| io_error(&self.dir, &e))? {
            let entry = entry.map_err(|e| io_error(&self.dir, &e))?;
            let kept = current.is_some_and(|current| entry.file_name() == current.id.as_str());
            if !kept && entry.file_name() != RECEIVING {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl SnapshotStore for Snapshots {
    fn store(&self) -> &dyn Store {
        &*self.store
    }

    fn build(&self) -> Result<Snapshot<TypeConfig>, StoreError> {
        let building = self.dir.join("building");
        remove(&building)?;
        self.store.checkpoint(&building)?;
        let applied = applied_in(&building)?;
        let index = applied.log_id.map_or_else(String::new, |log_id| log_id.to_string());
        let current = Current { id: self.unused_id(&index)?, applied };
        self.keep(&building, &current)?;
        let mut batch = Batch::default();
        batch.put(Table::RaftMeta, CURRENT, current.to_bytes());
        self.store.write(batch, Durability::Synced)?;
        self.remove_all_but(Some(&current))?;
        Ok(self.describe(&current))
    }

    fn receiving_dir(&self) -> Result<PathBuf, StoreError> {
        let dir = self.dir.join(RECEIVING);
        remove(&dir)?;
        fs::create_dir(&dir).map_err(|e| io_error(&dir, &e))?;
        Ok(dir)
    }

    fn install(
        &self,
        state: &StateMachine,
        meta: &SnapshotMeta<u64, Replica>,
        received: &Path,
    ) -> Result<(), StoreError> {
        let applied = applied_in(received)?;
        if applied.log_id != meta.last_log_id || applied.membership != meta.last_membership {
            let reason = "it does not hold the entry and membership it was announced with".to_owned();
            return Err(StoreError::Snapshot { path: received.display().to_string(), reason });
        }
        let current = Current { id: safe_id(&meta.snapshot_id), applied };
        self.keep(received, &current)?;
        let mut batch = Batch::default();
        batch.put(Table::RaftMeta, INSTALLING, current.to_bytes());
        self.store.write(batch, Durability::Synced)?;
        state.replace(|| self.copy(&current))?;
        self.remove_all_but(Some(&current))
    }

    fn current(&self) -> Result<Option<Snapshot<TypeConfig>>, StoreError> {
        Ok(self.recorded()?.map(|current| self.describe(&current)))
    }
}

/// The last entry and membership that a checkpoint holds.
fn applied_in(dir: &Path) -> Result<Applied, StoreError> {
    let store = RocksStore::open_checkpoint(dir)?;
    match state::applied(&*store)? {
        Some(bytes) => Applied::from_bytes(&bytes).map_err(|e| StoreError::corrupt(Table::State, e)),
        None => Ok(Applied::default()),
    }
}

/// A folder's name from an id that a peer may have chosen; our own ids stay as they are.
fn safe_id(id: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let id: String = id.chars().take(MAX_ID).map(safe).collect();
    if id.starts_with(ID_PREFIX) { id } else { format!("{ID_PREFIX}{id}") }
}

fn decode(bytes: &[u8]) -> Result<Current, StoreError> {
    Current::from_bytes(bytes).map_err(|e| StoreError::corrupt(Table::RaftMeta, e))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path, &error)),
        _ => Ok(()),
    }
}

fn copy_dir(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::create_dir(to).map_err(|e| io_error(to, &e))?;
    for entry in fs::read_dir(from).map_err(|e| io_error(from, &e))? {
        let entry = entry.map_err(|e| io_error(from, &e))?;
        let target = to.join(entry.file_name());
        fs::copy(entry.path(), &target).map_err(|e| io_error(&target, &e))?;
    }
    Ok(())
}

/// Makes the files of a folder durable: RocksDB syncs tables, but a log that was linked into a checkpoint may not be.
fn sync_files(dir: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(dir).map_err(|e| io_error(dir, &e))? {
        sync(&entry.map_err(|e| io_error(dir, &e))?.path())?;
    }
    Ok(())
}

fn sync(path: &Path) -> Result<(), StoreError> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(|e| io_error(path, &e))
}

fn io_error(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Snapshot { path: path.display().to_string(), reason: error.to_string() }
}
