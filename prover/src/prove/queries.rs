//! The sums over the key's points that a proof consists of.

use ark_bls12_381::{Bls12_381, Fr, G1Affine, G1Projective, G2Projective, g1, g2};
use ark_ec::CurveGroup;
use ark_groth16::ProvingKey;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    curve::table::{Table, integers},
    proof::ProofPoints,
};

/// Bits of a digit of the tables' scalars.
const W: usize = 13;

/// The proving key's queries as tables of multiples; about 70 MB.
pub(super) struct Queries {
    a: Table<g1::Config, W>,
    b1: Table<g1::Config, W>,
    b2: Table<g2::Config, W>,
    /// L, then H: both are summed into C.
    c: Table<g1::Config, W>,
}

/// Each query times its scalars; wiped when dropped, as a difference of two tells whether they are the same.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Sums {
    a: G1Projective,
    b1: G1Projective,
    b2: G2Projective,
    c: G1Projective,
}

impl Queries {
    /// Computes the tables, which takes some seconds.
    pub(super) fn new(key: &ProvingKey<Bls12_381>) -> Self {
        let c: Vec<&G1Affine> = key.l_query.iter().chain(&key.h_query).collect();
        Self {
            a: Table::new(key.a_query.iter()),
            b1: Table::new(key.b_g1_query.iter()),
            b2: Table::new(key.b_g2_query.iter()),
            c: Table::new(c.into_iter()),
        }
    }

    /// The sums for an assignment, of which the first `public` columns are not in L, and the coefficients of h.
    pub(super) fn sums(&self, columns: &[Fr], public: usize, h: &[Fr]) -> Sums {
        let mut integers_of_c = integers(columns);
        let columns = integers_of_c.clone();
        integers_of_c.drain(..public);
        integers_of_c.extend_from_slice(&integers(h));
        Sums {
            a: self.a.sum(&columns),
            b1: self.b1.sum(&columns),
            b2: self.b2.sum(&columns),
            c: self.c.sum(&integers_of_c),
        }
    }
}

impl Sums {
    /// The sums of two assignments added up.
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self { a: self.a + other.a, b1: self.b1 + other.b1, b2: self.b2 + other.b2, c: self.c + other.c }
    }

    /// The proof (Groth 2016, section 3.2), made unlinkable to its witness by r and s.
    pub(super) fn proof(&self, key: &ProvingKey<Bls12_381>, r: Fr, s: Fr) -> ProofPoints {
        let a = self.a + key.vk.alpha_g1 + key.delta_g1 * r;
        let b1 = self.b1 + key.beta_g1 + key.delta_g1 * s;
        let b2 = self.b2 + key.vk.beta_g2 + key.vk.delta_g2 * s;
        let c = self.c + a * s + b1 * r - key.delta_g1 * (r * s);
        ProofPoints { a: a.into_affine(), b: b2.into_affine(), c: c.into_affine() }
    }
}
