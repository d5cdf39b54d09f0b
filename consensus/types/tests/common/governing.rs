//! A consortium that governs itself in memory.

use hansa_types::governance::{
    Action, Certificate, Effect, Ledger, Message, Proposal, SignedVote, State, Vote, acceptance,
};
use hansa_types::hash::Element;
use hansa_types::id::Epoch;
use hansa_types::manifest::{Member, TagPolicy, WitnessPolicy};
use hansa_types::sign::{Signature, Signer as _};

use super::{Key, bank, manifest, manifest_of, member};

/// The epoch in which messages arrive.
pub(crate) const NOW: Epoch = Epoch(3);

/// A consortium of as many banks, just founded.
pub(crate) fn ledger(banks: u8) -> Ledger {
    Ledger::found(manifest_of(banks))
}

/// A proposal for the head, to hold from epoch 5 on.
pub(crate) fn propose(state: &State, action: Action) -> Proposal {
    Proposal { parent: state.head(), number: state.number() + 1, activates: Epoch(5), action }
}

/// The `n`th bank's signature on a vote.
pub(crate) fn vote(n: u8, vote: Vote) -> SignedVote {
    vote.sign(&bank(n), &Key::new(n)).unwrap()
}

/// The `n`th bank proposes it, or votes for it.
pub(crate) fn for_it(n: u8, proposal: &Proposal) -> Message {
    Message::Proposal { proposal: proposal.clone(), vote: vote(n, proposal.vote(0)) }
}

/// Lets each of `voters` vote for it, and returns the certificate.
pub(crate) fn decide(
    ledger: &mut Ledger,
    voters: impl IntoIterator<Item = u8>,
    proposal: &Proposal,
) -> Certificate {
    for n in voters {
        if let Effect::Decided(certificate) = ledger.take_in(&for_it(n, proposal), Some(NOW)).unwrap() {
            return *certificate;
        }
    }
    panic!("the votes decide nothing");
}

/// A model of this version enters the registry.
pub(crate) fn model(version: u32) -> Action {
    let mut registered = manifest().models[0].clone();
    registered.model.version = version;
    Action::RegisterModel(registered)
}

/// The `n`th bank leaves, and there is another tag key.
pub(crate) fn remove(n: u8, state: &State) -> Action {
    let witnesses = WitnessPolicy { quorum: state.decided().members.len() as u8 - 2, faulty: 0 };
    Action::Remove { bank: bank(n), tags: TagPolicy { key: Element([9; 32]), threshold: 2 }, witnesses }
}

/// The `n`th bank agrees to an entry, with the key of this seed.
pub(crate) fn accepted(n: u8, key: u8, state: &State, member: &Member) -> Signature {
    Signature(Key::new(key).sign(&acceptance(&state.head(), &bank(n), member)).unwrap())
}

/// The `n`th bank joins.
pub(crate) fn admit(n: u8, state: &State) -> Action {
    let (before, member) = (state.decided(), member(n));
    let accepted = accepted(n, n, state, &member);
    Action::Admit { bank: bank(n), member, tags: before.tags, witnesses: before.witnesses, accepted }
}

/// The `n`th bank is shut out for these epochs.
pub(crate) fn revoke(state: &State, n: u8, from: u32, until: u32) -> Proposal {
    let action = Action::Revoke { bank: bank(n), until: Epoch(until) };
    Proposal { activates: Epoch(from), ..propose(state, action) }
}
