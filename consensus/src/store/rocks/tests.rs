//! The store on RocksDB, beside the plain one in memory.

use std::error::Error;
use std::fs;
use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::store::memory::MemoryStore;
use crate::store::scan_prefix;

/// Nothing here fails but the machine: what does is the test's failure.
type Tested = Result<(), Box<dyn Error>>;

const CACHE: usize = 1 << 20;

#[test]
fn a_database_of_another_format_is_refused_and_so_is_a_copy_of_it() -> Tested {
    let dir = tempfile::tempdir()?;
    let (live, copy) = (dir.path().join("live"), dir.path().join("copy"));
    let store = RocksStore::open(&live, CACHE)?;
    let mut batch = Batch::default();
    batch.put(Table::RaftMeta, FORMAT_KEY, (FORMAT - 1).to_be_bytes());
    store.write(batch, Durability::Synced)?;
    store.checkpoint(&copy)?;
    drop(store);
    for (dir, opened) in
        [(&live, RocksStore::open(&live, CACHE)), (&copy, RocksStore::open_checkpoint(&copy))]
    {
        let dir = dir.display().to_string();
        assert_eq!(opened.err(), Some(StoreError::Format { dir, found: FORMAT - 1, known: FORMAT }));
    }
    Ok(())
}

const TABLES: [Table; 3] = [Table::Terms, Table::Unique, Table::Leaves];

/// Changes at random. Half of the terms are of this round alone, so that most files lack them.
fn changes(rng: &mut StdRng, round: u8) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..100 {
        let term = if rng.r#gen() { rng.gen_range(1..9) } else { round + 10 };
        let index = rng.gen_range(0..50_000);
        for table in TABLES {
            match rng.gen_range(0..40) {
                0 => batch.delete(table, key(term, index)),
                1 => batch.delete_range(table, key(term, index), key(term, index + 2_000)),
                _ => batch.put(table, key(term, index), [round]),
            }
        }
    }
    // Every other round nothing is left of the greatest term.
    if round % 2 == 1 {
        for table in TABLES {
            batch.delete_range(table, key(round + 10, 0), key(round + 10, u64::MAX));
        }
    }
    batch
}

fn assert_alike(store: &RocksStore, plain: &MemoryStore, terms: Range<u8>, when: &str) -> Tested {
    for table in TABLES {
        assert_eq!(store.last(table)?, plain.last(table)?, "{table:?} {when}");
        let all = |store: &dyn Store| scan_prefix(store, table, &[], usize::MAX);
        assert!(all(store)? == all(plain)?, "{table:?} {when}");
        for term in terms.clone() {
            let under = |store: &dyn Store| scan_prefix(store, table, &[term; TERM], 100);
            let found = under(plain)?;
            assert_eq!(under(store)?, found, "{table:?} {term} {when}");
            for (key, value) in found {
                assert_eq!(store.get(table, &key)?, Some(value), "{table:?} {term} {when}");
            }
        }
    }
    Ok(())
}

/// What is found in memtables, full ones, many files and copies is what the plain store finds.
#[test]
fn every_table_answers_as_the_store_in_memory_does() -> Tested {
    let dir = tempfile::tempdir()?;
    let live = dir.path().join("live");
    let (mut rocks, plain) = (RocksStore::open(&live, CACHE)?, MemoryStore::default());
    let mut rng = StdRng::seed_from_u64(7);
    for round in 0..40 {
        let mut batch = changes(&mut rng, round);
        if round == 20 {
            // More terms than one memtable holds.
            (0..200_000).for_each(|index| batch.put(Table::Terms, key(7, index), [round]));
        }
        rocks.write(batch.clone(), Durability::Ordered)?;
        plain.write(batch, Durability::Ordered)?;
        match round % 10 {
            0 | 3 | 5 | 8 => TABLES.iter().try_for_each(|table| rocks.db.flush_cf(rocks.family(*table)))?,
            6 => {
                drop(rocks);
                rocks = RocksStore::open(&live, CACHE)?;
            }
            _ => {}
        }
        if round == 29 {
            rocks.rewrite()?;
        }
        assert_alike(&rocks, &plain, 0..round + 12, &format!("in round {round}"))?;
    }
    let [copy, work, without_log] = ["copy", "work", "without-log"].map(|name| dir.path().join(name));
    rocks.checkpoint(&copy)?;
    rocks.checkpoint_without_log(&work, &without_log)?;
    for copy in [copy, without_log] {
        assert_alike(&*RocksStore::open_checkpoint(&copy)?, &plain, 0..52, "in a copy")?;
    }
    Ok(())
}

