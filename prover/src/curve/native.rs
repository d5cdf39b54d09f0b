//! Between arkworks' points and blst's: both hold coordinates as six 64-bit limbs in Montgomery form with R = 2^384.
//!
//! blst decompresses, checks subgroups and runs Miller loops in half of arkworks' time (docs/decisions/0020). Its
//! safe interface is enough for us.

use ark_bls12_381::{Fq, Fq2, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, BigInt, PrimeField};
use blst::{MultiPoint, blst_fp, blst_fp2, blst_fp12, blst_p1_affine, blst_p2_affine, min_pk};

use crate::{field::to_bytes, points::PointError};

fn to_fp(x: &Fq) -> blst_fp {
    blst_fp { l: x.0.0 }
}

fn from_fp(x: &blst_fp) -> Fq {
    // blst reduces every result below the modulus, which is arkworks' invariant too.
    Fq::new_unchecked(BigInt::new(x.l))
}

fn to_fp2(x: &Fq2) -> blst_fp2 {
    blst_fp2 { fp: [to_fp(&x.c0), to_fp(&x.c1)] }
}

fn from_fp2(x: &blst_fp2) -> Fq2 {
    Fq2::new(from_fp(&x.fp[0]), from_fp(&x.fp[1]))
}

/// blst's form of a point that is not the identity; of the identity it is (0, 0), as blst has it.
#[must_use]
pub fn to_g1(point: &G1Affine) -> blst_p1_affine {
    let (x, y) = point.xy().unwrap_or((Fq::ZERO, Fq::ZERO));
    blst_p1_affine { x: to_fp(&x), y: to_fp(&y) }
}

/// [`to_g1`] for G2.
#[must_use]
pub fn to_g2(point: &G2Affine) -> blst_p2_affine {
    let (x, y) = point.xy().unwrap_or((Fq2::ZERO, Fq2::ZERO));
    blst_p2_affine { x: to_fp2(&x), y: to_fp2(&y) }
}

/// The point of a compressed encoding: canonical and on the curve, not yet known to be in the subgroup.
///
/// # Errors
/// [`PointError`]; the identity is none.
pub fn decompress_g1(bytes: &[u8; 48]) -> Result<G1Affine, PointError> {
    let point = min_pk::PublicKey::uncompress(bytes).map_err(|_| PointError::Invalid)?;
    let point: &blst_p1_affine = (&point).into();
    let (x, y) = (from_fp(&point.x), from_fp(&point.y));
    let point = affine_g1(x, y);
    if point.is_zero() { Err(PointError::Identity) } else { Ok(point) }
}

/// [`decompress_g1`] for G2, and the point is in the subgroup.
///
/// # Errors
/// As [`decompress_g1`].
pub fn decompress_g2(bytes: &[u8; 96]) -> Result<G2Affine, PointError> {
    let point = min_pk::Signature::uncompress(bytes).map_err(|_| PointError::Invalid)?;
    let point: &blst_p2_affine = (&point).into();
    let (x, y) = (from_fp2(&point.x), from_fp2(&point.y));
    if affine_g2(x, y).is_zero() {
        return Err(PointError::Identity);
    }
    std::slice::from_ref(point).validate().map_err(|_| PointError::Invalid)?;
    Ok(G2Affine::new_unchecked(x, y))
}

/// The point of an uncompressed encoding: canonical and on the curve, not yet known to be in the subgroup.
///
/// # Errors
/// [`PointError::Invalid`]. The identity has an encoding and is none.
pub fn read_g1(bytes: &[u8; 96]) -> Result<G1Affine, PointError> {
    let point = min_pk::PublicKey::deserialize(bytes).map_err(|_| PointError::Invalid)?;
    let point: &blst_p1_affine = (&point).into();
    Ok(affine_g1(from_fp(&point.x), from_fp(&point.y)))
}

