//! Values and constraints: what setup, the circuit's hash and the tests need.

use std::collections::BTreeMap;
#[cfg(test)]
use std::collections::BTreeSet;

use ark_ff::{AdditiveGroup, Field};
use ark_relations::{
    gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable},
    utils::matrix::Matrix,
};

use super::{Builder, Lifetime, Relation, Wire};
use crate::field::Fr;

/// A variable's place in the assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    /// Instance variable; 0 is the constant one.
    Public(u32),
    /// Secret variable.
    Witness(u32),
}

/// A linear combination: terms sorted by column, none zero.
#[derive(Clone, Debug)]
pub(crate) struct Combination {
    value: Fr,
    terms: Vec<(Column, Fr)>,
}

impl Wire for Combination {
    fn constant(value: Fr) -> Self {
        let terms = if value == Fr::ZERO { Vec::new() } else { vec![(Column::Public(0), value)] };
        Self { value, terms }
    }

    fn value(&self) -> Fr {
        self.value
    }

    fn plus(&self, other: &Self) -> Self {
        let mut terms = Vec::with_capacity(self.terms.len() + other.terms.len());
        let (mut left, mut right) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
            match l.0.cmp(&r.0) {
                std::cmp::Ordering::Less => terms.extend(left.next().copied()),
                std::cmp::Ordering::Greater => terms.extend(right.next().copied()),
                std::cmp::Ordering::Equal => {
                    let sum = l.1 + r.1;
                    if sum != Fr::ZERO {
                        terms.push((l.0, sum));
                    }
                    left.next();
                    right.next();
                }
            }
        }
        terms.extend(left.chain(right).copied());
        Self { value: self.value + other.value, terms }
    }

    fn times(&self, factor: Fr) -> Self {
        if factor == Fr::ZERO {
            return Self::constant(Fr::ZERO);
        }
        let terms = self.terms.iter().map(|(column, coefficient)| (*column, *coefficient * factor)).collect();
        Self { value: self.value * factor, terms }
    }
}

struct Constraint {
    relation: Relation,
    /// a, b and c of a * b = c.
    sides: [Vec<(Column, Fr)>; 3],
}

/// A constraint system with an assignment.
pub(crate) struct System {
    public: Vec<Fr>,
    witness: Vec<Fr>,
    /// Of each secret variable.
    lifetimes: Vec<Lifetime>,
    lifetime: Lifetime,
    constraints: Vec<Constraint>,
}

impl System {
    /// No constraints; the constant one.
    pub(crate) fn new() -> Self {
        Self {
            public: vec![Fr::ONE],
            witness: Vec::new(),
            lifetimes: Vec::new(),
            lifetime: Lifetime::Signal,
            constraints: Vec::new(),
        }
    }

    /// Number of constraints.
    pub(crate) fn constraints(&self) -> usize {
        self.constraints.len()
    }

    /// Number of instance variables, with the constant one.
    pub(crate) fn public(&self) -> usize {
        self.public.len()
    }

    /// Number of secret variables.
    pub(crate) fn witnesses(&self) -> usize {
        self.witness.len()
    }

    /// The matrices A, B and C: for each constraint its terms, by column (instance before witness).
    pub(crate) fn matrices(&self) -> [Matrix<Fr>; 3] {
        std::array::from_fn(|side| {
            let row = |constraint: &Constraint| {
                constraint.sides[side].iter().map(|&(column, factor)| (factor, self.index(column))).collect()
            };
            self.constraints.iter().map(row).collect()
        })
    }

    /// Number of constraints of each relation.
    pub(crate) fn by_relation(&self) -> BTreeMap<Relation, usize> {
        let mut counts = BTreeMap::new();
        for constraint in &self.constraints {
            *counts.entry(constraint.relation).or_default() += 1;
        }
        counts
    }

    /// How long each column's value stays; public inputs are a signal's.
    pub(crate) fn lifetimes(&self) -> Vec<Lifetime> {
        let public = self.public.iter().map(|_| Lifetime::Signal);
        public.chain(self.lifetimes.iter().copied()).collect()
    }

