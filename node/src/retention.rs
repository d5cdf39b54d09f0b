//! How long records are kept, by class, as dated data that the bank's configuration overrides.

use std::collections::BTreeMap;

use hansa_types::decision::{Decision, Reason};
use hansa_types::id::Timestamp;
use hansa_types::record::{Record, RecordClass};
use serde::Deserialize;

/// The terms that a node starts with.
const DEFAULT: &str = include_str!("../data/retention-2026-11.toml");
/// The name of the term of decisions that a watch list led to.
const LISTED: &str = "listed-decision";
/// The longest term.
const MAX_YEARS: u32 = 100;
/// A year, in seconds: the longest there is, so that no leap day shortens a term.
const YEAR: u64 = 366 * 86_400;

/// Terms that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// No such class.
    #[error("records.retention: {0:?} is no class of records that a term can be set for")]
    Class(String),
    /// Not a sensible term.
    #[error("records.retention: {class} is {years} years; 1 to {MAX_YEARS} are wanted")]
    Years {
        /// Of what.
        class: String,
        /// What was set.
        years: u32,
    },
    /// Shorter than what a watch list's hit needs.
    #[error("records.retention: {LISTED} must not be shorter than decision")]
    Listed,
}

/// The terms in years, by class and for decisions that a list led to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Retention(BTreeMap<String, u32>);

impl Retention {
    /// The default terms with those of the configuration in their place.
    ///
    /// Only a development consortium may keep something for no time at all.
    pub(crate) fn with(overrides: &BTreeMap<String, u32>, development: bool) -> Result<Self, RetentionError> {
        let Self(mut terms) = toml::from_str(DEFAULT).expect("the packaged terms are read by a test");
        for (class, &years) in overrides {
            if !terms.contains_key(class) {
                return Err(RetentionError::Class(class.clone()));
            }
            if years > MAX_YEARS || (years == 0 && !development) {
                return Err(RetentionError::Years { class: class.clone(), years });
            }
            terms.insert(class.clone(), years);
        }
        if terms.get(LISTED) < terms.get(RecordClass::Decision.name()) {
            return Err(RetentionError::Listed);
        }
        Ok(Self(terms))
    }

    /// Until when a record is kept; for ever if no term is set for its class.
    pub(crate) fn until(&self, record: &Record) -> Timestamp {
        let term = match record {
            Record::Decision(record) if is_listed(&record.decision) => LISTED,
            record => record.class().name(),
        };
        self.after(term, record.at())
    }

    /// Until when a decision of this moment is kept at the longest, whatever led to it.
    pub(crate) fn longest_decision(&self, at: Timestamp) -> Timestamp {
        self.after(LISTED, at)
    }

    fn after(&self, term: &str, at: Timestamp) -> Timestamp {
        let years = self.0.get(term).map(|years| u64::from(*years) * YEAR);
        Timestamp(years.map_or(u64::MAX, |term| at.0.saturating_add(term)))
    }
}

fn is_listed(decision: &Decision) -> bool {
    let listed = |reason: &Reason| matches!(reason, Reason::ListedName | Reason::ListedIdentifier);
    decision.reasons.iter().any(listed)
        || decision.findings.iter().filter_map(|finding| finding.reason.as_ref()).any(listed)
}

#[cfg(test)]
mod tests {
    use hansa_types::record::Operation;

    use super::*;

    fn operation(at: u64) -> Record {
        Record::Operation(Operation { what: "start".into(), detail: String::new(), at: Timestamp(at) })
    }

    #[test]
    fn terms_are_set_for_every_class_that_is_not_kept_for_ever() {
        let retention = Retention::with(&BTreeMap::new(), false).unwrap();
        let kept = RecordClass::ALL.iter().filter(|class| !retention.0.contains_key(class.name()));
        let kept: Vec<_> = kept.map(|class| class.name()).collect();
        assert_eq!(kept, ["governance", "checkpoint", "erasure", "hold", "governance-message"]);
        assert_eq!(retention.until(&operation(5)), Timestamp(5 + 3 * YEAR));
    }

    #[test]
    fn the_configuration_overrides_single_terms_within_bounds() {
        let set = |class: &str, years| Retention::with(&BTreeMap::from([(class.to_owned(), years)]), false);
        assert_eq!(set("operation", 1).unwrap().until(&operation(5)), Timestamp(5 + YEAR));
        assert_eq!(set("hold", 1), Err(RetentionError::Class("hold".into())));
        assert!(matches!(set("login", 0), Err(RetentionError::Years { .. })));
        assert!(matches!(set("login", 101), Err(RetentionError::Years { .. })));
        assert_eq!(set("listed-decision", 4), Err(RetentionError::Listed));
    }
}
