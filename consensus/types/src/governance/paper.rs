//! The ballot paper: what a member with an offline key needs to see and sign, in one file.

use super::certificate::excludes_others;
use super::{
    Certificate, Choice, Difference, Electorate, GOVERNANCE_VERSION, MAX_EVIDENCE, Message, Proposal,
    Refusal, SignedVote, State, Vote, diff,
};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::id::BankId;
use crate::manifest::{ManifestError, SignedManifest};
use crate::sign::{SignError, Signer};

/// The most amendments on a paper.
pub const MAX_CHAIN: usize = 65_536;

/// A proposal with all that it rests on, from the founders' signatures on. Nothing in it has to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// The manifest that the consortium was founded with.
    pub founders: SignedManifest,
    /// Every amendment since.
    pub amendments: Vec<Certificate>,
    /// What is to be voted on.
    pub proposal: Proposal,
    /// In which round.
    pub round: u16,
    /// Votes of earlier rounds.
    pub earlier: Vec<SignedVote>,
}

/// Why a paper is not signed.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// The founders' manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The chain, the proposal or the votes.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A revocation is voted for or not at all.
    #[error("a revocation is voted for, or not at all: its rounds have nothing to close")]
    NothingToClose,
    /// The key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Paper {
    /// The state that the proposal is about, replayed from the founders' manifest with every signature checked.
    ///
    /// # Errors
    /// [`PaperError`] with the first fault.
    pub fn state(&self) -> Result<State, PaperError> {
        self.founders.verify()?;
        let mut state = State::found(self.founders.manifest.clone());
        for certificate in &self.amendments {
            state.decide(certificate)?;
        }
        Ok(state)
    }

    /// What the proposal would change.
    ///
    /// # Errors
    /// [`PaperError`] if it rests on something false, or does not fit.
    pub fn changes(&self) -> Result<Vec<Difference>, PaperError> {
        let state = self.state()?;
        Ok(diff(state.decided(), &state.preview(&self.proposal)?))
    }

    /// Signs a vote of `bank` for the proposal, or for none in its round. What comes back is to be handed to a node.
    ///
    /// # Errors
    /// [`PaperError`] if the paper rests on something false, the bank has no vote, the key is not its own, or an earlier
    /// round may have decided otherwise.
    pub fn sign(&self, bank: &BankId, approve: bool, key: &dyn Signer) -> Result<Message, PaperError> {
        let state = self.state()?;
        state.preview(&self.proposal)?;
        let manifest = state.decided();
        let electorate = Electorate::of(manifest);
        let vote = self.proposal.vote(self.round);
        if !approve {
            if matches!(vote.choice, Choice::Revoke(_)) {
                return Err(PaperError::NothingToClose);
            }
            let signed = Vote { choice: Choice::None, ..vote }.sign(bank, key)?;
            signed.check(manifest)?;
            return Ok(Message::Vote(signed));
        }
        self.proposal.admits(&electorate, bank)?;
        if let Choice::For(digest) = vote.choice {
            for signed in &self.earlier {
                let of = (signed.vote.parent, signed.vote.number);
                if of != (vote.parent, vote.number) {
                    return Err(Refusal::OtherProposal.into());
                }
                signed.check(manifest)?;
            }
            excludes_others(&electorate, &self.earlier, self.round, &digest)?;
        }
        let signed = vote.sign(bank, key)?;
        signed.check(manifest)?;
        Ok(Message::Proposal { proposal: self.proposal.clone(), vote: signed })
    }
}

impl Encode for Paper {
    fn encode(&self, out: &mut Writer) {
        out.u8(GOVERNANCE_VERSION);
        self.founders.encode(out);
        out.seq(&self.amendments);
        self.proposal.encode(out);
        self.round.encode(out);
        out.seq(&self.earlier);
    }
}

impl Decode for Paper {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("ballot paper", GOVERNANCE_VERSION)?;
        Ok(Self {
            founders: Decode::decode(input)?,
            amendments: input.seq("amendments", MAX_CHAIN)?,
            proposal: Decode::decode(input)?,
            round: Decode::decode(input)?,
            earlier: input.seq("votes", MAX_EVIDENCE)?,
        })
    }
}