/// [`read_g1`] for G2, and the point is in the subgroup.
///
/// # Errors
/// As [`read_g1`].
pub fn read_g2(bytes: &[u8; 192]) -> Result<G2Affine, PointError> {
    let point = min_pk::Signature::deserialize(bytes).map_err(|_| PointError::Invalid)?;
    let point: &blst_p2_affine = (&point).into();
    let read = affine_g2(from_fp2(&point.x), from_fp2(&point.y));
    if read.is_zero() || std::slice::from_ref(point).validate().is_ok() {
        Ok(read)
    } else {
        Err(PointError::Invalid)
    }
}

fn affine_g1(x: Fq, y: Fq) -> G1Affine {
    // No point of this curve has both coordinates zero: that is blst's identity.
    if x == Fq::ZERO && y == Fq::ZERO { G1Affine::identity() } else { G1Affine::new_unchecked(x, y) }
}

fn affine_g2(x: Fq2, y: Fq2) -> G2Affine {
    if x == Fq2::ZERO && y == Fq2::ZERO { G2Affine::identity() } else { G2Affine::new_unchecked(x, y) }
}

/// The sum of the points of G1 times their scalars.
pub fn sum_g1(points: &[G1Affine], scalars: &[Fr]) -> G1Affine {
    let (points, scalars) = finite(points, scalars, to_g1);
    if points.is_empty() {
        return G1Affine::identity();
    }
    let sum = points.mult(&scalars, Fr::MODULUS_BIT_SIZE as usize);
    G1Projective::new_unchecked(from_fp(&sum.x), from_fp(&sum.y), from_fp(&sum.z)).into_affine()
}

/// [`sum_g1`] for G2.
pub fn sum_g2(points: &[G2Affine], scalars: &[Fr]) -> G2Affine {
    let (points, scalars) = finite(points, scalars, to_g2);
    if points.is_empty() {
        return G2Affine::identity();
    }
    let sum = points.mult(&scalars, Fr::MODULUS_BIT_SIZE as usize);
    G2Projective::new_unchecked(from_fp2(&sum.x), from_fp2(&sum.y), from_fp2(&sum.z)).into_affine()
}

/// The points that are not the identity, and their scalars as little-endian bytes, for blst.
fn finite<P: AffineRepr, B>(points: &[P], scalars: &[Fr], to: impl Fn(&P) -> B) -> (Vec<B>, Vec<u8>) {
    let terms = points.iter().zip(scalars).filter(|(point, _)| !point.is_zero());
    let (points, scalars): (Vec<B>, Vec<[u8; 32]>) =
        terms.map(|(point, scalar)| (to(point), to_bytes(scalar))).unzip();
    (points, scalars.concat())
}

/// Whether a point of the curve is in the subgroup of prime order.
#[must_use]
pub fn is_in_g1(point: &G1Affine) -> bool {
    point.is_zero() || [to_g1(point)].validate().is_ok()
}

/// The product of the pairings, up to the same fixed power for all products: what equations are compared in. A pair
/// with the identity in it counts as one.
#[must_use]
pub fn pairing_product(pairs: &[(G1Affine, blst_p2_affine)]) -> blst_fp12 {
    let (g1, g2): (Vec<_>, Vec<_>) =
        pairs.iter().filter(|(g1, _)| !g1.is_zero()).map(|(g1, g2)| (to_g1(g1), *g2)).unzip();
    if g1.is_empty() {
        return blst_fp12::default();
    }
    blst_fp12::miller_loop_n(&g2, &g1).final_exp()
}

#[cfg(test)]
mod tests {
    use ark_bls12_381::Bls12_381;
    use ark_ec::{VariableBaseMSM, pairing::Pairing};
    use ark_ff::UniformRand;
    use ark_serialize::CanonicalSerialize;
    use blst::{blst_p1_affine, blst_p2_affine};

    use super::*;
    use crate::{points::compressed, testing::rng};

