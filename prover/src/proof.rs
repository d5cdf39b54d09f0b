//! A Groth16 proof as points: decoded strictly, 192 bytes.

use ark_bls12_381::{Bls12_381, G1Affine, G2Affine};
use hansa_types::signal::PROOF_LENGTH;

use crate::points::{G1_BYTES, G2_BYTES, PointError, compressed, g1, g2};

const _: () = assert!(PROOF_LENGTH == 2 * G1_BYTES + G2_BYTES);

/// A, B and C: canonical, in the subgroup, none the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProofPoints {
    pub(crate) a: G1Affine,
    pub(crate) b: G2Affine,
    pub(crate) c: G1Affine,
}

impl ProofPoints {
    pub(crate) fn decode(bytes: &[u8; PROOF_LENGTH]) -> Result<Self, PointError> {
        let (a, rest) = bytes.split_first_chunk::<G1_BYTES>().ok_or(PointError::Invalid)?;
        let (b, c) = rest.split_first_chunk::<G2_BYTES>().ok_or(PointError::Invalid)?;
        let c = c.first_chunk::<G1_BYTES>().ok_or(PointError::Invalid)?;
        Ok(Self { a: g1(a)?, b: g2(b)?, c: g1(c)? })
    }

    pub(crate) fn encode(&self) -> [u8; PROOF_LENGTH] {
        let bytes = [compressed(&self.a), compressed(&self.b), compressed(&self.c)].concat();
        bytes.try_into().expect("48, 96 and 48 bytes")
    }
}

impl From<ark_groth16::Proof<Bls12_381>> for ProofPoints {
    fn from(proof: ark_groth16::Proof<Bls12_381>) -> Self {
        Self { a: proof.a, b: proof.b, c: proof.c }
    }
}
