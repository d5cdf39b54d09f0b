//! Under what a record is found again, and whose keys it is sealed under.

use hansa_screening::subjects::person;
use hansa_types::codec::Encode;
use hansa_types::decision::{Decision, ListVersion};
use hansa_types::hash::{Digest, Field, digest};
use hansa_types::id::Timestamp;
use hansa_types::payment::{Account, Payment, PaymentKey};
use hansa_types::record::{Record, RecordClass};
use hansa_types::subject::Subject;
use hansa_types::uetr::Uetr;

/// The finest stretch of time that is indexed, in seconds.
pub(crate) const MINUTE: u64 = 60;
/// The coarsest.
pub(crate) const DAY: u64 = 86_400;
/// Records that name no subject are sealed under one key for each class and so many seconds, and erased together.
const PERIOD: u64 = 30 * DAY;

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
    /// An organisation or person.
    Subject(Digest),
    /// A signal by its id.
    Signal(Digest),
    /// A signal's tag.
    Tag(Field),
    /// A signal's nullifier.
    Nullifier(Field),
    /// The minute that it came about in, counted from 1970.
    Minute(u64),
    /// The day.
    Day(u64),
    /// The class, of all but decisions.
    Class(RecordClass),
    /// The lists, the model and the rules that a decision was taken with.
    Basis(Digest),
    /// An exception by its id.
    Exception(Digest),
}

impl Term<'_> {
    /// The domain and the bytes that the keyed digest is made of.
    pub(crate) fn parts(&self) -> (&'static [u8], Vec<u8>) {
        match self {
            Self::Uetr(uetr) => (b"uetr\0", uetr.to_bytes()),
            Self::Payment(key) => (b"payment\0", key.to_bytes()),
            Self::Decision(id) => (b"decision\0", id.to_bytes()),
            Self::Account(account) => (b"account\0", account.to_bytes()),
            Self::Subject(subject) => (b"party\0", subject.to_bytes()),
            Self::Signal(id) => (b"signal\0", id.to_bytes()),
            Self::Tag(tag) => (b"tag\0", tag.to_bytes()),
            Self::Nullifier(nullifier) => (b"nullifier\0", nullifier.to_bytes()),
            Self::Minute(minute) => (b"minute\0", minute.to_bytes()),
            Self::Day(day) => (b"day\0", day.to_bytes()),
            Self::Class(class) => (b"class\0", class.to_bytes()),
            Self::Basis(basis) => (b"basis\0", basis.to_bytes()),
            Self::Exception(id) => (b"exception\0", id.to_bytes()),
        }
    }

    /// What a subject's records are found under.
    pub(crate) fn of_subject(subject: &Subject) -> Term<'_> {
        match subject {
            Subject::Account(account) => Term::Account(account),
            other => Term::Subject(other.digest()),
        }
    }
}

/// What names the lists, the model and the rules of a decision together.
pub(crate) fn basis(lists: &[ListVersion], model: &Digest, rules: &Digest) -> Digest {
    let lists = lists.to_vec();
    digest("hansa/decision-basis/v2", &[&lists.to_bytes(), &model.0, &rules.0])
}

/// The basis of a decision.
pub(crate) fn basis_of(decision: &Decision) -> Digest {
    basis(&decision.lists, &decision.model, &decision.rules)
}

/// The subjects that a payment names: accounts first, then organisations and persons.
fn of_payment(payment: &Payment) -> Vec<Subject> {
    let accounts = [&payment.debtor_account, &payment.creditor_account].into_iter().flatten();
    let parties = [&payment.debtor, &payment.creditor].into_iter().chain(
        [&payment.ultimate_debtor, &payment.ultimate_creditor, &payment.initiating_party]
            .into_iter()
            .flatten(),
    );
    let organisations = parties.clone().filter_map(|party| party.lei).map(Subject::Organisation);
    let persons = parties.filter_map(person);
    accounts.cloned().map(Subject::Account).chain(organisations).chain(persons).collect()
}

/// The subjects that a record names.
pub(crate) fn subjects_of(record: &Record) -> Vec<Subject> {
    match record {
        Record::Decision(record) => of_payment(&record.payment),
        Record::Case(case) => case.subject.iter().cloned().collect(),
        Record::CaseRead(read) => read.subject.iter().cloned().collect(),
        Record::Alert(alert) => vec![alert.subject.clone()],
        Record::Exception(record) => vec![record.exception.subject.clone()],
        _ => vec![],
    }
}

