//! The pairing equations: one proof, and many at once.
//!
//! One: `e(A, B) e(-IC, gamma) e(-C, delta) = e(alpha, beta)`, with IC the inputs' point. Many: each equation
//! raised to a random 128-bit weight and multiplied, so that n proofs take n + 3 Miller loops and one final
//! exponentiation; a product with a false equation passes with probability below 2^-127.

use ark_bls12_381::{Bls12_381, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::{CurveGroup, VariableBaseMSM, pairing::Pairing};
use ark_ff::AdditiveGroup;
use rand::RngCore;

use crate::{circuit::PublicInputs, keys::VerifyingKey, proof::ProofPoints};

type G1Prepared = <Bls12_381 as Pairing>::G1Prepared;
type G2Prepared = <Bls12_381 as Pairing>::G2Prepared;

/// Whether a proof holds. Its points are in the subgroup and finite by their type.
pub(crate) fn holds(key: &VerifyingKey, proof: &ProofPoints, inputs: &PublicInputs) -> bool {
    let g1: [G1Prepared; 3] = [proof.a.into(), key.input_point(inputs).into(), proof.c.into()];
    let g2: [G2Prepared; 3] = [proof.b.into(), key.minus_gamma.clone(), key.minus_delta.clone()];
    let product = Bls12_381::multi_miller_loop(g1, g2);
    // arkworks unwraps here; the product of a hostile proof could be zero.
    Bls12_381::final_exponentiation(product).is_some_and(|value| value == key.alpha_beta)
}

/// Which of the proofs hold: all in one equation, or by bisection where that fails.
pub(crate) fn holds_each(
    key: &VerifyingKey,
    statements: &[&(ProofPoints, PublicInputs)],
    rng: &mut dyn RngCore,
) -> Vec<bool> {
    match statements {
        [] => Vec::new(),
        [(proof, inputs)] => vec![holds(key, proof, inputs)],
        _ if holds_together(key, statements, rng) => vec![true; statements.len()],
        _ => {
            let (left, right) = statements.split_at(statements.len() / 2);
            let mut each = holds_each(key, left, rng);
            each.extend(holds_each(key, right, rng));
            each
        }
    }
}

fn holds_together(
    key: &VerifyingKey,
    statements: &[&(ProofPoints, PublicInputs)],
    rng: &mut dyn RngCore,
) -> bool {
    let weights: Vec<Fr> = statements.iter().map(|_| weight(rng)).collect();
    let weighted_a: Vec<G1Projective> =
        statements.iter().zip(&weights).map(|((proof, _), weight)| proof.a * weight).collect();
    let mut g1 = G1Projective::normalize_batch(&weighted_a);
    let mut g2: Vec<G2Prepared> = statements.iter().map(|(proof, _)| G2Affine::into(proof.b)).collect();

    let sum: Fr = weights.iter().sum();
    let inputs: Vec<(Fr, &PublicInputs)> =
        weights.iter().copied().zip(statements.iter().map(|(_, inputs)| inputs)).collect();
    let c: Vec<G1Affine> = statements.iter().map(|(proof, _)| proof.c).collect();
    let c = G1Projective::msm(&c, &weights).expect("one weight a proof");
    g1.extend([(-(key.alpha() * sum)).into_affine(), key.weighted_input_point(&inputs), c.into_affine()]);
    g2.extend([key.beta.clone(), key.minus_gamma.clone(), key.minus_delta.clone()]);

    let product = Bls12_381::multi_miller_loop(g1, g2);
    Bls12_381::final_exponentiation(product).is_some_and(|value| value.0 == ark_ff::Field::ONE)
}

/// 128 random bits that are not zero.
fn weight(rng: &mut dyn RngCore) -> Fr {
    loop {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        let weight = Fr::from(u128::from_le_bytes(bytes));
        if weight != Fr::ZERO {
            return weight;
        }
    }
}
