//! Exceptions: granted to whoever resembles a listed name and is somebody else, until they expire or are withdrawn.

use hansa_consensus::Command;
use hansa_screening::watchlist::Entry;
use hansa_types::decision::Reason;
use hansa_types::exception::Exception;
use hansa_types::hash::Digest;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::record::{ExceptionRecord, Withdrawal};
use hansa_types::subject::Subject;

use super::rescreen;
use crate::journal::JournalError;
use crate::node::Node;

/// The longest that an exception holds: a year, in days. Then somebody looks again.
pub(crate) const MAX_DAYS: u32 = 366;
/// The longest reason, in bytes.
pub(crate) const MAX_REASON: usize = 2_000;
const DAY: u64 = 86_400;

/// Why an exception is not granted or withdrawn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExceptionError {
    /// No such entry.
    #[error("list {0} has no entry {1}: see `hansa lists show`")]
    NoEntry(String, String),
    /// No reason, or a book.
    #[error("say why, in at most {MAX_REASON} bytes: who was compared with whom, and what tells them apart")]
    Reason,
    /// Too long, or nothing.
    #[error("an exception holds for 1 to {MAX_DAYS} days, and {0} are asked for")]
    Days(u32),
    /// It stands already.
    #[error("exception {0} says so already, until {1}: withdraw it first")]
    Granted(Digest, Timestamp),
    /// No such exception.
    #[error("there is no exception {0}")]
    Unknown(Digest),
    /// The log.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// That `subject` is not the entry `entry` of `list`.
pub(crate) struct Grant {
    pub(crate) subject: Subject,
    pub(crate) list: String,
    pub(crate) entry: String,
    pub(crate) reason: String,
    pub(crate) days: u32,
    pub(crate) actor: Actor,
}

/// Grants an exception against an entry as it stands in the list in use.
pub(crate) async fn grant(node: &Node, grant: Grant) -> Result<Exception, ExceptionError> {
    let Grant { subject, list, entry, reason, days, actor } = grant;
    check_reason(&reason)?;
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(ExceptionError::Days(days));
    }
    let content = find(node, &list, &entry, Entry::digest)?;
    let since = node.now();
    let expires = Timestamp(since.0 + u64::from(days) * DAY);
    let exception = Exception { subject, list, entry, content, actor, reason, since, expires };
    let granted = node.change(|book| {
        let same = book.exceptions.iter().find(|other| {
            other.subject == exception.subject
                && other.list == exception.list
                && other.entry == exception.entry
                && other.content == exception.content
                && other.holds(since)
        });
        if let Some(same) = same {
            return Err(ExceptionError::Granted(same.id(), same.expires));
        }
        let record = ExceptionRecord { exception: exception.clone(), withdrawn: None };
        Ok((Command::Append { leaf: node.journal.exception_leaf(&record)?, follow_up: vec![] }, ()))
    });
    granted.await?;
    Ok(exception)
}

/// Ends an exception before it expires.
pub(crate) async fn withdraw(
    node: &Node,
    id: Digest,
    reason: String,
    actor: Actor,
) -> Result<Exception, ExceptionError> {
    check_reason(&reason)?;
    let at = node.now();
    let withdrawn = node.change(|book| {
        let found = book.exceptions.iter().find(|exception| exception.id() == id);
        let exception = found.ok_or(ExceptionError::Unknown(id))?.clone();
        let withdrawal = Withdrawal { actor: actor.clone(), reason: reason.clone(), at };
        let record = ExceptionRecord { exception: exception.clone(), withdrawn: Some(withdrawal) };
        let leaf = node.journal.exception_leaf(&record)?;
        // Whoever was let pass under it is looked at again: screening anew told of these hits before.
        let Exception { subject, list, entry, .. } = &exception;
        let note = format!("the exception against {list} {entry} was withdrawn: {reason}");
        let grounds = rescreen::listed_grounds(subject, None, Reason::ListedName, list);
        let case = rescreen::noted(book, subject, grounds, "exceptions", at, &note);
        let follow_up = vec![node.journal.case_leaf(&case)?];
        Ok::<_, ExceptionError>((Command::Append { leaf, follow_up }, exception))
    });
    Ok(withdrawn.await?.1)
}

fn check_reason(reason: &str) -> Result<(), ExceptionError> {
    if reason.trim().is_empty() || reason.len() > MAX_REASON { Err(ExceptionError::Reason) } else { Ok(()) }
}

/// Something of an entry of a list in use.
pub(crate) fn find<T>(
    node: &Node,
    list: &str,
    entry: &str,
    of: impl FnOnce(&Entry) -> T,
) -> Result<T, ExceptionError> {
    let screener = node.screening.current();
    let found = screener.lists().iter().find(|other| other.name == list).and_then(|list| {
        let at = list.entries.binary_search_by(|other| other.id.as_str().cmp(entry)).ok()?;
        list.entries.get(at)
    });
    found.map(of).ok_or_else(|| ExceptionError::NoEntry(list.to_owned(), entry.to_owned()))
}
