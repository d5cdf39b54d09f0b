//! Signals from end to end: what verifies, and every way known to us in which one must not.

use ark_bls12_381::{Bls12_381, Fr, G1Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, UniformRand};
use ark_groth16::Groth16;
use hansa_types::{
    codec::{Decode, Encode},
    hash::{Digest, Field as FieldBytes},
    id::{Epoch, GatewayId, Timestamp},
    signal::{Severity, Signal},
    verify::{Verified, Verifier, VerifyError},
};

use crate::{
    double_signal::{self, RevealError},
    field::{decode, encode},
    opening::DecisionOpening,
    points::{PointError, compressed},
    proof::ProofPoints,
    prove::ProveError,
    relation::Relation,
    secrets::MemberSecrets,
    testing::*,
    verify::{Context, ContextError, SignalError, SignalVerifier},
};

fn context() -> &'static Context {
    consortium().verifier.context()
}

fn check(signal: &Signal) -> Result<(), SignalError> {
    consortium().verifier.check(signal)
}

fn changed(change: impl FnOnce(&mut Signal)) -> Signal {
    let mut signal = signal();
    change(&mut signal);
    signal
}

#[test]
fn a_true_signal_verifies() {
    let signal = signal();
    assert_eq!(check(&signal), Ok(()));
    let read = Signal::from_bytes(&signal.to_bytes()).unwrap();
    assert!(Verified::check(read, &consortium().verifier).is_ok());
    println!("a signal has {} bytes", signal.to_bytes().len());
    assert!(signal.to_bytes().len() <= 640);
}

/// After a crash the same request is proved again: same x, nullifier and share, another proof.
#[test]
fn proving_again_gives_the_identical_signal_but_for_the_proof() {
    let again = Draft::new(context(), 0, 1).prove(context(), 2).unwrap();
    let first = signal();
    assert_ne!(again.proof, first.proof);
    assert_eq!(again.id(), first.id());
    assert_eq!(changed(|s| s.proof = again.proof), again);
    assert_eq!(check(&again), Ok(()));
    assert_eq!(double_signal::reveal(&first, &again).unwrap_err(), RevealError::SameSignal);
}

/// Each byte of the signal is bound: whatever is changed, it no longer verifies.
#[test]
fn every_byte_is_bound() {
    let bytes = signal().to_bytes();
    // One bit of every eleventh byte, so that every field is touched within a few seconds.
    for i in (0..bytes.len()).step_by(11) {
        let mut changed = bytes.clone();
        changed[i] ^= 1;
        if let Ok(signal) = Signal::from_bytes(&changed) {
            assert!(check(&signal).is_err(), "byte {i}");
        }
    }
}

#[test]
fn what_the_manifest_contradicts_is_refused() {
    let cases: [(Signal, SignalError); 8] = [
        (changed(|s| s.body.consortium = Digest([0; 32])), SignalError::Consortium),
        (changed(|s| s.body.circuit += 1), SignalError::Circuit(2)),
        (changed(|s| s.body.gateway = GatewayId(9)), SignalError::Gateway(GatewayId(9))),
        (changed(|s| s.body.epoch = Epoch(5)), SignalError::Proof),
        (
            changed(|s| (s.body.epoch, s.body.expires) = (Epoch(7), Epoch(7))),
            SignalError::TooFewActive { epoch: Epoch(7), minimum: 1 },
        ),
        (changed(|s| s.body.expires = Epoch(3)), SignalError::Lifetime(Epoch(3))),
        (changed(|s| s.body.expires = Epoch(7)), SignalError::Lifetime(Epoch(7))),
        (changed(|s| s.body.gateway = OTHER_GATEWAY), SignalError::Proof),
    ];
    for (signal, error) in cases {
        assert_eq!(check(&signal), Err(error));
    }
}

/// The threshold is the manifest's for the stated severity: a low signal cannot be passed off as a high one.
#[test]
fn a_higher_severity_does_not_verify() {
    assert_eq!(check(&changed(|s| s.body.severity = Severity::High)), Err(SignalError::Proof));
    let mut draft = Draft::new(context(), 0, 3);
    draft.body.severity = Severity::Medium;
    assert!(matches!(draft.prove(context(), 3), Err(ProveError::False(r)) if r == [Relation::Score]));
}

