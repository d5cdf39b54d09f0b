//! Arity-4 Poseidon trees: the members of a gateway in an epoch, and the registered models.
//!
//! A node is `P(10, c0, c1, c2, c3)`, an empty leaf 0, and an empty subtree hashes like any other. Leaves are
//! filled from the left in an order every bank derives alike: members by [`BankId`], models by version as the
//! manifest lists them.

use ark_ff::AdditiveGroup;
use hansa_types::{
    id::{BankId, Epoch, GatewayId},
    manifest::Manifest,
};
use zeroize::Zeroize;

use crate::{
    derive,
    field::{Fr, decode},
    poseidon::{Domain, hash},
};

/// Children of a node.
pub const ARITY: usize = 4;
/// Levels above the leaves of the member tree: 1,024 members.
pub const MEMBER_LEVELS: usize = 5;
/// Levels above the leaves of the registry tree: 16 models.
pub const REGISTRY_LEVELS: usize = 2;

/// The way from a leaf to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<const LEVELS: usize> {
    /// The leaf's number; its base-4 digits are its places among the children, lowest level first.
    pub leaf: u16,
    /// The other three children of each level, in order, lowest level first.
    pub siblings: [[Fr; ARITY - 1]; LEVELS],
}

impl<const LEVELS: usize> Path<LEVELS> {
    /// A path of zeros, for setup.
    pub(crate) fn blank() -> Self {
        Self { leaf: 0, siblings: [[Fr::ZERO; ARITY - 1]; LEVELS] }
    }

    /// Which child the node of a level is.
    pub(crate) fn position(&self, level: usize) -> usize {
        usize::from(self.leaf >> (2 * level)) % ARITY
    }

    /// All four children of a level, with `node` at its place.
    pub(crate) fn children(&self, level: usize, node: Fr) -> [Fr; ARITY] {
        let position = self.position(level);
        let siblings = &self.siblings[level];
        std::array::from_fn(|i| match i.cmp(&position) {
            std::cmp::Ordering::Less => siblings[i],
            std::cmp::Ordering::Equal => node,
            std::cmp::Ordering::Greater => siblings[i - 1],
        })
    }

    /// The root this path leads to from `leaf`.
    #[must_use]
    pub fn root(&self, leaf: Fr) -> Fr {
        (0..LEVELS).fold(leaf, |node, level| hash(Domain::TreeNode, self.children(level, node)))
    }
}

/// A path says which member proves, so it is wiped with the rest of the witness.
impl<const LEVELS: usize> Zeroize for Path<LEVELS> {
    fn zeroize(&mut self) {
        self.leaf.zeroize();
        self.siblings.zeroize();
    }
}

/// More leaves than the tree has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tree holds {capacity} leaves and {leaves} are wanted: the manifest names too many")]
pub struct TooManyLeaves {
    /// Leaves wanted.
    pub leaves: usize,
    /// Leaves there are.
    pub capacity: usize,
}

/// A complete tree, kept level by level without its empty right side.
#[derive(Clone, Debug)]
pub struct Tree<const LEVELS: usize> {
    /// `levels[0]` are the leaves; above it nodes, up to the level below the root.
    levels: [Vec<Fr>; LEVELS],
    root: Fr,
}

impl<const LEVELS: usize> Tree<LEVELS> {
    /// Leaves of a full tree.
    pub const CAPACITY: usize = ARITY.pow(LEVELS as u32);

