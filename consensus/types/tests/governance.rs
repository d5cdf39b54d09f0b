//! What each action does, who decides it, and every way in which one is refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the values made here are valid; a panic fails the test"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::codec::{Decode, Encode};
use hansa_types::governance::{
    Action, Certificate, Choice, Effect, Electorate, Equivocation, Ledger, MAX_REVOCATION, Message, Proposal,
    Refusal, State, Vote,
};
use hansa_types::hash::Element;
use hansa_types::id::{Epoch, GatewayId};
use hansa_types::manifest::Circuit;
use hansa_types::sign::{Signature, Signer as _};

use crate::common::governing::{
    NOW, accepted, admit, decide, for_it, ledger, model, propose, remove, revoke, vote,
};
use crate::common::{Key, bank, lei, manifest, manifest_of, member};

#[test]
fn a_quorum_of_institutions_decides() {
    for (banks, quorum, bound) in [(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 3, 2), (7, 5, 3), (10, 7, 4)] {
        let electorate = Electorate::of(&manifest_of(banks));
        assert_eq!((electorate.quorum(), electorate.bound()), (quorum, bound), "{banks} banks");
        let mut ledger = ledger(banks);
        let proposal = propose(ledger.state(), model(2));
        for n in 1..=quorum as u8 {
            let effect = ledger.take_in(&for_it(n, &proposal), Some(NOW)).unwrap();
            assert_eq!(matches!(effect, Effect::Decided(_)), usize::from(n) == quorum, "vote {n} of {banks}");
        }
        assert_eq!((ledger.state().number(), ledger.state().head()), (1, proposal.head()));
    }
}

/// Members with one parent have one vote together, which all of them give.
#[test]
fn subsidiaries_vote_together() {
    let mut manifest = manifest_of(5);
    manifest.members.get_mut(&bank(5)).unwrap().parent = lei(4);
    let mut ledger = Ledger::found(manifest);
    let proposal = propose(ledger.state(), model(2));
    for n in [1, 2, 4] {
        let effect = ledger.take_in(&for_it(n, &proposal), Some(NOW)).unwrap();
        assert_eq!(effect, Effect::Noted, "4 is half of an institution, of which 3 decide");
    }
    assert!(matches!(ledger.take_in(&for_it(5, &proposal), Some(NOW)).unwrap(), Effect::Decided(_)));
}

#[test]
fn an_amendment_is_in_force_from_its_epoch_on() {
    let mut ledger = ledger(4);
    let proposal = propose(ledger.state(), model(2));
    decide(&mut ledger, 1..=3, &proposal);
    let state = ledger.state();
    assert_eq!(state.decided().models.len(), 2);
    assert_eq!((state.in_force(Epoch(4)).models.len(), state.in_force(Epoch(5)).models.len()), (1, 2));
    assert_eq!(state.turns(), BTreeSet::from([Epoch(0), Epoch(5)]));
    let early = Proposal { activates: Epoch(4), ..propose(state, model(3)) };
    let refused = Refusal::Activation { activates: Epoch(4), last: Epoch(5) };
    assert_eq!(ledger.take_in(&for_it(1, &early), Some(NOW)), Err(refused));
}

/// Whoever has the founders' manifest and the certificates comes to the same state, and to no other.
#[test]
fn anybody_replays_the_chain() {
    let mut ledger = ledger(4);
    let circuit = Circuit { version: 2, ..manifest().circuits[&Epoch(0)].clone() };
    for action in
        [model(2), Action::AddCircuit(circuit), Action::RetireModel(1), Action::CloseGateway(GatewayId(1))]
    {
        let proposal = propose(ledger.state(), action);
        decide(&mut ledger, [4, 2, 1], &proposal);
    }
    let mut state = State::found(manifest_of(4));
    for certificate in ledger.amendments() {
        let read = Certificate::from_bytes(&certificate.to_bytes()).unwrap();
        assert!(state.decide(&read).unwrap());
        assert!(!state.decide(&read).unwrap(), "it is no news the second time");
    }
    assert_eq!(&state, ledger.state());
    let after = state.in_force(Epoch(5));
    assert_eq!((after.models.len(), after.gateways.len()), (1, 0));
    assert_eq!(after.circuit(Epoch(5)).map(|circuit| circuit.version), Some(2));
    let mut gap = State::found(manifest_of(4));
    assert!(matches!(gap.decide(&ledger.amendments()[1]), Err(Refusal::Stale { number: 2, .. })));
    let mut elsewhere = State::found(manifest_of(5));
    assert!(matches!(elsewhere.decide(&ledger.amendments()[0]), Err(Refusal::Stale { .. })));
}

