//! A decision that proves itself: the proposal, the votes for it, and why no earlier round decided otherwise.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    Action, Choice, Electorate, GOVERNANCE_VERSION, MAX_EVIDENCE, MAX_ROUND, Proposal, Refusal, SignedVote,
    Vote,
};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::hash::Digest;
use crate::id::BankId;
use crate::manifest::{MAX_MEMBERS, Manifest};
use crate::sign::Signature;

/// A decided proposal. It verifies against the manifest of its parent state and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// What was decided.
    pub proposal: Proposal,
    /// In which round; of a revocation 0.
    pub round: u16,
    /// Who voted for it.
    pub votes: BTreeMap<BankId, Signature>,
    /// Votes of the earlier rounds that exclude every other proposal there.
    pub evidence: Vec<SignedVote>,
}

impl Encode for Certificate {
    fn encode(&self, out: &mut Writer) {
        out.u8(GOVERNANCE_VERSION);
        self.proposal.encode(out);
        self.round.encode(out);
        self.votes.encode(out);
        out.seq(&self.evidence);
    }
}

impl Decode for Certificate {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("certificate", GOVERNANCE_VERSION)?;
        Ok(Self {
            proposal: Decode::decode(input)?,
            round: Decode::decode(input)?,
            votes: Decode::decode(input)?,
            evidence: input.seq("evidence", MAX_EVIDENCE)?,
        })
    }
}

impl Proposal {
    /// The choice of a vote for this.
    pub fn choice(&self) -> Choice {
        match self.action {
            Action::Revoke { .. } => Choice::Revoke(self.digest()),
            _ => Choice::For(self.digest()),
        }
    }

    /// A vote for this in `round`.
    pub fn vote(&self, round: u16) -> Vote {
        Vote { parent: self.parent, number: self.number, round, choice: self.choice() }
    }

    /// How many institutions decide it.
    pub fn wanted(&self, electorate: &Electorate) -> usize {
        match self.action {
            Action::Revoke { .. } => electorate.majority(),
            _ => electorate.quorum(),
        }
    }

    /// Whether `bank` has a vote on it: the institution of its target has none.
    ///
    /// # Errors
    /// [`Refusal::TargetVotes`].
    pub fn admits(&self, electorate: &Electorate, bank: &BankId) -> Result<(), Refusal> {
        match self.action.target() {
            Some(target) if electorate.related(target, bank) => Err(Refusal::TargetVotes(bank.clone())),
            _ => Ok(()),
        }
    }
}

impl Certificate {
    /// Whether the members of `manifest`, that of the parent state, decided this. Whether the proposal fits that state
    /// is [`super::State`]'s to say.
    ///
    /// # Errors
    /// [`Refusal`] with what is missing or false.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Refusal> {
        if self.votes.len() > MAX_MEMBERS {
            return Err(Refusal::Form("the certificate has more votes than there can be members".to_owned()));
        }
        let electorate = Electorate::of(manifest);
        let vote = self.proposal.vote(self.round);
        for (bank, signature) in &self.votes {
            self.proposal.admits(&electorate, bank)?;
            SignedVote { bank: bank.clone(), vote, signature: *signature }.check(manifest)?;
        }
        let voted = electorate.voted(&self.votes.keys().collect());
        let (institutions, wanted) = (electorate.size(), self.proposal.wanted(&electorate));
        if voted < wanted {
            return Err(Refusal::Quorum { voted, institutions, wanted });
        }
        for earlier in &self.evidence {
            let Vote { parent, number, .. } = earlier.vote;
            if (parent, number) != (vote.parent, vote.number) {
                return Err(Refusal::OtherProposal);
            }
            earlier.check(manifest)?;
        }
        match vote.choice {
            Choice::For(digest) => excludes_others(&electorate, &self.evidence, self.round, &digest),
            _ if self.round > 0 => Err(Refusal::Round(self.round)),
            _ => Ok(()),
        }
    }
}

/// Whether `votes`, whose signatures hold, show that every round before `round` cannot have decided anything but
/// `proposal`: for each other proposal, `q` institutions signed something else there.
pub(super) fn excludes_others(
    electorate: &Electorate,
    votes: &[SignedVote],
    round: u16,
    proposal: &Digest,
) -> Result<(), Refusal> {
    if round > MAX_ROUND {
        return Err(Refusal::Round(round));
    }
    let wanted = electorate.quorum();
    for earlier in 0..round {
        let of_round = |signed: &&SignedVote| signed.vote.round == earlier;
        let votes: Vec<&SignedVote> = votes.iter().filter(of_round).collect();
        let named = votes.iter().map(|signed| signed.vote.choice);
        let mut others: BTreeSet<Choice> = named.filter(|choice| matches!(choice, Choice::For(_))).collect();
        others.remove(&Choice::For(*proposal));
        // And one that none of these votes name.
        others.insert(Choice::None);
        let excluding = |other: &Choice| {
            let otherwise = votes.iter().filter(|signed| match (signed.vote.choice, other) {
                (Choice::Revoke(_), _) => false,
                (_, Choice::None) => true,
                (choice, other) => choice != *other,
            });
            electorate.bound_otherwise(&otherwise.map(|signed| &signed.bank).collect())
        };
        let excluded = others.iter().map(excluding).min().unwrap_or(0);
        if excluded < wanted {
            return Err(Refusal::NoEvidence { round: earlier, excluded, wanted });
        }
    }
    Ok(())
}
