//! Blinded tags: a subject's u is the output of an oblivious PRF (RFC 9497, VOPRF mode,
//! ristretto255-SHA512) under the consortium's key, and its tag `P(7, u, scope)`.
//!
//! Nobody computes u alone: a bank blinds the subject, an [`TagEvaluator`] applies the key without seeing the
//! subject, and the bank unblinds. [`TagTranscript`] keeps what an auditor needs to check u offline.

mod development;
mod evaluator;
#[cfg(test)]
mod tests;
mod transcript;

use hansa_types::hash::Field;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use self::{
    development::{DevelopmentTagKey, NotATagKey},
    evaluator::{BlindedElement, Evaluated, Evaluation, EvaluatorError, MAX_BATCH, TagEvaluator},
    transcript::{TagError, TagRequest, TagTranscript},
};
use crate::{
    derive,
    field::{Fr, Meaning, encode, from_bytes},
};

/// Bytes of an OPRF output under SHA-512.
pub const SUBJECT_SECRET_BYTES: usize = 64;

/// u: what only those know who asked about the subject; wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SubjectSecret([u8; SUBJECT_SECRET_BYTES]);

impl SubjectSecret {
    /// An output stored earlier. That it is one, only its transcript shows.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; SUBJECT_SECRET_BYTES]) -> Self {
        Self(*bytes)
    }

    /// The output's bytes, for storing them encrypted.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SUBJECT_SECRET_BYTES] {
        &self.0
    }

    /// The subject's tag in a scope ([`crate::verify::Context::scope`]).
    #[must_use]
    pub fn tag(&self, scope: Fr) -> Field {
        encode(&derive::tag(self.element(), scope))
    }

    pub(crate) fn element(&self) -> Fr {
        from_bytes(Meaning::Subject, &self.0)
    }
}

impl std::fmt::Debug for SubjectSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectSecret(..)")
    }
}