#[test]
fn every_amendment_voids_what_is_open() {
    let mut ledger = ledger(4);
    let open = propose(ledger.state(), model(3));
    ledger.take_in(&for_it(1, &open), Some(NOW)).unwrap();
    let circuit = Circuit { version: 2, ..manifest().circuits[&Epoch(0)].clone() };
    let add = propose(ledger.state(), Action::AddCircuit(circuit));
    decide(&mut ledger, 2..=4, &add);
    assert_eq!(ledger.ballot().proposals().count(), 0);
    let late = ledger.take_in(&for_it(2, &open), Some(NOW));
    assert!(matches!(late, Err(Refusal::Stale { number: 1, .. })), "{late:?}");
    assert_eq!(
        ledger.take_in(&Message::Certificate(ledger.amendments()[0].clone()), None),
        Ok(Effect::Known)
    );
}

#[test]
fn a_bank_joins_what_it_signed() {
    let mut ledger = ledger(3);
    let old = admit(4, ledger.state());
    let registered = propose(ledger.state(), model(2));
    decide(&mut ledger, 1..=3, &registered);
    let stale = propose(ledger.state(), old);
    let refused = Err(Refusal::NotAccepted(bank(4)));
    assert_eq!(ledger.take_in(&for_it(1, &stale), None), refused, "it signed another state");
    let proposal = propose(ledger.state(), admit(4, ledger.state()));
    decide(&mut ledger, 1..=3, &proposal);
    assert!(ledger.state().decided().members.contains_key(&bank(4)));
    let again = propose(ledger.state(), admit(4, ledger.state()));
    assert_eq!(ledger.take_in(&for_it(1, &again), None), Err(Refusal::Member(bank(4))));
    let next = propose(ledger.state(), model(3));
    decide(&mut ledger, [4, 3, 2], &next);
}

/// The target counts and does not vote: three banks cannot remove one of them, four can.
#[test]
fn a_removal_takes_the_others() {
    let ledger_of_three = ledger(3);
    let proposal = propose(ledger_of_three.state(), remove(3, ledger_of_three.state()));
    let refused = ledger_of_three.state().preview(&proposal).unwrap_err();
    assert_eq!(refused, Refusal::CannotRemove { bank: bank(3), institutions: 3, wanted: 3 });
    assert!(refused.to_string().contains("Revoke it"));

    let mut ledger = ledger(4);
    let proposal = propose(ledger.state(), remove(4, ledger.state()));
    assert_eq!(ledger.take_in(&for_it(4, &proposal), None), Err(Refusal::TargetVotes(bank(4))));
    let certificate = decide(&mut ledger, 1..=3, &proposal);
    let after = ledger.state().in_force(Epoch(5));
    assert!(
        !after.members.contains_key(&bank(4))
            && !after.gateways[&GatewayId(1)].members.contains_key(&bank(4))
    );
    assert_eq!((after.tags.key, after.tags.threshold), (Element([9; 32]), 2), "all at once");
    assert_eq!(after.witnesses.quorum, 2);

    let mut forged = certificate;
    let own = vote(4, forged.proposal.vote(0));
    forged.votes.insert(bank(4), own.signature);
    assert_eq!(forged.check(&manifest_of(4)), Err(Refusal::TargetVotes(bank(4))));
}

#[test]
fn a_removal_needs_a_fresh_tag_key() {
    let mut founded = manifest_of(4);
    founded.development = false;
    let state = State::found(founded);
    let mut action = remove(4, &state);
    if let Action::Remove { tags, .. } = &mut action {
        tags.key = state.decided().tags.key;
    }
    assert_eq!(state.preview(&propose(&state, action)), Err(Refusal::TagKey));
}