/// A manifest with another threshold, limit, member or model is another consortium; with the id forced to be
/// the same, threshold and roots alone refuse the proof.
#[test]
fn other_thresholds_and_roots_do_not_verify() {
    use crate::verify::pairing;
    let key = consortium().prover.key().verifying_key();
    let (signal, statement) = (signal(), context().statement(&signal()).unwrap());
    let proof = ProofPoints::decode(&signal.proof).unwrap();
    assert!(pairing::holds(key, &proof, &statement));
    let changes: [fn(&mut crate::circuit::PublicInputs); 10] = [
        |p| p.threshold += 1,
        |p| p.threshold = 0,
        |p| p.member_root += Fr::ONE,
        |p| p.registry_root += Fr::ONE,
        |p| p.scope += Fr::ONE,
        |p| p.nullifier += Fr::ONE,
        |p| p.share += Fr::ONE,
        |p| p.x += Fr::ONE,
        |p| p.tag += Fr::ONE,
        |p| p.decision += Fr::ONE,
    ];
    for change in changes {
        let mut statement = statement.clone();
        change(&mut statement);
        assert!(!pairing::holds(key, &proof, &statement));
    }
}

#[test]
fn arrival_is_checked_against_the_clock() {
    let signal = signal();
    let start = u64::from(EPOCH.0 * EPOCH_SECONDS);
    let at = |seconds: u64| consortium().verifier.at(Timestamp(seconds)).verify(&signal);
    assert_eq!(at(start), Ok(()));
    let ignored = |result| matches!(result, Err(VerifyError::Ignore(_)));
    assert!(ignored(at(start - 1)), "early");
    // The gateway expires when epoch 5 begins, so the grace never shows with it; with a longer one it does.
    assert!(ignored(at(start + u64::from(EPOCH_SECONDS) + 1)), "the gateway has expired");
    let mut manifest = (**context().manifest(EPOCH)).clone();
    manifest.gateways.get_mut(&GATEWAY).unwrap().expires = Timestamp(u64::MAX);
    let later = verifier(manifest, consortium().prover.key().verifying_key());
    let draft = Draft::new(later.context(), 1, 1);
    let check = |body: &_, seconds| later.context().check_arrival(body, Timestamp(start + seconds));
    let epoch = u64::from(EPOCH_SECONDS);
    assert_eq!(check(&draft.body, epoch), Ok(()), "within the grace");
    assert_eq!(check(&draft.body, epoch + u64::from(GRACE_SECONDS)), Err(SignalError::Epoch(EPOCH)));
    let mut expired = draft.body.clone();
    expired.expires = EPOCH;
    assert_eq!(check(&expired, epoch), Err(SignalError::Expired(EPOCH)));
    assert!(SignalError::Epoch(EPOCH).is_ignored() && !SignalError::Proof.is_ignored());
}

#[test]
fn elements_beyond_the_order_are_refused() {
    let order = FieldBytes(Fr::MODULUS.to_bytes_le().try_into().unwrap());
    // The same nullifier plus the order: an alias that a modular reduction would accept.
    let alias = |field: &FieldBytes| {
        let mut value = decode(field).unwrap().into_bigint();
        assert!(!value.add_with_carry(&Fr::MODULUS), "fits 256 bits");
        FieldBytes(value.to_bytes_le().try_into().unwrap())
    };
    let cases = [
        changed(|s| s.nullifier = alias(&s.nullifier)),
        changed(|s| s.share = alias(&s.share)),
        changed(|s| s.nullifier = order),
        changed(|s| s.body.tag = order),
        changed(|s| s.body.decision_commitment = order),
    ];
    for signal in cases {
        assert!(matches!(check(&signal), Err(SignalError::Element { .. })));
    }
}

