//! Proofs with and without a part computed for the epoch.

use ark_bls12_381::Bls12_381;
use ark_groth16::Groth16;
use hansa_types::id::{Epoch, GatewayId};

use super::*;
use crate::testing::{Draft, EPOCH, OTHER_GATEWAY, consortium, rng, signal};

fn context() -> &'static Context {
    consortium().verifier.context()
}

/// A statement with its witness, by seed.
fn assembled(bank: usize, salt: u8, counter: u32) -> (PublicInputs, Witness) {
    let draft = Draft { counter, ..Draft::new(context(), bank, salt) };
    let request = Request {
        bank: &crate::testing::bank(bank),
        secrets: &consortium().secrets[bank],
        body: &draft.body,
        counter,
        opening: &draft.opening,
    };
    assemble(context(), &request).unwrap()
}

/// With the same randomness arkworks makes the very same proof.
#[test]
fn the_proof_is_the_one_that_arkworks_makes() {
    let prover = &consortium().prover;
    let (public, witness) = assembled(0, 1, 0);
    let mut random = rng(20);
    let (r, s) = (Fr::rand(&mut random), Fr::rand(&mut random));
    let mut assignment = prover.shape.assignment();
    statement(&mut assignment, &public, &witness);
    let expected = Groth16::<Bls12_381>::create_proof_with_reduction_and_matrices(
        &prover.key.points,
        r,
        s,
        &prover.shape.matrices,
        prover.shape.public,
        prover.shape.constraints,
        &assignment.columns(),
    );
    let part = prover.epoch_part_of(&witness);
    for part in [None, Some(&part)] {
        let proof = prover.prove_statement(part, &public, &witness, &mut rng(20));
        assert_eq!(proof, ProofPoints::from(expected.clone().unwrap()));
    }
}

#[test]
fn signals_of_an_epoch_share_a_part() {
    let part = Draft::new(context(), 2, 1).epoch_part(context()).unwrap();
    for (salt, counter) in [(1, 0), (2, 1), (3, 2)] {
        let draft = Draft { counter, ..Draft::new(context(), 2, salt) };
        let signal = draft.prove_within(&part, context(), 21).unwrap();
        assert_eq!(consortium().verifier.check(&signal), Ok(()));
        let whole = draft.prove(context(), 21).unwrap();
        assert_eq!(signal, whole, "the same randomness, the same proof");
    }
}

/// Whatever the part was computed for, the proof is right.
#[test]
fn a_part_of_another_signal_changes_nothing() {
    let mut other = Draft::new(context(), 3, 1);
    (other.body.epoch, other.body.expires) = (Epoch(5), Epoch(5));
    other.opening.model = context().manifest(EPOCH).models[1].model.clone();
    let part = other.epoch_part(context()).unwrap();
    let signal = Draft::new(context(), 0, 1).prove_within(&part, context(), 22).unwrap();
    assert_eq!(consortium().verifier.check(&signal), Ok(()));
    assert_eq!(signal.id(), crate::testing::signal().id());
}

#[test]
fn a_part_is_only_for_who_can_signal() {
    let part = |change: fn(&mut Draft)| {
        let mut draft = Draft::new(context(), crate::testing::BANKS - 1, 1);
        change(&mut draft);
        draft.epoch_part(context()).unwrap_err()
    };
    assert!(matches!(part(|d| d.body.epoch = Epoch(1)), ProveError::NotActive { epoch: Epoch(1), .. }));
    assert!(matches!(part(|d| d.body.gateway = OTHER_GATEWAY), ProveError::NotActive { .. }));
    assert!(matches!(part(|d| d.body.gateway = GatewayId(9)), ProveError::Signal(SignalError::Manifest(_))));
    assert!(matches!(part(|d| d.opening.model.version = 8), ProveError::NotRegistered(8)));
}

/// What is kept of a signal is nothing of the signal: two that differ in all but sender, epoch and model give the
/// same part, and everything marked as staying does stay.
#[test]
fn what_stays_within_an_epoch_is_marked_and_nothing_else() {
    let columns = |(public, witness): &(PublicInputs, Witness)| {
        let mut assignment = Shape::get().assignment();
        statement(&mut assignment, public, witness);
        assignment.columns()
    };
    let first = assembled(1, 1, 0);
    let mut second = assembled(1, 2, 1);
    second.1.factors = std::array::from_fn(|i| 1000 + i as u16);
    second.1.u = Fr::from(5_u8);
    second.1.decision_id = Fr::from(6_u8);
    let (one, two) = (columns(&first), columns(&second));
    let lifetimes = &Shape::get().lifetimes;
    assert_eq!((one.len(), two.len()), (lifetimes.len(), lifetimes.len()));
    let stay = |i: &usize| lifetimes[*i] == crate::circuit::Lifetime::Epoch;
    let (staying, going): (Vec<usize>, Vec<usize>) = (0..one.len()).partition(stay);
    assert!(staying.iter().all(|i| one[*i] == two[*i]));
    assert!(2 * staying.len() > going.len() * 3, "{} of {} stay", staying.len(), one.len());
    let prover = &consortium().prover;
    assert_eq!(prover.epoch_part_of(&first.1).columns, prover.epoch_part_of(&second.1).columns);
    assert_eq!(EPOCH, signal().body.epoch);
}

#[test]
fn a_part_is_not_printed() {
    let part = Draft::new(context(), 0, 1).epoch_part(context()).unwrap();
    assert_eq!(format!("{part:?}"), "EpochPart(..)");
}
