//! What nodes tell one another of governance. Every message proves itself, whoever brings it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Certificate, GOVERNANCE_VERSION, MAX_KNOWN, Proposal, SignedTraces, SignedVote};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::hash::{Digest, digest, digest_of};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// A proposal, with the vote of the member that makes it.
    Proposal {
        /// What.
        proposal: Proposal,
        /// Who, and in which round.
        vote: SignedVote,
    },
    /// A vote.
    Vote(SignedVote),
    /// A decision.
    Certificate(Certificate),
    /// Trace commitments.
    Traces(SignedTraces),
}

impl Message {
    /// In a few words.
    pub fn summary(&self) -> String {
        match self {
            Self::Proposal { proposal, vote } => {
                format!("{} proposes to {}", vote.bank, proposal.action.summary())
            }
            Self::Vote(SignedVote { bank, vote, .. }) => match vote.choice.proposal() {
                Some(digest) => format!("{bank} votes for {digest} in round {}", vote.round),
                None => format!("{bank} votes for nothing in round {}", vote.round),
            },
            Self::Certificate(certificate) => format!("decided: {}", certificate.proposal.action.summary()),
            Self::Traces(SignedTraces { bank, traces, .. }) => {
                let count = traces.len();
                let first = traces.keys().next().map_or(0, |epoch| epoch.0);
                format!("{bank} commits to trace secrets of {count} epochs from {first} on")
            }
        }
    }

    /// What names it: the content, whatever signatures it came with.
    pub fn id(&self) -> Digest {
        match self {
            Self::Proposal { proposal, .. } => {
                digest("hansa/governance-proposal/v1", &[&proposal.digest().0])
            }
            Self::Vote(SignedVote { bank, vote, .. }) => {
                digest("hansa/governance-vote/v1", &[&bank.to_bytes(), &vote.to_bytes()])
            }
            Self::Certificate(certificate) => {
                digest("hansa/governance-certificate/v1", &[&certificate.proposal.digest().0])
            }
            Self::Traces(signed) => signed.digest(),
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Writer) {
        out.u8(GOVERNANCE_VERSION);
        match self {
            Self::Proposal { proposal, vote } => {
                out.u8(1);
                proposal.encode(out);
                vote.encode(out);
            }
            Self::Vote(vote) => {
                out.u8(2);
                vote.encode(out);
            }
            Self::Certificate(certificate) => {
                out.u8(3);
                certificate.encode(out);
            }
            Self::Traces(traces) => {
                out.u8(4);
                traces.encode(out);
            }
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("governance message", GOVERNANCE_VERSION)?;
        Ok(match input.u8()? {
            1 => Self::Proposal { proposal: Decode::decode(input)?, vote: Decode::decode(input)? },
            2 => Self::Vote(Decode::decode(input)?),
            3 => Self::Certificate(Decode::decode(input)?),
            4 => Self::Traces(Decode::decode(input)?),
            other => {
                return Err(CodecError::invalid("governance message", format!("{other} is no kind of it")));
            }
        })
    }
}

/// The first byte of a request about governance. One about logs begins with its version, which is another.
pub const SYNC_REQUEST: u8 = 0x80 | GOVERNANCE_VERSION;

/// What one node asks another: whatever of governance it does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRequest {
    /// How many amendments it has.
    pub number: u64,
    /// The ids of the other messages that it has.
    pub known: BTreeSet<Digest>,
}

impl Encode for SyncRequest {
    fn encode(&self, out: &mut Writer) {
        out.u8(SYNC_REQUEST);
        self.number.encode(out);
        self.known.encode(out);
    }
}

impl Decode for SyncRequest {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("governance request", SYNC_REQUEST)?;
        let number = Decode::decode(input)?;
        let known: Vec<Digest> = input.seq("known messages", MAX_KNOWN)?;
        if !known.is_sorted_by(|a, b| a < b) {
            return Err(CodecError::invalid("known messages", "they do not strictly ascend"));
        }
        Ok(Self { number, known: known.into_iter().collect() })
    }
}

/// What the other answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncResponse {
    /// How many amendments it has.
    pub number: u64,
    /// Its head.
    pub head: Digest,
    /// [`super::Ledger::fingerprint`]: whether both judge signals alike.
    pub fingerprint: Digest,
    /// Messages that the asking node lacks; not all, if they are too many.
    pub messages: Vec<Message>,
}

impl Encode for SyncResponse {
    fn encode(&self, out: &mut Writer) {
        out.u8(GOVERNANCE_VERSION);
        self.number.encode(out);
        self.head.encode(out);
        self.fingerprint.encode(out);
        out.seq(&self.messages);
    }
}

impl Decode for SyncResponse {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("governance answer", GOVERNANCE_VERSION)?;
        Ok(Self {
            number: Decode::decode(input)?,
            head: Decode::decode(input)?,
            fingerprint: Decode::decode(input)?,
            messages: input.seq("governance messages", MAX_KNOWN)?,
        })
    }
}

/// The digest of everything that was taken in, for comparing.
pub(super) fn digest_of_all(ids: &BTreeSet<Digest>) -> Digest {
    digest_of("hansa/governance-known/v1", ids)
}
