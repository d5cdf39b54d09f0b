//! What can be asked of the replicated state. Answers are as of this replica's last applied entry.

use std::ops::ControlFlow;
use std::sync::{PoisonError, RwLockReadGuard};

use hansa_audit_log::envelope::Envelope;
use hansa_audit_log::merkle::{Frontier, Hash, TreeError, consistency_proof, inclusion_proof, root_at};
use hansa_types::hash::{Digest, Field};
use hansa_types::record::ScopeKey;

use super::execute::StoredIntent;
use super::signals::signal_key;
use super::transaction::Holder;
use super::{
    CHECKPOINT, RESTORED, SignalState, StateMachine, StoredNodes, TreeHead, decode, document_key, scope_key,
    term_key,
};
use crate::command::{IndexTerm, Intent};
use crate::error::ReadError;
use crate::lock::Restored;
use crate::store::{StoreError, Table, read_u64, scan_prefix};

/// An intent that has no signal sent yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingIntent {
    /// The intent.
    pub intent: Intent,
    /// The index of its leaf.
    pub index: u64,
}

/// A document with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The key in its collection.
    pub key: Vec<u8>,
    /// The encrypted value.
    pub value: Vec<u8>,
}

impl StateMachine {
    /// Keeps the tables from being exchanged while they are read.
    pub(super) fn tree(&self) -> RwLockReadGuard<'_, Frontier> {
        self.tree.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn head(&self) -> TreeHead {
        let tree = self.tree();
        TreeHead { size: tree.size(), root: tree.root() }
    }

    pub(crate) fn size(&self) -> u64 {
        self.tree().size()
    }

    pub(crate) fn leaf(&self, index: u64) -> Result<Option<Envelope>, StoreError> {
        let _tree = self.tree();
        let Some(bytes) = self.store.get(Table::Leaves, &index.to_be_bytes())? else { return Ok(None) };
        Envelope::new(bytes).map(Some).map_err(|error| StoreError::corrupt(Table::Leaves, error))
    }

    pub(crate) fn find_unique(&self, key: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        let _tree = self.tree();
        let Some(held) = self.store.get(Table::Unique, key)? else { return Ok(None) };
        Ok(Some(decode::<Holder>(Table::Unique, &held)?.index))
    }

    pub(crate) fn find_term(&self, term: &IndexTerm, limit: usize) -> Result<Vec<u64>, StoreError> {
        let _tree = self.tree();
        let pairs = scan_prefix(&*self.store, Table::Terms, term, limit)?;
        pairs
            .iter()
            .map(|(key, _)| read_u64(Table::Terms, key.get(term.len()..).unwrap_or_default()))
            .collect()
    }

    /// The leaves under a term from the index `from` on, oldest first, until `visit` breaks.
    pub(crate) fn visit_term(
        &self,
        term: &IndexTerm,
        from: u64,
        visit: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let _tree = self.tree();
        let mut damage = None;
        self.store.scan_prefix(Table::Terms, term, &term_key(term, from), &mut |key, _| match read_u64(
            Table::Terms,
            key.get(term.len()..).unwrap_or_default(),
        ) {
            Ok(index) => visit(index),
            Err(error) => {
                damage = Some(error);
                ControlFlow::Break(())
            }
        })?;
        damage.map_or(Ok(()), Err)
    }

    pub(crate) fn has_term(&self, term: &IndexTerm, index: u64) -> Result<bool, StoreError> {
        let _tree = self.tree();
        Ok(self.store.get(Table::Terms, &term_key(term, index))?.is_some())
    }

    pub(crate) fn documents(&self, collection: u8) -> Result<Vec<Document>, StoreError> {
        let _tree = self.tree();
        let pairs = scan_prefix(&*self.store, Table::Documents, &[collection], usize::MAX)?;
        Ok(pairs.into_iter().map(|(key, value)| Document { key: key[1..].to_vec(), value }).collect())
    }

    pub(crate) fn document(&self, collection: u8, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let _tree = self.tree();
        self.store.get(Table::Documents, &document_key(collection, key))
    }

