//! What decisions go by beside lists and model: the bank's policy and threshold, and this release's own tables.
//!
//! A decision names its rules by digest, and the archive keeps them, so that a decision can be taken again years later:
//! by the same rules, or by today's.

use hansa_types::codec_struct;
use hansa_types::hash::{Digest, digest_of};
use hansa_types::model::Score;

use crate::config::Policy;
use crate::factors::fatf;
use crate::model::RiskModel;

/// Raised by every release that would decide one payment otherwise under the same lists, model and policy.
pub const ENGINE: u32 = 1;

/// The rules of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// [`ENGINE`] of the release.
    pub engine: u32,
    /// The date of FATF's lists in it.
    pub fatf: String,
    /// From which score the model's payments are held.
    pub hold_threshold: Score,
    /// The bank's policy, with every value spelt out.
    pub policy: Policy,
}
codec_struct!(Rules { engine, fatf, hold_threshold, policy });

impl Rules {
    /// The rules of this release under `policy` and `model`.
    pub fn new(policy: &Policy, model: &RiskModel) -> Self {
        Self {
            engine: ENGINE,
            fatf: fatf::DATE.to_owned(),
            hold_threshold: model.hold_threshold,
            policy: policy.clone(),
        }
    }

    /// What decisions cite.
    pub fn digest(&self) -> Digest {
        digest_of("hansa/rules/v1", self)
    }
}

#[cfg(test)]
mod tests {
    use hansa_types::codec::{Decode, Encode};

    use super::*;
    use crate::config::Scheme;

    #[test]
    fn rules_are_read_back_as_they_were_written() {
        let policy = Policy {
            amount_limit: Some(hansa_types::money::Money::parse("1000000.00", "EUR").unwrap()),
            skip_lists: [(Scheme::SctInst, ["eu".to_owned()].into())].into(),
            bics: vec!["DEUTDEFF".try_into().unwrap()],
            ..Policy::default()
        };
        let rules = Rules::new(&policy, &RiskModel::default_model());
        let read = Rules::from_bytes(&rules.to_bytes()).unwrap();
        assert_eq!((&read, read.digest()), (&rules, rules.digest()));
    }

    #[test]
    fn every_rule_is_part_of_the_digest() {
        let model = RiskModel::default_model();
        let rules = Rules::new(&Policy::default(), &model);
        let stricter = Policy { name_threshold: 801, ..Policy::default() };
        assert_ne!(rules.digest(), Rules::new(&stricter, &model).digest());
        let eager = RiskModel { hold_threshold: Score(1), ..model };
        assert_ne!(rules.digest(), Rules::new(&Policy::default(), &eager).digest());
        assert_ne!(rules.digest(), Rules { engine: ENGINE + 1, ..rules.clone() }.digest());
    }
}
