//! Circuit against twin: they agree on good and bad witnesses, and each relation can be broken alone.

use std::collections::BTreeSet;

use ark_ff::{AdditiveGroup, Field, UniformRand};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystem, OptimizationGoal, R1CS_PREDICATE_LABEL, SynthesisMode,
};
use hansa_types::model::{FACTORS, Factors, Model};
use proptest::prelude::*;
use rand::Rng;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::{
    derive,
    r1cs::system::{Column, System},
    relation,
    tree::Tree,
    verify::pairing,
};

/// A true statement.
#[derive(Clone)]
struct Case {
    public: PublicInputs,
    witness: Witness,
}

/// Makes a true statement a false one.
type Lie = fn(&mut Case);

fn case(seed: u64) -> Case {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut witness = Witness::blank();
    witness.secret = Fr::rand(&mut rng);
    witness.trace = Fr::rand(&mut rng);
    witness.limit = rng.gen_range(1..50);
    witness.counter = rng.gen_range(0..witness.limit);
    witness.model_version = rng.r#gen();
    witness.weights = std::array::from_fn(|_| rng.r#gen());
    witness.factors = std::array::from_fn(|_| rng.r#gen());
    witness.factors[0] = u16::MAX;
    witness.weights[0] = i16::MAX;
    for i in 1..FACTORS {
        witness.weights[i] /= 16;
    }
    witness.u = Fr::rand(&mut rng);
    witness.decision_id = Fr::rand(&mut rng);
    witness.salt = Fr::rand(&mut rng);
    let (scope, x) = (Fr::rand(&mut rng), Fr::rand(&mut rng));

    let leaf = leaf(&witness);
    let position = rng.gen_range(0..20);
    let leaves = (0..20).map(|i| if i == position { leaf } else { Fr::rand(&mut rng) }).collect();
    let members = Tree::new(leaves).unwrap();
    witness.member_path = members.path(position).unwrap();
    let commitment = derive::model_commitment(&model(&witness));
    let position = rng.gen_range(0..7);
    let leaves = (0..7).map(|i| if i == position { commitment } else { Fr::rand(&mut rng) }).collect();
    let registry = Tree::new(leaves).unwrap();
    witness.registry_path = registry.path(position).unwrap();

    let score = model(&witness).score(&Factors(witness.factors)).0;
    let slope = derive::slope(witness.trace, scope, witness.counter);
    let public = PublicInputs {
        member_root: members.root(),
        registry_root: registry.root(),
        scope,
        nullifier: derive::nullifier(slope),
        share: derive::share(witness.trace, slope, x),
        x,
        tag: derive::tag(witness.u, scope),
        threshold: u32::try_from(score).expect("the first factor outweighs the others").min(rng.r#gen()),
        decision: decision(&witness),
    };
    Case { public, witness }
}

fn model(witness: &Witness) -> Model {
    Model { version: witness.model_version, weights: witness.weights }
}

fn leaf(witness: &Witness) -> Fr {
    let trace = derive::trace_commitment(witness.trace);
    derive::member_leaf(derive::public_key(witness.secret), witness.limit, trace)
}

fn decision(witness: &Witness) -> Fr {
    let (factors, model) = (Factors(witness.factors), derive::model_commitment(&model(witness)));
    derive::decision_commitment(witness.u, &factors, model, witness.decision_id, witness.salt)
}

fn system(case: &Case) -> System {
    let mut system = System::new();
    statement(&mut system, &case.public, &case.witness);
    system
}

/// What the circuit says is broken, having checked that the twin says the same.
fn broken(case: &Case) -> BTreeSet<Relation> {
    let circuit = system(case).broken();
    assert_eq!(circuit, relation::broken(&case.public, &case.witness));
    circuit
}

#[test]
fn fits_the_domain() {
    let metrics = metrics();
    assert_eq!(metrics.instance_variables, PublicInputs::COUNT + 1);
    assert!(metrics.constraints + metrics.instance_variables <= 1 << 13);
    assert_eq!(metrics.domain_log2, 13);
    // Frozen: a change here is a new circuit version and needs new keys.
    assert_eq!(metrics.constraints, 5144);
    let frozen = include_str!("../../tests/vectors/circuit-hash.txt");
    assert_eq!(Some(circuit_hash().to_string().as_str()), frozen.lines().last());
}

/// arkworks counts constraints over all predicates and makes the QAP from one: they must be the same ones,
/// and the matrices those that we hash and prove with.
#[test]
fn arkworks_sees_the_same_matrices() {
    let system = Shape::blank_system();
    let cs = ConstraintSystem::new_ref();
    cs.set_optimization_goal(OptimizationGoal::Constraints);
    cs.set_mode(SynthesisMode::Setup);
    (&system).generate_constraints(cs.clone()).unwrap();
    cs.finalize();
    let shape = Shape::get();
    assert_eq!(cs.num_constraints(), shape.constraints);
    assert_eq!(cs.get_predicates_num_constraints(R1CS_PREDICATE_LABEL), Some(shape.constraints));
    assert_eq!(cs.num_instance_variables(), shape.public);
    assert_eq!(cs.num_witness_variables(), shape.witnesses);
    let mut theirs = cs.to_matrices().unwrap().remove(R1CS_PREDICATE_LABEL).unwrap();
    theirs.iter_mut().flatten().for_each(|row| row.sort_by_key(|term| term.1));
    assert_eq!(theirs, shape.matrices);
}

#[test]
fn constraints_do_not_depend_on_values() {
    assert_eq!(system(&case(3)).matrices(), Shape::get().matrices);
}

#[test]
fn values_alone_give_the_same_assignment() {
    let case = case(4);
    let mut assignment = Shape::get().assignment();
    statement(&mut assignment, &case.public, &case.witness);
    assert_eq!(*assignment.columns(), system(&case).columns());
}

#[test]
fn true_statements_hold() {
    for seed in 0..8 {
        assert_eq!(broken(&case(seed)), BTreeSet::new(), "seed {seed}");
    }
}

/// Whether a proof made from this assignment verifies. Provers do not make such proofs; cheats do.
fn accepted(system: &System, public: &PublicInputs) -> bool {
    let prover = &crate::testing::consortium().prover;
    let proof = prover.prove_columns(None, system.columns().into(), &mut crate::testing::rng(80));
    pairing::holds(prover.key().verifying_key(), &proof, public)
}

/// The two groups of constraints that hold by the types of the arguments, broken alone by hand, and refused: a public
/// input whose square is another, and a bit that is none (its value stays the sum of the bits).
#[test]
fn squares_and_ranges_can_be_broken_alone() {
    let case = case(10);
    assert!(accepted(&system(&case), &case.public));
    // The squares of the nine inputs are the first variables of the witness.
    for i in 0..9 {
        let mut system = system(&case);
        system.assign(Column::Witness(i), Fr::from(2_u8));
        assert_eq!(system.broken(), BTreeSet::from([Relation::PublicInputs]), "input {i}");
        assert!(i > 0 || !accepted(&system, &case.public));
    }
    let (mut system, at) = with_factors_five_and_seven();
    // Five is 101 in base 2: the bit worth two takes over what the bit worth four says.
    system.assign(Column::Witness(at + 2), Fr::from(2_u8));
    system.assign(Column::Witness(at + 3), Fr::ZERO);
    assert_eq!(system.broken(), BTreeSet::from([Relation::Ranges]));
    assert!(!accepted(&system, &case.public));
}

/// For each relation, a case in which only that one fails.
#[test]
fn each_relation_can_be_broken_alone() {
    let breakers: [(Relation, Lie); 9] = [
        (Relation::Membership, |c| c.witness.secret += Fr::ONE),
        (Relation::RateLimit, |c| {
            c.witness.counter = c.witness.limit;
            let slope = derive::slope(c.witness.trace, c.public.scope, c.witness.counter);
            c.public.nullifier = derive::nullifier(slope);
            c.public.share = derive::share(c.witness.trace, slope, c.public.x);
        }),
        (Relation::Nullifier, |c| c.public.nullifier += Fr::ONE),
        (Relation::Share, |c| c.public.share += Fr::ONE),
        (Relation::Share, |c| c.public.x += Fr::ONE),
        (Relation::Registry, |c| {
            c.witness.model_version ^= 1;
            c.public.decision = decision(&c.witness);
        }),
        (Relation::Score, |c| {
            let score = model(&c.witness).score(&Factors(c.witness.factors)).0;
            c.public.threshold = u32::try_from(score + 1).unwrap();
        }),
        (Relation::Tag, |c| c.public.tag += Fr::ONE),
        (Relation::Decision, |c| c.witness.salt += Fr::ONE),
    ];
    for (relation, breaker) in breakers {
        let mut case = case(5);
        breaker(&mut case);
        assert_eq!(broken(&case), BTreeSet::from([relation]));
        assert!(!accepted(&system(&case), &case.public), "{relation:?}");
    }
}

/// Other ways to lie, each with everything it breaks.
#[test]
fn lies_are_refused() {
    use Relation::{Decision, Membership, Nullifier, RateLimit, Registry, Share, Tag};
    let lies: [(&str, Lie, &[Relation]); 8] = [
        ("another's trace", |c| c.witness.trace += Fr::ONE, &[Membership, Nullifier, Share]),
        ("a higher limit", |c| c.witness.limit += 1, &[Membership]),
        ("another leaf", |c| c.witness.member_path.leaf ^= 1, &[Membership]),
        ("a spare counter", |c| c.witness.counter = u32::MAX, &[RateLimit, Nullifier, Share]),
        ("another scope", |c| c.public.scope += Fr::ONE, &[Nullifier, Share, Tag]),
        ("another subject", |c| c.witness.u += Fr::ONE, &[Tag, Decision]),
        ("a higher factor", |c| c.witness.factors[0] ^= 1, &[Decision]),
        ("a higher weight", |c| c.witness.weights[3] ^= 1, &[Registry, Decision]),
    ];
    for (what, lie, expected) in lies {
        let mut case = case(6);
        case.public.threshold = 0;
        lie(&mut case);
        assert_eq!(broken(&case), expected.iter().copied().collect(), "{what}");
    }
}

/// The extreme scores do not wrap around.
#[test]
fn extreme_scores_are_compared_rightly() {
    for (weight, factor, threshold, holds) in [
        (i16::MIN, u16::MAX, 0, false),
        (i16::MIN, u16::MAX, u32::MAX, false),
        (i16::MAX, u16::MAX, u32::MAX, true),
        (i16::MIN, 0, 0, true),
        (i16::MIN, 0, 1, false),
        (-1, 1, 0, false),
        (1, 1, 16, true),
        (1, 1, 17, false),
    ] {
        let mut case = case(7);
        case.witness.weights = [weight; FACTORS];
        case.witness.factors = [factor; FACTORS];
        case.public.threshold = threshold;
        assert_eq!(!broken(&case).contains(&Relation::Score), holds, "{weight} {factor} {threshold}");
    }
}

/// A dishonest prover may assign what it likes: changing any one variable breaks a constraint, so no variable
/// of the witness and no public input is free.
#[test]
fn no_variable_is_free() {
    let mut system = system(&case(8));
    let occurrences = system.occurrences();
    let columns = (1..=9).map(Column::Public).chain((0..system.witnesses() as u32).map(Column::Witness));
    for column in columns {
        let rows = occurrences.get(&column).unwrap_or_else(|| panic!("{column:?} stands in no constraint"));
        for delta in [Fr::ONE, -Fr::ONE, Fr::from(1_u64 << 16)] {
            let honest = system.assign(column, Fr::ZERO);
            system.assign(column, honest + delta);
            assert!(rows.iter().any(|row| !system.holds(*row)), "{column:?} is free");
            system.assign(column, honest);
        }
    }
    assert!(system.broken().is_empty());
}

/// An honest system with factor 2 five and factor 3 seven, and the column of factor 2. Each factor is followed by its
/// sixteen bits, lowest first, so the two are found by their values at that distance.
fn with_factors_five_and_seven() -> (System, u32) {
    let mut case = case(9);
    case.witness.factors[2] = 5;
    case.witness.factors[3] = 7;
    case.public.decision = decision(&case.witness);
    case.public.threshold = 0;
    let system = system(&case);
    assert!(system.broken().is_empty());
    let is = |c: u32, v: u64| system.columns()[10 + c as usize] == Fr::from(v);
    let at = (0..system.witnesses() as u32 - 17).find(|c| is(*c, 5) && is(*c + 17, 7)).unwrap();
    (system, at)
}

/// Seventeen bits for a factor: the packing would take the surplus bit for its neighbour's. Found as a
/// broken range, although F1, and so the decision commitment, stay as they were.
#[test]
fn a_factor_of_seventeen_bits_is_a_broken_range() {
    let (mut system, at) = with_factors_five_and_seven();
    system.assign(Column::Witness(at), Fr::from(5 + (1_u64 << 16)));
    system.assign(Column::Witness(at + 17), Fr::from(6_u64));
    let broken = system.broken();
    assert!(broken.contains(&Relation::Ranges) && !broken.contains(&Relation::Decision), "{broken:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is changed, circuit and twin name the same broken relations.
    #[test]
    fn circuit_and_twin_agree(seed in 0_u64..1000, changes in prop::collection::vec((0_u8..16, any::<u32>()), 0..4)) {
        let mut case = case(seed);
        for (what, value) in changes {
            change(&mut case, what, value);
        }
        let _ = broken(&case);
    }
}

fn change(case: &mut Case, what: u8, value: u32) {
    let (witness, public) = (&mut case.witness, &mut case.public);
    let element = Fr::from(value);
    let (i, low) = (value as usize % FACTORS, value as u16);
    match what {
        0 => witness.secret = element,
        1 => witness.trace = element,
        2 => witness.limit = value,
        3 => witness.counter = value,
        4 => witness.member_path.leaf = low % 1024,
        5 => witness.member_path.siblings[i % 5][i % 3] = element,
        6 => witness.model_version = value,
        7 => witness.weights[i] = low.cast_signed(),
        8 => witness.factors[i] = low,
        9 => witness.registry_path.leaf = low % 16,
        10 => witness.u = element,
        11 => witness.salt = element,
        12 => public.scope = element,
        13 => public.threshold = value,
        14 => public.x = element,
        _ => public.nullifier = element,
    }
}
