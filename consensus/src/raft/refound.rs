//! The state of a group that is gone, as the beginning of a new group of one.

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::codec::{Decode, Encode};
use openraft::{Membership, StoredMembership, Vote};

use super::codec::{Applied, log_id_to_bytes, vote_from_bytes, vote_to_bytes};
use super::log_store::{PURGED, VOTE};
use super::snapshot::{CURRENT, INSTALLING};
use crate::replica::Replica;
use crate::state;
use crate::store::{Batch, Store, StoreError, Table};

/// The index of the last Raft entry applied in a store.
pub(crate) fn applied_index(store: &dyn Store) -> Result<Option<u64>, StoreError> {
    Ok(applied(store)?.log_id.map(|log_id| log_id.index))
}

/// Makes `replica` the only member, at the entry that the store has applied: the old group's log, votes and snapshots
/// are of no use to the new one, and its other members must join it anew.
pub(crate) fn refound(
    store: &dyn Store,
    id: u64,
    replica: Replica,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let applied = applied(store)?;
    batch.delete_range(Table::RaftLog, [], [u8::MAX; 8]);
    for key in [CURRENT, INSTALLING, VOTE, PURGED] {
        batch.delete(Table::RaftMeta, key);
    }
    // Without an entry there is nothing to go on from: such a folder founds its group as a fresh one does.
    let Some(log_id) = applied.log_id else { return Ok(()) };
    let stored = store.get(Table::RaftMeta, VOTE)?.map(|bytes| vote_from_bytes(&bytes)).transpose();
    let voted = stored.map_err(|e| StoreError::corrupt(Table::RaftMeta, e))?.unwrap_or_default();
    let term = voted.leader_id.term.max(log_id.leader_id.term);
    let members = Membership::new(vec![BTreeSet::from([id])], BTreeMap::from([(id, replica)]));
    let membership = StoredMembership::new(Some(log_id), members);
    batch.put(Table::RaftMeta, VOTE, vote_to_bytes(&Vote::new(term, id)));
    batch.put(Table::RaftMeta, PURGED, log_id_to_bytes(&log_id));
    batch.put(Table::State, state::APPLIED, Applied { log_id: Some(log_id), membership }.to_bytes());
    Ok(())
}

fn applied(store: &dyn Store) -> Result<Applied, StoreError> {
    match state::applied(store)? {
        Some(bytes) => Applied::from_bytes(&bytes).map_err(|e| StoreError::corrupt(Table::State, e)),
        None => Ok(Applied::default()),
    }
}
