//! Our Poseidon against published vectors: see the headers of the files in `tests/vectors`.

use ark_ff::{BigInteger, PrimeField};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::{
    gadget,
    grain::Grain,
    hash, hash_raw,
    parameters::{Parameters, Width, cauchy},
    permute, *,
};
use crate::{
    field::Fr,
    r1cs::{Builder, Relation, Wire, assignment::Assignment, system::System},
};

fn element(hex: &str) -> Fr {
    let mut bytes = hex::decode(hex.trim_start_matches("0x")).unwrap();
    bytes.reverse();
    let element = Fr::from_le_bytes_mod_order(&bytes);
    assert_eq!(element.into_bigint().to_bytes_le(), bytes, "vectors are canonical");
    element
}

/// Lines `name: value value ..`; `#` starts a comment.
fn vectors(file: &'static str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let (name, values) = line.split_once(": ").unwrap();
        (name, values.split(' ').collect())
    })
}

/// Counting inputs 0, 1, .., as the vectors use them.
fn counting<const N: usize>() -> [Fr; N] {
    std::array::from_fn(|i| Fr::from(i as u64))
}

/// neptune's Merkle hash: `2^arity - 1` in the capacity.
fn merkle<const N: usize>() -> Fr {
    let parameters = Parameters::of(Width::for_inputs::<N>());
    let mut state = vec![Fr::from((1_u64 << N) - 1)];
    state.extend(counting::<N>());
    permute(parameters, &mut state);
    state[1]
}

#[test]
fn hashes_are_filecoins() {
    let mut seen = 0;
    for (name, values) in vectors(include_str!("../../tests/vectors/poseidon-filecoin.txt")) {
        let ours = match name {
            "merkle 2" => merkle::<2>(),
            "merkle 4" => merkle::<4>(),
            "merkle 8" => merkle::<8>(),
            "constant length 2" => hash_raw(0, counting::<2>()),
            "constant length 4" => hash_raw(0, counting::<4>()),
            "constant length 8" => hash_raw(0, counting::<8>()),
            other => panic!("unknown vector {other}"),
        };
        assert_eq!(ours, element(values[0]), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}

/// The Grain generator and the permutation against the reference implementation's own instances, which take
/// other descriptors, round numbers and a matrix generated from Grain as well.
#[test]
fn grain_and_permutation_are_the_reference_implementations() {
    const REFERENCE_SBOX: u32 = 0;
    let mut seen = 0;
    for (name, values) in vectors(include_str!("../../tests/vectors/poseidon-hadeshash.txt")) {
        let (width, partial) = match name {
            "x5_255_3" => (3, 57),
            "x5_255_5" => (5, 60),
            other => panic!("unknown vector {other}"),
        };
        let mut grain = Grain::new(REFERENCE_SBOX, width as u32, 8, partial as u32);
        let constants = (0..width * (8 + partial)).map(|_| grain.next_element()).collect();
        // The reference reduces the matrix's seeds modulo r instead of drawing again.
        let mut seeds = || {
            (0..width)
                .map(|_| Fr::from_le_bytes_mod_order(&grain.next_integer().to_bytes_le()))
                .collect::<Vec<_>>()
        };
        let (xs, ys) = (seeds(), seeds());
        let parameters = Parameters::new(width, 8, partial, constants, cauchy(&xs, &ys));
        let mut state: Vec<Fr> = (0..width as u64).map(Fr::from).collect();
        permute(&parameters, &mut state);
        assert_eq!(state, values.iter().map(|value| element(value)).collect::<Vec<_>>(), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn round_constants_are_the_published_ones() {
    let (_, values) = vectors(include_str!("../../tests/vectors/poseidon-constants-9.txt")).next().unwrap();
    let parameters = Parameters::of(Width::Nine);
    let ours: Vec<Fr> =
        (0..parameters.rounds()).flat_map(|r| parameters.round_constants(r).to_vec()).collect();
    assert_eq!(ours, values.iter().map(|value| element(value)).collect::<Vec<_>>());
}

/// Freezes the hash with its domains, so that no refactoring changes it unnoticed.
#[test]
fn domain_hashes_are_frozen() {
    let mut seen = 0;
    for (name, values) in vectors(include_str!("../../tests/vectors/poseidon-hansa.txt")) {
        let ours = match name {
            "public key" => hash(Domain::PublicKey, counting::<1>()),
            "member leaf" => hash(Domain::MemberLeaf, counting::<3>()),
            "trace" => hash(Domain::Trace, counting::<1>()),
            "share" => hash(Domain::Share, counting::<3>()),
            "nullifier" => hash(Domain::Nullifier, counting::<1>()),
            "model" => hash(Domain::Model, counting::<3>()),
            "tag" => hash(Domain::Tag, counting::<2>()),
            "decision" => hash(Domain::Decision, counting::<6>()),
            "scope" => hash(Domain::Scope, counting::<5>()),
            "tree node" => hash(Domain::TreeNode, counting::<4>()),
            other => panic!("unknown vector {other}"),
        };
        assert_eq!(hex::encode(crate::field::to_bytes(&ours)), values[0], "{name}");
        seen += 1;
    }
    assert_eq!(seen, 10);
}

#[test]
fn gadget_is_the_hash() {
    fn agree<const N: usize>(rng: &mut ChaCha20Rng) {
        use ark_ff::UniformRand;
        let inputs: [Fr; N] = std::array::from_fn(|_| Fr::rand(rng));
        let expected = hash(Domain::Decision, inputs);
        let mut system = System::new();
        let wires = inputs.map(|input| system.witness(input));
        let out = gadget::hash(&mut system, Relation::Decision, Domain::Decision, wires.each_ref());
        assert_eq!(out.value(), expected, "{N} inputs");
        assert!(system.broken().is_empty(), "{N} inputs");

        let mut assignment = Assignment::with_capacity(1, system.witnesses());
        let wires = inputs.map(|input| assignment.witness(input));
        let out = gadget::hash(&mut assignment, Relation::Decision, Domain::Decision, wires.each_ref());
        assert_eq!(out, expected);
        assert_eq!(*assignment.columns(), system.columns(), "both builders allocate alike");
    }
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    agree::<1>(&mut rng);
    agree::<2>(&mut rng);
    agree::<3>(&mut rng);
    agree::<4>(&mut rng);
    agree::<5>(&mut rng);
    agree::<6>(&mut rng);
    agree::<8>(&mut rng);
}

#[test]
fn length_and_domain_separate() {
    let one = Fr::from(1_u64);
    let zero = Fr::from(0_u64);
    assert_ne!(hash(Domain::Tag, [one]), hash(Domain::Tag, [one, zero]));
    assert_ne!(hash(Domain::Tag, [one, zero]), hash(Domain::Trace, [one, zero]));
}
