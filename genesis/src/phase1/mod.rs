//! Phase 1: the powers of tau, which serve every circuit of their size.
//!
//! For n = 2^power, over the standard generators: tau^i in G1 to 2n - 2, tau^i in G2 to n - 1, alpha tau^i and
//! beta tau^i in G1 to n - 1, beta in G2 (Bowe, Gabizon, Miers, 2017/1050). A contribution multiplies by fresh tau,
//! alpha and beta; nobody knows the products as long as one contributor's are gone.

mod lagrange;

use ark_bls12_381::{Fr, G1Affine, G2Affine, g1, g2};
use ark_ec::AffineRepr;
use ark_ff::Field;
use hansa_prover::curve::{
    native::{sum_g1, sum_g2},
    sums::{Scratch, sum_groups},
};

pub use self::lagrange::Lagrange;
use crate::{
    fft,
    flaw::Flaw,
    knowledge::{Knowledge, Secret},
    multiply::{Group, multiply_each},
    place::Place,
    points::{self, Identity, PointsError, Reading},
    ratio,
    secret::{Entropy, Locked, SecretError},
};

/// The largest power: Zcash's and more than any circuit of ours.
pub const MAX_POWER: u8 = 21;

/// The powers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Powers {
    /// tau^i, i up to 2n - 2.
    pub(crate) tau_g1: Vec<G1Affine>,
    /// tau^i, i below n.
    pub(crate) tau_g2: Vec<G2Affine>,
    /// alpha tau^i, i below n.
    pub(crate) alpha_g1: Vec<G1Affine>,
    /// beta tau^i, i below n.
    pub(crate) beta_g1: Vec<G1Affine>,
    /// beta.
    pub(crate) beta_g2: G2Affine,
}

/// What shows that powers came from others by a contribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    tau: Knowledge,
    alpha: Knowledge,
    beta: Knowledge,
}

impl Powers {
    /// Where a ceremony begins: tau, alpha and beta are one.
    #[must_use]
    pub fn initial(power: u8) -> Self {
        let n = 1 << power;
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        Self {
            tau_g1: vec![g1; 2 * n - 1],
            tau_g2: vec![g2; n],
            alpha_g1: vec![g1; n],
            beta_g1: vec![g1; n],
            beta_g2: g2,
        }
    }

    /// How many constraints and public inputs they serve.
    #[must_use]
    pub fn size(&self) -> usize {
        self.tau_g2.len()
    }

    /// Multiplies by fresh secrets, which are gone when this returns.
    pub(crate) fn contribute(&mut self, entropy: &Entropy, place: &Place) -> Result<Step, SecretError> {
        let [tau, alpha, beta] = self.multiply(entropy)?;
        let prove = |secret, name| Knowledge::prove(secret, name, place);
        Ok(Step {
            tau: prove(&tau, Secret::Tau),
            alpha: prove(&alpha, Secret::Alpha),
            beta: prove(&beta, Secret::Beta),
        })
    }

    /// [`Self::contribute`] outside of any ceremony, with nothing that shows it.
    pub(crate) fn contribute_unproven(&mut self, entropy: &Entropy) -> Result<(), SecretError> {
        self.multiply(entropy).map(|_| ())
    }

    fn multiply(&mut self, entropy: &Entropy) -> Result<[Locked<Fr>; 3], SecretError> {
        let scalar = |name: Secret| entropy.scalar(name.name());
        let (tau, alpha, beta) = (scalar(Secret::Tau)?, scalar(Secret::Alpha)?, scalar(Secret::Beta)?);
        let mut one = Locked::new(Fr::ONE)?;
        multiply_by_powers::<g1::Config>(&mut self.tau_g1, &one, &tau)?;
        multiply_by_powers::<g2::Config>(&mut self.tau_g2, &one, &tau)?;
        multiply_by_powers::<g1::Config>(&mut self.alpha_g1, &alpha, &tau)?;
        multiply_by_powers::<g1::Config>(&mut self.beta_g1, &beta, &tau)?;
        *one = *beta;
        multiply_each::<g2::Config>(std::slice::from_mut(&mut self.beta_g2), |_, scalar| *scalar = *one)?;
        Ok([tau, alpha, beta])
    }

