//! Values only: the assignment a proof is computed from.

use ark_ff::Field;
use zeroize::Zeroize;

use super::{Builder, Relation, Wire};
use crate::field::Fr;

impl Wire for Fr {
    fn constant(value: Fr) -> Self {
        value
    }

    fn value(&self) -> Fr {
        *self
    }

    fn plus(&self, other: &Self) -> Self {
        *self + other
    }

    fn times(&self, factor: Fr) -> Self {
        *self * factor
    }
}

/// Public and secret values in order of allocation; wiped when dropped, as it holds the member's secrets.
pub(crate) struct Assignment {
    public: Vec<Fr>,
    witness: Vec<Fr>,
}

impl Assignment {
    /// An empty assignment: the constant one, and room for the circuit's variables (so that no reallocation
    /// leaves an unwiped copy behind).
    pub(crate) fn with_capacity(public: usize, witness: usize) -> Self {
        let mut assignment =
            Self { public: Vec::with_capacity(public), witness: Vec::with_capacity(public + witness) };
        assignment.public.push(Fr::ONE);
        assignment
    }

    /// One, the public inputs, then the secret variables: the order of the matrices' columns.
    pub(crate) fn columns(&self) -> zeroize::Zeroizing<Vec<Fr>> {
        let mut columns = Vec::with_capacity(self.public.len() + self.witness.len());
        columns.extend_from_slice(&self.public);
        columns.extend_from_slice(&self.witness);
        zeroize::Zeroizing::new(columns)
    }
}

impl Drop for Assignment {
    fn drop(&mut self) {
        self.witness.zeroize();
    }
}

impl Builder for Assignment {
    type Wire = Fr;

    fn public(&mut self, value: Fr) -> Fr {
        self.public.push(value);
        value
    }

    fn witness(&mut self, value: Fr) -> Fr {
        self.witness.push(value);
        value
    }

    fn enforce(&mut self, _: Relation, _: &Fr, _: &Fr, _: &Fr) {}
}
