//! The verifying key and the only pairing check there is: nothing calls ark-groth16's `verify`.

use ark_bls12_381::{Bls12_381, Fr, G1Affine, G2Affine, g1::Config};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field};
use blst::{blst_fp12, blst_p2_affine};
use hansa_types::hash::Digest;
use sha2::{Digest as _, Sha256};

use super::{
    KeyError,
    file::{self, Kind},
};
use crate::{
    circuit::PublicInputs,
    curve::{
        native::{pairing_product, to_g2},
        table::{Table, integers},
    },
    points::{G1_BYTES, G2_BYTES, PointError, compressed, g1, g2},
};

/// Points of G1 for the constant and the public inputs.
const INPUT_POINTS: usize = PublicInputs::COUNT + 1;
/// Bytes of the payload.
pub(super) const PAYLOAD: usize = G1_BYTES + 3 * G2_BYTES + INPUT_POINTS * G1_BYTES;

/// Bits of a digit of the inputs: their points are ten.
const W: usize = 5;

/// A sound verifying key of this circuit, prepared for pairings.
#[derive(Clone)]
pub struct VerifyingKey {
    pub(super) points: ark_groth16::VerifyingKey<Bls12_381>,
    /// The constant's and the inputs' points: exactly as many as the statement has.
    inputs: [G1Affine; INPUT_POINTS],
    /// Multiples of those.
    table: Table<Config, W>,
    pub(crate) beta: blst_p2_affine,
    pub(crate) minus_gamma: blst_p2_affine,
    pub(crate) minus_delta: blst_p2_affine,
    pub(crate) alpha_beta: blst_fp12,
    hash: Digest,
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyingKey").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl VerifyingKey {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyError`] for another circuit or number of inputs, a point that is not canonical, in the subgroup and
    /// finite, and delta equal to plus or minus gamma or the generator.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::from_payload(file::read(Kind::Verifying, bytes, PAYLOAD)?)
    }

    /// Reads a key file and accepts only the one whose hash is pinned.
    ///
    /// # Errors
    /// As [`Self::from_bytes`], and [`KeyError::NotPinned`].
    pub fn load(bytes: &[u8], pinned: &Digest) -> Result<Self, KeyError> {
        let found = Digest(Sha256::digest(bytes).into());
        if found != *pinned {
            return Err(KeyError::NotPinned { found, pinned: *pinned });
        }
        Self::from_bytes(bytes)
    }

    /// The key file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        file::write(Kind::Verifying, &self.payload())
    }

    /// SHA-256 of the key file: what the manifest pins and the scope binds.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.hash
    }

    pub(super) fn from_payload(payload: &[u8]) -> Result<Self, KeyError> {
        let malformed = KeyError::Length { found: payload.len() as u64, known: PAYLOAD as u64 };
        let (alpha, rest) = payload.split_first_chunk::<G1_BYTES>().ok_or(malformed.clone())?;
        let (beta, rest) = rest.split_first_chunk::<G2_BYTES>().ok_or(malformed.clone())?;
        let (gamma, rest) = rest.split_first_chunk::<G2_BYTES>().ok_or(malformed.clone())?;
        let (delta, rest) = rest.split_first_chunk::<G2_BYTES>().ok_or(malformed.clone())?;
        let (inputs, []) = rest.as_chunks::<G1_BYTES>() else { return Err(malformed) };
        let at = |what| move |source| KeyError::Point { what, source };
        let points = ark_groth16::VerifyingKey {
            alpha_g1: g1(alpha).map_err(at("alpha"))?,
            beta_g2: g2(beta).map_err(at("beta"))?,
            gamma_g2: g2(gamma).map_err(at("gamma"))?,
            delta_g2: g2(delta).map_err(at("delta"))?,
            gamma_abc_g1: inputs
                .iter()
                .map(g1)
                .collect::<Result<_, PointError>>()
                .map_err(at("an input's point"))?,
        };
        Self::new(points)
    }

    /// Prepares a key, having checked what makes proofs forgeable.
    pub(super) fn new(points: ark_groth16::VerifyingKey<Bls12_381>) -> Result<Self, KeyError> {
        let found = (G1_BYTES * points.gamma_abc_g1.len() + PAYLOAD - INPUT_POINTS * G1_BYTES) as u64;
        let inputs: [G1Affine; INPUT_POINTS] = points
            .gamma_abc_g1
            .as_slice()
            .try_into()
            .map_err(|_| KeyError::Length { found, known: PAYLOAD as u64 })?;
        let identity = |what| KeyError::Point { what, source: PointError::Identity };
        for (what, point) in
            [("beta", points.beta_g2), ("gamma", points.gamma_g2), ("delta", points.delta_g2)]
        {
            if point.is_zero() {
                return Err(identity(what));
            }
        }
        if points.alpha_g1.is_zero() || inputs.iter().any(AffineRepr::is_zero) {
            return Err(identity("alpha or an input's point"));
        }
        for (what, trivial) in [("gamma", points.gamma_g2), ("the generator", G2Affine::generator())] {
            if points.delta_g2 == trivial || points.delta_g2 == -trivial {
                return Err(KeyError::TrivialDelta(what));
            }
        }
        let mut key = Self {
            inputs,
            table: Table::new(inputs.iter()),
            beta: to_g2(&points.beta_g2),
            minus_gamma: to_g2(&-points.gamma_g2),
            minus_delta: to_g2(&-points.delta_g2),
            alpha_beta: pairing_product(&[(points.alpha_g1, to_g2(&points.beta_g2))]),
            points,
            hash: Digest([0; 32]),
        };
        key.hash = Digest(Sha256::digest(key.to_bytes()).into());
        Ok(key)
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        let mut payload = compressed(&self.points.alpha_g1);
        for point in [&self.points.beta_g2, &self.points.gamma_g2, &self.points.delta_g2] {
            payload.extend(compressed(point));
        }
        for point in &self.inputs {
            payload.extend(compressed(point));
        }
        payload
    }

    /// The key's points.
    pub(crate) fn points(&self) -> &ark_groth16::VerifyingKey<Bls12_381> {
        &self.points
    }

    /// alpha in G1.
    pub(crate) fn alpha(&self) -> G1Affine {
        self.points.alpha_g1
    }

    /// The point of the public inputs: the constant's plus each input times its own.
    pub(crate) fn input_point(&self, inputs: &PublicInputs) -> G1Affine {
        self.weighted_input_point(&[(Fr::ONE, inputs)])
    }

    /// The same over a batch: each statement weighted, the constant's point by the sum of the weights.
    pub(crate) fn weighted_input_point(&self, batch: &[(Fr, &PublicInputs)]) -> G1Affine {
        let mut scalars = [Fr::ZERO; INPUT_POINTS];
        for (weight, inputs) in batch {
            scalars[0] += weight;
            for (scalar, input) in scalars[1..].iter_mut().zip(inputs.to_array()) {
                *scalar += *weight * input;
            }
        }
        self.table.sum(&integers(&scalars)).into_affine()
    }
}
