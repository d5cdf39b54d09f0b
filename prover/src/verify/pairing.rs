//! The pairing equations: one proof, and many at once.
//!
//! One: `e(A, B) e(-IC, gamma) e(-C, delta) = e(alpha, beta)`, with IC the inputs' point. Many: each equation
//! raised to a random 128-bit weight and multiplied, so that n proofs take n + 3 Miller loops and one final
//! exponentiation; a product with a false equation passes with probability below 2^-127.

use ark_bls12_381::{Fr, G1Affine};
use ark_ec::CurveGroup;
use blst::blst_fp12;
use rand::RngCore;

use crate::{
    circuit::PublicInputs,
    curve::{
        native::{pairing_product, to_g2},
        weights::{Weight, multiply_each, weighted_sum},
    },
    keys::VerifyingKey,
    proof::ProofPoints,
};

/// Whether a proof holds. Its points are in the subgroup and finite by their type.
pub(crate) fn holds(key: &VerifyingKey, proof: &ProofPoints, inputs: &PublicInputs) -> bool {
    let pairs =
        [(proof.a, to_g2(&proof.b)), (key.input_point(inputs), key.minus_gamma), (proof.c, key.minus_delta)];
    pairing_product(&pairs) == key.alpha_beta
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
    let weights = Weight::random(statements.len(), rng);
    let scalars: Vec<Fr> = weights.iter().map(Weight::scalar).collect();
    let (a, c): (Vec<G1Affine>, Vec<G1Affine>) =
        statements.iter().map(|(proof, _)| (proof.a, proof.c)).unzip();
    let weighted_a = multiply_each(&a, &weights);
    let g2 = statements.iter().map(|(proof, _)| to_g2(&proof.b));
    let inputs: Vec<(Fr, &PublicInputs)> =
        scalars.iter().copied().zip(statements.iter().map(|(_, inputs)| inputs)).collect();
    let sum: Fr = scalars.iter().sum();
    let mut pairs: Vec<_> = weighted_a.into_iter().zip(g2).collect();
    pairs.extend([
        ((-(key.alpha() * sum)).into_affine(), key.beta),
        (key.weighted_input_point(&inputs), key.minus_gamma),
        (weighted_sum(&c, &weights).into_affine(), key.minus_delta),
    ]);
    pairing_product(&pairs) == blst_fp12::default()
}