#[test]
fn malformed_points_are_refused() {
    let identity = compressed(&G1Affine::identity());
    let outside = compressed(&crate::points::tests::outside_g1());
    for at in [0, 144] {
        let with = |bytes: &[u8]| changed(|s| s.proof[at..at + 48].copy_from_slice(bytes));
        assert_eq!(check(&with(&identity)), Err(SignalError::Point(PointError::Identity)));
        assert_eq!(check(&with(&outside)), Err(SignalError::Point(PointError::Invalid)));
        assert_eq!(check(&with(&[0xff; 48])), Err(SignalError::Point(PointError::Invalid)));
    }
    let mut identity_g2 = [0; 96];
    identity_g2[0] = 0xc0;
    let signal = changed(|s| s.proof[48..144].copy_from_slice(&identity_g2));
    assert_eq!(check(&signal), Err(SignalError::Point(PointError::Identity)));
}

/// Groth16 proofs can be re-randomised and negated by anyone: such copies verify, and are the same signal.
#[test]
fn malleated_proofs_are_the_same_signal() {
    let key = consortium().prover.key();
    let ProofPoints { a, b, c } = ProofPoints::decode(&signal().proof).unwrap();
    let groth = ark_groth16::Proof::<Bls12_381> { a, b, c };
    let rerandomised = Groth16::<Bls12_381>::rerandomize_proof(&key.points.vk, &groth, &mut rng(5));
    let copies = [ProofPoints::from(rerandomised), ProofPoints { a: -a, b: -b, c }];
    for copy in copies {
        let copied = changed(|s| s.proof = copy.encode());
        assert_ne!(copied, signal());
        assert_eq!(check(&copied), Ok(()));
        assert_eq!(copied.id(), signal().id(), "so duplicates are found by what is said");
        assert_eq!(double_signal::reveal(&signal(), &copied).unwrap_err(), RevealError::SameSignal);
    }
    assert_eq!(check(&changed(|s| s.proof = ProofPoints { a: -a, b, c }.encode())), Err(SignalError::Proof));
    // A + delta shift of C, as a key that publishes the inputs' delta points would allow.
    let shifted = (c + key.points.vk.alpha_g1).into_affine();
    assert_eq!(
        check(&changed(|s| s.proof = ProofPoints { a, b, c: shifted }.encode())),
        Err(SignalError::Proof)
    );
}

/// A proof holds for its own signal only: not for another of the same sender, nor where the members, the models or the
/// thresholds are others, even if the signal is renamed to belong there.
#[test]
fn replayed_proofs_are_refused() {
    let other = Draft { counter: 1, ..Draft::new(context(), 0, 2) }.prove(context(), 18).unwrap();
    assert_eq!(check(&changed(|s| s.proof = other.proof)), Err(SignalError::Proof));
    let nullifier =
        changed(|s| (s.nullifier, s.share, s.proof) = (other.nullifier, other.share, other.proof));
    assert_eq!(check(&nullifier), Err(SignalError::Proof), "the words of one, the proof of another");

    let changes: [fn(&mut hansa_types::manifest::Manifest); 4] = [
        |m| m.gateways.get_mut(&GATEWAY).unwrap().members.retain(|member, _| *member != bank(BANKS - 1)),
        |m| m.models.truncate(1),
        |m| m.thresholds.low += 1,
        |m| m.signal_limit += 1,
    ];
    for change in changes {
        let mut manifest = (**context().manifest(EPOCH)).clone();
        change(&mut manifest);
        let elsewhere = verifier(manifest, consortium().prover.key().verifying_key());
        let there = elsewhere.context().consortium();
        assert_eq!(elsewhere.check(&signal()), Err(SignalError::Consortium));
        assert_eq!(elsewhere.check(&changed(|s| s.body.consortium = there)), Err(SignalError::Proof));
    }
}

/// Points of the curve outside the subgroup are found in a batch as they are alone, and take no signal along.
#[test]
fn batches_find_points_outside_the_subgroup() {
    let outside = compressed(&crate::points::tests::outside_g1());
    let mut batch = vec![signal(); 70];
    batch[33].proof[..48].copy_from_slice(&outside);
    batch[69].proof[144..].copy_from_slice(&outside);
    let results = consortium().verifier.check_all(&batch, &mut rng(19));
    for (at, result) in results.into_iter().enumerate() {
        let expected =
            if [33, 69].contains(&at) { Err(SignalError::Point(PointError::Invalid)) } else { Ok(()) };
        assert_eq!(result, expected, "{at}");
    }
}