    pub(crate) fn intent(&self, id: &Digest) -> Result<Option<Intent>, StoreError> {
        let _tree = self.tree();
        let Some(stored) = self.store.get(Table::Intents, &id.0)? else { return Ok(None) };
        Ok(Some(decode::<StoredIntent>(Table::Intents, &stored)?.intent))
    }

    pub(crate) fn pending_intents(&self, from: u64, limit: usize) -> Result<Vec<PendingIntent>, StoreError> {
        let _tree = self.tree();
        let mut ids = Vec::new();
        self.store.scan(Table::Pending, &from.to_be_bytes(), &mut |_, id| {
            if ids.len() == limit {
                return ControlFlow::Break(());
            }
            ids.push(id.to_vec());
            ControlFlow::Continue(())
        })?;
        let read = |id: Vec<u8>| {
            let missing = || StoreError::corrupt(Table::Intents, "a pending intent is missing");
            let stored = self.store.get(Table::Intents, &id)?.ok_or_else(missing)?;
            let StoredIntent { intent, index, .. } = decode(Table::Intents, &stored)?;
            Ok(PendingIntent { intent, index })
        };
        ids.into_iter().map(read).collect()
    }

    pub(crate) fn pending_count(&self) -> Result<usize, StoreError> {
        let _tree = self.tree();
        let mut count = 0;
        self.store.scan(Table::Pending, &[], &mut |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    pub(crate) fn next_counter(&self, scope: &ScopeKey) -> Result<u32, StoreError> {
        let _tree = self.tree();
        let next = self.store.get(Table::Counters, &scope_key(scope))?;
        next.map_or(Ok(0), |bytes| decode(Table::Counters, &bytes))
    }

    pub(crate) fn signal(
        &self,
        scope: &ScopeKey,
        nullifier: &Field,
    ) -> Result<Option<SignalState>, StoreError> {
        let _tree = self.tree();
        let stored = self.store.get(Table::Signals, &signal_key(scope, nullifier))?;
        stored.map(|bytes| decode(Table::Signals, &bytes)).transpose()
    }

    pub(crate) fn for_each_signal(&self, visit: &mut dyn FnMut(SignalState)) -> Result<(), StoreError> {
        let _tree = self.tree();
        let mut damage = None;
        self.store.scan(Table::Signals, &[], &mut |_, value| match decode(Table::Signals, value) {
            Ok(state) => {
                visit(state);
                ControlFlow::Continue(())
            }
            Err(error) => {
                damage = Some(error);
                ControlFlow::Break(())
            }
        })?;
        damage.map_or(Ok(()), Err)
    }

    pub(crate) fn root_at(&self, size: u64) -> Result<Hash, ReadError> {
        let tree = self.tree();
        within(size, tree.size())?;
        root_at(&StoredNodes(&*self.store), size).map_err(read_error)
    }

    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        let tree = self.tree();
        within(size, tree.size())?;
        inclusion_proof(&StoredNodes(&*self.store), index, size).map_err(read_error)
    }

    pub(crate) fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        let tree = self.tree();
        within(new, tree.size())?;
        consistency_proof(&StoredNodes(&*self.store), old, new).map_err(read_error)
    }

    pub(crate) fn restored(&self) -> Result<Option<Restored>, StoreError> {
        let _tree = self.tree();
        let stored = self.store.get(Table::State, RESTORED)?;
        stored.map(|bytes| decode(Table::State, &bytes)).transpose()
    }

    pub(crate) fn last_checkpoint(&self) -> Result<Option<TreeHead>, StoreError> {
        let _tree = self.tree();
        let stored = self.store.get(Table::State, CHECKPOINT)?;
        stored.map(|bytes| decode(Table::State, &bytes)).transpose()
    }
}

fn within(size: u64, have: u64) -> Result<(), ReadError> {
    if size > have { Err(ReadError::BeyondLog { size, have }) } else { Ok(()) }
}

fn read_error(error: TreeError<StoreError>) -> ReadError {
    match error {
        TreeError::Store(error) => ReadError::Store(error),
        TreeError::NoSuchLeaf { index, size } => ReadError::NoSuchLeaf { index, size },
        TreeError::BadSizes { old, new } => ReadError::BadSizes { old, new },
        other => ReadError::Store(StoreError::corrupt(Table::Nodes, other)),
    }
}
