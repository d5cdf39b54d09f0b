//! A store in memory, for tests and the simulation of what stands on the trait. It keeps the promise of the trait to
//! the letter: what a crash leaves is a prefix of the writes that holds every synced one.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{Batch, Durability, Pair, Store, StoreError, Table, Visit, Write};

/// Every table, sorted.
pub(crate) type Tables = BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>;

/// A store as one process sees it.
#[derive(Default)]
pub(crate) struct MemoryStore(RwLock<Contents>);

#[derive(Default)]
struct Contents {
    /// With every write.
    tables: Tables,
    /// As far as synced.
    durable: Tables,
    /// What was written since, in order.
    pending: Vec<Batch>,
    /// The process is dead: nothing it does reaches the disk.
    crashed: bool,
}

impl MemoryStore {
    /// Everything in the replicated tables.
    pub(crate) fn replicated(&self) -> Tables {
        let contents = self.contents();
        let table = |table| Some((table, contents.tables.get(&table)?.clone()));
        Table::replicated().filter_map(table).filter(|(_, pairs)| !pairs.is_empty()).collect()
    }

    /// How many writes a crash could take.
    #[cfg_attr(not(feature = "simulation"), expect(dead_code, reason = "the simulation asks"))]
    pub(crate) fn unsynced(&self) -> usize {
        self.contents().pending.len()
    }

    /// Ends the process: of the writes not synced, the first `kept` are found by the next one. Later writes of this
    /// one fail.
    pub(crate) fn crash(&self, kept: usize) -> Self {
        let mut contents = self.contents_mut();
        contents.crashed = true;
        let mut durable = std::mem::take(&mut contents.durable);
        contents.pending.drain(..).take(kept).for_each(|batch| apply(&mut durable, batch));
        Self(RwLock::new(Contents { tables: durable.clone(), durable, ..Contents::default() }))
    }

    fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn contents_mut(&self) -> RwLockWriteGuard<'_, Contents> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.contents().tables.get(&table).and_then(|pairs| pairs.get(key).cloned()))
    }

    fn scan(&self, table: Table, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let contents = self.contents();
        let Some(pairs) = contents.tables.get(&table) else { return Ok(()) };
        for (key, value) in pairs.range::<[u8], _>((Bound::Included(from), Bound::Unbounded)) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, table: Table) -> Result<Option<Pair>, StoreError> {
        let contents = self.contents();
        let last = contents.tables.get(&table).and_then(BTreeMap::last_key_value);
        Ok(last.map(|(key, value)| (key.clone(), value.clone())))
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        let mut contents = self.contents_mut();
        if contents.crashed {
            return Err(StoreError::Write("the process has crashed".to_owned()));
        }
        apply(&mut contents.tables, batch.clone());
        contents.pending.push(batch);
        if durability == Durability::Synced {
            let Contents { durable, pending, .. } = &mut *contents;
            pending.drain(..).for_each(|batch| apply(durable, batch));
        }
        Ok(())
    }
}

fn apply(tables: &mut Tables, batch: Batch) {
    for write in batch.0 {
        match write {
            Write::Put(table, key, value) => {
                tables.entry(table).or_default().insert(key, value);
            }
            Write::Delete(table, key) => {
                tables.entry(table).or_default().remove(&key);
            }
            Write::DeleteRange(table, first, last) => {
                let pairs = tables.entry(table).or_default();
                let range = pairs.range::<[u8], _>((Bound::Included(&*first), Bound::Included(&*last)));
                let keys: Vec<Vec<u8>> = range.map(|(key, _)| key.clone()).collect();
                keys.iter().for_each(|key| {
                    pairs.remove(key);
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &MemoryStore, key: u8, durability: Durability) {
        let mut batch = Batch::default();
        batch.put(Table::Leaves, [key], [key]);
        store.write(batch, durability).unwrap();
    }

    fn keys(store: &MemoryStore) -> Vec<u8> {
        super::super::scan_prefix(store, Table::Leaves, &[], 100)
            .unwrap()
            .iter()
            .map(|(key, _)| key[0])
            .collect()
    }

    #[test]
    fn a_crash_leaves_what_was_synced_and_a_prefix_of_the_rest() {
        for kept in 0..=2 {
            let store = MemoryStore::default();
            put(&store, 1, Durability::Ordered);
            put(&store, 2, Durability::Synced);
            put(&store, 3, Durability::Ordered);
            put(&store, 4, Durability::Ordered);
            assert_eq!(keys(&store), [1, 2, 3, 4]);
            let next = store.crash(kept);
            assert_eq!(keys(&next), (1..=2 + kept as u8).collect::<Vec<_>>());
            let mut batch = Batch::default();
            batch.delete_range(Table::Leaves, [1], [2]);
            assert!(store.write(batch.clone(), Durability::Synced).is_err(), "the dead write nothing");
            next.write(batch, Durability::Synced).unwrap();
            assert_eq!(keys(&next), (3..3 + kept as u8).collect::<Vec<_>>());
        }
    }
}
