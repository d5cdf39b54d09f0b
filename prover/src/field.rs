//! The scalar field of BLS12-381, and the only ways bytes enter it.
//!
//! [`decode`] takes a canonical element or refuses; [`from_bytes`] hashes a byte string to a field element
//! by a wide reduction of a domain-separated SHA-512. There is no other road in: reducing bytes from outside
//! modulo r would give one value many encodings.

pub use ark_bls12_381::Fr;
use ark_ff::{BigInteger, PrimeField};
use hansa_types::hash::Field;
use sha2::{Digest as _, Sha512};

/// Prefix of every hash to the field: name, purpose, version.
const HASH_TO_FIELD: &[u8] = b"hansa/hash-to-field/v1";

/// The 32 bytes are not a field element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a canonical BLS12-381 scalar: the 32 little-endian bytes are not below the group order")]
pub struct NonCanonical;

/// The element of a canonical little-endian encoding.
///
/// # Errors
/// [`NonCanonical`] if the integer is not below r.
pub fn decode(field: &Field) -> Result<Fr, NonCanonical> {
    let bytes = &field.0;
    let mut limbs = [0_u64; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = chunk.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte));
    }
    Fr::from_bigint(ark_ff::BigInt::new(limbs)).ok_or(NonCanonical)
}

/// The canonical encoding: 32 bytes, little-endian.
#[must_use]
pub fn encode(element: &Fr) -> Field {
    Field(to_bytes(element))
}

/// [`encode`] without the type.
pub(crate) fn to_bytes(element: &Fr) -> [u8; 32] {
    element.into_bigint().to_bytes_le().try_into().expect("four limbs of 64 bits are 32 bytes")
}

/// What a byte string means when it enters the field; separates equal bytes of different meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A signal's digest, for x.
    Signal,
    /// A subject's OPRF output u.
    Subject,
    /// The consortium's identifier.
    Consortium,
    /// A verifying key's hash.
    VerifyingKey,
    /// A decision's identifier.
    Decision,
    /// The salt of a decision commitment.
    Salt,
    /// A member's seed, for sk.
    MemberSecret,
    /// An epoch and a member's seed, for t_e.
    TraceSecret,
}

impl Meaning {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Signal => b"signal",
            Self::Subject => b"subject",
            Self::Consortium => b"consortium",
            Self::VerifyingKey => b"verifying-key",
            Self::Decision => b"decision",
            Self::Salt => b"salt",
            Self::MemberSecret => b"member-secret",
            Self::TraceSecret => b"trace-secret",
        }
    }
}

/// A byte string as a field element: SHA-512 over prefix, label and bytes (the first two with their
/// lengths), 64 bytes little-endian, modulo r. The bias is below 2^-256.
#[must_use]
pub fn from_bytes(meaning: Meaning, bytes: &[u8]) -> Fr {
    let label = meaning.label();
    let mut hash = Sha512::new();
    for part in [HASH_TO_FIELD, label] {
        hash.update([u8::try_from(part.len()).expect("labels are short constants")]);
        hash.update(part);
    }
    hash.update(bytes);
    Fr::from_le_bytes_mod_order(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use ark_ff::{AdditiveGroup, Field as _, UniformRand};
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn encoding_is_canonical() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for element in [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::rand(&mut rng)] {
            assert_eq!(decode(&encode(&element)), Ok(element));
        }
        let order: [u8; 32] = Fr::MODULUS.to_bytes_le().try_into().unwrap();
        assert_eq!(decode(&Field(order)), Err(NonCanonical));
        assert_eq!(decode(&Field([0xff; 32])), Err(NonCanonical));
        let mut one_plus_order = order;
        one_plus_order[0] += 1;
        assert_eq!(decode(&Field(one_plus_order)), Err(NonCanonical));
    }

    #[test]
    fn hashes_to_the_field_are_frozen() {
        use Meaning::{Consortium, Decision, MemberSecret, Salt, Signal, Subject, TraceSecret, VerifyingKey};
        let bytes: [u8; 32] = std::array::from_fn(|i| i as u8);
        let meanings = [Signal, Subject, Consortium, VerifyingKey, Decision, Salt, MemberSecret, TraceSecret];
        let lines: Vec<String> = meanings
            .map(|meaning| {
                let label = std::str::from_utf8(meaning.label()).unwrap();
                format!("{label}: {}", hex::encode(to_bytes(&from_bytes(meaning, &bytes))))
            })
            .to_vec();
        let frozen = include_str!("../tests/vectors/hash-to-field.txt");
        let frozen: Vec<&str> = frozen.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines, frozen);
    }

    #[test]
    fn meanings_do_not_collide() {
        assert_ne!(from_bytes(Meaning::Signal, b"x"), from_bytes(Meaning::Subject, b"x"));
        assert_ne!(from_bytes(Meaning::Signal, b"x"), from_bytes(Meaning::Signal, b"x\0"));
    }
}