#[test]
fn keys_change_with_their_new_owner_s_signature() {
    let mut ledger = ledger(4);
    let mut rotated = member(2);
    rotated.governance_key = Key::new(40).public_key();
    let accepted = accepted(2, 40, ledger.state(), &rotated);
    let rotate = |accepted| Action::Rotate { bank: bank(2), member: rotated.clone(), accepted };
    let forced = propose(ledger.state(), rotate(Signature([0; 64])));
    assert_eq!(ledger.take_in(&for_it(1, &forced), None), Err(Refusal::NotAccepted(bank(2))));
    let proposal = propose(ledger.state(), rotate(accepted));
    decide(&mut ledger, 1..=3, &proposal);
    let next = propose(ledger.state(), model(2));
    assert_eq!(ledger.take_in(&for_it(2, &next), None), Err(Refusal::Signature(bank(2))), "with the old key");
    let new = next.vote(0).sign(&bank(2), &Key::new(40)).unwrap();
    let message = Message::Proposal { proposal: next, vote: new };
    assert_eq!(ledger.take_in(&message, None), Ok(Effect::Noted));
}

#[test]
fn what_does_not_fit_is_refused() {
    let state = State::found(manifest_of(4));
    let circuit = manifest().circuits[&Epoch(0)].clone();
    let mut nobody = manifest().gateways[&GatewayId(1)].clone();
    nobody.members = BTreeMap::from([(bank(9), nobody.members[&bank(1)].clone())]);
    let cases = [
        (model(1), Refusal::ModelVersion { last: 1 }),
        (Action::RetireModel(7), Refusal::NoModel(7)),
        (Action::CloseGateway(GatewayId(7)), Refusal::NoGateway(GatewayId(7))),
        (Action::Revoke { bank: bank(9), until: Epoch(5) }, Refusal::NotMember(bank(9))),
        (remove(9, &state), Refusal::NotMember(bank(9))),
    ];
    for (action, refusal) in cases {
        assert_eq!(state.preview(&propose(&state, action)), Err(refusal));
    }
    let content = |action| matches!(state.preview(&propose(&state, action)), Err(Refusal::Content(_)));
    assert!(content(Action::RetireModel(1)), "none would be left");
    assert!(content(Action::PutGateway { id: GatewayId(2), gateway: nobody }));
    assert!(content(Action::AddCircuit(Circuit { version: 0, ..circuit.clone() })));
    let at_once = Proposal { activates: Epoch(0), ..propose(&state, Action::AddCircuit(circuit)) };
    assert_eq!(state.preview(&at_once), Err(Refusal::CircuitEpoch(Epoch(0))));
}

/// Half of the votes fall on each side; those who have not voted yet close the round, and the next one decides.
#[test]
fn a_later_round_follows_from_evidence() {
    let mut ledger = ledger(7);
    let (one, other) = (propose(ledger.state(), model(2)), propose(ledger.state(), model(3)));
    let none = |n, round| Message::Vote(vote(n, Vote { choice: Choice::None, ..one.vote(round) }));
    ledger.take_in(&for_it(1, &one), None).unwrap();
    ledger.take_in(&for_it(2, &other), None).unwrap();
    for n in 3..6 {
        ledger.take_in(&none(n, 0), None).unwrap();
    }
    let permits = |ledger: &Ledger, n, proposal: &Proposal| {
        ledger.ballot().permits(ledger.state(), &bank(n), &proposal.vote(1))
    };
    let short = Err(Refusal::NoEvidence { round: 0, excluded: 4, wanted: 5 });
    assert_eq!(permits(&ledger, 7, &one), short, "4 of 7 have not voted for the other");
    ledger.take_in(&none(6, 0), None).unwrap();
    assert_eq!(permits(&ledger, 7, &one), Ok(()));
    let in_round_1 = |n| Message::Vote(vote(n, one.vote(1)));
    let mut last = Effect::Known;
    for n in 1..6 {
        last = ledger.take_in(&in_round_1(n), None).unwrap();
    }
    let Effect::Decided(certificate) = last else { panic!("{last:?}") };
    assert_eq!((certificate.round, certificate.votes.len()), (1, 5));
    let unproven = Certificate { evidence: vec![], ..(*certificate).clone() };
    let refused = Err(Refusal::NoEvidence { round: 0, excluded: 0, wanted: 5 });
    assert_eq!(unproven.check(&manifest_of(7)), refused);
    let mut fewer = (*certificate).clone();
    fewer.votes.pop_first();
    assert_eq!(fewer.check(&manifest_of(7)), Err(Refusal::Quorum { voted: 4, institutions: 7, wanted: 5 }));
}

