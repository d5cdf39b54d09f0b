//! Everything that a node keeps of governance: a fold over the messages it has taken in.

use std::collections::{BTreeMap, BTreeSet};

use super::message::digest_of_all;
use super::{
    Ballot, Certificate, Equivocation, MAX_KNOWN, MAX_SYNC, Message, Refusal, SignedTraces, State,
    SyncRequest, SyncResponse,
};
use crate::codec::Encode as _;
use crate::codec_struct;
use crate::hash::Digest;
use crate::id::{Epoch, Timestamp};
use crate::manifest::Manifest;

/// The most equivocations that are kept.
const MAX_EQUIVOCATIONS: usize = 256;

/// What taking in a message did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it was there, or it is a third vote where two show what there is to show.
    Known,
    /// A proposal or vote is open.
    Noted,
    /// Trace commitments count from their epochs on.
    Committed,
    /// Something was decided, by this certificate.
    Decided(Box<Certificate>),
}

/// A message, and when it came: what a node's log has of governance, from which everything else follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When this node took it in.
    pub at: Timestamp,
    /// Trace commitments that did not come in time here, and did to most others.
    pub vouched: bool,
    /// The message.
    pub message: Message,
}
codec_struct!(Entry { at, vouched, message });

/// The state, what is open at its head, and what others need to come to the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    state: State,
    ballot: Ballot,
    amendments: Vec<Certificate>,
    revocations: BTreeMap<Digest, Certificate>,
    traces: BTreeMap<Digest, SignedTraces>,
    equivocations: Vec<Equivocation>,
}

impl Ledger {
    /// The ledger of a consortium that was just founded.
    pub fn found(manifest: Manifest) -> Self {
        Self {
            state: State::found(manifest),
            ballot: Ballot::default(),
            amendments: Vec::new(),
            revocations: BTreeMap::new(),
            traces: BTreeMap::new(),
            equivocations: Vec::new(),
        }
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What is open.
    pub fn ballot(&self) -> &Ballot {
        &self.ballot
    }

    /// The chain from the founders' manifest to the head.
    pub fn amendments(&self) -> &[Certificate] {
        &self.amendments
    }

    /// What was decided beside the chain.
    pub fn revocations(&self) -> impl Iterator<Item = &Certificate> {
        self.revocations.values()
    }

    /// Who voted twice in a round of the chain so far.
    pub fn equivocations(&self) -> &[Equivocation] {
        &self.equivocations
    }

    /// Takes in an entry of the node's log.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn enter(&mut self, entry: &Entry) -> Result<Effect, Refusal> {
        let now = self.state.decided().epochs.at(entry.at).unwrap_or(Epoch(0));
        self.take_in(&entry.message, (!entry.vouched).then_some(now))
    }

    /// Takes in a message that arrives in epoch `now`; without it, trace commitments are known to have been in time.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn take_in(&mut self, message: &Message, now: Option<Epoch>) -> Result<Effect, Refusal> {
        let news = match message {
            Message::Certificate(certificate) => return self.decide(certificate),
            Message::Proposal { proposal, vote } => self.ballot.propose(&self.state, proposal, vote)?,
            Message::Vote(vote) => self.ballot.vote(&self.state, vote)?,
            Message::Traces(signed) => {
                if !self.state.commit(signed, now)? {
                    return Ok(Effect::Known);
                }
                self.traces.insert(signed.digest(), signed.clone());
                return Ok(Effect::Committed);
            }
        };
        if !news {
            return Ok(Effect::Known);
        }
        match self.ballot.decided(&self.state) {
            Some(certificate) => match self.decide(&certificate)? {
                Effect::Known => Ok(Effect::Noted),
                effect => Ok(effect),
            },
            None => Ok(Effect::Noted),
        }
    }

    fn decide(&mut self, certificate: &Certificate) -> Result<Effect, Refusal> {
        let number = self.state.number();
        if !self.state.decide(certificate)? {
            return Ok(Effect::Known);
        }
        if self.state.number() > number {
            self.equivocations.extend(self.ballot.equivocations());
            self.equivocations.truncate(MAX_EQUIVOCATIONS);
            self.ballot = Ballot::default();
            self.amendments.push(certificate.clone());
        } else {
            self.revocations.insert(certificate.proposal.digest(), certificate.clone());
        }
        Ok(Effect::Decided(Box::new(certificate.clone())))
    }

    /// The messages besides the chain that still matter in `epoch`.
    fn messages(&self, epoch: Epoch) -> impl Iterator<Item = Message> {
        let last_epoch = Epoch(epoch.0.saturating_sub(1));
        let votes: Vec<_> = self.ballot.votes().collect();
        let proposals = self.ballot.proposals().filter_map({
            let votes = votes.clone();
            move |(bank, proposal)| {
                let own = |vote: &&super::SignedVote| {
                    vote.bank == *bank && vote.vote == proposal.vote(vote.vote.round)
                };
                let vote = votes.iter().find(own)?.clone();
                Some(Message::Proposal { proposal: proposal.clone(), vote })
            }
        });
        let revocations = self.revocations.values().cloned().map(Message::Certificate);
        let traces = self.traces.values().filter(move |signed| signed.last() >= Some(last_epoch));
        revocations
            .chain(proposals)
            .chain(votes.into_iter().map(Message::Vote))
            .chain(traces.cloned().map(Message::Traces))
    }

    /// What to ask another node with.
    pub fn request(&self, epoch: Epoch) -> SyncRequest {
        let known = self.messages(epoch).map(|message| message.id()).take(MAX_KNOWN).collect();
        SyncRequest { number: self.state.number(), known }
    }

    /// What the asking node lacks: the chain first, as the rest depends on it.
    pub fn answer(&self, request: &SyncRequest, epoch: Epoch) -> SyncResponse {
        let from = usize::try_from(request.number).unwrap_or(usize::MAX).min(self.amendments.len());
        let chain = self.amendments[from..].iter().cloned().map(Message::Certificate);
        let rest = self.messages(epoch).filter(|message| !request.known.contains(&message.id()));
        let mut bytes = 0;
        // One is always told, or a long one would stop all that follow it.
        let fits = |message: &Message| {
            let first = bytes == 0;
            bytes += message.to_bytes().len();
            first || bytes <= MAX_SYNC
        };
        let messages = chain.chain(rest).take_while(fits).take(MAX_KNOWN).collect();
        let (number, head) = (self.state.number(), self.state.head());
        SyncResponse { number, head, fingerprint: self.fingerprint(epoch), messages }
    }

    /// The digest of all that decides what is in force in `epoch`: two nodes with the same judge signals alike.
    pub fn fingerprint(&self, epoch: Epoch) -> Digest {
        let last_epoch = Epoch(epoch.0.saturating_sub(1));
        let traces = self.traces.iter().filter(|(_, signed)| signed.last() >= Some(last_epoch));
        let mut ids: BTreeSet<Digest> =
            traces.map(|(id, _)| *id).chain(self.revocations.keys().copied()).collect();
        ids.insert(self.state.head());
        digest_of_all(&ids)
    }
}
