//! What is said outside: ISO 20022 status and reason by scheme and outcome, from dated data.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use hansa_types::decision::{Disposition, Reason};
use hansa_types::payment::FindingKind;
use serde::Deserialize;

use crate::config::{HoldReject, Scheme};

const DATA: &str = include_str!("../data/codes-2026.toml");

/// The outcomes besides reasons and findings.
const CLEAR: &str = "clear";
const HOLD: &str = "hold";
const FREEZE: &str = "freeze";
const RELEASED: &str = "released";
const FROZEN: &str = "frozen";
const DUPLICATE: &str = "duplicate";

/// The status of a payment that is refused.
pub const REJECTED: &str = "RJCT";
/// What is said where a scheme's table is silent: no reason given.
const UNSPECIFIED: &str = "MS03";

/// What the outside is told of one payment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Outward {
    /// The transaction's status (ExternalPaymentTransactionStatus1Code).
    pub status: String,
    /// The reason (ExternalStatusReason1Code): of a reject, and of nothing else.
    pub reason: Option<String>,
}

impl Outward {
    fn rejected(reason: &str) -> Self {
        Self { status: REJECTED.to_owned(), reason: Some(reason.to_owned()) }
    }

    /// The one code that says it: the reason of a reject, else the status. [`of_code`] reads it.
    pub fn code(&self) -> &str {
        self.reason.as_deref().unwrap_or(&self.status)
    }
}

impl fmt::Display for Outward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "{} {reason}", self.status),
            None => f.pad(&self.status),
        }
    }
}

impl TryFrom<String> for Outward {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_code = |code: &str| code.len() == 4 && code.bytes().all(|b| b.is_ascii_alphanumeric());
        let (status, reason) = match text.split_once(' ') {
            Some((status, reason)) => (status, Some(reason)),
            None => (text.as_str(), None),
        };
        if !is_code(status) || reason.is_some_and(|reason| !is_code(reason) || status != REJECTED) {
            return Err(format!("{text:?}: write a status, or RJCT and its reason, of four characters each"));
        }
        Ok(Self { status: status.to_owned(), reason: reason.map(str::to_owned) })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    date: String,
    schemes: BTreeMap<Scheme, Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    report: String,
    #[serde(default)]
    cites_message: bool,
    answer_seconds: Option<u32>,
    answers: BTreeMap<String, Outward>,
}

static CODES: LazyLock<Codes> =
    LazyLock::new(|| toml::from_str(DATA).expect("the packaged codes are read by a test"));

/// When the codes were compiled.
pub fn date() -> &'static str {
    &CODES.date
}

/// The definition of the status report in the scheme.
pub fn report_definition(scheme: Scheme) -> &'static str {
    CODES.schemes.get(&scheme).map_or("pacs.002.001.10", |table| &table.report)
}

/// Whether a report in the scheme cites the message once, with the bank that gave the reason, rather than with each
/// transaction.
pub fn cites_message(scheme: Scheme) -> bool {
    CODES.schemes.get(&scheme).is_some_and(|table| table.cites_message)
}

/// Within how many seconds the scheme wants an answer; none where days are meant.
pub fn answer_seconds(scheme: Scheme) -> Option<u32> {
    CODES.schemes.get(&scheme)?.answer_seconds
}

fn lookup(scheme: Scheme, outcome: &str) -> Option<&'static Outward> {
    CODES.schemes.get(&scheme)?.answers.get(outcome)
}

fn answer(scheme: Scheme, outcome: &str) -> Outward {
    lookup(scheme, outcome).cloned().unwrap_or_else(|| Outward::rejected(UNSPECIFIED))
}

/// The answer for a payment that is clear.
pub fn clear(scheme: Scheme) -> Outward {
    answer(scheme, CLEAR)
}

/// The first answer for a payment that is not clear. A hold that cannot outlive the scheme's clock is the reject that
/// the policy sets. `finding` tells which of the data were missing or wrong, if that was the reason.
pub fn outward(
    scheme: Scheme,
    disposition: Disposition,
    reason: Reason,
    finding: Option<FindingKind>,
    hold_reject: HoldReject,
) -> Outward {
    match disposition {
        Disposition::Hold => {
            let answer = answer(scheme, HOLD);
            if answer.status == REJECTED { Outward::rejected(hold_reject.name()) } else { answer }
        }
        Disposition::Freeze => answer(scheme, FREEZE),
        Disposition::Reject | Disposition::Return => finding
            .and_then(|finding| lookup(scheme, finding.name()).cloned())
            .unwrap_or_else(|| answer(scheme, reason.name())),
    }
}

/// What follows a hold once a person released the payment; none if the first answer was the last.
pub fn released(scheme: Scheme) -> Option<Outward> {
    lookup(scheme, RELEASED).cloned()
}

/// What follows a hold once the money is frozen; none if the first answer was the last.
pub fn frozen(scheme: Scheme) -> Option<Outward> {
    lookup(scheme, FROZEN).cloned()
}

