//! Checks proofs with nothing but what they carry (RFC 9162 §2.1.3.2 and §2.1.4.2).

use thiserror::Error;

use super::{Hash, MAX_PROOF_HASHES, node_hash};

/// Why a Merkle proof was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProofError {
    /// The leaf lies outside the tree.
    #[error("leaf {index} is not among the tree's {size} leaves")]
    OutsideTree {
        /// The claimed position of the leaf.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// Sizes between which there is nothing to prove.
    #[error("sizes {old} and {new} cannot be proved consistent: the older must be from 1 to the newer")]
    BadSizes {
        /// The older size.
        old: u64,
        /// The newer size.
        new: u64,
    },
    /// Too many or too few hashes for this position and size.
    #[error("a proof for this position and size does not have {0} hashes")]
    WrongLength(usize),
    /// The proof leads to another root.
    #[error("the proof does not lead to the root of the tree")]
    WrongRoot,
    /// The proof starts from another old root.
    #[error("the proof does not start from the root of the older tree")]
    WrongOldRoot,
}

/// Computes the root that the path of a leaf leads to.
pub fn root_from_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash]) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::OutsideTree { index, size });
    }
    let wrong_length = ProofError::WrongLength(path.len());
    if path.len() > MAX_PROOF_HASHES {
        return Err(wrong_length);
    }
    let (mut at, mut last) = (index, size - 1);
    let mut root = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(wrong_length);
        }
        if at % 2 == 1 || at == last {
            root = node_hash(sibling, &root);
            // A ragged right edge has no node on the levels where it would stand alone.
            while at.is_multiple_of(2) && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            root = node_hash(&root, sibling);
        }
        (at, last) = (at / 2, last / 2);
    }
    if last == 0 { Ok(root) } else { Err(wrong_length) }
}

/// Checks that `leaf` stands at `index` in the tree of `size` leaves with this root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if root_from_inclusion(leaf, index, size, path)? == *root { Ok(()) } else { Err(ProofError::WrongRoot) }
}

/// Checks that the tree of `new` leaves extends the tree of `old` leaves without changing it.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old == 0 || old > new {
        return Err(ProofError::BadSizes { old, new });
    }
    let wrong_length = ProofError::WrongLength(proof.len());
    if proof.len() > MAX_PROOF_HASHES {
        return Err(wrong_length);
    }
    if old == new {
        return match (proof.is_empty(), old_root == new_root) {
            (false, _) => Err(wrong_length),
            (true, false) => Err(ProofError::WrongRoot),
            (true, true) => Ok(()),
        };
    }
    // A complete old tree is itself the first node of the proof, and is left out of it.
    let (start, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::WrongLength(0))?
    };
    let (mut at, mut last) = (old - 1, new - 1);
    let whole = at.trailing_ones();
    (at, last) = (at >> whole, last >> whole);
    let (mut from, mut to) = (*start, *start);
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if at % 2 == 1 || at == last {
            from = node_hash(sibling, &from);
            to = node_hash(sibling, &to);
            while at.is_multiple_of(2) && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            to = node_hash(&to, sibling);
        }
        (at, last) = (at / 2, last / 2);
    }
    if last != 0 {
        return Err(wrong_length);
    }
    if from != *old_root {
        return Err(ProofError::WrongOldRoot);
    }
    if to == *new_root { Ok(()) } else { Err(ProofError::WrongRoot) }
}
