//! The beacon: public randomness from a round of a drand chain that nobody could know when the charter was signed.
//!
//! A contribution made from it is known to all, so it counts towards nothing; it only takes from the last contributor
//! the choice of the outcome. Phase 2 is secure without it (Kohlweiss, Maller, Siim, Volkhov, 2021/219). Chains of the
//! scheme `bls-unchained-g1-rfc9380` can be checked offline: a round's signature is a BLS signature in G1 on the
//! SHA-256 of its number, under the chain's key in G2.

use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use blst::{BLST_ERROR, min_sig};
use hansa_types::{codec_struct, hash::Digest};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

use crate::{
    flaw::Flaw,
    secret::{Locked, SecretError, wide_scalar},
};

/// The suite of drand's scheme (RFC 9380, draft-irtf-cfrg-bls-signature).
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

/// A round of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beacon {
    /// The chain's hash, as drand names it.
    pub chain: Digest,
    /// The chain's key: 96 bytes, compressed.
    #[serde(with = "hex::serde")]
    pub key: [u8; 96],
    /// The round.
    pub round: u64,
}
codec_struct!(Beacon { chain, key, round });

impl Beacon {
    /// Whether the key is one.
    ///
    /// # Errors
    /// [`Flaw::Beacon`].
    pub fn check(&self) -> Result<(), Flaw> {
        min_sig::PublicKey::key_validate(&self.key)
            .map(|_| ())
            .map_err(|_| Flaw::Beacon("the chain's key is not a key of BLS12-381 in G2"))
    }

    /// Checks that this is the signature of the round.
    ///
    /// # Errors
    /// [`Flaw::Beacon`].
    pub fn verify(&self, signature: &[u8; 48]) -> Result<(), Flaw> {
        let wrong =
            Flaw::Beacon("the signature is not that of the charter's round under the charter's chain key");
        let key = min_sig::PublicKey::key_validate(&self.key).map_err(|_| wrong.clone())?;
        let read = min_sig::Signature::uncompress(signature).map_err(|_| wrong.clone())?;
        let message = Sha256::digest(self.round.to_be_bytes());
        if read.verify(true, &message, DOMAIN, &[], &key, false) == BLST_ERROR::BLST_SUCCESS {
            Ok(())
        } else {
            Err(wrong)
        }
    }
}

/// What the beacon's round multiplies delta by, at this point of the transcript. Public, so locked for no reason but that
/// contributions take it so.
pub(crate) fn scalar(signature: &[u8; 48], previous: &Digest) -> Result<Locked<Fr>, SecretError> {
    let mut scalar = Locked::new(Fr::ZERO)?;
    let mut attempt = 0_u8;
    while *scalar == Fr::ZERO || *scalar == Fr::ONE {
        let mut hash = Sha512::new_with_prefix(b"hansa/ceremony/beacon/v1\0");
        hash.update(signature);
        hash.update(previous.0);
        hash.update([attempt]);
        *scalar = wide_scalar(&hash.finalize().into());
        attempt = attempt.wrapping_add(1);
    }
    Ok(scalar)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Round 1000 of drand's quicknet, as published.
    pub(crate) fn quicknet() -> (Beacon, [u8; 48]) {
        let key = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451\
                   0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";
        let signature = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39";
        let beacon = Beacon {
            chain: "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971".parse().unwrap(),
            key: hex::decode(key).unwrap().try_into().unwrap(),
            round: 1000,
        };
        (beacon, hex::decode(signature).unwrap().try_into().unwrap())
    }

    #[test]
    fn a_published_round_verifies_and_nothing_else() {
        let (beacon, signature) = quicknet();
        beacon.check().unwrap();
        beacon.verify(&signature).unwrap();
        assert!(Beacon { round: 1001, ..beacon.clone() }.verify(&signature).is_err());
        for at in [0, 20, 47] {
            let mut altered = signature;
            altered[at] ^= 1;
            assert!(beacon.verify(&altered).is_err());
        }
        let mut identity = [0; 96];
        identity[0] = 0xc0;
        assert!(Beacon { key: identity, ..beacon }.check().is_err());
    }

    #[test]
    fn what_it_multiplies_by_depends_on_round_and_place() {
        let one = *scalar(&[1; 48], &Digest([1; 32])).unwrap();
        assert_ne!(one, *scalar(&[1; 48], &Digest([2; 32])).unwrap());
        assert_ne!(one, *scalar(&[2; 48], &Digest([1; 32])).unwrap());
    }
}
