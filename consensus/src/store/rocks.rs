//! The store on RocksDB: one database, a column family for each table, no compression (leaves are ciphertext).

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, BottommostLevelCompaction, Cache, ColumnFamily,
    ColumnFamilyDescriptor, CompactOptions, DB, DBCompactionStyle, DBCompressionType, DBRecoveryMode,
    Direction, IteratorMode, LogLevel, Options, ReadOptions, SliceTransform, UniversalCompactOptions,
    WriteBatch, WriteOptions,
};

use super::{Batch, Durability, Pair, Store, StoreError, Table, Visit, Write, read_u64};

/// The format of what lies in the tables.
const FORMAT: u64 = 3;
/// Where it is said, in [`Table::RaftMeta`].
const FORMAT_KEY: &[u8] = b"format";
/// A torn last record is what a crash leaves; a record damaged in the middle is refused rather than cut off with all
/// that follows it, as the default (point in time) would do.
const WAL_RECOVERY: DBRecoveryMode = DBRecoveryMode::TolerateCorruptedTailRecords;
/// The memtables of the tables that grow with every leaf, in its order.
const LARGE_MEMTABLE: usize = 64 << 20;
/// Those of tables that grow with every leaf at random places: what the processor's cache holds is searched fastest.
const INDEX_MEMTABLE: usize = 16 << 20;
/// The memtables of the other tables.
const SMALL_MEMTABLE: usize = 8 << 20;
/// Bits of a filter for each key: one lookup in a hundred reads a file in vain.
const FILTER_BITS: f64 = 10.0;
/// The share of a memtable that its filter takes.
const MEMTABLE_FILTER: f64 = 0.05;
/// Files of one size that are merged into one at the least, in a table of tiers.
const TIER: i32 = 4;
/// Files not yet merged at which writes are slowed.
const SLOW_AT: i32 = 64;
/// Files not yet merged at which writes wait for the merging.
const STOP_AT: i32 = 128;
/// All memtables together.
const ALL_MEMTABLES: usize = 256 << 20;
/// The write-ahead log beyond which RocksDB flushes the tables that hold it back.
const MAX_WAL: u64 = 512 << 20;
/// Files kept open at the most.
const MAX_OPEN_FILES: i32 = 512;
/// The bytes of an index term, which all keys of [`Table::Terms`] begin with.
const TERM: usize = 32;
/// Background flushes and compactions at once.
const BACKGROUND_JOBS: i32 = 2;
/// RocksDB's own log files kept.
const KEPT_INFO_LOGS: usize = 2;
/// The size of one of them.
const INFO_LOG_BYTES: usize = 1 << 20;

/// A RocksDB database with all our tables.
pub(crate) struct RocksStore {
    db: DB,
    poison: OnceLock<String>,
    #[cfg(test)]
    fail_next: std::sync::atomic::AtomicBool,
}

impl RocksStore {
    /// Opens the database in `dir`, creating it if there is none, and refuses one of another format. `cache_bytes` bounds
    /// the cache of blocks read.
    pub(crate) fn open(dir: &Path, cache_bytes: usize) -> Result<Arc<Self>, StoreError> {
        let options = database_options();
        let cache = Cache::new_lru_cache(cache_bytes);
        let families =
            Table::ALL.map(|table| ColumnFamilyDescriptor::new(table.name(), table_options(table, &cache)));
        let db = DB::open_cf_descriptors(&options, dir, families).map_err(|e| open_error(dir, &e))?;
        let store = Self::new(db);
        match store.format()? {
            Some(found) => of_our_format(dir, found)?,
            None => {
                let mut batch = Batch::default();
                batch.put(Table::RaftMeta, FORMAT_KEY, FORMAT.to_be_bytes());
                store.write(batch, Durability::Synced)?;
            }
        }
        Ok(store)
    }

    /// Opens a checkpoint for reading. One taken under load holds a write-ahead log, which is replayed in memory.
    pub(crate) fn open_checkpoint(dir: &Path) -> Result<Arc<Self>, StoreError> {
        let mut options = Options::default();
        options.set_paranoid_checks(true);
        options.set_wal_recovery_mode(WAL_RECOVERY);
        let db = DB::open_cf_for_read_only(&options, dir, Table::ALL.map(Table::name), false)
            .map_err(|e| open_error(dir, &e))?;
        let store = Self::new(db);
        of_our_format(dir, store.format()?.unwrap_or_default())?;
        Ok(store)
    }

    fn format(&self) -> Result<Option<u64>, StoreError> {
        self.get(Table::RaftMeta, FORMAT_KEY)?.map(|bytes| read_u64(Table::RaftMeta, &bytes)).transpose()
    }

    /// Puts an openable copy of the whole database into `dir`, which must not exist: hard links, whatever the size.
    pub(crate) fn checkpoint(&self, dir: &Path) -> Result<(), StoreError> {
        Checkpoint::new(&self.db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(dir))
            .map_err(|e| StoreError::Snapshot { path: dir.display().to_string(), reason: e.to_string() })
    }

