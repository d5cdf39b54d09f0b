//! Proofs that a contributor knows the secret by which it multiplied, bound to its place in the transcript.
//!
//! With s the secret, r a point of G2 that hashes the place and [s]1, the proof is ([s]1, s r): whoever makes it knows s
//! under the knowledge-of-exponent assumption (Bowe, Gabizon, Miers, 2017/1050, section 3). Written down it is a BLS
//! signature (draft-irtf-cfrg-bls-signature, public keys in G1) under the key s of the place, which is how blst makes
//! and checks it. The same r then shows that an element went from old to new by s: e(new, r) = e(old, s r).

use ark_bls12_381::{Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInteger, Field, PrimeField};
use blst::{blst_p2_affine, min_pk::SecretKey};
use hansa_prover::curve::native::{pairing_product, read_g1, read_g2, to_g2};
use hansa_types::codec::{Encode, Writer};
use zeroize::Zeroizing;

use crate::{
    flaw::Flaw,
    place::Place,
    points::{self, PointsError, Reading},
    secret::Locked,
};

/// The hash-to-curve suite of RFC 9380 under this protocol's name.
const DOMAIN: &[u8] = b"HANSA-CEREMONY-V1_BLS12381G2_XMD:SHA-256_SSWU_RO_";

/// The secrets of a contribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Whose powers phase 1 holds.
    Tau,
    /// Phase 1's first shift.
    Alpha,
    /// Phase 1's second shift.
    Beta,
    /// Phase 2's divisor.
    Delta,
}

impl Secret {
    /// Its name in errors, hashes and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tau => "tau",
            Self::Alpha => "alpha",
            Self::Beta => "beta",
            Self::Delta => "delta",
        }
    }
}

/// A proof of knowledge of one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Knowledge {
    /// [s]1.
    pub(crate) public: G1Affine,
    /// s r.
    pub(crate) proof: G2Affine,
}

impl Knowledge {
    /// The proof of a secret at a place.
    pub(crate) fn prove(secret: &Locked<Fr>, name: Secret, place: &Place) -> Self {
        let key = key(secret);
        let public = public(&key);
        let signature = key.sign(&message(place, name, &public), DOMAIN, &[]).serialize();
        Self { public, proof: read_g2(&signature).expect("blst reads what it writes") }
    }

    /// Whether it is a proof for this place, and which elements it then links.
    pub(crate) fn verify(&self, name: Secret, place: &Place) -> Option<Link> {
        if self.public.is_zero() || self.proof.is_zero() {
            return None;
        }
        let base = hash_to_curve(&message(place, name, &self.public));
        let link = Link { base, proof: to_g2(&self.proof) };
        link.holds(&G1Affine::generator(), &self.public).then_some(link)
    }

    /// Checks that an element went from `old` to `new` by a secret that the contributor at this place knew.
    pub(crate) fn check(
        &self,
        name: Secret,
        place: &Place,
        old: &G1Affine,
        new: &G1Affine,
    ) -> Result<(), Flaw> {
        let link = self.verify(name, place).ok_or(Flaw::Knowledge(name))?;
        if self.public == G1Affine::generator() {
            return Err(Flaw::Nothing(name));
        }
        if link.holds(old, new) { Ok(()) } else { Err(Flaw::Link(name)) }
    }

    /// Whether it is about this secret, which is then public.
    pub(crate) fn is_of(&self, secret: &Locked<Fr>) -> bool {
        self.public == public(&key(secret))
    }

    /// Reads what [`Self::write`] writes.
    pub(crate) fn read(reading: &mut Reading<'_>, name: Secret) -> Result<Self, PointsError> {
        let what = match name {
            Secret::Tau => "proof of knowledge of tau",
            Secret::Alpha => "proof of knowledge of alpha",
            Secret::Beta => "proof of knowledge of beta",
            Secret::Delta => "proof of knowledge of delta",
        };
        Ok(Self { public: reading.one_g1(what)?, proof: reading.one_g2(what)? })
    }

    /// Appends it uncompressed.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        points::write(out, &[self.public]);
        points::write(out, &[self.proof]);
    }
}

/// Shows that elements were multiplied by the secret of a proof.
pub(crate) struct Link {
    base: blst_p2_affine,
    proof: blst_p2_affine,
}

