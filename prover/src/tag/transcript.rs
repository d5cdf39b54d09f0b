//! The asking side: blind, check the answer, unblind; and the record of it that an auditor re-checks.
//!
//! # Transcript format (version 1)
//!
//! Version byte, the subject's digest (32), the blind (32), the evaluated element (32), the DLEQ proof (64).
//! The blinded element is recomputed, so it cannot disagree with the subject.

use hansa_types::{
    codec::{CodecError, Decode, Encode, Reader, Writer},
    hash::Digest,
    subject::Subject,
};
use rand::{CryptoRng, RngCore};
use sha2::Sha512;
use voprf::{EvaluationElement, Group, Proof, Ristretto255, VoprfClient};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    SubjectSecret,
    evaluator::{BlindedElement, Evaluated},
};

const VERSION: u8 = 1;
/// RFC 9497 section 3.1: `"HashToGroup-" || contextString`, with `"OPRFV1-" || mode || "-" || suite`, mode 1.
const HASH_TO_GROUP: &[u8] = b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512";

/// Why there is no u.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The manifest's key is not a point.
    #[error("the manifest's tag key is not a ristretto255 point other than the identity")]
    PublicKey,
    /// The evaluator answered with something that is no point or proof, or the blind is no scalar.
    #[error("the evaluation is malformed: ask again, or another evaluator")]
    Malformed,
    /// The evaluator used another key than the manifest's.
    #[error("the evaluation's proof does not hold for the manifest's tag key: the evaluator is at fault")]
    Proof,
    /// The subject hashes to no usable point, or is too long; neither can happen to a [`Subject`].
    #[error("the subject cannot be blinded")]
    Subject,
}

/// A question under way; its blind is wiped when dropped.
pub struct TagRequest {
    /// The OPRF input: the subject's canonical, kind-separated digest.
    subject: Digest,
    blind: Blind,
    blinded: BlindedElement,
}

#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
struct Blind([u8; 32]);

impl TagRequest {
    /// Blinds a subject with fresh randomness.
    ///
    /// # Errors
    /// [`TagError::Subject`]; not expected.
    pub fn new(subject: &Subject, rng: &mut (impl RngCore + CryptoRng)) -> Result<Self, TagError> {
        let blind = Zeroizing::new(Ristretto255::random_scalar(rng));
        Self::with_blind(subject.digest(), Blind(blind.to_bytes()))
    }

    fn with_blind(subject: Digest, blind: Blind) -> Result<Self, TagError> {
        let blinded = blinded(&subject.0, &blind.0)?;
        Ok(Self { subject, blind, blinded })
    }

    /// What the evaluator gets.
    #[must_use]
    pub fn blinded(&self) -> BlindedElement {
        self.blinded
    }

    /// Checks the answer and unblinds it.
    ///
    /// # Errors
    /// [`TagError`] if the answer is malformed or was not made with the key behind `tag_key`.
    pub fn finish(
        self,
        evaluated: &Evaluated,
        tag_key: &[u8; 32],
    ) -> Result<(SubjectSecret, TagTranscript), TagError> {
        let transcript = TagTranscript { subject: self.subject, blind: self.blind, evaluated: *evaluated };
        Ok((transcript.check(tag_key)?, transcript))
    }
}

/// Everything from which u follows, given the public tag key. It names the subject, so it is kept as the
/// subject's data are; the blind is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct TagTranscript {
    subject: Digest,
    blind: Blind,
    evaluated: Evaluated,
}

impl TagTranscript {
    /// Whom it is about: [`Subject::digest`].
    #[must_use]
    pub fn subject(&self) -> Digest {
        self.subject
    }

    /// Recomputes u, having checked that the evaluation is the key's.
    ///
    /// # Errors
    /// [`TagError`].
    pub fn check(&self, tag_key: &[u8; 32]) -> Result<SubjectSecret, TagError> {
        finalize(&self.subject.0, &self.blind.0, &self.evaluated, tag_key)
    }
}

/// `blind * HashToGroup(input)`.
pub(super) fn blinded(input: &[u8], blind: &[u8; 32]) -> Result<BlindedElement, TagError> {
    let scalar = Zeroizing::new(Ristretto255::deserialize_scalar(blind).map_err(|_| TagError::Malformed)?);
    let point =
        Ristretto255::hash_to_curve::<Sha512>(&[input], &[HASH_TO_GROUP]).map_err(|_| TagError::Subject)?;
    let blinded = point * *scalar;
    if bool::from(Ristretto255::is_identity_elem(blinded)) {
        return Err(TagError::Subject);
    }
    Ok(BlindedElement(blinded.compress().to_bytes()))
}

/// RFC 9497 `Finalize` in VOPRF mode: checks the proof, unblinds, hashes.
pub(super) fn finalize(
    input: &[u8],
    blind: &[u8; 32],
    evaluated: &Evaluated,
    tag_key: &[u8; 32],
) -> Result<SubjectSecret, TagError> {
    let key = Ristretto255::deserialize_elem(tag_key).map_err(|_| TagError::PublicKey)?;
    let state = Zeroizing::new([*blind, blinded(input, blind)?.0].concat());
    let client = VoprfClient::<Ristretto255>::deserialize(&state).map_err(|_| TagError::Malformed)?;
    let element = EvaluationElement::deserialize(&evaluated.element).map_err(|_| TagError::Malformed)?;
    let proof = Proof::deserialize(&evaluated.proof).map_err(|_| TagError::Malformed)?;
    let output = client.finalize(input, &element, &proof, key).map_err(|error| match error {
        voprf::Error::ProofVerification => TagError::Proof,
        _ => TagError::Subject,
    })?;
    let output = Zeroizing::new(<[u8; 64]>::from(output));
    Ok(SubjectSecret::from_bytes(&output))
}

impl Encode for TagTranscript {
    fn encode(&self, out: &mut Writer) {
        out.u8(VERSION);
        self.subject.encode(out);
        out.raw(&self.blind.0);
        out.raw(&self.evaluated.element);
        out.raw(&self.evaluated.proof);
    }
}

impl Decode for TagTranscript {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("tag transcript", VERSION)?;
        Ok(Self {
            subject: Decode::decode(input)?,
            blind: Blind(input.array()?),
            evaluated: Evaluated { element: input.array()?, proof: input.array()? },
        })
    }
}

impl std::fmt::Debug for TagTranscript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TagTranscript(..)")
    }
}
