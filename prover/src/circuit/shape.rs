//! The constraints without an assignment: matrices, sizes and the circuit's hash.

use std::{collections::BTreeMap, sync::OnceLock};

use ark_relations::utils::matrix::Matrix;
use hansa_types::hash::Digest;
use sha2::{Digest as _, Sha256};

use super::{PublicInputs, Witness, statement};
use crate::{
    field::{Fr, to_bytes},
    r1cs::{Lifetime, Relation, assignment::Assignment, system::System},
};

/// Prefix of the circuit hash.
const CIRCUIT_HASH: &[u8] = b"hansa/circuit/v1\0";

/// What setup, ceremony and prover need of the circuit.
pub struct Shape {
    /// A, B and C: for each constraint the coefficients and their columns, the public ones first.
    pub matrices: [Matrix<Fr>; 3],
    /// Instance variables, with the constant one.
    pub public: usize,
    /// Secret variables.
    pub witnesses: usize,
    /// Rows.
    pub constraints: usize,
    /// Rows of each relation.
    pub(crate) by_relation: BTreeMap<Relation, usize>,
    /// For each column, how long its value stays.
    pub(crate) lifetimes: Vec<Lifetime>,
    /// SHA-256 over the matrices and sizes.
    pub hash: Digest,
}

impl Shape {
    /// The circuit's shape, computed once in the life of the process.
    #[must_use]
    pub fn get() -> &'static Self {
        static SHAPE: OnceLock<Shape> = OnceLock::new();
        SHAPE.get_or_init(|| Self::of(&Self::blank_system()))
    }

    /// The constraints over an assignment of zeros, as setup takes them.
    pub(crate) fn blank_system() -> System {
        let mut system = System::new();
        statement(&mut system, &PublicInputs::blank(), &Witness::blank());
        system
    }

    /// An empty assignment with room for this circuit.
    pub(crate) fn assignment(&self) -> Assignment {
        Assignment::with_capacity(self.public, self.witnesses)
    }

    fn of(system: &System) -> Self {
        let matrices = system.matrices();
        let (public, witnesses, constraints) = (system.public(), system.witnesses(), system.constraints());
        let hash = hash(&matrices, [public, witnesses, constraints]);
        Self {
            matrices,
            public,
            witnesses,
            constraints,
            by_relation: system.by_relation(),
            lifetimes: system.lifetimes(),
            hash,
        }
    }
}

/// SHA-256 over prefix, the three sizes, and each matrix row by row: number of terms, then column and
/// canonical coefficient of each. Sizes and columns are `u32` little-endian; terms ascend by column.
fn hash(matrices: &[Matrix<Fr>; 3], sizes: [usize; 3]) -> Digest {
    let number = |n: usize| u32::try_from(n).expect("the circuit is small").to_le_bytes();
    let mut hash = Sha256::new();
    hash.update(CIRCUIT_HASH);
    for size in sizes {
        hash.update(number(size));
    }
    for row in matrices.iter().flatten() {
        hash.update(number(row.len()));
        for (coefficient, column) in row {
            hash.update(number(*column));
            hash.update(to_bytes(coefficient));
        }
    }
    Digest(hash.finalize().into())
}
