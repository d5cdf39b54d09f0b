//! Phase 1 in its terminal form: the Lagrange basis at tau of one domain.
//!
//! This is what Zcash's `phase1radix2m` files hold, in their order: phase 2 is computed from it without the long
//! transform, and nobody can contribute to phase 1 any more.

use ark_bls12_381::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::Field;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use hansa_prover::curve::native::{sum_g1, sum_g2};

use crate::{
    flaw::Flaw,
    points::{self, Identity, PointsError, Reading},
    ratio::{self, same},
};

/// The basis, over the standard generators. The L_j are the Lagrange polynomials of the n-th roots of unity, in the
/// order of their exponents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lagrange {
    pub(crate) alpha: G1Affine,
    pub(crate) beta: G1Affine,
    pub(crate) beta_g2: G2Affine,
    /// L_j(tau).
    pub(crate) tau_g1: Vec<G1Affine>,
    /// L_j(tau).
    pub(crate) tau_g2: Vec<G2Affine>,
    /// alpha L_j(tau).
    pub(crate) alpha_g1: Vec<G1Affine>,
    /// beta L_j(tau).
    pub(crate) beta_g1: Vec<G1Affine>,
    /// (tau^n - 1) tau^i, i up to n - 2.
    pub(crate) h: Vec<G1Affine>,
}

impl Lagrange {
    /// Bytes of the points for 2^`power`.
    #[must_use]
    pub fn bytes(power: u8) -> usize {
        let n = 1 << power;
        points::G1_BYTES * (2 + 3 * n + n - 1) + points::G2_BYTES * (1 + n)
    }

    /// Checks that this is the basis at some tau, shifted by some alpha and beta.
    ///
    /// With Z = X^n - 1, L_j(tau) (tau - w^j) = w^j Z(tau) / n determines every L_j(tau). There tau is what
    /// sum_j w^j L_j(tau) must be, and Z(tau) is taken to be h_0: with another factor the L_j(tau) would not sum to one.
    ///
    /// # Errors
    /// [`Flaw`] with the vector that is none.
    pub fn check(&self) -> Result<(), Flaw> {
        let n = self.tau_g1.len();
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        let domain = Radix2EvaluationDomain::<Fr>::new(n).ok_or(Flaw::Ratio("L(tau)"))?;
        let roots: Vec<Fr> = domain.elements().collect();
        let tau = sum_g2(&self.tau_g2, &roots);
        if sum_g2(&self.tau_g2, &vec![Fr::ONE; n]) != g2 || tau.is_zero() {
            return Err(Flaw::Ratio("L(tau) in G2"));
        }
        let rho = ratio::coefficients(n);
        let in_g1 = sum_g1(&self.tau_g1, &rho);
        let in_g2 = sum_g2(&self.tau_g2, &rho);
        if !same(&g1, &in_g1, &g2, &in_g2) {
            return Err(Flaw::Ratio("L(tau) in G1 and G2"));
        }
        let weighted: Vec<Fr> = rho.iter().zip(&roots).map(|(rho, root)| *rho * root).collect();
        let scale = weighted.iter().sum::<Fr>() * domain.size_inv;
        let high = (sum_g1(&self.tau_g1, &weighted) + self.h[0] * scale).into_affine();
        if !same(&in_g1, &high, &g2, &tau) {
            return Err(Flaw::Ratio("L(tau)"));
        }
        if !ratio::are_powers_g1(&self.h, &tau) {
            return Err(Flaw::Ratio("h"));
        }
        for (what, shift, vector) in
            [("alpha L(tau)", &self.alpha, &self.alpha_g1), ("beta L(tau)", &self.beta, &self.beta_g1)]
        {
            if !same(shift, &sum_g1(vector, &rho), &g2, &in_g2) {
                return Err(Flaw::Ratio(what));
            }
        }
        if !same(&g1, &self.beta, &g2, &self.beta_g2) {
            return Err(Flaw::Ratio("beta in G2"));
        }
        Ok(())
    }

    /// Reads the basis of 2^`power`; every point is checked, their relations are not.
    pub(crate) fn read(reading: &mut Reading<'_>, power: u8) -> Result<Self, PointsError> {
        let n = 1 << power;
        Ok(Self {
            alpha: reading.one_g1("alpha")?,
            beta: reading.one_g1("beta")?,
            beta_g2: reading.one_g2("beta in G2")?,
            tau_g1: reading.g1("L(tau)", n, Identity::Refused)?,
            tau_g2: reading.g2("L(tau) in G2", n, Identity::Refused)?,
            alpha_g1: reading.g1("alpha L(tau)", n, Identity::Refused)?,
            beta_g1: reading.g1("beta L(tau)", n, Identity::Refused)?,
            h: reading.g1("h", n - 1, Identity::Refused)?,
        })
    }

    /// Appends it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        points::write(out, &[self.alpha, self.beta]);
        points::write(out, &[self.beta_g2]);
        points::write(out, &self.tau_g1);
        points::write(out, &self.tau_g2);
        points::write(out, &self.alpha_g1);
        points::write(out, &self.beta_g1);
        points::write(out, &self.h);
    }
}