/// One bad proof in a batch is found and takes no other along, wherever it stands.
#[test]
fn batches_bisect() {
    let verifier = &consortium().verifier;
    let good = signal();
    let bad = changed(|s| s.body.reply_key[0] ^= 1);
    let malformed = changed(|s| s.nullifier = FieldBytes([0xff; 32]));
    for length in [0, 1, 2, 5, 9] {
        for at in 0..length {
            let mut batch = vec![good.clone(); length];
            batch[at] = if at % 2 == 0 { bad.clone() } else { malformed.clone() };
            let results = verifier.check_all(&batch, &mut rng(6));
            let accepted: Vec<bool> = results.iter().map(Result::is_ok).collect();
            assert_eq!(accepted, (0..length).map(|i| i != at).collect::<Vec<_>>());
        }
        let results = verifier.verify_all(&vec![good.clone(); length]);
        assert_eq!(results, vec![Ok(()); length]);
    }
    let all_bad = verifier.verify_all(&[bad.clone(), bad.clone(), bad]);
    assert!(all_bad.iter().all(|r| matches!(r, Err(VerifyError::Reject(_)))));
}

/// Two wrong proofs whose errors cancel in an unweighted sum do not cancel here.
#[test]
fn errors_do_not_cancel_in_a_batch() {
    let other = Draft { counter: 1, ..Draft::new(context(), 0, 2) }.prove(context(), 7).unwrap();
    let shift = G1Affine::generator();
    let shifted = |signal: &Signal, by: G1Affine| {
        let points = ProofPoints::decode(&signal.proof).unwrap();
        let points = ProofPoints { c: (points.c + by).into_affine(), ..points };
        Signal { proof: points.encode(), ..signal.clone() }
    };
    let batch = [shifted(&signal(), shift), shifted(&other, -shift)];
    let results = consortium().verifier.check_all(&batch, &mut rng(8));
    assert_eq!(results, vec![Err(SignalError::Proof); 2]);
}

#[test]
fn false_statements_are_not_proved() {
    let fails = |change: fn(&mut Draft)| {
        let mut draft = Draft::new(context(), 0, 4);
        change(&mut draft);
        draft.prove(context(), 9).unwrap_err()
    };
    let broken = |error: ProveError| match error {
        ProveError::False(relations) => relations,
        other => panic!("{other}"),
    };
    assert_eq!(broken(fails(|d| d.counter = LIMIT)), [Relation::RateLimit]);
    assert_eq!(broken(fails(|d| d.body.tag = encode(&Fr::ONE))), [Relation::Tag]);
    assert_eq!(broken(fails(|d| d.opening.salt.0[0] ^= 1)), [Relation::Decision]);
    assert_eq!(broken(fails(|d| d.opening.factors.0[0] = 0)), [Relation::Decision]);
    assert_eq!(
        broken(fails(|d| {
            d.opening.model.weights[0] += 1;
            d.body.decision_commitment = d.opening.commitment();
        })),
        [Relation::Registry]
    );
    assert!(matches!(fails(|d| d.opening.model.version = 8), ProveError::NotRegistered(8)));
    assert!(matches!(
        fails(|d| (d.body.epoch, d.body.expires) = (Epoch(1), Epoch(1))),
        ProveError::Signal(SignalError::TooFewActive { epoch: Epoch(1), .. })
    ));
    assert!(matches!(
        fails(|d| (d.bank, d.body.gateway) = (BANKS - 1, OTHER_GATEWAY)),
        ProveError::NotActive { .. }
    ));
    assert!(matches!(fails(|d| d.body.tag = FieldBytes([0xff; 32])), ProveError::Element(_)));
}

