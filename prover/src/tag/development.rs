//! A tag key in one hand, for development: its holder can evaluate any subject alone.
//!
//! # File format (version 1)
//!
//! `"HANSATAG"`, version byte, the 32 canonical bytes of the ristretto255 scalar.

use rand::{CryptoRng, RngCore, rngs::OsRng};
use voprf::{Group, Ristretto255, VoprfServer};
use zeroize::Zeroizing;

use super::evaluator::{BlindedElement, Evaluated, Evaluation, EvaluatorError, MAX_BATCH, TagEvaluator};

const MAGIC: &[u8; 8] = b"HANSATAG";
const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;

/// Why a file is not a tag key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a development tag key: 41 bytes that begin with HANSATAG, version 1 and a non-zero scalar are wanted"
)]
pub struct NotATagKey;

/// The whole tag key. A manifest with its public key must say `development = true`.
pub struct DevelopmentTagKey {
    server: VoprfServer<Ristretto255>,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

impl DevelopmentTagKey {
    /// A fresh key.
    #[must_use]
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let scalar = Zeroizing::new(Ristretto255::random_scalar(rng));
        Self::from_scalar(&scalar.to_bytes()).expect("a random scalar is canonical and not zero")
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`NotATagKey`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotATagKey> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(NotATagKey)?;
        let key = rest.strip_prefix(&[VERSION]).ok_or(NotATagKey)?;
        Self::from_scalar(key.try_into().map_err(|_| NotATagKey)?)
    }

    fn from_scalar(key: &[u8; KEY_BYTES]) -> Result<Self, NotATagKey> {
        let server = VoprfServer::new_with_key(key).map_err(|_| NotATagKey)?;
        Ok(Self { server, key: Zeroizing::new(*key) })
    }

    /// The key file.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&MAGIC[..], &[VERSION], &self.key[..]].concat())
    }

    /// The public key, for the manifest.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.server.get_public_key().compress().to_bytes()
    }

    /// Evaluates with the given randomness for the proofs.
    pub(super) fn evaluate_with(
        &self,
        blinded: &[BlindedElement],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Evaluation, EvaluatorError> {
        if blinded.len() > MAX_BATCH {
            return Err(EvaluatorError::TooMany(blinded.len()));
        }
        let evaluate = |(i, element): (usize, &BlindedElement)| {
            let element = voprf::BlindedElement::deserialize(&element.0);
            let result = self.server.blind_evaluate(rng, &element.map_err(|_| EvaluatorError::Element(i))?);
            Ok(Evaluated {
                element: result.message.serialize().into(),
                proof: result.proof.serialize().into(),
            })
        };
        Ok(Evaluation(blinded.iter().enumerate().map(evaluate).collect::<Result<_, _>>()?))
    }
}

impl TagEvaluator for DevelopmentTagKey {
    fn evaluate(&self, blinded: &[BlindedElement]) -> Result<Evaluation, EvaluatorError> {
        self.evaluate_with(blinded, &mut OsRng)
    }
}

impl std::fmt::Debug for DevelopmentTagKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DevelopmentTagKey(..)")
    }
}
