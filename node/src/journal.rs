//! The audit log as flows use it: records go in sealed, with keyed index terms and current values; records come out.
//!
//! Consensus keeps envelopes, digests and encrypted documents. This is the one place that has the keys to them.

use std::sync::Arc;

use hansa_audit_log::envelope::{Envelope, LeafKey, OpenError, SealError};
use hansa_audit_log::note::SignNoteError;
use hansa_consensus::{
    Command, Consensus, Document, DocumentWrite, IndexTerm, Leaf, Outcome, ProposeError, StoreError,
    SubjectRef, Unique,
};
use hansa_keys::{KeyError, KeyFolder, Purpose, Secret, UnwrapError};
use hansa_types::case::{Alert, Case};
use hansa_types::codec::{CodecError, Decode, Encode, Reader};
use hansa_types::hash::Digest;
use hansa_types::payment::PaymentKey;
use hansa_types::record::{ExceptionRecord, Record, ScopeKey};
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use crate::book::alert_key;
use crate::provisional::ProvisionalError;
use crate::terms::{Term, sealed_under, terms_of};
use crate::vault::Vault;

/// Current values that are kept beside the log, each encrypted under its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Collection {
    /// Cases by number.
    Cases = 1,
    /// Alerts by signal and subject.
    Alerts = 2,
    /// This bank's own signals.
    OwnSignals = 3,
    /// Exceptions by id.
    Exceptions = 4,
    /// What was last recorded of what is set outside: configuration, manifest.
    Recorded = 5,
    /// Evidence of forks by proved or suspected, and bank.
    Forks = 16,
}

