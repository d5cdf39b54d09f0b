//! The statement once more, in plain Rust: the circuit's twin.
//!
//! It shares with the circuit neither the constraints nor their order, only the definitions in [`crate::derive`].
//! Tests compare the two on good and bad witnesses; the prover asks it before it spends a second on a proof
//! that nobody would accept, and gets the relation that fails.

use std::collections::BTreeSet;

use hansa_types::model::{Factors, Model};

pub use crate::r1cs::Relation;
use crate::{
    circuit::{PublicInputs, Witness},
    derive,
};

/// The relations that do not hold; empty for a true statement.
///
/// [`Relation::PublicInputs`] and [`Relation::Ranges`] hold here by the types of the arguments.
#[must_use]
pub fn broken(public: &PublicInputs, witness: &Witness) -> BTreeSet<Relation> {
    let model = Model { version: witness.model_version, weights: witness.weights };
    let factors = Factors(witness.factors);
    let leaf = derive::member_leaf(
        derive::public_key(witness.secret),
        witness.limit,
        derive::trace_commitment(witness.trace),
    );
    let slope = derive::slope(witness.trace, public.scope, witness.counter);
    let commitment = derive::model_commitment(&model);
    let decision =
        derive::decision_commitment(witness.u, &factors, commitment, witness.decision_id, witness.salt);

    let holds = [
        (Relation::Membership, witness.member_path.root(leaf) == public.member_root),
        (Relation::RateLimit, witness.counter < witness.limit),
        (Relation::Nullifier, derive::nullifier(slope) == public.nullifier),
        (Relation::Share, derive::share(witness.trace, slope, public.x) == public.share),
        (Relation::Registry, witness.registry_path.root(commitment) == public.registry_root),
        (Relation::Score, model.score(&factors).0 >= i64::from(public.threshold)),
        (Relation::Tag, derive::tag(witness.u, public.scope) == public.tag),
        (Relation::Decision, decision == public.decision),
    ];
    holds.into_iter().filter(|(_, holds)| !holds).map(|(relation, _)| relation).collect()
}
