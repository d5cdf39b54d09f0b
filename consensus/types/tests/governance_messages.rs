//! What nodes tell one another of governance: commitments, catching up, papers for offline keys, and the frozen bytes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the values made here are valid; a panic fails the test"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::codec::{Decode, Encode};
use hansa_types::governance::{
    Action, Certificate, Choice, Effect, Ledger, MAX_OPEN, Message, Paper, PaperError, Proposal, Refusal,
    SignedTraces, State, SyncRequest, SyncResponse, TRACE_HORIZON, Vote, diff,
};
use hansa_types::hash::{Digest, Field};
use hansa_types::id::{Epoch, GatewayId};
use hansa_types::manifest::{Circuit, Manifest, SignedManifest};
use hansa_types::sign::{Signature, Signer as _};

use crate::common::governing::{NOW, admit, decide, for_it, ledger, model, propose, remove, revoke, vote};
use crate::common::{Key, bank, manifest, manifest_of, member};

fn traces(n: u8, epochs: std::ops::Range<u32>, salt: u8) -> SignedTraces {
    let traces = epochs.map(|epoch| (Epoch(epoch), Field([epoch as u8 ^ salt; 32]))).collect();
    let consortium = manifest_of(4).id();
    SignedTraces::sign(consortium, bank(n), member(n).membership, traces, &Key::new(n + 50)).unwrap()
}

#[test]
fn commitments_count_if_they_come_in_time() {
    let mut ledger = ledger(4);
    let commit = |ledger: &mut Ledger, signed: &SignedTraces, now| {
        ledger.take_in(&Message::Traces(signed.clone()), now)
    };
    let late = Refusal::TooLate { bank: bank(1), epoch: Epoch(4), now: NOW };
    assert_eq!(commit(&mut ledger, &traces(1, 4..6, 1), Some(NOW)), Err(late));
    assert_eq!(commit(&mut ledger, &traces(1, 5..7, 1), Some(NOW)), Ok(Effect::Committed));
    assert_eq!(commit(&mut ledger, &traces(1, 5..7, 1), Some(Epoch(9))), Ok(Effect::Known), "it was in time");
    let active = |ledger: &Ledger, epoch: u32| {
        ledger.state().in_force(Epoch(epoch)).active_members(GatewayId(1), Epoch(epoch)).unwrap().count()
    };
    assert_eq!((active(&ledger, 4), active(&ledger, 5)), (0, 1));
    assert_eq!(
        commit(&mut ledger, &traces(2, 4..6, 2), None),
        Ok(Effect::Committed),
        "others had it in time"
    );
    assert_eq!((active(&ledger, 4), active(&ledger, 5)), (1, 2));
    // Two that differ leave the epoch without, whichever came first.
    assert_eq!(commit(&mut ledger, &traces(1, 6..7, 9), Some(Epoch(9))), Ok(Effect::Committed));
    assert_eq!((active(&ledger, 5), active(&ledger, 6)), (2, 0));
    let last = NOW.0 + TRACE_HORIZON;
    assert_eq!(commit(&mut ledger, &traces(3, last..last + 1, 3), Some(NOW)), Ok(Effect::Committed));
    let early = Refusal::TooEarly { bank: bank(3), epoch: Epoch(last + 1), now: NOW };
    assert_eq!(commit(&mut ledger, &traces(3, last..last + 2, 3), Some(NOW)), Err(early));
    assert_eq!(commit(&mut ledger, &traces(3, last..last + 2, 3), Some(Epoch(4))), Ok(Effect::Committed));
    let stranger = SignedTraces { bank: bank(9), ..traces(1, 9..10, 1) };
    assert_eq!(commit(&mut ledger, &stranger, None), Err(Refusal::NotMember(bank(9))));
    let forged = SignedTraces { bank: bank(3), membership: member(3).membership, ..traces(1, 9..10, 1) };
    assert_eq!(commit(&mut ledger, &forged, None), Err(Refusal::Signature(bank(3))));
    let other = SignedTraces { membership: Field([0; 32]), ..traces(1, 9..10, 1) };
    assert_eq!(commit(&mut ledger, &other, None), Err(Refusal::OtherMembership(bank(1))));
    assert!(matches!(commit(&mut ledger, &traces(1, 9..9, 1), None), Err(Refusal::Form(_))));
}

