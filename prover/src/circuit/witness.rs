//! What the prover knows and nobody else learns.

use ark_ff::AdditiveGroup;
use hansa_types::model::FACTORS;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    field::Fr,
    tree::{MEMBER_LEVELS, Path, REGISTRY_LEVELS},
};

/// The secret side of the statement; wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Witness {
    /// The member's long-term secret sk.
    pub secret: Fr,
    /// The member's trace secret t_e of the epoch.
    pub trace: Fr,
    /// How many signals the member may send in a scope.
    pub limit: u32,
    /// Which of them this is, from 0.
    pub counter: u32,
    /// From the member's leaf to the member root.
    pub member_path: Path<MEMBER_LEVELS>,
    /// The model's version.
    pub model_version: u32,
    /// The model's weights.
    pub weights: [i16; FACTORS],
    /// From the model's commitment to the registry root.
    pub registry_path: Path<REGISTRY_LEVELS>,
    /// What the payment showed.
    pub factors: [u16; FACTORS],
    /// The subject's OPRF output in the field.
    pub u: Fr,
    /// The decision's identifier in the field.
    pub decision_id: Fr,
    /// Hides what the decision commitment commits to.
    pub salt: Fr,
}

impl Witness {
    /// A witness of nothing, for setup: the constraints do not depend on values.
    pub(crate) fn blank() -> Self {
        Self {
            secret: Fr::ZERO,
            trace: Fr::ZERO,
            limit: 0,
            counter: 0,
            member_path: Path::blank(),
            model_version: 0,
            weights: [0; FACTORS],
            registry_path: Path::blank(),
            factors: [0; FACTORS],
            u: Fr::ZERO,
            decision_id: Fr::ZERO,
            salt: Fr::ZERO,
        }
    }
}
