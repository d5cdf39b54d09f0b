//! The keys that records and documents are sealed under: the bank's, joined with those of the subjects they name.
//!
//! A subject's key is random and known to the group alone, wrapped under the bank's records key. Whoever makes the first
//! record about a subject makes its key and sends it along; which one holds, consensus decides. Once it is erased,
//! nothing sealed under it can be opened, with whatever else the bank has.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hansa_audit_log::envelope::RecordsKey;
use hansa_consensus::{Consensus, SubjectRef, subject_key_name};
use hansa_keys::Secret;
use hansa_types::hash::Digest;
use rand::rngs::OsRng;

use crate::journal::JournalError;

/// The most keys made here that are remembered until the group has them.
const MAX_FRESH: usize = 4096;
const WRAPPING: &[u8] = b"hansa/subject-key/v1";
const RECORDS: &[u8] = b"hansa/records-of-subjects/v1";
const DOCUMENTS: &[u8] = b"hansa/documents-of-subjects/v1";

/// The bank's keys, and the subjects' as they are needed.
pub(crate) struct Vault {
    records: Secret,
    documents: Secret,
    wrapping: Secret,
    fresh: Mutex<Fresh>,
}

/// Keys made here.
#[derive(Default)]
struct Fresh {
    /// Proposed, or about to be.
    of: BTreeMap<[u8; 32], (Digest, Vec<u8>)>,
    /// The last ones by name, also those that lost: what was sealed under them is opened to be sealed again.
    made: VecDeque<(Digest, Secret)>,
}

/// The subjects of a leaf with their keys.
pub(crate) struct Sealing {
    /// As consensus is told.
    pub(crate) subjects: Vec<SubjectRef>,
    /// The keys, in the same order.
    pub(crate) keys: Vec<Secret>,
}

impl Vault {
    pub(crate) fn new(records: Secret) -> Self {
        Self {
            documents: records.derive(b"hansa/documents/v1"),
            wrapping: records.derive(b"hansa/subject-keys/v1"),
            records,
            fresh: Mutex::default(),
        }
    }

    /// What records that name these subjects are sealed under, with fresh keys for those that have none.
    pub(crate) fn sealing(
        &self,
        consensus: &Consensus,
        mut subjects: Vec<[u8; 32]>,
    ) -> Result<Sealing, JournalError> {
        subjects.sort_unstable();
        subjects.dedup();
        let mut sealing = Sealing { subjects: vec![], keys: vec![] };
        for subject in subjects {
            let (key, secret, wrapped) = match consensus.subject_key(&subject)? {
                Some((key, wrapped)) => {
                    self.fresh().of.remove(&subject);
                    (key, self.unwrap(&wrapped)?, None)
                }
                None => self.make(subject),
            };
            sealing.subjects.push(SubjectRef { subject, key, wrapped });
            sealing.keys.push(secret);
        }
        Ok(sealing)
    }

    /// The keys of these names: none if one of them is erased.
    pub(crate) fn keys(
        &self,
        consensus: &Consensus,
        names: &[Digest],
    ) -> Result<Option<Vec<Secret>>, JournalError> {
        let mut keys = Vec::with_capacity(names.len());
        for name in names {
            match consensus.wrapped_key(name)? {
                Some(wrapped) => keys.push(self.unwrap(&wrapped)?),
                None if consensus.erased_key(name)?.is_some() => return Ok(None),
                None => {
                    let made =
                        self.fresh().made.iter().find(|(made, _)| made == name).map(|(_, key)| key.clone());
                    keys.push(made.ok_or(JournalError::NoSubjectKey(*name))?);
                }
            }
        }
        Ok(Some(keys))
    }

    /// The keys of a leaf's subjects, those just made among them.
    pub(crate) fn keys_of(
        &self,
        consensus: &Consensus,
        subjects: &[SubjectRef],
    ) -> Result<Vec<Secret>, JournalError> {
        let names: Vec<Digest> = subjects.iter().map(|subject| subject.key).collect();
        self.keys(consensus, &names)?.ok_or(JournalError::KeysChanging)
    }

    /// What the leaves' keys follow from, of records under these subjects' keys.
    pub(crate) fn records(&self, keys: &[Secret]) -> RecordsKey {
        let key = match keys {
            [] => self.records.clone(),
            keys => self.records.joined_with(RECORDS, keys),
        };
        RecordsKey::new(*key.expose())
    }

    /// What documents under these subjects' keys are encrypted under.
    pub(crate) fn documents(&self, keys: &[Secret]) -> Secret {
        match keys {
            [] => self.documents.clone(),
            keys => self.documents.joined_with(DOCUMENTS, keys),
        }
    }

    /// Proposes other keys for these subjects from now on, if the group has none: these were refused.
    pub(crate) fn give_up(&self, refused: &[SubjectRef]) {
        let mut fresh = self.fresh();
        for SubjectRef { subject, key, .. } in refused {
            if fresh.of.get(subject).is_some_and(|(made, _)| made == key) {
                fresh.of.remove(subject);
            }
        }
    }

    /// Forgets every key made here: one of them may be erased.
    pub(crate) fn forget(&self) {
        *self.fresh() = Fresh::default();
    }

    fn make(&self, subject: [u8; 32]) -> (Digest, Secret, Option<Vec<u8>>) {
        let mut fresh = self.fresh();
        let Fresh { of, made } = &mut *fresh;
        if let Some((name, wrapped)) = of.get(&subject)
            && let Some((_, key)) = made.iter().find(|(made, _)| made == name)
        {
            return (*name, key.clone(), Some(wrapped.clone()));
        }
        let key = Secret::random(&mut OsRng);
        let wrapped = self.wrapping.wrap_committed(WRAPPING, key.expose(), &mut OsRng);
        let name = subject_key_name(&wrapped);
        made.push_back((name, key.clone()));
        if made.len() > MAX_FRESH
            && let Some((oldest, _)) = made.pop_front()
        {
            of.retain(|_, (name, _)| *name != oldest);
        }
        of.insert(subject, (name, wrapped.clone()));
        (name, key, Some(wrapped))
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Secret, JournalError> {
        let key = self.wrapping.unwrap_committed(WRAPPING, wrapped)?;
        let key = <[u8; 32]>::try_from(key.as_slice()).map_err(|_| hansa_keys::UnwrapError)?;
        Ok(Secret::from_bytes(key))
    }

    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
