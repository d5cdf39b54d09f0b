//! Records: looked up by what they are about, held, exported, erased, and cleared away when their time is over.
//!
//! Erasure is by whole records, and refused while one of them is under retention or legal hold: a record about two
//! subjects goes with the first of them, and so stays as long as either has to be kept.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use hansa_consensus::{Command, DocumentWrite, Outcome};
use hansa_types::case::Case;
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::record::{ErasureRecord, HoldRecord, Record, RecordClass};
use hansa_types::subject::Subject;

use crate::book::{Book, alert_key};
use crate::journal::{Collection, JournalError};
use crate::node::Node;
use crate::terms::{DAY, MINUTE, Term, subjects_of};

/// The longest stretch of time that is looked through at once, in days.
pub(crate) const MAX_DAYS: u64 = 3_700;
/// The most entries of a page.
pub(crate) const MAX_PAGE: usize = 1_000;
/// How many leaves are looked at for one page: a filter that nearly nothing passes must not read the whole log.
const MAX_VISITED: usize = 20_000;
/// The most records of one subject.
const MAX_RECORDS: usize = 1_000_000;
/// The most reasons against an erasure that are listed.
const MAX_REASONS: usize = 20;
/// How many subjects one clean-up looks at.
const EXPIRY_BATCH: usize = 1_000;

/// Why records were not found or not erased.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordsError {
    /// A stretch of time that cannot be looked through.
    #[error("{0}")]
    Time(String),
    /// Nothing there.
    #[error("no record is held about this subject")]
    Nothing,
    /// The hold is as asked already.
    #[error("{0}")]
    Hold(String),
    /// It must not be erased.
    #[error("not erased: {}", .0.join("; "))]
    Kept(Vec<String>),
    /// Something about the subject happened meanwhile.
    #[error("not erased: something came in about the subject or a hold meanwhile; ask again")]
    Meanwhile,
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What is looked for, as terms and filters.
#[derive(Default)]
pub(crate) struct Search<'a> {
    /// All of these.
    pub(crate) terms: Vec<Term<'a>>,
    pub(crate) class: Option<RecordClass>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    /// The first index that counts.
    pub(crate) from: u64,
    pub(crate) limit: usize,
}

/// One leaf found; without a record if it was erased.
pub(crate) struct Found {
    pub(crate) index: u64,
    pub(crate) class: RecordClass,
    pub(crate) leaf: Digest,
    pub(crate) record: Option<Record>,
}

/// A page, and where the next one begins.
pub(crate) struct Page {
    pub(crate) found: Vec<Found>,
    pub(crate) next: Option<u64>,
}

/// Looks leaves up. The narrowest index gives candidates, which are then looked at one by one.
pub(crate) fn search(node: &Node, search: &Search<'_>) -> Result<Page, RecordsError> {
    let (mut found, mut from) = (Vec::new(), search.from);
    let mut visited = 0;
    loop {
        // A candidate may fail a filter, so there may be another round.
        let wanted = (search.limit - found.len()).clamp(1, MAX_PAGE);
        let candidates = candidates(node, search, from, wanted)?;
        let Some(last) = candidates.last().copied() else { return Ok(Page { found, next: None }) };
        for index in candidates {
            visited += 1;
            found.extend(look(node, search, index)?);
            if found.len() >= search.limit {
                return Ok(Page { found, next: Some(index) });
            }
        }
        if visited >= MAX_VISITED {
            return Ok(Page { found, next: Some(last) });
        }
        from = last + 1;
    }
}

