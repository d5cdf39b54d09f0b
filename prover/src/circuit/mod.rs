//! The statement that a risk signal proves, relation by relation.
//!
//! "One of us, within its rate limit, scored this subject at least this high under a registered model":
//!
//! ```text
//! pk = P(1, sk)      leaf = P(2, pk, limit, P(3, t_e))      leaf is in the tree of member_root     [membership]
//! counter < limit                                                                                  [rate]
//! a1 = P(4, t_e, scope, counter)      nullifier = P(5, a1)      y = t_e + a1 * x                   [rate]
//! F1, F2 = 16 factors and W1, W2 = 16 offset weights, 8 x 16 bits a field element                  [score]
//! M = P(6, version, W1, W2) is in the tree of registry_root                                        [model]
//! sum (W_i - 2^15) * f_i >= threshold                                                              [score]
//! tag = P(7, u, scope)                                                                             [tag]
//! D = P(8, u, F1, F2, M, decision id, salt)                                                        [decision]
//! ```
//!
//! Public are the fields of [`PublicInputs`]; all else is in [`Witness`]. The circuit knows field elements
//! only: what they stand for is [`crate::derive`], and [`crate::relation`] says the same in plain Rust.

mod decision;
mod membership;
mod metrics;
mod model;
mod path;
mod public;
mod rate;
pub mod score;
mod shape;
mod tag;
#[cfg(test)]
mod tests;
mod witness;

pub use self::{
    metrics::{Metrics, circuit_hash, metrics},
    public::PublicInputs,
    shape::Shape,
    witness::Witness,
};
use self::{public::PublicWires, score::Packed};
pub(crate) use crate::r1cs::Lifetime;
use crate::{
    field::Fr,
    r1cs::{Builder, Relation, Wire},
};

/// The version signals name; a change of the statement, of the hash or of the packing makes a new one.
pub const CIRCUIT_VERSION: u16 = 1;

/// The whole statement. What stays the same for all of a member's signals of an epoch is marked as such: provers
/// compute their part for it once ([`crate::prove::EpochPart`]).
pub(crate) fn statement<B: Builder>(builder: &mut B, public: &PublicInputs, witness: &Witness) {
    let public = bind_public_inputs(builder, public);
    builder.lifetime(Lifetime::Epoch);
    let secret = builder.witness(witness.secret);
    let trace = builder.witness(witness.trace);
    let limit = builder.witness(Fr::from(witness.limit));
    builder.lifetime(Lifetime::Signal);
    let u = builder.witness(witness.u);

    builder.lifetime(Lifetime::Epoch);
    membership::member(builder, &public.member_root, &secret, &trace, &limit, &witness.member_path);

    builder.lifetime(Lifetime::Signal);
    let counter = rate::counter_below_limit(builder, witness.counter, &limit);
    let a1 = rate::slope(builder, &trace, &public.scope, &counter);
    rate::nullifier(builder, &public.nullifier, &a1);
    rate::share(builder, &public.share, &trace, &a1, &public.x);

    let factors = Packed::range_checked(builder, witness.factors);
    builder.lifetime(Lifetime::Epoch);
    let weights = Packed::range_checked(builder, witness.weights.map(score::offset));
    let model = model::registered(
        builder,
        &public.registry_root,
        witness.model_version,
        &weights,
        &witness.registry_path,
    );

    builder.lifetime(Lifetime::Signal);
    score::reaches(builder, &public.threshold, &factors, &weights);

    tag::tag(builder, &public.tag, &u, &public.scope);
    let opened = decision::Opened { u: &u, factors: &factors, model: &model };
    decision::commitment(builder, &public.decision, &opened, witness.decision_id, witness.salt);
}

/// Allocates the public inputs and squares each, so that each stands in a constraint whatever else uses it:
/// an input in none could be changed freely under a key made by tools that add no consistency rows.
fn bind_public_inputs<B: Builder>(builder: &mut B, public: &PublicInputs) -> PublicWires<B::Wire> {
    let wires = public.to_array().map(|value| builder.public(value));
    for wire in &wires {
        builder.product(Relation::PublicInputs, wire, wire);
    }
    PublicWires::from_array(wires)
}

/// A wire for the constant of a count, an index or a limit.
fn constant<W: Wire>(value: u64) -> W {
    W::constant(Fr::from(value))
}
