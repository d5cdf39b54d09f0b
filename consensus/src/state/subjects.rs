//! Subjects by keyed digest: the keys their records are sealed under, legal holds, and erasure.
//!
//! Which key is a subject's is decided here, on replicated state: the first that was committed. The wrapped keys
//! themselves lie in a database of their own ([`crate::store::SubjectKeys`]); this state has only their names. An erased
//! key's name stays in the ledger for ever, so that the key is deleted again wherever it turns up.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hansa_types::codec::{CodecError, Decode, Encode, Reader, Writer};
use hansa_types::hash::Digest;

use super::transaction::{Placed, Transaction};
use super::{StateMachine, decode};
use crate::command::{Command, IndexTerm, Leaf, SubjectRef};
use crate::outcome::Outcome;
use crate::store::{
    Batch, Durability, KeyChange, Store, StoreError, SubjectKeys, Table, read_u64, subject_key_name,
};

/// The key of [`Table::State`] under which the index of the last leaf about a legal hold stands.
pub(super) const LAST_HOLD: &[u8] = b"last-hold";
/// The longest place of a Raft entry, with its membership.
const MAX_PLACE: usize = 64 << 10;
/// The most keys that one leaf is sealed under.
const MAX_KEYS: usize = crate::command::MAX_SUBJECTS;

/// A key that was erased, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedKey {
    /// The key's name.
    pub key: Digest,
    /// The keyed digest of the subject whose key it was.
    pub subject: [u8; 32],
    /// The index of the erasure's leaf.
    pub index: u64,
    /// The Raft entry that erased it: until the log is purged behind it, the wrapped key may stand in the log.
    pub(crate) place: Vec<u8>,
}

impl Encode for ErasedKey {
    fn encode(&self, out: &mut Writer) {
        self.key.encode(out);
        out.raw(&self.subject);
        self.index.encode(out);
        out.bytes(&self.place);
    }
}

impl Decode for ErasedKey {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            key: Decode::decode(input)?,
            subject: input.array()?,
            index: Decode::decode(input)?,
            place: input.bytes("place", MAX_PLACE)?.to_vec(),
        })
    }
}

/// What one Raft entry does to subjects.
#[derive(Default)]
pub(super) struct Changes {
    /// Changes of the database of keys.
    pub(super) keys: Vec<KeyChange>,
    /// The last leaf of each subject that the entry has leaves of.
    pub(super) touched: BTreeMap<[u8; 32], u64>,
    /// The entry's own place, as it is stored.
    pub(super) place: Vec<u8>,
}

/// The names of the keys that a leaf is sealed under.
pub(super) struct SealedUnder(pub(super) Vec<Digest>);

impl Encode for SealedUnder {
    fn encode(&self, out: &mut Writer) {
        out.seq(&self.0);
    }
}

impl Decode for SealedUnder {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self(input.seq("keys of a leaf", MAX_KEYS)?))
    }
}