/// Up to `wanted` indices from `from` on, ascending.
fn candidates(node: &Node, search: &Search<'_>, from: u64, wanted: usize) -> Result<Vec<u64>, RecordsError> {
    let consensus = node.journal.consensus();
    let class = search.class.filter(|class| *class != RecordClass::Decision).map(Term::Class);
    if let Some(first) = search.terms.first().or(class.as_ref()) {
        let mut indices = Vec::new();
        let take = |index| {
            indices.push(index);
            if indices.len() < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        consensus.visit_term(&node.journal.term(first), from, take).map_err(JournalError::from)?;
        return Ok(indices);
    }
    if search.since.is_none() && search.until.is_none() {
        let end = consensus.size().min(from.saturating_add(wanted as u64));
        return Ok((from..end).collect());
    }
    let mut best = BTreeSet::new();
    for bucket in buckets(search.since, search.until.unwrap_or(node.now()))? {
        // Later buckets hold later leaves but for a few seconds: most of them are one seek that finds nothing smaller.
        let take = |index| {
            if best.len() >= wanted && best.last().is_some_and(|last| index >= *last) {
                return ControlFlow::Break(());
            }
            best.insert(index);
            if best.len() > wanted {
                best.pop_last();
            }
            ControlFlow::Continue(())
        };
        consensus.visit_term(&node.journal.term(&bucket), from, take).map_err(JournalError::from)?;
    }
    Ok(best.into_iter().collect())
}

/// The indexed stretches that cover a time: whole days, and the minutes at both ends.
fn buckets(since: Option<Timestamp>, until: Timestamp) -> Result<Vec<Term<'static>>, RecordsError> {
    let until = until.0;
    let since = since.map_or(until.saturating_sub(MAX_DAYS * DAY), |since| since.0);
    if since > until {
        return Err(RecordsError::Time("the time ends before it begins".into()));
    }
    if until - since > MAX_DAYS * DAY {
        return Err(RecordsError::Time(format!("more than {MAX_DAYS} days: name a later beginning")));
    }
    let (first, last) = (since / MINUTE, until / MINUTE);
    let (day_minutes, mut minute) = (DAY / MINUTE, first);
    let mut terms = Vec::new();
    while minute <= last {
        if minute.is_multiple_of(day_minutes) && minute + day_minutes - 1 <= last {
            terms.push(Term::Day(minute / day_minutes));
            minute += day_minutes;
        } else {
            terms.push(Term::Minute(minute));
            minute += 1;
        }
    }
    Ok(terms)
}