    fn index(&self, column: Column) -> usize {
        match column {
            Column::Public(i) => i as usize,
            Column::Witness(i) => self.public.len() + i as usize,
        }
    }
}

impl Builder for System {
    type Wire = Combination;

    fn public(&mut self, value: Fr) -> Combination {
        let column = Column::Public(u32::try_from(self.public.len()).expect("the circuit is small"));
        self.public.push(value);
        Combination { value, terms: vec![(column, Fr::ONE)] }
    }

    fn witness(&mut self, value: Fr) -> Combination {
        let column = Column::Witness(u32::try_from(self.witness.len()).expect("the circuit is small"));
        self.witness.push(value);
        self.lifetimes.push(self.lifetime);
        Combination { value, terms: vec![(column, Fr::ONE)] }
    }

    fn lifetime(&mut self, lifetime: Lifetime) {
        self.lifetime = lifetime;
    }

    fn enforce(&mut self, relation: Relation, a: &Combination, b: &Combination, c: &Combination) {
        let sides = [a, b, c].map(|side| side.terms.clone());
        self.constraints.push(Constraint { relation, sides });
    }
}

/// What the tests ask: which relations an assignment breaks, and what tampering does.
#[cfg(test)]
impl System {
    /// The relations with at least one unsatisfied constraint.
    pub(crate) fn broken(&self) -> BTreeSet<Relation> {
        let broken = |constraint: &&Constraint| {
            let [a, b, c] = &constraint.sides;
            self.evaluate(a) * self.evaluate(b) != self.evaluate(c)
        };
        self.constraints.iter().filter(broken).map(|constraint| constraint.relation).collect()
    }

    fn evaluate(&self, terms: &[(Column, Fr)]) -> Fr {
        terms.iter().map(|(column, factor)| *factor * self.assigned(*column)).sum()
    }

    fn assigned(&self, column: Column) -> Fr {
        match column {
            Column::Public(i) => self.public[i as usize],
            Column::Witness(i) => self.witness[i as usize],
        }
    }

    /// Replaces one value of the assignment, as a dishonest prover could.
    pub(crate) fn assign(&mut self, column: Column, value: Fr) -> Fr {
        let place = match column {
            Column::Public(i) => &mut self.public[i as usize],
            Column::Witness(i) => &mut self.witness[i as usize],
        };
        std::mem::replace(place, value)
    }

    /// The assignment in the order of the matrices' columns.
    pub(crate) fn columns(&self) -> Vec<Fr> {
        [&self.public[..], &self.witness[..]].concat()
    }

    /// For each column, the constraints it occurs in.
    pub(crate) fn occurrences(&self) -> BTreeMap<Column, BTreeSet<usize>> {
        let mut occurrences = BTreeMap::<Column, BTreeSet<usize>>::new();
        for (i, constraint) in self.constraints.iter().enumerate() {
            for (column, _) in constraint.sides.iter().flatten() {
                occurrences.entry(*column).or_default().insert(i);
            }
        }
        occurrences
    }

    /// Whether one constraint holds.
    pub(crate) fn holds(&self, constraint: usize) -> bool {
        let [a, b, c] = &self.constraints[constraint].sides;
        self.evaluate(a) * self.evaluate(b) == self.evaluate(c)
    }
}

/// Setup sees the constraints through arkworks' own system.
impl ConstraintSynthesizer<Fr> for &System {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        for value in self.public.iter().skip(1) {
            let _ = cs.new_input_variable(|| Ok(*value))?;
        }
        for value in &self.witness {
            let _ = cs.new_witness_variable(|| Ok(*value))?;
        }
        let combination = |terms: &[(Column, Fr)]| {
            let variable = |column| match column {
                Column::Public(0) => Variable::One,
                Column::Public(i) => Variable::instance(i as usize),
                Column::Witness(i) => Variable::witness(i as usize),
            };
            LinearCombination(terms.iter().map(|&(column, factor)| (factor, variable(column))).collect())
        };
        for Constraint { sides: [a, b, c], .. } in &self.constraints {
            cs.enforce_r1cs_constraint(|| combination(a), || combination(b), || combination(c))?;
        }
        Ok(())
    }
}