/// Why a record cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Consensus did not take it.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The store did not give it.
    #[error(transparent)]
    Read(#[from] StoreError),
    /// It does not fit a leaf.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A leaf of this log does not open.
    #[error("a leaf of this log does not open: {0}; were the keys replaced?")]
    Open(#[from] OpenError),
    /// A document of this node does not open.
    #[error("a stored document does not open: {0}; were the keys replaced?")]
    Unwrap(#[from] UnwrapError),
    /// It was erased.
    #[error("leaf {0} was erased: it can be proved to be in the log, and not be read any more")]
    Erased(u64),
    /// A subject's key is not there, and was not erased.
    #[error("the subject key {0} is missing from this replica: import the keys of another one")]
    NoSubjectKey(Digest),
    /// The group does not take the subjects' keys.
    #[error("the keys of this record's subjects changed again and again: try again later")]
    KeysChanging,
    /// The archive of lists and models.
    #[error("{0}")]
    Archive(String),
    /// A leaf that decides a payment holds another record.
    #[error("leaf {0} should hold a decision and does not: the store is damaged")]
    NotADecision(u64),
    /// A leaf that binds a payment holds another record.
    #[error("leaf {0} should hold a blocked frame and does not: the store is damaged")]
    NotAFrame(u64),
    /// The index key is not the one that the log was indexed with.
    #[error(
        "the index key is not the one this log was written with: decided payments would be decided again"
    )]
    ForeignIndex,
    /// The cosigner key did not sign.
    #[error("a checkpoint could not be cosigned: {0}")]
    Cosign(SignNoteError),
    /// Subjects could not be tagged.
    #[error("subjects could not be tagged: {0}")]
    Tags(String),
    /// Without a quorum.
    #[error(transparent)]
    Provisional(#[from] ProvisionalError),
    /// This replica lags behind the group.
    #[error("this replica has not applied yet what the group committed: try again, or ask another replica")]
    Behind,
    /// Somebody else changed something each time.
    #[error("cases, alerts and signals are being changed by others all the time: try again")]
    Contended,
    /// A record or document does not decode.
    #[error("a stored record does not decode: {0}; was it written by a newer release?")]
    Codec(#[from] CodecError),
}

/// How often a command is sealed again under other subjects' keys.
const MAX_RESEALS: usize = 8;
/// The most subjects whose keys one record is sealed under.
const MAX_SUBJECTS: usize = hansa_consensus::command::MAX_SUBJECTS;
/// The most records that are looked up under one term.
const MAX_FOUND: usize = 4096;

/// The keys that a document is under, and what it says.
type OpenedDocument = (Vec<Digest>, Zeroizing<Vec<u8>>);

/// Writes and reads the records of one bank's log.
pub(crate) struct Journal {
    consensus: Arc<Consensus>,
    origin: String,
    vault: Vault,
    index: Secret,
}

impl Journal {
    /// The journal over `consensus`, with the keys of `folder`, of the log called `origin`.
    pub(crate) fn new(
        consensus: Arc<Consensus>,
        folder: &KeyFolder,
        origin: String,
    ) -> Result<Self, KeyError> {
        let vault = Vault::new(folder.secret(Purpose::Records)?);
        Ok(Self { consensus, origin, vault, index: folder.secret(Purpose::Index)? })
    }

    /// What keeps the log.
    pub(crate) fn consensus(&self) -> &Arc<Consensus> {
        &self.consensus
    }

    /// The log's C2SP origin.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The keys that records are sealed under.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The key of the leaf at `index`, for disclosure: it opens this leaf alone, also after an erasure.
    pub(crate) fn leaf_key(&self, index: u64, envelope: &Envelope) -> Result<LeafKey, JournalError> {
        let names = self.consensus.keys_of_leaf(index)?;
        let keys = self.vault.keys(&self.consensus, &names)?.ok_or(JournalError::Erased(index))?;
        Ok(self.vault.records(&keys).leaf_key(&envelope.salt()))
    }

    /// The leaf of `record`, with its index terms.
    pub(crate) fn leaf(&self, record: &Record) -> Result<Leaf, JournalError> {
        let under = sealed_under(record).iter().take(MAX_SUBJECTS).map(|s| self.subject_id(s)).collect();
        let sealing = self.vault.sealing(&self.consensus, under)?;
        let key = self.vault.records(&sealing.keys);
        let envelope = key.seal(&self.origin, record.class(), &record.to_bytes(), &mut OsRng)?;
        let mut terms: Vec<IndexTerm> = terms_of(record).iter().map(|term| self.term(term)).collect();
        terms.sort_unstable();
        terms.dedup();
        Ok(Leaf { terms, subjects: sealing.subjects, ..Leaf::new(envelope) })
    }

    /// Seals a leaf again, with its documents, under the keys that its subjects have by now.
    fn seal_again(&self, leaf: &mut Leaf) -> Result<(), JournalError> {
        let lost = || JournalError::KeysChanging;
        let names: Vec<Digest> = leaf.subjects.iter().map(|subject| subject.key).collect();
        let keys = self.vault.keys(&self.consensus, &names)?.ok_or_else(lost)?;
        let record = self.vault.records(&keys).open(&self.origin, &leaf.envelope)?;
        let mut documents = Vec::new();
        for DocumentWrite { collection, key, value } in &leaf.documents {
            let opened =
                value.as_ref().map(|value| self.open_document(*collection, key, value)).transpose()?;
            documents.push(opened.flatten());
        }
        let named_itself = Leaf::new(leaf.envelope.clone()).unique == leaf.unique;
        self.vault.give_up(&leaf.subjects);
        let under = leaf.subjects.iter().map(|subject| subject.subject).collect();
        let sealing = self.vault.sealing(&self.consensus, under)?;
        let key = self.vault.records(&sealing.keys);
        leaf.envelope = key.seal(&self.origin, leaf.envelope.class(), &record, &mut OsRng)?;
        if named_itself {
            leaf.unique = Leaf::new(leaf.envelope.clone()).unique;
        }
        for (write, opened) in leaf.documents.iter_mut().zip(documents) {
            let Some((names_before, plain)) = opened else { continue };
            let kept = |subject: &SubjectRef| {
                let before = leaf.subjects.iter().find(|before| before.subject == subject.subject);
                before.is_some_and(|before| names_before.contains(&before.key))
            };
            let (names, keys): (Vec<Digest>, Vec<Secret>) = sealing
                .subjects
                .iter()
                .zip(&sealing.keys)
                .filter(|(subject, _)| kept(subject))
                .map(|(subject, key)| (subject.key, key.clone()))
                .unzip();
            write.value = Some(self.close_document(write.collection, &write.key, &plain, &names, &keys));
        }
        leaf.subjects = sealing.subjects;
        Ok(())
    }

    /// The leaf of a record that bears on a payment without being about it: it is found with the payment's history.
    pub(crate) fn leaf_about(&self, record: &Record, payment: &PaymentKey) -> Result<Leaf, JournalError> {
        let mut leaf = self.leaf(record)?;
        if let PaymentKey::Uetr { uetr, .. } = payment {
            leaf.terms.push(self.term(&Term::Uetr(uetr)));
        }
        Ok(leaf)
    }

    /// Proposes a command; returns once it is committed, durable and applied.
    ///
    /// Consensus may have proposed it twice, when the first answer was lost: the outcome is that of the first.
    pub(crate) async fn propose(&self, command: Command) -> Result<Outcome, JournalError> {
        self.deliver(None, command).await
    }

    /// As [`Self::propose`], for a command decided on after looking at documents and signals as they were when the log
    /// had `seen` leaves: [`Outcome::Stale`] if one changed since.
    pub(crate) async fn propose_after(&self, seen: u64, command: Command) -> Result<Outcome, JournalError> {
        self.deliver(Some(seen), command).await
    }

    async fn deliver(&self, seen: Option<u64>, mut command: Command) -> Result<Outcome, JournalError> {
        for _ in 0..MAX_RESEALS {
            match self.deliver_once(seen, command.clone()).await? {
                // Another replica made a subject's key first, or it was erased.
                Outcome::SubjectKeyTaken => {
                    if let Err(error) = self.consensus.barrier().await {
                        tracing::debug!(%error, "no barrier before sealing again");
                    }
                    command.leaves_mut().into_iter().try_for_each(|leaf| self.seal_again(leaf))?;
                }
                outcome => return Ok(outcome),
            }
        }
        Err(JournalError::KeysChanging)
    }

    async fn deliver_once(&self, seen: Option<u64>, command: Command) -> Result<Outcome, JournalError> {
        let salt = command.leaf().map(|leaf| leaf.envelope.salt());
        let scope = match &command {
            Command::Received { signal, .. } => {
                let scope = ScopeKey { gateway: signal.body.gateway, epoch: signal.body.epoch };
                Some((scope, signal.nullifier))
            }
            _ => None,
        };
        let retracts = matches!(command, Command::Retract { .. });
        let outcome = match seen {
            Some(seen) => self.consensus.propose_after(seen, command).await?,
            None => self.consensus.propose(command).await?,
        };
        let Outcome::Existing { index } = outcome else { return Ok(outcome) };
        // Where another replica leads, this one may not have applied it yet.
        if self.consensus.size() <= index && self.consensus.barrier().await.is_err() {
            return Ok(outcome);
        }
        if self.consensus.leaf(index)?.map(|leaf| leaf.salt()) != salt {
            return Ok(outcome);
        }
        let Some((scope, nullifier)) = scope else {
            return Ok(if retracts { Outcome::Retracted { index } } else { Outcome::Appended { index } });
        };
        let double = self.consensus.signal(&scope, &nullifier)?.is_some_and(|known| known.double.is_some());
        Ok(if double { Outcome::DoubleSignal { index: Some(index) } } else { Outcome::Accepted { index } })
    }

    /// Appends a record that stands alone.
    pub(crate) async fn append(&self, record: &Record) -> Result<Outcome, JournalError> {
        self.propose(Command::Append { leaf: self.leaf(record)?, follow_up: vec![] }).await
    }

    /// The leaf of an alert, with which its current value is kept.
    pub(crate) fn alert_leaf(&self, alert: &Alert) -> Result<Leaf, JournalError> {
        let mut leaf = self.leaf(&Record::Alert(alert.clone()))?;
        let (signal, subject) = alert_key(alert);
        let key = [signal.0, self.subject_key(&subject)].concat();
        self.add_document(&mut leaf, Collection::Alerts, &key, alert)?;
        Ok(leaf)
    }

    /// The leaf of a case, with which its current value is kept.
    pub(crate) fn case_leaf(&self, case: &Case) -> Result<Leaf, JournalError> {
        let mut leaf = self.leaf(&Record::Case(case.clone()))?;
        self.add_document(&mut leaf, Collection::Cases, &case.number.to_be_bytes(), case)?;
        Ok(leaf)
    }

    /// The leaf of an exception granted or withdrawn, with which it is kept or goes.
    pub(crate) fn exception_leaf(&self, record: &ExceptionRecord) -> Result<Leaf, JournalError> {
        let mut leaf = self.leaf(&Record::Exception(record.clone()))?;
        let id = record.exception.id().0;
        if record.withdrawn.is_none() {
            self.add_document(&mut leaf, Collection::Exceptions, &id, &record.exception)?;
        } else {
            let collection = Collection::Exceptions as u8;
            leaf.documents.push(DocumentWrite { collection, key: id.to_vec(), value: None });
        }
        Ok(leaf)
    }

    /// What makes a payment's decision the only one under its key.
    pub(crate) fn unique(&self, key: &PaymentKey, content: &Digest) -> Unique {
        Unique { key: self.term(&Term::Payment(key)), content: content.0 }
    }

    /// What makes a refusal the only one of this payment under its key.
    pub(crate) fn unique_refusal(&self, key: &PaymentKey, refused: &Digest) -> Unique {
        Unique { key: self.index.mac(&[b"refusal\0", &refused.0, &key.to_bytes()]), content: refused.0 }
    }

    /// What makes the record of an answer that the log contradicts the only one.
    pub(crate) fn unique_conflict(&self, given: &Digest) -> Unique {
        Unique { key: self.index.mac(&[b"conflict\0", &given.0]), content: given.0 }
    }

    /// What makes one fork of a log enough.
    pub(crate) fn unique_fork(&self, key: &[u8]) -> Unique {
        Unique { key: self.index.mac(&[b"fork\0", key]), content: [0; 32] }
    }

    /// The digest under which consensus allows one signal per subject and epoch.
    pub(crate) fn subject_key(&self, subject: &Digest) -> [u8; 32] {
        self.index.mac(&[b"subject\0", &subject.0])
    }

    /// A current value that names no subject, to be written with a leaf.
    pub(crate) fn document(&self, collection: Collection, key: &[u8], value: &impl Encode) -> DocumentWrite {
        let value = self.close_document(collection as u8, key, &value.to_bytes(), &[], &[]);
        DocumentWrite { collection: collection as u8, key: key.to_vec(), value: Some(value) }
    }

    /// Writes a current value with a leaf, under the keys of the leaf's subjects.
    fn add_document(
        &self,
        leaf: &mut Leaf,
        collection: Collection,
        key: &[u8],
        value: &impl Encode,
    ) -> Result<(), JournalError> {
        let names: Vec<Digest> = leaf.subjects.iter().map(|subject| subject.key).collect();
        let keys = self.vault.keys_of(&self.consensus, &leaf.subjects)?;
        let value = self.close_document(collection as u8, key, &value.to_bytes(), &names, &keys);
        leaf.documents.push(DocumentWrite {
            collection: collection as u8,
            key: key.to_vec(),
            value: Some(value),
        });
        Ok(())
    }

    /// All current values of a collection but those that were erased.
    pub(crate) fn documents<T: Decode>(&self, collection: Collection) -> Result<Vec<T>, JournalError> {
        let mut values = Vec::new();
        for Document { key, value } in self.consensus.documents(collection as u8)? {
            if let Some((_, plain)) = self.open_document(collection as u8, &key, &value)? {
                values.push(T::from_bytes(&plain)?);
            }
        }
        Ok(values)
    }

    /// One current value, unless it is erased.
    pub(crate) fn read_document<T: Decode>(
        &self,
        collection: Collection,
        key: &[u8],
    ) -> Result<Option<T>, JournalError> {
        let Some(value) = self.consensus.document(collection as u8, key)? else { return Ok(None) };
        let opened = self.open_document(collection as u8, key, &value)?;
        opened.map(|(_, plain)| Ok(T::from_bytes(&plain)?)).transpose()
    }

    /// A document: the names of the subjects' keys that it is under, and the ciphertext.
    fn close_document(
        &self,
        collection: u8,
        key: &[u8],
        plain: &[u8],
        names: &[Digest],
        keys: &[Secret],
    ) -> Vec<u8> {
        let context = document_context(collection, key);
        let mut value = names.to_vec().to_bytes();
        value.extend_from_slice(&self.vault.documents(keys).wrap_committed(&context, plain, &mut OsRng));
        value
    }

    fn open_document(
        &self,
        collection: u8,
        key: &[u8],
        value: &[u8],
    ) -> Result<Option<OpenedDocument>, JournalError> {
        let mut input = Reader::new(value);
        let names: Vec<Digest> = input.seq("keys of a document", MAX_SUBJECTS)?;
        let sealed = input.take(input.remaining())?;
        let Some(keys) = self.vault.keys(&self.consensus, &names)? else { return Ok(None) };
        let plain =
            self.vault.documents(&keys).unwrap_committed(&document_context(collection, key), sealed)?;
        Ok(Some((names, plain)))
    }

    /// The envelope and the record at `index`; [`JournalError::Erased`] if the record can no longer be read.
    pub(crate) fn read(&self, index: u64) -> Result<Option<(Envelope, Record)>, JournalError> {
        let Some(envelope) = self.consensus.leaf(index)? else { return Ok(None) };
        let key = self.leaf_key(index, &envelope)?;
        let record = Record::from_bytes(&envelope.open(&self.origin, &key)?)?;
        Ok(Some((envelope, record)))
    }

    /// The indices of the records found under `term`, oldest first, at most [`MAX_FOUND`].
    pub(crate) fn find(&self, term: Term<'_>) -> Result<Vec<u64>, JournalError> {
        Ok(self.consensus.find_term(&self.term(&term), MAX_FOUND)?)
    }

    /// The keyed digest that stands for a term.
    pub(crate) fn term(&self, term: &Term<'_>) -> IndexTerm {
        let (domain, bytes) = term.parts();
        self.index.mac(&[domain, &bytes])
    }

    /// The keyed digest that stands for a subject, or for what else is erased together, where keys are named.
    pub(crate) fn subject_id(&self, subject: &Digest) -> [u8; 32] {
        self.index.mac(&[b"subject-key\0", &subject.0])
    }

    /// A digest only this bank can compute, of something that there is one record of.
    pub(crate) fn unique_of(&self, domain: &[u8], parts: &[&[u8]]) -> Unique {
        let mac = self.index.mac(&[&[domain, b"\0"], parts].concat());
        Unique { key: mac, content: mac }
    }
}

fn document_context(collection: u8, key: &[u8]) -> Vec<u8> {
    [b"hansa/document/v2\0".as_slice(), &[collection], key].concat()
}

#[cfg(test)]
mod tests;
