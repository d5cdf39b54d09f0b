//! The circuit a ceremony is for: its matrices and nothing else.

use ark_bls12_381::Fr;
use ark_relations::utils::matrix::Matrix;
use hansa_prover::circuit::Shape;
use hansa_types::hash::Digest;

/// A rank-1 constraint system.
#[derive(Clone, Debug)]
pub struct Circuit {
    /// A, B and C: for each constraint the coefficients with their columns, the public ones first.
    pub matrices: [Matrix<Fr>; 3],
    /// Public columns, with the constant one.
    pub public: usize,
    /// Secret columns.
    pub witnesses: usize,
    /// What the charter calls it by.
    pub hash: Digest,
}

impl Circuit {
    /// The circuit of risk signals, as this release proves it.
    #[must_use]
    pub fn risk_signal() -> Self {
        let shape = Shape::get();
        Self {
            matrices: shape.matrices.clone(),
            public: shape.public,
            witnesses: shape.witnesses,
            hash: shape.hash,
        }
    }

    /// Public and secret columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.public + self.witnesses
    }

    /// Log2 of the domain: constraints, and a row for each public column.
    #[must_use]
    pub fn power(&self) -> u8 {
        let rows = self.matrices[0].len() + self.public;
        u8::try_from(rows.next_power_of_two().ilog2()).expect("a power of two in memory has a small exponent")
    }

    /// The rows of A as libsnark and arkworks have them: with one for each public column, so that no input is free.
    pub(crate) fn rows_of_a(&self) -> impl Iterator<Item = Vec<(Fr, usize)>> + '_ {
        let bound = (0..self.public).map(|column| vec![(Fr::from(1_u8), column)]);
        self.matrices[0].iter().cloned().chain(bound)
    }
}
