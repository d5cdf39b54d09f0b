//! A Groth16 proof as points: decoded strictly, 192 bytes.

use ark_bls12_381::{G1Affine, G2Affine};
use hansa_types::signal::PROOF_LENGTH;
use rand::RngCore;

use crate::{
    curve::{native, subgroup::all_in_g1},
    points::{G1_BYTES, G2_BYTES, PointError, compressed, g2},
};

const _: () = assert!(PROOF_LENGTH == 2 * G1_BYTES + G2_BYTES);

/// A, B and C: canonical, in the subgroup, none the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProofPoints {
    pub(crate) a: G1Affine,
    pub(crate) b: G2Affine,
    pub(crate) c: G1Affine,
}

/// The same, but A and C may be outside the subgroup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CurvePoints(ProofPoints);

impl CurvePoints {
    pub(crate) fn decode(bytes: &[u8; PROOF_LENGTH]) -> Result<Self, PointError> {
        let (a, rest) = bytes.split_first_chunk::<G1_BYTES>().ok_or(PointError::Invalid)?;
        let (b, c) = rest.split_first_chunk::<G2_BYTES>().ok_or(PointError::Invalid)?;
        let c = c.first_chunk::<G1_BYTES>().ok_or(PointError::Invalid)?;
        let (a, c) = (native::decompress_g1(a)?, native::decompress_g1(c)?);
        Ok(Self(ProofPoints { a, b: g2(b)?, c }))
    }

    /// The proof, if A and C are in the subgroup.
    fn check(self) -> Result<ProofPoints, PointError> {
        let Self(proof) = self;
        let inside = native::is_in_g1(&proof.a) && native::is_in_g1(&proof.c);
        if inside { Ok(proof) } else { Err(PointError::Invalid) }
    }

    /// [`Self::check`] for many, at once where all pass.
    pub(crate) fn check_all(many: &[Self], rng: &mut dyn RngCore) -> Vec<Result<ProofPoints, PointError>> {
        let points: Vec<G1Affine> = many.iter().flat_map(|Self(proof)| [proof.a, proof.c]).collect();
        if all_in_g1(&points, rng) {
            many.iter().map(|Self(proof)| Ok(*proof)).collect()
        } else {
            many.iter().map(|points| points.check()).collect()
        }
    }
}

impl ProofPoints {
    pub(crate) fn decode(bytes: &[u8; PROOF_LENGTH]) -> Result<Self, PointError> {
        CurvePoints::decode(bytes)?.check()
    }

    pub(crate) fn encode(&self) -> [u8; PROOF_LENGTH] {
        let bytes = [compressed(&self.a), compressed(&self.b), compressed(&self.c)].concat();
        bytes.try_into().expect("48, 96 and 48 bytes")
    }
}

#[cfg(test)]
impl From<ark_groth16::Proof<ark_bls12_381::Bls12_381>> for ProofPoints {
    fn from(proof: ark_groth16::Proof<ark_bls12_381::Bls12_381>) -> Self {
        Self { a: proof.a, b: proof.b, c: proof.c }
    }
}