/// The answer for a payment whose key was used before with other content.
pub fn duplicate(scheme: Scheme) -> Outward {
    answer(scheme, DUPLICATE)
}

/// What the code of a decision ([`hansa_types::decision::Decision::outward_code`]) says: one of the scheme's statuses,
/// or the reason of a reject; a clear payment has none.
pub fn of_code(scheme: Scheme, code: Option<&str>) -> Outward {
    let Some(code) = code else { return clear(scheme) };
    let statuses = CODES.schemes.get(&scheme).into_iter().flat_map(|table| table.answers.values());
    let status = statuses.into_iter().find(|answer| answer.reason.is_none() && answer.status == code);
    status.cloned().unwrap_or_else(|| Outward::rejected(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD_REJECT: HoldReject = HoldReject::Unspecified;

    #[test]
    fn every_scheme_has_an_answer_for_every_outcome_and_for_nothing_else() {
        let findings: Vec<_> = FindingKind::ALL.iter().map(|kind| kind.name()).collect();
        for scheme in Scheme::ALL {
            let answers = &CODES.schemes[scheme].answers;
            let reasons = Reason::ALL.iter().map(|reason| reason.name());
            let required: Vec<_> = reasons.chain([CLEAR, HOLD, FREEZE, DUPLICATE]).collect();
            for outcome in &required {
                assert!(answers.contains_key(*outcome), "{scheme}: {outcome}");
            }
            for (outcome, answer) in answers {
                let follows = [RELEASED, FROZEN].contains(&outcome.as_str());
                let known = required.contains(&outcome.as_str()) || findings.contains(&outcome.as_str());
                assert!(known || follows, "{scheme}: {outcome} is no outcome");
                let rejects = answer.status == REJECTED && outcome != HOLD;
                assert_eq!(rejects, answer.reason.is_some(), "{scheme}: {outcome}");
            }
            let interim = answers[HOLD].status != REJECTED;
            assert_eq!((interim, interim), (released(*scheme).is_some(), frozen(*scheme).is_some()));
        }
        assert_eq!(date().len(), 10);
    }

    #[test]
    fn no_code_tells_of_lists_scores_or_signals() {
        let neutral = ["RR04", "MS03"];
        let secret = [Reason::ListedName, Reason::ListedIdentifier, Reason::Score, Reason::ConsortiumSignal];
        for scheme in Scheme::ALL.iter().copied() {
            for reason in secret {
                let said = outward(scheme, Disposition::Reject, reason, None, HOLD_REJECT);
                assert!(neutral.contains(&said.code()), "{scheme}: {reason} says {said}");
                // While it is held or frozen the answer does not depend on the reason at all.
                for disposition in [Disposition::Hold, Disposition::Freeze] {
                    let other = outward(scheme, disposition, Reason::AmountLimit, None, HOLD_REJECT);
                    assert_eq!(outward(scheme, disposition, reason, None, HOLD_REJECT), other);
                }
            }
        }
        for code in HoldReject::ALL {
            assert!(neutral.contains(&code.name()));
        }
    }

    #[test]
    fn an_instant_scheme_has_no_time_to_hold() {
        let held = |scheme, by| outward(scheme, Disposition::Hold, Reason::Score, None, by).to_string();
        assert_eq!(held(Scheme::CbprPlus, HoldReject::Regulatory), "PDNG");
        assert_eq!(held(Scheme::SctInst, HoldReject::Unspecified), "RJCT MS03");
        assert_eq!(held(Scheme::SctInst, HoldReject::Regulatory), "RJCT RR04");
        assert_eq!(held(Scheme::FedNow, HoldReject::Unspecified), "ACWP");
        assert_eq!(frozen(Scheme::FedNow).unwrap().code(), "BLCK");
        assert_eq!(released(Scheme::SctInst), None);
        assert_eq!(duplicate(Scheme::SctInst).code(), "AM05");
        assert!(answer_seconds(Scheme::SctInst).unwrap() < 10);
    }

    #[test]
    fn missing_data_are_named_for_what_they_are() {
        let said = |finding| {
            let reason = Reason::MissingData;
            outward(Scheme::SctInst, Disposition::Reject, reason, finding, HOLD_REJECT).to_string()
        };
        assert_eq!(said(Some(FindingKind::MissingDebtorName)), "RJCT RR02");
        assert_eq!(said(Some(FindingKind::MissingCreditorAccount)), "RJCT AC01");
        assert_eq!(said(Some(FindingKind::MissingLeg)), "RJCT FF01");
    }

    #[test]
    fn a_code_says_status_and_reason_again() {
        for scheme in Scheme::ALL.iter().copied() {
            for answer in CODES.schemes[&scheme].answers.values().filter(|a| a.to_string() != REJECTED) {
                assert_eq!(of_code(scheme, Some(answer.code())), *answer, "{scheme}");
            }
            assert_eq!(of_code(scheme, None), clear(scheme));
        }
    }
}