    #[test]
    fn both_libraries_mean_the_same_point() {
        let mut rng = rng(30);
        for _ in 0..4 {
            let g1 = G1Projective::rand(&mut rng).into_affine();
            let g2 = G2Projective::rand(&mut rng).into_affine();
            assert_eq!(min_pk::PublicKey::from(to_g1(&g1)).compress().to_vec(), compressed(&g1));
            assert_eq!(min_pk::Signature::from(to_g2(&g2)).compress().to_vec(), compressed(&g2));
            assert_eq!(decompress_g1(&compressed(&g1).try_into().unwrap()), Ok(g1));
            assert_eq!(decompress_g2(&compressed(&g2).try_into().unwrap()), Ok(g2));
        }
        for (g1, g2) in
            [(G1Affine::identity(), G2Affine::identity()), (G1Affine::generator(), -G2Affine::generator())]
        {
            let (mut one, mut two) = (Vec::new(), Vec::new());
            g1.serialize_uncompressed(&mut one).unwrap();
            g2.serialize_uncompressed(&mut two).unwrap();
            assert_eq!(read_g1(one.as_slice().try_into().unwrap()), Ok(g1));
            assert_eq!(read_g2(two.as_slice().try_into().unwrap()), Ok(g2));
        }
        assert_eq!(to_g1(&G1Affine::identity()), blst_p1_affine::default());
        assert_eq!(to_g2(&G2Affine::identity()), blst_p2_affine::default());
    }

    #[test]
    fn sums_of_multiples_are_those_of_arkworks() {
        let mut rng = rng(32);
        let mut g1: Vec<_> = (0..9).map(|_| G1Projective::rand(&mut rng).into_affine()).collect();
        let mut g2: Vec<_> = (0..9).map(|_| G2Projective::rand(&mut rng).into_affine()).collect();
        (g1[3], g2[4], g1[6]) = (G1Affine::identity(), G2Affine::identity(), -g1[5]);
        let mut scalars: Vec<_> = (0..9).map(|_| Fr::rand(&mut rng)).collect();
        (scalars[0], scalars[1], scalars[5]) = (Fr::ZERO, -Fr::from(1_u8), scalars[6]);
        assert_eq!(sum_g1(&g1, &scalars), G1Projective::msm(&g1, &scalars).unwrap());
        assert_eq!(sum_g2(&g2, &scalars), G2Projective::msm(&g2, &scalars).unwrap());
        assert!(sum_g1(&[], &[]).is_zero() && sum_g2(&g2[4..5], &scalars[..1]).is_zero());
    }

    /// Equal products here are equal products there, and unequal ones unequal.
    #[test]
    fn products_are_equal_where_those_of_arkworks_are() {
        let mut rng = rng(31);
        let (a, b) = (Fr::rand(&mut rng), Fr::rand(&mut rng));
        let g1 = |k: Fr| (G1Affine::generator() * k).into_affine();
        let g2 = |k: Fr| (G2Affine::generator() * k).into_affine();
        let cases = [
            vec![(g1(a), g2(b)), (g1(-a * b), g2(Fr::from(1_u8)))],
            vec![(g1(a), g2(b)), (g1(a * b), g2(Fr::from(1_u8)))],
            vec![(g1(a), g2(b)), (G1Affine::identity(), g2(a)), (g1(-a), g2(b))],
            vec![(G1Affine::identity(), g2(a))],
            vec![],
        ];
        for (pairs, is_one) in cases.into_iter().zip([true, false, true, true, true]) {
            let theirs = Bls12_381::multi_pairing(pairs.iter().map(|p| p.0), pairs.iter().map(|p| p.1));
            assert_eq!(theirs.0 == ark_ff::Field::ONE, is_one);
            let ours: Vec<_> = pairs.iter().map(|(g1, g2)| (*g1, to_g2(g2))).collect();
            assert_eq!(pairing_product(&ours) == blst_fp12::default(), is_one);
        }
    }
}
