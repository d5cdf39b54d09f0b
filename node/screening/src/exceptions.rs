//! The exceptions in force: who resembles a listed name and was found to be somebody else.
//!
//! An exception takes a name's hit out of a decision, and the decision says so. It never covers an exact identifier.

use std::collections::BTreeMap;

use hansa_types::exception::Exception;
use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;
use hansa_types::payment::{Account, Party, PartyRole, Payment};
use hansa_types::subject::Subject;

use crate::subjects::person;

/// Exceptions by the entry that they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exceptions {
    by_entry: BTreeMap<(String, String), BTreeMap<Digest, Exception>>,
}

/// A listed entry as it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) list: &'a str,
    pub(crate) id: &'a str,
    pub(crate) content: Digest,
}

impl Exceptions {
    /// No exception.
    pub const NONE: Self = Self { by_entry: BTreeMap::new() };

    /// These exceptions.
    pub fn new(exceptions: impl IntoIterator<Item = Exception>) -> Self {
        let mut all = Self::default();
        exceptions.into_iter().for_each(|exception| all.insert(exception));
        all
    }

    /// Takes one in.
    pub fn insert(&mut self, exception: Exception) {
        let entry = (exception.list.clone(), exception.entry.clone());
        self.by_entry.entry(entry).or_default().insert(exception.id(), exception);
    }

    /// Takes one out that was withdrawn.
    pub fn remove(&mut self, id: &Digest) {
        self.by_entry.retain(|_, exceptions| {
            exceptions.remove(id);
            !exceptions.is_empty()
        });
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_entry.is_empty()
    }

    /// Every one, whether or not it still holds.
    pub fn iter(&self) -> impl Iterator<Item = &Exception> {
        self.by_entry.values().flat_map(BTreeMap::values)
    }

    /// The exception that covers one of `subjects` against `entry`, if one holds.
    pub(crate) fn covering(
        &self,
        entry: Entry<'_>,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Option<&Exception> {
        let exceptions = self.by_entry.get(&(entry.list.to_owned(), entry.id.to_owned()))?;
        exceptions.values().find(|exception| {
            exception.content == entry.content
                && exception.holds(now)
                && subjects.contains(&exception.subject)
        })
    }
}

/// Whom an exception may be about in this role: the account, the organisation, the person. A role that several parties
/// of one payment have is nobody's in particular.
pub(crate) fn subjects(payment: &Payment, role: PartyRole) -> Vec<Subject> {
    let parties: Vec<&Party> =
        payment.parties().filter(|(found, _)| *found == role).map(|(_, party)| party).collect();
    let accounts: Vec<&Account> =
        payment.accounts().filter(|(found, _)| *found == role).map(|(_, account)| account).collect();
    let ([party], [] | [_]) = (&parties[..], &accounts[..]) else { return Vec::new() };
    let account = accounts.first().map(|account| Subject::Account((*account).clone()));
    account.into_iter().chain(party.lei.map(Subject::Organisation)).chain(person(party)).collect()
}
