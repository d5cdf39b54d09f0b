//! The rate limit: a counter below the limit, one nullifier a counter, and a share that exposes its reuse.

use super::constant;
use crate::{
    field::Fr,
    poseidon::{Domain, gadget},
    r1cs::{Builder, Relation, Wire},
};

/// Bits of counter and limit. The limit itself is a `u32` because every verifier builds the member tree.
const COUNTER_BITS: usize = 32;

/// States `0 <= counter < limit` and gives the counter.
pub(super) fn counter_below_limit<B: Builder>(builder: &mut B, counter: u32, limit: &B::Wire) -> B::Wire {
    let counter = builder.witness(Fr::from(counter));
    builder.range(Relation::RateLimit, &counter, COUNTER_BITS);
    let left = limit.minus(&counter).minus(&constant(1));
    builder.range(Relation::RateLimit, &left, COUNTER_BITS);
    counter
}

/// `a1 = P(4, t_e, scope, counter)`, the slope of the line through the trace secret.
pub(super) fn slope<B: Builder>(
    builder: &mut B,
    trace: &B::Wire,
    scope: &B::Wire,
    counter: &B::Wire,
) -> B::Wire {
    let slope = gadget::hash(builder, Relation::Nullifier, Domain::Share, [trace, scope, counter]);
    // Used twice below, so worth a variable.
    builder.rewitness(Relation::Nullifier, &slope)
}

/// States `nullifier = P(5, a1)`.
pub(super) fn nullifier<B: Builder>(builder: &mut B, nullifier: &B::Wire, slope: &B::Wire) {
    let hash = gadget::hash(builder, Relation::Nullifier, Domain::Nullifier, [slope]);
    builder.equal(Relation::Nullifier, &hash, nullifier);
}

/// States `y = t_e + a1 * x`. Two shares with one slope and different x give t_e.
pub(super) fn share<B: Builder>(
    builder: &mut B,
    share: &B::Wire,
    trace: &B::Wire,
    slope: &B::Wire,
    x: &B::Wire,
) {
    builder.enforce(Relation::Share, slope, x, &share.minus(trace));
}
