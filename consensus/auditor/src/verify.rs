//! What a bundle must show, step by step: the log first, then each signal and what it is about.

use std::collections::BTreeSet;
use std::sync::Arc;

use hansa_audit_log::checkpoint::CheckpointError;
use hansa_audit_log::evidence::{AttachmentKind, DisclosedRecord, Evidence, EvidenceError};
use hansa_audit_log::note::SignedNote;
use hansa_audit_log::policy::{Policy, PolicyError};
use hansa_prover::keys::{KeyError, VerifyingKey};
use hansa_prover::opening::DecisionOpening;
use hansa_prover::tag::{SubjectSecret, TagError, TagTranscript};
use hansa_prover::verify::{Context, ContextError, SignalError, SignalVerifier};
use hansa_types::codec::{CodecError, Decode};
use hansa_types::hash::Digest;
use hansa_types::id::BankId;
use hansa_types::manifest::{Manifest, Member};
use hansa_types::payment::Account;
use hansa_types::record::{DecisionRecord, Record, SignalRecord};
use hansa_types::signal::Signal;
use hansa_types::subject::{Subject, SubjectKind};

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

/// Checks the evidence file `bytes` against the manifest: that its records are in a member's log, that they are about
/// one payment, and that every signal among them is true and about that payment. Nothing that bears on the payment may
/// be left out.
pub fn verify(bytes: &[u8], manifest: &Manifest) -> Result<Report, VerifyError> {
    let evidence = Evidence::from_file(bytes)?;
    let (bank, member) = log_owner(&evidence.checkpoint, manifest)?;
    let origin = manifest.log_origin(bank);
    let checkpoint = evidence.verify_checkpoint(&member.log_key, &origin)?;
    let mut records = Vec::new();
    for record in evidence.verify_log(&member.log_key, &origin)? {
        records.push((record.index, open(&record)?));
    }
    let mut statements = vec![witnessed(&evidence.checkpoint, bank, manifest)?];
    for (index, record) in &records {
        statements.push(state("log", &format!("record {index} is in the log: {}", describe(record))));
    }
    let (index, decided) = the_decision(&records)?;
    statements.push(check_decision(index, decided, manifest)?);
    let context = Arc::new(Context::new(Arc::new(manifest.clone()))?);
    let bundle = Bundle { manifest, context, records: &records, index, decided };
    let keys = evidence.attachments_of(AttachmentKind::VerifyingKey);
    bundle.check_proofs(keys, &mut statements)?;
    let openings = attached(&evidence, AttachmentKind::DecisionOpening)?;
    let subjects = bundle.subjects(&attached(&evidence, AttachmentKind::TagTranscript)?)?;
    bundle.check_sent(&openings, &subjects, &mut statements)?;
    bundle.check_received(&subjects, &mut statements)?;
    Ok(Report {
        bank: bank.clone(),
        consortium: manifest.id(),
        development: manifest.development,
        ceremony: manifest.circuits.values().next_back().and_then(|circuit| circuit.transcript),
        log_size: checkpoint.size,
        log_root: Digest(checkpoint.root),
        statements,
    })
}

/// Who cosigned the checkpoint. Too few are no reason to refuse: what the bank signed binds it, and a fork is for whoever
/// compares checkpoints to find. A false cosignature is one.
fn witnessed(note: &SignedNote, bank: &BankId, manifest: &Manifest) -> Result<Statement, VerifyError> {
    let wanted = manifest.witnesses.quorum;
    let policy = Policy::of(manifest, bank).map_err(CheckpointError::from).map_err(EvidenceError::from)?;
    match policy.check(note) {
        Ok(satisfied) => {
            let by: Vec<_> = satisfied.cosigners.into_keys().collect();
            let by = if by.is_empty() { "nobody".to_owned() } else { by.join(", ") };
            Ok(state("witness", &format!("the checkpoint is published: cosigned by {by} ({wanted} needed)")))
        }
        Err(PolicyError::NoQuorum(by)) => {
            let by = if by.is_empty() { "by nobody" } else { &by };
            Ok(state(
                "witness",
                &format!(
                    "the checkpoint is signed by {bank} and cosigned {by}, {wanted} are needed: \
                 others may have been shown another log"
                ),
            ))
        }
        Err(PolicyError::Checkpoint(error)) => Err(EvidenceError::from(error).into()),
        Err(PolicyError::UnknownLog(origin)) => Err(VerifyError::Origin(origin)),
    }
}