/// The digests whose keys a record is sealed under: its subjects', else that of its class and time. What shows that the
/// log was kept rightly is kept for ever.
pub(crate) fn sealed_under(record: &Record) -> Vec<Digest> {
    let class = record.class();
    match class {
        RecordClass::Governance
        | RecordClass::GovernanceMessage
        | RecordClass::Checkpoint
        | RecordClass::Erasure
        | RecordClass::Hold => vec![],
        _ => {
            let subjects: Vec<_> = subjects_of(record).iter().map(Subject::digest).collect();
            if subjects.is_empty() { vec![period(class, record.at())] } else { subjects }
        }
    }
}

fn period(class: RecordClass, at: Timestamp) -> Digest {
    digest("hansa/record-period/v1", &[&[class.number()], &(at.0 / PERIOD).to_be_bytes()])
}

/// Under what a record is to be found again.
pub(crate) fn terms_of(record: &Record) -> Vec<Term<'_>> {
    let at = record.at().0;
    let mut terms = about(record);
    terms.extend([Term::Minute(at / MINUTE), Term::Day(at / DAY)]);
    if record.class() != RecordClass::Decision {
        terms.push(Term::Class(record.class()));
    }
    terms
}

fn about(record: &Record) -> Vec<Term<'_>> {
    fn payment(key: &PaymentKey) -> Vec<Term<'_>> {
        let uetr = match key {
            PaymentKey::Uetr { uetr, .. } => Some(Term::Uetr(uetr)),
            PaymentKey::Reference { .. } => None,
        };
        uetr.into_iter().chain([Term::Payment(key)]).collect()
    }
    match record {
        Record::Decision(record) => {
            let accounts = [&record.payment.debtor_account, &record.payment.creditor_account];
            let accounts = accounts.into_iter().flatten().map(Term::Account);
            let parties = of_payment(&record.payment).into_iter();
            let parties = parties.filter(|subject| !matches!(subject, Subject::Account(_)));
            let parties = parties.map(|subject| Term::Subject(subject.digest()));
            let signals = record.decision.signals.iter().copied().map(Term::Signal);
            let fixed = [Term::Decision(record.decision.id()), Term::Basis(basis_of(&record.decision))];
            let key = payment(&record.decision.key);
            key.into_iter().chain(fixed).chain(accounts).chain(parties).chain(signals).collect()
        }
        Record::Refusal(refusal) => payment(&refusal.key),
        Record::Case(case) => {
            // As long as nobody acted on it, a case's record says what joined it, and is found with that payment alone;
            // what is done to it is found with all.
            let joined = if case.steps.len() > 1 { case.decisions.len() } else { 1 };
            let decisions = case.decisions.iter().rev().take(joined);
            let decisions = decisions.flat_map(|d| payment(&d.key).into_iter().chain([Term::Decision(d.id)]));
            let signals = case.signals.iter().copied().map(Term::Signal);
            decisions.chain(signals).chain(case.subject.as_ref().map(Term::of_subject)).collect()
        }
        Record::SignalIntent(intent) => vec![Term::Decision(intent.decision), Term::Tag(intent.body.tag)],
        Record::SignalSent(record) | Record::SignalReceived(record) => {
            let signal = &record.signal;
            vec![Term::Signal(signal.id()), Term::Tag(signal.body.tag), Term::Nullifier(signal.nullifier)]
        }
        Record::Retraction(record) => {
            vec![Term::Signal(record.signal), Term::Nullifier(record.retraction.nullifier)]
        }
        Record::Alert(alert) => vec![Term::Signal(alert.signal), Term::of_subject(&alert.subject)],
        Record::Exception(record) => {
            vec![Term::of_subject(&record.exception.subject), Term::Exception(record.exception.id())]
        }
        Record::CaseRead(read) => read.subject.iter().map(Term::of_subject).collect(),
        Record::FrameBlock(block) => vec![Term::Uetr(&block.uetr)],
        Record::Operation(_)
        | Record::Governance(_)
        | Record::GovernanceMessage(_)
        | Record::Checkpoint(_)
        | Record::Login(_)
        | Record::Configuration(_)
        | Record::Erasure(_)
        | Record::Hold(_) => vec![],
    }
}
