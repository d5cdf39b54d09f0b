//! Subjects known here become tags, so that signals about them are recognised.
//!
//! A subject's secret `u` is evaluated once, blinded, in batches and off the payment path; its tag follows for each
//! scope by a hash. Known are the accounts this bank holds, and counterparties seen within [`COUNTERPARTY_WINDOW`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hansa_prover::tag::{EvaluatorError, SubjectSecret, TagError, TagEvaluator, TagRequest, TagTranscript};
use hansa_types::hash::Field;
use hansa_types::id::{Epoch, Timestamp};
use hansa_types::payment::Account;
use hansa_types::record::ScopeKey;
use hansa_types::signal::SignalBody;
use hansa_types::subject::Subject;
use rand::rngs::OsRng;

use crate::governed::Governed;

/// For how long a counterparty is matched after its last payment, in seconds: 90 days.
pub const COUNTERPARTY_WINDOW: u64 = 90 * 24 * 3600;
/// How many subjects are asked about in one request.
const BATCH: usize = 256;

/// Why a subject has no tag.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TagsError {
    /// The evaluators did not answer.
    #[error(transparent)]
    Evaluator(#[from] EvaluatorError),
    /// The consortium has another key by now.
    #[error("the consortium's tag key has changed: restart this node with the new key's file")]
    OtherKey,
    /// They answered wrongly.
    #[error(transparent)]
    Answer(#[from] TagError),
}

/// What is known of a subject.
#[derive(Clone)]
pub(crate) struct Known {
    /// This bank holds the account.
    pub(crate) held: bool,
    /// When it was last seen in a payment.
    pub(crate) seen: Timestamp,
    /// The output of the tag function.
    pub(crate) secret: SubjectSecret,
    /// How it came about, for an auditor.
    pub(crate) transcript: TagTranscript,
}

/// A subject that matches a signal.
#[derive(Clone)]
pub(crate) struct Match {
    pub(crate) subject: Subject,
    pub(crate) held: bool,
}

/// The subjects known here, by themselves and by their tags.
pub(crate) struct Tags {
    evaluator: Box<dyn TagEvaluator>,
    tag_key: [u8; 32],
    governed: Arc<Governed>,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    known: BTreeMap<Subject, Known>,
    scopes: BTreeMap<ScopeKey, BTreeMap<Field, Subject>>,
}

impl Tags {
    /// Nobody is known yet; `evaluator` holds the key behind `tag_key`.
    pub(crate) fn new(evaluator: Box<dyn TagEvaluator>, tag_key: [u8; 32], governed: Arc<Governed>) -> Self {
        Self { evaluator, tag_key, governed, index: Mutex::default() }
    }

    /// Makes subjects known, and returns those that were not: signals on record may be about them. Blocks while the
    /// evaluators work.
    pub(crate) fn learn(&self, subjects: Vec<(Subject, bool, Timestamp)>) -> Result<Vec<Subject>, TagsError> {
        let unknown: Vec<_> = {
            let mut index = self.index();
            let seen_before = |(subject, held, seen): &(Subject, bool, Timestamp)| {
                let Some(known) = index.known.get_mut(subject) else { return false };
                known.held |= held;
                known.seen = known.seen.max(*seen);
                true
            };
            let (_, unknown): (Vec<_>, Vec<_>) = subjects.into_iter().partition(seen_before);
            unknown
        };
        let mut learnt = Vec::new();
        for batch in unknown.chunks(BATCH) {
            learnt.extend(self.evaluate(batch)?);
        }
        Ok(learnt)
    }

    /// The bank holds the account no longer: as a counterparty it is still matched for a while.
    pub(crate) fn release(&self, subject: &Subject) {
        if let Some(known) = self.index().known.get_mut(subject) {
            known.held = false;
        }
    }

    /// What is known of `subject`, learning it if need be. Blocks while the evaluators work.
    pub(crate) fn known(&self, subject: &Subject, now: Timestamp) -> Result<Known, TagsError> {
        if self.governed.manifest(now).tags.key.0 != self.tag_key {
            return Err(TagsError::OtherKey);
        }
        self.learn(vec![(subject.clone(), false, now)])?;
        Ok(self.index().known.get(subject).cloned().expect("a subject just learnt is known"))
    }

    /// The known subjects that `body` is about.
    pub(crate) fn matching(&self, body: &SignalBody, now: Timestamp) -> Vec<Match> {
        let key = ScopeKey { gateway: body.gateway, epoch: body.epoch };
        let scope = self.governed.context().scope(body.gateway, body.epoch);
        let mut index = self.index();
        let Index { known, scopes } = &mut *index;
        let tags = scopes.entry(key).or_insert_with(|| {
            known.iter().map(|(subject, known)| (known.secret.tag(scope), subject.clone())).collect()
        });
        let found = tags.get(&body.tag).filter(|subject| subject.kind() == body.subject);
        let recent = |known: &&Known| known.held || known.seen.0 + COUNTERPARTY_WINDOW >= now.0;
        found
            .and_then(|subject| Some((subject, known.get(subject).filter(recent)?)))
            .map(|(subject, known)| Match { subject: subject.clone(), held: known.held })
            .into_iter()
            .collect()
    }

    /// Forgets scopes that no signal counts in any more, and counterparties not seen within the window.
    pub(crate) fn forget(&self, before: Epoch, now: Timestamp) {
        let mut index = self.index();
        index.scopes.retain(|scope, _| scope.epoch >= before);
        let Index { known, scopes } = &mut *index;
        let count = known.len();
        known.retain(|_, known| known.held || known.seen.0 + COUNTERPARTY_WINDOW >= now.0);
        if known.len() < count {
            scopes.values_mut().for_each(|tags| tags.retain(|_, subject| known.contains_key(subject)));
        }
    }

    fn evaluate(&self, batch: &[(Subject, bool, Timestamp)]) -> Result<Vec<Subject>, TagsError> {
        let requests: Vec<TagRequest> = batch
            .iter()
            .map(|(subject, ..)| TagRequest::new(subject, &mut OsRng))
            .collect::<Result<_, _>>()?;
        let blinded: Vec<_> = requests.iter().map(TagRequest::blinded).collect();
        let answers = self.evaluator.evaluate(&blinded)?.0;
        if answers.len() != requests.len() {
            return Err(TagError::Malformed.into());
        }
        let mut learnt = Vec::with_capacity(batch.len());
        for ((request, answer), (subject, held, seen)) in requests.into_iter().zip(&answers).zip(batch) {
            let (secret, transcript) = request.finish(answer, &self.tag_key)?;
            self.insert(subject, Known { held: *held, seen: *seen, secret, transcript });
            learnt.push(subject.clone());
        }
        Ok(learnt)
    }

    fn insert(&self, subject: &Subject, known: Known) {
        let context = self.governed.context();
        let mut index = self.index();
        for (key, tags) in &mut index.scopes {
            tags.insert(known.secret.tag(context.scope(key.gateway, key.epoch)), subject.clone());
        }
        index.known.insert(subject.clone(), known);
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Every change leaves the index whole, so a panic elsewhere while it was locked does no harm.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An account as the subject of a signal. One whose form is not canonical at every bank is not matched.
pub(crate) fn subject(account: &Account) -> Option<Subject> {
    match account {
        Account::Iban(_) | Account::Other { .. } => Some(Subject::Account(account.clone())),
        Account::InvalidIban(_) => None,
    }
}