/// The member whose log the checkpoint names.
fn log_owner<'a>(note: &SignedNote, manifest: &'a Manifest) -> Result<(&'a BankId, &'a Member), VerifyError> {
    let origin = note.unverified_text().lines().next().unwrap_or_default();
    manifest.log_owner(origin).ok_or_else(|| VerifyError::Origin(origin.to_owned()))
}

fn decode<T: Decode>(what: &str, bytes: &[u8]) -> Result<T, VerifyError> {
    T::from_bytes(bytes).map_err(|source| VerifyError::Codec { what: what.to_owned(), source })
}

/// What a leaf holds, which must be what it says in the clear that it holds: by that class retention is applied.
fn open(disclosed: &DisclosedRecord) -> Result<Record, VerifyError> {
    let DisclosedRecord { index, class, plaintext } = disclosed;
    let record: Record = decode(&format!("record {index}"), plaintext)?;
    if record.class() != *class {
        return mismatch(format!("record {index} is of class {}, and was logged as {class}", record.class()));
    }
    Ok(record)
}

fn attached<T: Decode>(evidence: &Evidence, kind: AttachmentKind) -> Result<Vec<T>, VerifyError> {
    evidence.attachments_of(kind).map(|bytes| decode(kind.name(), bytes)).collect()
}

fn mismatch<T>(what: impl Into<String>) -> Result<T, VerifyError> {
    Err(VerifyError::Mismatch(what.into()))
}

fn describe(record: &Record) -> String {
    match record {
        Record::Decision(record) => {
            let decision = &record.decision;
            format!("decision {} on payment {}", decision.verdict, decision.key)
        }
        record => record.class().to_string(),
    }
}

/// The signals in a bundle whose records are in a member's log, each with its place, and the verifying key that the
/// manifest pins. Whether their proofs hold is not looked at.
pub(crate) fn signals_in(
    bytes: &[u8],
    manifest: &Manifest,
) -> Result<(VerifyingKey, Vec<(u64, Signal)>), VerifyError> {
    let evidence = Evidence::from_file(bytes)?;
    let (bank, member) = log_owner(&evidence.checkpoint, manifest)?;
    let records = evidence.verify_log(&member.log_key, &manifest.log_origin(bank))?;
    let no_key = || VerifyError::Mismatch("no verifying key is attached".to_owned());
    let file = evidence.attachments_of(AttachmentKind::VerifyingKey).next().ok_or_else(no_key)?;
    let key = pinned(file, manifest)?;
    let mut signals = Vec::new();
    for disclosed in records {
        let record = open(&disclosed)?;
        signals.extend(signal_of(&record).map(|signal| (disclosed.index, signal.clone())));
    }
    Ok((key, signals))
}

/// A verifying key that the manifest pins for some epoch. Which one a signal needs, its verifier asks.
fn pinned(file: &[u8], manifest: &Manifest) -> Result<VerifyingKey, VerifyError> {
    let keys: BTreeSet<Digest> = manifest.circuits.values().map(|circuit| circuit.verifying_key).collect();
    let loaded = keys.iter().map(|key| VerifyingKey::load(file, key));
    let refused = || VerifyError::Mismatch("the manifest pins no verifying key".to_owned());
    loaded.reduce(Result::or).ok_or_else(refused)?.map_err(VerifyError::from)
}

/// The signal that a record is of, sent or received.
fn signal_of(record: &Record) -> Option<&Signal> {
    match record {
        Record::SignalSent(record) | Record::SignalReceived(record) => Some(&record.signal),
        _ => None,
    }
}

/// The one decision that the bundle is about, with its place in the log.
fn the_decision(records: &[(u64, Record)]) -> Result<(u64, &DecisionRecord), VerifyError> {
    let mut decisions = records.iter().filter_map(|(index, record)| match record {
        Record::Decision(decided) => Some((*index, decided)),
        _ => None,
    });
    match (decisions.next(), decisions.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => mismatch("no decision is among the records: there is nothing the evidence is about"),
        (Some(_), Some(_)) => {
            mismatch("several decisions are among the records: evidence is about one payment")
        }
    }
}

