//! The wrapped subject keys, in a database of their own beside the replicated one.
//!
//! Erasing a subject is deleting its key. A key that also lay in the main database's snapshots, checkpoints and backups
//! would outlive that, so this one is small, never checkpointed, synced with every write, and compacted after an
//! erasure.

use std::path::Path;

use hansa_types::hash::{Digest, digest};
use rocksdb::{
    BottommostLevelCompaction, CompactOptions, DB, DBCompressionType, DBRecoveryMode, IteratorMode, LogLevel,
    Options, WriteBatch, WriteOptions,
};

use super::StoreError;

/// What names a wrapped key: the digest of its bytes, which gives nothing away.
const NAME_DOMAIN: &str = "hansa/subject-key-name/v1";
/// The table's name in errors.
const TABLE: &str = "subject-keys";
/// The memtable: subjects are few beside records.
const MEMTABLE: usize = 8 << 20;

/// The name of a wrapped subject key.
#[must_use]
pub fn subject_key_name(wrapped: &[u8]) -> Digest {
    digest(NAME_DOMAIN, &[wrapped])
}

/// A wrapped key under its name.
pub(crate) type NamedKey = (Digest, Vec<u8>);

/// A change of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyChange {
    Put(Digest, Vec<u8>),
    Delete(Digest),
}

/// The database of wrapped subject keys.
pub(crate) struct SubjectKeys(Backing);

enum Backing {
    Disk(DB),
    #[cfg(any(test, feature = "simulation"))]
    Memory(std::sync::Mutex<std::collections::BTreeMap<Digest, Vec<u8>>>),
}

impl SubjectKeys {
    /// Opens the database in `dir`, creating it if there is none.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_paranoid_checks(true);
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        options.set_compression_type(DBCompressionType::None);
        options.set_write_buffer_size(MEMTABLE);
        options.set_keep_log_file_num(1);
        options.set_log_level(LogLevel::Warn);
        options.set_stats_dump_period_sec(0);
        let db = DB::open(&options, dir)
            .map_err(|e| StoreError::Open { dir: dir.display().to_string(), reason: e.to_string() })?;
        Ok(Self(Backing::Disk(db)))
    }

    /// A database in memory.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn in_memory() -> Self {
        Self(Backing::Memory(std::sync::Mutex::default()))
    }

    /// The wrapped key of this name.
    pub(crate) fn get(&self, name: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.0 {
            Backing::Disk(db) => db.get(name.0).map_err(|e| read_error(&e)),
            #[cfg(any(test, feature = "simulation"))]
            Backing::Memory(keys) => {
                Ok(keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(name).cloned())
            }
        }
    }

    /// Makes the changes, durable when this returns.
    pub(crate) fn write(&self, changes: &[KeyChange]) -> Result<(), StoreError> {
        match &self.0 {
            Backing::Disk(db) => {
                let mut batch = WriteBatch::default();
                for change in changes {
                    match change {
                        KeyChange::Put(name, wrapped) => batch.put(name.0, wrapped),
                        KeyChange::Delete(name) => batch.delete(name.0),
                    }
                }
                let mut options = WriteOptions::default();
                options.set_sync(true);
                db.write_opt(batch, &options).map_err(|e| StoreError::Write(e.to_string()))
            }
            #[cfg(any(test, feature = "simulation"))]
            Backing::Memory(keys) => {
                let mut keys = keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                for change in changes.iter().cloned() {
                    match change {
                        KeyChange::Put(name, wrapped) => drop(keys.insert(name, wrapped)),
                        KeyChange::Delete(name) => drop(keys.remove(&name)),
                    }
                }
                Ok(())
            }
        }
    }

    /// Every wrapped key with its name, as of now.
    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = Result<NamedKey, StoreError>> + Send + '_> {
        match &self.0 {
            Backing::Disk(db) => Box::new(db.iterator(IteratorMode::Start).map(|pair| {
                let (name, wrapped) = pair.map_err(|e| read_error(&e))?;
                let name = name.as_ref().try_into().map_err(|_| corrupt("a name is not 32 bytes"))?;
                checked(Digest(name), wrapped.into_vec())
            })),
            #[cfg(any(test, feature = "simulation"))]
            Backing::Memory(keys) => {
                let keys = keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
                Box::new(keys.into_iter().map(|(name, wrapped)| checked(name, wrapped)))
            }
        }
    }

    /// Rewrites the files, so that no deleted key is left in them or in the write-ahead log.
    pub(crate) fn compact(&self) -> Result<(), StoreError> {
        match &self.0 {
            Backing::Disk(db) => {
                db.flush().map_err(|e| StoreError::Write(e.to_string()))?;
                let mut options = CompactOptions::default();
                options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
                db.compact_range_opt(None::<&[u8]>, None::<&[u8]>, &options);
                Ok(())
            }
            #[cfg(any(test, feature = "simulation"))]
            Backing::Memory(_) => Ok(()),
        }
    }
}

/// A key is what it is named after, or damaged.
pub(crate) fn checked(name: Digest, wrapped: Vec<u8>) -> Result<(Digest, Vec<u8>), StoreError> {
    if subject_key_name(&wrapped) == name {
        Ok((name, wrapped))
    } else {
        Err(corrupt("a key is not what its name says"))
    }
}

fn corrupt(reason: &str) -> StoreError {
    StoreError::Corrupt { table: TABLE, reason: reason.to_owned() }
}

fn read_error(error: &rocksdb::Error) -> StoreError {
    StoreError::Read { table: TABLE, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(keys: &SubjectKeys) -> Vec<Digest> {
        keys.iter().map(|pair| pair.unwrap().0).collect()
    }

    fn files_hold(dir: &Path, bytes: &[u8]) -> bool {
        std::fs::read_dir(dir).unwrap().any(|entry| {
            let file = std::fs::read(entry.unwrap().path()).unwrap();
            file.windows(bytes.len()).any(|window| window == bytes)
        })
    }

    #[test]
    fn a_deleted_key_is_in_no_file_after_compaction() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, erased) = (vec![0xa5; 60], vec![0x5a; 60]);
        let keys = SubjectKeys::open(dir.path()).unwrap();
        let put = |wrapped: &Vec<u8>| KeyChange::Put(subject_key_name(wrapped), wrapped.clone());
        keys.write(&[put(&kept), put(&erased)]).unwrap();
        assert!(files_hold(dir.path(), &erased));
        keys.write(&[KeyChange::Delete(subject_key_name(&erased))]).unwrap();
        keys.compact().unwrap();
        assert!(files_hold(dir.path(), &kept));
        assert!(!files_hold(dir.path(), &erased));
        drop(keys);
        let keys = SubjectKeys::open(dir.path()).unwrap();
        assert_eq!(names(&keys), [subject_key_name(&kept)]);
        assert_eq!(keys.get(&subject_key_name(&kept)).unwrap(), Some(kept));
        assert_eq!(keys.get(&subject_key_name(&erased)).unwrap(), None);
    }

    #[test]
    fn a_key_that_is_not_what_its_name_says_is_not_handed_out() {
        let keys = SubjectKeys::in_memory();
        keys.write(&[KeyChange::Put(Digest([1; 32]), vec![2; 60])]).unwrap();
        assert!(matches!(keys.iter().next(), Some(Err(StoreError::Corrupt { table: TABLE, .. }))));
    }
}
