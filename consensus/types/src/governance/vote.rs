//! Votes: what one member signs about one round, and two of them that cannot both be honest.

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::codec_struct;
use crate::hash::Digest;
use crate::id::BankId;
use crate::manifest::Manifest;
use crate::sign::{SignError, Signature, Signer, verify};

/// What a vote is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// For this amendment, and for no other in this round.
    For(Digest),
    /// For no amendment in this round: enough of these let the next round begin.
    None,
    /// For this revocation, which is beside the rounds.
    Revoke(Digest),
}

impl Choice {
    /// The proposal, if it is one.
    pub fn proposal(&self) -> Option<Digest> {
        match self {
            Self::For(digest) | Self::Revoke(digest) => Some(*digest),
            Self::None => None,
        }
    }

    /// Whether nobody honest signs both in one round.
    pub fn excludes(&self, other: &Self) -> bool {
        let revokes = |choice: &Self| matches!(choice, Self::Revoke(_));
        self != other && !revokes(self) && !revokes(other)
    }
}

impl Encode for Choice {
    fn encode(&self, out: &mut Writer) {
        let (kind, digest) = match self {
            Self::None => (0, None),
            Self::For(digest) => (1, Some(digest)),
            Self::Revoke(digest) => (2, Some(digest)),
        };
        out.u8(kind);
        digest.iter().for_each(|digest| digest.encode(out));
    }
}

impl Decode for Choice {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match input.u8()? {
            0 => Self::None,
            1 => Self::For(Decode::decode(input)?),
            2 => Self::Revoke(Decode::decode(input)?),
            other => return Err(CodecError::invalid("choice", format!("{other} is none"))),
        })
    }
}

/// A vote: it counts for one place in the chain and one round, and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Vote {
    /// The head that an amendment would change.
    pub parent: Digest,
    /// The number it would have.
    pub number: u64,
    /// The round, from 0; of a revocation 0.
    pub round: u16,
    /// What it is for.
    pub choice: Choice,
}
codec_struct!(Vote { parent, number, round, choice });

impl Vote {
    fn signed_bytes(&self) -> Vec<u8> {
        [b"hansa/vote/v1\0".as_slice(), &self.to_bytes()].concat()
    }

    /// Signs the vote with the bank's governance key.
    ///
    /// # Errors
    /// [`SignError`] if the key is not available.
    pub fn sign(self, bank: &BankId, key: &dyn Signer) -> Result<SignedVote, SignError> {
        let signature = Signature(key.sign(&self.signed_bytes())?);
        Ok(SignedVote { bank: bank.clone(), vote: self, signature })
    }
}

/// A vote and who gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SignedVote {
    /// Who voted.
    pub bank: BankId,
    /// What.
    pub vote: Vote,
    /// By the bank's governance key.
    pub signature: Signature,
}
codec_struct!(SignedVote { bank, vote, signature });

impl SignedVote {
    /// Whether a member of `manifest` signed it.
    ///
    /// # Errors
    /// [`Refusal::NotMember`] or [`Refusal::Signature`].
    pub fn check(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let member = manifest.members.get(&self.bank).ok_or_else(|| Refusal::NotMember(self.bank.clone()))?;
        if verify(&member.governance_key, &self.vote.signed_bytes(), &self.signature.0) {
            return Ok(());
        }
        Err(Refusal::Signature(self.bank.clone()))
    }
}

/// Two votes of one bank in one round: its own signatures show that it equivocates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Equivocation {
    /// One vote.
    pub first: SignedVote,
    /// The other.
    pub second: SignedVote,
}
codec_struct!(Equivocation { first, second });

impl Equivocation {
    /// Whether the two show that their bank equivocated under `manifest`, the one of their parent state.
    ///
    /// # Errors
    /// [`Refusal`]; [`Refusal::NoEquivocation`] if both can be honest.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let Self { first, second } = self;
        self.first.check(manifest)?;
        self.second.check(manifest)?;
        let place = |signed: &SignedVote| {
            (signed.bank.clone(), signed.vote.parent, signed.vote.number, signed.vote.round)
        };
        if place(first) == place(second) && first.vote.choice.excludes(&second.vote.choice) {
            return Ok(());
        }
        Err(Refusal::NoEquivocation)
    }
}