/// Whether every leaf of the command is sealed under its subjects' present keys, or brings a subject's first.
pub(super) fn keys_are_current(tx: &Transaction<'_>, command: &Command) -> Result<bool, StoreError> {
    let mut first: BTreeMap<[u8; 32], Digest> = BTreeMap::new();
    for SubjectRef { subject, key, wrapped } in command.leaves().flat_map(|leaf| &leaf.subjects) {
        let present = match tx.get(Table::SubjectKeys, subject)? {
            Some(name) => Some(decode(Table::SubjectKeys, &name)?),
            None => {
                let brought = wrapped.as_ref().is_some_and(|wrapped| subject_key_name(wrapped) == *key);
                if !brought || tx.get(Table::Erased, &key.0)?.is_some() {
                    return Ok(false);
                }
                first.insert(*subject, first.get(subject).copied().unwrap_or(*key));
                first.get(subject).copied()
            }
        };
        if present != Some(*key) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Notes what a leaf that is being appended is sealed under, and takes in the keys that it brings.
pub(super) fn note(
    tx: &mut Transaction<'_>,
    subjects: Vec<SubjectRef>,
    index: u64,
) -> Result<(), StoreError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let names = SealedUnder(subjects.iter().map(|subject| subject.key).collect());
    tx.put(Table::LeafKeys, index.to_be_bytes(), names.to_bytes());
    for SubjectRef { subject, key, wrapped } in subjects {
        tx.put_term(&subject, index);
        tx.subjects.touched.insert(subject, index);
        if let Some(wrapped) = wrapped
            && tx.get(Table::SubjectKeys, &subject)?.is_none()
        {
            tx.put(Table::SubjectKeys, subject, key.to_bytes());
            tx.subjects.keys.push(KeyChange::Put(key, wrapped));
        }
    }
    Ok(())
}

/// Places or lifts a legal hold.
pub(super) fn hold(
    tx: &mut Transaction<'_>,
    leaf: Leaf,
    subject: [u8; 32],
    held: bool,
) -> Result<Outcome, StoreError> {
    match (tx.get(Table::Holds, &subject)?, held) {
        (Some(index), true) => return Ok(Outcome::Existing { index: read_u64(Table::Holds, &index)? }),
        (None, false) => return Ok(Outcome::Unknown),
        _ => {}
    }
    let index = match tx.append(leaf)? {
        Placed::Appended(index) => index,
        Placed::Existing(index) | Placed::Conflict(index) => return Ok(Outcome::Conflict { index }),
    };
    if held {
        tx.put(Table::Holds, subject, index.to_be_bytes());
    } else {
        tx.delete(Table::Holds, subject);
    }
    tx.put(Table::State, LAST_HOLD, index.to_be_bytes());
    Ok(Outcome::Appended { index })
}

/// Erases a subject's key, unless something about it, or any hold, came after who erases looked.
pub(super) fn erase(
    tx: &mut Transaction<'_>,
    leaf: Leaf,
    subject: [u8; 32],
    seen: u64,
    forget: &[IndexTerm],
) -> Result<Outcome, StoreError> {
    let Some(name) = tx.get(Table::SubjectKeys, &subject)? else { return Ok(Outcome::Unknown) };
    let key: Digest = decode(Table::SubjectKeys, &name)?;
    if let Some(hold) = tx.get(Table::Holds, &subject)? {
        return Ok(Outcome::Conflict { index: read_u64(Table::Holds, &hold)? });
    }
    let last_hold =
        tx.get(Table::State, LAST_HOLD)?.map(|index| read_u64(Table::State, &index)).transpose()?;
    if last_hold.is_some_and(|index| index >= seen) || tx.has_since(&subject, seen)? {
        return Ok(Outcome::Stale { size: tx.size() });
    }
    let index = match tx.append(leaf)? {
        Placed::Appended(index) => index,
        Placed::Existing(index) | Placed::Conflict(index) => return Ok(Outcome::Conflict { index }),
    };
    tx.delete(Table::SubjectKeys, subject);
    let erased = ErasedKey { key, subject, index, place: tx.subjects.place.clone() };
    tx.put(Table::Erased, key.0, erased.to_bytes());
    tx.subjects.keys.push(KeyChange::Delete(key));
    for term in forget.iter().chain([&subject]) {
        tx.forget_term(term);
    }
    Ok(Outcome::Appended { index })
}

/// Enters the erasures of another ledger in that of a store, whose subjects then have no key.
pub(crate) fn enter_ledger(store: &dyn Store, ledger: &[ErasedKey]) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    for erased in ledger {
        batch.put(Table::Erased, erased.key.0, erased.to_bytes());
        let present = store.get(Table::SubjectKeys, &erased.subject)?;
        if present.as_deref() == Some(erased.key.0.as_slice()) {
            batch.delete(Table::SubjectKeys, erased.subject);
        }
    }
    store.write(batch, Durability::Synced)
}

