//! The audit log as flows use it: records go in sealed, with keyed index terms and current values; records come out.
//!
//! Consensus keeps envelopes, digests and encrypted documents. This is the one place that has the keys to them.

use std::sync::Arc;

use hansa_audit_log::envelope::{Envelope, OpenError, RecordsKey, SealError};
use hansa_consensus::{Command, Consensus, Document, DocumentWrite, IndexTerm, Leaf};
use hansa_consensus::{Outcome, ProposeError, StoreError, Unique};
use hansa_keys::{KeyError, KeyFolder, Purpose, Secret, UnwrapError};
use hansa_types::case::{Alert, Case};
use hansa_types::codec::{CodecError, Decode, Encode};
use hansa_types::hash::Digest;
use hansa_types::payment::{Account, PaymentKey};
use hansa_types::record::{Record, ScopeKey};
use hansa_types::subject::Subject;
use hansa_types::uetr::Uetr;
use rand::rngs::OsRng;

use crate::book::alert_key;
use crate::provisional::ProvisionalError;

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
}

/// Under what a record is found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Term<'a> {
    /// A payment's UETR, on every leg.
    Uetr(&'a Uetr),
    /// A payment on its leg.
    Payment(&'a PaymentKey),
    /// A decision by its id.
    Decision(Digest),
    /// An account of the payment, the case or the alert.
    Account(&'a Account),
    /// A signal by its id.
    Signal(Digest),
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
    /// A leaf that decides a payment holds another record.
    #[error("leaf {0} should hold a decision and does not: the store is damaged")]
    NotADecision(u64),
    /// The index key is not the one that the log was indexed with.
    #[error(
        "the index key is not the one this log was written with: decided payments would be decided again"
    )]
    ForeignIndex,
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

/// The most records that are looked up under one term.
const MAX_FOUND: usize = 4096;

/// Writes and reads the records of one bank's log.
pub(crate) struct Journal {
    consensus: Arc<Consensus>,
    origin: String,
    records: RecordsKey,
    index: Secret,
    documents: Secret,
}

impl Journal {
    /// The journal over `consensus`, with the keys of `folder`, of the log called `origin`.
    pub(crate) fn new(
        consensus: Arc<Consensus>,
        folder: &KeyFolder,
        origin: String,
    ) -> Result<Self, KeyError> {
        let records = folder.secret(Purpose::Records)?;
        Ok(Self {
            consensus,
            origin,
            documents: records.derive(b"hansa/documents/v1"),
            records: RecordsKey::new(*records.expose()),
            index: folder.secret(Purpose::Index)?,
        })
    }

    /// What keeps the log.
    pub(crate) fn consensus(&self) -> &Arc<Consensus> {
        &self.consensus
    }

    /// The log's C2SP origin.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The key from which each leaf's key follows, for disclosure.
    pub(crate) fn records_key(&self) -> &RecordsKey {
        &self.records
    }

    /// The leaf of `record`, with its index terms.
    pub(crate) fn leaf(&self, record: &Record) -> Result<Leaf, JournalError> {
        let envelope = self.records.seal(&self.origin, record.class(), &record.to_bytes(), &mut OsRng)?;
        let mut terms: Vec<IndexTerm> = terms_of(record).into_iter().map(|term| self.term(term)).collect();
        terms.sort_unstable();
        terms.dedup();
        Ok(Leaf { terms, ..Leaf::new(envelope) })
    }

    /// The leaf of a record that bears on a payment without being about it: it is found with the payment's history.
    pub(crate) fn leaf_about(&self, record: &Record, payment: &PaymentKey) -> Result<Leaf, JournalError> {
        let mut leaf = self.leaf(record)?;
        if let PaymentKey::Uetr { uetr, .. } = payment {
            leaf.terms.push(self.term(Term::Uetr(uetr)));
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

    async fn deliver(&self, seen: Option<u64>, command: Command) -> Result<Outcome, JournalError> {
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
        leaf.documents.push(self.document(
            Collection::Alerts,
            &[signal.0, self.subject_key(&subject)].concat(),
            alert,
        ));
        Ok(leaf)
    }

    /// The leaf of a case, with which its current value is kept.
    pub(crate) fn case_leaf(&self, case: &Case) -> Result<Leaf, JournalError> {
        let mut leaf = self.leaf(&Record::Case(case.clone()))?;
        leaf.documents.push(self.document(Collection::Cases, &case.number.to_be_bytes(), case));
        Ok(leaf)
    }

    /// What makes a payment's decision the only one under its key.
    pub(crate) fn unique(&self, key: &PaymentKey, content: &Digest) -> Unique {
        Unique { key: self.term(Term::Payment(key)), content: content.0 }
    }

    /// What makes a refusal the only one of this payment under its key.
    pub(crate) fn unique_refusal(&self, key: &PaymentKey, refused: &Digest) -> Unique {
        Unique { key: self.index.mac(&[b"refusal\0", &refused.0, &key.to_bytes()]), content: refused.0 }
    }

    /// What makes the record of an answer that the log contradicts the only one.
    pub(crate) fn unique_conflict(&self, given: &Digest) -> Unique {
        Unique { key: self.index.mac(&[b"conflict\0", &given.0]), content: given.0 }
    }

    /// The digest under which consensus allows one signal per subject and epoch.
    pub(crate) fn subject_key(&self, subject: &Digest) -> [u8; 32] {
        self.index.mac(&[b"subject\0", &subject.0])
    }

    /// A current value to be written with a leaf.
    pub(crate) fn document(&self, collection: Collection, key: &[u8], value: &impl Encode) -> DocumentWrite {
        let context = document_context(collection, key);
        let value = self.documents.wrap(&context, &value.to_bytes(), &mut OsRng);
        DocumentWrite { collection: collection as u8, key: key.to_vec(), value: Some(value) }
    }

    /// All current values of a collection.
    pub(crate) fn documents<T: Decode>(&self, collection: Collection) -> Result<Vec<T>, JournalError> {
        let stored = self.consensus.documents(collection as u8)?;
        let open = |Document { key, value }: Document| {
            let plain = self.documents.unwrap(&document_context(collection, &key), &value)?;
            Ok(T::from_bytes(&plain)?)
        };
        stored.into_iter().map(open).collect()
    }

    /// One current value.
    pub(crate) fn read_document<T: Decode>(
        &self,
        collection: Collection,
        key: &[u8],
    ) -> Result<Option<T>, JournalError> {
        let Some(value) = self.consensus.document(collection as u8, key)? else { return Ok(None) };
        let plain = self.documents.unwrap(&document_context(collection, key), &value)?;
        Ok(Some(T::from_bytes(&plain)?))
    }

    /// The envelope and the record at `index`.
    pub(crate) fn read(&self, index: u64) -> Result<Option<(Envelope, Record)>, JournalError> {
        let Some(envelope) = self.consensus.leaf(index)? else { return Ok(None) };
        let record = Record::from_bytes(&self.records.open(&self.origin, &envelope)?)?;
        Ok(Some((envelope, record)))
    }

    /// The indices of the records found under `term`, oldest first, at most [`MAX_FOUND`].
    pub(crate) fn find(&self, term: Term<'_>) -> Result<Vec<u64>, JournalError> {
        Ok(self.consensus.find_term(&self.term(term), MAX_FOUND)?)
    }

    fn term(&self, term: Term<'_>) -> IndexTerm {
        let (domain, bytes) = match term {
            Term::Uetr(uetr) => (b"uetr\0".as_slice(), uetr.to_bytes()),
            Term::Payment(key) => (b"payment\0".as_slice(), key.to_bytes()),
            Term::Decision(id) => (b"decision\0".as_slice(), id.to_bytes()),
            Term::Account(account) => (b"account\0".as_slice(), account.to_bytes()),
            Term::Signal(id) => (b"signal\0".as_slice(), id.to_bytes()),
        };
        self.index.mac(&[domain, &bytes])
    }
}

fn document_context(collection: Collection, key: &[u8]) -> Vec<u8> {
    [b"hansa/document/v1\0".as_slice(), &[collection as u8], key].concat()
}

/// Under what a record is to be found again.
fn terms_of(record: &Record) -> Vec<Term<'_>> {
    fn payment(key: &PaymentKey) -> Vec<Term<'_>> {
        let uetr = match key {
            PaymentKey::Uetr { uetr, .. } => Some(Term::Uetr(uetr)),
            PaymentKey::Reference { .. } => None,
        };
        uetr.into_iter().chain([Term::Payment(key)]).collect()
    }
    fn subject(subject: &Subject) -> Option<Term<'_>> {
        match subject {
            Subject::Account(account) => Some(Term::Account(account)),
            Subject::Organisation(_) | Subject::Person { .. } => None,
        }
    }
    match record {
        Record::Decision(record) => {
            let accounts = [&record.payment.debtor_account, &record.payment.creditor_account];
            let accounts = accounts.into_iter().flatten().map(Term::Account);
            let signals = record.decision.signals.iter().copied().map(Term::Signal);
            let id = Term::Decision(record.decision.id());
            payment(&record.decision.key).into_iter().chain([id]).chain(accounts).chain(signals).collect()
        }
        Record::Refusal(refusal) => payment(&refusal.key),
        Record::Case(case) => {
            let decision =
                case.decision.iter().flat_map(|d| payment(&d.key).into_iter().chain([Term::Decision(d.id)]));
            let signal = case.signal.map(Term::Signal);
            decision.chain(signal).chain(subject(&case.subject)).collect()
        }
        Record::SignalIntent(intent) => vec![Term::Decision(intent.decision)],
        Record::SignalSent(record) | Record::SignalReceived(record) => vec![Term::Signal(record.signal.id())],
        Record::Retraction(record) => vec![Term::Signal(record.signal)],
        Record::Operation(_) => vec![],
        Record::Alert(alert) => {
            [Term::Signal(alert.signal)].into_iter().chain(subject(&alert.subject)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use hansa_consensus::{ConsensusConfig, RecordsConfig};
    use hansa_types::case::{CaseState, CaseStep, DecisionRef};
    use hansa_types::id::Timestamp;
    use hansa_types::payment::{Payment, TransactionRef};
    use hansa_types::signal::Signal;
    use hansa_types::verify::{Verifier, VerifyError};
    use prometheus_client::registry::Registry;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    /// No test here sends a signal.
    struct NoSignals;

    impl Verifier<Signal> for NoSignals {
        fn verify(&self, _: &Signal) -> Result<(), VerifyError> {
            Err(VerifyError::Reject("no signals here".into()))
        }
    }

    async fn journal(folder: &std::path::Path) -> Journal {
        let config = ConsensusConfig { data_dir: folder.join("data"), ..ConsensusConfig::default() };
        let consensus = Consensus::open(
            &config,
            &RecordsConfig::default(),
            Arc::new(NoSignals),
            &mut Registry::default(),
        )
        .await
        .unwrap();
        let keys = folder.join("keys");
        if !keys.exists() {
            KeyFolder::create(&keys, &mut StdRng::seed_from_u64(1)).unwrap();
        }
        Journal::new(Arc::new(consensus), &KeyFolder::new(keys), "hansa/test/bank-a".into()).unwrap()
    }

    fn account() -> Account {
        Account::from_iban_text("GB82 WEST 1234 5698 7654 32")
    }

    fn case(number: u64) -> Case {
        let payment = Payment { message_id: "M1".into(), ..Payment::default() };
        assert!(matches!(
            payment.key(),
            PaymentKey::Reference { transaction: TransactionRef::Position(0), .. }
        ));
        Case {
            number,
            subject: Subject::Account(account()),
            decision: Some(DecisionRef { key: payment.key(), id: Digest([7; 32]) }),
            signal: None,
            steps: vec![CaseStep {
                state: CaseState::Open,
                actor: "officer.a".parse().unwrap(),
                at: Timestamp(1),
                note: "seen".into(),
            }],
        }
    }

    #[tokio::test]
    async fn records_are_found_by_what_they_are_about_and_again_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let journal_before = journal(folder.path()).await;
        let case = case(3);
        let leaf = journal_before.case_leaf(&case).unwrap();
        let stored = leaf.envelope.clone();
        journal_before.propose(Command::Append { leaf, follow_up: vec![] }).await.unwrap();
        journal_before.consensus().shutdown().await;
        drop(journal_before);

        let journal = journal(folder.path()).await;
        let key = &case.decision.as_ref().unwrap().key;
        for term in [Term::Payment(key), Term::Decision(Digest([7; 32])), Term::Account(&account())] {
            assert_eq!(journal.find(term).unwrap(), [0], "{term:?}");
        }
        assert!(journal.find(Term::Decision(Digest([8; 32]))).unwrap().is_empty());
        assert_eq!(journal.read(0).unwrap(), Some((stored, Record::Case(case.clone()))));
        assert_eq!(journal.documents::<Case>(Collection::Cases).unwrap(), [case]);
        journal.consensus().shutdown().await;
    }

    #[tokio::test]
    async fn the_store_holds_no_plaintext() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path()).await;
        let leaf = journal.case_leaf(&case(1)).unwrap();
        let encoded = Command::Append { leaf, follow_up: vec![] }.to_bytes();
        for secret in [account().to_string().as_bytes(), b"officer.a", b"seen", &account().digest().0] {
            assert!(!encoded.windows(secret.len()).any(|window| window == secret), "{secret:?}");
        }
        journal.consensus().shutdown().await;
    }
}
