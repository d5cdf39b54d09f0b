//! What is open at the head: proposals and the votes on them.

use std::collections::BTreeMap;

use super::certificate::excludes_others;
use super::{
    Certificate, Choice, Electorate, Equivocation, MAX_EVIDENCE, MAX_OPEN, MAX_ROUND, Proposal, Refusal,
    SignedVote, State, Vote,
};
use crate::hash::Digest;
use crate::id::BankId;
use crate::sign::Signature;

/// Proposals for one head, and votes of its members. All of it is void with the next amendment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ballot {
    /// With the member that proposed each.
    proposals: BTreeMap<Digest, (BankId, Proposal)>,
    votes: BTreeMap<(BankId, Vote), Signature>,
}

impl Ballot {
    /// The open proposals, and who proposed them.
    pub fn proposals(&self) -> impl Iterator<Item = &(BankId, Proposal)> {
        self.proposals.values()
    }

    /// An open proposal.
    pub fn proposal(&self, digest: &Digest) -> Option<&Proposal> {
        self.proposals.get(digest).map(|(_, proposal)| proposal)
    }

    /// Every vote.
    pub fn votes(&self) -> impl Iterator<Item = SignedVote> {
        self.votes.iter().map(|((bank, vote), signature)| SignedVote {
            bank: bank.clone(),
            vote: *vote,
            signature: *signature,
        })
    }

    /// What `bank` chose in a round, revocations aside: two choices if it equivocated.
    pub fn choices<'a>(&'a self, bank: &'a BankId, round: u16) -> impl Iterator<Item = SignedVote> + 'a {
        self.votes().filter(move |signed| {
            signed.bank == *bank
                && signed.vote.round == round
                && !matches!(signed.vote.choice, Choice::Revoke(_))
        })
    }

    /// Takes in a proposal with the vote of who proposes it. Says whether either is news.
    ///
    /// # Errors
    /// [`Refusal`] if the proposal does not fit the state, or the vote not the proposal.
    pub fn propose(
        &mut self,
        state: &State,
        proposal: &Proposal,
        vote: &SignedVote,
    ) -> Result<bool, Refusal> {
        state.preview(proposal)?;
        if vote.vote != proposal.vote(vote.vote.round) {
            return Err(Refusal::OtherProposal);
        }
        proposal.admits(&Electorate::of(state.decided()), &vote.bank)?;
        self.check(state, vote)?;
        let digest = proposal.digest();
        let fresh = !self.proposals.contains_key(&digest);
        if fresh {
            let open = self.proposals.values().filter(|(bank, _)| *bank == vote.bank).count();
            if open >= MAX_OPEN {
                return Err(Refusal::TooMany(vote.bank.clone()));
            }
            self.proposals.insert(digest, (vote.bank.clone(), proposal.clone()));
        }
        Ok(self.keep(vote) || fresh)
    }

    /// Takes in a vote, which may come before its proposal. Says whether it is news.
    ///
    /// # Errors
    /// [`Refusal`] if it is for another state or not signed by a member.
    pub fn vote(&mut self, state: &State, vote: &SignedVote) -> Result<bool, Refusal> {
        if matches!(&vote.vote.choice, Choice::Revoke(digest) if !self.proposals.contains_key(digest)) {
            return Err(Refusal::OtherProposal);
        }
        self.check(state, vote)?;
        Ok(self.keep(vote))
    }

    fn check(&self, state: &State, signed: &SignedVote) -> Result<(), Refusal> {
        let Vote { parent, number, round, .. } = signed.vote;
        if (parent, number) != (state.head(), state.number() + 1) {
            return Err(Refusal::Stale { found: parent, number, head: state.head() });
        }
        if round > MAX_ROUND {
            return Err(Refusal::Round(round));
        }
        signed.check(state.decided())
    }

    /// A third choice of one round shows nothing that two do not, and is dropped.
    fn keep(&mut self, signed: &SignedVote) -> bool {
        let key = (signed.bank.clone(), signed.vote);
        let revokes = matches!(signed.vote.choice, Choice::Revoke(_));
        if self.votes.contains_key(&key)
            || (!revokes && self.choices(&signed.bank, signed.vote.round).count() >= 2)
        {
            return false;
        }
        self.votes.insert(key, signed.signature);
        true
    }

    /// Every bank that voted twice in a round, shown by its votes.
    pub fn equivocations(&self) -> Vec<Equivocation> {
        let mut found = Vec::new();
        let votes: Vec<SignedVote> = self.votes().collect();
        // In the order of bank and round, so that the two of a round are neighbours but for revocations.
        let chosen: Vec<&SignedVote> =
            votes.iter().filter(|signed| !matches!(signed.vote.choice, Choice::Revoke(_))).collect();
        for pair in chosen.windows(2) {
            let [first, second] = pair else { continue };
            if first.bank == second.bank && first.vote.round == second.vote.round {
                found.push(Equivocation { first: (*first).clone(), second: (*second).clone() });
            }
        }
        found
    }

    /// Whether an honest member may sign `vote`: it has signed nothing else in the round, and no earlier round can have
    /// decided otherwise.
    ///
    /// # Errors
    /// [`Refusal`] with what stands against it.
    pub fn permits(&self, state: &State, bank: &BankId, vote: &Vote) -> Result<(), Refusal> {
        if self.choices(bank, vote.round).any(|signed| signed.vote.choice.excludes(&vote.choice)) {
            return Err(Refusal::Equivocates { bank: bank.clone(), round: vote.round });
        }
        match vote.choice {
            Choice::For(digest) => {
                let votes: Vec<SignedVote> = self.votes().collect();
                excludes_others(&Electorate::of(state.decided()), &votes, vote.round, &digest)
            }
            Choice::None | Choice::Revoke(_) => Ok(()),
        }
    }

    /// The certificate of a proposal that has been decided.
    pub fn decided(&self, state: &State) -> Option<Certificate> {
        let electorate = Electorate::of(state.decided());
        let each = self
            .proposals
            .values()
            .flat_map(|(_, proposal)| (0..=MAX_ROUND).map(move |round| (proposal, round)));
        let mut open = each.filter(|(proposal, _)| !state.revoked_by(&proposal.digest()));
        open.find_map(|(proposal, round)| self.certify(&electorate, proposal, round))
    }

    fn certify(&self, electorate: &Electorate, proposal: &Proposal, round: u16) -> Option<Certificate> {
        let wanted = proposal.vote(round);
        let votes: BTreeMap<BankId, Signature> = self
            .votes
            .iter()
            .filter(|((bank, vote), _)| *vote == wanted && proposal.admits(electorate, bank).is_ok())
            .map(|((bank, _), signature)| (bank.clone(), *signature))
            .collect();
        if electorate.voted(&votes.keys().collect()) < proposal.wanted(electorate) {
            return None;
        }
        let earlier = self.votes().filter(|signed| signed.vote.round < round);
        let earlier = earlier.filter(|signed| !matches!(signed.vote.choice, Choice::Revoke(_)));
        let evidence: Vec<SignedVote> = earlier.take(MAX_EVIDENCE).collect();
        excludes_others(electorate, &evidence, round, &proposal.digest()).ok()?;
        Some(Certificate { proposal: proposal.clone(), round, votes, evidence })
    }
}
