//! What a bundle must show, step by step: the log first, then each signal and what it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hansa_audit_log::evidence::{AttachmentKind, Evidence, EvidenceError};
use hansa_audit_log::note::SignedNote;
use hansa_prover::keys::{KeyError, VerifyingKey};
use hansa_prover::opening::DecisionOpening;
use hansa_prover::tag::{SubjectSecret, TagError, TagTranscript};
use hansa_prover::verify::{Context, ContextError, SignalError, SignalVerifier};
use hansa_types::codec::{CodecError, Decode};
use hansa_types::decision::Decision;
use hansa_types::hash::Digest;
use hansa_types::id::BankId;
use hansa_types::manifest::{Manifest, Member};
use hansa_types::payment::Account;
use hansa_types::record::{DecisionRecord, Record};
use hansa_types::signal::Signal;
use hansa_types::subject::Subject;

use crate::report::{Report, Statement};

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// What the log proves.
    #[error(transparent)]
    Log(#[from] EvidenceError),
    /// A log of no member.
    #[error("the checkpoint is of the log {0:?}, which is no member's")]
    Origin(String),
    /// A record or attachment that does not decode.
    #[error("{what}: {source}")]
    Codec {
        /// Which.
        what: String,
        /// What is wrong.
        source: CodecError,
    },
    /// The manifest is for another program.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The verifying key is not the manifest's.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A signal is false.
    #[error("signal {id}: {source}")]
    Signal {
        /// Which.
        id: Digest,
        /// What is wrong.
        source: SignalError,
    },
    /// The tag function was not evaluated with the consortium's key.
    #[error("tag transcript: {0}")]
    Tag(#[from] TagError),
    /// Parts that each hold do not belong together.
    #[error("{0}")]
    Mismatch(String),
}

/// Checks the evidence file `bytes` against the manifest.
pub fn verify(bytes: &[u8], manifest: &Manifest) -> Result<Report, VerifyError> {
    let evidence = Evidence::from_file(bytes)?;
    let (bank, member) = log_owner(&evidence.checkpoint, manifest)?;
    let origin = manifest.log_origin(bank);
    let log_size = evidence.verify_checkpoint(&member.log_key, &origin)?.size;
    let records = evidence.verify_log(&member.log_key, &origin)?;
    let mut bundle =
        Bundle { manifest, evidence: &evidence, records: BTreeMap::new(), statements: Vec::new() };
    for record in records {
        let decoded = decode(&format!("record {}", record.index), &record.plaintext)?;
        bundle.records.insert(record.index, decoded);
    }
    bundle.check_records()?;
    bundle.check_attachments()?;
    Ok(Report {
        bank: bank.clone(),
        consortium: manifest.id(),
        development: manifest.development,
        log_size,
        statements: bundle.statements,
    })
}

/// The member whose log the checkpoint names.
fn log_owner<'a>(note: &SignedNote, manifest: &'a Manifest) -> Result<(&'a BankId, &'a Member), VerifyError> {
    let origin = note.unverified_text().lines().next().unwrap_or_default();
    let owner = manifest.members.iter().find(|(bank, _)| manifest.log_origin(bank) == origin);
    owner.ok_or_else(|| VerifyError::Origin(origin.to_owned()))
}

fn decode<T: Decode>(what: &str, bytes: &[u8]) -> Result<T, VerifyError> {
    T::from_bytes(bytes).map_err(|source| VerifyError::Codec { what: what.to_owned(), source })
}

struct Bundle<'a> {
    manifest: &'a Manifest,
    evidence: &'a Evidence,
    records: BTreeMap<u64, Record>,
    statements: Vec<Statement>,
}

