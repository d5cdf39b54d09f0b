//! The polynomial h: (A B - C) divided by the domain's vanishing polynomial, from an assignment.
//!
//! The same as arkworks' `LibsnarkReduction`, on the thread it is called on: arkworks hands every transform to a pool
//! of threads, which on a busy machine takes longer than the transform. The domain is that of the circuit, so roots
//! and shifts are kept. Inverse transforms go from natural to bit-reversed order and forward ones back (Gentleman and
//! Sande's and Cooley and Tukey's butterflies), so that nothing is reordered but the outcome.

use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, FftField, Field};
use ark_relations::utils::matrix::Matrix;
use zeroize::Zeroizing;

use crate::circuit::Shape;

/// The domain of the circuit, with what its transforms multiply by.
pub(super) struct Quotient {
    /// Powers of the domain's generator, and of its inverse: half the domain.
    roots: Vec<Fr>,
    inverse_roots: Vec<Fr>,
    /// In bit-reversed order, what coefficient i is multiplied by on the way from the domain to its coset,
    /// `g^i / n`, and on the way back with the division by the vanishing polynomial, `g^-i / (n (g^n - 1))`.
    to_coset: Vec<Fr>,
    from_coset: Vec<Fr>,
}

impl Quotient {
    /// The domain of this circuit.
    pub(super) fn new(shape: &Shape) -> Self {
        let size = (shape.constraints + shape.public).next_power_of_two();
        Self::of_size(size)
    }

    fn of_size(size: usize) -> Self {
        let root = Fr::get_root_of_unity(size as u64).expect("the field has roots of unity up to 2^32");
        let inverse = |x: Fr| x.inverse().expect("not zero");
        let powers = |first: Fr, base: Fr, count: usize| -> Vec<Fr> {
            std::iter::successors(Some(first), |power| Some(*power * base)).take(count).collect()
        };
        let shift = Fr::GENERATOR;
        let (n, vanishing) = (Fr::from(size as u64), shift.pow([size as u64]) - Fr::ONE);
        let mut to_coset = powers(inverse(n), shift, size);
        let mut from_coset = powers(inverse(n * vanishing), inverse(shift), size);
        reverse_bits(&mut to_coset);
        reverse_bits(&mut from_coset);
        let roots = powers(Fr::ONE, root, size / 2);
        let inverse_roots = powers(Fr::ONE, inverse(root), size / 2);
        Self { roots, inverse_roots, to_coset, from_coset }
    }

    /// The coefficients of h, as many as the domain has elements.
    pub(super) fn of(&self, shape: &Shape, columns: &[Fr]) -> Zeroizing<Vec<Fr>> {
        let [matrix_a, matrix_b, matrix_c] = &shape.matrices;
        let mut a = self.product(matrix_a, columns);
        // Consistency rows bind the public inputs, as in the key.
        let rows = shape.constraints..shape.constraints + shape.public;
        a[rows].copy_from_slice(&columns[..shape.public]);
        self.move_to_coset(&mut a);
        let mut b = self.product(matrix_b, columns);
        self.move_to_coset(&mut b);
        let mut c = self.product(matrix_c, columns);
        self.move_to_coset(&mut c);
        a.iter_mut().zip(b.iter()).zip(c.iter()).for_each(|((a, b), c)| *a = *a * b - c);
        self.inverse_transform(&mut a);
        a.iter_mut().zip(&self.from_coset).for_each(|(value, factor)| *value *= factor);
        reverse_bits(&mut a);
        a
    }

    /// The matrix times the assignment, padded to the domain.
    fn product(&self, matrix: &Matrix<Fr>, columns: &[Fr]) -> Zeroizing<Vec<Fr>> {
        let mut values = Zeroizing::new(Vec::with_capacity(self.to_coset.len()));
        values.extend(
            matrix.iter().map(|row| row.iter().map(|(factor, column)| columns[*column] * factor).sum::<Fr>()),
        );
        values.resize(self.to_coset.len(), Fr::ZERO);
        values
    }

    /// From values on the domain to those of the same polynomial on its coset.
    fn move_to_coset(&self, values: &mut [Fr]) {
        self.inverse_transform(values);
        values.iter_mut().zip(&self.to_coset).for_each(|(value, factor)| *value *= factor);
        self.transform(values);
    }

    /// Values, in order, from coefficients in bit-reversed order.
    fn transform(&self, values: &mut [Fr]) {
        let mut half = 1;
        while half < values.len() {
            let stride = values.len() / (2 * half);
            for block in values.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                let roots = self.roots.iter().step_by(stride);
                for ((low, high), root) in low.iter_mut().zip(high).zip(roots) {
                    let product = *high * root;
                    *high = *low - product;
                    *low += product;
                }
            }
            half *= 2;
        }
    }

    /// Coefficients times the size of the domain, in bit-reversed order, from values.
    fn inverse_transform(&self, values: &mut [Fr]) {
        let mut half = values.len() / 2;
        while half > 0 {
            let stride = values.len() / (2 * half);
            for block in values.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                let roots = self.inverse_roots.iter().step_by(stride);
                for ((low, high), root) in low.iter_mut().zip(high).zip(roots) {
                    let difference = *low - *high;
                    *low += &*high;
                    *high = difference * root;
                }
            }
            half /= 2;
        }
    }
}

/// Element i to the place with i's bits in reverse.
fn reverse_bits(values: &mut [Fr]) {
    let bits = values.len().ilog2();
    for i in 0..values.len() {
        let j = if bits == 0 { 0 } else { i.reverse_bits() >> (usize::BITS - bits) };
        if i < j {
            values.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use ark_ff::UniformRand;
    use ark_groth16::r1cs_to_qap::{LibsnarkReduction, R1CSToQAP};
    use ark_poly::GeneralEvaluationDomain;

    use super::*;
    use crate::testing::rng;

    /// Of any assignment, also one that does not satisfy the constraints.
    #[test]
    fn h_is_that_of_arkworks() {
        let shape = Shape::get();
        let mut rng = rng(60);
        let mut columns: Vec<Fr> = (0..shape.public + shape.witnesses).map(|_| Fr::rand(&mut rng)).collect();
        columns[0] = Fr::ONE;
        let theirs = LibsnarkReduction::witness_map_from_matrices::<Fr, GeneralEvaluationDomain<Fr>>(
            &shape.matrices,
            shape.public,
            shape.constraints,
            &columns,
        );
        assert_eq!(*Quotient::new(shape).of(shape, &columns), theirs.unwrap());
    }
}
