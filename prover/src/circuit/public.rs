//! The nine public inputs, in their frozen order.

use ark_ff::AdditiveGroup;

use crate::field::Fr;

/// What a verifier knows or recomputes for a signal. There is no other way to hand public inputs to the
/// pairing, so none can be missing, added or swapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicInputs {
    /// Root of the gateway's members in the epoch.
    pub member_root: Fr,
    /// Root of the epoch's registered models.
    pub registry_root: Fr,
    /// `P(9, consortium, circuit version, verifying key hash, gateway, epoch)`.
    pub scope: Fr,
    /// `P(5, a1)`.
    pub nullifier: Fr,
    /// `y = t_e + a1 * x`.
    pub share: Fr,
    /// The signal's digest in the field.
    pub x: Fr,
    /// `P(7, u, scope)`.
    pub tag: Fr,
    /// Score points for the stated severity. As a `u32` it cannot reach the range where `score - threshold`
    /// would wrap around (see [`super::score`]).
    pub threshold: u32,
    /// `P(8, u, F1, F2, M, decision id, salt)`.
    pub decision: Fr,
}

impl PublicInputs {
    /// How many there are; a verifying key has one element more.
    pub const COUNT: usize = 9;

    /// Inputs of nothing, for setup: the constraints do not depend on values.
    pub(crate) fn blank() -> Self {
        let zero = Fr::ZERO;
        Self {
            member_root: zero,
            registry_root: zero,
            scope: zero,
            nullifier: zero,
            share: zero,
            x: zero,
            tag: zero,
            threshold: 0,
            decision: zero,
        }
    }

    /// The inputs in the order of the verifying key.
    #[must_use]
    pub fn to_array(&self) -> [Fr; Self::COUNT] {
        [
            self.member_root,
            self.registry_root,
            self.scope,
            self.nullifier,
            self.share,
            self.x,
            self.tag,
            Fr::from(self.threshold),
            self.decision,
        ]
    }
}

/// The inputs as the circuit's wires.
pub(super) struct PublicWires<W> {
    pub(super) member_root: W,
    pub(super) registry_root: W,
    pub(super) scope: W,
    pub(super) nullifier: W,
    pub(super) share: W,
    pub(super) x: W,
    pub(super) tag: W,
    pub(super) threshold: W,
    pub(super) decision: W,
}

impl<W: Clone> PublicWires<W> {
    /// Names the wires of [`PublicInputs::to_array`].
    pub(super) fn from_array(wires: [W; PublicInputs::COUNT]) -> Self {
        let [member_root, registry_root, scope, nullifier, share, x, tag, threshold, decision] = wires;
        Self { member_root, registry_root, scope, nullifier, share, x, tag, threshold, decision }
    }
}
