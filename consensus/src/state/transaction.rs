//! The changes of one Raft entry while they are made: later commands see what earlier ones of the entry did.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hansa_audit_log::merkle::{Frontier, Hash, NodeId, NodeStore, leaf_hash};
use hansa_types::codec::Encode;
use hansa_types::hash::Field;
use hansa_types::record::ScopeKey;

use super::signals::signal_key;
use super::subjects;
use super::{
    CHANGED, CHECKPOINT, Change, LEVEL, RESTORED, SignalState, StoredNodes, TREE, TermKey, TreeHead,
    completed_hash, decode, document_key, term_key,
};
use crate::command::{BASE_LEVEL, Leaf, Unique};
use crate::lock::Restored;
use crate::store::{Batch, Store, StoreError, Table};

/// What a unique key is held by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) content: [u8; 32],
    pub(super) index: u64,
}
hansa_types::codec_struct!(Holder { content, index });

/// Where a leaf went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    Appended(u64),
    Existing(u64),
    Conflict(u64),
}

/// A batch in the making over a store.
pub(super) struct Transaction<'a> {
    store: &'a dyn Store,
    /// Values that may be read again in this entry.
    changed: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    /// Values that only a later entry reads.
    batch: Batch,
    terms: Vec<TermKey>,
    /// Of each new leaf the hashes that it completed, its own first.
    nodes: Vec<Vec<u8>>,
    frontier: Frontier,
    /// What the entry does to subjects and their keys.
    pub(super) subjects: subjects::Changes,
    /// What views in memory have to read again.
    change: Change,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(store: &'a dyn Store, frontier: Frontier) -> Self {
        Self {
            store,
            changed: BTreeMap::new(),
            batch: Batch::default(),
            subjects: subjects::Changes::default(),
            terms: Vec::new(),
            nodes: Vec::new(),
            frontier,
            change: Change::default(),
        }
    }

    /// How many leaves there are, with those of this entry.
    pub(super) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.changed.get(&(table, key.to_vec())) {
            Some(value) => Ok(value.clone()),
            None => self.store.get(table, key),
        }
    }

    pub(super) fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.changed.insert((table, key.into()), Some(value.into()));
    }

    pub(super) fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.changed.insert((table, key.into()), None);
    }

    /// Where the leaf of this unique key and content is, if it was appended before.
    pub(super) fn existing(&self, unique: &Unique) -> Result<Option<u64>, StoreError> {
        let holder = self.holder(&unique.key)?;
        Ok(holder.filter(|holder| holder.content == unique.content).map(|holder| holder.index))
    }

    /// Where the leaf is that holds this unique key, if one does.
    pub(super) fn conflict(&self, unique: &Unique) -> Result<Option<u64>, StoreError> {
        Ok(self.holder(&unique.key)?.map(|holder| holder.index))
    }

    fn holder(&self, key: &[u8; 32]) -> Result<Option<Holder>, StoreError> {
        self.get(Table::Unique, key)?.map(|held| decode(Table::Unique, &held)).transpose()
    }

    /// Appends a leaf with its terms and documents, unless its unique key is held.
    pub(super) fn append(&mut self, leaf: Leaf) -> Result<Placed, StoreError> {
        let index = self.frontier.size();
        let Unique { key, content } = leaf.unique;
        if let Some(holder) = self.holder(&key)? {
            let same = holder.content == content;
            return Ok(if same { Placed::Existing(holder.index) } else { Placed::Conflict(holder.index) });
        }
        self.put(Table::Unique, key, Holder { content, index }.to_bytes());
        let mut completed = Vec::new();
        self.frontier
            .append(leaf_hash(leaf.envelope.as_bytes()), |_, hash| completed.extend_from_slice(&hash));
        self.nodes.push(completed);
        self.batch.put(Table::Leaves, index.to_be_bytes(), leaf.envelope.into_bytes());
        self.terms.extend(leaf.terms.iter().map(|term| term_key(term, index)));
        subjects::note(self, leaf.subjects, index)?;
        for write in leaf.documents {
            let key = document_key(write.collection, &write.key);
            self.change.documents.push((write.collection, write.key));
            match write.value {
                Some(value) => self.batch.put(Table::Documents, key, value),
                None => self.batch.delete(Table::Documents, key),
            }
        }
        Ok(Placed::Appended(index))
    }

    /// Appends the leaves that follow from another; one whose unique key is held is left out.
    pub(super) fn append_all(&mut self, leaves: Vec<Leaf>) -> Result<(), StoreError> {
        leaves.into_iter().try_for_each(|leaf| self.append(leaf).map(|_| ()))
    }

    /// Whether a leaf of this subject has an index of `from` or above.
    pub(super) fn has_since(&self, subject: &[u8; 32], from: u64) -> Result<bool, StoreError> {
        if self.subjects.touched.get(subject).is_some_and(|last| *last >= from) {
            return Ok(true);
        }
        let mut found = false;
        self.store.scan_prefix(Table::Terms, subject, &term_key(subject, from), &mut |_, _| {
            found = true;
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Makes a term find nothing that was appended so far.
    pub(super) fn forget_term(&mut self, term: &[u8; 32]) {
        self.batch.delete_range(Table::Terms, term_key(term, 0), term_key(term, u64::MAX));
    }

    /// A term of a leaf, which only later entries read.
    pub(super) fn put_term(&mut self, term: &[u8; 32], index: u64) {
        self.batch.put(Table::Terms, term_key(term, index), []);
    }

    /// Stores what is known of a nullifier.
    pub(super) fn put_signal(&mut self, scope: ScopeKey, nullifier: Field, state: &SignalState) {
        self.put(Table::Signals, signal_key(&scope, &nullifier), state.to_bytes());
        self.change.signals.push((scope, nullifier));
    }

    /// The size of the log when a document or signal last changed.
    pub(super) fn changed_at(&self) -> Result<u64, StoreError> {
        Ok(self.number(CHANGED)?.unwrap_or(0))
    }

    /// The version of the state in use.
    pub(super) fn level(&self) -> Result<u32, StoreError> {
        let stored = self.get(Table::State, LEVEL)?;
        stored.map_or(Ok(BASE_LEVEL), |bytes| decode(Table::State, &bytes))
    }

    /// To be called after each command: notes how far the log was if the command changed a document or signal.
    pub(super) fn end_command(&mut self) {
        let noted = self.change.documents.len() + self.change.signals.len();
        if noted > self.change.noted {
            self.change.noted = noted;
            self.put(Table::State, CHANGED, self.size().to_bytes());
        }
    }

    fn number(&self, key: &[u8]) -> Result<Option<u64>, StoreError> {
        self.get(Table::State, key)?.map(|bytes| decode(Table::State, &bytes)).transpose()
    }

    /// The last checkpoint recorded.
    pub(super) fn checkpoint(&self) -> Result<Option<TreeHead>, StoreError> {
        self.get(Table::State, CHECKPOINT)?.map(|bytes| decode(Table::State, &bytes)).transpose()
    }

    /// That the log was restored from a backup, if it was.
    pub(super) fn restored(&self) -> Result<Option<Restored>, StoreError> {
        self.get(Table::State, RESTORED)?.map(|bytes| decode(Table::State, &bytes)).transpose()
    }

    pub(super) fn record_checkpoint(&mut self, head: TreeHead) {
        self.put(Table::State, CHECKPOINT, head.to_bytes());
    }

    /// The index of the first leaf of this entry.
    fn first_new(&self) -> u64 {
        self.frontier.size() - self.nodes.len() as u64
    }

    /// Everything as one batch, the tree's new edge, and what changed beside it.
    pub(super) fn finish(mut self) -> (Batch, Frontier, Change) {
        let head = TreeHead { size: self.frontier.size(), root: self.frontier.root() };
        self.put(Table::State, TREE, head.to_bytes());
        for (index, completed) in (self.first_new()..).zip(std::mem::take(&mut self.nodes)) {
            self.batch.put(Table::Nodes, index.to_be_bytes(), completed);
        }
        // RocksDB's memtable takes keys in their order at half the price: it goes on from where the last one went.
        self.terms.sort_unstable();
        for term in self.terms {
            self.batch.put(Table::Terms, term, []);
        }
        for ((table, key), value) in self.changed {
            match value {
                Some(value) => self.batch.put(table, key, value),
                None => self.batch.delete(table, key),
            }
        }
        self.change.size = self.frontier.size();
        (self.batch, self.frontier, self.change)
    }
}

impl NodeStore for Transaction<'_> {
    type Error = StoreError;

    fn get(&self, id: NodeId) -> Result<Option<Hash>, StoreError> {
        let new = id.completed_by().checked_sub(self.first_new()).and_then(|at| usize::try_from(at).ok());
        match new.and_then(|at| self.nodes.get(at)) {
            Some(completed) => completed_hash(completed, id).map(Some),
            None => StoredNodes(self.store).get(id),
        }
    }
}
