//! Who votes: the institutions behind the members, and how many of them decide.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::BankId;
use crate::lei::Lei;
use crate::manifest::Manifest;

/// The institutions of a manifest, each with its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Electorate(BTreeMap<Lei, BTreeSet<BankId>>);

impl Electorate {
    /// The members by their ultimate parents.
    pub fn of(manifest: &Manifest) -> Self {
        let mut institutions: BTreeMap<Lei, BTreeSet<BankId>> = BTreeMap::new();
        for (bank, member) in &manifest.members {
            institutions.entry(member.parent).or_default().insert(bank.clone());
        }
        Self(institutions)
    }

    /// How many institutions there are: `n`.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// How many decide an amendment: `q = floor(2n/3) + 1`.
    pub fn quorum(&self) -> usize {
        2 * self.size() / 3 + 1
    }

    /// How many revoke a member: more than half.
    pub fn majority(&self) -> usize {
        self.size() / 2 + 1
    }

    /// From how many equivocating institutions on two amendments can be decided in one place: `2q - n`.
    pub fn bound(&self) -> usize {
        2 * self.quorum() - self.size()
    }

    /// How many institutions have voted, if `banks` have signed: those all of whose members did.
    pub fn voted(&self, banks: &BTreeSet<&BankId>) -> usize {
        self.0.values().filter(|members| members.iter().all(|bank| banks.contains(bank))).count()
    }

    /// How many institutions can no longer vote for what none of `banks` signed: those one of whose members is among
    /// them.
    pub fn bound_otherwise(&self, banks: &BTreeSet<&BankId>) -> usize {
        self.0.values().filter(|members| members.iter().any(|bank| banks.contains(bank))).count()
    }

    /// Whether two members belong to one institution.
    pub fn related(&self, one: &BankId, other: &BankId) -> bool {
        self.0.values().any(|members| members.contains(one) && members.contains(other))
    }
}