#[test]
fn two_votes_in_a_round_convict_their_bank() {
    let mut ledger = ledger(4);
    let (one, other) = (propose(ledger.state(), model(2)), propose(ledger.state(), model(3)));
    ledger.take_in(&for_it(1, &one), None).unwrap();
    let own = ledger.ballot().permits(ledger.state(), &bank(1), &other.vote(0));
    assert_eq!(own, Err(Refusal::Equivocates { bank: bank(1), round: 0 }));
    assert_eq!(ledger.ballot().permits(ledger.state(), &bank(1), &one.vote(0)), Ok(()), "the same again");
    ledger.take_in(&for_it(1, &other), None).unwrap();
    let found = ledger.ballot().equivocations();
    let [Equivocation { first, second }] = &found[..] else { panic!("{found:?}") };
    assert_eq!((first.bank.clone(), found[0].check(&manifest_of(4))), (bank(1), Ok(())));
    let honest = Equivocation { first: first.clone(), second: first.clone() };
    assert_eq!(honest.check(&manifest_of(4)), Err(Refusal::NoEquivocation));
    let another = Equivocation { first: first.clone(), second: vote(2, second.vote) };
    assert_eq!(another.check(&manifest_of(4)), Err(Refusal::NoEquivocation));
    decide(&mut ledger, 2..=4, &one);
    assert_eq!(ledger.equivocations(), found, "it stays on record");
}

#[test]
fn more_than_half_revoke_for_a_while() {
    let mut ledger = ledger(4);
    let revocation = revoke(ledger.state(), 4, 3, 6);
    let certificate = decide(&mut ledger, 1..=3, &revocation);
    assert_eq!(certificate.votes.len(), 3, "two of four are no majority");
    let state = ledger.state();
    assert_eq!((state.number(), state.head()), (0, state.consortium()), "it is beside the chain");
    let registered =
        |epoch| state.in_force(Epoch(epoch)).gateways[&GatewayId(1)].members.contains_key(&bank(4));
    assert_eq!([registered(2), registered(3), registered(6), registered(7)], [true, false, false, true]);
    assert_eq!(state.revoked(Epoch(5)), BTreeSet::from([bank(4)]));
    assert_eq!(state.turns(), BTreeSet::from([Epoch(0), Epoch(3), Epoch(7)]));

    // What is open at the head goes on, with the revoked member's vote.
    let proposal = propose(ledger.state(), model(2));
    decide(&mut ledger, [1, 2, 4], &proposal);
    assert_eq!(ledger.state().revoked(Epoch(5)).len(), 1);

    // New keys end it.
    let mut rotated = member(4);
    rotated.log_key = Key::new(41).public_key();
    let accepted = accepted(4, 4, ledger.state(), &rotated);
    let rotate = Action::Rotate { bank: bank(4), member: rotated, accepted };
    let proposal = propose(ledger.state(), rotate);
    decide(&mut ledger, 1..=3, &proposal);
    assert!(ledger.state().revoked(Epoch(5)).is_empty());
}

/// A revocation that arrives after the amendment that follows its parent counts all the same.
#[test]
fn the_order_of_revocations_does_not_matter() {
    let mut ledger = ledger(4);
    let (revocation, late) = (revoke(ledger.state(), 4, 3, 6), revoke(ledger.state(), 3, 6, 8));
    let by = |proposal: &Proposal, voters: &[u8]| Certificate {
        proposal: proposal.clone(),
        round: 0,
        votes: voters.iter().map(|n| (bank(*n), vote(*n, proposal.vote(0)).signature)).collect(),
        evidence: vec![],
    };
    let proposal = propose(ledger.state(), model(2));
    decide(&mut ledger, 1..=3, &proposal);
    let mut first = State::found(manifest_of(4));
    first.decide(&by(&revocation, &[1, 2, 3])).unwrap();
    first.decide(&ledger.amendments()[0]).unwrap();
    let effect = ledger.take_in(&Message::Certificate(by(&revocation, &[1, 2, 3])), None).unwrap();
    assert!(matches!(effect, Effect::Decided(_)));
    assert_eq!(&first, ledger.state());
    let former = ledger.take_in(&Message::Certificate(by(&late, &[1, 2, 4])), None);
    assert!(matches!(former, Err(Refusal::Stale { .. })), "it begins under members that no longer decide");
    let few = first.decide(&by(&revoke(&State::found(manifest_of(4)), 2, 3, 4), &[1, 3]));
    assert_eq!(few, Err(Refusal::Quorum { voted: 2, institutions: 4, wanted: 3 }));
    for until in [2, 3 + MAX_REVOCATION] {
        let refused = first.preview(&revoke(&first, 2, 3, until));
        assert!(matches!(refused, Err(Refusal::RevocationEnd { .. })), "{until}");
    }
}
