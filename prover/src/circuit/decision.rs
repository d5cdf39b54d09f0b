//! `D = P(8, u, F1, F2, M, decision id, salt)`: what an auditor will be shown is what was proved.

use super::score::Packed;
use crate::{
    field::Fr,
    poseidon::{Domain, gadget},
    r1cs::{Builder, Relation},
};

/// What the commitment shares with the other relations.
pub(super) struct Opened<'a, W> {
    pub(super) u: &'a W,
    pub(super) factors: &'a Packed<W>,
    pub(super) model: &'a W,
}

/// States the commitment.
pub(super) fn commitment<B: Builder>(
    builder: &mut B,
    decision: &B::Wire,
    opened: &Opened<'_, B::Wire>,
    decision_id: Fr,
    salt: Fr,
) {
    let decision_id = builder.witness(decision_id);
    let salt = builder.witness(salt);
    let [f1, f2] = &opened.factors.elements;
    let inputs = [opened.u, f1, f2, opened.model, &decision_id, &salt];
    let hash = gadget::hash(builder, Relation::Decision, Domain::Decision, inputs);
    builder.equal(Relation::Decision, &hash, decision);
}