    /// Rewrites the tables from which subjects' data is deleted, and with them the write-ahead log.
    pub(crate) fn rewrite(&self) -> Result<(), StoreError> {
        let failed = |e: rocksdb::Error| StoreError::Write(e.to_string());
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        for table in Table::ALL {
            self.db.flush_cf(self.family(table)).map_err(failed)?;
        }
        for table in [Table::RaftLog, Table::Documents, Table::Terms] {
            let before = self.files(table).map_err(failed)?;
            self.db.compact_range_cf_opt(self.family(table), None::<&[u8]>, None::<&[u8]>, &options);
            // The call does not say whether it did.
            if !self.files(table).map_err(failed)?.is_disjoint(&before) {
                let reason =
                    format!("the files of {} could not be rewritten: is the disk full?", table.name());
                return Err(StoreError::Write(reason));
            }
        }
        Ok(())
    }

    /// The names of the files that hold a table.
    fn files(&self, table: Table) -> Result<BTreeSet<String>, rocksdb::Error> {
        let files = self.db.live_files()?.into_iter();
        Ok(files.filter(|file| file.column_family_name == table.name()).map(|file| file.name).collect())
    }

    /// As [`RocksStore::checkpoint`], without the Raft log: its entries are of no use to whoever restores the copy, and
    /// hold what may have to be erased. `work` must not exist either, and is gone afterwards.
    pub(crate) fn checkpoint_without_log(&self, work: &Path, dir: &Path) -> Result<(), StoreError> {
        let failed = |e: rocksdb::Error| StoreError::Snapshot {
            path: work.display().to_string(),
            reason: e.to_string(),
        };
        self.checkpoint(work)?;
        // Files are shared with the live database, so nothing here may rewrite or recycle one.
        let mut options = Options::default();
        options.set_paranoid_checks(true);
        options.set_wal_recovery_mode(WAL_RECOVERY);
        options.set_log_level(LogLevel::Warn);
        let family = || {
            let mut options = Options::default();
            options.set_compression_type(DBCompressionType::None);
            options.set_disable_auto_compactions(true);
            options
        };
        let families = Table::ALL.map(|table| ColumnFamilyDescriptor::new(table.name(), family()));
        let mut db = DB::open_cf_descriptors(&options, work, families).map_err(|e| open_error(work, &e))?;
        db.drop_cf(Table::RaftLog.name()).map_err(failed)?;
        db.create_cf(Table::RaftLog.name(), &family()).map_err(failed)?;
        Checkpoint::new(&db).and_then(|checkpoint| checkpoint.create_checkpoint(dir)).map_err(failed)?;
        drop(db);
        std::fs::remove_dir_all(work)
            .map_err(|e| StoreError::Snapshot { path: work.display().to_string(), reason: e.to_string() })
    }

