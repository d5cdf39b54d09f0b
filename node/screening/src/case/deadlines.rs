//! Deadlines: what has to be done about a case until when, from dated data that the bank's configuration overrides.

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::case::{Case, Deadline, Duty, MAX_DEADLINES};
use hansa_types::codec_enum;
use hansa_types::decision::{Decision, Disposition, Reason};
use hansa_types::id::Timestamp;
use serde::Deserialize;

use super::calendar::{Calendar, MAX_BUSINESS_DAYS};
use super::policy::PolicyError;
use crate::config::Scheme;

const DATA: &str = include_str!("../../data/deadlines-2026-11.toml");
const SECONDS_AN_HOUR: u64 = 3_600;
/// The most hours of a deadline: a year.
pub(super) const MAX_HOURS: u32 = 8_784;

/// The longest name of a rule.
pub(super) const MAX_RULE_NAME: usize = 64;

/// What a rule applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// Money was blocked.
    Freeze,
    /// An instruction was refused.
    Reject,
    /// Money was sent back.
    Return,
    /// A payment waits for a person.
    Hold,
    /// An officer confirmed that a name is the listed one's.
    Confirm,
}
codec_enum!(Trigger {
    Freeze = 1, "freeze", Reject = 2, "reject", Return = 3, "return", Hold = 4, "hold", Confirm = 5, "confirm",
});

/// A rule that sets deadlines.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What cases call it.
    pub name: String,
    /// What it applies to.
    pub on: BTreeSet<Trigger>,
    /// Only hits on lists of this regime.
    pub regime: Option<String>,
    /// Only payments of this scheme.
    pub scheme: Option<Scheme>,
    /// What has to be done.
    pub duty: Duty,
    /// Within so many business days.
    pub business_days: Option<u16>,
    /// Of this calendar.
    pub calendar: Option<String>,
    /// Or within so many hours.
    pub hours: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    date: String,
    pub(super) calendars: BTreeMap<String, Calendar>,
    rules: Vec<Rule>,
}

pub(super) fn packaged() -> Data {
    toml::from_str(DATA).expect("the packaged deadlines are read by a test")
}

/// The rules in force at this bank, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlines {
    date: String,
    calendars: BTreeMap<String, Calendar>,
    rules: Vec<Rule>,
    regimes: BTreeMap<String, String>,
}

impl Deadlines {
    /// The packaged rules with the bank's own in the place of those of the same name, and the regimes of its lists.
    pub(super) fn new(own: &[Rule], regimes: &BTreeMap<String, String>) -> Result<Self, PolicyError> {
        let Data { date, calendars, mut rules } = packaged();
        for rule in own {
            match rules.iter_mut().find(|known| known.name == rule.name) {
                Some(known) => known.clone_from(rule),
                None => rules.push(rule.clone()),
            }
        }
        if rules.len() > MAX_DEADLINES {
            return Err(PolicyError::TooManyRules(rules.len()));
        }
        let deadlines = Self { date, calendars, rules, regimes: regimes.clone() };
        deadlines.rules.iter().try_for_each(|rule| deadlines.check(rule))?;
        Ok(deadlines)
    }

    fn check(&self, rule: &Rule) -> Result<(), PolicyError> {
        let wrong = |why: String| Err(PolicyError::Rule { name: rule.name.clone(), why });
        if rule.name.is_empty() || rule.name.len() > MAX_RULE_NAME {
            return wrong(format!("use a name of 1 to {MAX_RULE_NAME} bytes"));
        }
        if rule.on.is_empty() {
            let known: Vec<&str> = Trigger::ALL.iter().map(|trigger| trigger.name()).collect();
            return wrong(format!("on = [] applies to nothing: use some of {}", known.join(", ")));
        }
        if rule.on.contains(&Trigger::Confirm) && rule.scheme.is_some() {
            return wrong("a confirmation is of no scheme: leave scheme out, or confirm".to_owned());
        }
        match (rule.business_days, &rule.calendar, rule.hours) {
            (Some(days), Some(calendar), None) if (1..=MAX_BUSINESS_DAYS).contains(&days) => {
                let known = self.calendars.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                match self.calendars.contains_key(calendar) {
                    true => Ok(()),
                    false => wrong(format!("there is no calendar {calendar:?}: use one of {known}")),
                }
            }
            (None, None, Some(hours)) if (1..=MAX_HOURS).contains(&hours) => Ok(()),
            _ => wrong(format!(
                "give business_days (1 to {MAX_BUSINESS_DAYS}) and calendar, or hours (1 to {MAX_HOURS})"
            )),
        }
    }

