//! The tree against RFC 6962's definition written down naively, against the crate ct-merkle, and published vectors.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2_of_ct_merkle::Sha256 as CtSha256;

use super::*;

/// MTH of RFC 6962 §2.1, literally.
fn naive_root(leaves: &[Vec<u8>]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => leaf_hash(leaf),
        _ => {
            let (left, right) = leaves.split_at(naive_split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// PATH of RFC 6962 §2.1.1, literally.
fn naive_path(index: usize, leaves: &[Vec<u8>]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return vec![];
    }
    let at = naive_split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, sibling) = if index < at {
        (naive_path(index, left), naive_root(right))
    } else {
        (naive_path(index - at, right), naive_root(left))
    };
    path.push(sibling);
    path
}

/// SUBPROOF of RFC 6962 §2.1.2, literally.
fn naive_consistency(old: usize, leaves: &[Vec<u8>], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { vec![] } else { vec![naive_root(leaves)] };
    }
    let at = naive_split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut proof, sibling) = if old <= at {
        (naive_consistency(old, left, whole), naive_root(right))
    } else {
        (naive_consistency(old - at, right, false), naive_root(left))
    };
    proof.push(sibling);
    proof
}

fn naive_split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

fn numbered(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| format!("leaf {i}").into_bytes()).collect()
}

fn built(leaves: &[Vec<u8>]) -> (MemoryNodes, Frontier) {
    let (mut nodes, mut frontier) = (MemoryNodes::default(), Frontier::default());
    for (leaf, index) in leaves.iter().zip(0..) {
        frontier.append(leaf_hash(leaf), |id, hash| {
            assert_eq!(id.completed_by(), index);
            nodes.put(id, hash);
        });
    }
    (nodes, frontier)
}

#[test]
fn published_vectors_hold() {
    let mut leaves: Vec<Vec<u8>> = Vec::new();
    let mut checked = 0;
    for line in include_str!("../../tests/vectors/rfc6962.txt").lines().filter(|line| !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let hashes: Vec<Hash> =
            words.iter().skip(3).map(|h| hex::decode(h).unwrap().try_into().unwrap()).collect();
        let (nodes, _) = built(&leaves);
        match words[0] {
            "leaf" => leaves.push(hex::decode(words[1]).unwrap()),
            "root" => assert_eq!(hex::encode(root_at(&nodes, number(1)).unwrap()), words[2]),
            "inclusion" => assert_eq!(inclusion_proof(&nodes, number(1), number(2)).unwrap(), hashes),
            "consistency" => assert_eq!(consistency_proof(&nodes, number(1), number(2)).unwrap(), hashes),
            other => panic!("unknown vector {other}"),
        }
        checked += usize::from(words[0] != "leaf");
    }
    assert_eq!((leaves.len(), checked), (8, 16));
}

#[test]
fn small_trees_agree_with_the_definition_and_with_ct_merkle() {
    let leaves = numbered(40);
    let (nodes, _) = built(&leaves);
    let mut foreign = MemoryBackedTree::<CtSha256, Vec<u8>>::new();
    for size in 1..=leaves.len() {
        foreign.push(leaves[size - 1].clone());
        let root = root_at(&nodes, size as u64).unwrap();
        assert_eq!(root, naive_root(&leaves[..size]));
        assert_eq!(root.as_slice(), foreign.root().as_bytes().as_slice());
        assert_eq!(Frontier::load(&nodes, size as u64).unwrap().root(), root);
        for index in 0..size {
            let path = inclusion_proof(&nodes, index as u64, size as u64).unwrap();
            assert_eq!(path, naive_path(index, &leaves[..size]));
            assert_eq!(path.concat(), foreign.prove_inclusion(index).as_bytes());
            verify_inclusion(&leaf_hash(&leaves[index]), index as u64, size as u64, &path, &root).unwrap();
        }
        for old in 1..=size {
            let proof = consistency_proof(&nodes, old as u64, size as u64).unwrap();
            assert_eq!(proof, naive_consistency(old, &leaves[..size], true));
            assert_eq!(proof.concat(), foreign.prove_consistency(size - old).as_bytes());
            let old_root = naive_root(&leaves[..old]);
            verify_consistency(old as u64, size as u64, &old_root, &root, &proof).unwrap();
        }
    }
}

#[test]
fn impossible_questions_are_errors() {
    let (nodes, _) = built(&numbered(5));
    assert_eq!(inclusion_proof(&nodes, 5, 5), Err(TreeError::NoSuchLeaf { index: 5, size: 5 }));
    assert_eq!(consistency_proof(&nodes, 0, 5), Err(TreeError::BadSizes { old: 0, new: 5 }));
    assert_eq!(consistency_proof(&nodes, 6, 5), Err(TreeError::BadSizes { old: 6, new: 5 }));
    assert!(matches!(root_at(&nodes, 6), Err(TreeError::Missing(_))));
    assert!(matches!(root_at(&nodes, u64::MAX), Err(TreeError::SizeTooLarge { .. })));
    assert!(matches!(Frontier::load(&nodes, u64::MAX), Err(TreeError::SizeTooLarge { .. })));
    assert_eq!(root_at(&nodes, 0), Ok(empty_root()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn proofs_verify_and_no_altered_proof_does(size in 2u64..600, seed: u64, flip: usize) {
        let leaves = numbered(size as usize);
        let (nodes, frontier) = built(&leaves);
        let root = frontier.root();
        let index = seed % size;
        let leaf = leaf_hash(&leaves[index as usize]);
        let mut path = inclusion_proof(&nodes, index, size).unwrap();
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &path, &root), Ok(()));
        let other = (index + 1) % size;
        prop_assert!(verify_inclusion(&leaf, other, size, &path, &root).is_err());
        let at = flip % path.len();
        path[at][flip % 32] ^= 1;
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &root).is_err());
        path[at][flip % 32] ^= 1;
        path.pop();
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &root).is_err());

        let old = 1 + seed % (size - 1);
        let old_root = root_at(&nodes, old).unwrap();
        let mut proof = consistency_proof(&nodes, old, size).unwrap();
        prop_assert_eq!(verify_consistency(old, size, &old_root, &root, &proof), Ok(()));
        let at = flip % proof.len();
        proof[at][flip % 32] ^= 1;
        prop_assert!(verify_consistency(old, size, &old_root, &root, &proof).is_err());
    }

    #[test]
    fn claims_of_any_shape_are_judged_without_panic(
        index: u64, size: u64, old: u64, proof in prop::collection::vec(any::<[u8; 32]>(), 0..70)
    ) {
        let root = [0; 32];
        prop_assert!(verify_inclusion(&root, index, size, &proof, &root).is_err());
        prop_assert!(old == size || verify_consistency(old, size, &[1; 32], &root, &proof).is_err());
        let (nodes, _) = built(&numbered(3));
        prop_assert!(inclusion_proof(&nodes, index, size.max(4)).is_err());
    }
}
