//! The replicated state: what committed commands do to the log, its indexes, the signals and the counters.
//!
//! Applying is deterministic and in one batch per Raft entry. The batch is ordered, not synced: the Raft log is synced
//! before, and what a crash takes from the state is applied again from it.

mod execute;
mod governance;
mod read;
mod signals;
mod subjects;
mod tiles;
mod transaction;
mod witness;

#[cfg(test)]
mod governance_tests;
#[cfg(test)]
mod subject_tests;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use hansa_audit_log::merkle::{Frontier, Hash, NodeId, NodeStore, TreeError};
use hansa_types::codec::{CodecError, Decode, Encode};
use hansa_types::codec_struct;
use hansa_types::hash::Field;
use hansa_types::record::ScopeKey;
use hansa_types::verify::SignalVerifier;

pub use self::read::{Document, PendingIntent};
pub use self::signals::SignalState;
pub use self::subjects::ErasedKey;
pub(crate) use self::subjects::enter_ledger;
pub use self::witness::Witnessed;

use self::transaction::Transaction;
use crate::command::{BASE_LEVEL, Proposal};
use crate::outcome::Outcome;
use crate::store::{Durability, Store, StoreError, SubjectKeys, Table};

/// Keys of [`Table::State`].
pub(crate) const APPLIED: &[u8] = b"applied";
pub(crate) const TREE: &[u8] = b"tree";
pub(crate) const CHECKPOINT: &[u8] = b"checkpoint";
const CHANGED: &[u8] = b"changed";
const LEVEL: &[u8] = b"level";
pub(crate) const RESTORED: &[u8] = b"restored";

/// How many leaves a tree has, and its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// How many leaves.
    pub size: u64,
    /// The root.
    pub root: Hash,
}
codec_struct!(TreeHead { size, root });

/// What an applied entry changed that views in memory hold copies of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The size of the log after it.
    pub size: u64,
    /// Collection and key of each document written or removed.
    pub documents: Vec<(u8, Vec<u8>)>,
    /// The nullifiers about which something new is known.
    pub signals: Vec<(ScopeKey, Field)>,
    /// Everything may have changed: a snapshot took the state's place.
    pub replaced: bool,
    /// How many of both were there when the last command ended.
    noted: usize,
}

/// The state machine over a store.
pub(crate) struct StateMachine {
    store: Arc<dyn Store>,
    /// The subject keys, beside the store and in none of its snapshots.
    keys: Arc<SubjectKeys>,
    verifier: Arc<SignalVerifier>,
    /// The right edge of the tree as stored. Readers hold the lock, so that they never see half a snapshot.
    tree: RwLock<Frontier>,
}

impl StateMachine {
    /// Loads what the store holds, checks that the tree's edge gives the root that was stored with it, and deletes what
    /// the ledger of erasures says.
    pub(crate) fn load(
        store: Arc<dyn Store>,
        keys: Arc<SubjectKeys>,
        verifier: Arc<SignalVerifier>,
    ) -> Result<Self, StoreError> {
        let tree = RwLock::new(load_tree(&*store)?);
        governance::replay(&*store, &*verifier)?;
        let state = Self { store, keys, verifier, tree };
        state.replay_ledger()?;
        Ok(state)
    }

    /// What the state lies in.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Applies the proposals of one Raft entry and stores `applied`, the entry's place, with them.
    pub(crate) fn apply(
        &self,
        proposals: Vec<Proposal>,
        applied: Vec<u8>,
    ) -> Result<(Vec<Outcome>, Change), StoreError> {
        let frontier = self.tree.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut transaction = Transaction::new(&*self.store, frontier);
        transaction.subjects.place.clone_from(&applied);
        let mut outcomes = Vec::with_capacity(proposals.len());
        for proposal in proposals {
            outcomes.push(execute::propose(&mut transaction, &*self.verifier, proposal)?);
            transaction.end_command();
        }
        transaction.put(Table::State, APPLIED, applied);
        let keys = std::mem::take(&mut transaction.subjects.keys);
        if !keys.is_empty() {
            // Synced, and first: once the state says that this entry is applied, it is not applied again.
            self.keys.write(&keys)?;
        }
        let (batch, frontier, change) = transaction.finish();
        self.store.write(batch, Durability::Ordered)?;
        *self.tree.write().unwrap_or_else(PoisonError::into_inner) = frontier;
        Ok((outcomes, change))
    }