/// The decision is on the payment beside it, and its score follows from factors and model.
fn check_decision(
    index: u64,
    decided: &DecisionRecord,
    manifest: &Manifest,
) -> Result<Statement, VerifyError> {
    let DecisionRecord { decision, payment, .. } = decided;
    if decision.content != payment.content_hash() || decision.key != payment.key() {
        return mismatch(format!(
            "record {index}: the decision is on another payment than the one beside it"
        ));
    }
    let mut models = manifest.models.iter().map(|registered| &registered.model);
    let model = models.find(|model| model.digest() == decision.model);
    let score = decision.score.0;
    let Some(model) = model else {
        let shown =
            format!("record {index}: its model is not registered, so its score ({score}) is not checked");
        return Ok(state("decision", &shown));
    };
    if model.version != decision.model_version || model.score(&decision.factors) != decision.score {
        return mismatch(format!("record {index}: score or version is not what the registered model gives"));
    }
    Ok(state(
        "decision",
        &format!("score {score} follows from its factors and registered model {}", model.version),
    ))
}

/// A subject of the payment, and what the tag function makes of it.
struct TaggedAccount {
    account: Account,
    secret: SubjectSecret,
}

struct Bundle<'a> {
    manifest: &'a Manifest,
    context: Arc<Context>,
    records: &'a [(u64, Record)],
    /// The place of the decision.
    index: u64,
    decided: &'a DecisionRecord,
}

