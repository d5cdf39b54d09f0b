//! A replica's disk: slow now and then, and watched. Planted faults of storage are made here.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::plant::Plant;
use super::world::World;
use crate::raft::VOTE;
use crate::state::APPLIED;
use crate::store::memory::{MemoryStore, Tables};
use crate::store::{Batch, Durability, Pair, Store, StoreError, Table, Write};

/// What one process of a replica has of its disk.
pub(super) struct Disk {
    replica: u64,
    memory: MemoryStore,
    world: Arc<World>,
}

impl Disk {
    pub(super) fn new(replica: u64, memory: MemoryStore, world: Arc<World>) -> Self {
        Self { replica, memory, world }
    }

    /// Ends the process, keeping the first `kept` writes of those that a crash could take.
    pub(super) fn crash(&self, kept: usize) -> MemoryStore {
        self.memory.crash(kept)
    }

    /// How many writes a crash could take.
    pub(super) fn unsynced(&self) -> usize {
        self.memory.unsynced()
    }

    /// The replicated tables.
    pub(super) fn replicated(&self) -> Tables {
        self.memory.replicated()
    }
}

impl Store for Disk {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        visit: &mut (dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + '_),
    ) -> Result<(), StoreError> {
        self.memory.scan(table, from, visit)
    }

    fn last(&self, table: Table) -> Result<Option<Pair>, StoreError> {
        self.memory.last(table)
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        let mut checker = self.world.checker();
        checker.before_write(self.replica, &self.memory, &batch);
        let (written, durability) = planted(self.world.plant, batch.clone(), durability);
        self.memory.write(written, durability)?;
        checker.after_write(self.replica, &self.memory, &batch);
        Ok(())
    }

    fn latency(&self) -> Option<(Duration, Duration)> {
        Some(self.world.disk_latency(self.replica))
    }
}

/// The batch as the mistake writes it.
fn planted(plant: Option<Plant>, mut batch: Batch, durability: Durability) -> (Batch, Durability) {
    let is_put = |write: &Write, of: Table, with: Option<&[u8]>| match write {
        Write::Put(table, key, _) => *table == of && with.is_none_or(|with| key == with),
        _ => false,
    };
    let has = |batch: &Batch, of, with| batch.0.iter().any(|write| is_put(write, of, with));
    let lies = match plant {
        Some(Plant::VoteNotSynced) => has(&batch, Table::RaftMeta, Some(VOTE)),
        Some(Plant::AppendNotSynced) => has(&batch, Table::RaftLog, None),
        _ => false,
    };
    match plant {
        Some(Plant::AppliedWithoutIndex) => {
            batch.0.retain(|write| !is_put(write, Table::State, Some(APPLIED)));
        }
        Some(Plant::UniqueForgotten) => batch.0.retain(|write| !is_put(write, Table::Unique, None)),
        _ => {}
    }
    (batch, if lies { Durability::Ordered } else { durability })
}
