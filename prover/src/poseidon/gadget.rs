//! Poseidon as constraints: three an S-box, and linear lanes witnessed anew where they grow dense.
//!
//! A linear combination costs no constraint, but in the partial rounds each lane would gather a term a round.
//! So every [`rewitness_period`] partial rounds, counted back from the last, the lanes without an S-box become
//! variables of their own. Inputs known from the definition (capacity, padding) pass their first S-box as
//! constants, without constraints.

use ark_ff::AdditiveGroup;

use super::{
    Domain, capacity,
    parameters::{Parameters, Width},
    sbox,
};
use crate::{
    field::Fr,
    r1cs::{Builder, Relation, Wire},
};

/// Partial rounds between two re-witnessings: the measured optimum of density against constraints.
fn rewitness_period(width: usize) -> usize {
    match width {
        3 => 8,
        5 => 12,
        _ => 21,
    }
}

/// `P(domain, inputs..)` as a wire, equal to [`super::hash`] of the inputs' values.
pub(crate) fn hash<B: Builder, const N: usize>(
    builder: &mut B,
    relation: Relation,
    domain: Domain,
    inputs: [&B::Wire; N],
) -> B::Wire {
    const { assert!(N >= 1 && N <= Width::MAX_INPUTS, "Poseidon here takes one to eight inputs") };
    let parameters = Parameters::of(Width::for_inputs::<N>());
    let mut state = vec![B::Wire::constant(capacity(domain as u8, N))];
    state.extend(inputs.into_iter().cloned());
    state.resize(parameters.width(), B::Wire::constant(Fr::ZERO));
    for round in 0..parameters.rounds() {
        for (lane, constant) in state.iter_mut().zip(parameters.round_constants(round)) {
            *lane = lane.plus(&B::Wire::constant(*constant));
        }
        let boxes = if parameters.is_full(round) { state.len() } else { 1 };
        for (i, lane) in state[..boxes].iter_mut().enumerate() {
            let is_constant = round == 0 && !(1..=N).contains(&i);
            *lane = if is_constant {
                B::Wire::constant(sbox(lane.value()))
            } else {
                sbox_gadget(builder, relation, lane)
            };
        }
        if parameters.partial_rounds_left(round).is_some_and(|left| left % rewitness_period(state.len()) == 0)
        {
            for lane in &mut state[1..] {
                *lane = builder.rewitness(relation, lane);
            }
        }
        state = mix(parameters, &state);
    }
    state.swap_remove(1)
}

fn sbox_gadget<B: Builder>(builder: &mut B, relation: Relation, x: &B::Wire) -> B::Wire {
    let x2 = builder.product(relation, x, x);
    let x4 = builder.product(relation, &x2, &x2);
    builder.product(relation, x, &x4)
}

fn mix<W: Wire>(parameters: &Parameters, state: &[W]) -> Vec<W> {
    (0..state.len()).map(|row| W::weighted_sum(parameters.mds_row(row).iter().copied().zip(state))).collect()
}
