//! What no kept decision is based on any more goes.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::PoisonError;

use hansa_types::hash::Digest;
use hansa_types::id::Timestamp;

use super::{Archive, BASES, LISTS, MODELS, RULES, list_name};
use crate::files::{FileError, remove};
use crate::journal::{Journal, JournalError};
use crate::retention::Retention;
use crate::terms::Term;

/// How many erased decisions are stepped over in search of the last one of a basis that can be read.
const MAX_ERASED: usize = 1_000;

impl Archive {
    /// Removes what no decision is based on that is still kept. Returns how many files went.
    pub(crate) fn prune(
        &self,
        journal: &Journal,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        let failed = |error: FileError| JournalError::Archive(error.to_string());
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (name, basis) in self.bases().map_err(failed)? {
            let last = last_cited(journal, &name)?;
            let cited = last.is_some_and(|at| retention.longest_decision(at) > now);
            if cited || current.contains(&name) { kept.push(basis) } else { gone.push((name, basis)) }
        }
        let in_use = self.all_in_use().map_err(failed)?;
        let lists = kept.iter().flat_map(|basis| &basis.lists).chain(&in_use);
        let lists: BTreeSet<String> = lists.map(list_name).collect();
        let models: BTreeSet<Digest> = kept.iter().map(|basis| basis.model).collect();
        let rules: BTreeSet<Digest> = kept.iter().map(|basis| basis.rules).collect();
        let mut files = BTreeSet::new();
        for (name, basis) in gone {
            files.insert(self.dir.join(BASES).join(name.to_string()));
            let unused = basis.lists.iter().map(list_name).filter(|list| !lists.contains(list));
            files.extend(unused.map(|list| self.dir.join(LISTS).join(list)));
            if !models.contains(&basis.model) {
                files.insert(self.dir.join(MODELS).join(basis.model.to_string()));
            }
            if !rules.contains(&basis.rules) {
                files.insert(self.dir.join(RULES).join(basis.rules.to_string()));
            }
        }
        for path in &files {
            remove(path).map_err(failed)?;
        }
        Ok(files.len() as u64)
    }
}

/// When the last decision on a basis was taken that can be read: the future, if none of the last ones can be.
fn last_cited(journal: &Journal, basis: &Digest) -> Result<Option<Timestamp>, JournalError> {
    let term = journal.term(&Term::Basis(*basis));
    let mut before = journal.consensus().size();
    for _ in 0..MAX_ERASED {
        let Some(index) = last_under(journal, &term, before)? else { return Ok(None) };
        match journal.read(index) {
            Ok(Some((_, record))) => return Ok(Some(record.at())),
            Ok(None) | Err(JournalError::Erased(_)) => before = index,
            Err(error) => return Err(error),
        }
    }
    Ok(Some(Timestamp(u64::MAX)))
}

/// The last leaf under a term below `before`: a search by halves, one seek each.
fn last_under(journal: &Journal, term: &[u8; 32], before: u64) -> Result<Option<u64>, JournalError> {
    let first_from = |from: u64| {
        let mut found = None;
        journal.consensus().visit_term(term, from, |index| {
            found = Some(index).filter(|index| *index < before);
            ControlFlow::Break(())
        })?;
        Ok::<_, JournalError>(found)
    };
    let Some(mut last) = first_from(0)? else { return Ok(None) };
    let (mut low, mut high) = (last + 1, before);
    while low < high {
        let middle = low + (high - low) / 2;
        match first_from(middle)? {
            Some(index) => {
                last = index;
                low = index + 1;
            }
            None => high = middle,
        }
    }
    Ok(Some(last))
}