impl Bundle<'_> {
    fn state(&mut self, about: &'static str, shown: String) {
        self.statements.push(Statement { about, shown });
    }

    fn attached<T: Decode>(&self, kind: AttachmentKind) -> Result<Vec<T>, VerifyError> {
        self.evidence.attachments_of(kind).map(|bytes| decode(kind.name(), bytes)).collect()
    }

    fn decisions(&self) -> impl Iterator<Item = &DecisionRecord> {
        self.records.values().filter_map(|record| match record {
            Record::Decision(record) => Some(record),
            _ => None,
        })
    }

    /// What each record says, and whether it agrees with itself.
    fn check_records(&mut self) -> Result<(), VerifyError> {
        let mut statements = Vec::new();
        for (index, record) in &self.records {
            let mut shown = format!("record {index} is in the log: {}", record.class());
            if let Record::Decision(DecisionRecord { decision, payment }) = record {
                if decision.content != payment.content_hash() || decision.key != payment.key() {
                    return Err(VerifyError::Mismatch(format!(
                        "record {index}: the decision is on another payment"
                    )));
                }
                self.check_score(*index, decision)?;
                shown +=
                    &format!(" {} on payment {}, score {}", decision.verdict, decision.key, decision.score.0);
            }
            statements.push(shown);
        }
        statements.into_iter().for_each(|shown| self.state("log", shown));
        Ok(())
    }

    /// The score follows from factors and model, where the manifest registers the model.
    fn check_score(&self, index: u64, decision: &Decision) -> Result<(), VerifyError> {
        match self.manifest.model(decision.model_version) {
            Some(model)
                if model.digest() == decision.model && model.score(&decision.factors) != decision.score =>
            {
                Err(VerifyError::Mismatch(format!(
                    "record {index}: the score is not what model and factors give"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Proofs, openings and tags.
    fn check_attachments(&mut self) -> Result<(), VerifyError> {
        let signals: Vec<Signal> = self.attached(AttachmentKind::Signal)?;
        let openings: Vec<DecisionOpening> = self.attached(AttachmentKind::DecisionOpening)?;
        let transcripts: Vec<TagTranscript> = self.attached(AttachmentKind::TagTranscript)?;
        let context = Arc::new(Context::new(Arc::new(self.manifest.clone()))?);
        self.check_signals(&signals, &context)?;
        let mut opened = BTreeSet::new();
        for opening in &openings {
            opened.insert(self.check_opening(opening, &signals)?);
        }
        let mut tagged = BTreeSet::new();
        for transcript in &transcripts {
            let secret = transcript.check(&self.manifest.tag_key)?;
            tagged.insert(self.check_tag(transcript.subject(), &secret, &signals, &context)?);
        }
        for signal in &signals {
            let id = signal.id();
            if !tagged.contains(&id) {
                let what = format!("signal {id}: nothing shows that its tag is of an account of the payment");
                return Err(VerifyError::Mismatch(what));
            }
            if self.is_sent(signal) && !opened.contains(&id) {
                let what =
                    format!("signal {id}: nothing opens its decision commitment to a decision of this bank");
                return Err(VerifyError::Mismatch(what));
            }
        }
        Ok(())
    }

    /// Each signal's proof holds for what it says, and the log recorded it.
    fn check_signals(&mut self, signals: &[Signal], context: &Arc<Context>) -> Result<(), VerifyError> {
        if signals.is_empty() {
            return Ok(());
        }
        let key = self.evidence.attachments_of(AttachmentKind::VerifyingKey).next();
        let key = key.ok_or_else(|| VerifyError::Mismatch("the verifying key is not attached".into()))?;
        let key = VerifyingKey::load(key, &self.manifest.circuit.verifying_key)?;
        let verifier = SignalVerifier::new(context.clone(), key)?;
        for signal in signals {
            let id = signal.id();
            verifier.check(signal).map_err(|source| VerifyError::Signal { id, source })?;
            let recorded = self.records.iter().find(|(_, record)| match record {
                Record::SignalSent(record) | Record::SignalReceived(record) => record.signal == *signal,
                _ => false,
            });
            let Some((index, record)) = recorded else {
                return Err(VerifyError::Mismatch(format!("signal {id}: no record of the log holds it")));
            };
            let shown = format!(
                "{id} ({}, {}): the proof holds; {} in record {index}",
                signal.body.severity,
                signal.body.category,
                record.class()
            );
            self.state("signal", shown);
        }
        Ok(())
    }

    fn is_sent(&self, signal: &Signal) -> bool {
        self.records.values().any(|r| matches!(r, Record::SignalSent(record) if record.signal == *signal))
    }

    /// The decision commitment of a signal this bank sent opens to a decision in the bundle.
    fn check_opening(
        &mut self,
        opening: &DecisionOpening,
        signals: &[Signal],
    ) -> Result<Digest, VerifyError> {
        let mismatch = |what: &str| Err(VerifyError::Mismatch(format!("decision opening: {what}")));
        let commitment = opening.commitment();
        let Some(signal) = signals.iter().find(|signal| signal.body.decision_commitment == commitment) else {
            return mismatch("it opens the commitment of no attached signal");
        };
        let Some(record) = self.decisions().find(|record| record.decision.id() == opening.decision) else {
            return mismatch("its decision is not among the records");
        };
        let decision = &record.decision;
        if decision.factors != opening.factors || decision.model != opening.model.digest() {
            return mismatch("factors or model are not those of the decision");
        }
        if self.manifest.model(opening.model.version) != Some(&opening.model) {
            return mismatch("the manifest registers no such model");
        }
        let threshold = self.manifest.thresholds.of(signal.body.severity);
        if decision.score.0 < i64::from(threshold) {
            return mismatch("the decision's score is below the threshold of the severity");
        }
        let shown = format!(
            "the commitment of signal {} opens to the decision on {}: score {} >= {threshold}",
            signal.id(),
            decision.key,
            decision.score.0
        );
        let id = signal.id();
        self.state("opening", shown);
        Ok(id)
    }

    /// A subject of a decision in the bundle yields the tag of a signal that the decision cites or that was sent on it.
    fn check_tag(
        &mut self,
        subject: Digest,
        secret: &SubjectSecret,
        signals: &[Signal],
        context: &Context,
    ) -> Result<Digest, VerifyError> {
        let yields = |s: &&Signal| secret.tag(context.scope(s.body.gateway, s.body.epoch)) == s.body.tag;
        let Some(signal) = signals.iter().find(yields) else {
            let what = "tag transcript: its subject yields the tag of no attached signal";
            return Err(VerifyError::Mismatch(what.into()));
        };
        let id = signal.id();
        let named = self.decisions().find_map(|record| {
            let related = record.decision.signals.contains(&id) || self.is_sent(signal);
            let account = account_with(subject, record).filter(|_| related)?;
            Some((account.to_string(), record.decision.key.to_string(), record.decision.verdict))
        });
        let Some((account, payment, verdict)) = named else {
            let what = format!(
                "tag transcript: no decision in the bundle rests on signal {id} and names its subject"
            );
            return Err(VerifyError::Mismatch(what));
        };
        let shown =
            format!("account {account} of payment {payment} ({verdict}) yields the tag of signal {id}");
        self.state("tag", shown);
        Ok(id)
    }
}

/// The account of the payment whose subject digest it is.
fn account_with(subject: Digest, record: &DecisionRecord) -> Option<&Account> {
    let payment = &record.payment;
    let mut accounts = [&payment.debtor_account, &payment.creditor_account].into_iter().flatten();
    accounts.find(|account| Subject::Account((*account).clone()).digest() == subject)
}