impl Link {
    /// Whether `new` is `old` times the secret.
    pub(crate) fn holds(&self, old: &G1Affine, new: &G1Affine) -> bool {
        pairing_product(&[(*new, self.base), (-*old, self.proof)]) == blst::blst_fp12::default()
    }
}

fn message(place: &Place, name: Secret, public: &G1Affine) -> Vec<u8> {
    let mut out = Writer::default();
    place.encode(&mut out);
    name.name().encode(&mut out);
    let mut message = out.into_bytes();
    points::write(&mut message, std::slice::from_ref(public));
    message
}

fn key(secret: &Fr) -> SecretKey {
    let bytes = Zeroizing::new(secret.into_bigint().to_bytes_be());
    SecretKey::deserialize(&bytes).expect("a secret is a scalar that is not zero")
}

fn public(key: &SecretKey) -> G1Affine {
    read_g1(&key.sk_to_pk().serialize()).expect("blst reads what it writes")
}

/// The message's point in G2: blst's signature under the key one, which is the safe way to its hash to the curve.
fn hash_to_curve(message: &[u8]) -> blst_p2_affine {
    let hash = key(&Fr::ONE).sign(message, DOMAIN, &[]);
    let point: &blst_p2_affine = (&hash).into();
    *point
}

#[cfg(test)]
mod tests {
    use ark_bls12_381::g2;
    use ark_ec::{
        CurveGroup,
        hashing::{HashToCurve, curve_maps::wb::WBMap, map_to_curve_hasher::MapToCurveBasedHasher},
    };
    use ark_ff::field_hashers::DefaultFieldHasher;
    use blst::min_pk::Signature;

    use super::*;
    use crate::{place::tests::place, secret::Entropy};

    fn secret(seed: &[u8]) -> Locked<Fr> {
        Entropy::known(seed).unwrap().scalar("tau").unwrap()
    }

    #[test]
    fn a_proof_holds_for_its_place_and_secret_alone() {
        let (place, s) = (place(2), secret(b"1"));
        let proof = Knowledge::prove(&s, Secret::Tau, &place);
        let link = proof.verify(Secret::Tau, &place).unwrap();
        let old = (G1Affine::generator() * Fr::from(5_u8)).into_affine();
        assert!(link.holds(&old, &(old * *s).into_affine()));
        assert!(!link.holds(&old, &(old * (*s + Fr::ONE)).into_affine()));
        assert!(proof.verify(Secret::Alpha, &place).is_none());
        assert!(proof.verify(Secret::Tau, &crate::place::tests::place(3)).is_none());
        let mut other_charter = place.clone();
        other_charter.charter.0[0] ^= 1;
        assert!(proof.verify(Secret::Tau, &other_charter).is_none());
        let stolen = Knowledge {
            public: Knowledge::prove(&secret(b"2"), Secret::Tau, &place).public,
            ..proof.clone()
        };
        assert!(stolen.verify(Secret::Tau, &place).is_none());
        for nothing in [
            Knowledge { public: G1Affine::identity(), ..proof.clone() },
            Knowledge { proof: G2Affine::identity(), ..proof.clone() },
            Knowledge { public: G1Affine::identity(), proof: G2Affine::identity() },
        ] {
            assert!(nothing.verify(Secret::Tau, &place).is_none());
        }
    }

    /// Another implementation hashes to the same point, and the standard's own check takes the proof.
    #[test]
    fn the_hash_is_that_of_rfc_9380() {
        let place = place(1);
        let proof = Knowledge::prove(&secret(b"3"), Secret::Delta, &place);
        let message = message(&place, Secret::Delta, &proof.public);
        let hasher =
            MapToCurveBasedHasher::<_, DefaultFieldHasher<sha2::Sha256, 128>, WBMap<g2::Config>>::new(DOMAIN)
                .unwrap();
        let theirs: G2Affine = hasher.hash(&message).unwrap();
        assert_eq!(to_g2(&theirs), hash_to_curve(&message));
        let (mut public, mut signature) = (Vec::new(), Vec::new());
        points::write(&mut public, &[proof.public]);
        points::write(&mut signature, &[proof.proof]);
        let public = blst::min_pk::PublicKey::deserialize(&public).unwrap();
        let verified =
            Signature::deserialize(&signature).unwrap().verify(true, &message, DOMAIN, &[], &public, true);
        assert_eq!(verified, blst::BLST_ERROR::BLST_SUCCESS);
    }
}
