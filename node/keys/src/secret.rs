//! Thirty-two secret bytes: zeroised when dropped, never printed, and the ways they are used.

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand::{CryptoRng, RngCore};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of the commitment to the key behind the nonce of what [`Secret::wrap_committed`] returns.
const COMMITMENT: usize = 32;
const COMMITTED_KEY: &[u8] = b"hansa/committed-wrap/key/v1\0";
const COMMITTED_NAME: &[u8] = b"hansa/committed-wrap/commitment/v1\0";

/// Bytes of the nonce in front of what [`Secret::wrap`] returns.
const NONCE: usize = 24;

/// Bytes that do not unwrap under this secret and context: altered, or wrapped elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the wrapped bytes were altered, or belong to another key or context")]
pub struct UnwrapError;

/// A secret of 256 bits.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// A fresh secret.
    pub fn random(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// The secret with these bytes; the caller's copy is the caller's to clear.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one call that needs them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A secret that follows from this one and `info` by HKDF-SHA256 (RFC 5869) and gives nothing away about it.
    pub fn derive(&self, info: &[u8]) -> Self {
        let mut out = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, self.0.as_ref())
            .expand(info, out.as_mut())
            .expect("32 bytes are within HKDF-SHA256's 8,160");
        Self(out)
    }

    /// HMAC-SHA256 (RFC 2104) of `parts` one after the other: a digest only who has this secret can compute.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(self.0.as_ref()).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Encrypts `plaintext` for whoever has this secret, bound to `context`: XChaCha20-Poly1305 under a random nonce,
    /// which stands in front.
    pub fn wrap(&self, context: &[u8], plaintext: &[u8], rng: &mut (impl RngCore + CryptoRng)) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let sealed = self
            .cipher()
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: plaintext, aad: context })
            .expect("what a node wraps is far below the cipher's limit");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Reverses [`Self::wrap`] under the same context.
    pub fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnwrapError> {
        let (nonce, sealed) = wrapped.split_at_checked(NONCE).ok_or(UnwrapError)?;
        self.cipher()
            .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: context })
            .map(Zeroizing::new)
            .map_err(|_| UnwrapError)
    }

    /// A secret that follows from this one and all `others`, in their order: without one of them nothing of it is known.
    pub fn joined_with(&self, info: &[u8], others: &[Self]) -> Self {
        let mut input = Zeroizing::new(Vec::with_capacity(32 * (1 + others.len())));
        std::iter::once(self).chain(others).for_each(|secret| input.extend_from_slice(secret.expose()));
        let mut out = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &input)
            .expand(info, out.as_mut())
            .expect("32 bytes are within HKDF-SHA256's 8,160");
        Self(out)
    }

    /// As [`Self::wrap`], and such that the result opens under no other secret: XChaCha20-Poly1305 alone does not commit
    /// to its key.
    pub fn wrap_committed(
        &self,
        context: &[u8],
        plaintext: &[u8],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let commitment = self.mac(&[COMMITTED_NAME, &nonce]);
        let inner = Self(Zeroizing::new(self.mac(&[COMMITTED_KEY, &nonce])));
        let sealed = inner.wrap(context, plaintext, rng);
        [nonce.as_slice(), &commitment, &sealed].concat()
    }

    /// Reverses [`Self::wrap_committed`] under the same context.
    pub fn unwrap_committed(
        &self,
        context: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, UnwrapError> {
        let (nonce, rest) = wrapped.split_at_checked(NONCE).ok_or(UnwrapError)?;
        let (commitment, sealed) = rest.split_at_checked(COMMITMENT).ok_or(UnwrapError)?;
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(self.0.as_ref()).expect("HMAC takes keys of any length");
        mac.update(COMMITTED_NAME);
        mac.update(nonce);
        mac.verify_slice(commitment).map_err(|_| UnwrapError)?;
        Self(Zeroizing::new(self.mac(&[COMMITTED_KEY, nonce]))).unwrap(context, sealed)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.as_ref().into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivation_and_mac_separate_their_inputs() {
        let secret = Secret::from_bytes([7; 32]);
        assert_ne!(secret.derive(b"a").expose(), secret.derive(b"b").expose());
        assert_ne!(secret.derive(b"a").expose(), secret.expose());
        assert_eq!(secret.mac(&[b"ab", b"c"]), secret.mac(&[b"a", b"bc"]), "parts are one message");
        assert_ne!(secret.mac(&[b"ab"]), secret.mac(&[b"ac"]));
    }

    /// RFC 4231, test case 2 has a short key; the one with a 32-byte key is made here from its definition.
    #[test]
    fn mac_is_hmac_sha256() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe"); // HMAC pads short keys with zeros, so this is RFC 4231's test case 2
        let mac = Secret::from_bytes(key).mac(&[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex::encode(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn wrapping_binds_key_context_and_every_byte() {
        use rand::SeedableRng;
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let secret = Secret::from_bytes([7; 32]);
        let wrapped = secret.wrap(b"context", b"witness", &mut rng);
        assert_eq!(secret.unwrap(b"context", &wrapped).unwrap().as_slice(), b"witness");
        assert_eq!(secret.unwrap(b"other", &wrapped), Err(UnwrapError));
        assert_eq!(Secret::from_bytes([8; 32]).unwrap(b"context", &wrapped), Err(UnwrapError));
        for index in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[index] ^= 1;
            assert_eq!(secret.unwrap(b"context", &changed), Err(UnwrapError), "byte {index}");
        }
        assert_eq!(secret.unwrap(b"context", &wrapped[..NONCE - 1]), Err(UnwrapError));
    }

    #[test]
    fn a_committed_wrapping_binds_key_context_and_every_byte() {
        use rand::SeedableRng;
        let mut rng = rand::rngs::StdRng::seed_from_u64(2);
        let secret = Secret::from_bytes([7; 32]);
        let wrapped = secret.wrap_committed(b"context", b"key", &mut rng);
        assert_eq!(secret.unwrap_committed(b"context", &wrapped).unwrap().as_slice(), b"key");
        assert_eq!(secret.unwrap_committed(b"other", &wrapped), Err(UnwrapError));
        assert_eq!(Secret::from_bytes([8; 32]).unwrap_committed(b"context", &wrapped), Err(UnwrapError));
        for index in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[index] ^= 1;
            assert_eq!(secret.unwrap_committed(b"context", &changed), Err(UnwrapError), "byte {index}");
        }
        assert_eq!(secret.unwrap_committed(b"context", &wrapped[..NONCE + COMMITMENT]), Err(UnwrapError));
    }

    #[test]
    fn a_joined_secret_takes_each_of_its_parts_in_order() {
        let [a, b, c] = [1, 2, 3].map(|byte| Secret::from_bytes([byte; 32]));
        let joined = a.joined_with(b"x", &[b.clone(), c.clone()]);
        for other in [
            a.joined_with(b"x", &[c.clone(), b.clone()]),
            a.joined_with(b"x", std::slice::from_ref(&b)),
            a.joined_with(b"y", &[b.clone(), c.clone()]),
            b.joined_with(b"x", &[a.clone(), c.clone()]),
        ] {
            assert_ne!(joined.expose(), other.expose());
        }
    }

    #[test]
    fn debug_prints_nothing() {
        assert_eq!(format!("{:?}", Secret::from_bytes([7; 32])), "Secret(..)");
    }
}