impl Bundle<'_> {
    /// Every signal among the records, with its place.
    fn signals(&self) -> impl Iterator<Item = (u64, &Signal)> {
        self.records.iter().filter_map(|(index, record)| Some((*index, signal_of(record)?)))
    }

    /// Each signal's proof holds for what it says.
    fn check_proofs<'k>(
        &self,
        mut keys: impl Iterator<Item = &'k [u8]>,
        statements: &mut Vec<Statement>,
    ) -> Result<(), VerifyError> {
        if self.signals().next().is_none() {
            return Ok(());
        }
        let Some(key) = keys.next() else {
            return mismatch("the verifying key that the signals are checked with is not attached");
        };
        let key = pinned(key, self.manifest)?;
        let verifier = SignalVerifier::new(self.context.clone(), key)?;
        for (index, signal) in self.signals() {
            let id = signal.id();
            verifier.check(signal).map_err(|source| VerifyError::Signal { id, source })?;
            let body = &signal.body;
            let shown =
                format!("{id} ({}, {}) in record {index}: the proof holds", body.severity, body.category);
            statements.push(state("signal", &shown));
        }
        Ok(())
    }

    /// The accounts of the payment whose tag function is shown.
    fn subjects(&self, transcripts: &[TagTranscript]) -> Result<Vec<TaggedAccount>, VerifyError> {
        let accounts = [&self.decided.payment.debtor_account, &self.decided.payment.creditor_account];
        let mut subjects = Vec::new();
        for transcript in transcripts {
            let secret = transcript.check(&self.manifest.tags.key.0)?;
            let same =
                |account: &&Account| Subject::Account((*account).clone()).digest() == transcript.subject();
            let Some(account) = accounts.into_iter().flatten().find(same) else {
                return mismatch("a tag transcript is of no account of the payment");
            };
            subjects.push(TaggedAccount { account: account.clone(), secret });
        }
        Ok(subjects)
    }

    /// The account of the payment that yields the signal's tag.
    fn tagged<'s>(
        &self,
        signal: &Signal,
        subjects: &'s [TaggedAccount],
    ) -> Result<&'s TaggedAccount, VerifyError> {
        let scope = self.context.scope(signal.body.gateway, signal.body.epoch);
        let tagged = |subject: &&TaggedAccount| subject.secret.tag(scope) == signal.body.tag;
        // The proof does not bind the kind to the tag: a receiver matches accounts only with signals that say so.
        let found = subjects.iter().find(tagged).filter(|_| signal.body.subject == SubjectKind::Account);
        let what =
            || format!("signal {}: nothing shows that its tag is of an account of the payment", signal.id());
        found.ok_or_else(|| VerifyError::Mismatch(what()))
    }

    /// Each signal that the bank sent was committed after the decision and before it was proved, and commits to this
    /// very decision on an account of the payment; and no other intent is shown.
    fn check_sent(
        &self,
        openings: &[DecisionOpening],
        subjects: &[TaggedAccount],
        statements: &mut Vec<Statement>,
    ) -> Result<(), VerifyError> {
        for (index, record) in self.records {
            let Record::SignalSent(SignalRecord { signal, .. }) = record else { continue };
            let id = signal.id();
            let subject = self.tagged(signal, subjects)?;
            let opening =
                openings.iter().find(|opening| opening.commitment() == signal.body.decision_commitment);
            let Some(opening) = opening else {
                return mismatch(format!("signal {id}: nothing opens its decision commitment"));
            };
            if opening.subject != subject.secret {
                return mismatch(format!(
                    "signal {id}: its commitment is about another subject than its tag"
                ));
            }
            self.check_opening(id, opening)?;
            let intended = |(place, record): &&(u64, Record)| {
                matches!(record, Record::SignalIntent(intent)
                    if intent.body == signal.body && intent.decision == opening.decision
                        && self.index < *place && place < index)
            };
            if !self.records.iter().any(|entry| intended(&entry)) {
                return mismatch(format!(
                    "signal {id}: no intent of the log precedes it and follows the decision"
                ));
            }
            let (score, key) = (self.decided.decision.score.0, &self.decided.decision.key);
            let threshold = self.manifest.thresholds.of(signal.body.severity);
            let shown = format!("signal {id} commits to the decision on {key}: score {score} >= {threshold}");
            statements.push(state("opening", &shown));
            let shown = format!("account {} of the payment yields the tag of signal {id}", subject.account);
            statements.push(state("tag", &shown));
        }
        let decision = self.decided.decision.id();
        let unrelated = self.records.iter().find_map(|(index, record)| match record {
            Record::SignalIntent(intent) if intent.decision != decision => Some(index),
            _ => None,
        });
        match unrelated {
            Some(index) => mismatch(format!("record {index} intends a signal about another decision")),
            None => Ok(()),
        }
    }

    /// The opening is of the decision in the bundle, under a registered model.
    fn check_opening(&self, id: Digest, opening: &DecisionOpening) -> Result<(), VerifyError> {
        let decision = &self.decided.decision;
        if opening.decision != decision.id() {
            return mismatch(format!("signal {id}: its commitment opens to another decision"));
        }
        let registered = self.manifest.model(opening.model.version) == Some(&opening.model);
        if !registered || decision.model != opening.model.digest() || decision.factors != opening.factors {
            return mismatch(format!("signal {id}: its commitment opens to other factors or another model"));
        }
        Ok(())
    }

    /// Each signal that the decision rests on was received before it, counted then, and is about an account of the
    /// payment; and no other received signal is shown.
    fn check_received(
        &self,
        subjects: &[TaggedAccount],
        statements: &mut Vec<Statement>,
    ) -> Result<(), VerifyError> {
        let decision = &self.decided.decision;
        let received = |id: Digest| {
            self.records.iter().find_map(|(index, record)| match record {
                Record::SignalReceived(SignalRecord { signal, .. }) if signal.id() == id => {
                    Some((*index, signal))
                }
                _ => None,
            })
        };
        for id in &decision.signals {
            let Some((index, signal)) = received(*id) else {
                return mismatch(format!(
                    "the decision rests on signal {id}, which no record of the bundle holds"
                ));
            };
            let decided_in = self.manifest.epochs.at(decision.decided_at);
            if index > self.index || decided_in.is_none_or(|epoch| epoch > signal.body.expires) {
                return mismatch(format!(
                    "signal {id} came after the decision that rests on it, or had expired"
                ));
            }
            let subject = self.tagged(signal, subjects)?;
            let (account, verdict) = (&subject.account, decision.verdict);
            let shown = format!("account {account} of the payment ({verdict}) yields the tag of signal {id}");
            statements.push(state("tag", &shown));
        }
        let unrelated = self.records.iter().find_map(|(index, record)| match record {
            Record::SignalReceived(record) if !decision.signals.contains(&record.signal.id()) => Some(index),
            _ => None,
        });
        match unrelated {
            Some(index) => mismatch(format!("record {index} is a signal that the decision does not rest on")),
            None => Ok(()),
        }
    }
}

/// A statement whose text cannot break out of its line: records hold what others wrote.
fn state(about: &'static str, shown: &str) -> Statement {
    let hidden = |c: char| matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
    let harmless = |c: char| !c.is_control() && !hidden(c);
    let escape = |c: char| if harmless(c) { c.to_string() } else { c.escape_unicode().to_string() };
    Statement { about, shown: shown.chars().map(escape).collect() }
}
