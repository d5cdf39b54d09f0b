//! `tag = P(7, u, scope)`: only who knows the subject's u can recognise it, and only in this scope.

use crate::{
    poseidon::{Domain, gadget},
    r1cs::{Builder, Relation},
};

/// States the tag.
pub(super) fn tag<B: Builder>(builder: &mut B, tag: &B::Wire, u: &B::Wire, scope: &B::Wire) {
    let hash = gadget::hash(builder, Relation::Tag, Domain::Tag, [u, scope]);
    builder.equal(Relation::Tag, &hash, tag);
}
