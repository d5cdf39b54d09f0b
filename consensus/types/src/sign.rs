//! Ed25519 signatures (RFC 8032): the small trait behind which a key lives, and strict verification.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::hash::PublicKey;

/// A signing key that does not leave its place (file, token, vault).
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> PublicKey;
    /// Signs `message`.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

/// Why a key could not sign.
#[derive(Debug, thiserror::Error)]
#[error("the signing key is not available: {0}")]
pub struct SignError(pub String);

/// Verifies strictly: canonical encodings, no small-order keys, so that a signature means the same to every verifier.
pub fn verify(key: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(&key.0)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}
