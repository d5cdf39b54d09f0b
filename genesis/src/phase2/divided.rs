//! What phase 2's contributions change: delta, h and the points of the secret columns.

use ark_bls12_381::{Fr, G1Affine, G2Affine, g1, g2};
use ark_ec::AffineRepr;
use ark_ff::Field;
use hansa_prover::curve::native::sum_g1;

use crate::{
    circuit::Circuit,
    flaw::Flaw,
    knowledge::{Knowledge, Secret},
    multiply::multiply_each,
    place::Place,
    points::{self, Identity, PointsError, Reading},
    ratio::{self, same},
    secret::{Entropy, Locked, SecretError},
};

/// Delta and what is divided by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divided {
    /// delta.
    pub(crate) delta: G1Affine,
    /// delta.
    pub(crate) delta_g2: G2Affine,
    /// (tau^n - 1) tau^i / delta, i up to n - 2.
    pub(crate) h: Vec<G1Affine>,
    /// (beta A_j + alpha B_j + C_j) / delta at tau, for the secret columns j.
    pub(crate) l: Vec<G1Affine>,
}

impl Divided {
    /// Multiplies delta by a fresh secret, which is gone when this returns.
    pub(crate) fn contribute(&mut self, entropy: &Entropy, place: &Place) -> Result<Knowledge, SecretError> {
        self.multiply(&entropy.scalar(Secret::Delta.name())?, place)
    }

    /// Multiplies delta by a scalar that is not zero.
    pub(crate) fn multiply(&mut self, delta: &Locked<Fr>, place: &Place) -> Result<Knowledge, SecretError> {
        let mut inverse = Locked::new(Fr::ONE)?;
        *inverse = delta.inverse().expect("a secret is not zero");
        multiply_each::<g1::Config>(std::slice::from_mut(&mut self.delta), |_, scalar| *scalar = **delta)?;
        multiply_each::<g2::Config>(std::slice::from_mut(&mut self.delta_g2), |_, scalar| *scalar = **delta)?;
        multiply_each::<g1::Config>(&mut self.h, |_, scalar| *scalar = *inverse)?;
        multiply_each::<g1::Config>(&mut self.l, |_, scalar| *scalar = *inverse)?;
        Ok(Knowledge::prove(delta, Secret::Delta, place))
    }

    /// Checks that this is `before` with a contribution that knew its secret.
    pub(crate) fn follow(&self, before: &Self, knowledge: &Knowledge, place: &Place) -> Result<(), Flaw> {
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        knowledge.check(Secret::Delta, place, &before.delta, &self.delta)?;
        if !same(&g1, &self.delta, &g2, &self.delta_g2) {
            return Err(Flaw::Ratio("delta in G2"));
        }
        for (what, old, new) in [("h", &before.h, &self.h), ("the secret columns", &before.l, &self.l)] {
            let rho = ratio::coefficients(old.len());
            // new * delta = old * delta before
            if !same(&sum_g1(new, &rho), &sum_g1(old, &rho), &before.delta_g2, &self.delta_g2) {
                return Err(Flaw::Ratio(what));
            }
        }
        Ok(())
    }

    /// Reads it for a circuit; every point is checked, their ratios are not.
    pub(crate) fn read(reading: &mut Reading<'_>, circuit: &Circuit) -> Result<Self, PointsError> {
        let h = (1 << circuit.power()) - 1;
        Ok(Self {
            delta: reading.one_g1("delta")?,
            delta_g2: reading.one_g2("delta in G2")?,
            h: reading.g1("h", h, Identity::Refused)?,
            l: reading.g1("the secret columns", circuit.witnesses, Identity::Allowed)?,
        })
    }

    /// Appends it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        points::write(out, &[self.delta]);
        points::write(out, &[self.delta_g2]);
        points::write(out, &self.h);
        points::write(out, &self.l);
    }
}