impl StateMachine {
    /// Deletes every key of the ledger from the database of keys: a replay, an import or a snapshot may have brought it
    /// back.
    pub(crate) fn replay_ledger(&self) -> Result<usize, StoreError> {
        let mut back = Vec::new();
        for ErasedKey { key, .. } in self.erased_keys()? {
            if self.keys.get(&key)?.is_some() {
                back.push(KeyChange::Delete(key));
            }
        }
        if !back.is_empty() {
            self.keys.write(&back)?;
            self.keys.compact()?;
        }
        Ok(back.len())
    }

    /// Enters the erasures of another ledger in this one, and deletes their keys.
    pub(crate) fn enter_ledger(&self, ledger: &[ErasedKey]) -> Result<usize, StoreError> {
        enter_ledger(&*self.store, ledger)?;
        self.replay_ledger()
    }

    /// Takes in wrapped keys, all but those that the ledger says are erased.
    pub(crate) fn import_keys(&self, wrapped: Vec<Vec<u8>>) -> Result<(), StoreError> {
        let mut puts = Vec::with_capacity(wrapped.len());
        for wrapped in wrapped {
            let name = subject_key_name(&wrapped);
            if self.erased_key(&name)?.is_none() {
                puts.push(KeyChange::Put(name, wrapped));
            }
        }
        self.keys.write(&puts)
    }

    /// The database of keys.
    pub(crate) fn subject_keys(&self) -> &SubjectKeys {
        &self.keys
    }

    /// The name of a subject's key and the wrapped key, if it has one.
    pub(crate) fn subject_key(&self, subject: &[u8; 32]) -> Result<Option<(Digest, Vec<u8>)>, StoreError> {
        let _tree = self.tree();
        let Some(name) = self.store.get(Table::SubjectKeys, subject)? else { return Ok(None) };
        let name: Digest = decode(Table::SubjectKeys, &name)?;
        Ok(self.keys.get(&name)?.map(|wrapped| (name, wrapped)))
    }

    pub(crate) fn wrapped_key(&self, name: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.keys.get(name)
    }

    pub(crate) fn keys_of_leaf(&self, index: u64) -> Result<Vec<Digest>, StoreError> {
        let _tree = self.tree();
        let names = self.store.get(Table::LeafKeys, &index.to_be_bytes())?;
        names.map_or(Ok(vec![]), |names| Ok(decode::<SealedUnder>(Table::LeafKeys, &names)?.0))
    }

    pub(crate) fn erased_key(&self, name: &Digest) -> Result<Option<ErasedKey>, StoreError> {
        let _tree = self.tree();
        self.store.get(Table::Erased, &name.0)?.map(|bytes| decode(Table::Erased, &bytes)).transpose()
    }

    pub(crate) fn erased_keys(&self) -> Result<Vec<ErasedKey>, StoreError> {
        let _tree = self.tree();
        let mut erased = Vec::new();
        let mut damage = None;
        self.store.scan(Table::Erased, &[], &mut |_, value| match decode(Table::Erased, value) {
            Ok(entry) => {
                erased.push(entry);
                ControlFlow::Continue(())
            }
            Err(error) => {
                damage = Some(error);
                ControlFlow::Break(())
            }
        })?;
        damage.map_or(Ok(erased), Err)
    }

    /// The leaf of the hold that a subject is under.
    pub(crate) fn hold(&self, subject: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        let _tree = self.tree();
        let index = self.store.get(Table::Holds, subject)?;
        index.map(|index| read_u64(Table::Holds, &index)).transpose()
    }

    /// Subjects that have a key, from `from` on, at most `limit`.
    pub(crate) fn subjects(&self, from: &[u8; 32], limit: usize) -> Result<Vec<[u8; 32]>, StoreError> {
        let _tree = self.tree();
        let mut subjects = Vec::new();
        self.store.scan(Table::SubjectKeys, from, &mut |key, _| {
            if subjects.len() < limit {
                subjects.extend(<[u8; 32]>::try_from(key));
                return ControlFlow::Continue(());
            }
            ControlFlow::Break(())
        })?;
        Ok(subjects)
    }
}
