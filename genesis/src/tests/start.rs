//! The start of phase 2 against ark-groth16's own generator, given the same secrets.

use ark_bls12_381::{Bls12_381, Fr, G1Projective, G2Projective};
use ark_ec::PrimeGroup;
use ark_ff::Field;
use ark_groth16::Groth16;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::{
    flaw::Flaw,
    origin::{Given, Origin},
    phase1::{Phase1, Powers},
    phase2::Start,
};

const ALPHA: u64 = 1_234_567;
const BETA: u64 = 7_654_321;

/// Powers of known secrets.
pub(crate) fn known(power: u8, tau: Fr) -> Powers {
    let mut powers = Powers::initial(power);
    powers.multiply_by_known(tau, Fr::from(ALPHA), Fr::from(BETA));
    powers
}

#[test]
fn every_element_is_that_of_ark_groth16() {
    for squarings in [2, 5, 12] {
        let circuit = circuit(squarings);
        let domain = Radix2EvaluationDomain::<Fr>::new(1 << circuit.power()).unwrap();
        let tau = domain.sample_element_outside_domain(&mut ChaCha20Rng::seed_from_u64(9));
        let theirs = Groth16::<Bls12_381>::generate_parameters_with_qap(
            Squarings { squarings, x: Fr::ONE },
            Fr::from(ALPHA),
            Fr::from(BETA),
            Fr::ONE,
            Fr::ONE,
            G1Projective::generator(),
            G2Projective::generator(),
            &mut ChaCha20Rng::seed_from_u64(9),
        )
        .unwrap();
        let phase1 = Phase1::Powers(Box::new(known(circuit.power(), tau)));
        let ours = Start::compute(&circuit, &phase1).unwrap();
        ours.check(&circuit, &phase1).unwrap();
        assert_eq!(
            (ours.alpha, ours.beta, ours.beta_g2),
            (theirs.vk.alpha_g1, theirs.beta_g1, theirs.vk.beta_g2)
        );
        assert_eq!(ours.inputs, theirs.vk.gamma_abc_g1);
        assert_eq!(ours.a, theirs.a_query);
        assert_eq!(ours.b_g1, theirs.b_g1_query);
        assert_eq!(ours.b_g2, theirs.b_g2_query);
        assert_eq!(ours.divided.h, theirs.h_query);
        assert_eq!(ours.divided.l, theirs.l_query);
    }
}

/// The terminal form gives the same, and says of itself whether it is one.
#[test]
fn the_lagrange_form_gives_the_same_start() {
    let circuit = circuit(5);
    let powers = Phase1::Powers(Box::new(known(circuit.power(), Fr::from(99_u8))));
    let basis = powers.lagrange().unwrap();
    basis.check().unwrap();
    let lagrange = Phase1::Lagrange(Box::new(basis.clone()));
    let start = Start::compute(&circuit, &powers).unwrap();
    assert_eq!(start, Start::compute(&circuit, &lagrange).unwrap());
    start.check(&circuit, &lagrange).unwrap();
    let given = Given { origin: Origin::Unproven, phase1: lagrange.clone() };
    assert_eq!(Given::from_file(&given.to_file()), Ok(given));

    let spoilt = |change: &dyn Fn(&mut crate::phase1::Lagrange)| {
        let mut basis = basis.clone();
        change(&mut basis);
        basis.check().unwrap_err()
    };
    assert_eq!(spoilt(&|b| b.tau_g1.swap(0, 1)), Flaw::Ratio("L(tau) in G1 and G2"));
    assert_eq!(spoilt(&|b| b.tau_g2.swap(0, 1)), Flaw::Ratio("L(tau) in G1 and G2"));
    assert_eq!(spoilt(&|b| b.tau_g2[2] = b.tau_g2[3]), Flaw::Ratio("L(tau) in G2"));
    assert_eq!(spoilt(&|b| b.alpha_g1.swap(0, 1)), Flaw::Ratio("alpha L(tau)"));
    assert_eq!(spoilt(&|b| b.beta_g1[4] = b.alpha_g1[4]), Flaw::Ratio("beta L(tau)"));
    assert_eq!(spoilt(&|b| b.h[0] = b.h[1]), Flaw::Ratio("L(tau)"));
    assert_eq!(spoilt(&|b| b.h[6] = b.h[5]), Flaw::Ratio("h"));
    assert_eq!(spoilt(&|b| b.alpha = b.beta), Flaw::Ratio("alpha L(tau)"));
    assert_eq!(spoilt(&|b| b.beta_g2 = b.tau_g2[0]), Flaw::Ratio("beta in G2"));
    // Another order of the points of the domain is another basis, though both groups agree.
    let both = |b: &mut crate::phase1::Lagrange| {
        for vector in [&mut b.tau_g1, &mut b.alpha_g1, &mut b.beta_g1] {
            vector.swap(1, 2);
        }
        b.tau_g2.swap(1, 2);
    };
    assert_eq!(spoilt(&both), Flaw::Ratio("L(tau)"));
}

#[test]
fn a_start_that_differs_in_one_element_is_refused() {
    let circuit = circuit(5);
    let phase1 = Phase1::Powers(Box::new(known(circuit.power(), Fr::from(99_u8))));
    let start = Start::compute(&circuit, &phase1).unwrap();
    let spoilt = |change: &dyn Fn(&mut Start)| {
        let mut start = start.clone();
        change(&mut start);
        start.check(&circuit, &phase1).unwrap_err()
    };
    assert_eq!(spoilt(&|s| s.alpha = s.beta), Flaw::Differs("alpha or beta"));
    assert_eq!(spoilt(&|s| s.divided.delta = s.alpha), Flaw::Differs("delta"));
    assert_eq!(spoilt(&|s| s.divided.h.swap(0, 3)), Flaw::Differs("h"));
    assert_eq!(spoilt(&|s| s.a.swap(1, 2)), Flaw::Differs("query A"));
    assert_eq!(spoilt(&|s| s.b_g1.swap(2, 3)), Flaw::Differs("query B in G1"));
    assert_eq!(spoilt(&|s| s.b_g2.swap(2, 3)), Flaw::Differs("query B in G2"));
    assert_eq!(spoilt(&|s| s.inputs[0] = s.alpha), Flaw::Differs("the points of the columns"));
    assert_eq!(spoilt(&|s| s.divided.l.swap(0, 1)), Flaw::Differs("the points of the columns"));
    let other = super::circuit(6);
    assert!(start.check(&other, &phase1).is_err());
    let larger = Phase1::Powers(Box::new(known(circuit.power() + 1, Fr::from(99_u8))));
    assert!(matches!(start.check(&circuit, &larger), Err(Flaw::Other { .. })));
}
