//! From powers of tau to the Lagrange basis: the inverse Fourier transform with points for coefficients.
//!
//! With w of order n, L_j(tau) = 1/n sum_i w^(-ij) tau^i. Cooley and Tukey's radix-2 scheme, layer by layer, so that
//! all multiplications of a layer share their inversions.

use ark_bls12_381::Fr;
use ark_ec::short_weierstrass::Affine;
use ark_ff::{AdditiveGroup, Field};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use hansa_prover::curve::sums::{Scratch, sum_groups};

use crate::{
    multiply::{Group, multiply_each},
    secret::SecretError,
};

/// The points of the Lagrange polynomials of the points of the powers, of which there are 2^k.
pub(crate) fn lagrange<G: Group>(powers: &[Affine<G>]) -> Result<Vec<Affine<G>>, SecretError> {
    let n = powers.len();
    let domain = Radix2EvaluationDomain::<Fr>::new(n).expect("the order of the field admits 2^32");
    let mut points = powers.to_vec();
    reverse_bits(&mut points);
    let mut scratch = Scratch::new();
    let mut half = 1;
    while half < n {
        let step = domain.group_gen_inv.pow([(n / (2 * half)) as u64]);
        let last = 2 * half == n;
        let scale = if last { domain.size_inv } else { Fr::ONE };
        twist(&mut points, half, step, scale)?;
        let mut pairs = Vec::with_capacity(2 * n);
        for block in points.chunks_exact(2 * half) {
            let (low, high) = block.split_at(half);
            pairs.extend(low.iter().zip(high).flat_map(|(a, b)| [*a, *b]));
            pairs.extend(low.iter().zip(high).flat_map(|(a, b)| [*a, -*b]));
        }
        sum_groups(&mut pairs, &mut vec![2; n], &mut scratch);
        points = pairs;
        half *= 2;
    }
    Ok(points)
}

/// Multiplies element j of each block's upper half by `step`^j, and everything by `scale`.
fn twist<G: Group>(points: &mut [Affine<G>], half: usize, step: Fr, scale: Fr) -> Result<(), SecretError> {
    let mut factors = Vec::with_capacity(2 * half);
    factors.resize(half, scale);
    let mut factor = scale;
    for _ in 0..half {
        factors.push(factor);
        factor *= step;
    }
    let places: Vec<usize> = (0..points.len()).filter(|i| factors[i % (2 * half)] != Fr::ONE).collect();
    let mut chosen: Vec<_> = places.iter().map(|i| points[*i]).collect();
    multiply_each(&mut chosen, |at, scalar| *scalar = factors[places[at] % (2 * half)])?;
    places.iter().zip(chosen).for_each(|(i, point)| points[*i] = point);
    Ok(())
}

fn reverse_bits<T>(items: &mut [T]) {
    let bits = items.len().trailing_zeros();
    for i in 0..items.len() {
        let j = if bits == 0 { 0 } else { i.reverse_bits() >> (usize::BITS - bits) };
        if i < j {
            items.swap(i, j);
        }
    }
}

/// The coefficients of the polynomial with these values on the domain.
pub(crate) fn interpolate(mut values: Vec<Fr>) -> Vec<Fr> {
    let domain = Radix2EvaluationDomain::<Fr>::new(values.len()).expect("the order of the field admits 2^32");
    values.resize(domain.size(), Fr::ZERO);
    domain.ifft_in_place(&mut values);
    values
}

#[cfg(test)]
mod tests {
    use ark_bls12_381::{G1Affine, G2Affine, g1, g2};
    use ark_ec::{AffineRepr, CurveGroup};

    use super::*;

    #[test]
    fn the_basis_is_that_of_the_field() {
        let tau = Fr::from(123_456_789_u64);
        for n in [1, 2, 4, 16] {
            let domain = Radix2EvaluationDomain::<Fr>::new(n).unwrap();
            let powers: Vec<Fr> = (0..n as u64).map(|i| tau.pow([i])).collect();
            let expected = domain.evaluate_all_lagrange_coefficients(tau);
            let in_g1: Vec<G1Affine> =
                powers.iter().map(|p| (G1Affine::generator() * p).into_affine()).collect();
            let in_g2: Vec<G2Affine> =
                powers.iter().map(|p| (G2Affine::generator() * p).into_affine()).collect();
            let one: Vec<_> = expected.iter().map(|l| (G1Affine::generator() * l).into_affine()).collect();
            let two: Vec<_> = expected.iter().map(|l| (G2Affine::generator() * l).into_affine()).collect();
            assert_eq!(lagrange::<g1::Config>(&in_g1).unwrap(), one, "{n}");
            assert_eq!(lagrange::<g2::Config>(&in_g2).unwrap(), two, "{n}");
        }
    }
}
