//! Tiles of the log for whoever copies it: each is checked against what is stored beside it before it is given out.

use std::sync::PoisonError;

use hansa_audit_log::tiles::Tile;
use hansa_audit_log::tiles::read::{self, LogStore};

use super::{StateMachine, StoredNodes};
use crate::error::ReadError;
use crate::store::{StoreError, Table};

impl LogStore for StoredNodes<'_> {
    fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(Table::Leaves, &index.to_be_bytes())
    }
}

impl StateMachine {
    /// The bytes of a tile.
    pub(crate) fn tile(&self, tile: &Tile) -> Result<Vec<u8>, ReadError> {
        // Held to the end, so that no snapshot takes the store's place half-way.
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        if tile.needs() > tree.size() {
            return Err(ReadError::BeyondLog { size: tile.needs(), have: tree.size() });
        }
        read::tile(&StoredNodes(&*self.store), tile).map_err(|error| {
            ReadError::Store(match error {
                read::ReadError::Store(error) => error,
                error @ (read::ReadError::DamagedLeaf(_) | read::ReadError::MissingLeaf(_)) => {
                    StoreError::corrupt(Table::Leaves, error)
                }
                error => StoreError::corrupt(Table::Nodes, error),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hansa_audit_log::tiles::{Content, bundle};

    use super::*;
    use crate::command::Proposal;
    use crate::store::memory::MemoryStore;
    use crate::store::{Batch, Durability, Store};
    use crate::testing::{append, envelope};

    const LEAVES: u8 = 5;

    fn machine() -> (Arc<MemoryStore>, StateMachine) {
        let store = Arc::new(MemoryStore::default());
        let machine = crate::state::tests::load(store.clone()).unwrap();
        let commands =
            (0..LEAVES).map(|n| Proposal { seen: None, command: append(n.into(), n, n) }).collect();
        machine.apply(commands, vec![]).unwrap();
        (store, machine)
    }

    fn tile(content: Content, width: u16) -> Tile {
        Tile::new(content, 0, width).unwrap()
    }

    #[test]
    fn a_bundle_holds_the_leaves_that_were_appended() {
        let (_, machine) = machine();
        let tile = tile(Content::Entries, LEAVES.into());
        let bytes = machine.tile(&tile).unwrap();
        let leaves: Vec<_> = (0..LEAVES).map(|n| envelope(n.into()).into_bytes()).collect();
        assert_eq!(bundle::entries(&tile, &bytes).unwrap(), leaves);
    }

    #[test]
    fn what_the_log_does_not_reach_is_said() {
        let (_, machine) = machine();
        let beyond = machine.tile(&tile(Content::Hashes { level: 0 }, 6));
        assert_eq!(beyond, Err(ReadError::BeyondLog { size: 6, have: 5 }));
        let above = machine.tile(&tile(Content::Hashes { level: 1 }, 1));
        assert_eq!(above, Err(ReadError::BeyondLog { size: 256, have: 5 }));
    }

    #[test]
    fn a_bit_flipped_in_the_store_is_found_and_not_served() {
        let key = 3u64.to_be_bytes();
        // The leaf itself; its hash, that of the pair and that of the first four.
        for (table, at) in [(Table::Leaves, 40), (Table::Nodes, 16), (Table::Nodes, 48), (Table::Nodes, 80)] {
            let (store, machine) = machine();
            let mut bytes = store.get(table, &key).unwrap().unwrap();
            bytes[at] ^= 0x10;
            let mut batch = Batch::default();
            batch.put(table, key, bytes);
            store.write(batch, Durability::Synced).unwrap();
            for content in [Content::Entries, Content::Hashes { level: 0 }] {
                let refused = machine.tile(&tile(content, LEAVES.into()));
                assert!(matches!(refused, Err(ReadError::Store(StoreError::Corrupt { .. }))), "{refused:?}");
            }
        }
    }
}
