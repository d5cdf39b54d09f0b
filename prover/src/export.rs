//! Proofs in the coordinates that other implementations read, so that they can judge the bare Groth16 relation
//! independently of us. What a signal's inputs must be is our context's to say, and not part of that relation.
//!
//! Numbers are decimal. A point of G2 has coordinates in Fp2, real part first. The layout around them is snarkjs'
//! (`hansa-audit export-proof` writes it).

use ark_bls12_381::{Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::AdditiveGroup;
use hansa_types::signal::Signal;

use crate::{
    circuit::PublicInputs,
    keys::VerifyingKey,
    proof::ProofPoints,
    verify::{Context, SignalError},
};

/// x and y of a point of G1.
pub type G1 = [String; 2];
/// x and y of a point of G2, each with real and imaginary part.
pub type G2 = [[String; 2]; 2];

/// A verifying key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCoordinates {
    /// alpha in G1.
    pub alpha: G1,
    /// beta in G2.
    pub beta: G2,
    /// gamma in G2.
    pub gamma: G2,
    /// delta in G2.
    pub delta: G2,
    /// The points of the constant and of each public input.
    pub inputs: Vec<G1>,
}

/// A proof with the public inputs it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofCoordinates {
    /// A in G1.
    pub a: G1,
    /// B in G2.
    pub b: G2,
    /// C in G1.
    pub c: G1,
    /// The public inputs, in the order of the key's points.
    pub inputs: [String; PublicInputs::COUNT],
}

/// The coordinates of a verifying key.
#[must_use]
pub fn key(key: &VerifyingKey) -> KeyCoordinates {
    let points = key.points();
    KeyCoordinates {
        alpha: g1(&points.alpha_g1),
        beta: g2(&points.beta_g2),
        gamma: g2(&points.gamma_g2),
        delta: g2(&points.delta_g2),
        inputs: points.gamma_abc_g1.iter().map(g1).collect(),
    }
}

/// The coordinates of a signal's proof and the inputs that it must hold for; whether it does is not asked.
///
/// # Errors
/// [`SignalError`] if the signal has no such inputs in this context, or its proof's points are none.
pub fn proof(context: &Context, signal: &Signal) -> Result<ProofCoordinates, SignalError> {
    let inputs = context.statement(signal)?.to_array().map(|input| input.to_string());
    let ProofPoints { a, b, c } = ProofPoints::decode(&signal.proof)?;
    Ok(ProofCoordinates { a: g1(&a), b: g2(&b), c: g1(&c), inputs })
}

/// Keys and proofs have no identity by their types.
fn g1(point: &G1Affine) -> G1 {
    let (x, y) = point.xy().unwrap_or_default();
    [x, y].map(|coordinate| coordinate.to_string())
}

fn g2(point: &G2Affine) -> G2 {
    let (x, y) = point.xy().unwrap_or((Fq2::ZERO, Fq2::ZERO));
    [x, y].map(|coordinate| [coordinate.c0, coordinate.c1].map(|part| part.to_string()))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use ark_bls12_381::{Bls12_381, Fq, Fr};
    use ark_ec::{CurveGroup, pairing::Pairing};

    use super::*;
    use crate::testing::{consortium, signal};

    fn point1([x, y]: &G1) -> G1Affine {
        G1Affine::new(Fq::from_str(x).unwrap(), Fq::from_str(y).unwrap())
    }

    fn point2(point: &G2) -> G2Affine {
        let [x, y] =
            point.each_ref().map(|[c0, c1]| Fq2::new(Fq::from_str(c0).unwrap(), Fq::from_str(c1).unwrap()));
        G2Affine::new(x, y)
    }

    /// From the decimals alone, with arkworks' pairing: `e(A, B) = e(alpha, beta) e(IC, gamma) e(C, delta)`.
    fn holds(key: &KeyCoordinates, proof: &ProofCoordinates) -> bool {
        let mut inputs = point1(&key.inputs[0]).into_group();
        for (point, input) in key.inputs[1..].iter().zip(&proof.inputs) {
            inputs += point1(point) * Fr::from_str(input).unwrap();
        }
        let right = Bls12_381::multi_pairing(
            [point1(&key.alpha), inputs.into_affine(), point1(&proof.c)],
            [point2(&key.beta), point2(&key.gamma), point2(&key.delta)],
        );
        Bls12_381::pairing(point1(&proof.a), point2(&proof.b)) == right
    }

    #[test]
    fn what_is_exported_holds_when_computed_with_arkworks_alone() {
        let verifier = &consortium().verifier;
        let key = key(consortium().prover.key().verifying_key());
        let good = proof(verifier.context(), &signal()).unwrap();
        assert!(holds(&key, &good));
        assert_eq!(good.inputs.len() + 1, key.inputs.len());
        let mut bad = signal();
        bad.body.reply_key[0] ^= 1;
        assert!(!holds(&key, &proof(verifier.context(), &bad).unwrap()));
        for input in 0..good.inputs.len() {
            let mut bad = good.clone();
            bad.inputs[input] = "7".to_owned();
            assert!(!holds(&key, &bad), "input {input}");
        }
        let swapped = ProofCoordinates { a: good.c.clone(), c: good.a.clone(), ..good };
        assert!(!holds(&key, &swapped));
    }
}
