//! The store on RocksDB, beside the plain one in memory.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::store::memory::MemoryStore;
use crate::store::scan_prefix;

#[test]
fn a_database_of_another_format_is_refused_and_so_is_a_copy_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (live, copy) = (dir.path().join("live"), dir.path().join("copy"));
    let store = RocksStore::open(&live, 1 << 20).unwrap();
    let mut batch = Batch::default();
    batch.put(Table::RaftMeta, FORMAT_KEY, (FORMAT - 1).to_be_bytes());
    store.write(batch, Durability::Synced).unwrap();
    store.checkpoint(&copy).unwrap();
    drop(store);
    for (dir, opened) in
        [(&live, RocksStore::open(&live, 1 << 20)), (&copy, RocksStore::open_checkpoint(&copy))]
    {
        let dir = dir.display().to_string();
        assert_eq!(opened.err(), Some(StoreError::Format { dir, found: FORMAT - 1, known: FORMAT }));
    }
}

const TABLES: [Table; 3] = [Table::Terms, Table::Unique, Table::Leaves];

/// Changes at random. Half of the terms are of this round alone, so that most files lack them.
fn changes(rng: &mut StdRng, round: u8, count: usize) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..count {
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
        TABLES
            .iter()
            .for_each(|table| batch.delete_range(*table, key(round + 10, 0), key(round + 10, u64::MAX)));
    }
    batch
}

fn assert_alike(store: &RocksStore, plain: &MemoryStore, terms: std::ops::Range<u8>, what: &str) {
    for table in TABLES {
        let last = |store: &dyn Store| store.last(table).unwrap();
        assert_eq!(last(store), last(plain), "{table:?} {what}");
        let all = |store: &dyn Store| scan_prefix(store, table, &[], usize::MAX).unwrap();
        assert!(all(store) == all(plain), "{table:?} {what}");
        for term in terms.clone() {
            let under = |store: &dyn Store| scan_prefix(store, table, &[term; TERM], 100).unwrap();
            let found = under(plain);
            assert_eq!(under(store), found, "{table:?} {term} {what}");
            for (key, value) in found {
                assert_eq!(store.get(table, &key).unwrap(), Some(value), "{table:?} {term} {what}");
            }
        }
    }
}

/// What is found in memtables, full ones, many files and copies is what the plain store finds.
#[test]
fn every_table_answers_as_the_store_in_memory_does() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let (mut rocks, plain) = (RocksStore::open(&live, 1 << 20).unwrap(), MemoryStore::default());
    let mut rng = StdRng::seed_from_u64(7);
    for round in 0..40 {
        let mut batch = changes(&mut rng, round, 100);
        if round == 20 {
            // Several memtables full of terms.
            (0..200_000).for_each(|index| batch.put(Table::Terms, key(7, index), [round]));
        }
        rocks.write(batch.clone(), Durability::Ordered).unwrap();
        plain.write(batch, Durability::Ordered).unwrap();
        match round % 10 {
            0 | 3 | 5 | 8 => TABLES.iter().for_each(|table| rocks.db.flush_cf(rocks.family(*table)).unwrap()),
            6 => {
                drop(rocks);
                rocks = RocksStore::open(&live, 1 << 20).unwrap();
            }
            _ => {}
        }
        if round == 29 {
            rocks.rewrite().unwrap();
        }
        assert_alike(&rocks, &plain, 0..round + 12, &format!("in round {round}"));
    }
    let (copy, work, without_log) =
        (dir.path().join("copy"), dir.path().join("work"), dir.path().join("without-log"));
    rocks.checkpoint(&copy).unwrap();
    rocks.checkpoint_without_log(&work, &without_log).unwrap();
    for copy in [copy, without_log] {
        assert_alike(&RocksStore::open_checkpoint(&copy).unwrap(), &plain, 0..52, "in a copy");
    }
}

#[test]
fn what_was_deleted_is_in_no_file_after_a_rewrite() {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::open(dir.path(), 1 << 20).unwrap();
    // In tables and write-ahead logs: the MANIFEST remembers the first and last key of files that are gone.
    let held = |term: u8| {
        let files = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files =
            files.filter(|path| path.extension().is_some_and(|kind| kind == "sst" || kind == "log"));
        files.any(|path| std::fs::read(path).unwrap().windows(TERM).any(|window| window == [term; TERM]))
    };
    for table in [Table::Terms, Table::Documents, Table::RaftLog] {
        for term in [0xa1, 0xb2] {
            let mut batch = Batch::default();
            (0..5).for_each(|index| batch.put(table, key(term, index), []));
            store.write(batch, Durability::Synced).unwrap();
            store.db.flush_cf(store.family(table)).unwrap();
        }
        let mut batch = Batch::default();
        batch.delete_range(table, key(0xb2, 0), key(0xb2, u64::MAX));
        store.write(batch, Durability::Synced).unwrap();
    }
    assert!(held(0xa1) && held(0xb2));
    store.rewrite().unwrap();
    assert!(held(0xa1) && !held(0xb2));
}

fn key(term: u8, index: u64) -> Vec<u8> {
    [[term; TERM].as_slice(), &index.to_be_bytes()].concat()
}

fn scanned(store: &RocksStore, prefix: &[u8], from: &[u8]) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    store
        .scan_prefix(Table::Terms, prefix, from, &mut |key, _| {
            keys.push(key.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    keys
}

/// In the memtable and, after a rewrite, in files with filters.
#[test]
fn a_term_is_found_by_its_prefix_and_the_whole_table_is_still_read_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::open(dir.path(), 1 << 20).unwrap();
    let mut batch = Batch::default();
    let all: Vec<Vec<u8>> = (1..4).flat_map(|term| (0..3).map(move |index| key(term, index))).collect();
    all.iter().for_each(|key| batch.put(Table::Terms, key.clone(), []));
    store.write(batch, Durability::Synced).unwrap();
    for _ in 0..2 {
        assert_eq!(scanned(&store, &[2; TERM], &key(2, 1)), [key(2, 1), key(2, 2)]);
        assert!(scanned(&store, &[9; TERM], &key(9, 0)).is_empty());
        let mut whole = Vec::new();
        store
            .scan(Table::Terms, &[], &mut |key, _| {
                whole.push(key.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(whole, all);
        store.rewrite().unwrap();
    }
}
