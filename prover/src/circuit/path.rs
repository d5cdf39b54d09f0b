//! The root above a leaf in an arity-4 Poseidon tree.

use crate::{
    field::Fr,
    poseidon::{Domain, gadget},
    r1cs::{Builder, Relation, Wire},
    tree::{ARITY, Path},
};

/// The root that `path` leads to from `leaf`. Five constraints a level select the place among the children;
/// the rest is the hash.
pub(super) fn root<B: Builder, const LEVELS: usize>(
    builder: &mut B,
    relation: Relation,
    leaf: B::Wire,
    path: &Path<LEVELS>,
) -> B::Wire {
    let mut node = leaf;
    for level in 0..LEVELS {
        let children = path.children(level, node.value());
        node = parent(builder, relation, &node, children, path.position(level));
    }
    node
}

/// States that `node` is child number `position` and gives the parent. The children are variables of their
/// own, so that the hash above starts from sparse inputs.
fn parent<B: Builder>(
    builder: &mut B,
    relation: Relation,
    node: &B::Wire,
    children: [Fr; ARITY],
    position: usize,
) -> B::Wire {
    let [c0, c1, c2, c3] = children.map(|child| builder.witness(child));
    let low = builder.bit(relation, position & 1 == 1);
    let high = builder.bit(relation, position & 2 == 2);
    // low ? c1 : c0 is c0 + p; low ? c3 : c2 is c2 + q.
    let p = builder.product(relation, &c1.minus(&c0), &low);
    let q = builder.product(relation, &c3.minus(&c2), &low);
    let (first, second) = (c0.plus(&p), c2.plus(&q));
    builder.enforce(relation, &second.minus(&first), &high, &node.minus(&first));
    gadget::hash(builder, relation, Domain::TreeNode, [&c0, &c1, &c2, &c3])
}