/// arkworks proves false statements without complaint in release builds; such a proof does not verify.
#[test]
fn a_proof_of_a_false_statement_does_not_verify() {
    use crate::{circuit::Witness, verify::pairing};
    let mut statement = context().statement(&signal()).unwrap();
    statement.threshold = LOW + 1;
    let prover = &consortium().prover;
    let proof = prover.prove_statement(None, &statement, &Witness::blank(), &mut rng(10));
    assert!(!pairing::holds(prover.key().verifying_key(), &proof, &statement));
}

#[test]
fn the_second_model_and_every_member_can_signal() {
    let mut signals = Vec::new();
    for bank in 0..BANKS {
        let mut draft = Draft::new(context(), bank, 5);
        if bank % 2 == 1 {
            draft.opening.model = context().manifest(EPOCH).models[1].model.clone();
            draft.opening.factors.0 = [10; 16];
            draft.opening.factors.0[0] = 1;
        }
        draft.bind(context());
        signals.push(draft.prove(context(), 11).unwrap());
    }
    assert_eq!(consortium().verifier.verify_all(&signals), vec![Ok(()); BANKS]);
    let nullifiers: std::collections::BTreeSet<_> = signals.iter().map(|s| s.nullifier).collect();
    assert_eq!(nullifiers.len(), BANKS);
}

#[test]
fn double_signalling_identifies_the_bank_for_that_epoch_only() {
    let consortium = consortium();
    let first = Draft::new(context(), 3, 1).prove(context(), 12).unwrap();
    let second = Draft::new(context(), 3, 2).prove(context(), 13).unwrap();
    assert_eq!(first.nullifier, second.nullifier);
    let manifest = context().manifest(EPOCH);
    let found = double_signal::evidence(&consortium.verifier, manifest, &first, &second).unwrap();
    assert_eq!(found, Some(bank(3)));

    let trace = double_signal::reveal(&first, &second).unwrap();
    let secrets = &consortium.secrets[3];
    assert_eq!(trace, secrets.trace(EPOCH));
    // It enumerates that epoch's nullifiers, and is neither another epoch's secret nor sk.
    let scope = context().scope(GATEWAY, EPOCH);
    assert_eq!(trace.nullifiers(scope, LIMIT).next(), Some(first.nullifier));
    assert_ne!(trace, secrets.trace(Epoch(EPOCH.0 + 1)));
    assert_ne!(trace.0, *secrets.secret());
    let mut later = Draft::new(context(), 3, 3);
    (later.body.epoch, later.body.expires) = (Epoch(5), Epoch(5));
    later.bind(context());
    let later = later.prove(context(), 14).unwrap();
    let next = context().scope(GATEWAY, Epoch(5));
    assert!(trace.nullifiers(next, LIMIT).all(|nullifier| nullifier != later.nullifier));
    assert_eq!(double_signal::reveal(&first, &later).unwrap_err(), RevealError::Unrelated);

    // Two counters are two nullifiers and reveal nothing; a share of one's own making is no evidence.
    let other = Draft { counter: 1, ..Draft::new(context(), 3, 2) }.prove(context(), 15).unwrap();
    assert_eq!(double_signal::reveal(&first, &other).unwrap_err(), RevealError::Unrelated);
    let mut forged = second;
    forged.share = encode(&Fr::rand(&mut rng(16)));
    assert_eq!(double_signal::reveal(&first, &forged).unwrap_err(), RevealError::Inconsistent);
    let refused = double_signal::evidence(&consortium.verifier, manifest, &first, &forged);
    assert!(matches!(refused, Err(RevealError::Invalid(_))));
}

#[test]
fn an_auditor_opens_the_decision_commitment() {
    let draft = Draft::new(context(), 0, 1);
    let read = DecisionOpening::from_bytes(&draft.opening.to_bytes()).unwrap();
    assert_eq!(read.commitment(), signal().body.decision_commitment);
    let bytes = draft.opening.to_bytes();
    for i in 1..bytes.len() {
        let mut changed = bytes.clone();
        changed[i] ^= 1;
        let opening = DecisionOpening::from_bytes(&changed).unwrap();
        assert_ne!(opening.commitment(), read.commitment(), "byte {i}");
    }
}

