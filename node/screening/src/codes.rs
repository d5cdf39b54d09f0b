//! What is said outside: ISO 20022 codes by scheme and outcome, from dated data.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hansa_types::decision::{Disposition, Reason};
use serde::Deserialize;

use crate::config::Scheme;

const DATA: &str = include_str!("../data/codes-2026.toml");

/// The outcomes besides the reasons.
const HOLD: &str = "hold";
const FREEZE: &str = "freeze";
const DUPLICATE: &str = "duplicate";

/// What is said where a scheme's table is silent: no reason given.
const UNSPECIFIED: &str = "MS03";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    date: String,
    schemes: BTreeMap<Scheme, BTreeMap<String, String>>,
}

static CODES: LazyLock<Codes> =
    LazyLock::new(|| toml::from_str(DATA).expect("the packaged codes are read by a test"));

/// When the codes were compiled.
pub fn date() -> &'static str {
    &CODES.date
}

fn code(scheme: Scheme, outcome: &str) -> String {
    let code = CODES.schemes.get(&scheme).and_then(|codes| codes.get(outcome));
    code.cloned().unwrap_or_else(|| UNSPECIFIED.to_owned())
}

/// The code for a payment that is not clear.
pub fn outward(scheme: Scheme, disposition: Disposition, reason: Reason) -> String {
    match disposition {
        Disposition::Hold => code(scheme, HOLD),
        Disposition::Freeze => code(scheme, FREEZE),
        Disposition::Reject | Disposition::Return => code(scheme, reason.name()),
    }
}

/// The code for a payment whose key was used before with other content.
pub fn duplicate(scheme: Scheme) -> String {
    code(scheme, DUPLICATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_has_a_code_for_every_outcome() {
        for scheme in Scheme::ALL {
            let codes = &CODES.schemes[scheme];
            let outcomes = Reason::ALL.iter().map(|r| r.name()).chain([HOLD, FREEZE, DUPLICATE]);
            for outcome in outcomes {
                assert!(codes.get(outcome).is_some_and(|code| code.len() == 4), "{scheme}: {outcome}");
            }
            assert_eq!(codes.len(), Reason::ALL.len() + 3, "{scheme} has a code for nothing");
        }
        assert_eq!(date().len(), 10);
    }

    #[test]
    fn an_instant_scheme_has_no_time_to_hold() {
        assert_eq!(outward(Scheme::CbprPlus, Disposition::Hold, Reason::Score), "PDNG");
        assert_eq!(outward(Scheme::SctInst, Disposition::Hold, Reason::Score), "MS03");
        assert_eq!(outward(Scheme::FedNow, Disposition::Freeze, Reason::ListedIdentifier), "BLCK");
        assert_eq!(duplicate(Scheme::SctInst), "AM05");
    }
}