    /// Multiplies by secrets that a test knows.
    #[cfg(test)]
    pub(crate) fn multiply_by_known(&mut self, tau: Fr, alpha: Fr, beta: Fr) {
        let power = |first: Fr| {
            let mut next = first;
            move |_: usize, scalar: &mut Fr| {
                *scalar = next;
                next *= tau;
            }
        };
        multiply_each::<g1::Config>(&mut self.tau_g1, power(Fr::ONE)).unwrap();
        multiply_each::<g2::Config>(&mut self.tau_g2, power(Fr::ONE)).unwrap();
        multiply_each::<g1::Config>(&mut self.alpha_g1, power(alpha)).unwrap();
        multiply_each::<g1::Config>(&mut self.beta_g1, power(beta)).unwrap();
        multiply_each::<g2::Config>(std::slice::from_mut(&mut self.beta_g2), power(beta)).unwrap();
    }

    /// Checks that these are powers at all: of some tau, shifted by some alpha and beta.
    ///
    /// # Errors
    /// [`Flaw`] with the vector that is none.
    pub fn check(&self) -> Result<(), Flaw> {
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        if self.tau_g1[0] != g1 || self.tau_g2[0] != g2 {
            return Err(Flaw::Ratio("tau^0"));
        }
        let [_, tau, ..] = self.tau_g2.as_slice() else { return Err(Flaw::Ratio("tau^1")) };
        for (what, powers) in [
            ("tau in G1", &self.tau_g1),
            ("alpha tau in G1", &self.alpha_g1),
            ("beta tau in G1", &self.beta_g1),
        ] {
            if !ratio::are_powers_g1(powers, tau) {
                return Err(Flaw::Ratio(what));
            }
        }
        if !ratio::are_powers_g2(&self.tau_g2, &self.tau_g1[1]) {
            return Err(Flaw::Ratio("tau in G2"));
        }
        if !ratio::same(&g1, &self.beta_g1[0], &g2, &self.beta_g2) {
            return Err(Flaw::Ratio("beta in G2"));
        }
        Ok(())
    }

    /// Checks that these are `before` with a contribution that knew its secrets.
    pub(crate) fn follow(&self, before: &Self, step: &Step, place: &Place) -> Result<(), Flaw> {
        let links = [
            (Secret::Tau, &step.tau, before.tau_g1[1], self.tau_g1[1]),
            (Secret::Alpha, &step.alpha, before.alpha_g1[0], self.alpha_g1[0]),
            (Secret::Beta, &step.beta, before.beta_g1[0], self.beta_g1[0]),
        ];
        for (secret, knowledge, old, new) in links {
            knowledge.check(secret, place, &old, &new)?;
        }
        Ok(())
    }

    /// Reads powers for 2^`power`; every point is checked, their ratios are not.
    pub(crate) fn read(reading: &mut Reading<'_>, power: u8) -> Result<Self, PointsError> {
        let n = 1 << power;
        Ok(Self {
            tau_g1: reading.g1("tau in G1", 2 * n - 1, Identity::Refused)?,
            tau_g2: reading.g2("tau in G2", n, Identity::Refused)?,
            alpha_g1: reading.g1("alpha tau in G1", n, Identity::Refused)?,
            beta_g1: reading.g1("beta tau in G1", n, Identity::Refused)?,
            beta_g2: reading.one_g2("beta in G2")?,
        })
    }

    /// Appends them.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        points::write(out, &self.tau_g1);
        points::write(out, &self.tau_g2);
        points::write(out, &self.alpha_g1);
        points::write(out, &self.beta_g1);
        points::write(out, &[self.beta_g2]);
    }
}

