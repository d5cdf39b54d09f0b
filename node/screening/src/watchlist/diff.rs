//! What distinguishes two versions of a list.

use std::cmp::Ordering;

use super::{Entry, Watchlist};

/// The entries that two versions do not have in common, each ascending by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff<'a> {
    /// Only in the version after.
    pub added: Vec<&'a Entry>,
    /// Only in the version before.
    pub removed: Vec<&'a Entry>,
    /// In both, with other content: as it is after.
    pub changed: Vec<&'a Entry>,
}

/// Compares two versions by the ids of their entries.
pub fn diff<'a>(before: &'a Watchlist, after: &'a Watchlist) -> Diff<'a> {
    let mut diff = Diff::default();
    let (mut old, mut new) = (before.entries.iter().peekable(), after.entries.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(a), Some(b)) => a.id.cmp(&b.id),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return diff,
        };
        match order {
            Ordering::Less => diff.removed.extend(old.next()),
            Ordering::Greater => diff.added.extend(new.next()),
            Ordering::Equal => {
                let (a, b) = (old.next(), new.next());
                diff.changed.extend(b.filter(|_| a != b));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EntryKind, ListedName, Measure, Strength};
    use super::*;

    fn list(entries: &[(&str, &str)]) -> Watchlist {
        let entry = |(id, name): &(&str, &str)| Entry {
            id: (*id).to_owned(),
            kind: EntryKind::Person,
            programmes: vec![],
            names: vec![ListedName { text: (*name).to_owned(), strength: Strength::Primary }],
            births: vec![],
            countries: vec![],
            identifiers: vec![],
        };
        let date = "2026-11-20".try_into().unwrap();
        Watchlist::new("test", date, Measure::Review, entries.iter().map(entry).collect()).unwrap()
    }

    #[test]
    fn what_came_what_went_and_what_changed() {
        let before = list(&[("1", "A"), ("2", "B"), ("4", "D")]);
        let after = list(&[("2", "B"), ("3", "C"), ("4", "E"), ("5", "F")]);
        let ids = |entries: &[&Entry]| entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>();
        let found = diff(&before, &after);
        assert_eq!(
            (ids(&found.added), ids(&found.removed)),
            (vec!["3".into(), "5".into()], vec!["1".into()])
        );
        assert_eq!(ids(&found.changed), ["4"]);
        assert_eq!(diff(&before, &before), Diff::default());
    }
}
