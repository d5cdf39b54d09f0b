//! The bank's rules on cases: what opens one, what takes two officers, what is looked at again. Everything has a
//! default; unknown keys are refused.

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::case::{Case, CaseState};
use hansa_types::codec_enum;
use hansa_types::decision::{Decision, Reason, Verdict};
use serde::Deserialize;

use super::deadlines::{Deadlines, Rule};

/// What takes a second, different officer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FourEyes {
    /// Confirming a case.
    Confirm,
    /// A signal to other banks.
    Signal,
    /// Clearing a case.
    Clear,
    /// Clearing a case with a payment that was blocked.
    ClearBlock,
    /// Clearing a case with a hit on a watch list.
    ClearListed,
    /// Reporting to the authority.
    Report,
}
codec_enum!(FourEyes {
    Confirm = 1, "confirm", Signal = 2, "signal", Clear = 3, "clear", ClearBlock = 4, "clear-block",
    ClearListed = 5, "clear-listed", Report = 6, "report",
});

/// `[cases]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CasePolicy {
    /// The reasons of which any one opens a case; a payment held for others alone waits without one.
    pub opens: BTreeSet<Reason>,
    /// What takes a second officer.
    pub four_eyes: BTreeSet<FourEyes>,
    /// How many in a hundred cleared cases are looked at again.
    pub review_percent: u8,
    /// The regimes of lists, by the list's name, whose name does not begin with it.
    pub regimes: BTreeMap<String, String>,
    /// Rules on deadlines, in the place of packaged ones of the same name and beside them.
    pub deadlines: Vec<Rule>,
}

impl Default for CasePolicy {
    fn default() -> Self {
        let data = [Reason::MissingData, Reason::InvalidData];
        Self {
            opens: Reason::ALL.iter().copied().filter(|reason| !data.contains(reason)).collect(),
            four_eyes: BTreeSet::from([
                FourEyes::Signal,
                FourEyes::ClearBlock,
                FourEyes::ClearListed,
                FourEyes::Report,
            ]),
            review_percent: 10,
            regimes: BTreeMap::new(),
            deadlines: Vec::new(),
        }
    }
}

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A share beyond the whole.
    #[error("cases.review_percent = {0}: use 0 to 100")]
    Percent(u8),
    /// More rules than a case can have deadlines.
    #[error("cases.deadlines: {0} rules with the packaged ones; at most {max} are kept", max = hansa_types::case::MAX_DEADLINES)]
    TooManyRules(usize),
    /// A rule that sets no deadline.
    #[error("cases.deadlines: rule {name:?}: {why}")]
    Rule {
        /// Which.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The rules on cases, checked: what every transition goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRules {
    policy: CasePolicy,
    deadlines: Deadlines,
}

impl CaseRules {
    /// Checks the policy and joins it with the packaged deadlines.
    pub fn new(policy: CasePolicy) -> Result<Self, PolicyError> {
        if policy.review_percent > 100 {
            return Err(PolicyError::Percent(policy.review_percent));
        }
        let deadlines = Deadlines::new(&policy.deadlines, &policy.regimes)?;
        Ok(Self { policy, deadlines })
    }

    /// What has to be done until when.
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// Whether a decision opens a case, or joins one.
    pub fn opens(&self, decision: &Decision) -> bool {
        decision.verdict != Verdict::Clear
            && decision.reasons.iter().any(|reason| self.policy.opens.contains(reason))
    }

    /// Whether a second officer has to approve that a case gets to this state, with a signal or without.
    pub fn four_eyes(&self, case: &Case, to: CaseState, signal: bool) -> bool {
        let wanted = |rule| self.policy.four_eyes.contains(&rule);
        match to {
            CaseState::Confirmed => wanted(FourEyes::Confirm) || signal && wanted(FourEyes::Signal),
            CaseState::Cleared => {
                wanted(FourEyes::Clear)
                    || case.verdict == Verdict::Block && wanted(FourEyes::ClearBlock)
                    || super::is_listed(case) && wanted(FourEyes::ClearListed)
            }
            CaseState::Reported => wanted(FourEyes::Report),
            CaseState::Open | CaseState::Assigned => false,
        }
    }

    /// Whether a cleared case is looked at again. `draw` is what only the bank can compute of the case: nobody foresees
    /// or chooses what is drawn, and every replica draws the same.
    pub fn draws(&self, draw: &[u8; 32]) -> bool {
        let drawn = draw.iter().take(8).fold(0_u64, |drawn, byte| drawn << 8 | u64::from(*byte));
        // The share of the whole range, in percent: below the policy's for that many in a hundred.
        let percent = (u128::from(drawn) * 100) >> 64;
        percent < u128::from(self.policy.review_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<CaseRules, PolicyError> {
        CaseRules::new(toml::from_str(text).unwrap())
    }

    #[test]
    fn a_policy_is_read_checked_and_refused() {
        assert_eq!(rules(""), CaseRules::new(CasePolicy::default()));
        let policy: CasePolicy = toml::from_str("opens = ['score']\nfour_eyes = ['clear']").unwrap();
        assert_eq!(policy.opens, BTreeSet::from([Reason::Score]));
        assert_eq!(rules("review_percent = 101"), Err(PolicyError::Percent(101)));
        assert!(toml::from_str::<CasePolicy>("six_eyes = []").is_err());
        let many: String = (0..40)
            .map(|n| format!("[[deadlines]]\nname = 'r{n}'\non = ['hold']\nduty = 'decide'\nhours = 1\n"))
            .collect();
        assert!(matches!(rules(&many), Err(PolicyError::TooManyRules(_))));
    }

    #[test]
    fn the_share_that_is_drawn_is_the_one_asked_for() {
        let draw = |n: u64| {
            let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            let mut draw = [0; 32];
            draw[..8].copy_from_slice(&spread);
            draw
        };
        let drawn = |percent| {
            let rules = rules(&format!("review_percent = {percent}")).unwrap();
            (0..10_000).filter(|n| rules.draws(&draw(*n))).count()
        };
        assert_eq!((drawn(0), drawn(100)), (0, 10_000));
        assert!((950..1050).contains(&drawn(10)), "{}", drawn(10));
        let all = rules("review_percent = 100").unwrap();
        assert!(all.draws(&[0xff; 32]) && !rules("review_percent = 99").unwrap().draws(&[0xff; 32]));
    }
}
