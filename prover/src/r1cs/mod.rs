//! The two ways the circuit is run: to collect its constraints, and to compute its assignment.
//!
//! A circuit is a function over a [`Builder`]. [`system::System`] keeps values and constraints (for setup,
//! hashing the circuit, and tests); [`assignment::Assignment`] keeps values only, so proving never builds a
//! linear combination. Both run the same function and allocate in the same order, by construction.

pub(crate) mod assignment;
pub(crate) mod system;

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};

use crate::field::Fr;

/// The relation a constraint belongs to. The circuit and its plain twin name failures with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// Each public input is squared, so each is bound by a constraint.
    PublicInputs,
    /// `leaf = P(2, P(1, sk), limit, P(3, t_e))` is in the tree of `member_root`.
    Membership,
    /// `counter < limit`.
    RateLimit,
    /// `nullifier = P(5, a1)`.
    Nullifier,
    /// `y = t_e + a1 * x`.
    Share,
    /// Factors and offset weights have sixteen bits.
    Ranges,
    /// `M = P(6, version, W1, W2)` is in the tree of `registry_root`.
    Registry,
    /// `sum (w_i - 2^15) f_i >= threshold`.
    Score,
    /// `tag = P(7, u, scope)`.
    Tag,
    /// `D = P(8, u, F1, F2, M, decision id, salt)`.
    Decision,
}

/// How long the value of a variable stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// For all signals of one member in one gateway and epoch with one model.
    Epoch,
    /// For one signal.
    Signal,
}

/// A linear combination of variables together with its value.
pub(crate) trait Wire: Clone {
    /// The same value in every assignment.
    fn constant(value: Fr) -> Self;
    /// What it evaluates to in this assignment.
    fn value(&self) -> Fr;
    /// Sum.
    fn plus(&self, other: &Self) -> Self;
    /// Multiple.
    fn times(&self, factor: Fr) -> Self;

    /// Difference.
    fn minus(&self, other: &Self) -> Self {
        self.plus(&other.times(-Fr::ONE))
    }

    /// Sum of multiples.
    fn weighted_sum<'a>(terms: impl IntoIterator<Item = (Fr, &'a Self)>) -> Self
    where
        Self: 'a,
    {
        terms.into_iter().fold(Self::constant(Fr::ZERO), |sum, (factor, wire)| sum.plus(&wire.times(factor)))
    }
}

/// Where a circuit allocates its variables and states its constraints `a * b = c`.
pub(crate) trait Builder {
    /// Its linear combinations.
    type Wire: Wire;

    /// A new public input.
    fn public(&mut self, value: Fr) -> Self::Wire;
    /// A new secret variable.
    fn witness(&mut self, value: Fr) -> Self::Wire;
    /// Says how long variables stay that are allocated from here on; [`Lifetime::Signal`] until it is said.
    fn lifetime(&mut self, _: Lifetime) {}
    /// States `a * b = c` as part of a relation. Dense combinations belong in `a`: what stands in `b` costs a
    /// multiplication in G2.
    fn enforce(&mut self, relation: Relation, a: &Self::Wire, b: &Self::Wire, c: &Self::Wire);

    /// The product, as a new variable.
    fn product(&mut self, relation: Relation, a: &Self::Wire, b: &Self::Wire) -> Self::Wire {
        let c = self.witness(a.value() * b.value());
        self.enforce(relation, a, b, &c);
        c
    }

    /// States `a = b`.
    fn equal(&mut self, relation: Relation, a: &Self::Wire, b: &Self::Wire) {
        self.enforce(relation, a, &Self::Wire::constant(Fr::ONE), b);
    }

    /// A dense combination as a variable of its own: one constraint now, sparse ones afterwards.
    fn rewitness(&mut self, relation: Relation, dense: &Self::Wire) -> Self::Wire {
        let variable = self.witness(dense.value());
        self.equal(relation, dense, &variable);
        variable
    }

    /// A new variable that is 0 or 1.
    fn bit(&mut self, relation: Relation, value: bool) -> Self::Wire {
        let bit = self.witness(Fr::from(value));
        self.enforce(relation, &bit, &bit, &bit);
        bit
    }

    /// States `0 <= wire < 2^bits`. The caller keeps `bits` below 254, so that no wrap-around fits.
    fn range(&mut self, relation: Relation, wire: &Self::Wire, bits: usize) {
        let value = wire.value().into_bigint();
        let mut weight = Fr::ONE;
        let mut sum = Self::Wire::constant(Fr::ZERO);
        for i in 0..bits {
            let bit = self.bit(relation, value.get_bit(i));
            sum = sum.plus(&bit.times(weight));
            weight.double_in_place();
        }
        self.equal(relation, &sum, wire);
    }
}
