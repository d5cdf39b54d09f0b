//! `M = P(6, version, W1, W2)` is in the tree of `registry_root`.

use super::{path, score::Packed};
use crate::{
    field::Fr,
    poseidon::{Domain, gadget},
    r1cs::{Builder, Relation},
    tree::{Path, REGISTRY_LEVELS},
};

const RELATION: Relation = Relation::Registry;

/// States that the model is registered, and gives its commitment M.
pub(super) fn registered<B: Builder>(
    builder: &mut B,
    registry_root: &B::Wire,
    version: u32,
    weights: &Packed<B::Wire>,
    path: &Path<REGISTRY_LEVELS>,
) -> B::Wire {
    let version = builder.witness(Fr::from(version));
    let [w1, w2] = &weights.elements;
    let model = gadget::hash(builder, RELATION, Domain::Model, [&version, w1, w2]);
    // Used in the path and in the decision commitment, so worth a variable.
    let model = builder.rewitness(RELATION, &model);
    let root = path::root(builder, RELATION, model.clone(), path);
    builder.equal(RELATION, &root, registry_root);
    model
}