/// Whether a table or write-ahead log holds a key under the term. The MANIFEST is not asked: it remembers the first and
/// last key of files that are gone.
fn files_hold(dir: &Path, term: u8) -> std::io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "sst" || kind == "log")
            && fs::read(path)?.windows(TERM).any(|window| window == [term; TERM])
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[test]
fn what_was_deleted_is_in_no_file_after_a_rewrite() -> Tested {
    let dir = tempfile::tempdir()?;
    let store = RocksStore::open(dir.path(), CACHE)?;
    let (kept, deleted) = (0xa1, 0xb2);
    for table in [Table::Terms, Table::Documents, Table::RaftLog] {
        for term in [kept, deleted] {
            store.write(five(table, term), Durability::Synced)?;
            store.db.flush_cf(store.family(table))?;
        }
        let mut batch = Batch::default();
        batch.delete_range(table, key(deleted, 0), key(deleted, u64::MAX));
        store.write(batch, Durability::Synced)?;
    }
    assert!(files_hold(dir.path(), kept)? && files_hold(dir.path(), deleted)?);
    store.rewrite()?;
    assert!(files_hold(dir.path(), kept)? && !files_hold(dir.path(), deleted)?);
    Ok(())
}

/// RocksDB's own call says nothing of it.
#[test]
fn a_rewrite_that_could_not_be_done_is_an_error() -> Tested {
    let dir = tempfile::tempdir()?;
    let live = dir.path().join("live");
    let store = RocksStore::open(&live, CACHE)?;
    store.write(five(Table::Terms, 1), Durability::Synced)?;
    store.rewrite()?;
    // There is nothing to flush, and no folder for new files.
    fs::rename(&live, dir.path().join("away"))?;
    let refused = store.rewrite();
    assert!(matches!(&refused, Err(StoreError::Write(why)) if why.contains("terms")), "{refused:?}");
    Ok(())
}

/// In the memtable and, after a rewrite, in files with filters.
#[test]
fn a_term_is_found_by_its_prefix_and_the_whole_table_is_still_read_in_order() -> Tested {
    let dir = tempfile::tempdir()?;
    let store = RocksStore::open(dir.path(), CACHE)?;
    (1..4).try_for_each(|term| store.write(five(Table::Terms, term), Durability::Synced))?;
    let all: Vec<Vec<u8>> = (1..4).flat_map(|term| (0..5).map(move |index| key(term, index))).collect();
    for _ in 0..2 {
        assert_eq!(scanned(&store, &[2; TERM], &key(2, 3))?, [key(2, 3), key(2, 4)]);
        assert!(scanned(&store, &[9; TERM], &key(9, 0))?.is_empty());
        let mut whole = Vec::new();
        store.scan(Table::Terms, &[], &mut |key, _| {
            whole.push(key.to_vec());
            ControlFlow::Continue(())
        })?;
        assert_eq!(whole, all);
        store.rewrite()?;
    }
    Ok(())
}

fn key(term: u8, index: u64) -> Vec<u8> {
    [[term; TERM].as_slice(), &index.to_be_bytes()].concat()
}

/// Five keys under a term.
fn five(table: Table, term: u8) -> Batch {
    let mut batch = Batch::default();
    (0..5).for_each(|index| batch.put(table, key(term, index), []));
    batch
}

fn scanned(store: &RocksStore, prefix: &[u8], from: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut keys = Vec::new();
    store.scan_prefix(Table::Terms, prefix, from, &mut |key, _| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(keys)
}