    /// When the packaged rules were compiled.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The regime of a list: what the bank's configuration says, else what its name begins with, up to a hyphen.
    pub fn regime<'a>(&'a self, list: &'a str) -> &'a str {
        let configured = self.regimes.get(list).map(String::as_str);
        configured.unwrap_or_else(|| list.split_once('-').map_or(list, |(regime, _)| regime))
    }

    /// What a decision on a payment of `scheme` sets.
    pub(super) fn of_decision(&self, decision: &Decision, scheme: Scheme) -> Vec<Deadline> {
        let trigger = match decision.disposition {
            Some(Disposition::Freeze) => Trigger::Freeze,
            Some(Disposition::Reject) => Trigger::Reject,
            Some(Disposition::Return) => Trigger::Return,
            Some(Disposition::Hold) => Trigger::Hold,
            None => return vec![],
        };
        // A name is not yet a hit: only what is listed beyond doubt sets the list's deadlines.
        let certain = decision.findings.iter().filter(|found| found.reason == Some(Reason::ListedIdentifier));
        let regimes: BTreeSet<&str> = certain
            .filter_map(|found| found.listed.as_ref())
            .map(|listed| self.regime(&listed.list))
            .collect();
        self.apply(trigger, &regimes, Some(scheme), decision.decided_at)
    }

    /// What the confirmation of a case sets: whoever has a listed name is the listed one from here on.
    pub(super) fn of_confirmation(&self, case: &Case, at: Timestamp) -> Vec<Deadline> {
        let regimes = case.lists.iter().map(|list| self.regime(list)).collect();
        self.apply(Trigger::Confirm, &regimes, None, at)
    }

    fn apply(
        &self,
        trigger: Trigger,
        regimes: &BTreeSet<&str>,
        scheme: Option<Scheme>,
        at: Timestamp,
    ) -> Vec<Deadline> {
        let applies = |rule: &&Rule| {
            rule.on.contains(&trigger)
                && rule.regime.as_ref().is_none_or(|regime| regimes.contains(regime.as_str()))
                && rule.scheme.is_none_or(|wanted| scheme == Some(wanted))
        };
        let set = |rule: &Rule| Deadline {
            rule: rule.name.clone(),
            duty: rule.duty,
            due: self.due(rule, at),
            met: None,
            overdue: None,
        };
        self.rules.iter().filter(applies).map(set).collect()
    }

    fn due(&self, rule: &Rule, at: Timestamp) -> Timestamp {
        let calendar = rule.calendar.as_ref().and_then(|calendar| self.calendars.get(calendar));
        match (rule.business_days, calendar) {
            (Some(days), Some(calendar)) => calendar.end_of(days, at),
            _ => {
                let hours = u64::from(rule.hours.unwrap_or(0));
                Timestamp(at.0.saturating_add(hours * SECONDS_AN_HOUR))
            }
        }
    }
}