    /// What to tell after the whole state was replaced.
    pub(crate) fn replaced(&self) -> Change {
        Change { size: self.size(), replaced: true, ..Change::default() }
    }

    /// The version of the state in use.
    pub(crate) fn level(&self) -> Result<u32, StoreError> {
        level(&*self.store)
    }

    /// The place of the last entry applied, as it was given to [`StateMachine::apply`].
    pub(crate) fn applied(&self) -> Result<Option<Vec<u8>>, StoreError> {
        applied(&*self.store)
    }

    /// Runs `replace`, which exchanges the replicated tables, while no reader looks, and loads what it left.
    pub(crate) fn replace(&self, replace: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        replace()?;
        *tree = load_tree(&*self.store)?;
        governance::replay(&*self.store, &*self.verifier)?;
        drop(tree);
        self.replay_ledger().map(|_| ())
    }
}

/// The version of the state that a store is in.
fn level(store: &dyn Store) -> Result<u32, StoreError> {
    store.get(Table::State, LEVEL)?.map_or(Ok(BASE_LEVEL), |bytes| decode(Table::State, &bytes))
}

/// The place of the last entry applied in a store.
pub(crate) fn applied(store: &dyn Store) -> Result<Option<Vec<u8>>, StoreError> {
    store.get(Table::State, APPLIED)
}

/// The Merkle nodes of a store.
pub(crate) struct StoredNodes<'a>(pub(crate) &'a dyn Store);

impl NodeStore for StoredNodes<'_> {
    type Error = StoreError;

    fn get(&self, id: NodeId) -> Result<Option<Hash>, StoreError> {
        let stored = self.0.get(Table::Nodes, &id.completed_by().to_be_bytes())?;
        stored.map(|hashes| completed_hash(&hashes, id)).transpose()
    }
}

pub(crate) fn load_tree(store: &dyn Store) -> Result<Frontier, StoreError> {
    let Some(stored) = store.get(Table::State, TREE)? else { return Ok(Frontier::default()) };
    let head: TreeHead = decode(Table::State, &stored)?;
    let tree = Frontier::load(&StoredNodes(store), head.size).map_err(tree_error)?;
    if tree.root() != head.root {
        return Err(StoreError::corrupt(Table::Nodes, "the tree does not have the root that was stored"));
    }
    Ok(tree)
}

/// A tree error is one of the store, or damage: sizes and indexes are checked before.
fn tree_error(error: TreeError<StoreError>) -> StoreError {
    match error {
        TreeError::Store(error) => error,
        other => StoreError::corrupt(Table::Nodes, other),
    }
}

fn decode<T: Decode>(table: Table, bytes: &[u8]) -> Result<T, StoreError> {
    T::from_bytes(bytes).map_err(|error: CodecError| StoreError::corrupt(table, error))
}

/// The hash of `id` among those that its last leaf completed.
fn completed_hash(hashes: &[u8], id: NodeId) -> Result<Hash, StoreError> {
    let (hashes, rest) = hashes.as_chunks();
    let all = id.completed_by().trailing_ones() as usize + 1;
    let hash = hashes.get(usize::from(id.level)).filter(|_| rest.is_empty() && hashes.len() == all);
    hash.copied()
        .ok_or_else(|| StoreError::corrupt(Table::Nodes, "a leaf does not have the hashes it completed"))
}

/// A term and the index of a leaf under it.
type TermKey = [u8; 40];

fn term_key(term: &[u8; 32], index: u64) -> TermKey {
    let mut key = [0; 40];
    key[..32].copy_from_slice(term);
    key[32..].copy_from_slice(&index.to_be_bytes());
    key
}

fn document_key(collection: u8, key: &[u8]) -> Vec<u8> {
    [&[collection], key].concat()
}

fn scope_key(scope: &impl Encode) -> Vec<u8> {
    scope.to_bytes()
}
