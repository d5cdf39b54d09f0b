//! How large the circuit is, for benchmarks and the test that bounds it.

use std::collections::BTreeMap;

use ark_relations::utils::matrix::Matrix;
use hansa_types::hash::Digest;

use super::Shape;
use crate::{field::Fr, relation::Relation};

/// Sizes of the circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Rank-1 constraints.
    pub constraints: usize,
    /// Instance variables with the constant one.
    pub instance_variables: usize,
    /// Secret variables.
    pub witness_variables: usize,
    /// Logarithm of the evaluation domain, which holds constraints and instance variables.
    pub domain_log2: u32,
    /// Constraints of each relation.
    pub by_relation: BTreeMap<Relation, usize>,
    /// Terms in A.
    pub nonzeros_a: usize,
    /// Terms in B.
    pub nonzeros_b: usize,
    /// Terms in C.
    pub nonzeros_c: usize,
}

/// The sizes of this circuit.
#[must_use]
pub fn metrics() -> Metrics {
    let shape = Shape::get();
    let terms = |matrix: &Matrix<Fr>| matrix.iter().map(Vec::len).sum();
    Metrics {
        constraints: shape.constraints,
        instance_variables: shape.public,
        witness_variables: shape.witnesses,
        domain_log2: (shape.constraints + shape.public).next_power_of_two().ilog2(),
        by_relation: shape.by_relation.clone(),
        nonzeros_a: terms(&shape.matrices[0]),
        nonzeros_b: terms(&shape.matrices[1]),
        nonzeros_c: terms(&shape.matrices[2]),
    }
}

/// SHA-256 over the canonical matrices: what key files carry and an auditor recomputes.
#[must_use]
pub fn circuit_hash() -> Digest {
    Shape::get().hash
}