    /// Makes the next write fail as a full or broken disk would.
    #[cfg(test)]
    pub(crate) fn fail_next_write(&self) {
        self.fail_next.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    fn new(db: DB) -> Arc<Self> {
        Arc::new(Self {
            db,
            poison: OnceLock::new(),
            #[cfg(test)]
            fail_next: std::sync::atomic::AtomicBool::new(false),
        })
    }

    fn family(&self, table: Table) -> &ColumnFamily {
        self.db.cf_handle(table.name()).expect("the database was opened with every table")
    }

    fn visit(
        &self,
        table: Table,
        from: &[u8],
        options: ReadOptions,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let mode = IteratorMode::From(from, Direction::Forward);
        for pair in self.db.iterator_cf_opt(self.family(table), options, mode) {
            let (key, value) = pair.map_err(|e| read_error(table, &e))?;
            if let ControlFlow::Break(()) = visit(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    fn write_to_disk(&self, batch: WriteBatch, options: &WriteOptions) -> Result<(), String> {
        #[cfg(test)]
        if self.fail_next.swap(false, std::sync::atomic::Ordering::SeqCst) {
            return Err("injected fault".to_owned());
        }
        self.db.write_opt(batch, options).map_err(|e| e.to_string())
    }
}

impl Store for RocksStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get_cf(self.family(table), key).map_err(|e| read_error(table, &e))
    }

    fn scan(&self, table: Table, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let mut options = ReadOptions::default();
        // Across prefixes: a table with a prefix filter would otherwise show only the first.
        options.set_total_order_seek(true);
        self.visit(table, from, options, visit)
    }

    fn scan_prefix(
        &self,
        table: Table,
        prefix: &[u8],
        from: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let mut options = ReadOptions::default();
        options.set_total_order_seek(table != Table::Terms || prefix.len() < TERM);
        self.visit(table, from, options, &mut |key, value| {
            if key.starts_with(prefix) { visit(key, value) } else { ControlFlow::Break(()) }
        })
    }

    fn last(&self, table: Table) -> Result<Option<Pair>, StoreError> {
        let last = self.db.full_iterator_cf(self.family(table), IteratorMode::End).next().transpose();
        let last = last.map_err(|e| read_error(table, &e))?;
        Ok(last.map(|(key, value)| (key.into_vec(), value.into_vec())))
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        if let Some(reason) = self.poison.get() {
            return Err(StoreError::Poisoned(reason.clone()));
        }
        // RocksDB's binding finds a table by its name: once a batch, not once for each of many thousand writes.
        let families = Table::ALL.map(|table| self.family(table));
        let mut writes = WriteBatch::with_capacity_bytes(batch.0.iter().map(Write::length_hint).sum());
        for write in &batch.0 {
            match write {
                Write::Put(table, key, value) => writes.put_cf(families[table.place()], key, value),
                Write::Delete(table, key) => writes.delete_cf(families[table.place()], key),
                Write::DeleteRange(table, first, last) => {
                    writes.delete_range_cf(families[table.place()], first, last);
                    writes.delete_cf(families[table.place()], last);
                }
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced);
        self.write_to_disk(writes, &options).map_err(|reason| {
            // After a failed fsync the kernel may have dropped the pages: a second try could succeed and lie.
            let _ = self.poison.set(reason.clone());
            StoreError::Write(reason)
        })
    }
}

fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    options.set_wal_recovery_mode(WAL_RECOVERY);
    options.set_max_total_wal_size(MAX_WAL);
    options.set_db_write_buffer_size(ALL_MEMTABLES);
    options.set_max_open_files(MAX_OPEN_FILES);
    options.set_max_background_jobs(BACKGROUND_JOBS);
    options.set_keep_log_file_num(KEPT_INFO_LOGS);
    options.set_max_log_file_size(INFO_LOG_BYTES);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options
}

fn table_options(table: Table, cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_cache_index_and_filter_blocks(true);
    // In parts: the filter of a whole file is so large that the cache has lost it before it is asked again.
    blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    blocks.set_partition_filters(true);
    blocks.set_pin_top_level_index_and_filter(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    match table {
        Table::RaftLog | Table::Leaves | Table::Nodes => options.set_write_buffer_size(LARGE_MEMTABLE),
        Table::Unique => {
            // Most lookups there are for payments never seen before.
            blocks.set_bloom_filter(FILTER_BITS, false);
            options.set_memtable_prefix_bloom_ratio(MEMTABLE_FILTER);
            options.set_memtable_whole_key_filtering(true);
            options.set_write_buffer_size(INDEX_MEMTABLE);
            keep_in_tiers(&mut options);
        }
        Table::Terms => {
            // A lookup is a seek to one term, and skips every file that has no leaf under it.
            blocks.set_bloom_filter(FILTER_BITS, false);
            blocks.set_whole_key_filtering(false);
            options.set_prefix_extractor(SliceTransform::create_fixed_prefix(TERM));
            options.set_memtable_prefix_bloom_ratio(MEMTABLE_FILTER);
            options.set_write_buffer_size(INDEX_MEMTABLE);
            keep_in_tiers(&mut options);
        }
        _ => options.set_write_buffer_size(SMALL_MEMTABLE),
    }
    options.set_compression_type(DBCompressionType::None);
    options.set_block_based_table_factory(&blocks);
    options.set_level_compaction_dynamic_level_bytes(true);
    // No file is written again for its age alone: nothing in it changes but by an erasure, which rewrites it.
    options.set_ttl(0);
    options.set_periodic_compaction_seconds(0);
    options
}

/// Merges files of like size (universal compaction): keys that come in no order are written again about as often as the
/// table has grown fourfold, where levels would write each ten times over on every level.
fn keep_in_tiers(options: &mut Options) {
    let mut tiers = UniversalCompactOptions::default();
    tiers.set_min_merge_width(TIER);
    options.set_compaction_style(DBCompactionStyle::Universal);
    options.set_universal_compaction_options(&tiers);
    options.set_level_zero_file_num_compaction_trigger(2 * TIER);
    options.set_level_zero_slowdown_writes_trigger(SLOW_AT);
    options.set_level_zero_stop_writes_trigger(STOP_AT);
}

fn open_error(dir: &Path, error: &rocksdb::Error) -> StoreError {
    StoreError::Open { dir: dir.display().to_string(), reason: error.to_string() }
}

fn of_our_format(dir: &Path, found: u64) -> Result<(), StoreError> {
    if found == FORMAT {
        return Ok(());
    }
    Err(StoreError::Format { dir: dir.display().to_string(), found, known: FORMAT })
}

fn read_error(table: Table, error: &rocksdb::Error) -> StoreError {
    StoreError::Read { table: table.name(), reason: error.to_string() }
}

#[cfg(test)]
mod tests;
