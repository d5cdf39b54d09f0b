//! Curve points from bytes: canonical, on the curve, in the subgroup, not the identity, or refused.

use ark_bls12_381::{G1Affine, G2Affine};
use ark_serialize::CanonicalSerialize;

use crate::curve::native;

/// Bytes of a compressed point of G1 (ZCash encoding).
pub(crate) const G1_BYTES: usize = 48;
/// Bytes of a compressed point of G2.
pub(crate) const G2_BYTES: usize = 96;

/// Why bytes are not an acceptable point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// Not a canonical encoding, not on the curve, or outside the subgroup of prime order.
    #[error("not the canonical encoding of a point of the prime-order subgroup")]
    Invalid,
    /// The point at infinity, which honest keys and proofs do not contain.
    #[error("the point at infinity")]
    Identity,
}

/// A compressed point of G1.
pub(crate) fn g1(bytes: &[u8; G1_BYTES]) -> Result<G1Affine, PointError> {
    let point = native::decompress_g1(bytes)?;
    if native::is_in_g1(&point) { Ok(point) } else { Err(PointError::Invalid) }
}

/// A compressed point of G2.
pub(crate) fn g2(bytes: &[u8; G2_BYTES]) -> Result<G2Affine, PointError> {
    native::decompress_g2(bytes)
}

/// The compressed encoding of a point.
pub(crate) fn compressed(point: &impl CanonicalSerialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(point.compressed_size());
    point.serialize_compressed(&mut bytes).expect("writing to memory does not fail");
    bytes
}

#[cfg(test)]
pub(crate) mod tests {
    use ark_bls12_381::{Fq, Fq2};
    use ark_ec::AffineRepr;
    use ark_ff::{AdditiveGroup, Field};

    use super::*;

    /// A point of the curve outside the subgroup: the cofactor is so large that the first x with a point does.
    pub(crate) fn outside_g1() -> G1Affine {
        let mut x = Fq::ZERO;
        loop {
            x += Fq::ONE;
            if let Some(point) = G1Affine::get_point_from_x_unchecked(x, false)
                && !point.is_in_correct_subgroup_assuming_on_curve()
            {
                return point;
            }
        }
    }

    /// The same in G2.
    pub(crate) fn outside_g2() -> G2Affine {
        let mut x = Fq2::ZERO;
        loop {
            x += Fq2::ONE;
            if let Some(point) = G2Affine::get_point_from_x_unchecked(x, false)
                && !point.is_in_correct_subgroup_assuming_on_curve()
            {
                return point;
            }
        }
    }

    #[test]
    fn only_canonical_points_of_the_subgroup() {
        let g = compressed(&G1Affine::generator());
        let bytes: [u8; G1_BYTES] = g.try_into().unwrap();
        assert_eq!(g1(&bytes), Ok(G1Affine::generator()));
        let outside: [u8; G1_BYTES] = compressed(&outside_g1()).try_into().unwrap();
        assert_eq!(g1(&outside), Err(PointError::Invalid));
        let outside: [u8; G2_BYTES] = compressed(&outside_g2()).try_into().unwrap();
        assert_eq!(g2(&outside), Err(PointError::Invalid));
        let identity: [u8; G1_BYTES] = compressed(&G1Affine::identity()).try_into().unwrap();
        assert_eq!(g1(&identity), Err(PointError::Identity));
        // The same point with its x written as x + p, without the compression flag, and infinity with a tail.
        let mut no_flag = bytes;
        no_flag[0] &= 0x7f;
        let mut tail = identity;
        tail[47] = 1;
        for bad in [no_flag, tail, [0xff; G1_BYTES], [0; G1_BYTES]] {
            assert_eq!(g1(&bad), Err(PointError::Invalid));
        }
    }
}
