//! A store in memory, for tests of what stands on the trait.

use std::collections::BTreeMap;
use std::sync::RwLock;

use super::{Batch, Durability, Pair, Store, StoreError, Table, Visit, Write};

type Tables = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// All tables as one sorted map.
#[derive(Default)]
pub(crate) struct MemoryStore(RwLock<Tables>);

impl MemoryStore {
    /// Everything in the replicated tables.
    pub(crate) fn replicated(&self) -> Tables {
        let tables: Vec<Table> = Table::replicated().collect();
        let all = self.0.read().unwrap();
        all.iter()
            .filter(|((table, _), _)| tables.contains(table))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }
}

impl Store for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.read().unwrap().get(&(table, key.to_vec())).cloned())
    }

    fn scan(&self, table: Table, from: &[u8], visit: &mut Visit<'_>) -> Result<(), StoreError> {
        for ((_, key), value) in
            self.0.read().unwrap().range((table, from.to_vec())..).take_while(|((t, _), _)| *t == table)
        {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, table: Table) -> Result<Option<Pair>, StoreError> {
        let all = self.0.read().unwrap();
        let last = all.iter().rfind(|((t, _), _)| *t == table);
        Ok(last.map(|((_, key), value)| (key.clone(), value.clone())))
    }

    fn write(&self, batch: Batch, _: Durability) -> Result<(), StoreError> {
        let mut all = self.0.write().unwrap();
        for write in batch.0 {
            match write {
                Write::Put(table, key, value) => {
                    all.insert((table, key), value);
                }
                Write::Delete(table, key) => {
                    all.remove(&(table, key));
                }
                Write::DeleteRange(table, first, last) => {
                    all.retain(|(t, key), _| *t != table || *key < first || *key > last);
                }
            }
        }
        Ok(())
    }
}
