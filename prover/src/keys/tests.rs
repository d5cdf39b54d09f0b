//! Keys that must not load.

use ark_bls12_381::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};

use super::{file, verifying::PAYLOAD, *};
use crate::{
    points::{
        G1_BYTES, G2_BYTES, compressed,
        tests::{outside_g1, outside_g2},
    },
    testing::proving_key,
};

/// Bytes in front of the payload.
const HEADER: usize = 8 + 1 + 1 + 2 + 32 + 8;

fn verifying_key() -> &'static VerifyingKey {
    proving_key().verifying_key()
}

fn changed(change: impl FnOnce(&mut ark_groth16::VerifyingKey<ark_bls12_381::Bls12_381>)) -> KeyError {
    let mut points = verifying_key().points.clone();
    change(&mut points);
    VerifyingKey::new(points).unwrap_err()
}

#[test]
fn a_verifying_key_survives_its_file() {
    let key = verifying_key();
    let bytes = key.to_bytes();
    assert_eq!(bytes.len(), HEADER + PAYLOAD);
    let read = VerifyingKey::load(&bytes, &key.hash()).unwrap();
    assert_eq!((read.hash(), read.to_bytes()), (key.hash(), bytes));
}

#[test]
fn a_proving_key_survives_its_file() {
    let key = proving_key();
    let bytes = key.to_bytes();
    let read = ProvingKey::from_bytes(&bytes).unwrap();
    assert_eq!(read.points, key.points);
    assert_eq!(read.verifying_key().hash(), key.verifying_key().hash());

    let damaged = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        ProvingKey::from_bytes(&bytes).unwrap_err()
    };
    assert!(matches!(damaged(HEADER + PAYLOAD + 50), KeyError::Point { what: "beta or delta", .. }));
    assert!(matches!(damaged(bytes.len() - 1), KeyError::Point { what: "query L", .. }));
    let mut other_delta = key.points.clone();
    other_delta.delta_g1 = G1Affine::generator();
    assert!(matches!(ProvingKey::new(other_delta), Err(KeyError::Inconsistent(_))));
    let mut short = key.points.clone();
    short.h_query.pop();
    assert!(matches!(ProvingKey::new(short), Err(KeyError::Inconsistent(_))));
}

#[test]
fn only_the_pinned_key_loads() {
    let bytes = verifying_key().to_bytes();
    let pinned = Digest([1; 32]);
    assert!(matches!(VerifyingKey::load(&bytes, &pinned), Err(KeyError::NotPinned { .. })));
}

#[test]
fn trivial_deltas_are_refused() {
    let gamma = verifying_key().points.gamma_g2;
    for delta in [gamma, -gamma, G2Affine::generator(), -G2Affine::generator()] {
        assert!(matches!(changed(|key| key.delta_g2 = delta), KeyError::TrivialDelta(_)));
    }
}

#[test]
fn identities_are_refused() {
    let is_identity =
        |error: &KeyError| matches!(error, KeyError::Point { source: PointError::Identity, .. });
    assert!(is_identity(&changed(|key| key.alpha_g1 = G1Affine::identity())));
    assert!(is_identity(&changed(|key| key.beta_g2 = G2Affine::identity())));
    assert!(is_identity(&changed(|key| key.gamma_g2 = G2Affine::identity())));
    assert!(is_identity(&changed(|key| key.delta_g2 = G2Affine::identity())));
    assert!(is_identity(&changed(|key| key.gamma_abc_g1[9] = G1Affine::identity())));
    let mut bytes = verifying_key().to_bytes();
    bytes[HEADER..HEADER + G1_BYTES].copy_from_slice(&compressed(&G1Affine::identity()));
    assert!(is_identity(&VerifyingKey::from_bytes(&bytes).unwrap_err()));
}

#[test]
fn a_wrong_count_is_refused() {
    assert!(matches!(changed(|key| key.gamma_abc_g1.truncate(9)), KeyError::Length { .. }));
    let more = (G1Affine::generator() * Fr::from(3_u8)).into_affine();
    assert!(matches!(changed(|key| key.gamma_abc_g1.push(more)), KeyError::Length { .. }));
    let mut payload = verifying_key().payload();
    payload.extend(compressed(&more));
    let bytes = file::write(file::Kind::Verifying, &payload);
    assert!(matches!(VerifyingKey::from_bytes(&bytes), Err(KeyError::Length { .. })));
}

#[test]
fn points_outside_the_subgroup_are_refused() {
    let (g1, g2) = (compressed(&outside_g1()), compressed(&outside_g2()));
    let in_g2 = |i: usize| HEADER + G1_BYTES + i * G2_BYTES;
    let places = [
        ("alpha", HEADER, &g1),
        ("beta", in_g2(0), &g2),
        ("gamma", in_g2(1), &g2),
        ("delta", in_g2(2), &g2),
        ("an input's point", in_g2(3), &g1),
        ("an input's point", HEADER + PAYLOAD - G1_BYTES, &g1),
    ];
    for (what, at, point) in places {
        let mut bytes = verifying_key().to_bytes();
        bytes[at..at + point.len()].copy_from_slice(point);
        let error = VerifyingKey::from_bytes(&bytes).unwrap_err();
        assert_eq!(error, KeyError::Point { what, source: PointError::Invalid });
    }
}

#[test]
fn other_files_are_refused() {
    let bytes = verifying_key().to_bytes();
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        VerifyingKey::from_bytes(&bytes).unwrap_err()
    };
    assert!(matches!(with(0, b'X'), KeyError::NotAKey(_)));
    assert!(matches!(with(8, 2), KeyError::NotAKey(_)), "a proving key");
    assert_eq!(with(9, 2), KeyError::Version { found: 2, known: 1 });
    assert!(matches!(with(11, 9), KeyError::Circuit { found_version: 9, .. }));
    assert!(matches!(with(12, bytes[12] ^ 1), KeyError::Circuit { .. }), "another circuit's hash");
    assert!(matches!(with(HEADER - 1, 0), KeyError::Length { .. }));
    for length in [0, 7, HEADER - 1] {
        assert!(matches!(VerifyingKey::from_bytes(&bytes[..length]), Err(KeyError::NotAKey(_))));
    }
    assert!(matches!(VerifyingKey::from_bytes(&bytes[..bytes.len() - 1]), Err(KeyError::Length { .. })));
    assert!(matches!(VerifyingKey::from_bytes(&[&bytes[..], &[0]].concat()), Err(KeyError::Length { .. })));
}

/// What the gate is for: under delta = gamma anyone makes a proof of anything out of the key alone, as in the
/// incidents of 2026. The bare equation accepts it; the key does not load.
#[test]
fn the_forgery_that_delta_equal_to_gamma_allows() {
    use ark_ec::pairing::Pairing;
    let mut points = verifying_key().points.clone();
    points.delta_g2 = points.gamma_g2;
    let inputs: Vec<Fr> = (1..=9_u64).map(Fr::from).collect();
    let mut sum = points.gamma_abc_g1[0].into_group();
    for (point, input) in points.gamma_abc_g1[1..].iter().zip(&inputs) {
        sum += *point * input;
    }
    let (a, b, c) = (points.alpha_g1, points.beta_g2, (-sum).into_affine());
    let right = ark_bls12_381::Bls12_381::multi_pairing(
        [points.alpha_g1, sum.into_affine(), c],
        [points.beta_g2, points.gamma_g2, points.delta_g2],
    );
    assert_eq!(ark_bls12_381::Bls12_381::pairing(a, b), right, "forged");
    assert!(matches!(VerifyingKey::new(points), Err(KeyError::TrivialDelta("gamma"))));
}