fn circuit(manifest: &mut hansa_types::manifest::Manifest) -> &mut hansa_types::manifest::Circuit {
    manifest.circuits.get_mut(&Epoch(0)).unwrap()
}

/// A later circuit is in force from its epoch on, and not before.
#[test]
fn each_epoch_has_its_circuit() {
    let mut manifest = (**context().manifest(EPOCH)).clone();
    let next = hansa_types::manifest::Circuit { version: 2, ..circuit(&mut manifest).clone() };
    manifest.circuits.insert(Epoch(5), next);
    let later = verifier(manifest.clone(), consortium().prover.key().verifying_key());
    let of = |epoch: u32, version: u16| {
        let mut signal = signal();
        (signal.body.consortium, signal.body.circuit) = (later.context().consortium(), version);
        (signal.body.epoch, signal.body.expires) = (Epoch(epoch), Epoch(epoch));
        later.check(&signal)
    };
    assert_eq!(of(4, 1), Err(SignalError::Proof), "of another consortium");
    assert_eq!(of(4, 2), Err(SignalError::Circuit(2)));
    assert_eq!(of(5, 1), Err(SignalError::Circuit(1)));
    assert_eq!(of(5, 2), Err(SignalError::Outdated(2)));
    assert!(SignalError::Outdated(2).is_ignored(), "it may be this program that is behind");

    circuit(&mut manifest).verifying_key = Digest([7; 32]);
    let elsewhere = verifier(manifest, consortium().prover.key().verifying_key());
    let signal = changed(|s| s.body.consortium = elsewhere.context().consortium());
    assert_eq!(elsewhere.check(&signal), Err(SignalError::Key(Digest([7; 32]))));
}

/// A gateway is silent below its minimum, and a registration that ends within an epoch gives no leaf for it.
#[test]
fn too_few_active_members_signal_nothing() {
    let mut manifest = (**context().manifest(EPOCH)).clone();
    let gateway = manifest.gateways.get_mut(&GATEWAY).unwrap();
    gateway.minimum = BANKS as u16;
    let check = |manifest: &hansa_types::manifest::Manifest| {
        let other = verifier(manifest.clone(), consortium().prover.key().verifying_key());
        other.check(&changed(|s| s.body.consortium = other.context().consortium()))
    };
    assert_eq!(check(&manifest), Err(SignalError::Proof), "all are active");
    let registration = manifest.gateways.get_mut(&GATEWAY).unwrap().members.get_mut(&bank(0)).unwrap();
    registration.expires.0 = u64::from(EPOCH_SECONDS) * 5 - 2;
    let few = SignalError::TooFewActive { epoch: EPOCH, minimum: BANKS as u16 };
    assert_eq!(check(&manifest), Err(few));
}

#[test]
fn keys_and_manifests_must_fit() {
    let mut manifest = (**context().manifest(EPOCH)).clone();
    circuit(&mut manifest).verifying_key = Digest([0; 32]);
    let other = Context::new(manifest.clone().into()).unwrap();
    let mut draft = Draft::new(&other, 0, 1);
    draft.bind(&other);
    assert!(matches!(draft.prove(&other, 17), Err(ProveError::Key { .. })));
    let key = consortium().prover.key().verifying_key().clone();
    assert!(SignalVerifier::new(other.into(), key).is_err());
    circuit(&mut manifest).hash = Digest([0; 32]);
    assert!(matches!(Context::new(manifest.into()), Err(ContextError::Circuit { .. })));
}

#[test]
fn secrets_are_not_printed() {
    let secrets = MemberSecrets::from_seed(&[0x42; 32]);
    let opening = Draft::new(context(), 0, 1).opening;
    let printed = format!("{secrets:?} {:?} {opening:?} {:?}", secrets.trace(EPOCH), opening.subject);
    assert_eq!(printed, "MemberSecrets(..) TraceSecret(..) DecisionOpening(..) SubjectSecret(..)");
    assert_ne!(Fr::ZERO, *secrets.secret());
    let restored = MemberSecrets::from_seed(secrets.seed());
    assert_eq!(restored.membership(), secrets.membership());
}
