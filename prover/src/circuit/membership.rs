//! `leaf = P(2, P(1, sk), limit, P(3, t_e))` is in the tree of `member_root`.

use super::path;
use crate::{
    poseidon::{Domain, gadget},
    r1cs::{Builder, Relation},
    tree::{MEMBER_LEVELS, Path},
};

const RELATION: Relation = Relation::Membership;

/// States that whoever knows `secret` and `trace` is a member with this limit.
pub(super) fn member<B: Builder>(
    builder: &mut B,
    member_root: &B::Wire,
    secret: &B::Wire,
    trace: &B::Wire,
    limit: &B::Wire,
    path: &Path<MEMBER_LEVELS>,
) {
    let public_key = gadget::hash(builder, RELATION, Domain::PublicKey, [secret]);
    let trace_commitment = gadget::hash(builder, RELATION, Domain::Trace, [trace]);
    let leaf = gadget::hash(builder, RELATION, Domain::MemberLeaf, [&public_key, limit, &trace_commitment]);
    let root = path::root(builder, RELATION, leaf, path);
    builder.equal(RELATION, &root, member_root);
}
