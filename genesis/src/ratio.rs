//! Whether vectors have one ratio, tested on sums with random coefficients of 128 bits.
//!
//! If one element of a vector is wrong, at most one in 2^128 coefficients of it makes the sums agree (small exponents
//! test: Bellare, Garay, Rabin, Eurocrypt '98). The coefficients come from the operating system after the vectors are
//! fixed.

use ark_bls12_381::{Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use hansa_prover::curve::native::{pairing_product, sum_g1, sum_g2, to_g2};
use rand::{RngCore, rngs::OsRng};

/// As many random coefficients.
pub(crate) fn coefficients(count: usize) -> Vec<Fr> {
    let mut bytes = vec![0; 16 * count];
    OsRng.fill_bytes(&mut bytes);
    bytes.as_chunks().0.iter().map(|bytes| Fr::from(u128::from_le_bytes(*bytes))).collect()
}

/// Whether e(a, d) = e(b, c): b is to a what d is to c.
pub(crate) fn same(a: &G1Affine, b: &G1Affine, c: &G2Affine, d: &G2Affine) -> bool {
    pairing_product(&[(*a, to_g2(d)), (-*b, to_g2(c))]) == blst::blst_fp12::default()
}

/// Whether each element is the one before times the scalar of `ratio`, which is that scalar in G2.
pub(crate) fn are_powers_g1(powers: &[G1Affine], ratio: &G2Affine) -> bool {
    let Some(steps) = powers.len().checked_sub(1) else { return true };
    let coefficients = coefficients(steps);
    let [low, high] = [&powers[..steps], &powers[1..]].map(|part| sum_g1(part, &coefficients));
    same(&low, &high, &G2Affine::generator(), ratio)
}

/// [`are_powers_g1`] with the groups exchanged.
pub(crate) fn are_powers_g2(powers: &[G2Affine], ratio: &G1Affine) -> bool {
    let Some(steps) = powers.len().checked_sub(1) else { return true };
    let coefficients = coefficients(steps);
    let [low, high] = [&powers[..steps], &powers[1..]].map(|part| sum_g2(part, &coefficients));
    same(&G1Affine::generator(), ratio, &low, &high)
}