impl Step {
    pub(crate) fn read(reading: &mut Reading<'_>) -> Result<Self, PointsError> {
        Ok(Self {
            tau: Knowledge::read(reading, Secret::Tau)?,
            alpha: Knowledge::read(reading, Secret::Alpha)?,
            beta: Knowledge::read(reading, Secret::Beta)?,
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        [&self.tau, &self.alpha, &self.beta].into_iter().for_each(|knowledge| knowledge.write(out));
    }
}

/// Multiplies element i by first * ratio^i.
fn multiply_by_powers<G: Group>(
    points: &mut [ark_ec::short_weierstrass::Affine<G>],
    first: &Locked<Fr>,
    ratio: &Locked<Fr>,
) -> Result<(), SecretError> {
    let mut power = Locked::new(Fr::ONE)?;
    *power = **first;
    multiply_each::<G>(points, |_, scalar| {
        *scalar = *power;
        *power *= **ratio;
    })
}

/// The outcome of phase 1, in either form: what phase 2 is computed from and checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase1 {
    /// Powers.
    Powers(Box<Powers>),
    /// The Lagrange basis, from which powers can no longer be had.
    Lagrange(Box<Lagrange>),
}

impl Phase1 {
    /// The size of the domain.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Powers(powers) => powers.size(),
            Self::Lagrange(lagrange) => lagrange.tau_g1.len(),
        }
    }

    /// Its form for computing with.
    ///
    /// # Errors
    /// [`SecretError::Lock`]: the arithmetic is that of a contribution.
    pub fn lagrange(&self) -> Result<Lagrange, SecretError> {
        match self {
            Self::Lagrange(lagrange) => Ok((**lagrange).clone()),
            Self::Powers(powers) => {
                let in_g1 = fft::lagrange::<g1::Config>;
                let ((tau_g1, tau_g2), (alpha_g1, beta_g1)) = rayon::join(
                    || {
                        rayon::join(
                            || in_g1(&powers.tau_g1[..powers.size()]),
                            || fft::lagrange::<g2::Config>(&powers.tau_g2),
                        )
                    },
                    || rayon::join(|| in_g1(&powers.alpha_g1), || in_g1(&powers.beta_g1)),
                );
                Ok(Lagrange {
                    alpha: powers.alpha_g1[0],
                    beta: powers.beta_g1[0],
                    beta_g2: powers.beta_g2,
                    tau_g1: tau_g1?,
                    tau_g2: tau_g2?,
                    alpha_g1: alpha_g1?,
                    beta_g1: beta_g1?,
                    h: self.h(),
                })
            }
        }
    }

    /// (tau^n - 1) tau^i for i up to n - 2.
    pub(crate) fn h(&self) -> Vec<G1Affine> {
        match self {
            Self::Lagrange(lagrange) => lagrange.h.clone(),
            Self::Powers(powers) => {
                let n = powers.size();
                let mut pairs: Vec<_> =
                    (0..n - 1).flat_map(|i| [powers.tau_g1[i + n], -powers.tau_g1[i]]).collect();
                sum_groups::<g1::Config>(&mut pairs, &mut vec![2; n - 1], &mut Scratch::new());
                pairs
            }
        }
    }

    /// alpha in G1, beta in G1, beta in G2.
    pub(crate) fn shifts(&self) -> (G1Affine, G1Affine, G2Affine) {
        match self {
            Self::Powers(powers) => (powers.alpha_g1[0], powers.beta_g1[0], powers.beta_g2),
            Self::Lagrange(lagrange) => (lagrange.alpha, lagrange.beta, lagrange.beta_g2),
        }
    }

    /// The polynomial with these values on the domain, for its points at tau.
    pub(crate) fn at_tau(&self, values: Vec<Fr>) -> AtTau<'_> {
        match self {
            Self::Powers(powers) => AtTau {
                scalars: fft::interpolate(values),
                tau_g1: &powers.tau_g1[..powers.size()],
                tau_g2: &powers.tau_g2,
                alpha_g1: &powers.alpha_g1,
                beta_g1: &powers.beta_g1,
            },
            Self::Lagrange(lagrange) => AtTau {
                scalars: values,
                tau_g1: &lagrange.tau_g1,
                tau_g2: &lagrange.tau_g2,
                alpha_g1: &lagrange.alpha_g1,
                beta_g1: &lagrange.beta_g1,
            },
        }
    }
}

/// A polynomial as coefficients of a basis, whose points at tau are phase 1.
pub(crate) struct AtTau<'a> {
    scalars: Vec<Fr>,
    tau_g1: &'a [G1Affine],
    tau_g2: &'a [G2Affine],
    alpha_g1: &'a [G1Affine],
    beta_g1: &'a [G1Affine],
}

impl AtTau<'_> {
    pub(crate) fn g1(&self) -> G1Affine {
        sum_g1(self.tau_g1, &self.scalars)
    }

    pub(crate) fn g2(&self) -> G2Affine {
        sum_g2(self.tau_g2, &self.scalars)
    }

    pub(crate) fn times_alpha(&self) -> G1Affine {
        sum_g1(self.alpha_g1, &self.scalars)
    }

    pub(crate) fn times_beta(&self) -> G1Affine {
        sum_g1(self.beta_g1, &self.scalars)
    }
}