/// A node that was away asks another until it has the same.
#[test]
fn who_was_away_catches_up() {
    let mut ahead = ledger(4);
    for version in 2..5 {
        let proposal = propose(ahead.state(), model(version));
        decide(&mut ahead, 1..=3, &proposal);
    }
    let open = propose(ahead.state(), model(9));
    ahead.take_in(&for_it(1, &open), None).unwrap();
    ahead.take_in(&Message::Vote(vote(2, open.vote(0))), None).unwrap();
    let revocation = revoke(ahead.state(), 4, 3, 6);
    decide(&mut ahead, 1..=3, &revocation);
    ahead.take_in(&Message::Traces(traces(1, 5..9, 1)), Some(NOW)).unwrap();
    let mut behind = ledger(4);
    assert_ne!(behind.fingerprint(NOW), ahead.fingerprint(NOW));
    let request = behind.request(NOW);
    let answer = ahead.answer(&request, NOW);
    assert_eq!((answer.number, answer.head), (3, ahead.state().head()));
    for message in &answer.messages {
        assert_eq!(Message::from_bytes(&message.to_bytes()).as_ref(), Ok(message));
        behind.take_in(message, Some(NOW)).unwrap();
    }
    assert_eq!(behind.state(), ahead.state());
    assert_eq!(behind.fingerprint(NOW), ahead.fingerprint(NOW));
    assert!(ahead.answer(&behind.request(NOW), NOW).messages.is_empty());
}

#[test]
fn nobody_floods_the_ballot() {
    let mut ledger = ledger(4);
    for version in 0..=MAX_OPEN as u32 {
        let proposal = propose(ledger.state(), model(version + 2));
        let closing = Vote { round: version as u16, ..proposal.vote(0) };
        let message = Message::Proposal { proposal, vote: vote(1, closing) };
        let taken = ledger.take_in(&message, None);
        assert_eq!(taken.is_err(), version as usize == MAX_OPEN, "{taken:?}");
    }
    let vote_of =
        |version: u32, round| vote(2, propose(&State::found(manifest_of(4)), model(version)).vote(round));
    let noted: Vec<Effect> =
        (2..6).map(|version| ledger.take_in(&Message::Vote(vote_of(version, 0)), None).unwrap()).collect();
    assert_eq!(noted, [Effect::Noted, Effect::Noted, Effect::Known, Effect::Known], "two show it");
    assert_eq!(ledger.take_in(&Message::Vote(vote_of(2, 16)), None), Err(Refusal::Round(16)));
}

fn paper(ledger: &Ledger, proposal: Proposal) -> Paper {
    let mut founders = SignedManifest::new(manifest_of(4));
    (1..=4).for_each(|n| founders.sign(&bank(n), &Key::new(n)).unwrap());
    Paper { founders, amendments: ledger.amendments().to_vec(), proposal, round: 0, earlier: vec![] }
}