/// Adds a deadline to a case. Of one rule the earliest counts that is not met: whoever reports then reports all.
pub(super) fn add(deadlines: &mut Vec<Deadline>, new: Deadline) {
    let open = |known: &Deadline| known.rule == new.rule && known.met.is_none();
    if let Some(known) = deadlines.iter_mut().find(|known| open(known)) {
        if known.due > new.due {
            *known = new;
        }
        return;
    }
    // There are as many places as rules, so one that was met gives way; where the rules have changed since, and none was,
    // the last to end.
    deadlines.push(new);
    if deadlines.len() > MAX_DEADLINES {
        let met = deadlines.iter().position(|known| known.met.is_some());
        let last = || (0..deadlines.len()).max_by_key(|at| deadlines[*at].due);
        met.or_else(last).map(|at| deadlines.remove(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadlines(own: &str) -> Result<Deadlines, PolicyError> {
        #[derive(Deserialize)]
        struct Own {
            #[serde(default)]
            rules: Vec<Rule>,
        }
        let own: Own = toml::from_str(own).unwrap();
        Deadlines::new(&own.rules, &BTreeMap::from([("own".to_owned(), "ofac".to_owned())]))
    }

    #[test]
    fn the_packaged_rules_are_sound() {
        let deadlines = deadlines("").unwrap();
        assert_eq!(deadlines.date().len(), 10);
        let names: BTreeSet<_> = deadlines.rules.iter().map(|rule| &rule.name).collect();
        assert_eq!(names.len(), deadlines.rules.len(), "each name once");
        for scheme in Scheme::ALL {
            let held = deadlines.apply(Trigger::Hold, &BTreeSet::new(), Some(*scheme), Timestamp(0));
            assert_eq!(held.len(), 1, "{scheme}: a payment that waits has a deadline");
        }
    }

    #[test]
    fn a_list_belongs_to_the_regime_that_its_name_begins_with_or_that_is_configured() {
        let deadlines = deadlines("").unwrap();
        assert_eq!(deadlines.regime("ofac-sdn"), "ofac");
        assert_eq!(deadlines.regime("un"), "un");
        assert_eq!(deadlines.regime("own"), "ofac");
    }

    #[test]
    fn the_bank_replaces_rules_and_adds_its_own() {
        let own = "[[rules]]\nname = 'eu-frozen'\non = ['freeze']\nregime = 'eu'\nduty = 'report'\nhours = 2\n\
                   [[rules]]\nname = 'sar'\non = ['confirm']\nduty = 'report'\nbusiness_days = 20\n\
                   calendar = 'us-federal'\n";
        let deadlines = deadlines(own).unwrap();
        let set = deadlines.apply(Trigger::Freeze, &BTreeSet::from(["eu"]), None, Timestamp(1_000));
        assert_eq!(
            set.iter().map(|d| (&*d.rule, d.due)).collect::<Vec<_>>(),
            [("eu-frozen", Timestamp(8_200))]
        );
        let set = deadlines.apply(Trigger::Confirm, &BTreeSet::new(), None, Timestamp(1_000));
        assert_eq!(set.iter().map(|d| &*d.rule).collect::<Vec<_>>(), ["sar"]);
    }

    #[test]
    fn a_rule_without_one_clear_term_is_refused() {
        let rule = |term: &str| format!("[[rules]]\nname = 'x'\non = ['hold']\nduty = 'decide'\n{term}\n");
        for term in [
            "",
            "hours = 0",
            "hours = 8785",
            "business_days = 1",
            "calendar = 'target'",
            "business_days = 1\ncalendar = 'target'\nhours = 1",
            "business_days = 367\ncalendar = 'target'",
        ] {
            let error = deadlines(&rule(term)).unwrap_err().to_string();
            assert!(error.contains("\"x\"") && error.contains("hours (1 to"), "{term}: {error}");
        }
        let error = deadlines(&rule("business_days = 1\ncalendar = 'mars'")).unwrap_err().to_string();
        assert!(error.contains("fedwire, target, us-federal"), "{error}");
    }

    #[test]
    fn a_rule_that_never_applies_is_refused() {
        let refused = |rule: &str| {
            let error = deadlines(&format!("[[rules]]\nduty = 'decide'\nhours = 1\n{rule}")).unwrap_err();
            error.to_string()
        };
        assert!(refused("name = 'x'\non = []").contains("freeze, reject, return, hold, confirm"));
        let confirmed = refused("name = 'x'\non = ['hold', 'confirm']\nscheme = 'sct'");
        assert!(confirmed.contains("of no scheme"), "{confirmed}");
        assert!(refused("name = ''\non = ['hold']").contains("1 to 64 bytes"));
        assert!(refused(&format!("name = '{}'\non = ['hold']", "x".repeat(65))).contains("1 to 64 bytes"));
    }

    #[test]
    fn a_case_never_has_more_deadlines_than_places() {
        let deadline = |rule: u64, due| Deadline {
            rule: format!("r{rule}"),
            duty: Duty::Report,
            due: Timestamp(due),
            met: None,
            overdue: None,
        };
        let mut deadlines = vec![];
        for rule in 0..MAX_DEADLINES as u64 {
            add(&mut deadlines, deadline(rule, 100 + rule));
        }
        add(&mut deadlines, deadline(1_000, 50));
        assert_eq!((deadlines.len(), deadlines.last().unwrap().due), (MAX_DEADLINES, Timestamp(50)));
        assert!(deadlines.iter().all(|known| known.due < Timestamp(131)), "the last to end gave way");
        add(&mut deadlines, deadline(1_001, 900));
        assert!(deadlines.iter().all(|known| known.due < Timestamp(131)), "also where it is the new one");
        deadlines[3].met = Some(Timestamp(1));
        add(&mut deadlines, deadline(1_001, 900));
        assert_eq!((deadlines.len(), deadlines.last().unwrap().due), (MAX_DEADLINES, Timestamp(900)));
        assert!(deadlines.iter().all(|known| known.met.is_none()), "one that was met gives way first");
    }

    #[test]
    fn of_one_rule_the_earliest_that_is_not_met_counts() {
        let deadline = |due, met: Option<u64>| Deadline {
            rule: "r".into(),
            duty: Duty::Report,
            due: Timestamp(due),
            met: met.map(Timestamp),
            overdue: None,
        };
        let mut deadlines = vec![];
        for due in [20, 10, 30] {
            add(&mut deadlines, deadline(due, None));
        }
        assert_eq!(deadlines, [deadline(10, None)]);
        deadlines[0].met = Some(Timestamp(5));
        add(&mut deadlines, deadline(40, None));
        assert_eq!(deadlines, [deadline(10, Some(5)), deadline(40, None)]);
    }
}