/// The leaf at `index`, if every filter lets it pass. Of an erased one the time is unknown: it passes where nothing but
/// the index says when it was.
fn look(node: &Node, search: &Search<'_>, index: u64) -> Result<Option<Found>, RecordsError> {
    let consensus = node.journal.consensus();
    for term in search.terms.iter().skip(1) {
        if !consensus.has_term(&node.journal.term(term), index).map_err(JournalError::from)? {
            return Ok(None);
        }
    }
    let Some(envelope) = consensus.leaf(index).map_err(JournalError::from)? else { return Ok(None) };
    let class = envelope.class();
    if search.class.is_some_and(|wanted| wanted != class) {
        return Ok(None);
    }
    let record = match node.journal.read(index) {
        Ok(read) => read.map(|(_, record)| record),
        Err(JournalError::Erased(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let outside = record.as_ref().map(Record::at).is_some_and(|at| {
        search.since.is_some_and(|since| at < since) || search.until.is_some_and(|until| at > until)
    });
    let leaf = Digest(hansa_audit_log::merkle::leaf_hash(envelope.as_bytes()));
    Ok((!outside).then_some(Found { index, class, leaf, record }))
}

/// Every leaf that is sealed under a subject's key.
fn records_of(node: &Node, id: &[u8; 32]) -> Result<Vec<u64>, JournalError> {
    let mut indices = Vec::new();
    node.journal.consensus().visit_term(id, 0, |index| {
        indices.push(index);
        if indices.len() < MAX_RECORDS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(indices)
}

/// What is held about a subject.
pub(crate) struct Held {
    pub(crate) id: Digest,
    pub(crate) hold: Option<u64>,
    pub(crate) kept_until: Option<Timestamp>,
    pub(crate) found: Vec<Found>,
}

/// Everything that is held about a subject, opened.
pub(crate) fn export(node: &Node, subject: &Subject) -> Result<Held, RecordsError> {
    let id = node.journal.subject_id(&subject.digest());
    let mut found = Vec::new();
    for index in records_of(node, &id)? {
        found.extend(look(node, &Search::default(), index)?);
    }
    let hold = node.journal.consensus().hold(&id).map_err(JournalError::from)?;
    let kept_until = found
        .iter()
        .filter_map(|found| found.record.as_ref())
        .map(|record| node.retention.until(record))
        .max();
    Ok(Held { id: Digest(id), hold, kept_until, found })
}

/// Places a legal hold, or lifts it.
pub(crate) async fn hold(
    node: &Node,
    subject: &Subject,
    held: bool,
    reason: String,
    actor: Actor,
) -> Result<(Digest, u64), RecordsError> {
    let id = node.journal.subject_id(&subject.digest());
    let record = HoldRecord { subject: Digest(id), held, reason, actor, at: node.now() };
    let leaf = node.journal.leaf(&Record::Hold(record))?;
    match node.journal.propose(Command::Hold { leaf, subject: id, held }).await? {
        Outcome::Appended { index } => Ok((Digest(id), index)),
        Outcome::Existing { index } => {
            Err(RecordsError::Hold(format!("the subject is under the legal hold of entry {index} already")))
        }
        Outcome::Unknown => Err(RecordsError::Hold("the subject is under no legal hold".into())),
        other => Err(RecordsError::Hold(format!("consensus answered {other:?}"))),
    }
}

/// What an erasure did.
pub(crate) struct Erased {
    pub(crate) id: Digest,
    pub(crate) records: u64,
    pub(crate) index: u64,
}

/// Erases a subject's records, or says all that forbids it.
pub(crate) async fn erase(
    node: &Node,
    subject: &Subject,
    reason: String,
    actor: Actor,
) -> Result<Erased, RecordsError> {
    let id = node.journal.subject_id(&subject.digest());
    let terms = [Term::of_subject(subject), Term::Subject(subject.digest())];
    let forget: BTreeSet<_> = terms.iter().map(|term| node.journal.term(term)).collect();
    let _turn = node.turn().await?;
    let documents = documents_about(node, subject);
    let erased = erase_id(node, id, forget.into_iter().collect(), documents, reason, actor).await?;
    let mut book = node.book_mut();
    let about: Vec<u64> = cases_about(&book, subject).map(|case| case.number).collect();
    about.into_iter().for_each(|number| book.cases.remove(number));
    let gone: Vec<_> = book.alerts.values().filter(|alert| alert.subject == *subject).cloned().collect();
    for alert in gone {
        let key = alert_key(&alert);
        book.set_alert(hansa_types::case::Alert { state: hansa_types::case::AlertState::Expired, ..alert });
        book.alerts.remove(&key);
    }
    Ok(erased)
}

/// The current values about a subject, to be removed.
fn documents_about(node: &Node, subject: &Subject) -> Vec<DocumentWrite> {
    let book = node.book();
    let remove = |collection: Collection, key: Vec<u8>| DocumentWrite {
        collection: collection as u8,
        key,
        value: None,
    };
    let cases =
        cases_about(&book, subject).map(|case| remove(Collection::Cases, case.number.to_be_bytes().to_vec()));
    let alerts = book.alerts.values().filter(|alert| alert.subject == *subject).map(|alert| {
        let (signal, digest) = alert_key(alert);
        remove(Collection::Alerts, [signal.0, node.journal.subject_key(&digest)].concat())
    });
    cases.chain(alerts).take(hansa_consensus::command::MAX_DOCUMENTS).collect()
}

fn cases_about<'a>(book: &'a Book, subject: &'a Subject) -> impl Iterator<Item = &'a Case> {
    book.cases.all().filter(move |case| case.subject.as_ref() == Some(subject))
}

async fn erase_id(
    node: &Node,
    id: [u8; 32],
    forget: Vec<[u8; 32]>,
    documents: Vec<DocumentWrite>,
    reason: String,
    actor: Actor,
) -> Result<Erased, RecordsError> {
    // Whatever comes after this size makes consensus refuse.
    let seen = node.journal.consensus().size();
    let records = records_of(node, &id)?;
    if node.journal.consensus().subject_key(&id).map_err(JournalError::from)?.is_none() {
        return Err(RecordsError::Nothing);
    }
    let reasons = kept(node, &id, &records)?;
    if !reasons.is_empty() {
        return Err(RecordsError::Kept(reasons));
    }
    let count = records.len() as u64;
    let record = ErasureRecord { subject: Digest(id), records: count, reason, actor, at: node.now() };
    let mut leaf = node.journal.leaf(&Record::Erasure(record))?;
    leaf.documents = documents;
    match node.journal.propose(Command::Erase { leaf, subject: id, seen, forget }).await? {
        Outcome::Appended { index } => {
            node.journal.vault().forget();
            Ok(Erased { id: Digest(id), records: count, index })
        }
        Outcome::Unknown => Err(RecordsError::Nothing),
        Outcome::Stale { .. } | Outcome::Conflict { .. } => Err(RecordsError::Meanwhile),
        other => Err(RecordsError::Hold(format!("consensus answered {other:?}"))),
    }
}

/// Everything that forbids erasing these records: terms that run, and holds on anybody they name.
fn kept(node: &Node, id: &[u8; 32], records: &[u64]) -> Result<Vec<String>, JournalError> {
    let (consensus, now) = (node.journal.consensus(), node.now());
    let mut reasons = Vec::new();
    if let Some(hold) = consensus.hold(id)? {
        reasons.push(format!("the subject is under the legal hold of entry {hold}"));
    }
    // Newest first: what runs longest is said first, and a clean-up stops at the first.
    for index in records.iter().rev() {
        if reasons.len() >= MAX_REASONS {
            reasons.push("and more".to_owned());
            break;
        }
        let record = match node.journal.read(*index) {
            Ok(Some((_, record))) => record,
            Ok(None) | Err(JournalError::Erased(_)) => continue,
            Err(error) => return Err(error),
        };
        let until = node.retention.until(&record);
        if until > now {
            reasons.push(format!("entry {index} ({}) is kept until {} (Unix time)", record.class(), until.0));
        }
        for other in subjects_of(&record).iter().map(|subject| node.journal.subject_id(&subject.digest())) {
            if other != *id
                && let Some(hold) = consensus.hold(&other)?
            {
                reasons.push(format!("entry {index} names a subject under the legal hold of entry {hold}"));
            }
        }
    }
    Ok(reasons)
}

/// What a clean-up found and did.
#[derive(Default)]
pub(crate) struct Expired {
    pub(crate) expired: Vec<Digest>,
    pub(crate) erased: u64,
    pub(crate) next: Option<Digest>,
}

/// Finds the subjects all of whose records are past retention, and erases them if asked to.
pub(crate) async fn expire(
    node: &Node,
    erase: bool,
    after: Option<Digest>,
    actor: &Actor,
) -> Result<Expired, RecordsError> {
    let from = after.map_or([0; 32], |after| following(after.0));
    let ids = node.journal.consensus().subjects(&from, EXPIRY_BATCH).map_err(JournalError::from)?;
    let mut result = Expired {
        next: (ids.len() == EXPIRY_BATCH).then(|| Digest(ids[EXPIRY_BATCH - 1])),
        ..Expired::default()
    };
    for id in ids {
        let records = records_of(node, &id)?;
        if !kept(node, &id, &records)?.is_empty() {
            continue;
        }
        result.expired.push(Digest(id));
        if !erase {
            continue;
        }
        // Under a keyed digest alone, the terms of the subject itself are not known: they point at erased leaves.
        let _turn = node.turn().await?;
        match erase_id(node, id, vec![], vec![], "end of retention".into(), actor.clone()).await {
            Ok(_) => result.erased += 1,
            Err(RecordsError::Meanwhile | RecordsError::Kept(_) | RecordsError::Nothing) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(result)
}

/// The digest after this one.
fn following(mut id: [u8; 32]) -> [u8; 32] {
    for byte in id.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_covered_once_by_few_stretches() {
        let (since, until) = (3 * DAY - 90, 7 * DAY + 30);
        let terms = buckets(Some(Timestamp(since)), Timestamp(until)).unwrap();
        let mut covered = Vec::new();
        for term in &terms {
            match term {
                Term::Day(day) => covered.extend(day * DAY / MINUTE..(day + 1) * DAY / MINUTE),
                Term::Minute(minute) => covered.push(*minute),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(covered, (since / MINUTE..=until / MINUTE).collect::<Vec<_>>());
        assert_eq!(terms.len(), 2 + 4 + 1);
        assert!(buckets(Some(Timestamp(2)), Timestamp(1)).is_err());
        assert!(buckets(Some(Timestamp(0)), Timestamp(MAX_DAYS * DAY + 1)).is_err());
    }

    #[test]
    fn digests_are_walked_in_order() {
        assert_eq!(following([0; 32])[31], 1);
        let mut carry = [0; 32];
        carry[31] = 0xff;
        assert_eq!(following(carry)[30..], [1, 0]);
    }
}
