//! The start of phase 2, computed from phase 1 and the circuit, and checked without computing it again.

use ark_bls12_381::{Fr, G1Affine, G2Affine, g1, g2};
use ark_ec::{AffineRepr, CurveGroup, short_weierstrass::Affine};
use ark_ff::{AdditiveGroup, Field};
use ark_relations::utils::matrix::Matrix;
use hansa_prover::curve::{
    native::{sum_g1, sum_g2},
    sums::{Scratch, sum_groups},
};

use super::Divided;
use crate::{
    circuit::Circuit,
    flaw::Flaw,
    multiply::{Group, multiply_each},
    phase1::Phase1,
    points::{self, Identity, PointsError, Reading},
    ratio,
    secret::SecretError,
};

/// The keys that no contribution changes, and what contributions begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub(crate) alpha: G1Affine,
    pub(crate) beta: G1Affine,
    pub(crate) beta_g2: G2Affine,
    /// beta A_j + alpha B_j + C_j at tau, for the public columns.
    pub(crate) inputs: Vec<G1Affine>,
    /// A_j(tau).
    pub(crate) a: Vec<G1Affine>,
    /// B_j(tau).
    pub(crate) b_g1: Vec<G1Affine>,
    /// B_j(tau).
    pub(crate) b_g2: Vec<G2Affine>,
    /// With delta = 1.
    pub(crate) divided: Divided,
}

impl Start {
    /// Computes the start.
    ///
    /// # Errors
    /// [`SecretError::Lock`]: the arithmetic is that of a contribution.
    ///
    /// # Panics
    /// If phase 1 is for another size: callers compare it with the circuit's power first.
    pub fn compute(circuit: &Circuit, phase1: &Phase1) -> Result<Self, SecretError> {
        let basis = phase1.lagrange()?;
        assert_eq!(basis.tau_g1.len(), 1 << circuit.power(), "phase 1 is for the circuit's size");
        let columns = circuit.columns();
        let a_rows: Matrix<Fr> = circuit.rows_of_a().collect();
        let [_, b_rows, c_rows] = &circuit.matrices;
        let in_g1 = |rows: &[(&Matrix<Fr>, &[G1Affine])]| by_column::<g1::Config>(rows, columns);
        // The points of a public column's own row are those of its row number.
        let mixed = [(&a_rows, &basis.beta_g1[..]), (b_rows, &basis.alpha_g1), (c_rows, &basis.tau_g1)];
        let ((mixed, a), (b_g1, b_g2)) = rayon::join(
            || rayon::join(|| in_g1(&mixed), || in_g1(&[(&a_rows, &basis.tau_g1)])),
            || {
                rayon::join(
                    || in_g1(&[(b_rows, &basis.tau_g1)]),
                    || by_column::<g2::Config>(&[(b_rows, &basis.tau_g2)], columns),
                )
            },
        );
        let mut mixed = mixed?;
        let l = mixed.split_off(circuit.public);
        Ok(Self {
            alpha: basis.alpha,
            beta: basis.beta,
            beta_g2: basis.beta_g2,
            inputs: mixed,
            a: a?,
            b_g1: b_g1?,
            b_g2: b_g2?,
            divided: Divided { delta: G1Affine::generator(), delta_g2: G2Affine::generator(), h: basis.h, l },
        })
    }