    /// The tree over these leaves, filled up with empty ones.
    ///
    /// # Errors
    /// [`TooManyLeaves`] above [`Self::CAPACITY`].
    pub fn new(leaves: Vec<Fr>) -> Result<Self, TooManyLeaves> {
        if leaves.len() > Self::CAPACITY {
            return Err(TooManyLeaves { leaves: leaves.len(), capacity: Self::CAPACITY });
        }
        let mut levels = [const { Vec::new() }; LEVELS];
        let (mut nodes, mut empty) = (leaves, Fr::ZERO);
        for level in &mut levels {
            let parents = nodes
                .chunks(ARITY)
                .map(|children| {
                    let child = |i: usize| children.get(i).copied().unwrap_or(empty);
                    hash(Domain::TreeNode, std::array::from_fn::<_, ARITY, _>(child))
                })
                .collect();
            *level = std::mem::replace(&mut nodes, parents);
            empty = hash(Domain::TreeNode, [empty; ARITY]);
        }
        let root = nodes.first().copied().unwrap_or(empty);
        Ok(Self { levels, root })
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Fr {
        self.root
    }

    /// The path from a leaf; none beyond the leaves given.
    #[must_use]
    pub fn path(&self, leaf: usize) -> Option<Path<LEVELS>> {
        let leaf_number = u16::try_from(leaf).ok()?;
        if leaf >= self.levels.first().map_or(0, Vec::len) {
            return None;
        }
        let mut path = Path { leaf: leaf_number, siblings: [[Fr::ZERO; ARITY - 1]; LEVELS] };
        let (mut index, mut empty) = (leaf, Fr::ZERO);
        for (siblings, level) in path.siblings.iter_mut().zip(&self.levels) {
            let first = index - index % ARITY;
            let others = (first..first + ARITY).filter(|child| *child != index);
            for (sibling, child) in siblings.iter_mut().zip(others) {
                *sibling = level.get(child).copied().unwrap_or(empty);
            }
            index /= ARITY;
            empty = hash(Domain::TreeNode, [empty; ARITY]);
        }
        Some(path)
    }
}

/// Why the manifest gives no tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The manifest has no such gateway.
    #[error("the manifest names no gateway {0}")]
    UnknownGateway(GatewayId),
    /// Too many members or models.
    #[error(transparent)]
    TooMany(#[from] TooManyLeaves),
}

/// The members of one gateway in one epoch.
#[derive(Clone, Debug)]
pub struct MemberTree {
    /// In the order of the leaves.
    banks: Vec<BankId>,
    tree: Tree<MEMBER_LEVELS>,
}

impl MemberTree {
    /// The tree that every bank computes from the manifest: a leaf for each member that is registered in the
    /// gateway for all of the epoch and published a trace commitment for it. One whose commitments are no field
    /// elements has none: it could not prove anything either.
    ///
    /// # Errors
    /// [`TreeError`] if the gateway is unknown.
    pub fn new(manifest: &Manifest, gateway: GatewayId, epoch: Epoch) -> Result<Self, TreeError> {
        let active = manifest.active_members(gateway, epoch).ok_or(TreeError::UnknownGateway(gateway))?;
        let (mut banks, mut leaves) = (Vec::new(), Vec::new());
        for (bank, member) in active {
            let Some(trace) = member.traces.get(&epoch) else { continue };
            let (Ok(membership), Ok(trace)) = (decode(&member.membership), decode(trace)) else { continue };
            leaves.push(derive::member_leaf(membership, manifest.signal_limit, trace));
            banks.push(bank.clone());
        }
        Ok(Self { banks, tree: Tree::new(leaves)? })
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Fr {
        self.tree.root()
    }

    /// How many members can signal: those among whom a sender hides.
    #[must_use]
    pub fn active(&self) -> usize {
        self.banks.len()
    }

    /// A member's path; none if it has no leaf.
    #[must_use]
    pub fn path(&self, bank: &BankId) -> Option<Path<MEMBER_LEVELS>> {
        self.tree.path(self.banks.iter().position(|member| member == bank)?)
    }
}

/// The registered models.
#[derive(Clone, Debug)]
pub struct RegistryTree {
    versions: Vec<u32>,
    tree: Tree<REGISTRY_LEVELS>,
}

impl RegistryTree {
    /// The tree over the manifest's models, in its order.
    ///
    /// # Errors
    /// [`TreeError::TooMany`] above sixteen models.
    pub fn new(manifest: &Manifest) -> Result<Self, TreeError> {
        let leaves =
            manifest.models.iter().map(|registered| derive::model_commitment(&registered.model)).collect();
        let versions = manifest.models.iter().map(|registered| registered.model.version).collect();
        Ok(Self { versions, tree: Tree::new(leaves)? })
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Fr {
        self.tree.root()
    }

    /// A model's path; none if the version is not registered.
    #[must_use]
    pub fn path(&self, version: u32) -> Option<Path<REGISTRY_LEVELS>> {
        self.tree.path(self.versions.iter().position(|registered| *registered == version)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every leaf of every size of tree has a path to the root of the tree built without shortcuts.
    #[test]
    fn paths_lead_to_the_root_of_the_full_tree() {
        for leaves in [0_usize, 1, 3, 4, 5, 15, 16] {
            let given: Vec<Fr> = (0..leaves as u64).map(|i| Fr::from(i + 1)).collect();
            let tree = Tree::<2>::new(given.clone()).unwrap();
            let mut full = given.clone();
            full.resize(16, Fr::ZERO);
            while full.len() > 1 {
                full = full.chunks(4).map(|c| hash(Domain::TreeNode, [c[0], c[1], c[2], c[3]])).collect();
            }
            assert_eq!(tree.root(), full[0], "{leaves} leaves");
            for (i, leaf) in given.iter().enumerate() {
                let path = tree.path(i).unwrap();
                assert_eq!(path.root(*leaf), tree.root());
                assert_ne!(path.root(*leaf + Fr::from(1_u8)), tree.root());
            }
            assert_eq!(tree.path(leaves), None);
        }
        assert_eq!(
            Tree::<2>::new(vec![Fr::ZERO; 17]).unwrap_err(),
            TooManyLeaves { leaves: 17, capacity: 16 }
        );
    }
}