/// All that an offline key needs is on the paper, and nothing on it is believed.
#[test]
fn a_paper_is_signed_offline() {
    let mut ledger = ledger(4);
    let first = propose(ledger.state(), model(2));
    decide(&mut ledger, 1..=3, &first);
    let paper = paper(&ledger, propose(ledger.state(), remove(4, ledger.state())));
    let read = Paper::from_bytes(&paper.to_bytes()).unwrap();
    let lines: Vec<String> = read.changes().unwrap().iter().map(ToString::to_string).collect();
    assert!(lines.iter().any(|line| line.starts_with("- member bank-4, institution: Bank 4")), "{lines:#?}");
    assert!(lines.iter().any(|line| line == "~ tag threshold: 1 -> 2"));
    let message = read.sign(&bank(1), true, &Key::new(1)).unwrap();
    assert_eq!(ledger.take_in(&message, None), Ok(Effect::Noted));
    let against = read.sign(&bank(4), false, &Key::new(4)).unwrap();
    assert_eq!(ledger.take_in(&against, None), Ok(Effect::Noted));

    let refused = |result: Result<Message, PaperError>| match result {
        Err(PaperError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(read.sign(&bank(4), true, &Key::new(4))), Refusal::TargetVotes(bank(4)));
    assert_eq!(refused(read.sign(&bank(2), true, &Key::new(1))), Refusal::Signature(bank(2)));
    assert!(matches!(
        refused(Paper { round: 1, ..read.clone() }.sign(&bank(2), true, &Key::new(2))),
        Refusal::NoEvidence { .. }
    ));
    let cut = Paper { amendments: vec![], ..read.clone() };
    assert!(matches!(refused(cut.sign(&bank(2), true, &Key::new(2))), Refusal::Stale { .. }));
    let mut unsigned = read;
    unsigned.founders.signatures.remove(&bank(3));
    assert!(matches!(unsigned.sign(&bank(2), true, &Key::new(2)), Err(PaperError::Manifest(_))));
}

#[test]
fn a_difference_is_a_line() {
    let before = manifest_of(4);
    assert!(diff(&before, &before).is_empty());
    let mut after: Manifest = before.clone();
    after.thresholds.high = 350;
    after.members.get_mut(&bank(2)).unwrap().log_key = Key::new(99).public_key();
    after.models[0].model.weights[3] = -5;
    let lines: Vec<String> = diff(&before, &after).iter().map(ToString::to_string).collect();
    let [key, weights, thresholds] = &lines[..] else { panic!("{lines:#?}") };
    assert!(key.starts_with("~ member bank-2, log key: ") && key.contains(" -> "));
    assert_eq!(
        weights,
        "~ model 1, weights: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 -> 1 1 1 -5 1 1 1 1 1 1 1 1 1 1 1 1"
    );
    assert_eq!(thresholds, "~ thresholds: low 100, medium 200, high 300 -> low 100, medium 200, high 350");
}

/// One of each kind, as bytes that must not change.
#[test]
fn the_encodings_are_frozen() {
    let state = State::found(manifest_of(4));
    let gateway = manifest().gateways[&GatewayId(1)].clone();
    let circuit = Circuit { version: 2, ..manifest().circuits[&Epoch(0)].clone() };
    let rotate = Action::Rotate { bank: bank(1), member: member(1), accepted: Signature([7; 64]) };
    let actions = [
        admit(5, &state),
        remove(4, &state),
        rotate,
        model(2),
        Action::RetireModel(1),
        Action::AddCircuit(circuit),
        Action::PutGateway { id: GatewayId(2), gateway },
        Action::CloseGateway(GatewayId(1)),
        Action::Revoke { bank: bank(4), until: Epoch(6) },
    ];
    let mut lines = Vec::new();
    for action in actions {
        assert_eq!(Action::from_bytes(&action.to_bytes()).as_ref(), Ok(&action));
        let json = serde_json::to_string(&action).unwrap();
        assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), action);
        let proposal = propose(&state, action);
        lines.push(format!("{} {}", proposal.digest(), proposal.head()));
    }
    let proposal = propose(&state, model(2));
    let signed = vote(1, proposal.vote(1));
    let votes = BTreeMap::from([(bank(1), signed.signature)]);
    let certificate =
        Certificate { proposal: proposal.clone(), round: 1, votes, evidence: vec![signed.clone()] };
    let none = Message::Vote(vote(2, Vote { choice: Choice::None, ..proposal.vote(0) }));
    let messages = [
        Message::Proposal { proposal, vote: signed },
        none,
        Message::Certificate(certificate),
        Message::Traces(traces(1, 5..7, 1)),
    ];
    lines.extend(messages.iter().map(|message| hex::encode(message.to_bytes())));
    lines.extend(messages.iter().map(|message| message.id().to_string()));
    let found = lines.join("\n");
    assert_eq!(
        found,
        include_str!("vectors/governance.txt").trim(),
        "a changed encoding needs a new version"
    );
    let request = SyncRequest { number: 3, known: BTreeSet::from([Digest([2; 32])]) };
    let bytes = [&[0x81, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1][..], &[2; 32]].concat();
    assert_eq!((request.to_bytes(), SyncRequest::from_bytes(&bytes)), (bytes.clone(), Ok(request)));
    let (head, fingerprint) = (Digest([3; 32]), Digest([4; 32]));
    let response = SyncResponse { number: 3, head, fingerprint, messages: messages.to_vec() };
    assert_eq!(SyncResponse::from_bytes(&response.to_bytes()), Ok(response));
    let digest = Digest::default();
    assert!(Choice::For(digest).excludes(&Choice::None) && !Choice::Revoke(digest).excludes(&Choice::None));
}

#[test]
fn any_bytes_are_read_without_panic() {
    let proposal = propose(&State::found(manifest_of(4)), model(2));
    let bytes = for_it(1, &proposal).to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        if let Ok(message) = Message::from_bytes(&changed) {
            assert_eq!(message.to_bytes(), changed, "one encoding each");
            let taken = ledger(4).take_in(&message, Some(NOW));
            assert!(taken.is_err(), "byte {at} changed and is taken in: {taken:?}");
        }
        assert!(Message::from_bytes(&bytes[..at]).is_err());
    }
}