    /// Checks that this is the start for the circuit and phase 1.
    ///
    /// For random coefficients of the columns, the sum of the columns' points is the point of one polynomial, whose
    /// values on the domain follow from the matrices: one sum over phase 1 a query, where computing takes a transform.
    ///
    /// # Errors
    /// [`Flaw::Differs`] with the query that is not.
    pub fn check(&self, circuit: &Circuit, phase1: &Phase1) -> Result<(), Flaw> {
        let size = phase1.size();
        if size != 1 << circuit.power() {
            let (found, known) = (format!("2^{}", size.ilog2()), format!("2^{}", circuit.power()));
            return Err(Flaw::Other { what: "phase 1's size", found, known });
        }
        if (self.alpha, self.beta, self.beta_g2) != phase1.shifts() {
            return Err(Flaw::Differs("alpha or beta"));
        }
        let fresh = (&self.divided.delta, &self.divided.delta_g2);
        if fresh != (&G1Affine::generator(), &G2Affine::generator()) {
            return Err(Flaw::Differs("delta"));
        }
        if self.divided.h != phase1.h() {
            return Err(Flaw::Differs("h"));
        }
        let rho = ratio::coefficients(circuit.columns());
        let values = |rows: &Matrix<Fr>| {
            let mut values: Vec<Fr> = rows
                .iter()
                .map(|row| row.iter().map(|(coefficient, column)| *coefficient * rho[*column]).sum())
                .collect();
            values.resize(size, Fr::ZERO);
            phase1.at_tau(values)
        };
        let [_, b_rows, c_rows] = &circuit.matrices;
        let (a, b, c) = (values(&circuit.rows_of_a().collect()), values(b_rows), values(c_rows));
        if sum_g1(&self.a, &rho) != a.g1() {
            return Err(Flaw::Differs("query A"));
        }
        if sum_g1(&self.b_g1, &rho) != b.g1() {
            return Err(Flaw::Differs("query B in G1"));
        }
        if sum_g2(&self.b_g2, &rho) != b.g2() {
            return Err(Flaw::Differs("query B in G2"));
        }
        let mixed = sum_g1(&self.inputs, &rho) + sum_g1(&self.divided.l, &rho[circuit.public..]);
        if mixed.into_affine() != (a.times_beta() + b.times_alpha() + c.g1()).into_affine() {
            return Err(Flaw::Differs("the points of the columns"));
        }
        Ok(())
    }

    /// Reads the start for a circuit; every point is checked, their relations are not.
    pub(crate) fn read(reading: &mut Reading<'_>, circuit: &Circuit) -> Result<Self, PointsError> {
        let columns = circuit.columns();
        Ok(Self {
            alpha: reading.one_g1("alpha")?,
            beta: reading.one_g1("beta")?,
            beta_g2: reading.one_g2("beta in G2")?,
            inputs: reading.g1("the points of the public columns", circuit.public, Identity::Refused)?,
            a: reading.g1("query A", columns, Identity::Allowed)?,
            b_g1: reading.g1("query B in G1", columns, Identity::Allowed)?,
            b_g2: reading.g2("query B in G2", columns, Identity::Allowed)?,
            divided: Divided::read(reading, circuit)?,
        })
    }

    /// Appends it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        points::write(out, &[self.alpha, self.beta]);
        points::write(out, &[self.beta_g2]);
        points::write(out, &self.inputs);
        points::write(out, &self.a);
        points::write(out, &self.b_g1);
        points::write(out, &self.b_g2);
        self.divided.write(out);
    }
}

/// For each column the sum of its coefficients times the points of their rows, over all matrices given.
fn by_column<G: Group>(
    matrices: &[(&Matrix<Fr>, &[Affine<G>])],
    columns: usize,
) -> Result<Vec<Affine<G>>, SecretError> {
    let mut terms: Vec<(usize, Affine<G>, Fr)> = Vec::new();
    for (rows, points) in matrices {
        for (row, point) in rows.iter().zip(*points) {
            terms.extend(row.iter().map(|(coefficient, column)| (*column, *point, *coefficient)));
        }
    }
    let trivial = |coefficient: &Fr| *coefficient == Fr::ONE || *coefficient == -Fr::ONE;
    let places: Vec<usize> = (0..terms.len()).filter(|i| !trivial(&terms[*i].2)).collect();
    let mut products: Vec<Affine<G>> = places.iter().map(|i| terms[*i].1).collect();
    multiply_each::<G>(&mut products, |at, scalar| *scalar = terms[places[at]].2)?;
    for (place, product) in places.iter().zip(products) {
        (terms[*place].1, terms[*place].2) = (product, Fr::ONE);
    }
    terms.sort_by_key(|(column, ..)| *column);
    let mut groups = vec![0; columns];
    for (column, ..) in &terms {
        groups[*column] += 1;
    }
    let signed = |(_, point, sign): &(usize, Affine<G>, Fr)| if *sign == Fr::ONE { *point } else { -*point };
    let mut sums: Vec<Affine<G>> = terms.iter().map(signed).collect();
    sum_groups(&mut sums, &mut groups, &mut Scratch::new());
    Ok(sums)
}
